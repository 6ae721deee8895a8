package walk

import (
	"bytes"
	"errors"
	"slices"

	"expunge/scanners"
)

// Search asks a Finder about records that are JSON, for scanners of such formats.
// Mark comes once for a block of records, then Marked and Record for each of them
// in order.
type Search struct {
	Walker Walker
	Every  bool // every record is to be emitted
	f      scanners.Finder
	fields *Fields
	names  []string
	at     []int // places that make their record a candidate
	found  []int // the same, by a field's value
	doubt  []int // places that make it one to be walked
	doc    []byte
}

// NewSearch returns a search for f.
func NewSearch(f scanners.Finder) *Search {
	names := f.Fields()
	return &Search{f: f, names: names, fields: NewFields(names)}
}

// Mark probes a block of raw records. With lines, records end at line ends.
func (s *Search) Mark(block []byte, lines bool) {
	s.at = s.f.Probe(s.at[:0], block)
	s.found = s.found[:0]
	s.doubt = s.fields.Scan(s.doubt[:0], block, lines, func(field int, value []byte, at int) {
		if s.f.ProbeField(field, value) {
			s.found = append(s.found, at)
		}
	})
	slices.Sort(s.doubt)
}

// Probe is Mark for records that are not JSON: without the fields.
func (s *Search) Probe(block []byte) {
	s.at = s.f.Probe(s.at[:0], block)
	s.found, s.doubt = s.found[:0], s.doubt[:0]
}

// Marked reports on the record that ends at end, and forgets the marks before it:
// whether it is a candidate, and whether it must be walked to tell.
func (s *Search) Marked(end int) (candidate, doubt bool) {
	pop := func(at *[]int) bool {
		n := 0
		for n < len(*at) && (*at)[n] < end {
			n++
		}
		*at = (*at)[n:]
		return n > 0
	}
	a, b, c := pop(&s.at), pop(&s.found), pop(&s.doubt)
	return a || b, c
}

// Record looks closely at one record whose Raw and place are set. body is the JSON
// of it. It fills in the rest and reports whether the record is to be emitted.
// A body that is no object gets the Doc {"value": body}.
func (s *Search) Record(rec *scanners.Record, body []byte, candidate, doubt bool, stats *scanners.Stats) (bool, error) {
	object := len(body) > 1 && body[0] == '{' && body[len(body)-1] == '}'
	if object && !candidate && !doubt && !s.Every {
		return false, nil
	}
	root := ""
	if !object {
		doubt = true
		if len(body) == 0 || body[0] != '{' {
			root = "value"
		}
	}
	leaves, err := s.Walker.Leaves(body, root)
	if errors.Is(err, ErrMany) {
		return false, err
	}
	if doubt {
		for _, l := range leaves {
			s.fields.Leaf(l, func(field int, value []byte) {
				if s.f.ProbeField(field, value) {
					candidate = true
				}
			})
		}
		// What must be walked and cannot be may hold anything.
		candidate = candidate || object && err != nil
	}
	rec.Group, rec.Suspect, rec.Doc, rec.Schema = -1, err != nil, nil, nil
	rec.Matches, rec.Leaves = rec.Matches[:0], rec.Leaves[:0]
	if err != nil {
		stats.Malformed++
		if candidate {
			stats.Suspect++
			rec.Matches = s.f.Find(rec.Matches, "", rec.Raw)
		}
	}
	if !candidate && !s.Every {
		return false, nil
	}
	s.Find(rec, leaves)
	if err != nil {
		rec.Leaves = nil
		return len(rec.Matches) > 0 || s.Every, nil
	}
	rec.Doc = body
	if !object {
		s.doc = append(append(append(s.doc[:0], `{"value":`...), body...), '}')
		rec.Doc = s.doc
	}
	return len(rec.Matches) > 0 || s.Every, nil
}

// Find hands leaves to the Finder, keys too, and appends what it finds and the
// scalars to rec.
func (s *Search) Find(rec *scanners.Record, leaves []Leaf) {
	for _, l := range leaves {
		if l.Kind != Null {
			rec.Matches = s.f.Find(rec.Matches, l.Path, l.Value)
		}
		if l.Kind != Key {
			rec.Leaves = append(rec.Leaves, scanners.Leaf{Path: l.Path, Value: l.Value})
		}
	}
}

// Trim removes the space around a JSON text.
func Trim(b []byte) []byte { return bytes.Trim(b, " \t\r\n") }
