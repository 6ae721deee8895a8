package parquet

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"testing"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"expunge/scanners"
)

// TestFooterLies: a footer that agrees with itself, but not with the pages, is
// found out by what the pages hold.
func TestFooterLies(t *testing.T) {
	b := write(t, 100, 100, &pq.Snappy, 1)
	f, err := open(&source{ctx: context.Background(), in: input(b)})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		lie  func(*format.FileMetaData)
		code scanners.Code
	}{
		{"the truth", func(*format.FileMetaData) {}, ""},
		{"a row more", func(m *format.FileMetaData) { shift(f, m, 1, 1) }, scanners.Corrupt},
		{"a row less", func(m *format.FileMetaData) { shift(f, m, -1, -1) }, scanners.Corrupt},
		{"nested rows more", func(m *format.FileMetaData) { shift(f, m, 0, 1) }, scanners.Corrupt},
		{"nested rows less", func(m *format.FileMetaData) { shift(f, m, 0, -1) }, scanners.Corrupt},
		{"rows of groups", func(m *format.FileMetaData) { m.NumRows++ }, scanners.Corrupt},
		{"beyond the end", func(m *format.FileMetaData) { m.RowGroups[0].Columns[1].MetaData.DataPageOffset += 1 << 40 }, scanners.Corrupt},
		{"another codec", func(m *format.FileMetaData) { m.RowGroups[0].Columns[1].MetaData.Codec = format.LZO }, scanners.Unsupported},
		{"another file", func(m *format.FileMetaData) { m.RowGroups[0].Columns[1].FilePath = "a" }, scanners.Unsupported},
		{"encrypted", func(m *format.FileMetaData) { m.RowGroups[0].Columns[1].EncryptedColumnMetadata = []byte("x") }, scanners.Unsupported},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, err := open(&source{ctx: context.Background(), in: input(b)})
			if err != nil {
				t.Fatal(err)
			}
			c.lie(&g.meta)
			// No value matches: only the columns' own sweep can find out.
			_, _, err = scanAll(t, relay(t, b, &g.meta), scanners.Part{}, &finder{words: []string{"nobody"}})
			r := (*scanners.Refusal)(nil)
			switch {
			case c.code == "" && err != nil:
				t.Fatal(err)
			case c.code != "" && (!errors.As(err, &r) || r.Code != c.code):
				t.Fatalf("got %v, want %s", err, c.code)
			}
		})
	}
}

// shift changes the number of rows everywhere, and that of values in flat columns
// with it, in nested ones by values.
func shift(f *file, m *format.FileMetaData, values, rows int64) {
	m.NumRows += rows
	for g := range m.RowGroups {
		m.RowGroups[g].NumRows += rows
		for c := range m.RowGroups[g].Columns {
			n := rows
			if f.leaves[c].maxRep > 0 {
				n = values
			}
			m.RowGroups[g].Columns[c].MetaData.NumValues += n
		}
	}
}

// TestNestedCounts isolates the two counts of a nested column: its values, and
// the rows that its repetition levels make.
func TestNestedCounts(t *testing.T) {
	var buf bytes.Buffer
	type nested struct {
		Tags []string `parquet:"tags"`
	}
	w := pq.NewGenericWriter[nested](&buf)
	for range 50 {
		if _, err := w.Write([]nested{{Tags: []string{"a", "b", "c"}}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ values, rows int64 }{{0, 0}, {1, 0}, {-1, 0}, {0, 1}, {0, -1}} {
		f, err := open(&source{ctx: context.Background(), in: input(buf.Bytes())})
		if err != nil {
			t.Fatal(err)
		}
		shift(f, &f.meta, c.values, c.rows)
		_, _, err = scanAll(t, relay(t, buf.Bytes(), &f.meta), scanners.Part{}, &finder{words: []string{"nobody"}})
		if (err != nil) != (c != struct{ values, rows int64 }{}) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// relay gives a file another footer.
func relay(t *testing.T, b []byte, meta *format.FileMetaData) []byte {
	t.Helper()
	foot, err := thrift.Marshal(&thrift.CompactProtocol{}, meta)
	if err != nil {
		t.Fatal(err)
	}
	end := len(b) - 8 - int(binary.LittleEndian.Uint32(b[len(b)-8:]))
	out := append(append([]byte(nil), b[:end]...), foot...)
	return append(binary.LittleEndian.AppendUint32(out, uint32(len(foot))), "PAR1"...)
}
