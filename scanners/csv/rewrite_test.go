package csv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"expunge/scanners"
	"expunge/scanners/scantest"
)

// callRows are rows of four cells, quoted in all ways.
func callRows(n int, delimiter, end string) string {
	r := rand.New(rand.NewPCG(9, uint64(n)))
	var b strings.Builder
	for i := range n {
		cells := []string{
			fmt.Sprint(1000000 + i),
			fmt.Sprintf("+1404555%04d", 100+r.IntN(100)),
			[]string{"", `""`, fmt.Sprintf(`"note%s %d ""and"" more`+"\n"+`second of %d"`, delimiter, i, 2145550100+i), fmt.Sprintf(`5'11" of %d`, i), fmt.Sprintf("caf\u00e9 of caller%d@example.com", i)}[r.IntN(5)],
			[]string{"", fmt.Sprintf(`"{""user_id"":""u%d"",""n"":[%d,null]}"`, 4000000+i, 14045550100+i), `"[""a""]"`, "plain"}[r.IntN(4)],
		}
		if r.IntN(10) == 0 {
			cells = cells[:3]
		}
		if r.IntN(10) == 0 {
			cells = append(cells, "", `""`)
		}
		b.WriteString(strings.Join(cells, delimiter))
		b.WriteString(end)
		if r.IntN(10) == 0 {
			b.WriteString(end)
		}
		if r.IntN(10) == 0 {
			b.WriteString(strings.Join(cells, delimiter) + "\n")
		}
	}
	return b.String()
}

func TestRewriteLaws(t *testing.T) {
	no := false
	events := scanners.Layout{Header: &no, Columns: []string{"app", "user", "ctx"}}
	bare := scanners.Layout{Header: &no, Delimiter: '|', Columns: []string{"a", "b"}}
	scantest.RunRewriter(t, New(), []scantest.Copied{
		{Name: "empty", Packed: true, Lines: true},
		{Name: "header", Data: []byte("\xef\xbb\xbfid,phone\r\n"), Packed: true, Lines: true},
		{Name: "one column", Data: []byte("mail\njane@example.com\n\n\"ada@example.org\"\njane@example.com"), Packed: true, Lines: true},
		{Name: "calls", Data: []byte("\n\nid,phone,note,props\n" + callRows(40, ",", "\n")), Packed: true, Lines: true},
		{Name: "windows", Data: []byte("\xef\xbb\xbf\"id\";phone;\"the note\";props\r\n" + strings.TrimSpace(callRows(12, ";", "\r\n"))), Packed: true, Lines: true},
		{Name: "suspect", Data: []byte("id,phone\n1,+14045550123\n2,\"+14045550124\"x\n3,4,too many\n5,6\n"), Packed: true, Lines: true, Fixed: []int64{1, 2}},
		{Name: "bare", Data: []byte("1|+14045550123\n\"x|y\"|z\n"), Layout: bare, Packed: true, Lines: true},
		{Name: "events", Data: []byte("web\tu100001\t{\"data\":{\"mail\":\"jane@example.org\"}}\n\"web\tu2\tplain\n\n\"a \"b\" c\"\tu300003\t\"{\"\"k\"\":\"\"v60000\"\"}\"\n"), Layout: events, Packed: true, Lines: true},
	})
	scantest.RunRewriter(t, NewTSV(), []scantest.Copied{
		{Name: "tsv", Data: []byte("id\tphone\tnote\tprops\n" + callRows(12, "\t", "\n")), Packed: true, Lines: true},
	})
}

func rewritten(t testing.TB, s scanners.Rewriter, doc string, l scanners.Layout, edits ...scanners.Edit) (string, error) {
	t.Helper()
	var spool bytes.Buffer
	in := scantest.Text(doc)
	in.Layout = l
	out, err := s.Rewrite(context.Background(), in, edits, &spool, func(*scanners.Record) error { return nil })
	if err != nil {
		return "", err
	}
	return string(scantest.Lay(t, out.Pieces, []byte(doc), spool.Bytes())), nil
}

