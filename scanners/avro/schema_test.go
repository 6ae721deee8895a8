package avro

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/hamba/avro/v2"
	"github.com/hamba/avro/v2/ocf"

	"expunge/scanners"
	"expunge/scanners/scantest"
)

// typed returns the schema and the docs of a file.
func typed(t *testing.T, data []byte) (schema *arrow.Schema, docs []string) {
	t.Helper()
	_, err := Scanner{}.Scan(context.Background(), input(data), &scantest.Finder{}, func(r *scanners.Record) error {
		schema, docs = r.Schema, append(docs, string(r.Doc))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return schema, docs
}

// Types are Arrow's, and Arrow reads the docs by them: values come back.
func TestSchema(t *testing.T) {
	at := time.Date(2026, 11, 20, 9, 8, 7, 123456000, time.UTC)
	for _, c := range []struct {
		typ   string
		value any
		want  string // the arrow type
		back  string // the value, as arrow's JSON has it
	}{
		{`"boolean"`, true, "bool", "true"}, {`"int"`, 7, "int32", "7"}, {`"long"`, int64(9007199254740991), "int64", "9007199254740991"},
		{`"float"`, float32(0.25), "float32", "0.25"}, {`"double"`, 1e300, "float64", "1e+300"}, {`"string"`, "é\n", "utf8", `"é\n"`},
		{`"bytes"`, []byte{0, 255}, "binary", `"AP8="`}, {`{"type":"fixed","name":"f","size":2}`, [2]byte{1, 2}, "fixed_size_binary[2]", `"AQI="`},
		{`{"type":"enum","name":"e","symbols":["A","B"]}`, "B", "utf8", `"B"`},
		{`{"type":"int","logicalType":"date"}`, at, "date32", `"2026-11-20"`},
		{`{"type":"int","logicalType":"time-millis"}`, 61 * time.Second, "time32[ms]", `"00:01:01"`},
		{`{"type":"long","logicalType":"time-micros"}`, 1500 * time.Microsecond, "time64[us]", `"00:00:00.0015"`},
		{`{"type":"long","logicalType":"timestamp-millis"}`, at, "timestamp[ms, tz=UTC]", `"2026-11-20 09:08:07.123"`},
		{`{"type":"long","logicalType":"timestamp-micros"}`, at, "timestamp[us, tz=UTC]", `"2026-11-20 09:08:07.123456"`},
		{`{"type":"long","logicalType":"local-timestamp-micros"}`, at, "timestamp[us]", `"2026-11-20 09:08:07.123456"`},
		{`{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}`, big.NewRat(-1950, 100), "decimal(9, 2)", `"-19.5"`},
		{`{"type":"bytes","logicalType":"decimal","precision":50,"scale":2}`, big.NewRat(1950, 100), "decimal256(50, 2)", `"19.5"`},
		{`{"type":"bytes","logicalType":"decimal","precision":90,"scale":2}`, big.NewRat(1950, 100), "utf8", `"19.50"`},
		{`{"type":"fixed","name":"f","size":12,"logicalType":"duration"}`, avro.LogicalDuration{Months: 1}, "utf8", `"P1M0DT0.000S"`},
		{`{"type":"string","logicalType":"uuid"}`, "00112233-4455-6677-8899-aabbccddeeff", "utf8", `"00112233-4455-6677-8899-aabbccddeeff"`},
		{`["null","long"]`, nil, "int64", "null"}, {`["long","null"]`, int64(5), "int64", "5"},
		{`{"type":"array","items":["null","string"]}`, []any{"a", nil}, "list<element: utf8, nullable>", `["a",null]`},
		{`{"type":"map","values":"long"}`, map[string]any{"k": int64(5)}, "map<utf8, int64, items_non_nullable>", `[{"key":"k","value":5}]`},
		{`{"type":"record","name":"q","fields":[{"name":"a","type":"int"},{"name":"b","type":["null","string"]}]}`, map[string]any{"a": 1, "b": nil}, "struct<a: int32, b: utf8>", `{"a":1,"b":null}`},
	} {
		schema, docs := typed(t, write(t, `{"type":"record","name":"r","fields":[{"name":"v","type":`+c.typ+`}]}`, ocf.Null, 1, map[string]any{"v": c.value}))
		if schema == nil || len(schema.Fields()) != 1 || schema.Field(0).Type.String() != c.want {
			t.Errorf("%s: %v, want %s", c.typ, schema, c.want)
			continue
		}
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		if err := b.UnmarshalJSON([]byte(docs[0])); err != nil {
			t.Errorf("%s: %v in %s", c.typ, err, docs[0])
			continue
		}
		rec := b.NewRecord()
		back, err := json.Marshal(rec.Column(0).GetOneForMarshal(0))
		if err != nil || string(back) != c.back {
			t.Errorf("%s: %s came back as %s, want %s: %v", c.typ, docs[0], back, c.back, err)
		}
		rec.Release()
		b.Release()
	}
}

// What has no type of its own is a union in the schema, and JSON in the doc.
func TestLooseSchema(t *testing.T) {
	at := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	day := `{"type":"int","logicalType":"date"}`
	bomb := `{"type":"record","name":"r0","fields":[{"name":"v","type":"int"}]}`
	for i := 1; i <= 40; i++ {
		bomb = fmt.Sprintf(`{"type":"record","name":"r%d","fields":[{"name":"a","type":%s},{"name":"b","type":["null","r%d"]}]}`, i, bomb, i-1)
	}
	for _, c := range []struct {
		name, schema string
		value        any
		want, doc    string
	}{
		{"union", `{"type":"record","name":"r","fields":[{"name":"v","type":["null","string",` + day + `]},{"name":"d","type":` + day + `}]}`,
			map[string]any{"v": map[string]any{"int.date": at}, "d": at}, "v: type=sparse_union<json: type=utf8, nullable=0>, nullable d: type=date32", `{"v":"2026-11-20","d":20777}`},
		{"recursion", `{"type":"record","name":"self","fields":[{"name":"d","type":` + day + `},{"name":"m","type":{"type":"map","values":"int"}},{"name":"next","type":["null","self"]}]}`,
			map[string]any{"d": at, "m": map[string]any{"k": 1}, "next": map[string]any{"self": map[string]any{"d": at, "m": map[string]any{"k": 2}, "next": nil}}},
			"d: type=date32 m: type=map<utf8, int32, items_non_nullable> next: type=sparse_union<json: type=utf8, nullable=0>, nullable",
			`{"d":20777,"m":[{"key":"k","value":1}],"next":{"d":"2026-11-20","m":{"k":2},"next":null}}`},
		{"records of two types", `[{"type":"record","name":"a","fields":[{"name":"d","type":` + day + `}]},{"type":"record","name":"b","fields":[{"name":"x","type":"int"}]}]`,
			map[string]any{"a": map[string]any{"d": at}}, "", `{"d":"2026-11-20"}`},
		{"no record", `["null",` + day + `]`, map[string]any{"int.date": at}, "value: type=date32, nullable", `{"value":20777}`},
		{"perhaps a record", `["null",{"type":"record","name":"a","fields":[{"name":"d","type":` + day + `}]}]`, map[string]any{"a": map[string]any{"d": at}}, "d: type=date32", `{"d":20777}`},
	} {
		schema, docs := typed(t, write(t, c.schema, ocf.Null, 1, c.value))
		var fields []string
		if schema != nil {
			for _, f := range schema.Fields() {
				fields = append(fields, f.String())
			}
			// Schemas travel as IPC.
			var b bytes.Buffer
			if err := ipc.NewWriter(&b, ipc.WithSchema(schema)).Close(); err != nil {
				t.Fatal(err)
			}
			if r, err := ipc.NewReader(&b); err != nil || !r.Schema().Equal(schema) {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		if got := strings.Join(fields, " "); got != c.want || docs[0] != c.doc {
			t.Errorf("%s:\n got %s %s\nwant %s %s", c.name, got, docs[0], c.want, c.doc)
		}
	}
	// 2^40 types, were they all told: none is.
	parsed, err := avro.ParseBytesWithCache([]byte(bomb), "", &avro.SchemaCache{})
	if err != nil {
		t.Fatal(err)
	}
	if arrowSchema(parsed) != nil {
		t.Error("a schema without end has types")
	}
}

// A decimal that is larger than its type would come back as another number.
func TestLargeDecimal(t *testing.T) {
	data := frame(`{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}`, "null", block(1, 4, "\x06\x01\x86\x9f"))
	_, _, _, err := scanAll(data, &scantest.Finder{})
	if ref := (*scanners.Refusal)(nil); !errors.As(err, &ref) || ref.Code != scanners.Corrupt {
		t.Error(err)
	}
}
