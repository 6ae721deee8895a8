package csv

import "expunge/scanners"

// HeaderPath is the path of matches in the names of columns.
const HeaderPath = "(header)"

// headings searches the record that names the columns. A file that has no header
// after all begins with data there, and nobody but a person can tell.
func (s *scan) headings() error {
	if len(s.header) == 0 {
		return nil
	}
	s.f.Probe(nil, s.header) // so that a catalog knows of it
	rec := scanners.Record{Index: -1, Group: -1, Offset: -1, Length: -1, Doc: []byte("{}"), Raw: s.header}
	s.cells.parse(s.header, s.delimiter, s.literal)
	paths := s.f.Fields()
	for _, cell := range s.cells.list {
		found := len(rec.Matches)
		rec.Matches = s.f.Find(rec.Matches, HeaderPath, cell)
		for i, path := range paths {
			if s.f.ProbeField(i, cell) {
				rec.Matches = s.f.Find(rec.Matches, path, cell)
			}
		}
		if len(rec.Matches) > found {
			rec.Leaves = append(rec.Leaves, scanners.Leaf{Path: HeaderPath, Value: cell})
		}
	}
	if len(rec.Matches) == 0 {
		return nil
	}
	scanners.Review(rec.Matches, "header")
	return s.emit(&rec)
}
