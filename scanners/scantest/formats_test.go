package scantest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/parquet"
	"github.com/hamba/avro/v2/ocf"

	"expunge/scanners"
	"expunge/scanners/avro"
	"expunge/scanners/jsonl"
	columns "expunge/scanners/parquet"
	"expunge/scanners/scantest"
)

// The same records in JSON lines, Avro and Parquet: what is declared, and what is
// looked for, is found in the same records at the same paths, whichever of them
// holds them, and it is what a plain walk over the records finds.

// member is a field of a struct, mapping a map, list a list; else a string, an
// int64 or nil.
type (
	member struct {
		name  string
		value any
	}
	object  []member
	mapping map[string]any
	list    []any
)

const avroSchema = `{"type":"record","name":"r","fields":[
	{"name":"id","type":"long"},
	{"name":"user","type":{"type":"record","name":"u","fields":[{"name":"user_id","type":"string"},{"name":"seen","type":["null","long"]}]}},
	{"name":"attrs","type":{"type":"map","values":"string"}},
	{"name":"counts","type":{"type":"map","values":["null","long"]}},
	{"name":"event_params","type":{"type":"array","items":{"type":"record","name":"p","fields":[{"name":"key","type":"string"},
		{"name":"value","type":{"type":"record","name":"v","fields":[{"name":"string_value","type":["null","string"]},{"name":"int_value","type":["null","long"]}]}}]}}},
	{"name":"groups","type":{"type":"map","values":{"type":"array","items":"string"}}},
	{"name":"deep","type":{"type":"map","values":{"type":"map","values":{"type":"record","name":"d","fields":[{"name":"ids","type":{"type":"array","items":"long"}},{"name":"note","type":"string"}]}}}},
	{"name":"props","type":"string"},
	{"name":"tags","type":{"type":"array","items":"string"}}]}`

func parquetSchema() *arrow.Schema {
	text, long := arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64
	field := func(name string, t arrow.DataType) arrow.Field {
		return arrow.Field{Name: name, Type: t, Nullable: true}
	}
	return arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: long},
		{Name: "user", Type: arrow.StructOf(field("user_id", text), field("seen", long))},
		field("attrs", arrow.MapOf(text, text)),
		field("counts", arrow.MapOf(text, long)),
		field("event_params", arrow.ListOf(arrow.StructOf(field("key", text), field("value", arrow.StructOf(field("string_value", text), field("int_value", long)))))),
		field("groups", arrow.MapOf(text, arrow.ListOf(text))),
		field("deep", arrow.MapOf(text, arrow.MapOf(text, arrow.StructOf(field("ids", arrow.ListOf(long)), field("note", text))))),
		field("props", text),
		field("tags", arrow.ListOf(text)),
	}, nil)
}

var (
	words = []string{"42", "7", "u-1", "plan", "user_id", "jane@example.com", "", "+14045550123", "x"}
	keys  = []string{"user_id", "plan", "42", "k-1", "gclid", "of jane"}
	ids   = []int64{42, 7, 4045550123, 0}
)

// generate makes n records with these keys of maps.
func generate(n int, keys []string) []object {
	r := rand.New(rand.NewSource(3))
	word := func() any { return words[r.Intn(len(words))] }
	id := func() any { return ids[r.Intn(len(ids))] }
	maybe := func(f func() any) any {
		if r.Intn(3) == 0 {
			return nil
		}
		return f()
	}
	many := func(f func() any) any {
		out := list{}
		for range r.Intn(3) {
			out = append(out, f())
		}
		return out
	}
	keyed := func(f func() any) any {
		out := mapping{}
		for range r.Intn(4) {
			out[keys[r.Intn(len(keys))]] = f()
		}
		return out
	}
	out := make([]object, n)
	for i := range out {
		props := word()
		switch r.Intn(4) {
		case 0:
			props = fmt.Sprintf(`{"user_id":%d,"plan":{"a":%q},"ids":[%d]}`, id(), word(), id())
		case 1:
			props = fmt.Sprintf(`[%q,{"user_id":%q}]`, word(), word())
		}
		out[i] = object{
			{"id", int64(i)},
			{"user", object{{"user_id", word()}, {"seen", maybe(id)}}},
			{"attrs", keyed(word)},
			{"counts", keyed(func() any { return maybe(id) })},
			{"event_params", many(func() any {
				return object{{"key", word()}, {"value", object{{"string_value", maybe(word)}, {"int_value", maybe(id)}}}}
			})},
			{"groups", keyed(func() any { return many(word) })},
			{"deep", keyed(func() any {
				return keyed(func() any { return object{{"ids", many(id)}, {"note", word()}} })
			})},
			{"props", props},
			{"tags", many(word)},
		}
	}
	return out
}

