package walk

import (
	"slices"
	"testing"
)

func TestPaths(t *testing.T) {
	for _, tt := range []struct {
		declared, place string
		at, below       bool
	}{
		{"a.b", "a.b", true, true}, {"a.b", "a", false, true}, {"a", "a.b", false, false}, {"a", "ab", false, false},
		{"a{}", "a.b", true, true}, {"a.{}", "a.b", true, true}, {"a{}", "a{}", true, true}, {"a{}", "a[]", false, false}, {"a{}", "a.b[]", false, false},
		{"a{}[]", "a.b[]", true, true}, {"a{}[].c", "a.b[].c", true, true}, {"a[]", "a[]", true, true}, {"a[][]", "a[][]", true, true},
		{"a.b", "a{}", true, true}, {"a.b.c", "a{}", true, true}, {"a.b.c", "a{}.c", true, true}, {"a.b[]", "a{}[]", true, true}, {"a.b[]", "a{}.c", false, false},
		{"a.b.c", "a{}.d", false, false}, {"a", "a{}", false, false}, {"{}", "a", true, true}, {"{}.b", "a.b", true, true}, {"a.b.c.d", "a{}{}", true, true},
	} {
		p := NewPaths([]string{"other", tt.declared})
		if at, below := slices.Equal(p.At(tt.place), []int{1}), p.Below(tt.place); at != tt.at || below != tt.below {
			t.Errorf("%q at %q: %v, below %v", tt.declared, tt.place, at, below)
		}
	}
}

func TestAppendKey(t *testing.T) {
	p := NewPaths([]string{"m.user.id", "m.x.y.z"})
	for _, tt := range []struct{ path, key, want string }{
		{"m{}", "plan", "m.plan"}, {"m{}", "", "m{}"}, {"m{}", "a.b", "m{}"}, {"m{}", "user.id", "m.user.id"}, {"m{}", "x.y", "m.x.y"}, {"m{}", "a[]", "m{}"},
		{"m{}", "+14045550123", "m{}"}, {"m{}", "jane@example", "m{}"}, {"m{}", "k-2026", "m.k-2026"},
		{"m.n{}", "k", "m.n.k"}, {"m[]{}", "k", "m[].k"}, {"m{}", string(make([]byte, MaxKey+1)), "m{}"}, {"{}", "k", "k"}, {"m", "k", "m"},
	} {
		if got := string(p.AppendKey([]byte("> "), tt.path, []byte(tt.key))); got != "> "+tt.want {
			t.Errorf("%q under %q: %q", tt.path, tt.key, got)
		}
	}
}
