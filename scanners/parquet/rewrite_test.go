package parquet

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"io"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
	apq "github.com/apache/arrow/go/v15/parquet"
	acompress "github.com/apache/arrow/go/v15/parquet/compress"
	afile "github.com/apache/arrow/go/v15/parquet/file"
	"github.com/apache/arrow/go/v15/parquet/pqarrow"
	pq "github.com/parquet-go/parquet-go"

	"expunge/scanners"
	"expunge/scanners/scantest"
)

func TestRewriteLaws(t *testing.T) {
	schema, docs, _ := mixed()
	flat, _ := visits(t, 200)
	v2, _ := visits(t, 150, pq.DataPageVersion(2), pq.Compression(&pq.Zstd), pq.BloomFilters(pq.SplitBlockFilter(10, "mail")))
	v1, _ := visits(t, 150, pq.DataPageVersion(1), pq.Compression(&pq.Gzip))
	copied := func(name string, data []byte) scantest.Copied {
		var gone []scanners.Edit
		f, err := pq.OpenFile(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		for i := range f.NumRows() {
			gone = append(gone, scanners.Edit{Record: i})
		}
		left, _ := rewritten(t, data, gone...) // TestAllRowsGo says what that is
		return scantest.Copied{Name: name, Data: data, Lazy: true, Gone: string(left), Structure: []string{"attrs{}"}, Empty: func(was, is scanners.Leaf) bool {
			return len(is.Value) == 0 || string(is.Value) == "0"
		}}
	}
	many := slices.Concat(docs, docs, docs)
	scantest.RunRewriter(t, New(), []scantest.Copied{
		copied("mixed", scantest.Columns(t, schema, docs)),
		copied("mixed in row groups", scantest.Columns(t, schema, many, apq.WithMaxRowGroupLength(2), apq.WithCompression(acompress.Codecs.Snappy))),
		copied("mixed v2", scantest.Columns(t, schema, many, apq.WithMaxRowGroupLength(4), apq.WithDataPageVersion(apq.DataPageV2), apq.WithCompression(acompress.Codecs.Zstd))),
		copied("visits", flat),
		copied("visits v2 with bloom filters", v2),
		copied("visits v1", v1),
	})
}

// rewritten applies edits to data and lays the pieces out.
func rewritten(t *testing.T, data []byte, edits ...scanners.Edit) ([]byte, scanners.Rewritten) {
	t.Helper()
	in := scanners.Input{Name: "x", Size: int64(len(data)), Open: func(_ context.Context, off, n int64) (io.ReadCloser, error) {
		end := int64(len(data))
		if n >= 0 {
			end = min(end, off+n)
		}
		return io.NopCloser(bytes.NewReader(data[min(off, end):end])), nil
	}}
	var spool bytes.Buffer
	got, err := New().Rewrite(t.Context(), in, edits, &spool, func(*scanners.Record) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for _, p := range got.Pieces {
		from := data
		if p.Spool {
			from = spool.Bytes()
		}
		out = append(out, from[p.Off:p.Off+p.Len]...)
	}
	return out, got
}

// Two readers of other people read what is written, and find the rows, metadata and
// indexes that should be there.
func TestRewrittenIsReadByOthers(t *testing.T) {
	data, _ := visits(t, 200, pq.KeyValueMetadata("owner", "loader 7"), pq.BloomFilters(pq.SplitBlockFilter(10, "mail")))
	out, _ := rewritten(t, data, scanners.Edit{Record: 3}, scanners.Edit{Record: 64}, scanners.Edit{Record: 65}, scanners.Edit{Record: 199})
	before, after := readVisits(t, data), readVisits(t, out)
	want := slices.Concat(before[:3], before[4:64], before[66:199])
	if len(after) != len(want) {
		t.Fatalf("%d rows, want %d", len(after), len(want))
	}
	for i := range want {
		if after[i].Mail != want[i].Mail || after[i].Phone != want[i].Phone || after[i].N != want[i].N || !slices.Equal(after[i].Tags, want[i].Tags) {
			t.Fatalf("row %d is %+v, want %+v", i, after[i], want[i])
		}
	}
	f, err := pq.OpenFile(bytes.NewReader(out), int64(len(out)))
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := f.Lookup("owner"); v != "loader 7" {
		t.Errorf("key-value metadata is %q", v)
	}
	source, err := pq.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if f.Schema().String() != source.Schema().String() {
		t.Errorf("schema\n%s\nwas\n%s", f.Schema(), source.Schema())
	}
	for g, group := range f.RowGroups() {
		for c, chunk := range group.ColumnChunks() {
			if index, err := chunk.OffsetIndex(); err != nil || index.NumPages() == 0 {
				t.Errorf("row group %d column %d: no offset index: %v", g, c, err)
			}
			if index, err := chunk.ColumnIndex(); err != nil || index.NumPages() == 0 {
				t.Errorf("row group %d column %d: no column index: %v", g, c, err)
			}
			a, b := f.Metadata().RowGroups[g].Columns[c].MetaData, source.Metadata().RowGroups[g].Columns[c].MetaData
			if a.Codec != b.Codec || (a.DictionaryPageOffset > 0) != (b.DictionaryPageOffset > 0) || (a.BloomFilterOffset > 0) != (b.BloomFilterOffset > 0) {
				t.Errorf("row group %d column %d: codec, dictionary or bloom filter changed", g, c)
			}
		}
		bloom := group.ColumnChunks()[0].BloomFilter()
		if ok, err := bloom.Check(pq.ByteArrayValue([]byte("user1@example.com"))); err != nil || !ok {
			t.Errorf("row group %d: the bloom filter lost a value: %v", g, err)
		}
	}
	schema, docs, _ := mixed()
	nested, _ := rewritten(t, scantest.Columns(t, schema, slices.Concat(docs, docs, docs), apq.WithMaxRowGroupLength(4)), scanners.Edit{Record: 1}, scanners.Edit{Record: 8, Redact: true, Keep: []string{"id"}})
	r, err := afile.NewParquetReader(bytes.NewReader(nested))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	arrows, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	table, err := arrows.ReadTable(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer table.Release()
	if table.NumRows() != 8 || !table.Schema().Equal(schema) && table.Schema().NumFields() != schema.NumFields() {
		t.Errorf("arrow reads %d rows of %s", table.NumRows(), table.Schema())
	}
}

func readVisits(t *testing.T, data []byte) []visit {
	t.Helper()
	r := pq.NewGenericReader[visit](bytes.NewReader(data))
	defer r.Close()
	rows := make([]visit, r.NumRows())
	if n, err := r.Read(rows); int64(n) != r.NumRows() || err != nil && err != io.EOF {
		t.Fatalf("%d of %d rows: %v", n, r.NumRows(), err)
	}
	return rows
}

// Row groups without an edit are pieces of the source, byte for byte.
func TestUntouchedRowGroupsAreCopied(t *testing.T) {
	data, _ := visits(t, 600) // ten row groups
	out, got := rewritten(t, data, scanners.Edit{Record: 130})
	copied := int64(0)
	for _, p := range got.Pieces {
		if !p.Spool {
			copied += p.Len
		}
	}
	f, err := pq.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	want := int64(0)
	for g, group := range f.Metadata().RowGroups {
		if g != 2 {
			want += group.TotalCompressedSize
		}
	}
	if copied < want {
		t.Errorf("%d bytes are copied, and untouched row groups have %d", copied, want)
	}
	if len(out) >= len(data)+1000 {
		t.Errorf("%d bytes became %d", len(data), len(out))
	}
}

// Footers are spliced: what parquet-go's structs do not tell apart stays as it is
// stored. Most of all, a row group without a null count does not claim to be without
// nulls, which would hide rows from who asks for nulls.
func TestFooterIsSpliced(t *testing.T) {
	schema, docs, _ := mixed()
	docs = slices.Concat(docs, docs, docs)
	for name, data := range map[string][]byte{
		"no statistics": scantest.Columns(t, schema, docs, apq.WithMaxRowGroupLength(4), apq.WithStats(false)),
		"statistics":    scantest.Columns(t, schema, docs, apq.WithMaxRowGroupLength(4)),
	} {
		t.Run(name, func(t *testing.T) {
			out, _ := rewritten(t, data, scanners.Edit{Record: 1})
			was, is := footerOf(t, data), footerOf(t, out)
			for _, id := range []int{1, 2, 5, 6, 7} { // version, schema, metadata, writer, orders
				a, b := was.at(id), is.at(id)
				if (a == nil) != (b == nil) || a != nil && !bytes.Equal(a.value, b.value) {
					t.Errorf("field %d of the footer is another", id)
				}
			}
			for g := range 2 {
				before, after := columnsOf(t, was, g), columnsOf(t, is, g)
				for i := range before {
					a, b := before[i].at(12), after[i].at(12)
					switch {
					case (a == nil) != (b == nil):
						t.Errorf("row group %d column %d: statistics %v, were %v", g, i, b, a)
					case g > 0 && a != nil && !bytes.Equal(a.value, b.value):
						t.Errorf("row group %d column %d, which stays, has other statistics", g, i)
					case a != nil:
						x, _ := before[i].nested(12)
						y, _ := after[i].nested(12)
						for _, id := range []int{3, 5, 6} {
							if (x.at(id) == nil) != (y.at(id) == nil) {
								t.Errorf("row group %d column %d: field %d of statistics came or went", g, i, id)
							}
						}
					}
				}
			}
		})
	}
}

func footerOf(t *testing.T, data []byte) thriftFields {
	t.Helper()
	n := int(binary.LittleEndian.Uint32(data[len(data)-8:]))
	f, err := fieldsOf(data[len(data)-8-n : len(data)-8])
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// columnsOf is the metadata of the columns of row group g.
func columnsOf(t *testing.T, footer thriftFields, g int) (out []thriftFields) {
	t.Helper()
	groups, err := footer.at(4).structs()
	if err != nil {
		t.Fatal(err)
	}
	group, err := fieldsOf(groups[g])
	if err != nil {
		t.Fatal(err)
	}
	chunks, err := group.at(1).structs()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range chunks {
		chunk, err := fieldsOf(b)
		if err != nil {
			t.Fatal(err)
		}
		meta, err := chunk.nested(3)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, meta)
	}
	return out
}

// Decimals in bytes and UUIDs are ordered as the format says, which the writer's
// library does not do.
func TestCompareSigned(t *testing.T) {
	ordered := [][]byte{{0x80, 0}, {0xff, 0x7f}, {0x80}, {0xff}, {}, {1}, {0, 2}, {0x7f}, {0, 0x80}, {0x7f, 0}}
	for i, a := range ordered {
		for k, b := range ordered {
			if got := compareSigned(a, b); got != cmp.Compare(i, k) {
				t.Errorf("%x and %x: %d", a, b, got)
			}
		}
	}
}

// What goes leaves no trace: not in dictionaries, statistics, indexes or filters.
func TestNoTraceIsLeft(t *testing.T) {
	data, _ := visits(t, 100)
	for _, gone := range []string{"opt18", "tag18-0", "tag18-1"} {
		if !bytes.Contains(data, []byte(gone)) {
			t.Fatalf("%s cannot be seen in the source either: the test proves nothing", gone)
		}
	}
	out, _ := rewritten(t, data, scanners.Edit{Record: 18})
	for _, gone := range []string{"opt18", "tag18-0", "tag18-1", "+14045550018"} {
		if bytes.Contains(out, []byte(gone)) {
			t.Errorf("%s can be read in the bytes", gone)
		}
	}
}

func TestAllRowsGo(t *testing.T) {
	data, _ := visits(t, 70)
	var edits []scanners.Edit
	for i := range int64(70) {
		edits = append(edits, scanners.Edit{Record: i})
	}
	out, _ := rewritten(t, data, edits...)
	if n := len(readVisits(t, out)); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}
