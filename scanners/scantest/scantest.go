// Package scantest holds the laws that every Scanner keeps, as tests. It knows no
// format: whoever runs it brings objects and the truth about them, written down by
// hand or made by another reader than the one under test.
package scantest

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/klauspost/compress/zstd"

	"expunge/scanners"
)

// File is an object and the truth about it.
type File struct {
	Name    string
	Data    []byte // as it is without compression
	Layout  scanners.Layout
	Records []Record
	// Packed says that the format is also read when it is compressed as a whole.
	Packed bool
	// Sealed says that the format itself tells where an object ends, so that a
	// shorter one must be refused though it is all there is.
	Sealed bool
	// Whole says that the object as a whole is its one record, with Index -1, and
	// that only its metadata is read.
	Whole bool
	// Literals are searched for besides what the records' leaves suggest.
	Literals []string
}

// Record is the truth about one record.
type Record struct {
	Offset, Length int64  // -1 where the format has none
	Leaves         []Leaf // all of them, in order
	Keys           []Leaf // what is searched besides: the keys of maps
	Malformed      bool   // then there are no leaves
}

// Leaf is a decoded scalar; "" for null.
type Leaf struct{ Path, Value string }

// Run holds s to all laws on each of files.
func Run(t *testing.T, s scanners.Scanner, files []File) {
	t.Helper()
	if len(files) == 0 {
		t.Fatal("no files")
	}
	for _, file := range files {
		t.Run(file.Name, func(t *testing.T) {
			for _, p := range packings(t, file) {
				t.Run(p.name, func(t *testing.T) {
					l := &law{File: file, s: s, stored: p.data, packed: p.packed}
					t.Run("truth", l.truth)
					t.Run("every", l.every)
					t.Run("fields", l.fields)
					t.Run("parts", l.parts)
					t.Run("truncated", l.truncated)
					t.Run("flipped", l.flipped)
					t.Run("errors", l.errors)
					t.Run("concurrent", l.concurrent)
				})
			}
		})
	}
}

type packing struct {
	name   string
	data   []byte
	packed bool
}

