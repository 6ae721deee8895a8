package identity

import (
	"slices"
	"testing"

	"expunge/pipeline"
)

// TestInside: what is declared of a field holds for the list, the object or the JSON that
// stands in it, as deep as it goes, until something in there is declared itself.
func TestInside(t *testing.T) {
	fields := []pipeline.Field{
		{Path: "note", Text: true},
		{Path: "note.id", Kind: pipeline.Call, Link: true},
		{Path: "agent_email", Party: pipeline.Agent},
		{Path: "agent", Kind: pipeline.Phone, Party: pipeline.Agent},
		{Path: "track", Party: pipeline.Business},
		{Path: "to", Kind: pipeline.Phone, When: &pipeline.When{Field: "direction"}},
		{Path: "phones", Kind: pipeline.Phone},
		{Path: "ip", Kind: pipeline.IP},
		{Path: "begun", Category: "commercial"},
		{Path: "tags.{}.notes", Text: true},
	}
	const phone, us = "+14045550123", "+12122503417"
	for _, tt := range []struct{ path, id, text, want string }{
		{"note", phone, "404-555-0123", "review"},
		{"note[]", phone, "404-555-0123", "review"},
		{"note[].text", phone, "404-555-0123", "review"},
		{"note.a.b[][].c", phone, "404-555-0123", "review"},
		{"note{}", phone, "404-555-0123", "review"},
		{"note.id", phone, "404-555-0123", "yes"}, // declared itself
		{"note.id[]", phone, "404-555-0123", "yes"},
		{"tags.x.notes[]", phone, "404-555-0123", "review"},
		{"agent_email[]", phone, phone, "no"},
		{"agent_email.work", phone, phone, "no"},
		{"agent[].number", phone, phone, "no"},
		{"track.n", phone, phone, "no"},
		{"phones[]", phone, "4045550123", "yes"},
		{"ip[]", us, "212.250.34.17", "no"},

		{"notes", phone, "404-555-0123", "yes"}, // another field
		{"a.note", phone, "404-555-0123", "yes"},
		{"phones.x", phone, "404-555-0123", "yes"},
		{"begun.x", phone, "404-555-0123", "yes"},
	} {
		f := Compile(testKey, "US", wanted(t, pipeline.Phone, tt.id)).Finder(FinderOptions{Fields: fields, Search: true, Account: "acme"})
		if ms := f.Find(nil, tt.path, []byte(tt.text)); outcome(ms) != tt.want {
			t.Errorf("%s in %s: %v, want %s", tt.text, tt.path, ms, tt.want)
		}
	}
	set := Compile(testKey, "US", wanted(t, pipeline.Phone, phone))
	everywhere := set.Finder(FinderOptions{Fields: fields, Search: true, EveryParty: true})
	for _, path := range []string{"agent_email[]", "agent[].number", "track.n"} {
		if ms := everywhere.Find(nil, path, []byte(phone)); len(ms) == 0 || everywhere.Declared(path).Party == pipeline.Consumer {
			t.Errorf("%s, whoever's it is: %v of %v", path, ms, everywhere.Declared(path))
		}
	}
	declared := set.Finder(FinderOptions{Fields: fields})
	for path, want := range map[string]bool{"note": true, "note[]": false, "phones": true, "phones[]": false, "x": false} {
		if got := len(declared.Find(nil, path, []byte(phone))) > 0; got != want || want && !declared.Looks(path) {
			t.Errorf("%s where declared fields alone are searched: %t", path, got)
		}
	}
	f := set.Finder(FinderOptions{Fields: fields, Search: true})
	if d := f.Declared("to[].number"); d == nil || d.When == nil {
		t.Errorf("it is not known in which records to[].number is the consumer's: %v", d)
	}
	if got := f.Direct(nil, "phones[]", []byte(phone)); !slices.Equal(got, []Link{{pipeline.Phone, "14045550123"}}) {
		t.Errorf("the number of a list beside the consumer's: %v", got)
	}
	if got := f.Links(nil, "note.id[]", []byte("CALL-0001")); len(got) > 0 {
		t.Errorf("links are where they are declared: %v", got)
	}
}
