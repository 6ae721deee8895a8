package scantest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	stdgzip "compress/gzip"

	"github.com/klauspost/compress/zstd"

	"expunge/scanners"
	"expunge/scanners/compress"
)

// Copied is an object that is to be rewritten.
type Copied struct {
	Name   string
	Data   []byte
	Layout scanners.Layout
	// Packed says that the format is also read when it is compressed as a whole.
	Packed bool
	// Lines says that a record goes with the line end behind it, and all other
	// bytes stay as they are.
	Lines bool
	// Gone is what is left, unpacked, when all records go, where it is not what
	// Lines says; Kept says that the last record cannot go: it is Unsupported.
	Gone string
	Kept bool
	// Empty reports whether a leaf is as empty as it can be; nil: null, or "".
	Empty func(was, is scanners.Leaf) bool
	// Stays is what stays in the object whatever becomes of its records.
	Stays string
	// Structure are paths whose leaves stay in every record.
	Structure []string
	// Fixed are records that cannot be redacted: MALFORMED.
	Fixed []int64
	// Lazy says that parts without an edit are copied unread: what is wrong in them is
	// for a scan to find.
	Lazy bool
	// Bound are records that cannot be erased by themselves, and of which something
	// stays when they are redacted.
	Bound []int64
}

// RunRewriter holds s to all laws on each of files.
func RunRewriter(t *testing.T, s scanners.Rewriter, files []Copied) {
	t.Helper()
	if len(files) == 0 {
		t.Fatal("no files")
	}
	for _, file := range files {
		t.Run(file.Name, func(t *testing.T) {
			for _, p := range copyPackings(t, file) {
				t.Run(p.name, func(t *testing.T) {
					c := &copies{Copied: file, s: s, stored: p.data, packed: p.packed}
					c.all, _ = c.scan(t, c.stored)
					t.Run("nothing", c.nothing)
					t.Run("everything", c.everything)
					t.Run("random", c.random)
					t.Run("twice", c.twice)
					t.Run("redact", c.redact)
					t.Run("spans", c.spans)
					t.Run("check", c.checks)
					t.Run("edits", c.edits)
					t.Run("errors", c.errors)
					t.Run("damaged", c.damaged)
				})
			}
		})
	}
}

// copyPackings packs the object in one member, and in several that cut records.
func copyPackings(t *testing.T, f Copied) []packing {
	all := []packing{{"plain", f.Data, false}}
	if !f.Packed {
		return all
	}
	for _, members := range []int{1, 5} {
		var g bytes.Buffer
		var z []byte
		for part := range slices.Chunk(f.Data, max(1, (len(f.Data)+members-1)/members)) {
			g.Write(Gzip(t, part))
			z = append(z, Zstd(t, part)...)
		}
		if len(f.Data) == 0 {
			g.Write(Gzip(t, nil))
			z = Zstd(t, nil)
		}
		all = append(all, packing{fmt.Sprintf("gzip of %d", members), g.Bytes(), true}, packing{fmt.Sprintf("zstd of %d", members), z, true})
	}
	return all
}

// Gzip packs data in one member.
func Gzip(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := stdgzip.NewWriter(&b)
	w.Name = "export.of.calls"
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Zstd packs data in one frame.
func Zstd(t testing.TB, data []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil, zstd.WithEncoderCRC(true), zstd.WithZeroFrames(true))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	return z.EncodeAll(data, nil)
}

// copies is one object, stored in one way, whose copies are under test.
type copies struct {
	Copied
	s      scanners.Rewriter
	stored []byte
	packed bool
	all    []copied
	loose  bool // paths are ambiguous: what an edit may keep can stay or go
}

// copied is a record, as a scan of all records emits it.
type copied struct {
	scanners.Record
	raw    string
	leaves string
}

func keepRecord(r *scanners.Record) copied {
	out := copied{Record: *r, raw: string(r.Raw)}
	out.Record.Leaves = nil
	for _, l := range r.Leaves {
		value := bytes.Clone(l.Value)
		if l.Value != nil && value == nil {
			value = []byte{}
		}
		out.Record.Leaves = append(out.Record.Leaves, scanners.Leaf{Path: l.Path, Value: value})
	}
	out.leaves = fmt.Sprintf("%q", out.Record.Leaves)
	return out
}

func (c *copies) scan(t testing.TB, data []byte) ([]copied, scanners.Stats) {
	t.Helper()
	o := &object{data: data, size: int64(len(data))}
	in := o.input("o", c.Layout)
	in.Every = true
	var out []copied
	stats, err := c.s.Scan(context.Background(), in, &Finder{}, func(r *scanners.Record) error {
		if r.Index >= 0 {
			out = append(out, keepRecord(r))
		}
		return nil
	})
	if err != nil {
		t.Fatalf("scan of %d bytes: %v\n%.2000q", len(data), err, c.unpack(t, data))
	}
	return out, stats
}

