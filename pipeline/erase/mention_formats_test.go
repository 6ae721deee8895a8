package erase_test

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/hamba/avro/v2/ocf"
	"github.com/parquet-go/parquet-go"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/scanners"
	"expunge/scanners/avro"
	"expunge/scanners/csv"
	"expunge/scanners/json"
	parquetscan "expunge/scanners/parquet"
	textscan "expunge/scanners/text"
)

// turn is a record of a transcript, in formats that have types.
type turn struct {
	ID    int64             `parquet:"id" avro:"id"`
	Said  string            `parquet:"said,dict" avro:"said"`
	Other *string           `parquet:"other,optional" avro:"other"`
	Tags  []string          `parquet:"tags,list" avro:"tags"`
	Attrs map[string]string `parquet:"attrs" avro:"attrs"`
	Phone int64             `parquet:"phone" avro:"phone"`
	Score float64           `parquet:"score" avro:"score"`
	Empty string            `parquet:"empty" avro:"empty"`
}

func turns() []turn {
	other := "no, ann@example.com!"
	return []turn{
		{ID: 0, Said: "hello", Tags: []string{"a"}, Attrs: map[string]string{"k": "v"}, Phone: 5, Score: 0.5},
		{ID: 1, Said: "write to ann@example.com", Other: &other, Tags: []string{"x", "for ann@example.com", ""}, Attrs: map[string]string{"k": `{"a":"by ann@example.com","b":[0,true]}`}, Phone: 14045550123, Score: 4.25},
		{ID: 2, Said: "ann@example.com, whom nobody asked about here", Tags: []string{}, Attrs: map[string]string{}, Phone: 14045550123},
	}
}

func parquetOf(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[turn](&b)
	if _, err := w.Write(turns()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func avroOf(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	w, err := ocf.NewEncoder(`{"type":"record","name":"turn","fields":[{"name":"id","type":"long"},{"name":"said","type":"string"},{"name":"other","type":["null","string"]},
		{"name":"tags","type":{"type":"array","items":"string"}},{"name":"attrs","type":{"type":"map","values":"string"}},{"name":"phone","type":"long"},{"name":"score","type":"double"},{"name":"empty","type":"string"}]}`, &b)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range turns() {
		if err := w.Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// leavesOf are the records of an object: their bytes, and their leaves as text.
func leavesOf(t *testing.T, s scanners.Scanner, content string) (raw [][]byte, leaves [][]string) {
	t.Helper()
	in := scanners.Input{Name: "o", Size: int64(len(content)), Every: true, Open: func(_ context.Context, off, n int64) (io.ReadCloser, error) {
		if n < 0 {
			n = int64(len(content)) - off
		}
		return io.NopCloser(strings.NewReader(content[off:min(off+n, int64(len(content)))])), nil
	}}
	_, err := s.Scan(t.Context(), in, scanners.Nothing{}, func(r *scanners.Record) error {
		raw = append(raw, bytes.Clone(r.Raw))
		var of []string
		for _, l := range r.Leaves {
			value := "null"
			if l.Value != nil {
				value = "=" + string(l.Value)
			}
			of = append(of, l.Path+" "+value)
		}
		leaves = append(leaves, of)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return raw, leaves
}

// In every format a mention is cut out of the texts of its record, and all other values
// stay what they were, those of other types and of other records.
func TestMentionsInFormats(t *testing.T) {
	for _, c := range []struct {
		name, content string
		scanner       scanners.Scanner
	}{
		{"csv", "id,said,n\n0,hello,1\n1,\"write \"\"to\"\" ann@example.com, or so\",0.50\n2,ann@example.com too,\n", csv.New()},
		{"json", `[{"id":0}, {"id":1,"said":"write to ann\u0040example.com","n":[0.50,null]},{"id":2,"said":"ann@example.com too"}]`, json.Scanner{}},
		{"text", "hello\nwrite to ann@example.com, please\nann@example.com too\n", textscan.Scanner{}},
		{"parquet", parquetOf(t), parquetscan.New()},
		{"avro", avroOf(t), avro.Scanner{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, false)
			w.dataset.Search, w.scanner = true, c.scanner
			w.dataset.Fields = []pipeline.Field{{Path: "phone", Text: true}}
			raw, was := leavesOf(t, c.scanner, c.content)
			var lines []string
			for _, r := range raw {
				lines = append(lines, string(r))
			}
			o := w.lake.Overwrite("o", []byte(c.content))
			w.mention(o, lines, "R-1", 1)
			out := w.mustErase()
			if e := out["o replace "]; e.Redacted != 1 || e.Reason != "" {
				t.Fatalf("%+v", e)
			}
			_, is := leavesOf(t, c.scanner, read(t, w.lake, connectors.Ref{Store: "lake", Key: "o"}))
			for i := range was[1] {
				was[1][i] = strings.ReplaceAll(was[1][i], "ann@example.com", scanners.Redacted)
				was[1][i] = strings.ReplaceAll(was[1][i], "phone =14045550123", "phone =0")
			}
			for i := range was {
				if !slices.Equal(was[i], is[i]) {
					t.Errorf("record %d\n is %q\nnot %q", i, is[i], was[i])
				}
			}
		})
	}
}
