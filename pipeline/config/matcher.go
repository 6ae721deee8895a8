package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrTwoDatasets says that two datasets claim one object. Which of their settings
// hold could not be said; the config must be made unambiguous.
var ErrTwoDatasets = errors.New("two datasets claim one object")

// Matcher finds the dataset that claims an object. It is safe for concurrent use.
type Matcher struct {
	datasets index
	ignores  index
	reasons  []string
	names    []string // of the datasets, for errors; may be empty
}

// NewMatcher indexes the datasets' `at`, by their place in the list, and ignores.
func NewMatcher(at []string, ignores []Ignore) (*Matcher, error) {
	m := &Matcher{}
	for i, text := range at {
		p, err := Compile(text)
		if err != nil {
			return nil, fmt.Errorf("compile dataset %d: %w", i, err)
		}
		m.datasets.add(p)
	}
	for i, ig := range ignores {
		p := ig.Pattern
		if p == nil {
			var err error
			if p, err = Compile(ig.At); err != nil {
				return nil, fmt.Errorf("compile ignore %d: %w", i, err)
			}
		}
		m.ignores.add(p)
		m.reasons = append(m.reasons, ig.Reason)
	}
	return m, nil
}

// Find returns the index of the dataset that claims the object, and what its
// pattern captured; -1 if none does. It looks at every dataset, so that two which
// claim one object are always found out: ErrTwoDatasets.
func (m *Matcher) Find(store, key string) (int, map[string]string, error) {
	found, spans, err := m.find(store, key)
	if found < 0 {
		return -1, nil, err
	}
	return found, m.datasets.patterns[found].captured(key, spans), nil
}

// Fill puts what fill says in the place of each capture of an object's key. A key that
// no dataset claims comes back as it is. Whether one claims the new key is to be asked
// of Find.
func (m *Matcher) Fill(store, key string, fill func(capture, value string) string) (string, error) {
	found, spans, err := m.find(store, key)
	if found < 0 {
		return key, err
	}
	var out strings.Builder
	done := 0
	for i, name := range m.datasets.patterns[found].names { // in the order of the key
		out.WriteString(key[done:spans[i][0]])
		out.WriteString(fill(name, key[spans[i][0]:spans[i][1]]))
		done = spans[i][1]
	}
	out.WriteString(key[done:])
	return out.String(), nil
}

// find is the dataset that claims an object, and where its captures are; -1 if none does.
func (m *Matcher) find(store, key string) (int, [][2]int, error) {
	found, spans := -1, [8][2]int{}
	var wide [][2]int
	for _, i := range m.datasets.candidates(store, key) {
		p := m.datasets.patterns[i]
		var s [8][2]int
		at := s[:]
		if len(p.names) > len(s) {
			at = make([][2]int, len(p.names))
		}
		if !p.match(key, at) {
			continue
		}
		if found >= 0 {
			return -1, nil, fmt.Errorf("find dataset: %s and %s: %w: narrow one of them", m.dataset(found), m.dataset(i), ErrTwoDatasets)
		}
		found, spans, wide = i, s, nil
		if len(p.names) > len(s) {
			wide = at
		}
	}
	if found < 0 {
		return -1, nil, nil
	}
	if wide == nil {
		wide = spans[:]
	}
	return found, wide, nil
}

// dataset is how errors call a dataset.
func (m *Matcher) dataset(i int) string {
	if i < len(m.names) {
		return fmt.Sprintf("dataset %s (%q)", m.names[i], m.datasets.patterns[i])
	}
	return fmt.Sprintf("%q", m.datasets.patterns[i])
}

// Ignored reports whether an object that no dataset claims is left out on
// purpose, and why. A dataset's claim goes before: nothing that is declared is
// ever ignored.
func (m *Matcher) Ignored(store, key string) (reason string, ok bool) {
	for _, i := range m.ignores.candidates(store, key) {
		p := m.ignores.patterns[i]
		var s [8][2]int
		at := s[:]
		if len(p.names) > len(s) {
			at = make([][2]int, len(p.names))
		}
		if p.match(key, at) {
			return m.reasons[i], true
		}
	}
	return "", false
}

// index finds patterns by store and by the literal text that their keys begin
// with: the patterns whose prefix is the longest known one of a key include, in
// order, those of all shorter ones.
type index struct {
	patterns []*Pattern
	stores   map[string]*prefixes
}

type prefixes struct {
	sorted []string         // distinct prefixes
	chains map[string][]int // prefix → patterns whose prefix is a prefix of it
	all    []int
}

func (x *index) add(p *Pattern) {
	if x.stores == nil {
		x.stores = map[string]*prefixes{}
	}
	x.patterns = append(x.patterns, p)
	s := x.stores[p.store]
	if s == nil {
		s = &prefixes{}
		x.stores[p.store] = s
	}
	s.all = append(s.all, len(x.patterns)-1)
	if !slices.Contains(s.sorted, p.prefix) {
		s.sorted = append(s.sorted, p.prefix)
		slices.Sort(s.sorted)
	}
	s.chains = make(map[string][]int, len(s.sorted))
	for _, prefix := range s.sorted {
		for _, i := range s.all {
			if strings.HasPrefix(prefix, x.patterns[i].prefix) {
				s.chains[prefix] = append(s.chains[prefix], i)
			}
		}
	}
}

// candidates are the patterns whose prefix key begins with.
func (x *index) candidates(store, key string) []int {
	s := x.stores[store]
	if s == nil {
		return nil
	}
	// The longest prefix of key in sorted order is the last one not greater than
	// key, or a prefix of that one: walk back along common beginnings.
	limit := key
	for {
		i, exact := slices.BinarySearch(s.sorted, limit)
		if !exact {
			i--
		}
		if i < 0 {
			return nil
		}
		prefix := s.sorted[i]
		if strings.HasPrefix(key, prefix) {
			return s.chains[prefix]
		}
		n := 0
		for n < len(prefix) && n < len(limit) && prefix[n] == limit[n] {
			n++
		}
		limit = limit[:n]
	}
}