// unpack returns what was packed.
func (c *copies) unpack(t testing.TB, data []byte) []byte {
	t.Helper()
	if !c.packed {
		return data
	}
	s, _, err := compress.Open(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var out []byte
	for {
		b, err := s.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatalf("unpack %d bytes: %v", len(data), err)
		}
		out = append(out, b...)
	}
}

// rewritten is the outcome of one rewrite.
type rewritten struct {
	scanners.Rewritten
	spool   []byte
	data    []byte
	checked []copied
}

// try rewrites data, and holds what it gets to what is said of pieces and counts.
func (c *copies) try(t testing.TB, data []byte, edits []scanners.Edit) (rewritten, error) {
	t.Helper()
	o := &object{data: data, size: int64(len(data))}
	var out rewritten
	var spool bytes.Buffer
	before := slices.Clone(edits)
	res, err := c.s.Rewrite(context.Background(), o.input("o", c.Layout), edits, &spool, func(r *scanners.Record) error {
		out.checked = append(out.checked, keepRecord(r))
		return nil
	})
	if n := o.open.Load(); n != 0 {
		t.Errorf("%d readers were not closed", n)
	}
	if err != nil {
		if ref := (*scanners.Refusal)(nil); errors.As(err, &ref) && ref.Name != "o" {
			t.Errorf("refusal of %q", ref.Name)
		}
		return out, err
	}
	for i := range before {
		if before[i].Record != edits[i].Record {
			t.Error("edits were changed")
		}
	}
	out.Rewritten, out.spool = res, spool.Bytes()
	out.data = Lay(t, res.Pieces, data, out.spool)
	var erased, redacted int64
	for _, e := range edits {
		if e.Redact {
			redacted++
		} else {
			erased++
		}
	}
	if res.Erased != erased || res.Redacted != redacted {
		t.Errorf("%d erased, %d redacted; asked for %d and %d", res.Erased, res.Redacted, erased, redacted)
	}
	return out, nil
}

func (c *copies) rewrite(t testing.TB, data []byte, edits []scanners.Edit) rewritten {
	t.Helper()
	out, err := c.try(t, data, edits)
	if err != nil {
		t.Fatalf("%v: %v", brief(edits), err)
	}
	return out
}

// brief shows edits.
func brief(edits []scanners.Edit) string {
	var b strings.Builder
	for _, e := range edits {
		if fmt.Fprintf(&b, "%d", e.Record); e.Redact {
			fmt.Fprintf(&b, " but %q", e.Keep)
		}
		b.WriteString("; ")
	}
	return b.String()
}

// Lay puts pieces together, and fails where they are out of range, empty, or not
// joined though they adjoin.
func Lay(t testing.TB, pieces []scanners.Piece, src, spool []byte) []byte {
	t.Helper()
	var out []byte
	for i, p := range pieces {
		from := src
		if p.Spool {
			from = spool
		}
		if p.Len <= 0 || p.Off < 0 || p.Off > int64(len(from)) || p.Len > int64(len(from))-p.Off {
			t.Fatalf("piece %d of %d bytes: %+v", i, len(from), p)
		}
		if i > 0 && pieces[i-1].Spool == p.Spool && pieces[i-1].Off+pieces[i-1].Len == p.Off {
			t.Errorf("pieces %d and %d are one", i-1, i)
		}
		out = append(out, from[p.Off:p.Off+p.Len]...)
	}
	return out
}

// pick chooses records to be edited.
func (c *copies) pick(r *rand.Rand, redact bool) []scanners.Edit {
	var edits []scanners.Edit
	share := r.IntN(100)
	for i, rec := range c.all {
		if r.IntN(100) >= share {
			continue
		}
		e := scanners.Edit{Record: int64(i)}
		if redact && r.IntN(2) == 0 && !slices.Contains(c.Fixed, e.Record) || slices.Contains(c.Bound, e.Record) {
			e.Redact, e.Keep = true, keeps(r, rec.Leaves)
		}
		edits = append(edits, e)
	}
	if c.Kept && len(edits) == len(c.all) { // one stays
		edits = edits[min(1, len(edits)):]
	}
	return edits
}

// keeps chooses paths to keep: of leaves, or of what holds them.
func keeps(r *rand.Rand, leaves []scanners.Leaf) []string {
	var out []string
	for _, l := range leaves {
		if r.IntN(4) > 0 {
			continue
		}
		path := l.Path
		for r.IntN(4) == 0 {
			if i := strings.LastIndexAny(path, ".[{"); i > 0 {
				path = path[:i]
			}
		}
		out = append(out, path)
	}
	return out
}

// isKept reports whether a keep list names a path, or what it lies in.
func isKept(path string, keep []string) bool {
	for _, k := range keep {
		if rest, ok := strings.CutPrefix(path, k); ok && (rest == "" || strings.ContainsAny(rest[:1], ".[{")) {
			return true
		}
	}
	return false
}
