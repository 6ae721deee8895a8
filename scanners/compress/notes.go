package compress

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"expunge/scanners"
)

// maxNotes bounds what is kept of the notes of one object. What says more in them is
// refused: it was not searched.
const maxNotes = 4 << 20

// notes are the texts that the packing says besides the data: a gzip member's name
// can be "jane-doe-export.csv". Equal ones are kept once: a log of many members says
// its name in each.
type notes struct {
	seen map[string]bool
	all  []scanners.Leaf
	size int
	err  error
}

func (n *notes) add(path string, text []byte) {
	if len(text) == 0 || n.err != nil || n.seen[path+string(text)] {
		return
	}
	if n.size += len(text) + 64; n.size > maxNotes {
		n.err = fmt.Errorf("names and comments beyond %d MiB: %w", maxNotes>>20, ErrUnsupported)
		return
	}
	if n.seen == nil {
		n.seen = map[string]bool{}
	}
	n.seen[path+string(text)] = true
	n.all = append(n.all, scanners.Leaf{Path: path, Value: text})
}

// latin1 is text in UTF-8: gzip's names are ISO 8859-1, but most writers put UTF-8.
func latin1(b []byte) []byte {
	if utf8.Valid(b) {
		return bytes.Clone(b)
	}
	var out []byte
	for _, c := range b {
		out = utf8.AppendRune(out, rune(c))
	}
	return out
}

// Notes searches what the packing of s, which has been read to its end, says besides
// the data, and emits it as one record with Index -1 if that holds a match. It says
// something of the object and not of one record: a person has to look. An error is
// emit's.
func Notes(s Stream, f scanners.Finder, emit func(*scanners.Record) error) error {
	st, ok := s.(*stream)
	if !ok || st.notes == nil || len(st.notes.all) == 0 {
		return nil
	}
	rec := scanners.Record{Index: -1, Group: -1, Offset: -1, Length: -1, Doc: []byte("{}")}
	for _, n := range st.notes.all {
		n.Value = latin1(n.Value)
		rec.Leaves = append(rec.Leaves, n)
		f.Probe(nil, n.Value) // so that a catalog knows of it
		rec.Matches = f.Find(rec.Matches, n.Path, n.Value)
		rec.Raw = append(append(append(append(rec.Raw, n.Path...), 0), n.Value...), 0)
	}
	if len(rec.Matches) == 0 {
		return nil
	}
	scanners.Review(rec.Matches, "metadata")
	return emit(&rec)
}