// asJSON appends v; entries: maps are lists of {"key","value"}.
func asJSON(b *bytes.Buffer, v any, entries bool) {
	sep := func(i int) {
		if i > 0 {
			b.WriteByte(',')
		}
	}
	switch v := v.(type) {
	case object:
		b.WriteByte('{')
		for i, m := range v {
			sep(i)
			fmt.Fprintf(b, "%q:", m.name)
			asJSON(b, m.value, entries)
		}
		b.WriteByte('}')
	case mapping:
		open, end := byte('{'), byte('}')
		if entries {
			open, end = '[', ']'
		}
		b.WriteByte(open)
		for i, k := range slices.Sorted(maps.Keys(v)) {
			sep(i)
			if entries {
				fmt.Fprintf(b, `{"key":%q,"value":`, k)
			} else {
				fmt.Fprintf(b, "%q:", k)
			}
			asJSON(b, v[k], entries)
			if entries {
				b.WriteByte('}')
			}
		}
		b.WriteByte(end)
	case list:
		b.WriteByte('[')
		for i, x := range v {
			sep(i)
			asJSON(b, x, entries)
		}
		b.WriteByte(']')
	default:
		text, _ := json.Marshal(v)
		b.Write(text)
	}
}

// asAvro is v as hamba wants it.
func asAvro(v any) any {
	switch v := v.(type) {
	case object:
		out := map[string]any{}
		for _, m := range v {
			out[m.name] = asAvro(m.value)
		}
		return out
	case mapping:
		out := map[string]any{}
		for k, x := range v {
			out[k] = asAvro(x)
		}
		return out
	case list:
		out := []any{}
		for _, x := range v {
			out = append(out, asAvro(x))
		}
		return out
	}
	return v
}

type format struct {
	name    string
	scanner scanners.Scanner
	data    []byte
}

func formats(t *testing.T, records []object) []format {
	t.Helper()
	var lines, binary bytes.Buffer
	enc, err := ocf.NewEncoder(avroSchema, &binary, ocf.WithBlockLength(16), ocf.WithCodec(ocf.Deflate))
	if err != nil {
		t.Fatal(err)
	}
	var docs []string
	for _, r := range records {
		asJSON(&lines, r, false)
		lines.WriteByte('\n')
		if err := enc.Encode(asAvro(r)); err != nil {
			t.Fatal(err)
		}
		var doc bytes.Buffer
		asJSON(&doc, r, true)
		docs = append(docs, doc.String())
	}
	if err := enc.Close(); err != nil {
		t.Fatal(err)
	}
	pages := scantest.Columns(t, parquetSchema(), docs, parquet.WithMaxRowGroupLength(64), parquet.WithDataPageSize(1<<10), parquet.WithDictionaryDefault(false), parquet.WithDictionaryFor("user.user_id", true))
	return []format{{"jsonl", jsonl.Scanner{}, lines.Bytes()}, {"avro", avro.Scanner{}, binary.Bytes()}, {"parquet", columns.New(), pages}}
}

