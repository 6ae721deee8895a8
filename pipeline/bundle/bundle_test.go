package bundle

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/google/go-cmp/cmp"
	pq "github.com/parquet-go/parquet-go"

	"expunge/connectors"
	"expunge/connectors/mem"
	"expunge/pipeline"
	"expunge/pipeline/results"
	"expunge/pipeline/seal"
)

func row(dataset string, record int64, doc string, at int64) Row {
	f := &results.Found{Hit: pipeline.Hit{Dataset: dataset, Record: record, Time: at, Tier: pipeline.Exact,
		Why: []pipeline.Evidence{{Path: "phone", Kind: pipeline.Phone, Tier: pipeline.Exact}}}}
	if doc != "" {
		f.Doc = []byte(doc)
	}
	return Row{Found: f, Object: pipeline.ObjectRef{URL: "file:///lake/calls/a.wav", ID: "0a1b"}}
}

func docs(docs ...string) []Row {
	var out []Row
	for i, d := range docs {
		out = append(out, row("calls", int64(i), d, pipeline.NoTime))
	}
	return out
}

// input is a bundle in clear under the keys of testKeys(t, 7).
func input(rows []Row) Input {
	keys, err := seal.Open(bytes.Repeat([]byte{7}, seal.KeySize))
	if err != nil {
		panic(err)
	}
	return Input{
		Request: &pipeline.Request{ID: "r1", Account: "acme", Rights: []pipeline.Right{pipeline.Access}},
		Datasets: []pipeline.Dataset{{Name: "calls", Category: "identifiers", Sources: []string{"consumer call"}, Purposes: []string{"routing"},
			Disclosed: []pipeline.Disclosure{},
			Fields: []pipeline.Field{{Path: "phone", Kind: pipeline.Phone, Category: "identifiers"},
				{Path: "agent.name", Party: pipeline.Agent}, {Path: "legs[].ext", Party: pipeline.Agent}, {Path: "by{}", Party: pipeline.Agent},
				{Path: "desk", Party: pipeline.Business}}}},
		Rows: func() iter.Seq2[Row, error] {
			return func(yield func(Row, error) bool) {
				for _, r := range rows {
					if !yield(r, nil) {
						return
					}
				}
			}
		},
		Open: func(context.Context, Row) (io.ReadCloser, int64, error) {
			return io.NopCloser(strings.NewReader("RIFF")), 0, nil
		},
		Now:  time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC),
		Keys: keys,
	}
}

// write gives the files of the bundle by path.
func write(t *testing.T, work *mem.Store, in Input) map[string][]byte {
	t.Helper()
	if _, err := Write(context.Background(), work, in); err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for key, b := range stored(t, work) {
		out[strings.TrimPrefix(key, "bundles/acme/r1/")] = b
	}
	return out
}

// stored gives all files of the request's bundles by key.
func stored(t *testing.T, work *mem.Store) map[string][]byte {
	t.Helper()
	ctx := context.Background()
	out := map[string][]byte{}
	for o, err := range work.List(ctx, "bundles/acme/r1/") {
		if err != nil {
			t.Fatal(err)
		}
		body, err := work.Open(ctx, o.Ref, connectors.All)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		out[o.Key] = b
	}
	return out
}

