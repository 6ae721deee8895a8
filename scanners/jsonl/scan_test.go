package jsonl

import (
	"bytes"
	"compress/gzip"
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
	const ph = "+14045550123"
	doc := "\xef\xbb\xbf" + `{"id":1,"p":"+14045550123"}` + "\r\n" + // 0
		"\n  \r\n" +
		`{"id":2}` + "\n" + // 1
		` {"p":{"q":["x","\u002b14045550123"]}} ` + "\n" + // 2
		`{"p":"{\"q\":\"+14045550123\"}"}` + "\n" + // 3
		`["+14045550123"]` + "\n" + // 4
		`{"p":"+14045550123"` + "\n" + // 5 malformed
		`no json` + "\n" + // 6 malformed, no candidate
		`{"p":"+14045550123","p":"b",}` + "\n" + // 7 malformed
		`{"m":{"+14045550123":true}}` // 8
	got, docs, stats, err := (&scantest.Single{Needle: ph}).Found(t, Scanner{}, scantest.Text(doc), doc)
	want := []string{"0 p", "2 p.q[]", "3 p.q", "4 value[]", "5  p suspect", "7  p suspect", "8 m{}"}
	if err != nil || !slices.Equal(got, want) || stats != (scanners.Stats{Records: 9, Malformed: 3, Suspect: 2}) {
		t.Errorf("%q %+v %v", got, stats, err)
	}
	for _, d := range docs {
		if d != "" && !json.Valid([]byte(d)) {
			t.Errorf("Doc %s", d)
		}
	}
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write([]byte(doc))
	_ = w.Close()
	packed, _, _, err := (&scantest.Single{Needle: ph}).Found(t, Scanner{}, scantest.Text(z.String()), doc)
	if err != nil || !slices.Equal(packed, want) {
		t.Errorf("packed: %q %v", packed, err)
	}
	cut, _, _, err := (&scantest.Single{Needle: ph}).Found(t, Scanner{}, scantest.Text(z.String()[:z.Len()-9]), doc)
	if r := (*scanners.Refusal)(nil); !errors.As(err, &r) || r.Code != scanners.Truncated {
		t.Errorf("cut: %q %v", cut, err)
	}
}

func TestFields(t *testing.T) {
	for _, c := range []struct {
		field, line string
		hit         bool
	}{
		{"user_id", `{"user_id":"42"}`, true}, {"user_id", `{"user_id" : 42 , "x":1}`, true}, {"user_id", `{"user_id":4.2e1}`, true},
		{"user_id", `{"user_id":["7","42"]}`, false}, {"user_id[]", `{"user_id":["7","42"]}`, true}, {"a.user_id", `{"a":{"user_id":"42"}}`, true},
		{"user_id", `{"user\u005fid":"42"}`, true}, {"user_id", `{"user_id":"\u0034\u0032"}`, true}, {"p.user_id", `{"p":"{\"user_id\":42}"}`, true},
		{"p.user_id", `{"p":"{\u0022user_id\u0022\u003a42}"}`, true}, {"p.user_id", `{"p":"{\"user_id\"\n:42}"}`, true},
		{"p.q.user_id", `{"p":"{\"q\":\"{\\\"user_id\\\":42}\"}"}`, true}, {"m{}", `{"m":{"any":"42"}}`, false}, {"m.any", `{"m":{"any":"42"}}`, true},
		{"a.b", `{"a.b":"42"}`, true}, {"c[]", `{"c[]":"42"}`, true}, {"user_id", `{"other":"42"}`, false}, {"user_id", `{"user_id":null}`, false},
		{"é", `{"\u00e9":"42"}`, true}, {"a/b", `{"a\/b":"42"}`, true}, {"user_id", `{"user_id":"7","user_id":"42"}`, true}, {"", `{"":"42"}`, true},
		{"value[]", `["42"]`, true}, {"p", `{"p":" [1"}`, false}, {"user_id", `{"x":"\\","user_id":"42"}`, true},
	} {
		doc := `{"x":1}` + "\n" + c.line + "\n" + `{"y":2}`
		got, _, stats, err := (&scantest.Single{Paths: []string{"zz", c.field}, Value: "42"}).Found(t, Scanner{}, scantest.Text(doc), doc)
		if err != nil || (len(got) == 1) != c.hit || stats.Records != 3 {
			t.Errorf("%s in %s: %q %v", c.field, c.line, got, err)
		}
	}
}

