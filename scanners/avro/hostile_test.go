package avro

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/hamba/avro/v2"
	"github.com/hamba/avro/v2/ocf"

	"expunge/scanners"
	"expunge/scanners/scantest"
)

// frame makes a file by hand: what no writer would write.
func frame(schema, codec string, blocks ...[]byte) []byte {
	long := func(b []byte, v int) []byte { return binary.AppendVarint(b, int64(v)) }
	b := long([]byte("Obj\x01"), 2)
	for _, s := range []string{schemaKey, schema, codecKey, codec} {
		b = append(long(b, len(s)), s...)
	}
	b = append(long(b, 0), "0123456789abcdef"...)
	for _, x := range blocks {
		b = append(append(b, x...), "0123456789abcdef"...)
	}
	return b
}

// block is the beginning of a block, and its data.
func block(count, size int64, data string) []byte {
	return append(binary.AppendVarint(binary.AppendVarint(nil, count), size), data...)
}

func TestHostile(t *testing.T) {
	const nulls, texts = `{"type":"array","items":"null"}`, `"string"`
	many := string(binary.AppendVarint(nil, 1<<60))
	deep := strings.Repeat(`{"type":"array","items":`, 300) + `"long"` + strings.Repeat("}", 300)
	for _, c := range []struct {
		name string
		data []byte
		want scanners.Code
	}{
		{"not avro", []byte("PAR1PAR1PAR1"), scanners.Corrupt},
		{"empty", nil, scanners.Truncated},
		{"codec", frame(texts, "xz"), scanners.Unsupported},
		{"schema", frame(`{"type":"recrd"}`, "null"), scanners.Unsupported},
		{"deep schema", frame(strings.Repeat(`{"type":"array","items":`, 1e5), "null"), scanners.TooLarge},
		{"deep values", frame(deep, "null", block(1, 300, strings.Repeat("\x02", 300))), scanners.TooLarge},
		{"endless list", frame(nulls, "null", block(1, int64(len(many)), many)), scanners.TooLarge},
		{"list of negative length", frame(nulls, "null", block(1, 11, string(binary.AppendVarint(nil, -1<<63))+"\x00")), scanners.Corrupt},
		{"records without bytes", frame(`"null"`, "null", block(1<<40, 0, "")), scanners.Corrupt},
		{"record beyond its block", frame(texts, "null", block(2, 3, "\x04ab")), scanners.Corrupt},
		{"text beyond its block", frame(texts, "null", block(1, 3, "\x06ab")), scanners.Corrupt},
		{"text of negative length", frame(texts, "null", block(1, 3, "\x03ab")), scanners.Corrupt},
		{"bytes left over", frame(texts, "null", block(1, 4, "\x04abc")), scanners.Corrupt},
		{"bytes without records", frame(texts, "null", block(0, 3, "\x04ab"), block(1, 3, "\x04ab")), scanners.Corrupt},
		{"negative count", frame(texts, "null", block(-1, 3, "\x04ab")), scanners.Corrupt},
		{"negative size", frame(texts, "null", block(1, -3, "")), scanners.Corrupt},
		{"size that is not there", frame(texts, "null", block(1, 200<<20, "\x04ab")), scanners.Truncated},
		{"size that is too much", frame(texts, "null", block(1, 1<<50, "\x04ab")), scanners.TooLarge},
		{"snappy of a great length", frame(texts, "snappy", block(1, 9, "\xff\xff\xff\x7f\x00\x00\x00\x00\x00")), scanners.TooLarge},
		{"snappy with a wrong checksum", frame(texts, "snappy", block(1, 9, "\x03\x08\x04ab\x00\x00\x00\x00")), scanners.Corrupt},
		{"union", frame(`["null","string"]`, "null", block(1, 1, "\x06")), scanners.Corrupt},
		{"enum", frame(`{"type":"enum","name":"e","symbols":["A"]}`, "null", block(1, 1, "\x02")), scanners.Corrupt},
		{"boolean", frame(`"boolean"`, "null", block(1, 1, "\x02")), scanners.Corrupt},
		{"int", frame(`"int"`, "null", block(1, 6, string(binary.AppendVarint(nil, 1<<40)))), scanners.Corrupt},
		{"sync", append(frame(texts, "null", block(1, 3, "\x04ab")), append(block(1, 3, "\x04ab"), "0123456789abcdeF"...)...), scanners.Corrupt},
	} {
		_, _, _, err := scanAll(c.data, &scantest.Finder{})
		if ref := (*scanners.Refusal)(nil); !errors.As(err, &ref) || ref.Code != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}

// An empty block ends nothing, and both values of a repeated key are there.
func TestOdd(t *testing.T) {
	schema := `{"type":"map","values":"string"}`
	data := frame(schema, "deflate", block(0, 0, ""))
	if _, _, stats, err := scanAll(data, &scantest.Finder{}); err != nil || stats.Records != 0 {
		t.Errorf("empty block: %v %+v", err, stats)
	}
	twice := "\x04\x02a\x04xy\x02a\x04zw\x00"
	data = frame(schema, "null", block(0, 0, ""), block(1, int64(len(twice)), twice))
	docs, leaves, _, err := scanAll(data, &scantest.Finder{})
	if err != nil || len(docs) != 1 || docs[0] != `{"value":[{"key":"a","value":"xy"},{"key":"a","value":"zw"}]}` || len(leaves[0]) != 2 || string(leaves[0][1].Value) != "zw" {
		t.Errorf("%v: %q %v", err, docs, leaves)
	}
	sized := "\x01\x0a\x02a\x04xy\x00" // a run of one entry that says its bytes
	docs, _, _, err = scanAll(frame(schema, "null", block(1, int64(len(sized)), sized)), &scantest.Finder{})
	if err != nil || len(docs) != 1 || docs[0] != `{"value":[{"key":"a","value":"xy"}]}` {
		t.Errorf("%v: %q", err, docs)
	}
}

// Codecs and habits of writers that hamba does not have: bzip2, and Python's
// deflate, which leaves a part of zlib's checksum behind.
func TestForeign(t *testing.T) {
	for codec, data := range map[string]string{
		"bzip2":   "\x42\x5a\x68\x39\x31\x41\x59\x26\x53\x59\x59\x22\x56\xac\x00\x00\x00\x41\x00\x04\x00\x30\x00\x20\x00\x21\x98\x19\x84\x61\x77\x24\x53\x85\x09\x05\x92\x25\x6a\xc0",
		"deflate": "\x63\x49\x4c\x02\x00\x01\x33\x00",
	} {
		docs, _, stats, err := scanAll(frame(`"string"`, codec, block(1, int64(len(data)), data)), &scantest.Finder{})
		if err != nil || stats.Records != 1 || len(docs) != 1 || docs[0] != `{"value":"ab"}` {
			t.Errorf("%s: %v, %q", codec, err, docs)
		}
	}
}

// plain is what hamba decoded, without the wrappers of unions, as JSON has it.
func plain(s avro.Schema, v any) any {
	if r, ok := s.(*avro.RefSchema); ok {
		s = r.Schema()
	}
	switch s := s.(type) {
	case *avro.RecordSchema:
		out := map[string]any{}
		for _, f := range s.Fields() {
			out[f.Name()] = plain(f.Type(), v.(map[string]any)[f.Name()])
		}
		return out
	case *avro.UnionSchema:
		if m, ok := v.(map[string]any); ok {
			for name, x := range m {
				branch, _ := s.Types().Get(name)
				return plain(branch, x)
			}
		}
		return v
	case *avro.ArraySchema:
		out := []any{}
		for _, x := range v.([]any) {
			out = append(out, plain(s.Items(), x))
		}
		return out
	case *avro.MapSchema:
		out := []any{}
		for k, x := range v.(map[string]any) {
			out = append(out, map[string]any{"key": k, "value": plain(s.Values(), x)})
		}
		return out
	case *avro.FixedSchema:
		key := v.([4]byte)
		return base64.StdEncoding.EncodeToString(key[:])
	}
	if b, ok := v.([]byte); ok {
		return base64.StdEncoding.EncodeToString(b)
	}
	return v
}

// hamba's own reader agrees on files that it reads right.
func TestAgainstHamba(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	alphabet := []rune("ab\"\\{}[]:1é\n\x00+")
	text := func() string {
		b := make([]rune, r.Intn(12))
		for i := range b {
			b[i] = alphabet[r.Intn(len(alphabet))]
		}
		return string(b)
	}
	var records []any
	for range 300 {
		c := call{ID: r.Int63() - r.Int63(), Phone: text(), State: "missed", Score: r.NormFloat64() * 1e9, Blob: []byte(text()), Properties: text()}
		r.Read(c.Key[:])
		if r.Intn(2) == 0 {
			s := text()
			c.Email = &s
		}
		for range r.Intn(3) {
			c.Visitor.IDs = append(c.Visitor.IDs, vid{text()}, vid{r.Int63()})
		}
		c.Params = map[string]string{}
		for range r.Intn(3) {
			c.Params[text()] = text()
		}
		records = append(records, c)
	}
	for _, codec := range codecs {
		data := write(t, callSchema, codec, 7, records...)
		docs, _, _, err := scanAll(data, &scantest.Finder{})
		if err != nil {
			t.Fatal(err)
		}
		d, err := ocf.NewDecoder(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for ; d.HasNext(); n++ {
			var v any
			if err := d.Decode(&v); err != nil {
				t.Fatal(err)
			}
			want, err := json.Marshal(plain(d.Schema(), v))
			if err != nil || n >= len(docs) {
				t.Fatal(err, n, len(docs))
			}
			if got, want := canonical(t, []byte(docs[n])), canonical(t, want); got != want {
				t.Fatalf("%s record %d:\n got %s\nwant %s", codec, n, got, want)
			}
		}
		if n != len(docs) || n != len(records) {
			t.Errorf("%s: %d records, hamba reads %d of %d", codec, len(docs), n, len(records))
		}
	}
}

// canonical sorts keys, those of maps too, and keeps the digits of numbers, but for their exponents.
func canonical(t *testing.T, doc []byte) string {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, doc)
	}
	if entries, ok := v.(map[string]any)["params"].([]any); ok {
		slices.SortFunc(entries, func(a, b any) int {
			return strings.Compare(a.(map[string]any)["key"].(string), b.(map[string]any)["key"].(string))
		})
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// Whatever the bytes: no panic, a refusal or all records, and those as JSON.
func FuzzScan(f *testing.F) {
	for _, c := range codecs {
		f.Add(write(f, callSchema, c, 2, calls()...))
	}
	f.Add(frame(`["null",{"type":"record","name":"n","fields":[{"name":"n","type":["null","n"]}]}]`, "null", block(1, 3, "\x02\x02\x00")))
	f.Fuzz(func(t *testing.T, data []byte) {
		docs, _, stats, err := scanAll(data, &scantest.Finder{Literals: []string{"4045550123"}, Values: map[string]string{"id": "7"}})
		ref := (*scanners.Refusal)(nil)
		if err != nil && (!errors.As(err, &ref) || ref.Code == scanners.Crashed) {
			t.Fatal(err)
		}
		if int64(len(docs)) < stats.Records {
			t.Fatalf("%d records of %d came", len(docs), stats.Records)
		}
		for _, d := range docs {
			if !json.Valid([]byte(d)) {
				t.Fatalf("not JSON: %q", d)
			}
		}
	})
}
