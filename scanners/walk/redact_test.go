package walk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"expunge/scanners"
)

func TestKeeps(t *testing.T) {
	for _, c := range []struct {
		keep, steps string // steps: keys, or [] for items
		whole       bool
		below       int
	}{
		{"a", "a", true, 0}, {"a", "b", false, 0}, {"a", "ab", false, 0}, {"ab", "a", false, 0}, {"a.b", "a", false, 1}, {"a.b", "a b", true, 0}, {"a.b", "a.b", true, 0},
		{"a[]", "a", false, 1}, {"a[]", "a []", true, 1}, {"a[].b", "a [] b", true, 0}, {"a{}", "a", false, 1}, {"a{}", "a x", true, 0}, {"a.{}.c", "a x.y c", true, 0},
		{"{}", "x", true, 0}, {"{}.b", "x b", true, 0}, {"a{}", "a []", false, 0}, {"", "a", false, 0}, {"a[]", "a[]", true, 0},
		{"a", "a.b", true, 0}, {"a", "a[0]", true, 0}, {"a.b", "a.b.c", true, 0}, {"a.b.c", "a.b", false, 1}, {"a.b.c", "a b.c", true, 0}, {"a{}.c", "a.x", false, 1},
		{"a{}.c", "a.x.c", true, 1}, {"a{}.c", "a x.c.d", true, 1}, {"{}.c", "x.y.c", true, 1}, {"{}.c", "x.y", false, 1},
	} {
		k, whole := KeepsOf(&scanners.Edit{Keep: []string{c.keep}}), false
		for _, step := range strings.Fields(c.steps) {
			if step == "[]" {
				k, whole = k.Items()
			} else {
				k, whole = k.Under(step)
			}
		}
		if whole != c.whole || len(k) != c.below {
			t.Errorf("%q after %q: %q, %v", c.keep, c.steps, k, whole)
		}
	}
}

// A redacted document has the leaves that it had, null but for those that are
// kept, and is the same text but for them; without cuts, where all is kept.
func FuzzRedact(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.50,1e3,"x\u00e9",{"b":null}],"a":true}`, `{"p":"{\"a\":[\"{\\\"b\\\":1}\"]}"}`, `[[],{}," {} ","[1]"]`,
		`"\ud83d\ude00\ud800"`, `-0.0e-5`, "{\"\xff\":\"\xfe\\n\"}", `{"":{"":""}}`, `"{\"a\":1`, ` {"a" : 1 } `, `{"q":"[\"\\ud83d\\ude00\",\"\\\"\"]"}`} {
		f.Add([]byte(s), uint64(1), "r.a")
	}
	f.Fuzz(func(t *testing.T, doc []byte, pick uint64, keep string) {
		var w Walker
		var r Redactor
		leaves, err := w.Leaves(doc, "r")
		if err != nil {
			if _, again := r.JSON(doc, "r", &scanners.Edit{}); again != err {
				t.Fatalf("%s: walk says %v, redact %v", doc, err, again)
			}
			return
		}
		was := values(slices.Clone(leaves))
		for i := range was {
			was[i].Value = bytes.Clone(was[i].Value)
		}
		for n, edit := range []scanners.Edit{{}, {Keep: []string{"r"}}, {Keep: []string{keep}}, {Keep: []string{""}}} {
			if len(was) == 0 {
				break
			}
			if n == 3 {
				edit.Keep[0] = was[pick%uint64(len(was))].Path
			}
			cuts, err := r.JSON(doc, "r", &edit)
			if err != nil {
				t.Fatal(err)
			}
			at := 0
			for _, c := range cuts {
				if c.Start < at || c.End <= c.Start || c.End > len(doc) || c.With != "null" {
					t.Fatalf("%s: cuts %v", doc, cuts)
				}
				at = c.End
			}
			out := Apply(nil, doc, cuts)
			var again Walker
			is, err := again.Leaves(out, "r")
			if is = values(is); err != nil || len(is) != len(was) || json.Valid(doc) && !json.Valid(out) {
				t.Fatalf("%q became %q: %d leaves, %d; %v", doc, out, len(was), len(is), err)
			}
			for i, l := range was {
				empty := is[i].Kind == Null
				same := is[i].Kind == l.Kind && bytes.Equal(is[i].Value, l.Value)
				if is[i].Path != l.Path || n == 0 && !empty || n == 1 && !same || !empty && !same || edit.Keeps(l.Path) && !same {
					t.Fatalf("%q but %q became %q", doc, edit.Keep, out)
				}
			}
		}
	})
}

// Spans cut what they name out of the decoded text, wherever escapes stand, and
// whole characters only.
func FuzzRedactSpans(f *testing.F) {
	f.Add("call Jane\u00e9 \U0001F600 now \"x\" \\ \n", uint8(5), uint8(4), false)
	f.Add("\U0001F600\U0001F600", uint8(1), uint8(4), true)
	f.Add("ab<>&c\x7f\t", uint8(1), uint8(2), true)
	f.Fuzz(func(t *testing.T, text string, at, n uint8, ascii bool) {
		if !utf8.ValidString(text) || strings.ContainsRune(text, utf8.RuneError) || strings.ContainsAny(text, "[{") {
			return
		}
		start := min(int(at), len(text))
		end := min(start+int(n), len(text))
		for start > 0 && start < len(text) && !utf8.RuneStart(text[start]) {
			start--
		}
		for end < len(text) && !utf8.RuneStart(text[end]) {
			end++
		}
		raw, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		if ascii { // every character an escape
			var b strings.Builder
			for _, u := range utf16.Encode([]rune(text)) {
				fmt.Fprintf(&b, `\u%04x`, u)
			}
			raw = []byte(`"` + b.String() + `"`)
		}
		want := text[:start] + scanners.Redacted + text[end:]
		if start == end {
			want = text
		}
		doc := `{"k":` + string(raw) + `}`
		for range 3 { // and as JSON in a string, in a string
			var r Redactor
			cuts, err := r.JSON([]byte(doc), "", &scanners.Edit{Redact: true, Spans: func(path string, s []byte) ([]scanners.Span, bool) {
				return []scanners.Span{{Start: start, End: end}}, string(s) == text && !strings.HasSuffix(path, "{}")
			}})
			if err != nil {
				t.Fatal(err)
			}
			var w Walker
			leaves, err := w.Leaves(Apply(nil, []byte(doc), cuts), "")
			if err != nil {
				t.Fatal(err)
			}
			if got := values(leaves); len(got) != 1 || string(got[0].Value) != want {
				t.Fatalf("%s: %q without %d:%d is %s, want %q", doc, text, start, end, show(got), want)
			}
			nested, err := json.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			doc = `{"p":` + string(nested) + `}`
		}
	})
}
