package avro

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/hamba/avro/v2"
	"github.com/hamba/avro/v2/ocf"

	"expunge/scanners"
	"expunge/scanners/scantest"
)

const callSchema = `{"type":"record","name":"call","fields":[
	{"name":"id","type":"long"},
	{"name":"phone","type":"string"},
	{"name":"email","type":["null","string"]},
	{"name":"state","type":{"type":"enum","name":"state","symbols":["answered","missed"]}},
	{"name":"visitor","type":{"type":"record","name":"visitor","fields":[
		{"name":"ids","type":{"type":"array","items":{"type":"record","name":"vid","fields":[{"name":"value","type":["string","long"]}]}}}]}},
	{"name":"params","type":{"type":"map","values":"string"}},
	{"name":"score","type":"double"},
	{"name":"blob","type":"bytes"},
	{"name":"key","type":{"type":"fixed","name":"key","size":4}},
	{"name":"properties","type":"string"}]}`

type vid struct {
	Value any `avro:"value"`
}

type call struct {
	ID      int64   `avro:"id"`
	Phone   string  `avro:"phone"`
	Email   *string `avro:"email"`
	State   string  `avro:"state"`
	Visitor struct {
		IDs []vid `avro:"ids"`
	} `avro:"visitor"`
	Params     map[string]string `avro:"params"`
	Score      float64           `avro:"score"`
	Blob       []byte            `avro:"blob"`
	Key        [4]byte           `avro:"key"`
	Properties string            `avro:"properties"`
}

func calls() []any {
	email := "jane@example.com"
	a := call{ID: 2145550123, Phone: "+14045550123", Email: &email, State: "answered", Params: map[string]string{"gclid": "EAIa.Qob"},
		Score: 4045550142, Blob: []byte("blob of 1"), Key: [4]byte{'a', 'b', 'c', 'd'}, Properties: `{"user":{"id":"u-77"},"tags":["vip one"]}`}
	a.Visitor.IDs = []vid{{"ab12cd"}, {int64(99887766)}}
	b := call{ID: 7, Phone: "(404) 555-0199", State: "missed", Score: 0.25, Blob: []byte{}, Key: [4]byte{'w', 'x', 'y', 'z'}, Properties: "not {json"}
	c := b
	c.ID, c.Phone, c.Properties = 8, "+14045550177", ""
	return []any{a, b, c}
}

func truth() []scantest.Record {
	type leaf = scantest.Leaf
	tail := func(id, phone, properties string) scantest.Record {
		return scantest.Record{Offset: -1, Length: -1, Leaves: []leaf{{Path: "id", Value: id}, {Path: "phone", Value: phone}, {Path: "email"}, {Path: "state", Value: "missed"},
			{Path: "score", Value: "0.25"}, {Path: "blob", Value: ""}, {Path: "key", Value: "wxyz"}, {Path: "properties", Value: properties}}}
	}
	return []scantest.Record{
		{Offset: -1, Length: -1, Leaves: []leaf{{Path: "id", Value: "2145550123"}, {Path: "phone", Value: "+14045550123"}, {Path: "email", Value: "jane@example.com"},
			{Path: "state", Value: "answered"}, {Path: "visitor.ids[].value", Value: "ab12cd"}, {Path: "visitor.ids[].value", Value: "99887766"},
			{Path: "params.gclid", Value: "EAIa.Qob"}, {Path: "score", Value: "4045550142"}, {Path: "blob", Value: "blob of 1"}, {Path: "key", Value: "abcd"},
			{Path: "properties.user.id", Value: "u-77"}, {Path: "properties.tags[]", Value: "vip one"}}},
		tail("7", "(404) 555-0199", "not {json"),
		tail("8", "+14045550177", ""),
	}
}

