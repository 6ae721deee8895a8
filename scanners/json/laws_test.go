package json

import (
	"strings"
	"testing"

	"expunge/scanners/scantest"
)

func TestLaws(t *testing.T) {
	type leaf = scantest.Leaf
	elements := []string{
		"{\n  \"id\": \"CAL1\",\n  \"p\": \"+14045550123\"\n}",
		`{"v":{"ids":[{"value":"ab12"}]},"d":2145550123.0,"t":"}]\"{"}`,
		`"jane@example.com"`,
		`{"p":"[\"\\u002b14045550199\"]"}`,
	}
	truth := func(doc string) []scantest.Record {
		out := []scantest.Record{
			{Leaves: []leaf{{Path: "id", Value: "CAL1"}, {Path: "p", Value: "+14045550123"}}},
			{Leaves: []leaf{{Path: "v.ids[].value", Value: "ab12"}, {Path: "d", Value: "2145550123"}, {Path: "t", Value: `}]"{`}}},
			{Leaves: []leaf{{Path: "value", Value: "jane@example.com"}}},
			{Leaves: []leaf{{Path: "p[]", Value: "+14045550199"}}},
		}
		for i, e := range elements {
			out[i].Offset, out[i].Length = int64(strings.Index(doc, e)), int64(len(e))
		}
		return out
	}
	list := "[" + strings.Join(elements, ",\n") + "]"
	row := strings.Join(elements, "\n")
	scantest.Run(t, Scanner{}, []scantest.File{
		{Name: "list", Data: []byte(list), Records: truth(list), Packed: true, Sealed: true},
		{Name: "row", Data: []byte(row), Records: truth(row), Packed: true},
	})
}
