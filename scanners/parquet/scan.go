package parquet

import (
	"bytes"
	"context"
	"errors"
	"sort"

	"github.com/parquet-go/parquet-go/format"

	"expunge/scanners"
	"expunge/scanners/walk"
)

// Scan implements scanners.Scanner.
func (*Scanner) Scan(ctx context.Context, in scanners.Input, f scanners.Finder, emit func(*scanners.Record) error) (stats scanners.Stats, err error) {
	defer func() { err = settle(in.Name, err) }()
	defer scanners.Guard(in.Name, &err)
	src := &source{ctx: ctx, in: in}
	file, err := open(src)
	if err != nil {
		return stats, err
	}
	first, last := in.Part.Group, len(file.meta.RowGroups)
	if in.Part.Groups > 0 {
		last = first + in.Part.Groups
	}
	if first < 0 || first > last || last > len(file.meta.RowGroups) {
		return stats, corrupt("part names row groups that are not there")
	}
	s := &scan{file: file, finder: f, emit: emit, inf: &inflater{}, record: in.Part.Record, every: in.Every}
	defer s.inf.close()
	s.declare()
	if first == 0 {
		if err := s.footer(); err != nil {
			return stats, err
		}
	}
	for g := first; g < last; g++ {
		if err := ctx.Err(); err != nil {
			return stats, passed{err}
		}
		if err := s.group(g); err != nil {
			return stats, err
		}
		rows := file.meta.RowGroups[g].NumRows
		stats.Records += rows
		s.record += rows
		f.Boundary(0, g+1, s.record)
	}
	if first == last {
		f.Boundary(0, last, s.record)
	}
	return stats, nil
}

// settle makes a refusal of every error but those that are passed on.
func settle(name string, err error) error {
	if err == nil {
		return nil
	}
	if p := (passed{}); errors.As(err, &p) {
		return p.error
	}
	return refuse(name, err)
}

// Split implements scanners.Splitter: runs of whole row groups.
func (*Scanner) Split(ctx context.Context, in scanners.Input, target int64) (parts []scanners.Part, err error) {
	defer func() { err = settle(in.Name, err) }()
	defer scanners.Guard(in.Name, &err)
	file, err := open(&source{ctx: ctx, in: in})
	if err != nil {
		return nil, err
	}
	if len(file.meta.RowGroups) < 2 {
		return nil, nil
	}
	var bytes, record int64
	for g := range file.meta.RowGroups {
		group := &file.meta.RowGroups[g]
		if len(parts) == 0 || bytes >= target {
			parts = append(parts, scanners.Part{Group: g, Record: record})
			bytes = 0
		}
		parts[len(parts)-1].Groups++
		for c := range group.Columns {
			bytes += group.Columns[c].MetaData.TotalCompressedSize
		}
		record += group.NumRows
	}
	return parts, nil
}

// scan is the state of one scan.
type scan struct {
	file   *file
	finder scanners.Finder
	emit   func(*scanners.Record) error
	inf    *inflater
	record int64 // ordinal of the row group's first row
	every  bool  // every row is a candidate, and emitted

	paths   walk.Paths   // of declared fields
	fields  *walk.Fields // the same, of JSON in texts
	columns []column     // by leaf
	walker  walk.Walker
	rows    []uint64  // candidates of the row group, one bit per row
	numRows int64     // of the row group
	sweep   *chunk    // the column that is searched
	cursors []*cursor // the columns that rows are read from
	places  [][]place // of the pages of a row group, by column
	adrift  []bool    // columns whose pages begin inside rows
	told    []bool    // columns whose places the file says
	kept    int       // places
	buf     []byte    // texts kept apart by NULs
	starts  []int     // of the values in buf
	at      []int
	wanted  []bool // by value of a page or dictionary
	asm     assembler
}

// column is how a leaf is searched.
type column struct {
	probe  bool  // Probe is asked
	fields []int // declared fields that are this column
	inside bool  // declared fields lie in the JSON of its values
}

// declare finds the columns that declared fields lie in.
func (s *scan) declare() {
	declared := s.finder.Fields()
	s.paths, s.fields = walk.NewPaths(declared), walk.NewFields(declared)
	s.asm.columns, s.asm.paths = s.file.leaves, s.paths
	s.columns, s.places, s.adrift = make([]column, len(s.file.leaves)), make([][]place, len(s.file.leaves)), make([]bool, len(s.file.leaves))
	s.told = make([]bool, len(s.file.leaves))
	narrow, _ := s.finder.(scanners.Narrower)
	for i, l := range s.file.leaves {
		looks := narrow == nil || narrow.Looks(l.path)
		s.columns[i] = column{probe: l.text.searched() && looks, fields: s.paths.At(l.path), inside: l.isText() && s.paths.Below(l.path)}
	}
}

