package naming

import (
	"net/url"
	"strings"
	"testing"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/seal"
)

// strange are keys as lakes have them; the second is not named by any way to write the first.
var strange = [][2]string{
	{"calls/a.jsonl", "calls/a_jsonl"},
	{"calls/ts=2026-11-20 00%3A00%3A00/part-0.jsonl", "calls/ts=2026-11-20 00-00-00/part-0.jsonl"},
	{"calls/a b+c%20ü.jsonl", "calls/a b+c-ü.jsonl"},
	{"calls/100%.jsonl", "calls/100.jsonl"},
	{"calls/a*b?[c].jsonl", "calls/a*b?c.jsonl"},
	{"calls/+14045550123.mp3", "calls/+14045550124.mp3"},
	{"calls/%FF.jsonl", "calls/%FE.jsonl"},
	{"calls/{x}.jsonl", "calls/{y}.jsonl"},
	{"calls/a//b.jsonl", "calls/a/b.jsonl"},
	{"calls/line\nbreak.jsonl", "calls/line break.jsonl"},
}

// everyByte encodes all that is no slash.
func everyByte(key string) string {
	var out strings.Builder
	for i := range len(key) {
		if key[i] == '/' {
			out.WriteByte('/')
			continue
		}
		const hex = "0123456789ABCDEF"
		out.WriteString("%" + string(hex[key[i]>>4]) + string(hex[key[i]&15]))
	}
	return out.String()
}

// TestAnObjectIsNamedInEachWay: whatever a key holds, a pattern names it as the store has
// it, as outputs show it, and in any percent-encoding; and not another one.
func TestAnObjectIsNamedInEachWay(t *testing.T) {
	n := names(t)
	written := func(key string) (Written, string) {
		o := pipeline.Object{Object: connectors.Object{Ref: connectors.Ref{Store: "lake", Key: key}}, Dataset: -1}
		shown := n.Shown(&o)
		return n.Written("lake", key, shown), shown
	}
	for _, c := range strange {
		it, shown := written(c[0])
		other, _ := written(c[1])
		ways := map[string]string{
			"as it is": "s3://acme-lake/" + c[0], "as outputs show it": shown, "path-escaped": "s3://acme-lake/" + Escape(c[0]),
			"query-escaped": "s3://acme-lake/" + strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(c[0]), "+", "%20"), "%2F", "/"), "each byte encoded": "s3://acme-lake/" + everyByte(c[0]),
		}
		for way, pattern := range ways {
			g := NewGlob(pattern)
			if !g.Match(it) {
				t.Errorf("%q %s: %q does not name it", c[0], way, pattern)
			}
			if way != "as outputs show it" && g.Match(other) { // which hides whom keys name
				t.Errorf("%q %s: %q names %q, too", c[0], way, pattern, c[1])
			}
		}
	}
}

func TestStars(t *testing.T) {
	n := names(t)
	for _, c := range []struct {
		pattern, key string
		want         bool
	}{
		{"a/*", "a/b c", true}, {"a/*", "a/b/c", false}, {"a/**", "a/b/c", true}, {"a/**", "a/", true}, {"**", "a/b", true},
		{"a/*c", "a/b c", true}, {"a/**/c", "a/b/b/c", true}, {"a/**/c", "a/c", false}, {"a/***c", "a/b/c", true},
		{"a/x%2Ay", "a/x*y", true}, {"a/x%2Ay", "a/xzy", false}, {"a/x*y", "a/x*y", true}, {"a/b%20*", "a/b c", true}, {"a/b%3A*", "a/b%3Ac", true},
	} {
		g := NewGlob("s3://acme-lake/" + c.pattern)
		if got := g.Match(n.Written("lake", c.key, "s3://acme-lake/"+Escape(c.key))); got != c.want {
			t.Errorf("%s names %s: %v", c.pattern, c.key, got)
		}
	}
}

// A pattern that cannot stand in clear is sealed, and its seal outlives a rotation.
func TestSealedPattern(t *testing.T) {
	older, newer := []byte("0123456789abcdef0123456789abcdef"), []byte("fedcba9876543210fedcba9876543210")
	before, err := seal.Open(older)
	if err != nil {
		t.Fatal(err)
	}
	pattern, shown := "s3://acme-lake/calls/+14045550123.mp3", "s3://acme-lake/calls/{phone}.mp3"
	if s := SealPattern(before, shown, shown); s != "" {
		t.Errorf("what is shown is sealed, too: %q", s)
	}
	sealed := SealPattern(before, pattern, shown)
	both, err := seal.Open(newer, older)
	if err != nil {
		t.Fatal(err)
	}
	renewed, err := RenewPattern(both.Rotation(), sealed)
	if err != nil || renewed == sealed {
		t.Fatalf("%v", err)
	}
	after, err := seal.Open(newer)
	if err != nil {
		t.Fatal(err)
	}
	g, err := OpenPattern(after, shown, renewed)
	if err != nil || !g.Match(Written{pattern, shown}) || g.Match(Written{shown}) {
		t.Errorf("the pattern was lost: %v", err)
	}
	if _, err := OpenPattern(after, shown, sealed); err == nil {
		t.Error("it opened without its key")
	}
}