// source reads a Parquet file with another library than it was written with.
func source(t *testing.T, b []byte) (types []string, rows []map[string]any) {
	t.Helper()
	f, err := pq.OpenFile(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range f.Schema().Fields() {
		if strings.HasPrefix(c.Name(), "_") && !strings.Contains(c.Name(), "__") {
			continue
		}
		typ := "group"
		if c.Leaf() {
			typ = c.Type().String()
		} else if l := c.Type().LogicalType(); l != nil {
			typ = l.String()
		}
		types = append(types, c.Name()+" "+typ)
	}
	paths := f.Schema().Columns()
	for _, g := range f.RowGroups() {
		r := g.Rows()
		buf := make([]pq.Row, g.NumRows())
		if n, err := r.ReadRows(buf); n != len(buf) || err != nil && err != io.EOF {
			t.Fatal(n, err)
		}
		for _, row := range buf {
			m := map[string]any{}
			for _, v := range row {
				if path := strings.Join(paths[v.Column()], "."); !v.IsNull() {
					m[path] = plain(v)
				}
			}
			rows = append(rows, m)
		}
		r.Close()
	}
	return types, rows
}

// plain gives a value as Go has it.
func plain(v pq.Value) any {
	switch v.Kind() {
	case pq.Boolean:
		return v.Boolean()
	case pq.Int32:
		return v.Int32()
	case pq.Int64:
		return v.Int64()
	case pq.Float:
		return v.Float()
	case pq.Double:
		return v.Double()
	}
	return string(v.ByteArray())
}

func TestColumnsUniteRows(t *testing.T) {
	for _, c := range []struct {
		name  string
		docs  []string
		types []string
		first any // of column a in row 0
	}{
		{"integers", []string{`{"a":1}`, `{"a":-9223372036854775808}`}, []string{"a INT(64,true)"}, int64(1)},
		{"doubles", []string{`{"a":1}`, `{"a":0.1}`}, []string{"a DOUBLE"}, 1.0},
		{"inexact", []string{`{"a":9007199254740993}`, `{"a":0.5}`}, []string{"a STRING"}, "9007199254740993"},
		{"out of range", []string{`{"a":123456789012345678901}`}, []string{"a STRING"}, "123456789012345678901"},
		{"mixed", []string{`{"a":"x"}`, `{"a":1}`}, []string{"a STRING"}, `"x"`},
		{"always null", []string{`{"a":null}`, `{}`}, []string{"a STRING"}, nil},
		{"missing", []string{`{"b":true}`, `{"a":2}`}, []string{"b BOOLEAN", "a INT(64,true)"}, nil},
		{"empty object", []string{`{"a":{}}`}, []string{"a STRING"}, "{}"},
		{"object", []string{`{"a":{"x":1}}`, `{"a":{"y":"z"}}`, `{"a":null}`}, []string{"a group"}, nil},
		{"object and list", []string{`{"a":{"x":1}}`, `{"a":[2]}`}, []string{"a STRING"}, `{"x":1}`},
		{"twice", []string{`{"a":1,"a":"b"}`}, []string{"a INT(64,true)", "a__2 STRING"}, int64(1)},
		{"reserved", []string{`{"_tier":"x","a":5}`}, []string{"_tier__2 STRING", "a INT(64,true)"}, int64(5)},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := write(t, mem.New("work", mem.Options{}), input(docs(c.docs...)))
			types, rows := source(t, files["data/calls.parquet"])
			if d := cmp.Diff(c.types, types); d != "" {
				t.Error(d)
			}
			if len(rows) != len(c.docs) {
				t.Fatalf("%d rows", len(rows))
			}
			if got := rows[0]["a"]; fmt.Sprint(got) != fmt.Sprint(c.first) {
				t.Errorf("a is %#v, want %#v", got, c.first)
			}
		})
	}
}