// write makes a file, blockLength records to a block.
func write(t testing.TB, schema string, codec ocf.CodecName, blockLength int, records ...any) []byte {
	t.Helper()
	var b bytes.Buffer
	e, err := ocf.NewEncoder(schema, &b, ocf.WithCodec(codec), ocf.WithBlockLength(blockLength), ocf.WithSyncBlock([16]byte{1, 2, 3}),
		ocf.WithSchemaMarshaler(ocf.FullSchemaMarshaler), ocf.WithMetadataKeyVal("writer", []byte("loader of +14045550155")))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if err := e.Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var codecs = []ocf.CodecName{ocf.Null, ocf.Deflate, ocf.Snappy, ocf.ZStandard}

func TestLaws(t *testing.T) {
	var files []scantest.File
	for _, c := range codecs {
		// Not Sealed: what ends after a block is whole.
		files = append(files, scantest.File{Name: string(c), Data: write(t, callSchema, c, 2, calls()...), Records: truth(), Packed: true})
	}
	scantest.Run(t, Scanner{}, files)
}

func input(data []byte) scanners.Input {
	return scanners.Input{Name: "o", Size: int64(len(data)), Every: true, Open: func(_ context.Context, off, n int64) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data[off:])), nil
	}}
}

// scanAll returns the docs of all records.
func scanAll(data []byte, f scanners.Finder) (docs []string, leaves [][]scanners.Leaf, stats scanners.Stats, err error) {
	stats, err = Scanner{}.Scan(context.Background(), input(data), f, func(r *scanners.Record) error {
		docs = append(docs, string(r.Doc))
		leaves = append(leaves, append([]scanners.Leaf(nil), r.Leaves...))
		return nil
	})
	return docs, leaves, stats, err
}

// A file that breaks off anywhere but after a block is refused; one that ends
// after a block has the records of its blocks.
func TestTruncated(t *testing.T) {
	for _, c := range codecs {
		empty, whole := write(t, callSchema, c, 1), write(t, callSchema, c, 1, calls()...)
		ends := map[int]int64{len(empty): 0, len(whole): 3}
		for n := range 2 {
			ends[len(write(t, callSchema, c, 1, calls()[:n+1]...))] = int64(n + 1)
		}
		for n := range len(whole) + 1 {
			_, _, stats, err := scanAll(whole[:n], &scantest.Finder{})
			records, fine := ends[n]
			ref := (*scanners.Refusal)(nil)
			switch {
			case fine && (err != nil || stats.Records != records):
				t.Errorf("%s: %d bytes: %v, %d records of %d", c, n, err, stats.Records, records)
			case !fine && (!errors.As(err, &ref) || ref.Code != scanners.Truncated):
				t.Errorf("%s: %d bytes of %d: %v", c, n, len(whole), err)
			}
		}
	}
}

func TestHeader(t *testing.T) {
	data := write(t, callSchema, ocf.Null, 100, calls()...)
	var got []scanners.Record
	f := &scantest.Finder{Literals: []string{"+14045550155"}}
	in := input(data)
	in.Every = false
	_, err := Scanner{}.Scan(context.Background(), in, f, func(r *scanners.Record) error {
		got = append(got, *r)
		return nil
	})
	if err != nil || len(got) != 1 || got[0].Index != -1 || got[0].Matches[0].Path != "(header).writer" || got[0].Matches[0].Tier != "review" {
		t.Errorf("%v: %+v", err, got)
	}
}

// Generators write samples into schemas: "type inferred from 'jane@example.com'".
func TestSchemaIsSearched(t *testing.T) {
	schema := `{"type":"record","name":"r","fields":[{"name":"mail","type":"string","doc":"type inferred from 'jane@example.com'"}]}`
	data := write(t, schema, ocf.Null, 100, map[string]any{"mail": "bob@example.org"})
	probed := false
	f := &scantest.Finder{Literals: []string{"jane@example.com"}}
	var got []scanners.Record
	in := input(data)
	in.Every = false
	_, err := Scanner{}.Scan(context.Background(), in, probing{f, func(raw []byte) { probed = probed || bytes.Contains(raw, []byte("jane@")) }}, func(r *scanners.Record) error {
		got = append(got, *r)
		return nil
	})
	if err != nil || len(got) != 1 || got[0].Index != -1 || got[0].Matches[0].Tier != "review" || !strings.HasPrefix(got[0].Matches[0].Path, "(header).avro.schema.") {
		t.Errorf("%v: %+v", err, got)
	}
	if !probed {
		t.Error("the schema was not probed: a catalog would not know of it")
	}
}

