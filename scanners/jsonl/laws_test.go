package jsonl

import (
	"fmt"
	"strings"
	"testing"

	"expunge/scanners/scantest"
)

func TestLaws(t *testing.T) {
	type leaf = scantest.Leaf
	small := []string{
		`{"id":"CAL1","p":"+14045550123","n":12145550123,"x":null}` + "\r\n",
		"\n",
		`{"v":{"ids":[{"value":"ab12"},{"value":"cd34"}]},"d":2145550123.0}` + "\n",
		`{"p":"{\"user_id\":\"jane@example.com\"}","u":"\u002b14045550199"}` + "\n",
		`["jane@example.org"]` + "\n",
		`{"cut":"jane@example.net` + "\n",
		`{"last":true}`,
	}
	truth := []scantest.Record{
		{Leaves: []leaf{{Path: "id", Value: "CAL1"}, {Path: "p", Value: "+14045550123"}, {Path: "n", Value: "12145550123"}, {Path: "x"}}},
		{Leaves: []leaf{{Path: "v.ids[].value", Value: "ab12"}, {Path: "v.ids[].value", Value: "cd34"}, {Path: "d", Value: "2145550123"}}},
		{Leaves: []leaf{{Path: "p.user_id", Value: "jane@example.com"}, {Path: "u", Value: "+14045550199"}}},
		{Leaves: []leaf{{Path: "value[]", Value: "jane@example.org"}}},
		{Malformed: true},
		{Leaves: []leaf{{Path: "last", Value: "true"}}},
	}
	at, n := int64(0), 0
	for _, line := range small {
		if raw := strings.TrimRight(line, "\r\n"); raw != "" {
			truth[n].Offset, truth[n].Length = at, int64(len(raw))
			n++
		}
		at += int64(len(line))
	}
	var big strings.Builder
	var many []scantest.Record
	for i := range 700 {
		mail := fmt.Sprintf("u%d@example.com", i)
		line := fmt.Sprintf(`{"user":{"mail":%q},"n":%d}`, mail, i)
		many = append(many, scantest.Record{Offset: int64(big.Len()), Length: int64(len(line)), Leaves: []leaf{{Path: "user.mail", Value: mail}, {Path: "n", Value: fmt.Sprint(i)}}})
		big.WriteString(line + "\n")
	}
	scantest.Run(t, Scanner{}, []scantest.File{
		{Name: "empty", Packed: true},
		{Name: "small", Data: []byte(strings.Join(small, "")), Records: truth, Packed: true, Literals: []string{"example"}},
		{Name: "many", Data: []byte(big.String()), Records: many, Packed: true, Literals: []string{"u699@"}},
	})
}
