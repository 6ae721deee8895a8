package jsonl

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"expunge/scanners"
	"expunge/scanners/scantest"
)

// callLines are n lines as exports have them, the same for equal n.
func callLines(n int) []string {
	r := rand.New(rand.NewPCG(7, uint64(n)))
	var out []string
	for i := range n {
		phone := fmt.Sprintf("+1404555%04d", 100+r.IntN(100))
		switch r.IntN(6) {
		case 0:
			out = append(out, fmt.Sprintf(`{"id":"CAL%d","phone":%q,"duration":%d,"answered":true,"tags":["a","%s"],"note":null}`, i, phone, r.IntN(500), phone))
		case 1:
			out = append(out, fmt.Sprintf(`{ "event" : "page", "properties":"{\"user_id\":\"u%d\",\"deep\":\"[{\\\"mail\\\":\\\"u%d@example.com\\\"}]\"}" , "t":%d.0 }`, 100000+i, i, 1404555010+i))
		case 2:
			out = append(out, fmt.Sprintf(`  {"visitor":{"ids":[{"value":"ab%d"},{"value":"cd%d"}],"empty":{}},"x":[[],[%d,[null,false]]],"u":"\u002b1404\u0035550%03d \/ \ud83d\ude00 caf\u00e9"}`, i, i, i, r.IntN(200)))
		case 3:
			out = append(out, fmt.Sprintf(`["list%d@example.org",%d,{"k":"v%d"}]`, i, 2145550100+i, i))
		case 4:
			out = append(out, fmt.Sprintf(`{"same":"first%d@example.net","same":"second%d@example.net","a":{"b":1.5e3}}`, i, i))
		case 5:
			out = append(out, out[max(0, len(out)-2):]...)
			out = append(out, fmt.Sprintf(`"scalar%d@example.com"`, i))
		}
	}
	return out
}

func TestRewriteLaws(t *testing.T) {
	mixed := "\xef\xbb\xbf" + strings.Join([]string{
		`{"id":"CAL1","p":"+14045550123","n":12145550123,"x":null}` + "\r\n", "\n", "  \r\n",
		`{"v":{"ids":[{"value":"ab12"},{"value":"cd34"}]},"d":2145550123.0}` + "\n",
		`{"p":"{\"user_id\":\"jane@example.com\"}","u":"\u002b14045550199"}` + "\n",
		`["jane@example.org"]` + "\r\n", `{"cut":"jane@example.net` + "\n", "garbage of 14045550177\n", "\n", ` {"last":"kept@example.com"} `,
	}, "")
	scantest.RunRewriter(t, Scanner{}, []scantest.Copied{
		{Name: "empty", Packed: true, Lines: true},
		{Name: "blank", Data: []byte("\n\r\n \n"), Packed: true, Lines: true},
		{Name: "one", Data: []byte(`{"a":"+14045550123"}`), Packed: true, Lines: true},
		{Name: "mixed", Data: []byte(mixed), Packed: true, Lines: true, Fixed: []int64{4, 5}},
		{Name: "calls", Data: []byte(strings.Join(callLines(60), "\n") + "\n"), Packed: true, Lines: true},
		{Name: "windows", Data: []byte(strings.Join(callLines(12), "\r\n")), Packed: true, Lines: true},
	})
}

// copyOf returns the copy of doc.
func copyOf(t testing.TB, s scanners.Rewriter, doc string, edits ...scanners.Edit) (string, error) {
	t.Helper()
	var spool bytes.Buffer
	out, err := s.Rewrite(context.Background(), scantest.Text(doc), edits, &spool, func(*scanners.Record) error { return nil })
	if err != nil {
		return "", err
	}
	return string(scantest.Lay(t, out.Pieces, []byte(doc), spool.Bytes())), nil
}