// probing is a Finder that tells what it is asked to probe.
type probing struct {
	scanners.Finder
	tell func(raw []byte)
}

func (p probing) Probe(at []int, raw []byte) []int {
	p.tell(raw)
	return p.Finder.Probe(at, raw)
}

func TestLogical(t *testing.T) {
	at := time.Date(2026, 11, 20, 9, 8, 7, 123456000, time.UTC)
	for _, c := range []struct {
		typ   string
		value any
		doc   string // of the value
		leaf  string
	}{
		{`{"type":"int","logicalType":"date"}`, at, `20777`, "2026-11-20"},
		{`{"type":"int","logicalType":"time-millis"}`, 61 * time.Second, `61000`, "00:01:01"},
		{`{"type":"long","logicalType":"time-micros"}`, 1500 * time.Microsecond, `1500`, "00:00:00.0015"},
		{`{"type":"long","logicalType":"timestamp-millis"}`, at, `1795165687123`, "2026-11-20T09:08:07.123Z"},
		{`{"type":"long","logicalType":"timestamp-micros"}`, at, `1795165687123456`, "2026-11-20T09:08:07.123456Z"},
		{`{"type":"long","logicalType":"local-timestamp-micros"}`, at, `1795165687123456`, "2026-11-20T09:08:07.123456"},
		{`{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}`, big.NewRat(-1950, 100), `"-19.50"`, "-19.5"},
		{`{"type":"fixed","name":"f","size":9,"logicalType":"decimal","precision":20,"scale":0}`, big.NewRat(4045550123, 1), `"4045550123"`, "4045550123"},
		{`{"type":"fixed","name":"f","size":12,"logicalType":"duration"}`, avro.LogicalDuration{Months: 1, Days: 2, Milliseconds: 3004}, `"P1M2DT3.004S"`, "P1M2DT3.004S"},
		{`{"type":"string","logicalType":"uuid"}`, "00112233-4455-6677-8899-aabbccddeeff", `"00112233-4455-6677-8899-aabbccddeeff"`, "00112233-4455-6677-8899-aabbccddeeff"},
		{`{"type":"fixed","name":"f","size":16}`, [16]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, `"AAECAwQFBgcICQoLDA0ODw=="`, "00010203-0405-0607-0809-0a0b0c0d0e0f"},
		{`"boolean"`, true, "true", "true"}, {`"float"`, float32(0.1), "0.1", "0.1"}, {`"double"`, 1e300, "1e+300", ""}, {`"double"`, -7.0, "-7", "-7"},
		{`"long"`, int64(9007199254740993), "9007199254740993", "9007199254740993"}, {`"string"`, "a\"\\\n\xffé", `"a\"\\\u000a` + "\uFFFD" + `é"`, "a\"\\\n\xffé"},
		{`["boolean",{"type":"int","logicalType":"date"}]`, map[string]any{"int.date": at}, `"2026-11-20"`, "2026-11-20"},
		{`["string",{"type":"map","values":"long"}]`, map[string]any{"map": map[string]any{"k": int64(5)}}, `{"k":5}`, ""},
		{`["null","long"]`, map[string]any{"long": int64(5)}, "5", "5"}, {`["null","long"]`, nil, "null", ""},
	} {
		schema := `{"type":"record","name":"r","fields":[{"name":"v","type":` + c.typ + `}]}`
		docs, leaves, _, err := scanAll(write(t, schema, ocf.Null, 1, map[string]any{"v": c.value}), &scantest.Finder{})
		if err != nil || len(docs) != 1 || docs[0] != `{"v":`+c.doc+`}` {
			t.Errorf("%s: %v, %q, want %s", c.typ, err, docs, c.doc)
			continue
		}
		if l := leaves[0]; len(l) != 1 || l[0].Path != "v" && l[0].Path != "v.k" || c.leaf != "" && string(l[0].Value) != c.leaf {
			t.Errorf("%s: leaves %q, want %q", c.typ, l, c.leaf)
		}
	}
}

