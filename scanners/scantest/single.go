package scantest

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"expunge/scanners"
)

// Single is a smaller Finder, for documents that a test writes by hand: it wants
// one literal wherever it stands and one value of some fields, and notes the
// boundaries. Escapes, doubled quotes and exponents make their record a candidate.
type Single struct {
	Needle string   // "": none
	Paths  []string // of the fields
	Value  string   // that they are asked for

	Edges, Counts []int64 // by call of Boundary: offsets, and records before them
}

// Probe implements scanners.Finder.
func (f *Single) Probe(at []int, raw []byte) []int {
	for i := range raw {
		if f.Needle != "" && bytes.HasPrefix(raw[i:], []byte(f.Needle)) || raw[i] == '\\' || raw[i] == '"' && i+1 < len(raw) && raw[i+1] == '"' || raw[i] == 'E' {
			at = append(at, i)
		}
	}
	return at
}

// Fields implements scanners.Finder.
func (f *Single) Fields() []string { return f.Paths }

// ProbeField implements scanners.Finder.
func (f *Single) ProbeField(_ int, value []byte) bool { return string(value) == f.Value }

// Boundary implements scanners.Finder.
func (f *Single) Boundary(off int64, _ int, record int64) {
	f.Edges, f.Counts = append(f.Edges, off), append(f.Counts, record)
}

// Find implements scanners.Finder.
func (f *Single) Find(dst []scanners.Match, path string, value []byte) []scanners.Match {
	if f.Needle != "" && bytes.Contains(value, []byte(f.Needle)) || slices.Contains(f.Paths, path) && string(value) == f.Value {
		dst = append(dst, scanners.Match{Path: path})
	}
	return dst
}

// Found is what a scan of doc with f emitted, in a form to compare: for each record
// its index, the paths of its matches and whether it is suspect; and its document.
func (f *Single) Found(t testing.TB, s scanners.Scanner, in scanners.Input, doc string) (out, docs []string, stats scanners.Stats, err error) {
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

// Idle is a Finder that wants nothing, for benchmarks of what scanners do by
// themselves.
type Idle struct {
	scanners.Nothing
	Paths []string // of fields whose values it is to be given
}

// Fields implements scanners.Finder.
func (f Idle) Fields() []string { return f.Paths }

// Bench measures a scan of doc that finds nothing.
func Bench(b *testing.B, s scanners.Scanner, doc string, paths ...string) {
	in := Text(doc)
	b.SetBytes(in.Size)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Scan(b.Context(), in, Idle{Paths: paths}, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// Text is an object that holds doc.
func Text(doc string) scanners.Input {
	return scanners.Input{Name: "o", Size: int64(len(doc)), Open: func(_ context.Context, off, n int64) (io.ReadCloser, error) {
		if n < 0 {
			n = int64(len(doc)) - off
		}
		return io.NopCloser(io.NewSectionReader(strings.NewReader(doc), off, n)), nil
	}}
}
