package csv

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strconv"
	"testing"

	"expunge/scanners"
)

// finder wants a literal wherever it stands, and some values of declared fields.
type finder struct {
	needle string
	fields []string
	value  string
	edges  []int64
	counts []int64
	raw    bytes.Buffer
}

func (f *finder) Probe(at []int, raw []byte) []int {
	f.raw.Write(raw)
	for i := range raw {
		if f.needle != "" && bytes.HasPrefix(raw[i:], []byte(f.needle)) || raw[i] == '\\' || raw[i] == '"' && i+1 < len(raw) && raw[i+1] == '"' || raw[i] == 'E' {
			at = append(at, i)
		}
	}
	return at
}
func (f *finder) Fields() []string                    { return f.fields }
func (f *finder) ProbeField(_ int, value []byte) bool { return string(value) == f.value }
func (f *finder) Boundary(off int64, _ int, record int64) {
	f.edges, f.counts = append(f.edges, off), append(f.counts, record)
}
func (f *finder) Find(dst []scanners.Match, path string, value []byte) []scanners.Match {
	if f.needle != "" && bytes.Contains(value, []byte(f.needle)) || slices.Contains(f.fields, path) && string(value) == f.value {
		dst = append(dst, scanners.Match{Path: path})
	}
	return dst
}

func input(doc string) scanners.Input {
	return scanners.Input{Name: "o", Size: int64(len(doc)), Open: func(_ context.Context, off, n int64) (io.ReadCloser, error) {
		if n < 0 {
			n = int64(len(doc)) - off
		}
		return io.NopCloser(io.NewSectionReader(bytes.NewReader([]byte(doc)), off, n)), nil
	}}
}

// found is what a scan emitted, in a form to compare: index, raw, paths of matches.
func found(t testing.TB, s scanners.Scanner, in scanners.Input, doc string, f *finder) (out []string, docs []string, stats scanners.Stats, err error) {
	t.Helper()
	stats, err = s.Scan(t.Context(), in, f, func(r *scanners.Record) error {
		if got := doc[r.Offset : r.Offset+r.Length]; got != string(r.Raw) || len(r.Matches) == 0 || (r.Doc == nil) != r.Suspect || r.Group != -1 {
			t.Errorf("record %d: %d bytes at %d, %d of Raw, %d matches, suspect %v", r.Index, r.Length, r.Offset, len(r.Raw), len(r.Matches), r.Suspect)
		}
		line := strconv.FormatInt(r.Index, 10)
		for _, m := range r.Matches {
			line += " " + m.Path
		}
		if r.Suspect {
			line += " suspect"
		}
		out = append(out, line)
		docs = append(docs, string(r.Doc))
		return nil
	})
	return out, docs, stats, err
}
