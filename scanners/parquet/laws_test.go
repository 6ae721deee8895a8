package parquet

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	apq "github.com/apache/arrow/go/v15/parquet"
	acompress "github.com/apache/arrow/go/v15/parquet/compress"
	pq "github.com/parquet-go/parquet-go"

	"expunge/scanners"
	"expunge/scanners/scantest"
)

var (
	str  = arrow.BinaryTypes.String
	long = arrow.PrimitiveTypes.Int64
)

func nullable(name string, t arrow.DataType) arrow.Field {
	return arrow.Field{Name: name, Type: t, Nullable: true}
}

type leafOf = scantest.Leaf

func truth(leaves ...scantest.Leaf) scantest.Record {
	return scantest.Record{Offset: -1, Length: -1, Leaves: leaves}
}

// mixed has a row for every way in which a value can be there or not.
func mixed() (*arrow.Schema, []string, []scantest.Record) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: long},
		nullable("phone", str),
		nullable("amount", &arrow.Decimal128Type{Precision: 12, Scale: 2}),
		nullable("score", arrow.PrimitiveTypes.Float64),
		nullable("user", arrow.StructOf(nullable("mail", str), nullable("n", arrow.PrimitiveTypes.Int32))),
		nullable("params", arrow.ListOf(arrow.StructOf(nullable("key", str), nullable("value", str)))),
		nullable("attrs", arrow.MapOf(str, arrow.ListOf(long))),
		nullable("props", str),
		nullable("blob", arrow.BinaryTypes.Binary),
	}, nil)
	docs := []string{
		`{"id":2145550123,"phone":"+14045550123","amount":"4045550.10","score":4045550142,"user":{"mail":"jane@example.com","n":555014},"params":[{"key":"gclid","value":"EAIaQob"},{"key":"empty","value":null}],"attrs":[{"key":"k-one","value":[4045550177,8]},{"key":"jane@example.org","value":[]}],"props":"{\"user\":{\"id\":\"u-7777\"},\"tags\":[\"vip one\"]}","blob":"anVzdCBieXRlcw=="}`,
		`{"id":7,"phone":null,"amount":null,"score":null,"user":null,"params":null,"attrs":null,"props":null,"blob":null}`,
		`{"id":8,"phone":"","amount":"0.00","score":0.25,"user":{"mail":null,"n":null},"params":[],"attrs":[],"props":"not {json","blob":""}`,
	}
	records := []scantest.Record{
		truth(leafOf{Path: "id", Value: "2145550123"}, leafOf{Path: "phone", Value: "+14045550123"}, leafOf{Path: "amount", Value: "4045550.1"}, leafOf{Path: "score", Value: "4045550142"},
			leafOf{Path: "user.mail", Value: "jane@example.com"}, leafOf{Path: "user.n", Value: "555014"},
			leafOf{Path: "params[].key", Value: "gclid"}, leafOf{Path: "params[].value", Value: "EAIaQob"}, leafOf{Path: "params[].key", Value: "empty"}, leafOf{Path: "params[].value"},
			leafOf{Path: "attrs.k-one[]", Value: "4045550177"}, leafOf{Path: "attrs.k-one[]", Value: "8"},
			leafOf{Path: "props.user.id", Value: "u-7777"}, leafOf{Path: "props.tags[]", Value: "vip one"}, leafOf{Path: "blob", Value: "just bytes"}),
		truth(leafOf{Path: "id", Value: "7"}, leafOf{Path: "phone"}, leafOf{Path: "amount"}, leafOf{Path: "score"}, leafOf{Path: "user.mail"}, leafOf{Path: "user.n"},
			leafOf{Path: "params[].key"}, leafOf{Path: "params[].value"}, leafOf{Path: "attrs{}"}, leafOf{Path: "attrs{}[]"}, leafOf{Path: "props"}, leafOf{Path: "blob"}),
		truth(leafOf{Path: "id", Value: "8"}, leafOf{Path: "phone", Value: ""}, leafOf{Path: "amount", Value: "0"}, leafOf{Path: "score", Value: "0.25"}, leafOf{Path: "user.mail"}, leafOf{Path: "user.n"},
			leafOf{Path: "props", Value: "not {json"}, leafOf{Path: "blob", Value: ""}),
	}
	records[0].Keys = []leafOf{{Path: "attrs{}", Value: "k-one"}, {Path: "attrs{}", Value: "jane@example.org"}}
	return schema, docs, records
}