func TestRedact(t *testing.T) {
	for _, c := range []struct {
		doc, want string
		keep      []string
	}{
		{`{"a":"x", "b" : 1 ,"c":[true,null,{"d":"y"}]}`, `{"a":null, "b" : 1 ,"c":[null,null,{"d":null}]}`, []string{"b"}},
		{`{"a":{"b":1,"c":2}}`, `{"a":{"b":1,"c":null}}`, []string{"a.b"}},
		{`{"a":{"b":1,"c":2},"ab":3}`, `{"a":{"b":1,"c":2},"ab":null}`, []string{"a"}},
		{`{"a.b":1,"a":{"b":2},"a.c":3}`, `{"a.b":1,"a":{"b":2},"a.c":null}`, []string{"a.b"}},
		{`{"a.b":1,"ab":2}`, `{"a.b":1,"ab":null}`, []string{"a"}},
		{`{"l":[1,[2]],"m":[3]}`, `{"l":[1,[2]],"m":[null]}`, []string{"l[]"}},
		{`{"m":{"x":{"y":1,"z":2}}}`, `{"m":{"x":{"y":1,"z":null}}}`, []string{"m{}.y"}},
		{`{"m":{"x":{"y":1,"z":2}}}`, `{"m":{"x":{"y":1,"z":2}}}`, []string{"m.{}"}},
		{`{"p":"{\"a\":\"x\",\"b\":[1, 2]}"}`, `{"p":"{\"a\":\"x\",\"b\":[null, null]}"}`, []string{"p.a"}},
		{`{"p":"{\"a\":1}","q":"{not"}`, `{"p":"{\"a\":1}","q":null}`, []string{"p"}},
		{`{"p":"{\"q\":\"{\\\"r\\\":\\\"x\\\",\\\"s\\\":\\\"\\u00e9\\\"}\"}"}`, `{"p":"{\"q\":\"{\\\"r\\\":null,\\\"s\\\":\\\"\\u00e9\\\"}\"}"}`, []string{"p.q.s"}},
		{`{"k\u0065y":"x","key":"y"}`, `{"k\u0065y":"x","key":"y"}`, []string{"key"}},
		{`{"d":1,"d":2}`, `{"d":null,"d":null}`, nil},
		{`["a",{"b":"c"}]`, `[null,{"b":"c"}]`, []string{"value[].b"}},
		{`"a"`, `null`, nil}, {` 42 `, ` 42 `, []string{"value"}}, {`{}`, `{}`, nil}, {`{"s":"[]"}`, `{"s":null}`, nil},
	} {
		got, err := copyOf(t, Scanner{}, "{}\n"+c.doc+"\r\n{}", scanners.Edit{Record: 1, Redact: true, Keep: c.keep})
		if err != nil || got != "{}\n"+c.want+"\r\n{}" {
			t.Errorf("%s but %q:\n got %q, %v\nwant %q", c.doc, c.keep, got, err, c.want)
		}
	}
}

func TestSpans(t *testing.T) {
	find := func(what string) func(string, []byte) ([]scanners.Span, bool) {
		return func(_ string, text []byte) (spans []scanners.Span, ok bool) {
			for at := 0; ; {
				i := bytes.Index(text[at:], []byte(what))
				if i < 0 {
					return spans, len(spans) > 0
				}
				spans = append(spans, scanners.Span{Start: at + i, End: at + i + len(what)})
				at += i + len(what)
			}
		}
	}
	for _, c := range []struct {
		doc, what, want string
		keep            []string
	}{
		{`{"t":"call Jane, or Jane\u0021","u":"x"}`, "Jane", `{"t":"call [redacted], or [redacted]\u0021","u":null}`, nil},
		{`{"t":"caf\u00e9 Ja\u006ee\n","u":"Jane"}`, "Jane", `{"t":"caf\u00e9 [redacted]\n","u":"Jane"}`, []string{"u"}},
		{`{"t":"\ud83d\ude00Jane\ud83d\ude00"}`, "Jane", `{"t":"\ud83d\ude00[redacted]\ud83d\ude00"}`, nil},
		{`{"t":"\ud800\u0041Jane"}`, "Jane", `{"t":"\ud800\u0041[redacted]"}`, nil},
		{`{"t":"x\u00e9y"}`, "\xa9", `{"t":"x[redacted]y"}`, nil},
		{`{"t":"x\u00e9y"}`, "x\xc3", `{"t":"[redacted]y"}`, nil},
		{`{"m":{"Jane":1,"a Jane":"x"},"k":{"Jane":"Jane"}}`, "Jane", `{"m":{"[redacted]":null,"a [redacted 2]":null},"k":{"Jane":"Jane"}}`, []string{"k"}},
		{`{"p":"{\"t\":\"\\u004aane \\\"and\\\" more\"}"}`, "Jane", `{"p":"{\"t\":\"[redacted] \\\"and\\\" more\"}"}`, nil},
	} {
		got, err := copyOf(t, Scanner{}, c.doc+"\n", scanners.Edit{Redact: true, Keep: c.keep, Spans: find(c.what)})
		if err != nil || got != c.want+"\n" {
			t.Errorf("%s:\n got %q, %v\nwant %q", c.doc, got, err, c.want)
		}
	}
	// Spans that are none of the text's are taken for all of it.
	for _, bad := range [][]scanners.Span{{{Start: 2, End: 1}}, {{Start: 0, End: 9}}, {{Start: 1, End: 3}, {Start: 2, End: 4}}, {{Start: -1, End: 2}}} {
		got, err := copyOf(t, Scanner{}, `{"t":"Jane"}`, scanners.Edit{Redact: true, Spans: func(string, []byte) ([]scanners.Span, bool) { return bad, true }})
		if err != nil || got != `{"[redacted]":"[redacted]"}` {
			t.Errorf("%v: %q, %v", bad, got, err)
		}
	}
}

