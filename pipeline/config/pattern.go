package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Pattern is a compiled `at`: which objects of which store it names, and what
// their keys say. The first segment is the store's name; the rest is matched
// against keys, segment by segment between slashes:
//
//	literal text   itself
//	{name}         one or more bytes but no slash, captured as they stand (percent signs included)
//	*              any bytes but no slash, or none
//	**             alone between slashes: any number of segments, also none; at the end at least one
//
// Where a segment can be cut in several ways, each wildcard takes as little as
// it can: {id}.{ext} cuts RE1.transcript.json after RE1. Matching is linear in the
// key, but for patterns with several ** in a row of equal segments.
type Pattern struct {
	text   string
	store  string
	prefix string
	groups [][]segment // runs of segments; a ** stands between two of them
	names  []string    // captures, in order
}

// segment is what may stand between two slashes: wildcards with literals between.
type segment struct {
	head  string // before the first wildcard; the whole of it if there is none
	wilds []wild
}

type wild struct {
	capture int    // index in names; -1 for *
	after   string // the literal after it
}

// Compile compiles an `at`.
func Compile(at string) (*Pattern, error) {
	store, rest, _ := strings.Cut(at, "/")
	if store == "" || strings.ContainsAny(store, "*{}") {
		return nil, fmt.Errorf("%q does not begin with the name of a store", at)
	}
	if rest == "" {
		return nil, fmt.Errorf("%q names no objects: write %q for all of the store", at, store+"/**")
	}
	p := &Pattern{text: at, store: store, groups: [][]segment{nil}}
	literal := true // whether all so far belongs to the prefix
	for i, s := range strings.Split(rest, "/") {
		if literal && i > 0 {
			p.prefix += "/"
		}
		if s == "**" {
			literal = false
			p.groups = append(p.groups, nil)
			continue
		}
		if strings.Contains(s, "**") {
			return nil, fmt.Errorf("%q: ** stands alone between slashes: write **/* followed by the rest of the name", at)
		}
		seg, err := p.segment(s)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", at, err)
		}
		if literal {
			p.prefix += seg.head
			literal = len(seg.wilds) == 0
		}
		last := len(p.groups) - 1
		p.groups[last] = append(p.groups[last], seg)
	}
	return p, nil
}

func (p *Pattern) segment(s string) (segment, error) {
	var seg segment
	literal := func(text string) {
		if n := len(seg.wilds); n > 0 {
			seg.wilds[n-1].after += text
		} else {
			seg.head += text
		}
	}
	adjacent := func() bool { n := len(seg.wilds); return n > 0 && seg.wilds[n-1].after == "" }
	for s != "" {
		i := strings.IndexAny(s, "*{}")
		if i < 0 {
			literal(s)
			break
		}
		literal(s[:i])
		if adjacent() {
			return seg, errors.New("two wildcards with nothing between them: nobody could say where the first one ends")
		}
		switch s[i] {
		case '*':
			seg.wilds = append(seg.wilds, wild{capture: -1})
			s = s[i+1:]
		case '}':
			return seg, errors.New("a } without its {")
		case '{':
			name, rest, ok := strings.Cut(s[i+1:], "}")
			if !ok {
				return seg, errors.New("a { without its }")
			}
			if !validName(name) {
				return seg, fmt.Errorf("{%s} is not the name of a capture (letters, digits and _)", name)
			}
			if slices.Contains(p.names, name) {
				return seg, fmt.Errorf("{%s} stands there twice", name)
			}
			seg.wilds = append(seg.wilds, wild{capture: len(p.names)})
			p.names = append(p.names, name)
			s = rest
		}
	}
	return seg, nil
}

// String is the `at` itself.
func (p *Pattern) String() string { return p.text }

// Store is the name of the store.
func (p *Pattern) Store() string { return p.store }

// Prefix is what all matching keys begin with.
func (p *Pattern) Prefix() string { return p.prefix }

