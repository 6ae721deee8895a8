package csv

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"expunge/scanners"
	"expunge/scanners/scantest"
)

func TestScan(t *testing.T) {
	no := false
	for _, c := range []struct {
		doc     string
		layout  scanners.Layout
		want    []string
		records int64
		bad     int64
		code    scanners.Code
	}{
		{doc: "a,b\r\n1,needle\n\n\r\n\"x\ny\",\"ne\"\nneedle,", want: []string{"0 b", "2 a"}, records: 3},
		{doc: "\xef\xbb\xbf\"\"\"FROM\"\"\",b,b,\n1,2,needle,needle\n", want: []string{"0 b__2 _4"}, records: 1},
		{doc: "a, b ,c\n1,needle, needle\n", want: []string{"0 b c"}, records: 1},
		{doc: "b, b\n1,needle\n", want: []string{"0  b"}, records: 1},                         // two columns, and only the blank tells them apart
		{doc: "a,\" b\", \"c\"\n1,needle,needle\n", want: []string{"0  b \"c\""}, records: 1}, // what is quoted is meant
		{doc: "a, ,c\n1,needle,3\n", want: []string{"0  "}, records: 1},
		{doc: "\"\"\"FROM\"\"\";b\nneedle;2", want: []string{`0 "FROM"`}, records: 1},
		{doc: "a|b\nneedle|\"x|\"\"y\"\"\nz\"\n", want: []string{"0 a"}, records: 1},
		{doc: "a,b\n1,\"{\"\"u\"\":{\"\"v\"\":\"\"needle\"\"}}\"\n", want: []string{"0 b.u.v"}, records: 1},
		{doc: "a,b\nneedle\n1,2,\n1,needle,needle\n1,2,3\n", want: []string{"0 a", "2  b _3 suspect"}, records: 4, bad: 4},
		{doc: "a,b\nx \"needle\" y,2\n", want: []string{"0 a"}, records: 1},
		{doc: "a,b\n\"x\"needle,2\n", want: []string{"0  a suspect"}, records: 1, bad: 1},
		{doc: "a,b\n1,needle\n2,\"x\n3,4\n", want: []string{"0 b"}, records: 1, code: scanners.Truncated},
		{doc: "a\tb\n\"x\ty\"\tneedle\n", want: []string{"0 b"}, records: 1},
		{doc: "1\t{\"u\":\"needle\"}\n\"open\tneedle\n\"q\"\"needle\"\tz\n", layout: scanners.Layout{Columns: []string{"a", "b"}}, want: []string{"0 b.u", "1 b", "2 a"}, records: 3},
		{doc: "needle,2\n", layout: scanners.Layout{Header: &no}, want: []string{"0 _1"}, records: 1},
		{doc: "a\nneedle", want: []string{"0 a"}, records: 1}, {doc: ""}, {doc: "a,b"}, {doc: "\n\na,b\n1,needle", want: []string{"0 b"}, records: 1},
	} {
		got, docs, stats, err := (&scantest.Single{Needle: "needle"}).Found(t, New(), input2(c.doc, c.layout), c.doc)
		r := &scanners.Refusal{}
		errors.As(err, &r)
		if !slices.Equal(got, c.want) || stats.Records != c.records || stats.Malformed != c.bad || r.Code != c.code {
			t.Errorf("%q: %q %+v %v", c.doc, got, stats, err)
		}
		for _, d := range docs {
			if d != "" && !json.Valid([]byte(d)) {
				t.Errorf("Doc %s", d)
			}
		}
	}
}

func input2(doc string, l scanners.Layout) scanners.Input {
	in := scantest.Text(doc)
	in.Layout = l
	return in
}

func TestFields(t *testing.T) {
	doc := "id,user_id,props\n1,42,\n42,1,\n3,\"42\",x\n4,,\"{\"\"user_id\"\":42}\"\n5,1,2,42\n42\n"
	f := &scantest.Single{Paths: []string{"user_id", "props.user_id", "_4"}, Value: "42"}
	got, _, _, err := f.Found(t, New(), scantest.Text(doc), doc)
	if want := []string{"0 user_id", "2 user_id", "3 props.user_id", "4 _4 suspect"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q %v", got, err)
	}
}

