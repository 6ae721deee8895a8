package walk

import (
	"slices"
	"strings"
)

// Paths tells which declared fields the values in one place of a schema can belong
// to, for formats whose columns or types are known before their values are. "{}"
// stands for any name, on either side: declared "traits{}" is every field of a
// struct, and the values of a map, at "traits{}", may be those of a declared
// "traits.plan". It says yes to more than there is, never to less.
type Paths [][]string

// NewPaths prepares for the fields with these paths.
func NewPaths(declared []string) Paths {
	p := make(Paths, len(declared))
	for i, d := range declared {
		p[i] = steps(d)
	}
	return p
}

// At returns the fields that values at place, which are no JSON, may belong to.
func (p Paths) At(place string) []int {
	at := steps(place)
	var fields []int
	for i, declared := range p {
		if match(declared, at, false) {
			fields = append(fields, i)
		}
	}
	return fields
}

// Below reports whether some field may lie inside the JSON of texts at place, or
// be the texts themselves, which then may be JSON that holds the field's values.
func (p Paths) Below(place string) bool {
	at := steps(place)
	return slices.ContainsFunc(p, func(declared []string) bool {
		return match(declared, at, true)
	})
}

// MaxKey bounds a map's key that has a part in a path.
const MaxKey = 256

// AppendKey appends to path, which ends in "{}", what its value under key is
// called: "traits{}" becomes "traits.plan", as it is in JSON. Where that would be
// read as something else, or the key could be a person's (paths are shown, keys of
// that kind are not), and no field is declared by that name or below it, path stays.
func (p Paths) AppendKey(dst []byte, path string, key []byte) []byte {
	from := len(dst)
	dst = append(dst, path...)
	if len(key) == 0 || len(key) > MaxKey || !strings.HasSuffix(path, "{}") {
		return dst
	}
	named := dst[:len(dst)-len("{}")]
	if len(named) > from {
		named = append(named, '.')
	}
	named = append(named, key...)
	if plain(key) || p.Below(string(named[from:])) {
		return named
	}
	return append(dst[:from], path...)
}

// maxDigits is how many digits a name may have that is no number of a person's.
const maxDigits = 6

func plain(key []byte) bool {
	digits := 0
	for _, c := range key {
		switch {
		case c == '.' || c == '[' || c == ']' || c == '{' || c == '}' || c == '@':
			return false
		case c >= '0' && c <= '9':
			digits++
		}
	}
	return digits <= maxDigits
}

// steps splits a path; "[]" and "{}", which stands for any name, are steps of
// their own.
func steps(path string) []string {
	path = strings.ReplaceAll(path, ".{}", "{}")
	path = strings.ReplaceAll(strings.ReplaceAll(path, "{}", ".*"), "[]", ".[]")
	return strings.Split(strings.TrimPrefix(path, "."), ".")
}

// match reports whether a declared field is the place at, or lies below it too. A
// key at the place can have dots of its own and so be several declared steps.
func match(declared, at []string, below bool) bool {
	for len(at) > 0 && len(declared) > 0 {
		if at[0] == "*" {
			for k := range declared {
				if match(declared[k+1:], at[1:], below) {
					return true
				}
			}
			return false
		}
		if declared[0] != at[0] && (declared[0] != "*" || at[0] == "[]") {
			return false
		}
		declared, at = declared[1:], at[1:]
	}
	return len(at) == 0 && (below || len(declared) == 0)
}