func TestNestedListsComeBack(t *testing.T) {
	files := write(t, mem.New("work", mem.Options{}), input(docs(
		`{"a":[{"x":1,"l":["p",null]},null,{"x":2}],"e":[]}`, `{}`, `{"a":[],"e":[]}`, `{"a":[{"l":[]}]}`)))
	f, err := pq.OpenFile(bytes.NewReader(files["data/calls.parquet"]), int64(len(files["data/calls.parquet"])))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range f.RowGroups() {
		for _, c := range g.ColumnChunks()[:3] {
			pages := c.Pages()
			for {
				p, err := pages.ReadPage()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				vs := make([]pq.Value, p.NumValues())
				if _, err := p.Values().ReadValues(vs); err != nil && err != io.EOF {
					t.Fatal(err)
				}
				for _, v := range vs {
					got = append(got, fmt.Sprintf("%v r%d d%d", v, v.RepetitionLevel(), v.DefinitionLevel()))
				}
			}
			pages.Close()
		}
	}
	// Levels by hand after Dremel: a(opt) list(rep) element(opt) x(opt); l(opt) list(rep) element(opt).
	want := []string{
		"1 r0 d4", "<null> r1 d2", "2 r1 d4", "<null> r0 d0", "<null> r0 d1", "<null> r0 d3",
		"p r0 d6", "<null> r2 d5", "<null> r1 d2", "<null> r1 d3", "<null> r0 d0", "<null> r0 d1", "<null> r0 d4",
		"<null> r0 d1", "<null> r0 d0", "<null> r0 d1", "<null> r0 d0",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func lines(t *testing.T, b []byte) (out []map[string]any) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(b))
	for dec.More() {
		m := map[string]any{}
		if err := dec.Decode(&m); err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

func TestAgentsAreMasked(t *testing.T) {
	files := write(t, mem.New("work", mem.Options{}), input(docs(
		`{"agent":{"name":"Ada Roe","id":1},"legs":[{"ext":17},{"ext":"Bo Roe"}],"by":{"k":"Cy Roe"},"desk":"Front"}`,
		`{"agent":"{\"name\":\"Ada Roe\",\"shift\":2}"}`)))
	for path, b := range files {
		if !strings.HasSuffix(path, ".parquet") && bytes.Contains(b, []byte("Roe")) {
			t.Errorf("%s names an agent", path)
		}
	}
	_, rows := source(t, files["data/calls.parquet"])
	if s := fmt.Sprint(rows); strings.Contains(s, "Roe") || !strings.Contains(s, "[agent]") || !strings.Contains(s, "Front") {
		t.Error(s)
	}
	got := lines(t, files["data/calls.jsonl"])
	if d := cmp.Diff([]any{map[string]any{"ext": nil}, map[string]any{"ext": "[agent]"}}, got[0]["legs"]); d != "" {
		t.Error(d)
	}
	if got[1]["agent"] != `{"name":"[agent]","shift":2}` {
		t.Error(got[1]["agent"])
	}
}

// A record that is somebody else's is given without what names that person; one that is
// the consumer's own, as it is.
func TestOthersAreMaskedInMentions(t *testing.T) {
	rows := docs(`{"phone":"+14045550199","note":"call 404-555-0123"}`, `{"phone":"+14045550198","note":"call 404-555-0123"}`, `{"phone":4045550197,"to":["404-555-0123"]}`)
	rows[0].Found.Why = []pipeline.Evidence{{Path: "note", Kind: pipeline.Phone, Tier: pipeline.Mention, Mention: true}}
	rows[1].Found.Why = append(rows[0].Found.Why, pipeline.Evidence{Path: "phone", Kind: pipeline.Phone, Tier: pipeline.Exact})
	rows[2].Found.Why = []pipeline.Evidence{{Path: "to[]", Kind: pipeline.Phone, Tier: pipeline.Mention, Mention: true}}
	files := write(t, mem.New("work", mem.Options{}), input(rows))
	got := lines(t, files["data/calls.jsonl"])
	for i, want := range []any{"[other side]", "+14045550198", nil} {
		if got[i]["phone"] != want {
			t.Errorf("row %d: %v, want %v", i, got[i]["phone"], want)
		}
	}
	if got[0]["note"] != "call 404-555-0123" {
		t.Errorf("the mention: %v", got[0]["note"])
	}
}

func TestTypesOfTheSource(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "at", Type: &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}, Nullable: true},
		{Name: "n", Type: arrow.PrimitiveTypes.Int32}, {Name: "d", Type: &arrow.Decimal128Type{Precision: 10, Scale: 2}},
		{Name: "m", Type: arrow.MapOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64)},
		{Name: "b", Type: arrow.BinaryTypes.Binary}, {Name: "h", Type: arrow.FixedWidthTypes.Float16},
	}, nil)
	var buf bytes.Buffer
	if err := ipc.NewWriter(&buf, ipc.WithSchema(schema)).Close(); err != nil {
		t.Fatal(err)
	}
	rows := docs(`{"at":1764028800000,"n":7,"d":"-12.50","m":[{"key":"k","value":3}],"b":"AAE=","h":"1.5"}`, `{"at":null,"n":8,"d":"0.01","m":[],"b":"","h":"-2"}`)
	for _, r := range rows {
		r.Found.Schema = buf.Bytes()
	}
	files := write(t, mem.New("work", mem.Options{}), input(rows))
	types, got := source(t, files["data/calls.parquet"])
	want := []string{"at TIMESTAMP(isAdjustedToUTC=true,unit=MILLIS)", "n INT(32,true)", "d DECIMAL(10,2)", "m MAP", "b BYTE_ARRAY", "h FLOAT"}
	if d := cmp.Diff(want, types); d != "" {
		t.Error(d)
	}
	if got[0]["h"] != float32(1.5) || got[0]["n"] != int32(7) {
		t.Error(got[0])
	}
	if l := lines(t, files["data/calls.jsonl"]); l[0]["at"] != "2025-11-25T00:00:00Z" || l[0]["d"] != "-12.50" {
		t.Error(l[0])
	}
}

