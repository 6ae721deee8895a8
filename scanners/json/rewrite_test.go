package json

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"expunge/scanners"
	"expunge/scanners/scantest"
)

func elements(n int) []string {
	var out []string
	for i := range n {
		switch i % 5 {
		case 0:
			out = append(out, fmt.Sprintf("{\n  \"id\": \"CAL%d\",\n  \"p\": \"+1404555%04d\"\n}", i, 100+i))
		case 1:
			out = append(out, fmt.Sprintf(`{"v":{"ids":[{"value":"ab%d"}]},"d":21455501%02d.0,"t":"}]\"{%d,"}`, i, i%100, i))
		case 2:
			out = append(out, fmt.Sprintf(`"jane%d@example.com"`, i))
		case 3:
			out = append(out, fmt.Sprintf(`{"p":"[\"\\u002b1404555%04d\"]","q":{},"r":[]}`, 100+i))
		case 4:
			out = append(out, fmt.Sprintf(`[%d,["deep%d@example.org"]]`, 14045550100+i, i))
		}
	}
	return out
}

func TestRewriteLaws(t *testing.T) {
	all := elements(40)
	few := elements(5)
	scantest.RunRewriter(t, Scanner{}, []scantest.Copied{
		{Name: "empty", Packed: true},
		{Name: "nothing", Data: []byte(" [ ] \n"), Packed: true, Gone: " [ ] \n"},
		{Name: "object", Data: []byte("\xef\xbb\xbf{\"a\":\"jane@example.com\"}\n"), Packed: true, Kept: true},
		{Name: "list", Data: []byte("[" + strings.Join(all, ",") + "]"), Packed: true, Gone: "[]"},
		{Name: "pretty", Data: []byte("\xef\xbb\xbf[\r\n  " + strings.Join(few, "  ,\r\n  ") + "\r\n]\r\n"), Packed: true, Gone: "\xef\xbb\xbf[]\r\n"},
		{Name: "row", Data: []byte(strings.Join(few[:4], "\n") + "\n"), Packed: true, Kept: true},
		{Name: "mixed", Data: []byte(few[0] + "\n[1234567, " + few[1] + " ]" + few[2] + "[][" + few[4] + "]"), Packed: true, Gone: "[][][]"},
		{Name: "malformed", Data: []byte(`[{"a":123456},{"a" "b234567"},{"c":345678}]`), Packed: true, Gone: "[]", Fixed: []int64{1}},
	})
}

func rewritten(t testing.TB, doc string, edits ...scanners.Edit) (string, error) {
	t.Helper()
	var spool bytes.Buffer
	out, err := Scanner{}.Rewrite(context.Background(), scantest.Text(doc), edits, &spool, func(*scanners.Record) error { return nil })
	if err != nil {
		return "", err
	}
	return string(scantest.Lay(t, out.Pieces, []byte(doc), spool.Bytes())), nil
}

func TestErase(t *testing.T) {
	for _, c := range []struct{ doc, gone, want string }{
		{"[1,2,3]", "0", "[2,3]"}, {"[1,2,3]", "1", "[1,3]"}, {"[1,2,3]", "2", "[1,2]"}, {"[1,2,3]", "01", "[3]"}, {"[1,2,3]", "12", "[1]"}, {"[1,2,3]", "012", "[]"},
		{"[\n  1,\n  2,\n  3\n]\n", "0", "[\n  2,\n  3\n]\n"}, {"[\n  1,\n  2,\n  3\n]\n", "2", "[\n  1,\n  2\n]\n"}, {"[\n  1,\n  2,\n  3\n]\n", "012", "[]\n"},
		{"[ 1 , 2 , 3 ]", "02", "[ 2 ]"}, {"[[1],[2]]", "0", "[[2]]"}, {"[[]]", "0", "[]"},
		{"1 2 3", "1", "1 3"}, {"{}\n{}\n", "0", "{}\n"}, {"{}\r\n{\"a\":1}\r\n{}", "1", "{}\r\n{}"}, {"{}[1]", "1", "{}[]"}, {"{} \n [1]", "0", " [1]"},
		{"1{}2", "1", "1 2"}, {"1{}\n2", "1", "1 2"}, {"{}1", "0", "1"}, {"[1]{}2", "1", "[1]2"}, {"1 {}2", "1", "1 2"},
	} {
		var edits []scanners.Edit
		for _, g := range c.gone {
			edits = append(edits, scanners.Edit{Record: int64(g - '0')})
		}
		if got, err := rewritten(t, c.doc, edits...); err != nil || got != c.want {
			t.Errorf("%q without %s: %q, %v; want %q", c.doc, c.gone, got, err, c.want)
		}
	}
}

