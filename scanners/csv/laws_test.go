package csv

import (
	"fmt"
	"strings"
	"testing"

	"expunge/scanners"
	"expunge/scanners/scantest"
)

func TestLaws(t *testing.T) {
	type leaf = scantest.Leaf
	file := func(name string, head string, rows []string, leaves [][]leaf, l scanners.Layout) scantest.File {
		doc := head
		var truth []scantest.Record
		for i, row := range rows {
			truth = append(truth, scantest.Record{Offset: int64(len(doc)), Length: int64(len(strings.TrimRight(row, "\r\n"))), Leaves: leaves[i]})
			doc += row
		}
		return scantest.File{Name: name, Data: []byte(doc), Layout: l, Records: truth, Packed: true}
	}
	quoted := file("quoted", "id,\"\"\"FROM\"\"\",note\r\n",
		[]string{"1,+14045550123,\"a, b\nc\"\r\n", "2,\"jane@example.com\",x \"y\" z\n", "3,,last"},
		[][]leaf{
			{{Path: "id", Value: "1"}, {Path: `"FROM"`, Value: "+14045550123"}, {Path: "note", Value: "a, b\nc"}},
			{{Path: "id", Value: "2"}, {Path: `"FROM"`, Value: "jane@example.com"}, {Path: "note", Value: `x "y" z`}},
			{{Path: "id", Value: "3"}, {Path: `"FROM"`, Value: ""}, {Path: "note", Value: "last"}},
		}, scanners.Layout{})
	event := file("event", "",
		[]string{"web\tu1\t{\"data\":{\"mail\":\"jane@example.org\"}}\n", "\"web\tu2\tplain\n"},
		[][]leaf{
			{{Path: "app", Value: "web"}, {Path: "user", Value: "u1"}, {Path: "ctx.data.mail", Value: "jane@example.org"}},
			{{Path: "app", Value: `"web`}, {Path: "user", Value: "u2"}, {Path: "ctx", Value: "plain"}},
		}, scanners.Layout{Columns: []string{"app", "user", "ctx"}})
	var rows []string
	var leaves [][]leaf
	for i := range 700 {
		rows = append(rows, fmt.Sprintf("%d;u%d@example.com\n", i, i))
		leaves = append(leaves, []leaf{{Path: "n", Value: fmt.Sprint(i)}, {Path: "mail", Value: fmt.Sprintf("u%d@example.com", i)}})
	}
	scantest.Run(t, New(), []scantest.File{quoted, event, file("many", "n;mail\n", rows, leaves, scanners.Layout{})})
}
