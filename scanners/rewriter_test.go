package scanners

import "testing"

func TestKeeps(t *testing.T) {
	for _, c := range []struct {
		keep, path string
		want       bool
	}{
		{"a", "a", true}, {"a", "a.b", true}, {"a", "a[]", true}, {"a", "a{}", true}, {"a", "ab", false}, {"ab", "a", false}, {"a.b", "a", false},
		{"a{}", "a.x", true}, {"a{}", "a.x.y", true}, {"a{}", "a.x[].y", true}, {"a{}", "a[]", false}, {"a{}", "a", false}, {"a{}", "a{}", true},
		{"a{}.c", "a.x.c", true}, {"a.{}.c", "a.x.y.c", true}, {"a{}.c", "a.x.y", false}, {"{}", "x", true}, {"{}.b", "x.b", true}, {"{}", "", false},
		{"a{}[]", "a.k[]", true}, {"a{}[]", "a.k", false}, {"", "a", false}, {"a{}.c", "a{}.c", true},
	} {
		e := Edit{Keep: []string{c.keep}}
		if got := e.Keeps(c.path); got != c.want {
			t.Errorf("%q keeps %q: %v", c.keep, c.path, got)
		}
	}
}