func TestParts(t *testing.T) {
	var b strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&b, `{"n":%d,"p":"%s"}`+"\n", i, []string{"a", "needle"}[i%7/6])
	}
	doc := b.String()
	whole, _, stats, err := (&scantest.Single{Needle: "needle"}).Found(t, Scanner{}, scantest.Text(doc), doc)
	if err != nil || stats.Records != 20_000 {
		t.Fatal(stats, err)
	}
	parts, err := Scanner{}.Split(t.Context(), scantest.Text(doc), 100_000)
	if err != nil || len(parts) < 3 {
		t.Fatal(len(parts), err)
	}
	var got []string
	var record int64
	for _, p := range parts {
		p.Record = record
		in := scantest.Text(doc)
		in.Part = p
		f := &scantest.Single{Needle: "needle"}
		out, _, stats, err := f.Found(t, Scanner{}, in, doc)
		if err != nil || f.Edges[len(f.Edges)-1] != p.Off+p.Len {
			t.Fatal(f.Edges, err)
		}
		got = append(got, out...)
		record += stats.Records
	}
	if !slices.Equal(got, whole) {
		t.Errorf("parts differ from the whole: %d, %d", len(got), len(whole))
	}
	if parts, err := (Scanner{}).Split(t.Context(), scantest.Text("\x1f\x8b\x08rest of it all"), 4); parts != nil || err != nil {
		t.Error(parts, err)
	}
	short := scantest.Text(doc)
	short.Size += 10
	if _, _, _, err := (&scantest.Single{}).Found(t, Scanner{}, short, doc); err == nil {
		t.Error("a short body passed")
	}
}

func FuzzScan(f *testing.F) {
	for _, s := range []string{`{"a":"needle"}`, "{\"a\":1}\n{\"needle\":2}\r\n\n[\"needle\"]", `{"u":"{\"id\":42}"}`, `{"id":"42"`, "{\"i\\u0064\":42.0}\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		if strings.Contains(doc, "\x1f\x8b") || strings.Contains(doc, `\needle`) { // "\n" is a line end there
			return
		}
		find := &scantest.Single{Needle: "needle", Paths: []string{"id", "u.id"}, Value: "42"}
		got, _, stats, err := find.Found(t, Scanner{}, scantest.Text(doc), doc)
		if err != nil {
			if r := (*scanners.Refusal)(nil); !errors.As(err, &r) || r.Code == scanners.Crashed {
				t.Fatal(err)
			}
			return
		}
		// The slow way: every line by encoding/json.
		var n int64
		for line := range strings.SplitSeq(strings.TrimPrefix(doc, "\xef\xbb\xbf"), "\n") {
			if strings.Trim(line, " \t\r") == "" {
				continue
			}
			var v map[string]any
			hit := strings.Contains(line, "needle")
			if json.Unmarshal([]byte(line), &v) == nil {
				s, isString := v["id"].(string)
				x, isNumber := v["id"].(float64)
				hit = hit || isString && s == "42" || isNumber && x == 42
			} else {
				hit = hit && !json.Valid([]byte(line))
			}
			has := slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s+" ", fmt.Sprint(n, " ")) })
			if hit && !has {
				t.Fatalf("record %d missed in %q: %q", n, doc, got)
			}
			n++
		}
		if n != stats.Records {
			t.Fatalf("%d records, want %d", stats.Records, n)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	line := `{"id":"CAL8154748ae6bd4e278a7cddd38a662f4f","customer_phone_number":"+14045550123","duration":13,"answered":true,"start_time":"2026-11-20T09:00:00Z",` +
		`"tracking_phone_number":"+14045550199","user_id":"4711","visitor":{"ids":[{"value":"ab"}]},"landing_page_url":"https://example.com/?a=1\u0026b=2","note":null}` + "\n"
	doc := strings.Repeat(line, 20_000)
	for name, paths := range map[string][]string{"none": nil, "five": {"id", "user_id", "session_uuid", "person_id", "ga"}} {
		b.Run(name, func(b *testing.B) { scantest.Bench(b, Scanner{}, doc, paths...) })
	}
}