// found lists "record path needle" of each match.
func found(t *testing.T, f format, finder *scantest.Finder) []string {
	t.Helper()
	in := scanners.Input{Name: "o", Size: int64(len(f.data)), Open: func(_ context.Context, off, n int64) (io.ReadCloser, error) {
		b := f.data[off:]
		if n >= 0 {
			b = b[:min(n, int64(len(b)))]
		}
		return io.NopCloser(bytes.NewReader(b)), nil
	}}
	var out []string
	_, err := f.scanner.Scan(t.Context(), in, finder, func(r *scanners.Record) error {
		for _, m := range r.Matches {
			out = append(out, fmt.Sprintf("%d %s %d", r.Index, m.Path, m.Needle))
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %v", f.name, err)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// plainly finds the same by walking the records.
func plainly(records []object, finder *scantest.Finder) []string {
	var out []string
	var visit func(i int, path string, v any)
	leaf := func(i int, path, value string) {
		for _, m := range finder.Find(nil, path, []byte(value)) {
			out = append(out, fmt.Sprintf("%d %s %d", i, m.Path, m.Needle))
		}
	}
	visit = func(i int, path string, v any) {
		below := func(name string) string { return strings.TrimPrefix(path+"."+name, ".") }
		switch v := v.(type) {
		case object:
			for _, m := range v {
				leaf(i, path+"{}", m.name) // as a key, where JSON has no types
				visit(i, below(m.name), m.value)
			}
		case mapping:
			for k, x := range v {
				leaf(i, path+"{}", k)
				visit(i, below(k), x)
			}
		case map[string]any:
			visit(i, path, mapping(v))
		case list:
			for _, x := range v {
				visit(i, path+"[]", x)
			}
		case []any:
			visit(i, path, list(v))
		case string:
			var inner any
			if len(v) > 1 && strings.ContainsAny(v[:1], "{[") && json.Unmarshal([]byte(v), &inner) == nil {
				visit(i, path, inner)
				return
			}
			leaf(i, path, v)
		case float64:
			leaf(i, path, fmt.Sprintf("%.0f", v))
		case int64:
			leaf(i, path, fmt.Sprint(v))
		}
	}
	for i, r := range records {
		visit(i, "", r)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestFormatsAgree(t *testing.T) {
	records := generate(200, keys)
	all := formats(t, records)
	for _, tt := range []struct {
		declared, value string
		literals        []string
	}{
		{"user.user_id", "42", nil}, {"user{}", "42", nil}, {"user{}", "7", nil}, {"user.seen", "42", nil}, {"user", "42", nil},
		{"attrs{}", "42", nil}, {"attrs.user_id", "42", nil}, {"attrs.plan", "u-1", nil}, {"attrs", "42", nil}, {"attrs{}.x", "42", nil},
		{"counts{}", "42", nil}, {"counts.gclid", "7", nil}, {"counts.nobody", "7", nil},
		{"event_params[].key", "7", nil}, {"event_params[].value.string_value", "42", nil}, {"event_params[].value.int_value", "42", nil},
		{"event_params[].value{}", "42", nil}, {"event_params[]{}", "42", nil}, {"event_params{}", "42", nil}, {"event_params.value.string_value", "42", nil},
		{"groups{}[]", "42", nil}, {"groups.user_id[]", "42", nil}, {"groups{}", "42", nil}, {"groups[]", "42", nil},
		{"deep{}{}.ids[]", "42", nil}, {"deep.plan{}.ids[]", "42", nil}, {"deep{}.user_id.ids[]", "7", nil}, {"deep.plan{}.note", "42", nil}, {"deep{}{}{}", "42", nil}, {"deep{}{}{}[]", "42", nil},
		{"props", "42", nil}, {"props{}", "42", nil}, {"props.user_id", "42", nil}, {"props.plan.a", "42", nil}, {"props{}.a", "7", nil}, {"props{}[]", "42", nil}, {"props[]", "42", nil}, {"props[].user_id", "42", nil}, {"props[]{}", "42", nil},
		{"tags[]", "42", nil}, {"tags{}", "42", nil}, {"{}", "42", nil},
		{"", "", []string{"jane@example.com"}}, {"", "", []string{"4045550123"}}, {"", "", []string{"k-1"}}, {"", "", []string{"of jane"}}, {"", "", []string{"no such thing"}},
		{"attrs{}", "42", []string{"4045550123", "jane"}},
	} {
		finder := func() *scantest.Finder {
			f := &scantest.Finder{Literals: tt.literals}
			if tt.declared != "" {
				f.Values = map[string]string{tt.declared: tt.value}
			}
			return f
		}
		want := plainly(records, finder())
		for _, f := range all {
			got := found(t, f, finder())
			if !slices.Equal(got, want) {
				t.Errorf("%s: %q = %q, %q:\n got %q\nwant %q", f.name, tt.declared, tt.value, tt.literals, head(got, want), head(want, got))
			}
		}
		if tt.value != "" && !strings.Contains("user attrs attrs{}.x counts.nobody event_params{} event_params.value.string_value groups{} groups[] deep{}{}{} tags{} {}", tt.declared) && len(want) == 0 {
			t.Errorf("%s: nothing to be found", tt.declared)
		}
	}
}

// Where types tell that a name is a map's key, dots in it do no harm: it is found
// by the field that is declared by it, or by "{}".
func TestDottedKeys(t *testing.T) {
	dotted := []string{"enduser.id", "jane@example.org", "a[]", "plan"}
	all := formats(t, generate(200, dotted))[1:]
	for _, declared := range []string{"attrs{}", "attrs.enduser.id", "attrs.jane@example.org", "attrs.a[]", "groups{}[]", "groups.enduser.id[]", "deep{}{}.ids[]", "deep.enduser.id.plan.ids[]"} {
		var got [2][]string
		for i, f := range all {
			got[i] = found(t, f, &scantest.Finder{Values: map[string]string{declared: "42"}})
		}
		if len(got[0]) == 0 || !slices.Equal(got[0], got[1]) {
			t.Errorf("%s: avro %d, parquet %d", declared, len(got[0]), len(got[1]))
		}
	}
}

// head is the first of a that are not in b.
func head(a, b []string) []string {
	var out []string
	for _, s := range a {
		if !slices.Contains(b, s) && len(out) < 5 {
			out = append(out, s)
		}
	}
	return out
}
