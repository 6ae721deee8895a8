package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestJudge(t *testing.T) {
	one, two, whole := place{"a/1", "s3://l/x", 1}, place{"a/1", "s3://l/x", 2}, place{"a/1", "sum", -1}
	want := found{one: {"exact"}, two: {"linked"}, whole: {"linked", "linked"}}
	for _, c := range []struct {
		name string
		got  found
		want verdict
	}{
		{"all", found{one: {"exact"}, two: {"linked"}, whole: {"", ""}}, verdict{expected: 4, found: 4}},
		{"another tier", found{one: {"hashed"}, two: {"linked"}, whole: {"", ""}}, verdict{expected: 4, found: 4, tiers: 1}},
		{"a record less", found{one: {"exact"}, whole: {"", ""}}, verdict{expected: 4, found: 3, missing: []string{"a/1: s3://l/x, record 2 (linked)"}}},
		{"an equal file less", found{one: {"exact"}, two: {"linked"}, whole: {""}}, verdict{expected: 4, found: 3, missing: []string{"a/1: sum, whole (linked)"}}},
		{"twice", found{one: {"exact", "exact"}, two: {"linked"}, whole: {"", ""}}, verdict{expected: 4, found: 5, foreign: []string{"a/1: s3://l/x, record 1 (exact)"}}},
		{"another's", found{one: {"exact"}, two: {"linked"}, whole: {"", ""}, {"b/1", "s3://l/x", 1}: {"exact"}},
			verdict{expected: 4, found: 5, foreign: []string{"b/1: s3://l/x, record 1 (exact)"}}},
		{"nothing", found{}, verdict{expected: 4, missing: []string{"a/1: s3://l/x, record 1 (exact)", "a/1: s3://l/x, record 2 (linked)", "a/1: sum, whole (linked)", "a/1: sum, whole (linked)"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, judge(want, c.got), cmp.AllowUnexported(verdict{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestObjectURL(t *testing.T) {
	if got, want := objectURL("a b/ü+%/c"), "s3://acme-lake/a%20b/%C3%BC+%25/c"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
