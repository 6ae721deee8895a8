package bundle

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"expunge/connectors/mem"
)

// members is an object of n members whose names begin with prefix, from the first on.
func members(prefix string, first, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"%s%d":"v%d"`, prefix, first+i, first+i)
	}
	return "{" + b.String()[1:] + "}"
}

// TestNothingIsLostOfWideRecords: however many members records have, alike or each its
// own, at the top or within objects, the table has no more columns than readers can take,
// and they and _more hold all that the records do; so do the JSON lines.
func TestNothingIsLostOfWideRecords(t *testing.T) {
	nested := func(n, each int) string {
		var parts []string
		for i := range n {
			parts = append(parts, fmt.Sprintf(`"o%d":%s`, i, members("m", i*10, each)))
		}
		return "{" + strings.Join(parts, ",") + `,"last":{"a":1,"b":[{"c":2}]}}`
	}
	many := []string{}
	for i := range 60 {
		many = append(many, members("id", i*50, 50))
	}
	for name, c := range map[string]struct {
		docs []string
		more bool
	}{
		"as many as fit":      {[]string{members("k", 0, maxColumns)}, false},
		"one more":            {[]string{members("k", 0, maxColumns+1)}, true},
		"many more":           {[]string{members("k", 0, 3*maxColumns), members("k", 5, 7), members("k", 3*maxColumns-2, 5)}, true},
		"each has its own":    {many, true},
		"within objects":      {[]string{nested(5, 900), nested(2, 3)}, false},
		"within many objects": {[]string{nested(500, 9), nested(900, 1), `{"o1":7,"new":1}`}, true},
		"room that is given back, of which a record was without": {[]string{nested(400, 4), members("k", 0, 300), `{"o0":1,"o1":2,"late":3,"k0":{"x":1}}`}, true},
		"its name taken":    {[]string{`{"_more":1}`, members("k", 0, maxColumns)}, true},
		"twice the name":    {[]string{`{"a":1,"a":2,"a":3,"b":"x"}`, members("k", 0, maxColumns)}, true},
		"nothing in excess": {[]string{`{"a":1}`, `{"b":2}`}, false},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(docs(c.docs...))
			in.Run = "run-1"
			files := write(t, mem.New("work", mem.Options{}), in)
			table, _ := arrowTable(t, files["data/calls.parquet"], "")
			own := table.Schema().Fields()
			if n := len(own) - len(reserved()); n > maxColumns {
				t.Errorf("%d columns", n)
			}
			if got := table.Schema().HasField(more); got != c.more {
				t.Errorf("%s %v, want %v", more, got, c.more)
			}
			var lines []map[string]any
			for line := range strings.Lines(string(files["data/calls.jsonl"])) {
				var v map[string]any
				if err := json.Unmarshal([]byte(line), &v); err != nil {
					t.Fatal(err)
				}
				for k := range reserved() {
					delete(v, k)
				}
				lines = append(lines, v)
			}
			for i, doc := range c.docs {
				if !strings.Contains(doc, "_more") && !strings.Contains(doc, `"a":2`) {
					var want map[string]any
					if err := json.Unmarshal([]byte(doc), &want); err != nil {
						t.Fatal(err)
					}
					if d := cmp.Diff(want, lines[i]); d != "" {
						t.Fatalf("record %d of the JSON lines: %s", i, d)
					}
				}
				got := map[string]any{}
				for at, f := range own {
					chunk, row := table.Column(at).Data().Chunk(0), i
					if reserved()[f.Name] && f.Name != more || chunk.IsNull(row) {
						continue
					}
					v := cell(t, chunk.GetOneForMarshal(row))
					if f.Name == more {
						maps.Copy(got, v.(map[string]any))
					} else {
						got[f.Name] = v
					}
				}
				if d := cmp.Diff(flat(lines[i]), flat(got)); d != "" {
					t.Fatalf("record %d of the table: %s", i, d)
				}
			}
		})
	}
}

// cell is a cell as JSON has it, without the nulls of members that a record lacks; what
// is kept as JSON text is opened.
func cell(t *testing.T, v any) any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	if s, ok := out.(string); ok {
		var in any
		if json.Unmarshal([]byte(s), &in) == nil {
			return in
		}
	}
	return out
}

// flat are the leaves of a record by path, without nulls.
func flat(v any) map[string]string {
	out := map[string]string{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case nil:
		case map[string]any:
			for k, item := range v {
				walk(path+"."+k, item)
			}
		case []any:
			for i, item := range v {
				walk(fmt.Sprintf("%s[%d]", path, i), item)
			}
		case string:
			var in any
			if json.Unmarshal([]byte(v), &in) == nil {
				walk(path, in)
				return
			}
			out[path] = v
		default:
			out[path] = fmt.Sprint(v)
		}
	}
	walk("", v)
	return out
}
