package record_test

import (
	"testing"

	"expunge/pipeline"
	"expunge/pipeline/record"
	"expunge/scanners"
)

func TestOthers(t *testing.T) {
	d := &pipeline.Dataset{Fields: []pipeline.Field{
		{Path: "phone", Kind: pipeline.Phone},
		{Path: "mails[]", Kind: pipeline.Email},
		{Path: "user", Kind: pipeline.User},
		{Path: "call", Kind: pipeline.Call, Link: true},
		{Path: "agent", Kind: pipeline.Email, Party: pipeline.Agent},
		{Path: "line", Kind: pipeline.Phone, Party: pipeline.Business},
		{Path: "to", Kind: pipeline.Phone, When: &pipeline.When{Field: "way", Is: []string{"out"}, IsNot: []string{"in"}}},
		{Path: "note", Kind: pipeline.Email, Text: true},
	}}
	own := func(l pipeline.Link) bool { return l.Value == "14045550123" || l.Value == "ann@example.com" }
	for _, c := range []struct {
		leaves []string // path, value …
		want   bool
	}{
		{nil, false},
		{[]string{"phone", "(404) 555-0199"}, true},
		{[]string{"phone", "404-555-0123"}, false},
		{[]string{"phone", "anonymous"}, false},
		{[]string{"phone", ""}, false},
		{[]string{"mails[]", "Ann@example.com", "mails[]", "bob@example.com"}, true},
		{[]string{"mails[]", "Ann@example.com"}, false},
		{[]string{"user", "u-77"}, true},
		{[]string{"to", "+14045550199", "way", "out"}, true},
		{[]string{"to", "+14045550199", "way", "in"}, false}, // the account's side
		{[]string{"to", "+14045550199"}, true},               // nobody says
		{[]string{"call", "CA1", "agent", "jo@example.com", "line", "+14045550100", "note", "bob@example.com", "else", "bob@example.com"}, false},
	} {
		r := &scanners.Record{}
		for i := 0; i < len(c.leaves); i += 2 {
			r.Leaves = append(r.Leaves, scanners.Leaf{Path: c.leaves[i], Value: []byte(c.leaves[i+1])})
		}
		o := record.NewOthers(d, "US", own)
		if got := o.Name(r); got != c.want || o.None() {
			t.Errorf("%q: %v, want %v", c.leaves, got, c.want)
		}
	}
	if o := record.NewOthers(&pipeline.Dataset{Fields: d.Fields[3:6]}, "US", own); !o.None() {
		t.Error("a dataset whose records name nobody may have others'")
	}
}
