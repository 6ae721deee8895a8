package parquet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	apq "github.com/apache/arrow/go/v15/parquet"
	acompress "github.com/apache/arrow/go/v15/parquet/compress"
	"github.com/apache/arrow/go/v15/parquet/pqarrow"
	"github.com/google/go-cmp/cmp"
	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"expunge/scanners"
	"expunge/scanners/scantest"
)

// finder finds plain words; all makes every record a match.
type finder struct {
	words    []string
	fields   []string
	field    map[string]string // path: value
	all      bool              // every value, but no names of columns
	probes   int
	boundary [][2]int64
}

func (f *finder) Probe(at []int, raw []byte) []int {
	f.probes++
	for i := range raw {
		if f.all && (i == 0 || raw[i-1] == 0) {
			at = append(at, i)
			continue
		}
		for _, w := range f.words {
			if bytes.HasPrefix(raw[i:], []byte(w)) {
				at = append(at, i)
				break
			}
		}
	}
	return at
}

func (f *finder) Fields() []string { return f.fields }

func (f *finder) ProbeField(k int, v []byte) bool { return f.field[f.fields[k]] == string(v) }

func (f *finder) Find(dst []scanners.Match, path string, v []byte) []scanners.Match {
	hit := f.all && path != "(column)"
	for _, w := range f.words {
		hit = hit || bytes.Contains(v, []byte(w))
	}
	for field, want := range f.field {
		hit = hit || want == string(v) && scantest.Covers(field, path)
	}
	if hit {
		dst = append(dst, scanners.Match{Path: path})
	}
	return dst
}

func (f *finder) Boundary(_ int64, group int, record int64) {
	f.boundary = append(f.boundary, [2]int64{int64(group), record})
}

func input(b []byte) scanners.Input {
	return scanners.Input{Name: "test", Size: int64(len(b)), Open: func(_ context.Context, off, n int64) (io.ReadCloser, error) {
		if off > int64(len(b)) {
			off = int64(len(b))
		}
		end := int64(len(b))
		if n >= 0 {
			end = min(end, off+n)
		}
		return io.NopCloser(bytes.NewReader(b[off:end])), nil
	}}
}

type record struct {
	Index   int64
	Group   int
	Doc     string
	Raw     string
	Matches []string
	Leaves  []string
	Schema  *arrow.Schema
}

func scanAll(t testing.TB, b []byte, part scanners.Part, f *finder) ([]record, scanners.Stats, error) {
	t.Helper()
	in := input(b)
	in.Part = part
	var out []record
	stats, err := New().Scan(context.Background(), in, f, func(r *scanners.Record) error {
		c := record{Index: r.Index, Group: r.Group, Doc: string(r.Doc), Raw: string(r.Raw), Schema: r.Schema}
		for _, m := range r.Matches {
			c.Matches = append(c.Matches, m.Path)
		}
		for _, l := range r.Leaves {
			c.Leaves = append(c.Leaves, fmt.Sprintf("%s=%s", l.Path, l.Value))
		}
		out = append(out, c)
		return nil
	})
	return out, stats, err
}

type param struct {
	Key   string  `parquet:"key,dict"`
	Value *string `parquet:"value,optional"`
}

type row struct {
	ID     int64            `parquet:"id"`
	Phone  string           `parquet:"phone"`
	Dict   string           `parquet:"dict,dict"`
	Delta  string           `parquet:"delta,delta"`
	Num    int64            `parquet:"num,delta"`
	U      uint32           `parquet:"u"`
	Opt    *string          `parquet:"opt,optional,dict"`
	F      float64          `parquet:"f"`
	Params []param          `parquet:"params,list"`
	Tags   []string         `parquet:"tags"`
	Attrs  map[string]int64 `parquet:"attrs"`
	Flag   bool             `parquet:"flag"`
	JSON   string           `parquet:"json,json"`
}