func TestWindowHostileRerunAndFiles(t *testing.T) {
	evil := `{"phone":"<script>alert(1)</script>"}`
	day := func(s string) int64 { d, _ := time.Parse(time.DateOnly, s); return d.UnixMilli() }
	since, until := pipeline.Date{}, pipeline.Date{}
	if err := since.UnmarshalText([]byte("2026-01-01")); err != nil {
		t.Fatal(err)
	}
	if err := until.UnmarshalText([]byte("2026-01-31")); err != nil {
		t.Fatal(err)
	}
	in := input([]Row{row("calls", -1, "", pipeline.NoTime), row("calls", 0, evil, day("2026-01-31")+86399999),
		row("calls", 1, evil, day("2026-02-01")), row("calls", 2, evil, day("2025-12-31")), row("calls", 3, evil, pipeline.NoTime)})
	in.Request.Window = &pipeline.Window{Since: &since, Until: &until}
	work := mem.New("work", mem.Options{})
	work.Overwrite("bundles/acme/r1/data/calls.jsonl", []byte("cut"))
	work.Overwrite("bundles/acme/r1/data/old.jsonl", []byte("old"))
	first := write(t, work, in)
	again := write(t, work, in)
	if d := cmp.Diff(first, again); d != "" {
		t.Error("a second run gives other bytes")
	}
	if d := cmp.Diff(first, write(t, mem.New("other", mem.Options{}), in)); d != "" {
		t.Error("another store gets other bytes")
	}
	if n := len(lines(t, first["data/calls.jsonl"])); n != 2 {
		t.Errorf("%d rows in the window", n)
	}
	if string(first["files/calls/0a1b.wav"]) != "RIFF" || first["data/old.jsonl"] != nil {
		t.Error("files are not as they should be")
	}
	if page := first["index.html"]; bytes.Contains(page, []byte("<script>")) || !bytes.Contains(page, []byte("&lt;script&gt;")) || !bytes.Contains(page, []byte(notSold)) {
		t.Error("the page does not escape, or says nothing of sales")
	}
	_, cats := source(t, first["categories.parquet"])
	if len(cats) != 1 || cats[0]["records"] != int64(3) {
		t.Error(cats)
	}
}

// TestStated: what the config leaves open is not answered for the account (R21 to R24).
func TestStated(t *testing.T) {
	in := input([]Row{row("calls", 1, `{"phone":"1"}`, pipeline.NoTime)})
	told := func(sources, sold, business any) {
		t.Helper()
		_, rows := source(t, write(t, mem.New("work", mem.Options{}), in)["categories.parquet"])
		if len(rows) != 1 {
			t.Fatal(rows)
		}
		for column, want := range map[string]any{"sources": sources, "purposes": "routing", "sold_or_shared": sold, "disclosed_business_purpose": business} {
			if got := rows[0][column+".list.element"]; got != want {
				t.Errorf("%s: %v, want %v", column, got, want)
			}
		}
	}
	told("consumer call", notSold, nil)
	in.Datasets[0].Sources, in.Datasets[0].Disclosed = nil, nil
	told("not stated for calls", "not stated for calls", "not stated for calls")
	in.Datasets[0].Disclosed = []pipeline.Disclosure{{To: "a vendor", How: "business_purpose"}, {To: "a network", How: "sold"}}
	told("not stated for calls", "a network (sold)", "a vendor")
}

func TestVerification(t *testing.T) {
	for _, c := range []struct {
		right      pipeline.Right
		level      string
		data, cats bool
		code       string
	}{
		{pipeline.Access, "", true, true, ""}, {pipeline.Access, "reasonably_high", true, true, ""},
		{pipeline.Access, "reasonable", false, true, Unverified}, {pipeline.Access, "none", false, false, DeniedUnverified},
		{pipeline.Know, "", true, true, ""}, {pipeline.Know, "reasonable", false, true, Unverified}, {pipeline.Know, "none", false, false, DeniedUnverified},
	} {
		in := input(docs(`{"phone":"+14045550123"}`))
		in.Request.Rights, in.Request.Verification.Level = []pipeline.Right{c.right}, c.level
		files := write(t, mem.New("work", mem.Options{}), in)
		var index Index
		if err := json.Unmarshal(files["bundle.json"], &index); err != nil {
			t.Fatal(err)
		}
		code := ""
		for _, w := range index.Withheld {
			code = w.Code
		}
		if (files["data/calls.jsonl"] != nil) != c.data || (files["categories.parquet"] != nil) != c.cats || code != c.code {
			t.Errorf("%s %q: data %v, categories %v, code %q", c.right, c.level, files["data/calls.jsonl"] != nil, files["categories.parquet"] != nil, code)
		}
		if !c.data && bytes.Contains(files["index.html"], []byte("4045550123")) {
			t.Errorf("%s %q: the page shows specific pieces", c.right, c.level)
		}
	}
}

func TestNothingFound(t *testing.T) {
	files := write(t, mem.New("work", mem.Options{}), input(nil))
	if len(files) != 3 {
		t.Errorf("%d files", len(files))
	}
	if _, rows := source(t, files["categories.parquet"]); len(rows) != 0 {
		t.Error(rows)
	}
}
