package text

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"expunge/scanners"
	"expunge/scanners/scantest"
)

const captions = "WEBVTT - call of +14045550123\nKind: captions\n\nNOTE by jane@example.com\n\n1\n00:00:01.000 --> 00:00:04.000 align:start 140455501\n" +
	"<v Jane>My number is 14045550142\nand more of it\n\n2\n00:05.000 --> 00:07.000\nThanks, 140 455 501 99.\n\n"

func masked(was, is scanners.Leaf) bool {
	return string(is.Value) == scanners.Redacted || string(is.Value) == "WEBVTT" || bytes.Contains(is.Value, []byte("-->")) && !bytes.Contains(is.Value, []byte("align"))
}

func TestRewriteLaws(t *testing.T) {
	var log strings.Builder
	for i := range 60 {
		fmt.Fprintf(&log, "2026-11-20 call %d from +1404555%04d caf\u00e9\xff\n", i, 100+i%40)
	}
	scantest.RunRewriter(t, Scanner{}, []scantest.Copied{
		{Name: "empty", Packed: true, Lines: true, Empty: masked},
		{Name: "log", Data: []byte(log.String()), Packed: true, Lines: true, Empty: masked},
		{Name: "mixed", Data: []byte("\xef\xbb\xbffirst of jane@example.com\r\n\r\n  \nsame line\nsame line\n\x00 2145550199\rx\r\r\nlast"), Packed: true, Lines: true, Empty: masked},
		{Name: "captions", Data: []byte("\xef\xbb\xbf" + captions), Packed: true, Lines: true, Empty: masked, Kept: true, Bound: []int64{0, 4, 8}},
	})
}

func rewritten(t testing.TB, doc string, edits ...scanners.Edit) (string, error) {
	t.Helper()
	var spool bytes.Buffer
	in := scanners.Input{Name: "o", Size: int64(len(doc)), Open: func(context.Context, int64, int64) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(doc)), nil
	}}
	out, err := Scanner{}.Rewrite(context.Background(), in, edits, &spool, func(*scanners.Record) error { return nil })
	if err != nil {
		return "", err
	}
	return string(scantest.Lay(t, out.Pieces, []byte(doc), spool.Bytes())), nil
}

func TestRedact(t *testing.T) {
	digits := func(_ string, text []byte) (spans []scanners.Span, ok bool) {
		i, j := bytes.IndexAny(text, "0123456789"), bytes.LastIndexAny(text, "0123456789")
		return []scanners.Span{{Start: i, End: j + 1}}, i >= 0
	}
	for _, c := range []struct {
		doc, want string
		edit      scanners.Edit
	}{
		{"a\r\nmy number\r\nb", "a\r\n[redacted]\r\nb", scanners.Edit{Record: 1, Redact: true}},
		{"a\nmy number\n", "a\nmy number\n", scanners.Edit{Record: 1, Redact: true, Keep: []string{"line"}}},
		{"call 404 555-0123 now\n", "call [redacted] now\n", scanners.Edit{Redact: true, Spans: digits}},
		{"call me now\n", "[redacted]\n", scanners.Edit{Redact: true, Spans: digits}},
		{"\xef\xbb\xbfcall 404\nx", "\xef\xbb\xbfcall [redacted]\nx", scanners.Edit{Redact: true, Spans: digits}},
		{"WEBVTT of Jane\n\nx\n", "WEBVTT\n\nx\n", scanners.Edit{Redact: true}},
		{"WEBVTT 404\n\nx\n", "WEBVTT [redacted]\n\nx\n", scanners.Edit{Redact: true, Spans: digits}},
		{"WEBVTTs\nx\n", "[redacted]\nx\n", scanners.Edit{Redact: true}},
		{"1\n00:01:02,500 --> 00:01:04,000 Jane\nhello\n", "1\n00:01:02,500 --> 00:01:04,000\nhello\n", scanners.Edit{Record: 1, Redact: true}},
		{"1\n01:02.500 --> 01:04.000\nhello\n", "1\n01:02.500 --> 01:04.000\nhello\n", scanners.Edit{Record: 1, Redact: true, Spans: digits}},
	} {
		if got, err := rewritten(t, c.doc, c.edit); err != nil || got != c.want {
			t.Errorf("%q: %q, %v; want %q", c.doc, got, err, c.want)
		}
	}
}

// A caption goes as a whole, or only its text does.
func TestCaptions(t *testing.T) {
	gone := func(lines ...int64) (edits []scanners.Edit) {
		for _, n := range lines {
			edits = append(edits, scanners.Edit{Record: n})
		}
		return edits
	}
	for _, c := range []struct {
		lines   []int64
		refused bool
	}{
		{[]int64{2}, false}, {[]int64{5, 6}, false}, {[]int64{5}, false}, {[]int64{3, 4, 5, 6}, false}, {[]int64{4, 5, 6}, false}, {[]int64{8, 9}, false},
		{[]int64{0}, true}, {[]int64{4}, true}, {[]int64{4, 5}, true}, {[]int64{4, 6}, true}, {[]int64{8}, true}, {[]int64{1, 2, 3}, false},
	} {
		got, err := rewritten(t, captions, gone(c.lines...)...)
		ref := (*scanners.Refusal)(nil)
		if refused := errors.As(err, &ref) && ref.Code == scanners.Unsupported; refused != c.refused || err != nil && !refused || err == nil && !strings.HasPrefix(got, "WEBVTT") {
			t.Errorf("%d: %v", c.lines, err)
		}
	}
	edits := append(gone(4), scanners.Edit{Record: 5, Redact: true})
	if _, err := rewritten(t, captions, edits...); err == nil {
		t.Error("a text without its timing")
	}
}

func FuzzRewrite(f *testing.F) {
	f.Add([]byte(captions), uint64(0x2a45), "line")
	f.Add([]byte("\xef\xbb\xbfa\r\n\r\nb\rc"), uint64(9), "")
	f.Fuzz(func(t *testing.T, doc []byte, bits uint64, keep string) {
		scantest.FuzzRewriter(t, Scanner{}, scantest.Copied{Data: doc, Lines: true, Empty: masked}, bits, keep)
	})
}
