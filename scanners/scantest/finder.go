package scantest

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"expunge/scanners"
)

// Boundary is one call of Finder.Boundary.
type Boundary struct {
	Off    int64
	Group  int
	Record int64
}

// Finder looks for literal strings, wherever they stand, and for whole values of
// fields. It is slow and plain, so that it can be believed, and keeps what it was
// asked.
//
// Literals must stand in the raw bytes of a format as they do in its values, save
// for escapes by backslash, percent or bytes beyond ASCII, all of which make their
// record a candidate.
type Finder struct {
	Literals []string          // needles 0, 1, …
	Values   map[string]string // by path of a field, perhaps with {}: needles from 1000, by path

	Probed     [][]byte // all input of Probe
	Asked      [][]byte // all values given to ProbeField
	Boundaries []Boundary
}

const firstValue = 1000

// Probe implements scanners.Finder.
func (f *Finder) Probe(at []int, raw []byte) []int {
	f.Probed = append(f.Probed, bytes.Clone(raw))
	from := len(at)
	for i, c := range raw {
		if c == '\\' || c == '%' || c >= 0x80 {
			at = append(at, i)
		}
	}
	for _, s := range f.Literals {
		for i := 0; ; i++ {
			j := bytes.Index(raw[i:], []byte(s))
			if j < 0 {
				break
			}
			i += j
			at = append(at, i)
		}
	}
	slices.Sort(at[from:])
	return at[:from+len(slices.Compact(at[from:]))]
}

// Fields implements scanners.Finder.
func (f *Finder) Fields() []string {
	var paths []string
	for p := range f.Values {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	return paths
}

// ProbeField implements scanners.Finder.
func (f *Finder) ProbeField(field int, value []byte) bool {
	f.Asked = append(f.Asked, bytes.Clone(value))
	return string(value) == f.Values[f.Fields()[field]]
}

// Find implements scanners.Finder.
func (f *Finder) Find(dst []scanners.Match, path string, value []byte) []scanners.Match {
	for i, s := range f.Literals {
		if bytes.Contains(value, []byte(s)) {
			dst = append(dst, scanners.Match{Needle: uint32(i), Path: path, Kind: "literal", Rule: "literal", Tier: "exact"})
		}
	}
	for i, p := range f.Fields() {
		if f.Values[p] == string(value) && Covers(p, path) {
			dst = append(dst, scanners.Match{Needle: uint32(firstValue + i), Path: path, Kind: "value", Rule: "value", Tier: "exact"})
		}
	}
	return dst
}

// Covers reports whether a leaf's path is that of the declared field, whose "{}"
// stand for any name.
func Covers(declared, path string) bool {
	if declared == path {
		return true
	}
	if !strings.Contains(declared, "{}") {
		return false
	}
	name := `(\{\}|\.[^.\[\]{}]+)`
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(declared), `\{\}`, name) + "$").MatchString(path)
}

// Boundary implements scanners.Finder.
func (f *Finder) Boundary(off int64, group int, record int64) {
	f.Boundaries = append(f.Boundaries, Boundary{off, group, record})
}