func rows(n int) []row {
	r := rand.New(rand.NewSource(1))
	out := make([]row, n)
	for i := range out {
		x := &out[i]
		*x = row{ID: int64(i), Phone: fmt.Sprintf("+1404555%04d", i), Dict: fmt.Sprintf("d%d@example.com", i%7), Delta: fmt.Sprintf("prefix-%d", i),
			Num: 4045550000 + int64(i), U: uint32(i), F: float64(4045550000 + i), Flag: i%3 == 0, JSON: fmt.Sprintf(`{"user_id":%d,"x":["a%d"]}`, i, i)}
		if i%2 == 0 {
			s := fmt.Sprintf("o%d", i%5)
			x.Opt = &s
		}
		for k := range r.Intn(4) {
			p := param{Key: fmt.Sprintf("k%d", k)}
			if r.Intn(3) > 0 {
				s := fmt.Sprintf("v%d-%d", i, k)
				p.Value = &s
			}
			x.Params = append(x.Params, p)
			x.Tags = append(x.Tags, fmt.Sprintf("t%d", k))
		}
		if i%4 == 0 {
			x.Attrs = map[string]int64{"a": int64(i)}
		}
	}
	return out
}

func write(t testing.TB, n, perGroup int, codec compress.Codec, version int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := pq.NewGenericWriter[row](&b, pq.Compression(codec), pq.DataPageVersion(version), pq.PageBufferSize(2<<10), pq.MaxRowsPerRowGroup(int64(perGroup)),
		pq.KeyValueMetadata("note", "made for jane@example.com"))
	if _, err := w.Write(rows(n)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestOracle: every row, read by arrow's reader, equals the document that the
// scanner makes, read back by arrow's JSON.
func TestOracle(t *testing.T) {
	for _, codec := range []compress.Codec{&pq.Uncompressed, &pq.Snappy, &pq.Gzip, &pq.Zstd, &pq.Brotli, &pq.Lz4Raw} {
		for version := 1; version <= 2; version++ {
			t.Run(fmt.Sprintf("%s/v%d", codec, version), func(t *testing.T) {
				b := write(t, 700, 300, codec, version)
				got, stats, err := scanAll(t, b, scanners.Part{}, &finder{all: true})
				if err != nil {
					t.Fatal(err)
				}
				if stats.Records != 700 {
					t.Fatalf("%d records", stats.Records)
				}
				if got[0].Index != -1 {
					t.Fatal("footer did not match")
				}
				got = got[1:]
				want := rows(700)
				if len(got) != len(want) {
					t.Fatalf("%d records emitted", len(got))
				}
				raws := map[string]bool{}
				for i, g := range got {
					if g.Index != int64(i) || g.Group != i/300 {
						t.Fatalf("record %d: index %d group %d", i, g.Index, g.Group)
					}
					checkRow(t, g, want[i])
					raws[g.Raw] = true
				}
				if len(raws) != len(want) {
					t.Errorf("%d canonical forms of %d rows", len(raws), len(want))
				}
				readBack(t, got)
			})
		}
	}
}

// checkRow compares a document with the row that was written.
func checkRow(t *testing.T, g record, want row) {
	t.Helper()
	var doc struct {
		ID     int64
		Phone  string
		Dict   string
		Delta  string
		Num    int64
		U      uint32
		Opt    *string
		F      float64
		Params []param
		Tags   []string
		Attrs  []struct {
			Key   string
			Value int64
		}
		Flag bool
		JSON string
	}
	if err := json.Unmarshal([]byte(g.Doc), &doc); err != nil {
		t.Fatalf("%v in %s", err, g.Doc)
	}
	have := row{ID: doc.ID, Phone: doc.Phone, Dict: doc.Dict, Delta: doc.Delta, Num: doc.Num, U: doc.U, Opt: doc.Opt, F: doc.F, Flag: doc.Flag, JSON: doc.JSON}
	if len(doc.Params) > 0 {
		have.Params = doc.Params
	}
	if len(doc.Tags) > 0 {
		have.Tags = doc.Tags
	}
	for _, kv := range doc.Attrs {
		if have.Attrs == nil {
			have.Attrs = map[string]int64{}
		}
		have.Attrs[kv.Key] = kv.Value
	}
	if d := cmp.Diff(want, have); d != "" {
		t.Fatalf("record %d: %s", g.Index, d)
	}
	leaves := strings.Join(g.Leaves, "\n")
	for _, want := range []string{"phone=" + want.Phone, fmt.Sprintf("f=%d", int64(want.F)), fmt.Sprintf("json.user_id=%d", want.ID), fmt.Sprintf("json.x[]=a%d", want.ID)} {
		if !strings.Contains(leaves, want+"\n") && !strings.HasSuffix(leaves, want) {
			t.Fatalf("record %d: no leaf %s in\n%s", g.Index, want, leaves)
		}
	}
	for _, p := range want.Params {
		if p.Value != nil && !strings.Contains(leaves, "params[].value="+*p.Value) {
			t.Fatalf("record %d: no leaf %s", g.Index, *p.Value)
		}
	}
}

// readBack feeds documents to arrow's builder under the record's schema and
// expects the same documents from it.
func readBack(t *testing.T, got []record) {
	t.Helper()
	b := array.NewRecordBuilder(memory.DefaultAllocator, got[0].Schema)
	defer b.Release()
	for _, g := range got {
		if err := b.UnmarshalJSON([]byte(g.Doc)); err != nil {
			t.Fatalf("read back: %v\n%s", err, g.Doc)
		}
	}
	if n := b.NewRecord().NumRows(); n != int64(len(got)) {
		t.Fatalf("read back %d rows", n)
	}
}

func TestMatches(t *testing.T) {
	b := write(t, 700, 300, &pq.Snappy, 2)
	for _, c := range []struct {
		name string
		f    finder
		path string
		want int
	}{
		{"plain", finder{words: []string{"+14045550123"}}, "phone", 1},
		{"number", finder{words: []string{"4045550123"}}, "num", 1},
		{"dictionary", finder{words: []string{"d3@example.com"}}, "dict", 100},
		{"delta", finder{words: []string{"prefix-699"}}, "delta", 1},
		{"optional", finder{words: []string{"o3"}}, "opt", 70},
		{"nested", finder{words: []string{"v5-"}}, "params[].value", 1},
		{"field", finder{fields: []string{"u"}, field: map[string]string{"u": "42"}}, "u", 1},
		{"field in JSON", finder{fields: []string{"json.user_id"}, field: map[string]string{"json.user_id": "42"}}, "json.user_id", 1},
		{"map value", finder{fields: []string{"attrs{}"}, field: map[string]string{"attrs{}": "400"}}, "attrs.a", 1},
		{"map value by key", finder{fields: []string{"attrs.a"}, field: map[string]string{"attrs.a": "400"}}, "attrs.a", 1},
		{"map value by another key", finder{fields: []string{"attrs.b"}, field: map[string]string{"attrs.b": "400"}}, "attrs.b", 0},
		{"declared flag", finder{fields: []string{"flag"}, field: map[string]string{"flag": "true"}}, "flag", 234},
		{"nothing", finder{words: []string{"nobody"}}, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, stats, err := scanAll(t, b, scanners.Part{}, &c.f)
			if err != nil || stats.Records != 700 {
				t.Fatal(stats, err)
			}
			n := 0
			for _, g := range got {
				for _, m := range g.Matches {
					if m == c.path {
						n++
						break
					}
				}
			}
			if n != c.want {
				t.Errorf("%d records match in %s, want %d", n, c.path, c.want)
			}
			if diff := cmp.Diff([][2]int64{{1, 300}, {2, 600}, {3, 700}}, c.f.boundary); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSplit(t *testing.T) {
	b := write(t, 700, 100, &pq.Zstd, 1)
	whole, _, err := scanAll(t, b, scanners.Part{}, &finder{all: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []int64{1, 10 << 10, 1 << 30} {
		parts, err := New().Split(context.Background(), input(b), target)
		if err != nil {
			t.Fatal(err)
		}
		var got []record
		for _, p := range parts {
			r, _, err := scanAll(t, b, p, &finder{all: true})
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, r...)
		}
		if len(got) != len(whole) {
			t.Fatalf("target %d: %d records, want %d", target, len(got), len(whole))
		}
		for i := range got {
			if got[i].Index != whole[i].Index || got[i].Raw != whole[i].Raw {
				t.Fatalf("target %d: record %d differs", target, i)
			}
		}
	}
}

// TestArrow scans files of arrow's writer: types, codecs and page versions that
// parquet-go does not write by itself. The Raw of a row does not depend on them.
func TestArrow(t *testing.T) {
	fields := []arrow.Field{
		{Name: "s", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "d", Type: &arrow.Decimal128Type{Precision: 20, Scale: 3}, Nullable: true},
		{Name: "ts", Type: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, Nullable: true},
		{Name: "day", Type: arrow.FixedWidthTypes.Date32},
		{Name: "l", Type: arrow.ListOf(arrow.StructOf(arrow.Field{Name: "k", Type: arrow.BinaryTypes.String, Nullable: true})), Nullable: true},
		{Name: "m", Type: arrow.MapOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64), Nullable: true},
		{Name: "b", Type: arrow.BinaryTypes.Binary, Nullable: true},
		{Name: "u8", Type: arrow.PrimitiveTypes.Uint8},
	}
	schema := arrow.NewSchema(fields, nil)
	builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	var docs []string
	for i := range 500 {
		doc := fmt.Sprintf(`{"s":"s%d","d":"%d.500","ts":%d,"day":%d,"l":[{"k":"k%d"},{"k":null}],"m":[{"key":"a","value":%d}],"b":"AAEC","u8":%d}`, i%50, i, 1e15+i, i, i, i, i%256)
		if i%3 == 0 {
			doc = fmt.Sprintf(`{"s":null,"d":null,"ts":null,"day":%d,"l":null,"m":[],"b":null,"u8":0}`, i)
		}
		docs = append(docs, doc)
		if err := builder.UnmarshalJSON([]byte(doc)); err != nil {
			t.Fatal(err)
		}
	}
	rec := builder.NewRecord()
	var raws []string
	for _, codec := range []acompress.Compression{acompress.Codecs.Uncompressed, acompress.Codecs.Snappy, acompress.Codecs.Gzip, acompress.Codecs.Zstd, acompress.Codecs.Brotli} {
		for _, version := range []apq.DataPageVersion{apq.DataPageV1, apq.DataPageV2} {
			for _, dict := range []bool{true, false} {
				var b bytes.Buffer
				props := apq.NewWriterProperties(apq.WithCompression(codec), apq.WithDataPageVersion(version), apq.WithDictionaryDefault(dict), apq.WithDataPageSize(1<<10), apq.WithMaxRowGroupLength(200))
				w, err := pqarrow.NewFileWriter(schema, &b, props, pqarrow.DefaultWriterProps())
				if err != nil {
					t.Fatal(err)
				}
				if err := w.Write(rec); err != nil {
					t.Fatal(err)
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				got, stats, err := scanAll(t, b.Bytes(), scanners.Part{}, &finder{all: true})
				if err != nil || stats.Records != 500 {
					t.Fatal(codec, version, dict, stats, err)
				}
				var these []string
				k := 0
				for i, doc := range docs {
					if k < len(got) && got[k].Index == int64(i) {
						if got[k].Doc != doc {
							t.Fatalf("%v v%v dict %v record %d:\n%s\n%s", codec, version, dict, i, got[k].Doc, doc)
						}
						these = append(these, got[k].Raw)
						k++
					}
				}
				if k != len(got) || k < 333 {
					t.Fatalf("%d of %d records in order", k, len(got))
				}
				readBack(t, got)
				if raws == nil {
					raws = these
				} else if d := cmp.Diff(raws, these); d != "" {
					t.Fatal("canonical form depends on the encoding")
				}
			}
		}
	}
}

// TestFlips: whatever bit is wrong, the scanner does not panic and does not give
// fewer records without an error.
func TestFlips(t *testing.T) {
	b := write(t, 120, 50, &pq.Snappy, 2)
	r := rand.New(rand.NewSource(2))
	for range 1500 {
		c := bytes.Clone(b)
		c[r.Intn(len(c))] ^= 1 << r.Intn(8)
		_, stats, err := scanAll(t, c, scanners.Part{}, &finder{all: true})
		if err == nil && stats.Records != 120 {
			t.Fatalf("%d records without an error", stats.Records)
		}
		if err != nil && strings.Contains(err.Error(), "CRASHED") {
			t.Errorf("%v", err)
		}
	}
	for n := range len(b) {
		if _, _, err := scanAll(t, b[:n], scanners.Part{}, &finder{all: true}); err == nil {
			t.Fatalf("cut at %d: no error", n)
		}
	}
}
