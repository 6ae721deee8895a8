package walk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"strings"
	"testing"
)

// show writes leaves as "path=value" (keys as "path:key"), for tests to compare.
func show(leaves []Leaf) string {
	var b strings.Builder
	for i, l := range leaves {
		if i > 0 {
			b.WriteByte(' ')
		}
		switch {
		case l.Kind == Key:
			fmt.Fprintf(&b, "%s:%s", l.Path, l.Value)
		case l.Kind == Null:
			fmt.Fprintf(&b, "%s=null", l.Path)
		default:
			fmt.Fprintf(&b, "%s=%s", l.Path, l.Value)
		}
	}
	return b.String()
}

func values(leaves []Leaf) (out []Leaf) {
	for _, l := range leaves {
		if l.Kind != Key {
			out = append(out, l)
		}
	}
	return out
}

func TestLeaves(t *testing.T) {
	for _, c := range []struct{ doc, root, want string }{
		{`{"a":{"b":"x"},"l":[{"b":1},[true,null]]}`, "", `a.b=x l[].b=1 l[][]=true l[][]=null`},
		{`{"a":"1","a":"2"}`, "", `a=1 a=2`},
		{`{"a.b":{"c[]":"x"}}`, "", `a.b.c[]=x`},
		{`["x",{"y":2}]`, "value", `value[]=x value[].y=2`},
		{`42`, "value", `value=42`},
		{`{"u":"\u002b1\/\ud83d\ude00\ud800x\udc00"}`, "", "u=+1/\U0001F600\uFFFDx\uFFFD"},
		{`{"u":"\ud800\u0041"}`, "", "u=\uFFFDA"},
		{`{"p":"{\"user_id\":\"42\",\"q\":\"{\\\"r\\\":7}\"}"}`, "", `p.user_id=42 p.q.r=7`},
		{`{"p":" [ {\"a\":1} ] "}`, "", `p[].a=1`},
		{`{"p":"{not json}","q":"[]","r":"{\"a\":1} x"}`, "", `p={not json} q=[] r={"a":1} x`},
		{`{"p":"{\"a\":1,}"}`, "", `p={"a":1,}`},
		{`{"n":[12145550123,1.2145550123E10,2145550123.0,21455501230e-1,-1.50,0.1,1e999999,12345678901234567890123,0.0,-7.0]}`, "",
			`n[]=12145550123 n[]=12145550123 n[]=2145550123 n[]=2145550123 n[]=-1.50 n[]=0.1 n[]=1e999999 n[]=12345678901234567890123 n[]=0 n[]=-7`},
	} {
		var w Walker
		got, err := w.Leaves([]byte(c.doc), c.root)
		if err != nil || show(values(got)) != c.want {
			t.Errorf("%s\n got %s, %v\nwant %s", c.doc, show(values(got)), err, c.want)
		}
	}
}

func TestKeys(t *testing.T) {
	var w Walker
	got, err := w.Leaves([]byte(`{"form_data":{"+1404\u0035550123":"x"},"m":"{\"k\":1}"}`), "")
	want := `{}:form_data form_data{}:+14045550123 form_data.+14045550123=x {}:m m{}:k m.k=1`
	if err != nil || show(got) != want {
		t.Errorf("got %s, %v", show(got), err)
	}
}

func TestText(t *testing.T) {
	var w Walker
	if got := show(values(w.Text([]byte(`{"a":[1,"x"]}`), "c"))); got != `c.a[]=1 c.a[]=x` {
		t.Error(got)
	}
	if got := show(w.Text([]byte(`[plain`), "c")); got != `c=[plain` {
		t.Error(got)
	}
	if got := w.Text(nil, "c"); len(got) != 1 || got[0].Kind != String {
		t.Error(got)
	}
}

func TestBounds(t *testing.T) {
	var w Walker
	deep := func(n int) []byte { return []byte(strings.Repeat("[", n) + strings.Repeat("]", n)) }
	if _, err := w.Leaves(deep(MaxDepth), ""); err != nil {
		t.Error(err)
	}
	if _, err := w.Leaves(deep(MaxDepth+1), ""); err != ErrDepth {
		t.Error(err)
	}
	if _, err := w.Leaves([]byte(strings.Repeat("[", 1<<20)), ""); err != ErrDepth {
		t.Error(err)
	}
	// JSON in strings in strings …: after MaxNested the rest is a string.
	doc := []byte(`"x"`)
	for range MaxNested + 2 {
		doc, _ = json.Marshal(map[string]json.RawMessage{"k": doc})
		doc, _ = json.Marshal(string(doc))
	}
	got, err := w.Leaves(doc, "")
	if last := got[len(got)-1]; err != nil || strings.Count(last.Path, "k") != MaxNested {
		t.Errorf("%v: %s", err, last.Path)
	}
}

