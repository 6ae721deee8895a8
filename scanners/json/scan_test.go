package json

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"expunge/scanners"
	"expunge/scanners/scantest"
)

func TestScan(t *testing.T) {
	for _, c := range []struct {
		doc     string
		want    []string
		records int64
		code    scanners.Code
	}{
		{`[{"a":"needle"}, {"a":1},` + "\n" + `"needle", ["needle"]]`, []string{"0 a", "2 value", "3 value[]"}, 4, ""},
		{"{\n \"a\": {\"b\": \"needle\"}\n}\n{\"c\":1}{\"d\":\"needle\"}", []string{"0 a.b", "2 d"}, 3, ""},
		{"\xef\xbb\xbf[]", nil, 0, ""}, {"", nil, 0, ""}, {" [1,2]\n[\"needle\"] ", []string{"2 value"}, 3, ""},
		{`{"a":"}{\"needle\\"}`, []string{"0 a"}, 1, ""}, {`42`, nil, 1, ""}, {`"needle"`, []string{"0 value"}, 1, ""},
		{`[{"a":"needle"},{"a":`, []string{"0 a"}, 1, scanners.Truncated}, {`[{"a":"needle"}`, []string{"0 a"}, 1, scanners.Truncated},
		{`[{"a":"needle"}] x`, []string{"0 a"}, 2, scanners.Corrupt}, {`[1 2]`, nil, 1, scanners.Corrupt}, {`[1,]`, nil, 1, scanners.Corrupt},
		{`[,1]`, nil, 0, scanners.Corrupt}, {`]`, nil, 0, scanners.Corrupt}, {`{} }`, nil, 1, scanners.Corrupt}, {`"abc`, nil, 0, scanners.Truncated},
		{`[{"a":needle}]`, []string{"0  suspect"}, 1, ""}, {`{"a" 1}`, nil, 1, ""},
	} {
		got, docs, stats, err := (&scantest.Single{Needle: "needle"}).Found(t, Scanner{}, scantest.Text(c.doc), c.doc)
		r := &scanners.Refusal{}
		errors.As(err, &r)
		if !slices.Equal(got, c.want) || stats.Records != c.records || r.Code != c.code {
			t.Errorf("%s: %q %+v %v", c.doc, got, stats, err)
		}
		for _, d := range docs {
			if d != "" && !json.Valid([]byte(d)) {
				t.Errorf("Doc %s", d)
			}
		}
	}
}

func TestEdges(t *testing.T) {
	var b strings.Builder
	b.WriteString("[")
	for i := range 30_000 {
		if i > 0 {
			b.WriteString(",\n")
		}
		fmt.Fprintf(&b, `{"n":%d,"id":%d,"t":"%s"}`, i, i%100, strings.Repeat(`\"x`, i%50))
	}
	doc := b.String() + "]\n"
	f := &scantest.Single{Paths: []string{"id"}, Value: "42"}
	whole, _, stats, err := f.Found(t, Scanner{}, scantest.Text(doc), doc)
	if err != nil || stats.Records != 30_000 || len(whole) != 300 || len(f.Edges) < 4 {
		t.Fatal(stats, len(whole), len(f.Edges), err)
	}
	// A later scan may begin at any boundary.
	var got []string
	from, record := int64(0), int64(0)
	for i, edge := range f.Edges {
		in := scantest.Text(doc)
		in.Part = scanners.Part{Off: from, Len: edge - from, Record: record}
		if in.Part.Len == 0 {
			continue
		}
		out, _, stats, err := (&scantest.Single{Paths: []string{"id"}, Value: "42"}).Found(t, Scanner{}, in, doc)
		if err != nil || record+stats.Records != f.Counts[i] {
			t.Fatal(stats, err)
		}
		got = append(got, out...)
		from, record = edge, record+stats.Records
	}
	if !slices.Equal(got, whole) {
		t.Errorf("%d records by parts, %d by the whole", len(got), len(whole))
	}
}

func FuzzScan(f *testing.F) {
	for _, s := range []string{`[{"a":"needle"},1]`, `{"a":1} {"needle":2}`, `["a","\"needle"]`, `[[1],[[]]]`, ` 1 2 `, `{"a":"\\"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		if strings.Contains(doc, `\needle`) { // "\n" is a line end there
			return
		}
		find := &scantest.Single{Needle: "needle"}
		got, _, stats, err := find.Found(t, Scanner{}, scantest.Text(doc), doc)
		if r := (*scanners.Refusal)(nil); err != nil && (!errors.As(err, &r) || r.Code == scanners.Crashed) {
			t.Fatal(err)
		}
		// The slow way: encoding/json's decoder.
		var want, hits int64
		d := json.NewDecoder(bytes.NewReader([]byte(doc)))
		for {
			var v json.RawMessage
			if e := d.Decode(&v); e == io.EOF {
				break
			} else if e != nil {
				return
			}
			elements := []json.RawMessage{v}
			if v[0] == '[' {
				elements = nil
				_ = json.Unmarshal(v, &elements)
			}
			for _, e := range elements {
				want++
				if bytes.Contains(e, []byte("needle")) {
					hits++
				}
			}
		}
		if err == nil && (stats.Records != want || int64(len(got)) < hits) {
			t.Fatalf("%q: %d records, want %d; %d hits, want %d", doc, stats.Records, want, len(got), hits)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	const call = `{"id":"CAL8154748ae6bd4e278a7cddd38a662f4f","customer_phone_number":"+14045550123","duration":13,"answered":true,"start_time":"2026-11-20T09:00:00Z",` +
		`"tracking_phone_number":"+14045550199","user_id":"4711","visitor":{"ids":[{"value":"ab"}]},"landing_page_url":"https://example.com/?a=1\u0026b=2","note":null}`
	const turn = `{"speaker":"agent","start":12.5,"text":"Thank you for calling, this call may be recorded for quality. How can I help you today, and is this the best number to reach you?"}`
	for name, element := range map[string]string{"calls": call, "transcripts": turn} {
		b.Run(name, func(b *testing.B) {
			scantest.Bench(b, Scanner{}, "["+strings.Repeat(element+",\n", 20_000)+element+"]")
		})
	}
}
