package walk

import (
	"strings"
	"testing"
)

// What a walk finds for a field, Scan must have handed over, or called in doubt.
func TestFieldsScan(t *testing.T) {
	for _, c := range []struct {
		field, doc string
		doubt      bool // whether the record may be, and has to be, walked
	}{
		{"user_id", `{"user_id":"42"}`, false}, {"a.user_id", `{"a":{"user_id" : 42.0}}`, false}, {"a.b", `{"a.b":"42"}`, false}, {"c[]", `{"c[]":"42"}`, false},
		{"user_id", `{"url":"a\u0026b\/c\nd","user_id":42}`, false},
		{"user_id", `{"user\u005fid":"42"}`, true}, {"user_id", `{"user_id":"\u0034\u0032"}`, true}, {"ids[]", `{"ids":["7","42"]}`, true},
		{"p.user_id", `{"p":"{\"user_id\":42}"}`, true}, {"p.user_id", `{"p":"{\u0022user_id\u0022\u003A42}"}`, true}, {"p.user_id", `{"p":"{\"user_id\"\n:42}"}`, true},
		{"p.q.user_id", `{"p":"{\"q\":\"{\\\"user_id\\\":42}\"}"}`, true}, {"p.user_id", `{"p":"{\"\\u0075ser_id\":42}"}`, true},
		{"m{}", `{"m":{"any":"42"}}`, true}, {"m{}.user_id", `{"m":{"any":{"user_id":"42"}}}`, false},
		{"é", `{"\u00e9":"42"}`, true}, {"a/b", `{"a\/b":"42"}`, true}, {"", `{"":"42"}`, true}, {"user_id", `{"user_id":` + "\n" + `42}`, true},
	} {
		s := NewFields([]string{"other", c.field})
		got := false
		doubt := s.Scan(nil, []byte(c.doc), false, func(field int, value []byte, at int) {
			got = got || field == 1 && string(value) == "42"
		})
		if len(doubt) > 0 != c.doubt || !got && !c.doubt {
			t.Errorf("%s in %s: value %v, in doubt at %v", c.field, c.doc, got, doubt)
		}
		var w Walker
		leaves, err := w.Leaves([]byte(c.doc), "")
		got = false
		for _, l := range leaves {
			s.Leaf(l, func(field int, value []byte) { got = got || field == 1 && string(value) == "42" })
		}
		if err != nil || !got {
			t.Errorf("%s in %s: walked and not handed over", c.field, c.doc)
		}
	}
}

// In doubt, the rest of a line is skipped, and the next line is not.
func TestFieldsLines(t *testing.T) {
	doc := strings.Repeat(`{"user\u005fid":1,"user_id":2}`+"\n", 3) + `{"user_id":42}`
	n := 0
	doubt := NewFields([]string{"user_id"}).Scan(nil, []byte(doc), true, func(_ int, value []byte, _ int) { n++ })
	if len(doubt) != 3 || n != 4 {
		t.Errorf("%d in doubt, %d values", len(doubt), n)
	}
}
