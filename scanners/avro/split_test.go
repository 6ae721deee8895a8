package avro

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/hamba/avro/v2/ocf"

	"expunge/scanners"
	"expunge/scanners/scantest"
)

// ranged is an input whose reads are counted.
func ranged(data []byte, read *int64) scanners.Input {
	return scanners.Input{Name: "o", Size: int64(len(data)), Open: func(_ context.Context, off, n int64) (io.ReadCloser, error) {
		b := data[off:]
		if n >= 0 {
			b = b[:min(n, int64(len(b)))]
		}
		*read += int64(len(b))
		return io.NopCloser(bytes.NewReader(b)), nil
	}}
}

// docsOf scans a part with Every.
func docsOf(t *testing.T, in scanners.Input, f scanners.Finder) (docs []string, stats scanners.Stats, err error) {
	t.Helper()
	in.Every = true
	stats, err = Scanner{}.Scan(t.Context(), in, f, func(r *scanners.Record) error {
		if r.Index >= 0 {
			docs = append(docs, fmt.Sprintf("%d %s", r.Index, r.Doc))
		}
		return nil
	})
	return docs, stats, err
}

func manyCalls(n int) []any {
	var all []any
	for i := range n {
		c := calls()[1].(call)
		c.ID, c.Phone = int64(i), fmt.Sprintf("+1404555%04d", i)
		all = append(all, c)
	}
	return all
}

// Parts are what the whole is, and so is what goes on from a boundary.
func TestSplit(t *testing.T) {
	for _, codec := range codecs {
		data := write(t, callSchema, codec, 5, manyCalls(200)...)
		var read int64
		in := ranged(data, &read)
		f := &scantest.Finder{}
		want, _, err := docsOf(t, in, f)
		if err != nil || len(want) != 200 || len(f.Boundaries) != 40 || f.Boundaries[39].Off != in.Size {
			t.Fatal(err, len(want), len(f.Boundaries))
		}
		for _, target := range []int64{1, 300, 5000, in.Size / 2, in.Size} {
			parts, err := Scanner{}.Split(t.Context(), in, target)
			if err != nil {
				t.Fatal(err)
			}
			if target == in.Size/2 && len(parts) != 2 || target == 1 && len(parts) != 40 {
				t.Errorf("%s: %d parts of %d bytes", codec, len(parts), target)
			}
			var got []string
			at, records := int64(0), int64(0)
			for _, p := range parts {
				if p.Off != at {
					t.Fatalf("part %+v at %d", p, at)
				}
				at += p.Len
				in.Part = p
				in.Part.Record = records
				docs, stats, err := docsOf(t, in, &scantest.Finder{})
				if err != nil {
					t.Fatalf("%s: part %+v: %v", codec, p, err)
				}
				got, records = append(got, docs...), records+stats.Records
			}
			if at != in.Size || !slices.Equal(got, want) {
				t.Errorf("%s in parts of %d: they end at %d of %d, %d records", codec, target, at, in.Size, len(got))
			}
		}
		for _, b := range f.Boundaries {
			if b.Off == in.Size {
				continue
			}
			in.Part = scanners.Part{Off: b.Off, Len: in.Size - b.Off, Record: b.Record}
			if got, _, err := docsOf(t, in, &scantest.Finder{}); err != nil || !slices.Equal(got, want[b.Record:]) {
				t.Fatalf("%s from %+v: %v, %d records", codec, b, err, len(got))
			}
		}
	}
}

// What is packed as a whole cannot be cut, and a cut reads little.
func TestSplitReads(t *testing.T) {
	data := write(t, callSchema, ocf.Null, 5, manyCalls(30_000)...)
	var read int64
	parts, err := Scanner{}.Split(t.Context(), ranged(data, &read), int64(len(data)/3))
	if err != nil || len(parts) != 3 || read > 4*perCut || read == 0 {
		t.Errorf("%d parts of %d bytes, %d read: %v", len(parts), len(data), read, err)
	}
	for _, data := range []string{"", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x00"} {
		if parts, err := (Scanner{}).Split(t.Context(), ranged([]byte(data), &read), 1); err != nil || parts != nil {
			t.Errorf("%q: %v, %v", data, parts, err)
		}
	}
	if _, err := (Scanner{}).Split(t.Context(), ranged([]byte("Obj\x01"), &read), 1); err == nil {
		t.Error("a file without a header is cut")
	}
}

const perCut = 600 << 10 // a chunk of the stream of the header, and of each cut

// A record that holds the file's own sync marker, and even what looks like a block
// behind it, does not make two halves of what is one.
func TestFalseMarkers(t *testing.T) {
	const sync = "0123456789abcdef"
	texts := func(all ...string) []byte {
		var b []byte
		for _, s := range all {
			b = append(b, byte(2*len(s)))
			b = append(b, s...)
		}
		return block(int64(len(all)), int64(len(b)), string(b))
	}
	data := frame(`"string"`, "null", texts("one", "two"), texts("x"+sync+"y", "mid"), texts("z"+sync), texts("p"+sync+string(block(1, 3, "\x04ab"))+sync+"q"), texts("last"))
	var read int64
	in := ranged(data, &read)
	want, _, err := docsOf(t, in, &scantest.Finder{})
	if err != nil || len(want) != 7 {
		t.Fatal(err, want)
	}
	for target := int64(1); target < in.Size; target++ {
		parts, err := Scanner{}.Split(t.Context(), in, target)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		var records int64
		var refused error
		for _, p := range parts {
			in := in
			in.Part = p
			in.Part.Record = records
			docs, stats, err := docsOf(t, in, &scantest.Finder{})
			if err != nil {
				refused = err
				break
			}
			got, records = append(got, docs...), records+stats.Records
		}
		if refused == nil && !slices.Equal(got, want) {
			t.Errorf("parts of %d bytes: no error, and %s", target, strings.Join(got, ", "))
		}
	}
}
