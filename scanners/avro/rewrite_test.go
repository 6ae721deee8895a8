package avro

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hamba/avro/v2/ocf"

	"expunge/scanners"
	"expunge/scanners/scantest"
)

// zeros are what emptied values look like.
var zeros = []string{"", "0", "false", "answered", noUUID, "1970-01-01", "00:00:00", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00", "P0M0DT0.000S"}

func zero(_, is scanners.Leaf) bool {
	return is.Value == nil || slices.Contains(zeros, string(is.Value)) || strings.Trim(string(is.Value), "\x00") == ""
}

const kinds = `{"type":"record","name":"kinds","fields":[
	{"name":"d","type":{"type":"int","logicalType":"date"}},
	{"name":"t","type":["null",{"type":"long","logicalType":"timestamp-micros"}]},
	{"name":"u","type":{"type":"string","logicalType":"uuid"}},
	{"name":"m","type":{"type":"bytes","logicalType":"decimal","precision":20,"scale":2}},
	{"name":"f","type":"float"},
	{"name":"b","type":["boolean","null"]},
	{"name":"maps","type":{"type":"map","values":{"type":"map","values":["long","string"]}}},
	{"name":"lists","type":{"type":"array","items":{"type":"array","items":["null","string"]}}},
	{"name":"next","type":["null","kinds"]}]}`

func kindsOf(i int) map[string]any {
	return map[string]any{
		"d": time.Date(2026, 11, 1+i%28, 0, 0, 0, 0, time.UTC), "t": map[string]any{"long.timestamp-micros": time.UnixMicro(1790000000000000 + int64(i))},
		"u": fmt.Sprintf("00112233-4455-6677-8899-aabbccdd%04d", i), "m": big.NewRat(1234567+int64(i), 100), "f": float32(1.5), "b": map[string]any{"boolean": true},
		"maps":  map[string]any{"k1": map[string]any{"phone": map[string]any{"long": int64(14045550100 + i)}}, "k2": map[string]any{"mail": map[string]any{"string": fmt.Sprintf("jane%d@example.com", i)}}},
		"lists": []any{[]any{nil, map[string]any{"string": fmt.Sprintf("caller %d@example.org", i)}}, []any{}},
		"next":  nil,
	}
}

func TestRewriteLaws(t *testing.T) {
	var files []scantest.Copied
	for _, c := range codecs {
		var all, others []any
		for i := range 6 {
			for _, r := range calls() {
				v := r.(call)
				v.ID += int64(i)
				v.Phone = fmt.Sprintf("+1404555%04d", 100+i)
				if i%2 == 1 {
					v.Properties = fmt.Sprintf(`{"user":{"id":"u-%d"}, "deep":"[{\"phone\":1404555%04d}]"}`, 770000+i, i)
				}
				all = append(all, v)
			}
			r := kindsOf(i)
			if i%3 == 0 {
				r["next"] = map[string]any{"kinds": kindsOf(i + 500)}
			}
			others = append(others, r)
		}
		add := func(name, schema string, block int, records []any) {
			data := write(t, schema, c, block, records...)
			head := string(data[:len(write(t, schema, c, block))])
			files = append(files, scantest.Copied{Name: name + " " + string(c), Data: data, Packed: c == ocf.Null, Empty: zero, Gone: head, Stays: head})
		}
		add("calls", callSchema, 4, all)
		add("kinds", kinds, 3, others)
	}
	scantest.RunRewriter(t, Scanner{}, files)
}

func rewritten(t testing.TB, data []byte, edits ...scanners.Edit) ([]byte, scanners.Rewritten, error) {
	t.Helper()
	var spool bytes.Buffer
	out, err := Scanner{}.Rewrite(context.Background(), input(data), edits, &spool, func(*scanners.Record) error { return nil })
	if err != nil {
		return nil, out, err
	}
	return scantest.Lay(t, out.Pieces, data, spool.Bytes()), out, nil
}

// Header and blocks without an edit stay byte for byte.
func TestBlocksStay(t *testing.T) {
	for _, c := range codecs {
		var all []any
		for range 5 {
			all = append(all, calls()...)
		}
		data := write(t, callSchema, c, 3, all...)
		head := len(write(t, callSchema, c, 3))
		blockLen := (len(data) - head) / 5
		got, out, err := rewritten(t, data, scanners.Edit{Record: 7}, scanners.Edit{Record: 9}, scanners.Edit{Record: 10}, scanners.Edit{Record: 11})
		if err != nil {
			t.Fatal(err)
		}
		two := data[:head+2*blockLen]
		if !bytes.HasPrefix(got, two) || !bytes.HasSuffix(got, data[len(data)-blockLen:]) || len(out.Pieces) != 3 {
			t.Errorf("%s: %+v", c, out.Pieces)
		}
		// What another reader makes of it.
		d, err := ocf.NewDecoder(bytes.NewReader(got))
		if err != nil {
			t.Fatal(err)
		}
		var ids []int64
		for d.HasNext() {
			var v call
			if err := d.Decode(&v); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, v.ID)
		}
		if want := []int64{2145550123, 7, 8, 2145550123, 7, 8, 2145550123, 8, 2145550123, 7, 8}; d.Error() != nil || !slices.Equal(ids, want) {
			t.Errorf("%s: %d, %v", c, ids, d.Error())
		}
	}
}