func TestRewriteMalformed(t *testing.T) {
	doc := "{\"a\":1}\n{\"b\": jane@example.com\n{\"c\":1}\n"
	_, err := copyOf(t, Scanner{}, doc, scanners.Edit{Record: 1, Redact: true})
	if ref := (*scanners.Refusal)(nil); !errors.As(err, &ref) || ref.Code != scanners.Malformed || strings.Contains(err.Error(), "jane") {
		t.Error(err)
	}
	got, err := copyOf(t, Scanner{}, doc, scanners.Edit{Record: 1})
	if err != nil || got != "{\"a\":1}\n{\"c\":1}\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// large is an object of many lines that is made while it is read.
func large(size int64) scanners.Input {
	line := `{"id":"CAL1","phone":"+14045550123","text":"` + strings.Repeat("words and more words ", 20) + `"}` + "\n"
	size -= size % int64(len(line))
	return scanners.Input{Name: "o", Size: size, Open: func(_ context.Context, off, n int64) (io.ReadCloser, error) {
		return io.NopCloser(io.LimitReader(&repeat{text: line, at: int(off)}, size-off)), nil
	}}
}

type repeat struct {
	text string
	at   int
}

func (r *repeat) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		k := copy(p[n:], r.text[r.at%len(r.text):])
		n, r.at = n+k, r.at+k
	}
	return n, nil
}

func TestRewriteMemory(t *testing.T) {
	in := large(300 << 20)
	body, _ := in.Open(t.Context(), 0, 1<<10)
	b, _ := io.ReadAll(io.LimitReader(body, 1<<10))
	records := in.Size / int64(bytes.IndexByte(b, '\n')+1)
	var edits []scanners.Edit
	for i := int64(0); i < records; i += 1000 {
		edits = append(edits, scanners.Edit{Record: i, Redact: i%2000 == 0})
	}
	scantest.BoundedRewrite(t, Scanner{}, in, edits, records, 8<<20)
}

// Whatever the bytes and the edits: no panic, and only what was asked for changes.
func FuzzRewrite(f *testing.F) {
	f.Add([]byte("{\"a\":1}\n\n{\"p\":\"{\\\"b\\\":\\\"x\\\"}\"}\r\n[1]\n{\"cut"), uint64(5), "p.b")
	f.Add([]byte("\xef\xbb\xbf{\"a\":\"\\u00e9\\ud83d\\ude00\"}"), uint64(1), "a")
	f.Add([]byte("{\"a\":{\"a\":[{}]},\"a\":1}\n null \n"), uint64(15), "a{}[]")
	f.Fuzz(func(t *testing.T, doc []byte, bits uint64, keep string) {
		scantest.FuzzRewriter(t, Scanner{}, scantest.Copied{Data: doc, Lines: true}, bits, keep)
	})
}

func BenchmarkRewrite(b *testing.B) {
	doc := strings.Repeat(strings.Join(callLines(1000), "\n")+"\n", 50)
	n := int64(strings.Count(doc, "\n"))
	for _, every := range []int64{n, 1000, 10} {
		b.Run(fmt.Sprintf("every %d", every), func(b *testing.B) {
			var edits []scanners.Edit
			for i := int64(0); i < n; i += every {
				edits = append(edits, scanners.Edit{Record: i, Redact: i%2 == 0})
			}
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := (Scanner{}).Rewrite(b.Context(), scantest.Text(doc), edits, io.Discard, func(*scanners.Record) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Packed as one member: what is held back and the encoder are all there is.
func TestRewriteMemoryPacked(t *testing.T) {
	plain := large(96 << 20)
	records := int64(0)
	pack := func(w io.WriteCloser, b *bytes.Buffer) scanners.Input {
		records = 0
		body, err := plain.Open(t.Context(), 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 1<<20)
		for {
			n, err := body.Read(buf)
			records += int64(bytes.Count(buf[:n], []byte("\n")))
			if _, err := w.Write(buf[:n]); err != nil {
				t.Fatal(err)
			}
			if err == io.EOF {
				break
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		data := b.Bytes()
		return scanners.Input{Name: "o", Size: int64(len(data)), Open: func(context.Context, int64, int64) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(data)), nil
		}}
	}
	var g, z bytes.Buffer
	zw, err := zstd.NewWriter(&z)
	if err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]scanners.Input{"gzip": pack(gzip.NewWriter(&g), &g), "zstd": pack(zw, &z)} {
		t.Run(name, func(t *testing.T) {
			scantest.BoundedRewrite(t, Scanner{}, in, []scanners.Edit{{Record: 3}, {Record: records - 1, Redact: true}}, records, map[string]uint64{"gzip": 12 << 20, "zstd": 40 << 20}[name])
		})
	}
}
