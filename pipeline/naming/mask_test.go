package naming

import (
	"testing"

	"expunge/connectors"
	"expunge/pipeline"
)

func TestMask(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"calls", "calls"},
		{"+14045550123", "{phone}"},
		{"4045550123.mp3", "{phone}.mp3"},
		{"call4045550123", "call{phone}"},
		{"(404) 555-0123 notes", "{phone} notes"},
		{"404-555-0123", "{phone}"},
		{"404.555.0123.wav", "{phone}.wav"},
		{"+44 20 7946 0958", "{phone}"},
		{"+5550123", "{phone}"},
		{"%2B14045550123", "{phone}"},
		{"404%20555%200123", "{phone}"},
		{"20260102_4045550123", "20260102_{phone}"},
		{"2026-01-02 404-555-0123", "2026-01-02 {phone}"},
		{"2026-01-02-13-05", "2026-01-02-13-05"},
		{"20260102150405", "20260102150405"},
		{"20260102", "20260102"},
		{"20261302150405", "{phone}"}, // no date
		{"part-00000-of-00128", "part-00000-of-00128"},
		{"12345678901234567890", "12345678901234567890"}, // too long
		{"v1.2.3", "v1.2.3"},
		{"550e8400-e29b-41d4-a716-446655440000", "550e8400-e29b-41d4-a716-446655440000"},
		{"da39a3ee5e6b4b0d3255bfef95601890afd80709", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
		{"jane@example.com", "{email}"},
		{"jane%40example.com", "{email}"},
		{`list "drop/jane@example.com/x": denied`, `list "drop/{email}/x": denied`},
		{`open /lake/+14045550123/x: permission denied`, `open /lake/{phone}/x: permission denied`},
	} {
		if got := Mask(c.text); got != c.want {
			t.Errorf("%q is masked as %q, want %q", c.text, got, c.want)
		}
	}
}

func TestUndeclaredKeysAreMasked(t *testing.T) {
	n := names(t)
	for _, c := range []struct {
		key     string
		dataset int
		shown   string
		first   string
	}{
		{"in box/+1 404 555 0123/a.csv", -1, "in%20box/{phone}/a.csv", "lake/in%20box"},
		{"+14045550123/a b.csv", -1, "{phone}/a%20b.csv", "lake/{phone}"},
		{"%2B1%20404%20555%200123", -1, "{phone}", "lake/{phone}"},
		{"note to 404-555-0123 b/x", -1, "note%20to%20{phone}%20b/x", "lake/note%20to%20{phone}%20b"},
		{"a%20b/x", -1, "a%20b/x", "lake/a%2520b"},                                    // nothing to hide: as URLs have it
		{"recordings/4045550123.mp3", 0, "recordings/{phone}.mp3", "lake/recordings"}, // its dataset has not said what it is
	} {
		o := pipeline.Object{Object: connectors.Object{Ref: connectors.Ref{Store: "lake", Key: c.key}}, Dataset: c.dataset}
		want := "s3://acme-lake/" + c.shown
		ref := n.Ref(&o)
		if c.key == "a%20b/x" {
			want = "s3://acme-lake/" + Escape(c.key)
		}
		if ref.Shown != want {
			t.Errorf("%q is shown as %q, want %q", c.key, ref.Shown, want)
		}
		if hidden := ref.Shown != ref.URL; ref.Identifying != hidden {
			t.Errorf("%q: identifying %v", c.key, ref.Identifying)
		}
		if got := First("lake", c.key); got != c.first {
			t.Errorf("%q: the first segment is shown as %q, want %q", c.key, got, c.first)
		}
	}
}

// Whatever is in a key, no run of ten to fifteen digits that could be a number
// stands in what is shown.
func FuzzMask(f *testing.F) {
	for _, s := range []string{"+14045550123", "a(404)5550123b", "%2B14045550123", "2026-01-02_404-555-0123", "jane@example.com/4045550123", "20260102150405", "a1b2c3d4e5f60123456789", "\xff4045550123"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		masked := Mask(s)
		for _, at := range digits.FindAllStringIndex(masked, -1) {
			n := at[1] - at[0]
			if n >= 10 && n <= 15 && !stamp(masked[at[0]:at[1]]) && !inHex(masked, at[0], at[1]) {
				t.Errorf("%q is masked as %q", s, masked)
			}
		}
	})
}

func TestField(t *testing.T) {
	for path, want := range map[string]string{
		"visitor.ids[].value": "visitor.ids[].value", "@timestamp": "@timestamp", "a.@attributes.phone": "a.@attributes.phone",
		"+14045550123.e": "{phone}.e", "m.jane.doe@example.com": "{email}", "m[].jane@example.com": "m[].{email}", "calls.4045550123": "calls.{phone}",
		`row group 0 column "jane.doe+tag@example.com": cut`: `row group 0 column "{email}": cut`, "utm_2026": "utm_2026", "by_day.2026-11-20": "by_day.2026-11-20",
	} {
		if got := Field(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