func TestRedact(t *testing.T) {
	for _, c := range []struct {
		schema, record, want string // encoded
		keep                 []string
	}{
		{`"string"`, "\x06abc", "\x00", nil},
		{`"string"`, "\x06abc", "\x06abc", []string{"value"}},
		{`"string"`, "\x14{\"a\":\"bc\"}", "\x14{\"a\":null}", nil},
		{`["null","string"]`, "\x02\x06abc", "\x00", nil},
		{`["string","null"]`, "\x00\x06abc", "\x02", nil},
		{`["string","null"]`, "\x00\x06abc", "\x00\x06abc", []string{"value"}},
		{`["int","string"]`, "\x00\x0e", "\x00\x00", nil},
		{`{"type":"enum","name":"e","symbols":["a","b","c"],"default":"b"}`, "\x04", "\x02", nil},
		{`{"type":"enum","name":"e","symbols":["a","b","c"]}`, "\x04", "\x00", nil},
		{`{"type":"array","items":"int"}`, "\x04\x02\x04\x00", "\x04\x00\x00\x00", nil},
		{`{"type":"array","items":"int"}`, "\x04\x02\x04\x00", "\x04\x02\x04\x00", []string{"value[]"}},
		{`{"type":"array","items":"string"}`, "\x01\x08\x06abc\x02\x06def\x00", "\x01\x02\x00\x02\x00\x00", nil}, // a run whose bytes are told
		{`{"type":"map","values":"int"}`, "\x04\x02a\x02\x02b\x04\x00", "\x04\x02a\x02\x02b\x00\x00", []string{"value.a"}},
		{`{"type":"map","values":"int"}`, "\x03\x0c\x02a\x02\x02b\x04\x00", "\x03\x0c\x02a\x02\x02b\x04\x00", []string{"value{}"}},
		{`{"type":"fixed","name":"f","size":3}`, "abc", "\x00\x00\x00", nil},
		{`{"type":"bytes","logicalType":"decimal","precision":4}`, "\x04\x01\x02", "\x02\x00", nil},
		{`{"type":"record","name":"r","fields":[{"name":"a","type":"double"},{"name":"n","type":["null","r"]}]}`, "\x01\x02\x03\x04\x05\x06\x07\x08\x02\x01\x02\x03\x04\x05\x06\x07\x08\x00",
			"\x00\x00\x00\x00\x00\x00\x00\x00\x02\x01\x02\x03\x04\x05\x06\x07\x08\x00", []string{"n.a"}},
	} {
		data := []byte(frame(c.schema, "null", block(1, int64(len(c.record)), c.record)))
		want := frame(c.schema, "null", block(1, int64(len(c.want)), c.want))
		got, _, err := rewritten(t, data, scanners.Edit{Redact: true, Keep: c.keep})
		if err != nil || string(got) != string(want) {
			t.Errorf("%s but %q: %v\n got %q\nwant %q", c.schema, c.keep, err, got, want)
		}
	}
	// Keys that a caller knows for values.
	record := "\x02\x0aJane!\x02\x00"
	data := []byte(frame(`{"type":"map","values":"int"}`, "null", block(1, int64(len(record)), record)))
	got, _, err := rewritten(t, data, scanners.Edit{Redact: true, Keep: []string{"none"}, Spans: func(path string, text []byte) ([]scanners.Span, bool) {
		return []scanners.Span{{Start: 0, End: 4}}, path == "value{}"
	}})
	if err != nil || !bytes.Contains(got, []byte("\x02\x16[redacted]!\x00\x00")) {
		t.Errorf("%q, %v", got, err)
	}
}

// bzip2 cannot be written: blocks go or stay whole.
func TestBzip2(t *testing.T) {
	packed := "\x42\x5a\x68\x39\x31\x41\x59\x26\x53\x59\x59\x22\x56\xac\x00\x00\x00\x41\x00\x04\x00\x30\x00\x20\x00\x21\x98\x19\x84\x61\x77\x24\x53\x85\x09\x05\x92\x25\x6a\xc0"
	one := block(1, int64(len(packed)), packed)
	data := []byte(frame(`"string"`, "bzip2", one, one))
	got, _, err := rewritten(t, data, scanners.Edit{Record: 1})
	if err != nil || string(got) != string(frame(`"string"`, "bzip2", one)) {
		t.Errorf("%q, %v", got, err)
	}
	_, _, err = rewritten(t, data, scanners.Edit{Record: 1, Redact: true})
	if ref := (*scanners.Refusal)(nil); !errors.As(err, &ref) || ref.Code != scanners.Unsupported {
		t.Error(err)
	}
}

func TestRewriteMemory(t *testing.T) {
	var all []any
	for range 300 {
		all = append(all, calls()...)
	}
	data := write(t, callSchema, ocf.Null, 900, all...)
	head := write(t, callSchema, ocf.Null, 900)
	doc := slices.Concat(head, bytes.Repeat(data[len(head):], 300))
	var edits []scanners.Edit
	for i := int64(0); i < 900*300; i += 10_000 {
		edits = append(edits, scanners.Edit{Record: i, Redact: i%20_000 == 0})
	}
	scantest.BoundedRewrite(t, Scanner{}, input(doc), edits, 900*300, 8<<20)
}

func FuzzRewrite(f *testing.F) {
	for _, c := range codecs {
		f.Add(write(f, callSchema, c, 2, calls()...), uint64(0x39), "visitor.ids")
	}
	f.Add([]byte(frame(`["null",{"type":"record","name":"n","fields":[{"name":"n","type":["null","n"]}]}]`, "null", block(1, 3, "\x02\x02\x00"))), uint64(2), "n")
	f.Fuzz(func(t *testing.T, data []byte, bits uint64, keep string) {
		scantest.FuzzRewriter(t, Scanner{}, scantest.Copied{Data: data, Empty: func(scanners.Leaf, scanners.Leaf) bool { return true }}, bits, keep)
	})
}