// isText reports whether values may be JSON.
func (l *leaf) isText() bool { return l.text.means == asString || l.text.means == asBytes }

// mayBeJSON reports whether b can be more than the text that it is.
func mayBeJSON(b []byte) bool { return bytes.IndexByte(b, '{') >= 0 || bytes.IndexByte(b, '[') >= 0 }

// columnPath is the path of matches in the names of columns.
const columnPath = "(column)"

// footer searches the key-value metadata and the names of columns. That says something of the file, not of one
// row: a person has to look. The Arrow schema that writers embed is
// a binary copy of the columns' types and is left out.
func (s *scan) footer() error {
	rec := scanners.Record{Index: -1, Group: -1, Offset: -1, Length: -1, Schema: s.file.schema}
	s.walker.Reset()
	for _, kv := range s.file.meta.KeyValueMetadata {
		if kv.Key == "ARROW:schema" {
			continue
		}
		name := kv.Key
		s.finder.Probe(nil, []byte(kv.Key)) // so that a catalog knows of it
		s.finder.Probe(nil, []byte(kv.Value))
		if n := len(rec.Matches); name != "" {
			if rec.Matches = s.finder.Find(rec.Matches, "(footer){}", []byte(name)); len(rec.Matches) > n {
				name = "?" // paths hold no identifiers
			}
		}
		for _, l := range s.walker.Text([]byte(kv.Value), "(footer)."+name) {
			if l.Kind == walk.Null {
				continue
			}
			value := append([]byte{}, l.Value...)
			if l.Kind != walk.Key {
				rec.Leaves = append(rec.Leaves, scanners.Leaf{Path: l.Path, Value: value})
			}
			rec.Matches = s.finder.Find(rec.Matches, l.Path, value)
		}
		rec.Raw = append(append(rec.Raw, kv.Key...), 0)
		rec.Raw = append(append(rec.Raw, kv.Value...), 0)
	}
	narrow, _ := s.finder.(scanners.Narrower)
	for i := range s.file.meta.Schema {
		if narrow != nil && !narrow.Looks(columnPath) {
			break
		}
		// A column for each person has values for names.
		if name := []byte(s.file.meta.Schema[i].Name); len(s.finder.Probe(nil, name)) > 0 {
			rec.Matches = s.finder.Find(rec.Matches, columnPath, name)
			rec.Raw = append(append(rec.Raw, name...), 0)
		}
	}
	if len(rec.Matches) == 0 {
		return nil
	}
	scanners.Review(rec.Matches, "metadata")
	rec.Doc = []byte("{}")
	if err := s.emit(&rec); err != nil {
		return passed{err}
	}
	return nil
}

// group searches one row group: columns first, then the candidate rows.
func (s *scan) group(g int) error {
	meta := &s.file.meta.RowGroups[g]
	if hollow(meta) {
		return nil
	}
	if err := s.preload(g); err != nil {
		return err
	}
	s.numRows, s.kept = meta.NumRows, 0
	for i := range s.places {
		s.places[i], s.adrift[i], s.told[i] = s.places[i][:0], false, false
	}
	words := int((meta.NumRows + 63) / 64)
	s.rows = append(s.rows[:0], make([]uint64, words)...)
	if s.every {
		for row := range meta.NumRows {
			s.rows[row/64] |= 1 << (row % 64)
		}
	}
	for i := range s.columns {
		if err := s.column(g, i); err != nil {
			return err
		}
	}
	return s.candidates(g)
}

// preload reads a small row group at once.
func (s *scan) preload(g int) error {
	src := s.file.src
	src.group, src.off = nil, 0
	lo, hi := int64(1<<62), int64(0)
	for c := range s.file.meta.RowGroups[g].Columns {
		off, end := span(&s.file.meta.RowGroups[g].Columns[c])
		lo, hi = min(lo, off), max(hi, end)
	}
	if hi-lo > groupCache || hi <= lo {
		return nil
	}
	b, err := src.read(lo, hi-lo)
	if err != nil {
		return err
	}
	src.group, src.off = b, lo
	return nil
}