// TestHeaderIsSearched: what stands in the record that names the columns is not lost,
// but neither is it taken for one record's.
func TestHeaderIsSearched(t *testing.T) {
	no := false
	for _, c := range []struct {
		doc    string
		layout scanners.Layout
		field  bool // a short value of a declared field, which only equality finds
		want   []string
		code   scanners.Code
	}{
		{doc: "17,needle,x\n", want: []string{"-1 (header) review"}},
		{doc: "\xef\xbb\xbf17,\"a needle\",x\n18,y,z", want: []string{"-1 (header) review"}},
		{doc: "\n\nneedle\nneedle\n", want: []string{"-1 (header) review", "0 needle exact"}},
		{doc: "id,x\n1,needle\n", want: []string{"0 x exact"}},
		{doc: "17,needle,x\n", layout: scanners.Layout{Header: &no}, want: []string{"0 _2 exact"}},
		{doc: "17,needle,x\n", layout: scanners.Layout{Columns: []string{"a", "b", "c"}}, want: []string{"0 b exact"}},
		{doc: "42,b\n1,2\n", field: true, want: []string{"-1 user_id review"}},
		{doc: "42,b\n", field: true, want: []string{"-1 user_id review"}},
		{doc: "a,b\r1,needle\r2,3\r", code: scanners.Unsupported},
		{doc: "a,\"b\"\r1,needle\r", code: scanners.Unsupported},
		{doc: "\"a\",b\r1,needle\r", code: scanners.Unsupported},
		{doc: "\"a\rz\",b\r\n1,needle\r\n", want: []string{"0 b exact"}},
	} {
		f := &scantest.Finder{Literals: []string{"needle"}}
		if c.field {
			f = &scantest.Finder{Values: map[string]string{"user_id": "42"}}
		}
		var got []string
		_, err := New().Scan(t.Context(), input2(c.doc, c.layout), f, func(r *scanners.Record) error {
			for _, m := range r.Matches {
				got = append(got, fmt.Sprint(r.Index, " ", m.Path, " ", m.Tier))
			}
			return nil
		})
		r := &scanners.Refusal{}
		errors.As(err, &r)
		if !slices.Equal(got, c.want) || r.Code != c.code {
			t.Errorf("%q: %q %v", c.doc, got, err)
		}
		if c.layout.Header == nil && c.code == "" && (len(f.Probed) == 0 || !strings.Contains(c.doc, string(f.Probed[0]))) {
			t.Errorf("%q: the header was not probed", c.doc)
		}
	}
}

// TestNumbersInCells: a number that only looks broken is the one that is meant.
func TestNumbersInCells(t *testing.T) {
	doc := "id,user_id,x\n1,42.0,\n2,4.2e1,\n3,42.5,\n4,,42.0\n5,42.00,\n"
	f := &scantest.Single{Paths: []string{"user_id"}, Value: "42"}
	got, _, _, err := f.Found(t, New(), scantest.Text(doc), doc)
	if want := []string{"0 user_id", "1 user_id", "4 user_id"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q %v", got, err)
	}
	f = &scantest.Single{Paths: []string{"user_id"}, Value: "42.0"} // or just as it is written
	if got, _, _, err = f.Found(t, New(), scantest.Text(doc), doc); err != nil || !slices.Equal(got, []string{"0 user_id"}) {
		t.Errorf("%q %v", got, err)
	}
}

func TestEdges(t *testing.T) {
	var b strings.Builder
	b.WriteString("n,id,t\n")
	for i := range 30_000 {
		fmt.Fprintf(&b, "%d,%d,\"%s\"\n", i, i%100, strings.Repeat("\n\"\",", i%30))
	}
	doc := b.String()
	f := &scantest.Single{Paths: []string{"id"}, Value: "42"}
	whole, _, stats, err := f.Found(t, New(), scantest.Text(doc), doc)
	if err != nil || stats.Records != 30_000 || stats.Malformed != 0 || len(whole) != 300 || len(f.Edges) < 4 {
		t.Fatal(stats, len(whole), len(f.Edges), err)
	}
	var got []string
	from, record := int64(0), int64(0)
	for i, edge := range f.Edges {
		in := scantest.Text(doc)
		in.Part = scanners.Part{Off: from, Len: edge - from, Record: record}
		if in.Part.Len == 0 {
			continue
		}
		out, _, stats, err := (&scantest.Single{Paths: []string{"id"}, Value: "42"}).Found(t, New(), in, doc)
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
	for _, s := range []string{"a,b\n1,needle\n", "a,b\r\n\"x\n\",\"needle\"\"\"\n", "\"a\"\n\"needle\"", "a\n\nneedle\n", "a,b\nx\"y,needle\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		in := input2(doc, scanners.Layout{Delimiter: ','})
		got, _, stats, err := (&scantest.Single{Needle: "needle"}).Found(t, New(), in, doc)
		if r := (*scanners.Refusal)(nil); err != nil && (!errors.As(err, &r) || r.Code == scanners.Crashed) {
			t.Fatal(err)
		}
		// encoding/csv takes "\r" in quoted fields and a mark in the first cell otherwise.
		r := csv.NewReader(strings.NewReader(doc))
		rows, e := r.ReadAll()
		if e != nil || err != nil || len(rows) == 0 || strings.ContainsAny(doc, "\r\x1f(B7PRL") || strings.HasPrefix(doc, "\xef") {
			return
		}
		hits := 0
		for _, row := range rows[1:] {
			if slices.ContainsFunc(row, func(s string) bool { return strings.Contains(s, "needle") }) {
				hits++
			}
		}
		if stats.Records != int64(len(rows)-1) || len(got) != hits {
			t.Fatalf("%q: %d records, want %d; %d hits, want %d", doc, stats.Records, len(rows)-1, len(got), hits)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	const plain = `CAL8154748ae6bd4e278a7cddd38a662f4f,+14045550123,13,true,2026-11-20T09:00:00Z,+14045550199,4711,https://example.com/?a=1&b=2,` + "\n"
	const quoted = `CAL8154748ae6bd4e278a7cddd38a662f4f,+14045550123,13,true,2026-11-20T09:00:00Z,+14045550199,4711,"asked about ""spring"" prices, twice"` + "\n"
	for name, line := range map[string]string{"plain": plain, "quoted": quoted, "mixed": plain + plain + plain + quoted} {
		b.Run(name, func(b *testing.B) {
			scantest.Bench(b, New(), "id,phone,duration,answered,start_time,tracking,user_id,page\n"+strings.Repeat(line, 20_000))
		})
	}
}
