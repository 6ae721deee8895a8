package identity

import (
	"regexp"
	"slices"
	"testing"

	"expunge/pipeline"
	"expunge/scanners"
)

func canon(t *testing.T, kind pipeline.Kind, v string) Canon {
	t.Helper()
	return wanted(t, kind, v)[0].Canon
}

// Short ids leave no token in raw bytes: they are found in declared fields of
// their kind, and nowhere else.
func TestShortIDs(t *testing.T) {
	set := Compile(testKey, "US", wanted(t, pipeline.User, "42"))
	f := set.Finder(FinderOptions{Search: true, Fields: []pipeline.Field{
		{Path: "user.id", Kind: pipeline.User}, {Path: "call", Kind: pipeline.Call}, {Path: "traits{}", Kind: pipeline.User},
		{Path: "lists{}[].id", Kind: pipeline.User},
	}})
	if got := f.Fields(); !slices.Equal(got, []string{"user.id", "traits{}", "lists{}[].id"}) {
		t.Fatalf("fields %v", got)
	}
	if !f.ProbeField(0, []byte("42")) || f.ProbeField(0, []byte("43")) || f.ProbeField(0, nil) {
		t.Error("ProbeField does not tell 42 from 43")
	}
	for path, want := range map[string]string{"user.id": "yes", "call": "no", "other": "no", "traits.plan": "yes", "traits{}": "yes", "traits.a.b": "no",
		"traits[]": "no", "lists.a[].id": "yes", "lists{}[].id": "yes", "lists.a.id": "no", "lists[].id": "no"} {
		if got := outcome(f.Find(nil, path, []byte("42"))); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	var collected []uint64
	g := Compile(testKey, "US", nil).Finder(FinderOptions{Fields: []pipeline.Field{{Path: "u", Kind: pipeline.User}}, Collect: func(x uint64) { collected = append(collected, x) }})
	g.ProbeField(0, []byte("42"))
	if !slices.ContainsFunc(set.Tokens("acme"), func(x uint64) bool { return slices.Contains(collected, x) }) {
		t.Error("a catalog's filter would not hold the short id")
	}
}

// The same tokens feed the filter: what a later night asks for, in any writing,
// must be among what the first scan collected.
func TestTokensAreCollected(t *testing.T) {
	for _, tt := range []struct {
		kind     pipeline.Kind
		id, text string
	}{
		{"phone", "+12145550142", "(214) 555-0142"},
		{"phone", "+33612345678", "06 12 34 56 78"},
		{"phone", "+34912345678", "912 345 678"},
		{"phone", "+4722225555", "22 22 55 55"},
		{"email", "jane.doe@gmail.com", "JaneDoe+x@googlemail.com"},
		{"email", "jane@example.com", `{"e":"jane\u0040example.com"}`},
		{"email", "person@example.com", "542D240129883C019E106E3B1B2D3F3CB3537C43C425364DE8E951D5A3083345"},
		{"device_id", "6d92078a8246-4ba4ae5b", "x 6d92078a8246-4ba4ae5b"},
		{"visitor_id", "123456789.1699999999", "GA1.1.123456789.1699999999"},
	} {
		set := Compile(testKey, "US", wanted(t, tt.kind, tt.id))
		got := map[uint64]bool{}
		Compile(testKey, "US", nil).Finder(FinderOptions{Collect: func(x uint64) { got[x] = true }}).Probe(nil, []byte(tt.text))
		if !slices.ContainsFunc(set.Tokens("acme"), func(x uint64) bool { return got[x] }) {
			t.Errorf("%s %q: no token of it among those of %q", tt.kind, tt.id, tt.text)
		}
		if len(set.Tokens("other")) != 0 {
			t.Error("another account has tokens")
		}
	}
}

// Boundary starts a new segment: tokens seen before it must be collected again.
func TestBoundaryForgets(t *testing.T) {
	n, cuts := 0, 0
	f := Compile(testKey, "US", nil).Finder(FinderOptions{
		Collect: func(uint64) { n++ }, Boundary: func(off int64, _ int, record int64) { cuts++ },
	})
	f.Probe(nil, []byte("jane@example.com"))
	f.Probe(nil, []byte("jane@example.com"))
	if n != 1 {
		t.Errorf("collected %d times within a segment", n)
	}
	f.Boundary(10, -1, 1)
	f.Probe(nil, []byte("jane@example.com"))
	if n != 2 || cuts != 1 {
		t.Errorf("collected %d times over two segments, %d cuts", n, cuts)
	}
}

// Accounts are walls, agents are another party, links lower the tier.
func TestWhoMatches(t *testing.T) {
	jane := canon(t, pipeline.Email, "jane@example.com")
	set := Compile(testKey, "US", []Needle{
		{Account: "acme", Canon: jane},
		{Account: "other", Canon: jane},
		{Account: "acme", Canon: jane, Agent: true},
		{Account: "acme", Canon: canon(t, pipeline.Call, "CA0123456789abcdef0123456789abcdef"), Tier: pipeline.Linked},
	})
	needles := func(o FinderOptions, path, text string) (is []uint32) {
		o.Search, o.Fields = true, caseFields
		for _, m := range set.Finder(o).Find(nil, path, []byte(text)) {
			is = append(is, m.Needle)
		}
		return is
	}
	for _, tt := range []struct {
		o    FinderOptions
		path string
		want []uint32
	}{
		{FinderOptions{Account: "acme", Agents: true}, "x", []uint32{0}},
		{FinderOptions{Account: "other"}, "x", []uint32{1}},
		{FinderOptions{}, "x", []uint32{0, 1}},
		{FinderOptions{Agents: true}, "agent_email", []uint32{2}},
		{FinderOptions{}, "agent_email", nil},
		{FinderOptions{Agents: true}, "tracking_phone_number", nil},
	} {
		if got := needles(tt.o, tt.path, "jane@example.com"); !slices.Equal(got, tt.want) {
			t.Errorf("%+v %s: needles %v, want %v", tt.o.Account, tt.path, got, tt.want)
		}
	}
	f := set.Finder(FinderOptions{Search: true, Fields: caseFields})
	ms := f.Find(nil, "call_sid", []byte("CA0123456789abcdef0123456789abcdef"))
	if len(ms) != 1 || ms[0].Tier != string(pipeline.Linked) {
		t.Errorf("link id: %v", ms)
	}
	if ms := f.Find(nil, "body", []byte("see CA0123456789abcdef0123456789abcdef")); len(ms) != 1 || ms[0].Tier != string(pipeline.Mention) {
		t.Errorf("link id in text: %v", ms)
	}
	quiet := set.Finder(FinderOptions{Fields: caseFields})
	if ms := quiet.Find(nil, "x", []byte("jane@example.com")); len(ms) != 0 {
		t.Errorf("an undeclared field was searched: %v", ms)
	}
}

func TestLinksAndKeys(t *testing.T) {
	recording := pipeline.Field{Path: "url", Kind: pipeline.Recording, Link: true, Pattern: regexp.MustCompile(`recordings/(?P<id>[^./]+)`)}
	set := Compile(testKey, "US", wanted(t, pipeline.Recording, "7", "RE0123456789abcdef0123456789abcdef"))
	f := set.Finder(FinderOptions{
		Fields:  []pipeline.Field{recording, {Path: "agent", Kind: pipeline.User, Link: true, Party: pipeline.Agent}, {Path: "d", Kind: pipeline.Device, Link: true}},
		Objects: map[string]pipeline.Field{"rec": {Kind: pipeline.Recording, Link: true}},
	})
	for path, text := range map[string]string{"url": "https://example.com/recordings/7.mp3", "agent": "u1", "d": "00000000-0000-0000-0000-000000000000", "x": "7"} {
		got := f.Links(nil, path, []byte(text))
		if path == "url" != (len(got) == 1 && got[0].Value.Reveal() == "7" && got[0].Kind == pipeline.Recording) {
			t.Errorf("%s: %d links", path, len(got))
		}
	}
	if !f.ProbeField(slices.Index(f.Fields(), "url"), []byte("https://example.com/recordings/7.mp3")) {
		t.Error("a short id within a pattern is no candidate")
	}
	if ms := f.Find(nil, "url", []byte("https://example.com/recordings/7.mp3")); outcome(ms) != "yes" {
		t.Errorf("a short id within a pattern: %v", ms)
	}
	captures := map[string]string{"rec": "RE0123456789abcdef0123456789abcdef", "ext": "mp3"}
	if ms := f.FindKey(captures); !slices.ContainsFunc(ms, func(m scanners.Match) bool { return m.Path == KeyPath && m.Needle == 1 }) {
		t.Errorf("object's name: %v", ms)
	}
	if ls := f.KeyLinks(nil, captures); len(ls) != 1 || ls[0].Value.Reveal() != captures["rec"] {
		t.Errorf("links of the object's name: %d", len(ls))
	}
}

// A letter behind a backslash may be an escape's or a word's first.
func TestBackslashBeforeAWord(t *testing.T) {
	for id, kind := range map[string]pipeline.Kind{"nancy12345678": pipeline.User, "bob@example.com": pipeline.Email} {
		f := Compile(testKey, "US", wanted(t, kind, id)).Finder(FinderOptions{Search: true})
		for text, want := range map[string]string{
			`CORP\` + id:                      "review",
			`{"v":"CORP\\` + id + `"}`:        "review",
			"CORP\n" + id:                     "review",
			"CORPn" + id:                      "no",
			`{"v":"a\n` + id + `"}`:           "review",
			`{"v":"a\t` + id + ` and more"}`:  "review",
			`{"v":"a\` + id + `xyz.zzz yyy"}`: "no",
		} {
			if got := outcome(f.Find(nil, "v", []byte(text))); got != want {
				t.Errorf("%q in %q: %s, want %s", id, text, got, want)
			}
			if want != "no" && !reported(f, "v", text) {
				t.Errorf("%q in %q is not reported", id, text)
			}
		}
	}
}

// Letters, digits, percents and backslashes that stand encoded may hide what
// follows: their record is a candidate, whatever is looked for.
func TestDoubtfulPlaces(t *testing.T) {
	f := Compile(testKey, "US", nil).Finder(FinderOptions{})
	for raw, want := range map[string]int{
		`{"v":"\u0032145550142"}`: 1, `{"v":"\u0025u"}`: 1, `/a?x=%5Cu0040`: 1, `/a?x=%32`: 1, `/a?x=%2532`: 1, `{"v":"\uff12"}`: 1,
		`{"u":"https:\/\/x\/?a=1\u0026b=2","v":"\"q\"\n","h":"\u003cb\u003e"}`: 0, `/a?x=%20%2B%40%3D`: 0, "100% sure": 0, "é ü": 0,
	} {
		if got := f.Probe(nil, []byte(raw)); len(got) != want {
			t.Errorf("%q: places %v, want %d", raw, got, want)
		}
	}
}

// Where undeclared fields are not searched, Find matches in no field that the
// finder does not look at.
func TestLooks(t *testing.T) {
	fields := []pipeline.Field{{Path: "phone", Kind: pipeline.Phone}, {Path: "visitor.ids[].value", Kind: pipeline.Email}, {Path: "props.user", Kind: pipeline.Email}}
	set := Compile(testKey, "US", wanted(t, pipeline.Email, "jane@example.com"))
	for path, want := range map[string]bool{
		"phone": true, "visitor.ids[].value": true, "props": true, "props.user": true, "props{}": true,
		"phone2": false, "pho": false, "visitor.ids[].name": false, "note": false,
	} {
		if got := set.Finder(FinderOptions{Fields: fields}).Looks(path); got != want {
			t.Errorf("%s: %v", path, got)
		}
		if found := len(set.Finder(FinderOptions{Fields: fields}).Find(nil, path, []byte("jane@example.com"))) > 0; found && !want {
			t.Errorf("%s: not looked at, but matched", path)
		}
		if !set.Finder(FinderOptions{Fields: fields, Search: true}).Looks(path) {
			t.Errorf("%s: not looked at in a search of all fields", path)
		}
	}
	wild := append(fields, pipeline.Field{Path: "attributes.{}", Kind: pipeline.Email})
	if !set.Finder(FinderOptions{Fields: wild}).Looks("note") {
		t.Error("a path with {} may be any")
	}
}

// TestNamedAmpersand: the ampersand that HTML has in the place of an address's own.
func TestNamedAmpersand(t *testing.T) {
	f := Compile(testKey, "US", wanted(t, pipeline.Email, "a&b@example.com")).Finder(FinderOptions{Search: true})
	for _, text := range []string{"a&b@example.com", "a&amp;b@example.com", "a&amp;amp;b@example.com"} {
		if ms := f.Find(nil, "v", []byte(text)); outcome(ms) != "yes" {
			t.Errorf("%s: %v", text, ms)
		}
	}
}

// TestLatin: in text that is not UTF-8, the bytes that Windows-1252 has for blanks, dashes
// and dots may stand between the digits of a number.
func TestLatin(t *testing.T) {
	f := Compile(testKey, "US", wanted(t, pipeline.Phone, "+14045550123")).Finder(FinderOptions{Search: true})
	for text, want := range map[string]string{
		"404\xa0555\xa00123": "yes", "(404)\xa0555\x960123": "yes", "404\xad555\x970123": "yes", "404\xb7555\xb70123": "yes", "404 \x95 555 \x95 0123": "yes",
		"caf\xe9 404\xa0555\xa00123": "review", "404\xa0555\xa00124": "no", "404\xe9555\xe90123": "no", "404\x80555\x800123": "no",
		"404\xc2\xa0555\xc2\xa00123": "yes", "404\xc3\xa0555\xc3\xa00123": "no", // UTF-8: a no-break space, à
	} {
		if ms := f.Find(nil, "v", []byte(text)); outcome(ms) != want {
			t.Errorf("%q: %v, want %s", text, ms, want)
		}
		if probed := len(f.Probe(nil, []byte(`{"v":"`+text+`"}`))) > 0; want != "no" && !probed {
			t.Errorf("%q is no candidate", text)
		}
	}
}