// column marks the candidate rows of one column chunk. Columns that are not
// searched are read only where a row is a candidate.
func (s *scan) column(g, i int) error {
	col, l := &s.columns[i], s.file.leaves[i]
	searched := col.probe || col.inside || len(col.fields) > 0
	if !searched {
		return nil
	}
	s.sweep = s.file.chunk(s.sweep, g, i, sweepAhead, s.inf)
	c, numRows := s.sweep, s.numRows
	s.inf.held = int64(cap(c.raw) + cap(c.spare))
	row := int64(-1) // of the last entry
	var hits []bool  // by dictionary value; nil: none is wanted
	asked := false
	for {
		more, err := c.next()
		if err != nil {
			return err
		}
		if !more {
			break
		}
		if c.has && !asked {
			asked = true
			if s.search(l, col, &c.dict) {
				hits = append([]bool(nil), s.wanted[:c.dict.n]...)
			}
		}
		p := &c.page
		if p.indexed && hits == nil {
			switch {
			case l.maxRep == 0:
				s.keep(i, c, row+1)
				row += int64(p.entries)
				continue
			case p.header.Type == format.DataPageV2:
				s.keep(i, c, row+1)
				row += int64(p.header.DataPageHeaderV2.V.NumRows)
				continue
			}
		}
		if err := c.load(); err != nil {
			return err
		}
		s.keep(i, c, row+1)
		wanted := hits
		if !p.indexed {
			wanted = nil
			if s.search(l, col, &p.vals) {
				wanted = s.wanted
			}
		}
		k := 0
		for e := range p.entries {
			if l.maxRep == 0 || p.rep[e] == 0 {
				row++
			}
			if l.maxDef > 0 && int(p.def[e]) < l.maxDef {
				continue
			}
			v := k
			k++
			if wanted == nil {
				continue
			}
			if p.indexed {
				v = int(p.index[v])
			}
			if wanted[v] {
				if row < 0 || row >= numRows {
					return c.fail("more rows than the row group's %d", numRows)
				}
				s.rows[row/64] |= 1 << (row % 64)
			}
		}
	}
	if row+1 != numRows {
		return c.fail("%d rows, the row group has %d", row+1, numRows)
	}
	return nil
}

// search asks the finder about values, sets s.wanted by value and reports whether
// any is.
func (s *scan) search(l *leaf, col *column, v *values) bool {
	if cap(s.wanted) < v.n {
		s.wanted = make([]bool, v.n)
	}
	s.wanted = s.wanted[:v.n]
	clear(s.wanted)
	found := false
	mark := func(i int) {
		if i >= 0 && i < v.n {
			s.wanted[i], found = true, true
		}
	}
	direct := l.isText() && v.width == 0
	if !direct {
		s.buf, s.starts = s.buf[:0], s.starts[:0]
		for i := range v.n {
			s.starts = append(s.starts, len(s.buf))
			s.buf = append(l.appendText(s.buf, v.at(i)), 0)
		}
	}
	if col.probe {
		raw := s.buf
		start := func(i int) int { return s.starts[i] }
		if direct {
			raw = v.data
			start = func(i int) int { return int(v.start[i]) }
		}
		s.at = s.finder.Probe(s.at[:0], raw)
		i := 0
		for _, off := range s.at {
			// Values are many and places few: search ahead from the last.
			i += sort.Search(v.n-i, func(k int) bool { return start(i+k) > off })
			mark(i - 1)
			if i < v.n && off+1 >= start(i) {
				mark(i) // the NUL before a value counts as the value's, too
			}
			i = max(i-1, 0)
		}
	}
	if len(col.fields) == 0 && !col.inside {
		return found
	}
	for i := range v.n {
		b := v.at(i)
		if !direct {
			end := len(s.buf) - 1
			if i+1 < v.n {
				end = s.starts[i+1] - 1
			}
			b = s.buf[s.starts[i]:end]
		}
		for _, k := range col.fields {
			if s.finder.ProbeField(k, b) {
				mark(i)
			}
		}
		if !col.inside || len(b) < 2 || !mayBeJSON(b) {
			continue
		}
		for _, inner := range s.walker.Text(b, l.path) {
			s.fields.Leaf(inner, func(k int, value []byte) {
				if s.finder.ProbeField(k, value) {
					mark(i)
				}
			})
		}
	}
	return found
}
