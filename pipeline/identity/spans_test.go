package identity

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"expunge/pipeline"
	"expunge/scanners"
)

var anyone = func(uint32) bool { return true }

// spanNeedles are of kinds that are found in every way.
func spanNeedles(t testing.TB) []Needle {
	return slices.Concat(
		wanted(t, pipeline.Phone, "+12145550142", "+442079460958", "+4722225555"),
		wanted(t, pipeline.Email, "jane@example.com", "jane.doe@gmail.com", "janedoe@gmail.com"),
		wanted(t, pipeline.Device, "6d92078a-8246-4ba4-ae5b-76104861e7dc"),
		wanted(t, pipeline.Visitor, "123456789.1699999999"),
		wanted(t, pipeline.Call, "CA0123456789abcdef0123456789abcdef", "abc12345"),
		wanted(t, pipeline.IP, "203.0.113.7"),
	)
}

// What is cut is the identifier as it is written, and nothing beside it.
func TestSpans(t *testing.T) {
	needles := slices.Concat(spanNeedles(t), wanted(t, pipeline.Name, "Jane Doe"), wanted(t, pipeline.Phone, "+12143569377"))
	fields := append(slices.Clone(caseFields), pipeline.Field{Path: "url", Kind: pipeline.Call, Pattern: regexp.MustCompile(`calls/(?P<id>[^/.]+)`)})
	f := Compile(testKey, "US", needles).Finder(FinderOptions{Search: true, Fields: fields})
	for _, c := range []struct{ path, text, want string }{
		{"body", "nothing is here", "nothing is here"},
		{"body", "call 214-555-0142, please", "call #, please"},
		{"body", "call (214) 555-0142 ext. 12 or jane@example.com.", "call (# or #."},
		{"body", "2145550142", "#"},
		{"body", "+1 214 555 0142 and +1 214 555 0142", "# and #"},
		{"body", "jane%40example.com", "#"},
		{"body", "a jane&#64;example.com b", "a # b"},
		{"body", `domain\nancy abc12345`, `domain\nancy #`},
		{"body", `x\nabc12345 y`, `x\n# y`},
		{"body", "２１４ ５５５ ０１４２ é", "# é"},
		{"body", "https://x.example/?a=%2B12145550142&b=1", "https://x.example/?a=#&b=1"},
		{"body", "from 203.0.113.7 to 203.0.113.8", "from # to 203.0.113.8"},
		{"body", "write to jane at example dot com, please", "write to #, please"},
		{"body", "or to jane@example.com-826724", "or to #-826724"},
		{"body", "dial 1-214-FLOWERS now", "dial # now"},
		{"name", "jane  doe", "#"},
		{"url", "https://x.example/calls/abc12345.mp3", "https://x.example/calls/#.mp3"},
		{"tracking_phone_number", "214-555-0142", "214-555-0142"},
		{"agent_email", "jane@example.com", "jane@example.com"},
	} {
		got := cutOut(c.text, f.Spans(c.path, []byte(c.text), anyone), "#")
		if got != c.want {
			t.Errorf("%s %q: %q, want %q", c.path, c.text, got, c.want)
		}
	}
	only := func(n uint32) bool { return needles[n].Canon.Kind == pipeline.Email }
	text := "214-555-0142 is jane@example.com"
	if got := cutOut(text, f.Spans("body", []byte(text), only), "#"); got != "214-555-0142 is #" {
		t.Errorf("of one needle: %q", got)
	}
}

func TestInWords(t *testing.T) {
	needles := spanNeedles(t)
	f := Compile(testKey, "US", needles).Finder(FinderOptions{Search: true})
	for text, want := range map[string]bool{
		"214-555-0142": false, "214-555-0142-7": false, "or 214-555-0142-7": true, "(214) 555-0142, 214-555-0143": false, "nothing": false,
		"https://x.example/?a=2145550142": false, "call jane@example.com": false, "call 214.555.0142": true,
	} {
		if got := f.InWords("v", []byte(text), 0); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}

// cutOut puts a mark in the place of spans.
func cutOut(text string, spans []scanners.Span, mark string) string {
	var b strings.Builder
	at := 0
	for _, s := range spans {
		b.WriteString(text[at:s.Start] + mark)
		at = s.End
	}
	return b.String() + text[at:]
}

// checkSpans holds the laws of Spans for one leaf; it reports whether there were any.
func checkSpans(t *testing.T, f *Finder, path, leaf string) bool {
	t.Helper()
	spans := f.Spans(path, []byte(leaf), anyone)
	found := f.Find(nil, path, []byte(leaf))
	if (len(spans) > 0) != (len(found) > 0) {
		t.Fatalf("%s %q: spans %v, and Find finds %v", path, leaf, spans, found)
	}
	at := 0
	for i, s := range spans {
		if s.Start < at || i > 0 && s.Start == at || s.End <= s.Start || s.End > len(leaf) {
			t.Fatalf("%s %q: spans %v", path, leaf, spans)
		}
		at = s.End
	}
	left := cutOut(leaf, spans, scanners.Redacted)
	if again := f.Find(nil, path, []byte(left)); len(again) > 0 {
		t.Fatalf("%s %q: what is left is %q, in which Find finds %v", path, leaf, left, again)
	}
	return len(spans) > 0
}

func TestSpansLeaveNothing(t *testing.T) {
	f := Compile(testKey, "US", spanNeedles(t)).Finder(FinderOptions{Search: true, Fields: caseFields})
	r := rand.New(rand.NewPCG(5, 6))
	cut := 0
	for range 60_000 {
		for _, path := range []string{"v", "body", "call_sid"} {
			if checkSpans(t, f, path, randomLeaf(r)) {
				cut++
			}
		}
	}
	if cut < 1000 {
		t.Fatalf("only %d leaves were cut: the test says little", cut)
	}
}

func FuzzSpans(f *testing.F) {
	for _, s := range lawSeeds {
		f.Add(s)
	}
	finder := Compile(testKey, "US", spanNeedles(f)).Finder(FinderOptions{Search: true, Fields: caseFields})
	f.Fuzz(func(t *testing.T, leaf string) {
		if len(leaf) < 4096 {
			checkSpans(t, finder, "v", leaf)
			checkSpans(t, finder, "body", leaf)
		}
	})
}