func TestRedact(t *testing.T) {
	doc := "[ {\n \"a\" : \"x\", \"b\":{\"c\":1} } , \"y\"]"
	got, err := rewritten(t, doc, scanners.Edit{Record: 0, Redact: true, Keep: []string{"b"}}, scanners.Edit{Record: 1, Redact: true})
	if want := "[ {\n \"a\" : null, \"b\":{\"c\":1} } , null]"; err != nil || got != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

func TestOnlyDocument(t *testing.T) {
	_, err := rewritten(t, `{"a":"jane@example.com"}`, scanners.Edit{})
	ref := (*scanners.Refusal)(nil)
	if !errors.As(err, &ref) || ref.Code != scanners.Unsupported || !strings.Contains(err.Error(), "erase_object") {
		t.Error(err)
	}
}

// Whatever goes from a list, encoding/json reads what is left, and nothing else.
func TestAgainstLibrary(t *testing.T) {
	for _, space := range []string{"", " ", "\n\t"} {
		all := elements(6)
		doc := space + "[" + space + strings.Join(all, space+","+space) + space + "]" + space
		for bits := range 1 << 6 {
			var edits []scanners.Edit
			want := []any{}
			for i, e := range all {
				if bits>>i&1 == 1 {
					edits = append(edits, scanners.Edit{Record: int64(i)})
					continue
				}
				var v any
				if err := json.Unmarshal([]byte(e), &v); err != nil {
					t.Fatal(err)
				}
				want = append(want, v)
			}
			got, err := rewritten(t, doc, edits...)
			if err != nil {
				t.Fatal(err)
			}
			var v []any
			if err := json.Unmarshal([]byte(got), &v); err != nil || fmt.Sprint(v) != fmt.Sprint(want) {
				t.Fatalf("%b: %q, %v", bits, got, err)
			}
		}
	}
}

func TestRewriteMemory(t *testing.T) {
	element := `{"id":"CAL1","phone":"+14045550123","text":"` + strings.Repeat("words and more words ", 20) + `"}`
	doc := "[" + strings.Repeat(element+",\n", 100_000) + element + "]"
	var edits []scanners.Edit
	for i := int64(0); i < 100_000; i += 100 {
		edits = append(edits, scanners.Edit{Record: i, Redact: i%200 == 0})
	}
	in := scanners.Input{Name: "o", Size: int64(len(doc)), Open: func(context.Context, int64, int64) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(doc)), nil
	}}
	scantest.BoundedRewrite(t, Scanner{}, in, edits, 100_001, 8<<20)
}

func FuzzRewrite(f *testing.F) {
	f.Add([]byte("\xef\xbb\xbf[1, {\"a\":[\"x\"]} ,\n\"{\\\"b\\\":1}\"]"), uint64(6), "a[]")
	f.Add([]byte("\"\"\"\"1"), uint64(10), "")
	f.Add([]byte("{}\n[{\"a\":{}}]{\"a\":1} null"), uint64(37), "a")
	f.Add([]byte("[[],[[1]]]"), uint64(9), "value")
	f.Fuzz(func(t *testing.T, doc []byte, bits uint64, keep string) {
		scantest.FuzzRewriter(t, Scanner{}, scantest.Copied{Data: doc}, bits, keep)
	})
}