// Points in time are asked about where they are declared, and only there.
func TestDeclared(t *testing.T) {
	schema := `{"type":"record","name":"r","fields":[{"name":"v","type":{"type":"int","logicalType":"date"}},{"name":"m","type":{"type":"map","values":"long"}}]}`
	data := write(t, schema, ocf.Null, 1, map[string]any{"v": time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), "m": map[string]any{"k-1": int64(42)}})
	for _, c := range []struct {
		f    *scantest.Finder
		want int
	}{
		{&scantest.Finder{Literals: []string{"2026-11"}}, 0},
		{&scantest.Finder{Literals: []string{"k-1"}}, 1},
		{&scantest.Finder{Values: map[string]string{"v": "2026-11-20"}}, 1},
		{&scantest.Finder{Values: map[string]string{"m{}": "42"}}, 1},
		{&scantest.Finder{Values: map[string]string{"m": "42"}}, 0},
	} {
		in := input(data)
		in.Every = false
		n := 0
		if _, err := (Scanner{}).Scan(context.Background(), in, c.f, func(*scanners.Record) error { n++; return nil }); err != nil || n != c.want {
			t.Errorf("%v %v: %v, %d records", c.f.Literals, c.f.Values, err, n)
		}
	}
}

// Declared paths may stand for any name: in a record, in a map, and in JSON.
func TestAsked(t *testing.T) {
	schema := `{"type":"record","name":"r","fields":[{"name":"p","type":{"type":"record","name":"q","fields":[{"name":"a","type":"string"}]}},
		{"name":"m","type":{"type":"map","values":{"type":"array","items":"string"}}},{"name":"j","type":"string"}]}`
	data := write(t, schema, ocf.Null, 1, map[string]any{"p": map[string]any{"a": "u-1"}, "m": map[string]any{"k": []any{"u-1"}}, "j": `{"x":{"y":["u-1"]},"z":"u-1"}`})
	for path, want := range map[string]bool{
		"p{}": true, "p.a": true, "p.b": false, "p": false, "m{}[]": true, "m[]": false, "j{}": true, "j.z": true, "j{}.y[]": true, "j.x.y[]": true, "j.x{}": true, "j.q": false,
	} {
		f := &scantest.Finder{Values: map[string]string{path: "u-1"}}
		if _, _, _, err := scanAll(data, f); err != nil {
			t.Fatal(err)
		}
		got := false
		for _, v := range f.Asked {
			got = got || string(v) == "u-1"
		}
		if got != want {
			t.Errorf("%s: asked about its value: %v, want %v", path, got, want)
		}
	}
}

// A schema may refer to itself, and need not be a record.
func TestShapes(t *testing.T) {
	for _, c := range []struct {
		schema string
		value  any
		doc    string
		path   string
	}{
		{`"string"`, "jane@example.com", `{"value":"jane@example.com"}`, "value"},
		{`{"type":"array","items":"long"}`, []any{int64(1), int64(2)}, `{"value":[1,2]}`, "value[]"},
		{`["null","string"]`, map[string]any{"string": "x"}, `{"value":"x"}`, "value"},
		{`["null",{"type":"record","name":"r","fields":[{"name":"a","type":"int"}]}]`, map[string]any{"r": map[string]any{"a": 1}}, `{"a":1}`, "a"},
		{`{"type":"record","name":"n","fields":[{"name":"next","type":["null","n"]},{"name":"v","type":"int"}]}`,
			map[string]any{"v": 1, "next": map[string]any{"n": map[string]any{"v": 2, "next": map[string]any{"n": map[string]any{"v": 3, "next": nil}}}}},
			`{"next":{"next":{"next":null,"v":3},"v":2},"v":1}`, "next.next.next"},
	} {
		docs, leaves, _, err := scanAll(write(t, c.schema, ocf.Deflate, 1, c.value), &scantest.Finder{})
		if err != nil || len(docs) != 1 || docs[0] != c.doc || leaves[0][0].Path != c.path {
			t.Errorf("%s: %v, %q %v", c.schema, err, docs, leaves)
		}
	}
}