func TestRedact(t *testing.T) {
	for _, c := range []struct {
		row, want string
		keep      []string
	}{
		{`1,"x, y",z`, `,"",`, nil},
		{`1,"x, y",z`, `1,"x, y",`, []string{"a", "b"}},
		{`1,"{""u"":""x"",""v"":[1,{""w"":2}]}",z`, `,"{""u"":null,""v"":[1,{""w"":2}]}",`, []string{"b.v"}},
		{`1,"{""u"":""x \""q\"" y""}",z`, `,"{""u"":null}",z`, []string{"c"}},
		{`{"u":1},[1],`, `{"u":1},[null],`, []string{"a.u"}},
		{`1`, `""`, nil}, {`"1"`, `""`, nil}, {`,`, `,`, nil}, {`1,2,3,,""`, `,,,,""`, nil},
	} {
		got, err := rewritten(t, New(), "a,b,c\r\n"+c.row+"\r\n4,5,6", scanners.Layout{}, scanners.Edit{Record: 0, Redact: true, Keep: c.keep})
		if err != nil || got != "a,b,c\r\n"+c.want+"\r\n4,5,6" {
			t.Errorf("%s but %q: %q, %v; want %q", c.row, c.keep, got, err, c.want)
		}
	}
	jane := func(_ string, text []byte) ([]scanners.Span, bool) {
		i := bytes.Index(text, []byte(`"Jane"`))
		return []scanners.Span{{Start: i, End: i + 6}}, i >= 0
	}
	got, err := rewritten(t, New(), "a,b\n\"say \"\"Jane\"\" \"\"and\"\" more\",call \"Jane\" now\n", scanners.Layout{}, scanners.Edit{Redact: true, Spans: jane})
	if want := "a,b\n\"say [redacted] \"\"and\"\" more\",call [redacted] now\n"; err != nil || got != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

// Without a header the first record tells how the rest is read: where another one
// would tell another story, the copy is refused.
func TestFirstRecord(t *testing.T) {
	no := false
	bare := scanners.Layout{Header: &no}
	for _, c := range []struct {
		doc     string
		layout  scanners.Layout
		refused bool
	}{
		{"a,b,c\nd,e,f\n", bare, false},
		{"a,b,c\nd;e;f;g,h\n", bare, true},
		{"a,b,c\nd,e\n", bare, true},
		{"a,b,c\nd,e\n", scanners.Layout{Header: &no, Columns: []string{"x", "y", "z"}}, false},
		{"a,b,c\nd;e;f;g,h\n", scanners.Layout{Header: &no, Delimiter: ',', Columns: []string{"x", "y"}}, false},
		{"a,b\tc\n\"d\te\",f\n", bare, false},
		{"a,b,c\nd;e;f;g,h\n", scanners.Layout{}, false},
		{"a,b,c\n", bare, false},
	} {
		_, err := rewritten(t, New(), c.doc, c.layout, scanners.Edit{})
		ref := (*scanners.Refusal)(nil)
		if refused := errors.As(err, &ref) && ref.Code == scanners.Unsupported; refused != c.refused || err != nil && !refused {
			t.Errorf("%q: %v", c.doc, err)
		}
	}
}

func FuzzRewrite(f *testing.F) {
	f.Add([]byte("id,b\r\n1,\"x\ny\"\n\n2,\"{\"\"a\"\":1}\""), uint64(9), "b.a")
	f.Add([]byte("a\tb\n\"x\"y\tz\n"), uint64(2), "a")
	f.Add([]byte("\xef\xbb\xbfm\nx\n\"\"\n"), uint64(10), "")
	f.Fuzz(func(t *testing.T, doc []byte, bits uint64, keep string) {
		scantest.FuzzRewriter(t, New(), scantest.Copied{Data: doc, Lines: true}, bits, keep)
	})
}

func FuzzRewriteTSV(f *testing.F) {
	no := false
	f.Add([]byte("\tx\r"), uint64(1), "")
	f.Add([]byte("a\t\"b\"\n\"x\"y\"\tz\r\n\"{\"\"k\"\":1}\"\n"), uint64(42), "_1.k")
	f.Fuzz(func(t *testing.T, doc []byte, bits uint64, keep string) {
		scantest.FuzzRewriter(t, NewTSV(), scantest.Copied{Data: doc, Lines: true, Layout: scanners.Layout{Header: &no}}, bits, keep)
	})
}