// Captures lists the names of the captures, in order.
func (p *Pattern) Captures() []string { return slices.Clone(p.names) }

// Match reports whether p names the object key of the store, and what its
// captures hold. The map is nil where there are none.
func (p *Pattern) Match(store, key string) (map[string]string, bool) {
	if store != p.store {
		return nil, false
	}
	var buf [8][2]int
	spans := buf[:]
	if len(p.names) > len(spans) {
		spans = make([][2]int, len(p.names))
	}
	if !p.match(key, spans) {
		return nil, false
	}
	return p.captured(key, spans), true
}

func (p *Pattern) captured(key string, spans [][2]int) map[string]string {
	if len(p.names) == 0 {
		return nil
	}
	m := make(map[string]string, len(p.names))
	for i, n := range p.names {
		m[n] = key[spans[i][0]:spans[i][1]]
	}
	return m
}

// match puts the captures' places in spans.
//
// The first group must stand at the start and the last at the end. A group
// between two ** may stand anywhere; its first place is as good as any, since it
// leaves the most for the rest.
func (p *Pattern) match(key string, spans [][2]int) bool {
	if !strings.HasPrefix(key, p.prefix) {
		return false
	}
	at, ok := run(p.groups[0], key, 0, spans)
	if !ok {
		return false
	}
	if len(p.groups) == 1 {
		return at == len(key)+1
	}
	for _, g := range p.groups[1 : len(p.groups)-1] {
		for len(g) > 0 {
			if next, ok := run(g, key, at, spans); ok {
				at = next
				break
			}
			if at = after(key, at); at > len(key) {
				return false
			}
		}
	}
	last := p.groups[len(p.groups)-1]
	if len(last) == 0 {
		return at <= len(key) // ** at the end: at least one segment
	}
	start, n := len(key)+1, len(last)
	for ; n > 0; n-- { // the start of the n-th segment from the end
		if start <= 0 {
			return false
		}
		start = strings.LastIndexByte(key[:start-1], '/') + 1
		if start == 0 && n > 1 {
			return false
		}
	}
	if start < at {
		return false
	}
	end, ok := run(last, key, start, spans)
	return ok && end == len(key)+1
}

// after is where the segment after the one at i begins; len(key)+1 if there is none.
func after(key string, i int) int {
	if j := strings.IndexByte(key[i:], '/'); j >= 0 {
		return i + j + 1
	}
	return len(key) + 1
}

// run matches whole segments of key from i on and returns where the next segment
// begins: len(key)+1 after the last.
func run(segs []segment, key string, i int, spans [][2]int) (int, bool) {
	for s := range segs {
		if i > len(key) {
			return 0, false
		}
		next := after(key, i)
		if !segs[s].match(key[:next-1], i, spans) {
			return 0, false
		}
		i = next
	}
	return i, true
}

// match matches key[i:], which holds no slash, as a whole. Wildcards but the last
// end at the first place where the literal after them stands: if any cut fits,
// that one does, and it is the shortest. The last one must reach to the end.
func (s *segment) match(key string, i int, spans [][2]int) bool {
	if !strings.HasPrefix(key[i:], s.head) {
		return false
	}
	i += len(s.head)
	if len(s.wilds) == 0 {
		return i == len(key)
	}
	for n, w := range s.wilds {
		least := 0
		if w.capture >= 0 {
			least = 1
		}
		end := len(key) - len(w.after)
		if n < len(s.wilds)-1 {
			if i+least > len(key) {
				return false
			}
			j := strings.Index(key[i+least:], w.after)
			if j < 0 {
				return false
			}
			end = i + least + j
		} else if end < i+least || key[end:] != w.after {
			return false
		}
		if w.capture >= 0 {
			spans[w.capture] = [2]int{i, end}
		}
		i = end + len(w.after)
	}
	return true
}

func validName(s string) bool {
	if s == "" || s[0] >= '0' && s[0] <= '9' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}