func TestBroken(t *testing.T) {
	for doc, want := range map[string]string{
		`{"user_id":"42","x":"ab`: "user_id=42", `{"a":1`: "a=1", `{"a":1}}`: "a=1", `{"a" 1}`: "", ``: "", `{"a":01}`: "a=0", `{"a":"` + "\t" + `"}`: "",
		`{"a":"\x"}`: "", `{"a":"\u12g4"}`: "", `[1,]`: "[]=1", `{"a":1,}`: "a=1", `tru`: "", `-`: "", `1.`: "", `1e`: "", `{a:1}`: "",
	} {
		var w Walker
		got, err := w.Leaves([]byte(doc), "")
		if err != ErrSyntax || show(values(got)) != want {
			t.Errorf("%s: %s, %v", doc, show(values(got)), err)
		}
		if json.Valid([]byte(doc)) {
			t.Errorf("%s is valid", doc)
		}
	}
}

// oracle takes doc apart by encoding/json.
func oracle(t testing.TB, doc []byte, root string, nested int) (out []Leaf) {
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var value func(path string)
	value = func(path string) {
		tok, err := d.Token()
		if err != nil {
			t.Fatalf("oracle: %v", err)
		}
		switch v := tok.(type) {
		case json.Delim:
			for d.More() {
				if v == '[' {
					value(path + "[]")
					continue
				}
				k, _ := d.Token()
				key := k.(string)
				out = append(out, Leaf{path + "{}", []byte(key), Key})
				if path != "" {
					key = path + "." + key
				}
				value(key)
			}
			_, _ = d.Token()
		case string:
			if s := strings.Trim(v, " \t\r\n"); nested < MaxNested && s != "" && (s[0] == '{' || s[0] == '[') && json.Valid([]byte(s)) {
				if in := oracle(t, []byte(s), path, nested+1); len(in) > 0 {
					out = append(out, in...)
					return
				}
			}
			out = append(out, Leaf{path, []byte(v), String})
		case json.Number:
			out = append(out, Leaf{path, []byte(v), Number})
		case bool:
			out = append(out, Leaf{path, fmt.Append(nil, v), Bool})
		case nil:
			out = append(out, Leaf{path, nil, Null})
		}
	}
	value(root)
	if _, err := d.Token(); err != io.EOF {
		t.Fatalf("oracle: more after the document: %v", err)
	}
	return out
}

func FuzzLeaves(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.50,1e3,"x\u00e9",{"b":null}],"a":true}`, `{"p":"{\"a\":[\"{\\\"b\\\":1}\"]}"}`, `[[],{}," {} ","[1]"]`,
		`"\ud83d\ude00\ud800"`, `-0.0e-5`, "{\"\xff\":\"\xfe\\n\"}", `{"":{"":""}}`, `1.2145550123E10`, `"{\"a\":1`, ` {"a" : 1 } `} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		var w Walker
		got, err := w.Leaves(doc, "r")
		if valid := json.Valid(doc); err == ErrSyntax && valid || err == nil && !valid {
			t.Fatalf("%v, encoding/json says %v", err, valid)
		}
		if err != nil || bytes.Count(doc, []byte{'['})+bytes.Count(doc, []byte{'{'}) > MaxDepth {
			return
		}
		// encoding/json puts U+FFFD in the place of bytes that are not UTF-8; so
		// compare with a document where they are already.
		valid := bytes.ToValidUTF8(doc, []byte("\uFFFD"))
		if !bytes.Equal(valid, doc) {
			return
		}
		want := oracle(t, doc, "r", 0)
		if len(got) != len(want) {
			t.Fatalf("%s\n got %s\nwant %s", doc, show(got), show(want))
		}
		for i, g := range got {
			o := want[i]
			same := bytes.Equal(g.Value, o.Value)
			if g.Kind == Number && !same {
				a, ok1 := new(big.Rat).SetString(string(g.Value))
				b, ok2 := new(big.Rat).SetString(string(o.Value))
				same = ok1 && ok2 && a.Cmp(b) == 0 && a.IsInt() && !bytes.ContainsAny(g.Value, ".eE")
			}
			if g.Path != o.Path || g.Kind != o.Kind || !same || (g.Value == nil) != (g.Kind == Null) {
				t.Fatalf("%s\n got %s\nwant %s", doc, show(got), show(want))
			}
		}
	})
}

func BenchmarkLeaves(b *testing.B) {
	doc := []byte(`{"id":"CAL8154748ae6bd4e278a7cddd38a662f4f","customer_phone_number":"+14045550123","duration":13,"answered":true,"tags":["a","b"],` +
		`"landing_page_url":"https:\/\/example.com\/?a=1\u0026b=2","milestones":{"first_touch":{"event_date":"2026-11-20T09:00:00Z","source":"google"}},"note":null}`)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	var w Walker
	for b.Loop() {
		if _, err := w.Leaves(doc, ""); err != nil {
			b.Fatal(err)
		}
	}
}
