package identity

import (
	"bytes"
	"slices"
	"unicode"

	"expunge/pipeline"
	"expunge/scanners"
)

// maxCuts is how often a text is looked at again after something was cut out of it:
// what stands beside an identifier can hide another.
const maxCuts = 8

// Spans returns where in one decoded leaf the needles of wanted are, ascending and
// disjoint; none where Find finds none of them. With scanners.Redacted in the place of
// each, Find finds none of them in what is left. Numbers come as Find takes them.
func (f *Finder) Spans(path string, value []byte, wanted func(needle uint32) bool) []scanners.Span {
	d, asked := f.asked(path)
	if !asked {
		return nil
	}
	var cut, fresh []scanners.Span
	f.spot = func(needle uint32, at scanners.Span) {
		if wanted(needle) {
			fresh = append(fresh, at)
		}
	}
	collect := f.t.collect
	f.t.collect = nil // what is cut is no text of the lake
	defer func() { f.spot, f.t.collect = nil, collect }()
	text := value
	for range maxCuts {
		fresh = fresh[:0]
		f.find(nil, d, path, text)
		if len(fresh) == 0 {
			return cut
		}
		cut = union(cut, fresh, len(value))
		text = without(value, cut)
	}
	return []scanners.Span{{Start: 0, End: len(value)}}
}

// InWords reports whether a needle stands among words in one decoded leaf, and not by
// itself, in a list or in a URL.
func (f *Finder) InWords(path string, value []byte, needle uint32) bool {
	spans := f.Spans(path, value, func(n uint32) bool { return n == needle })
	return len(spans) > 0 && !isURL(value) && bytes.ContainsFunc(bytes.ReplaceAll(without(value, spans), []byte(scanners.Redacted), nil), unicode.IsLetter)
}

// union adds spans of the text that cut leaves of n bytes to cut.
func union(cut, fresh []scanners.Span, n int) []scanners.Span {
	all := slices.Clone(cut)
	for _, s := range fresh {
		all = append(all, scanners.Span{Start: before(cut, s.Start, false), End: min(before(cut, s.End, true), n)})
	}
	slices.SortFunc(all, func(a, b scanners.Span) int { return a.Start - b.Start })
	out := all[:1]
	for _, s := range all[1:] {
		if last := &out[len(out)-1]; s.Start <= last.End {
			last.End = max(last.End, s.End)
			continue
		}
		out = append(out, s)
	}
	return out
}

// before is where a place in the text that cut leaves was before. In a mark, it is where
// that begins, or its end.
func before(cut []scanners.Span, at int, end bool) int {
	shift := 0 // of what stands behind the marks so far
	for _, c := range cut {
		mark := c.Start - shift
		switch {
		case at <= mark && (end || at < mark):
			return at + shift
		case at < mark+len(scanners.Redacted) || end && at == mark+len(scanners.Redacted):
			if end {
				return c.End
			}
			return c.Start
		}
		shift += c.End - c.Start - len(scanners.Redacted)
	}
	return at + shift
}

// without is a text with the mark in the place of spans.
func without(text []byte, spans []scanners.Span) []byte {
	var out []byte
	at := 0
	for _, s := range spans {
		out = append(append(out, text[at:s.Start]...), scanners.Redacted...)
		at = s.End
	}
	return append(out, text[at:]...)
}

// idSpan is where the identifier of a declared field is in its value.
func idSpan(d *pipeline.Field, value []byte) scanners.Span {
	if d.Pattern != nil {
		if m, k := d.Pattern.FindSubmatchIndex(value), d.Pattern.SubexpIndex("id"); m != nil && m[2*k] < m[2*k+1] {
			return scanners.Span{Start: m[2*k], End: m[2*k+1]}
		}
	}
	return scanners.Span{Start: 0, End: len(value)}
}