type visit struct {
	Mail  string   `parquet:"mail,dict"`
	Phone string   `parquet:"phone,delta"`
	N     int64    `parquet:"n,delta"`
	Split float64  `parquet:"split,split"`
	Tags  []string `parquet:"tags"`
	Opt   *string  `parquet:"opt,optional"`
}

// visits are many rows in several row groups of many pages, written by the other
// library, with the encodings that arrow's does not write.
func visits(t testing.TB, n int, options ...pq.WriterOption) ([]byte, []scantest.Record) {
	t.Helper()
	var out bytes.Buffer
	w := pq.NewGenericWriter[visit](&out, append([]pq.WriterOption{pq.MaxRowsPerRowGroup(60), pq.PageBufferSize(1 << 10)}, options...)...)
	var records []scantest.Record
	for i := range n {
		v := visit{Mail: fmt.Sprintf("user%d@example.com", i%9), Phone: fmt.Sprintf("+1404555%04d", i), N: int64(7700000 + i), Split: float64(8800000 + i)}
		leaves := []leafOf{{Path: "mail", Value: v.Mail}, {Path: "phone", Value: v.Phone}, {Path: "n", Value: fmt.Sprint(v.N)}, {Path: "split", Value: fmt.Sprintf("%.0f", v.Split)}}
		for k := range i % 4 {
			v.Tags = append(v.Tags, fmt.Sprintf("tag%d-%d", i, k))
			leaves = append(leaves, leafOf{Path: "tags[]", Value: v.Tags[k]})
		}
		opt := leafOf{Path: "opt"}
		if i%3 == 0 {
			opt.Value = fmt.Sprintf("opt%d", i)
			v.Opt = &opt.Value
		}
		if _, err := w.Write([]visit{v}); err != nil {
			t.Fatal(err)
		}
		records = append(records, truth(append(leaves, opt)...))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), records
}

func TestLaws(t *testing.T) {
	schema, docs, records := mixed()
	file := func(name string, data []byte, records []scantest.Record) scantest.File {
		return scantest.File{Name: name, Data: data, Records: records, Sealed: true, Literals: []string{"example", "5550", "k-one"}}
	}
	files := []scantest.File{
		file("empty", scantest.Columns(t, schema, nil), nil),
		file("mixed", scantest.Columns(t, schema, docs), records),
		file("mixed, snappy, pages of version 2", scantest.Columns(t, schema, docs, apq.WithCompression(acompress.Codecs.Snappy), apq.WithDataPageVersion(apq.DataPageV2)), records),
		file("mixed, row by row", scantest.Columns(t, schema, docs, apq.WithMaxRowGroupLength(1), apq.WithDictionaryDefault(false)), records),
	}
	for _, c := range []struct {
		name    string
		options []pq.WriterOption
	}{
		{"many", []pq.WriterOption{pq.DataPageVersion(1)}},
		{"many, zstd", []pq.WriterOption{pq.DataPageVersion(2), pq.Compression(&pq.Zstd)}},
		{"many, LZ4", []pq.WriterOption{pq.DataPageVersion(1), pq.Compression(&pq.Lz4Raw)}},
	} {
		data, records := visits(t, 260, c.options...)
		files = append(files, file(c.name, data, records))
	}
	scantest.Run(t, New(), files)
}

// Memory does not grow with the object, nor with its row groups.
func TestBounded(t *testing.T) {
	type wide struct {
		A string `parquet:"a"`
		B []byte `parquet:"b"`
	}
	var out bytes.Buffer
	w := pq.NewGenericWriter[wide](&out, pq.PageBufferSize(256<<10))
	rows := make([]wide, 1000)
	filler := bytes.Repeat([]byte("filler "), 100)
	const n = 96_000
	for i := range n {
		rows[i%1000] = wide{A: fmt.Sprintf("row %d", i), B: filler}
		if i%1000 == 999 {
			if _, err := w.Write(rows); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, every := range []bool{false, true} {
		in := input(out.Bytes())
		in.Every = every
		scantest.Bounded(t, New(), in, n, 48<<20)
	}
	if out.Len() < 64<<20 {
		t.Errorf("object of %d bytes shows nothing", out.Len())
	}
}

var _ scanners.Splitter = New()