func packings(t *testing.T, f File) []packing {
	all := []packing{{"plain", f.Data, false}}
	if !f.Packed {
		return all
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(f.Data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	z, err := zstd.NewWriter(nil, zstd.WithEncoderCRC(true))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	return append(all, packing{"gzip", b.Bytes(), true}, packing{"zstd", z.EncodeAll(f.Data, nil), true})
}

// law is one object, stored in one way, under test.
type law struct {
	File
	s      scanners.Scanner
	stored []byte
	packed bool
}

// object is a store of one object that can break.
type object struct {
	data  []byte
	size  int64 // as listed
	cause error // of Open or, from broken on, of reading
	from  int64 // where reads fail; < 0: Open fails
	hook  func(off int64)
	open  atomic.Int64 // readers not closed
}

func (o *object) input(name string, layout scanners.Layout) scanners.Input {
	return scanners.Input{Name: name, Size: o.size, Layout: layout, Open: func(ctx context.Context, off, n int64) (io.ReadCloser, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if o.cause != nil && o.from < 0 {
			return nil, o.cause
		}
		off = min(off, int64(len(o.data)))
		end := int64(len(o.data))
		if n >= 0 {
			end = min(end, off+n)
		}
		o.open.Add(1)
		return &body{o: o, ctx: ctx, off: off, end: end}, nil
	}}
}

type body struct {
	o        *object
	ctx      context.Context // of this read only
	off, end int64
	closed   bool
}

func (b *body) Read(p []byte) (int, error) {
	if b.closed {
		return 0, errors.New("read after close")
	}
	if b.o.hook != nil {
		b.o.hook(b.off)
	}
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	end := b.end
	if b.o.cause != nil {
		if b.off >= b.o.from && b.off < b.end {
			return 0, b.o.cause
		}
		end = min(end, b.o.from)
	}
	if b.off >= b.end {
		return 0, io.EOF
	}
	n := copy(p, b.o.data[b.off:min(end, b.off+4096)])
	b.off += int64(n)
	return n, nil
}

func (b *body) Close() error {
	if !b.closed {
		b.closed = true
		b.o.open.Add(-1)
	}
	return nil
}

func (l *law) object() *object { return &object{data: l.stored, size: int64(len(l.stored))} }

// hit is what must be known of an emitted record.
type hit struct {
	Index, Offset, Length int64
	Suspect               bool
	Matches               string // sorted
	Leaves                string
}

// scan runs s on in and keeps what it emits.
func (l *law) scan(t testing.TB, o *object, in scanners.Input, f scanners.Finder) ([]hit, scanners.Stats, error) {
	t.Helper()
	var hits []hit
	stats, err := l.s.Scan(context.Background(), in, f, func(r *scanners.Record) error {
		hits = append(hits, l.check(t, r, in))
		return nil
	})
	if n := o.open.Load(); n != 0 {
		t.Errorf("%d readers were not closed", n)
	}
	if ref := (*scanners.Refusal)(nil); err != nil && (!errors.As(err, &ref) || ref.Name != in.Name || ref.Err == nil) {
		t.Errorf("error is no refusal of %s: %v", in.Name, err)
	}
	return hits, stats, err
}

// check tests what an emitted record says of itself.
func (l *law) check(t testing.TB, r *scanners.Record, in scanners.Input) hit {
	t.Helper()
	h := hit{Index: r.Index, Offset: r.Offset, Length: r.Length, Suspect: r.Suspect, Matches: matches(r.Matches)}
	if r.Suspect {
		if r.Doc != nil || r.Leaves != nil {
			t.Errorf("record %d is suspect and has a doc or leaves", r.Index)
		}
		return h
	}
	var doc map[string]any
	if err := json.Unmarshal(r.Doc, &doc); err != nil {
		t.Errorf("record %d: doc is no JSON object: %v", r.Index, err)
	}
	if len(r.Matches) == 0 && !in.Every {
		t.Errorf("record %d was emitted without a match", r.Index)
	}
	var leaves []string
	for _, leaf := range r.Leaves {
		leaves = append(leaves, fmt.Sprintf("%s=%q", leaf.Path, leaf.Value))
	}
	h.Leaves = strings.Join(leaves, " ")
	return h
}

func matches(all []scanners.Match) string {
	var s []string
	for _, m := range all {
		s = append(s, fmt.Sprintf("%s:%d", m.Path, m.Needle))
	}
	slices.Sort(s)
	return strings.Join(slices.Compact(s), " ")
}

// want is what a full parse finds with f, taken from the truth.
func (l *law) want(f *Finder, every bool) []hit {
	var hits []hit
	for i, r := range l.Records {
		h := hit{Index: int64(i), Offset: r.Offset, Length: r.Length, Suspect: r.Malformed}
		if l.Whole {
			h.Index = -1
		}
		var found []scanners.Match
		if r.Malformed {
			// How a malformed record is searched is the scanner's; that it is not lost
			// is checked on literals only.
			raw := l.Data[r.Offset : r.Offset+r.Length]
			if found = f.Find(nil, "", raw); len(found) > 0 || every {
				hits = append(hits, h)
			}
			continue
		}
		var leaves []string
		for _, leaf := range r.Leaves {
			found = f.Find(found, leaf.Path, []byte(leaf.Value))
			leaves = append(leaves, fmt.Sprintf("%s=%q", leaf.Path, leaf.Value))
		}
		for _, key := range r.Keys {
			found = f.Find(found, key.Path, []byte(key.Value))
		}
		if len(found) > 0 || every {
			h.Matches, h.Leaves = matches(found), strings.Join(leaves, " ")
			hits = append(hits, h)
		}
	}
	return hits
}

// same compares hits, leaving aside what a malformed record's matches look like.
func same(t testing.TB, what string, got, want []hit) {
	t.Helper()
	for i := range got {
		if got[i].Suspect {
			got[i].Matches = ""
		}
	}
	if slices.Equal(got, want) {
		return
	}
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("%s: %d records, want %d; missing %+v", what, len(got), len(want), want[i])
		case i >= len(want):
			t.Errorf("%s: %d records, want %d; too much %+v", what, len(got), len(want), got[i])
		case got[i] != want[i]:
			t.Errorf("%s: record\n got %+v\nwant %+v", what, got[i], want[i])
		default:
			continue
		}
		return
	}
}

// literals are strings to look for: leaves of the first, the last and other
// records, some at a time.
func (l *law) literals() [][]string {
	sets := [][]string{nil, {"no such literal"}}
	var all []string
	for i, r := range l.Records {
		if i > 4 && i < len(l.Records)-2 && i%(1+len(l.Records)/8) != 0 {
			continue
		}
		for _, leaf := range r.Leaves {
			if len(leaf.Value) >= 4 && len(leaf.Value) < 200 && !strings.ContainsAny(leaf.Value, "\"\n\r\x00") {
				all = append(all, leaf.Value)
			}
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	step := 1 + len(all)/12
	for i := 0; i < len(all); i += step {
		sets = append(sets, []string{all[i]})
	}
	for _, s := range l.Literals {
		sets = append(sets, []string{s})
	}
	return append(sets, append(all, l.Literals...))
}

// most are the literals that together find most.
func (l *law) most() []string { sets := l.literals(); return sets[len(sets)-1] }
