package parquet

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"

	"github.com/parquet-go/parquet-go/format"

	"expunge/scanners"
	"expunge/scanners/walk"
)

// entry is one place of a row in a column.
type entry struct {
	rep, def uint8
	value    []byte // in the assembler's arena; nil where def says null
}

// cursor reads the rows of one column, forward only.
type cursor struct {
	*chunk
	row    int64 // of the next entry that begins a row
	entry  int   // in the page
	value  int   // in the page
	loaded bool

	places []place // where the pages lie; nil: read one after another
	at     int     // the page that is loaded, if places are known
	begun  bool    // what lies before the pages was read
}

// candidates reads the marked rows of group g and emits those that match.
func (s *scan) candidates(g int) error {
	begun := false
	for w, word := range s.rows {
		for ; word != 0; word &= word - 1 {
			row := int64(w)*64 + int64(bits.TrailingZeros64(word))
			if !begun {
				begun = true
				if err := s.begin(g); err != nil {
					return err
				}
			}
			s.asm.reset(len(s.cursors))
			for i, c := range s.cursors {
				if err := s.read(c, row, i); err != nil {
					return err
				}
			}
			if err := s.emitRow(g, row); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin makes cursors for row group g.
func (s *scan) begin(g int) error {
	if !s.every {
		if err := s.locate(g); err != nil {
			return err
		}
	}
	if s.cursors == nil {
		s.cursors = make([]*cursor, len(s.file.leaves))
		for i := range s.cursors {
			s.cursors[i] = &cursor{}
		}
	}
	ahead := max(min(fetchAhead, totalWindow/int64(len(s.cursors))), leastFetch)
	s.inf.held = 0
	for i, c := range s.cursors {
		*c = cursor{chunk: s.file.chunk(c.chunk, g, i, ahead, s.inf)}
		if !s.every && len(s.places[i]) > 0 {
			c.places = s.places[i]
		}
		s.inf.held += int64(cap(c.raw) + cap(c.spare))
	}
	return nil
}

// read adds the entries of a row to column i. Where the pages are not what was
// said of their places, they are read one after another.
func (s *scan) read(c *cursor, row int64, i int) error {
	err := c.seek(s, row)
	if err == nil {
		err = c.read(s, row, &s.asm, i)
	}
	if f := (*fault)(nil); err != nil && c.places != nil && errors.As(err, &f) {
		c.restart(s)
		s.asm.entries[i] = s.asm.entries[i][:0]
		return c.read(s, row, &s.asm, i)
	}
	return err
}

// read adds the entries of a row to column i of a.
func (c *cursor) read(s *scan, row int64, a *assembler, i int) error {
	inside := false
	for {
		if !c.loaded || c.entry >= c.page.entries {
			if c.places != nil {
				if c.at+1 >= len(c.places) {
					if inside {
						return nil
					}
					return errPlace
				}
				// Whether the row goes on in the next page, that page must say.
				if err := c.open(s, c.at+1); err != nil {
					return err
				}
				continue
			}
			more, err := c.next()
			if err != nil {
				return err
			}
			if !more {
				if inside {
					return nil
				}
				return c.fail("row %d is not there", row)
			}
			c.entry, c.value, c.loaded = 0, 0, true
			if c.leaf.maxRep == 0 && c.row+int64(c.page.entries) <= row {
				c.row += int64(c.page.entries)
				c.entry = c.page.entries
				continue
			}
			if err := c.load(); err != nil {
				return err
			}
		}
		p := &c.page
		for ; c.entry < p.entries; c.entry++ {
			var e entry
			if c.leaf.maxRep > 0 {
				e.rep = p.rep[c.entry]
			}
			if c.leaf.maxDef > 0 {
				e.def = p.def[c.entry]
			}
			if e.rep == 0 {
				if inside {
					return nil
				}
				inside = c.row == row
				c.row++
			}
			there := int(e.def) == c.leaf.maxDef
			if inside {
				if there {
					e.value = a.keep(c.chunk.value(c.value))
				}
				if a.n++; a.n > walk.MaxLeaves || len(a.arena) > MaxPage {
					return &fault{scanners.TooLarge, fmt.Sprintf("row group %d row %d: more than 4 Mi values, or 256 MiB of them", c.group, row)}
				}
				a.entries[i] = append(a.entries[i], e)
			}
			if there {
				c.value++
			}
		}
		if inside && c.leaf.maxRep == 0 {
			return nil
		}
	}
}

// emitRow assembles the row at hand, asks the finder and emits a match.
func (s *scan) emitRow(g int, row int64) error {
	a := &s.asm
	a.doc, a.leaves = a.doc[:0], a.leaves[:0]
	if err := a.object(s.file.root); err != nil {
		return err
	}
	for i, l := range s.file.leaves {
		if a.pos[i] != len(a.entries[i]) {
			return corrupt("row group %d column %q: levels do not make a row", g, l.name)
		}
	}
	rec := scanners.Record{Index: s.record + row, Group: g, Offset: -1, Length: -1, Doc: a.doc, Schema: s.file.schema}
	for _, x := range a.leaves {
		l, col := s.file.leaves[x.column], &s.columns[x.column]
		if x.value == nil || x.key || !l.isText() {
			if !x.key {
				rec.Leaves = append(rec.Leaves, scanners.Leaf{Path: x.path, Value: x.value})
			}
			if x.value != nil && (col.probe || len(col.fields) > 0) {
				rec.Matches = s.finder.Find(rec.Matches, x.path, x.value)
			}
			continue
		}
		for _, inner := range s.walker.Text(x.value, x.path) {
			value := inner.Value
			if inner.Kind != walk.Null {
				value = append(make([]byte, 0, len(value)), value...) // the walker's memory serves the next text
				rec.Matches = s.finder.Find(rec.Matches, inner.Path, value)
			}
			if inner.Kind != walk.Key {
				rec.Leaves = append(rec.Leaves, scanners.Leaf{Path: inner.Path, Value: value})
			}
		}
	}
	if len(rec.Matches) == 0 && !s.every {
		return nil
	}
	rec.Raw = s.canonical()
	if err := s.emit(&rec); err != nil {
		return passed{err}
	}
	return nil
}

// canonical is the form that digests are taken over; see the package comment.
func (s *scan) canonical() []byte {
	out := []byte{1}
	for i, l := range s.file.leaves {
		out = binary.AppendUvarint(out, uint64(len(s.asm.entries[i])))
		for _, e := range s.asm.entries[i] {
			out = append(out, e.rep, e.def)
			if int(e.def) == l.maxDef {
				out = append(out, byte(l.typ))
				out = binary.AppendUvarint(out, uint64(len(e.value)))
				out = append(out, e.value...)
			}
		}
	}
	return out
}

// assembler makes a document of the entries of a row.
type assembler struct {
	entries [][]entry // by column
	n       int       // entries of all columns
	pos     []int
	arena   []byte
	doc     []byte
	leaves  []found

	columns []*leaf
	paths   walk.Paths
	named   string // inside a map's value: its path with the keys of the maps
	under   int    // how much of the columns' paths that stands for
}

// place is the path of a column, or of the entry of a map, in the row at hand.
func (a *assembler) place(path string) string {
	if a.under == 0 {
		return path
	}
	return a.named + path[a.under:]
}

// found is a leaf of the row as text; nil is null.
type found struct {
	column int
	path   string
	value  []byte
	key    bool // of a map: no leaf of its own, but searched
}

func (a *assembler) reset(columns int) {
	if len(a.entries) != columns {
		a.entries, a.pos = make([][]entry, columns), make([]int, columns)
	}
	for i := range a.entries {
		a.entries[i] = a.entries[i][:0]
	}
	clear(a.pos)
	a.n = 0
	if a.arena == nil {
		a.arena = make([]byte, 0, 4<<10) // never nil: an empty value is not null
	}
	a.arena = a.arena[:0]
}

// keep copies v; earlier values stay where they are when the arena grows.
func (a *assembler) keep(v []byte) []byte {
	from := len(a.arena)
	a.arena = append(a.arena, v...)
	return a.arena[from:len(a.arena):len(a.arena)]
}

// peek is the next entry of node n's first column.
func (a *assembler) peek(n *node) (entry, bool) {
	if a.pos[n.first] < len(a.entries[n.first]) {
		return a.entries[n.first][a.pos[n.first]], true
	}
	return entry{}, false
}

// field appends the value of n, with its repetition.
func (a *assembler) field(n *node) error {
	e, ok := a.peek(n)
	if !ok {
		return corrupt("column group %q: levels do not make a row", n.name)
	}
	if n.rep == format.Repeated {
		return a.repeated(n, e)
	}
	if int(e.def) < n.def {
		a.doc = append(a.doc, "null"...)
		return a.drop(n, true)
	}
	return a.value(n)
}

// repeated appends the elements of a repeated field.
func (a *assembler) repeated(n *node, e entry) error {
	a.doc = append(a.doc, '[')
	if int(e.def) < n.def {
		a.doc = append(a.doc, ']')
		return a.drop(n, false)
	}
	for {
		var err error
		if n.wrapper {
			err = a.field(n.children[0])
		} else {
			err = a.value(n)
		}
		if err != nil {
			return err
		}
		next, ok := a.peek(n)
		if !ok || int(next.rep) < n.lvl {
			break
		}
		if int(next.rep) != n.lvl {
			return corrupt("column group %q: repetition levels do not make a row", n.name)
		}
		a.doc = append(a.doc, ',')
	}
	a.doc = append(a.doc, ']')
	return nil
}

// drop passes over the entries that say that n is not there.
func (a *assembler) drop(n *node, null bool) error {
	for i := n.first; i < n.last; i++ {
		if a.pos[i] >= len(a.entries[i]) || int(a.entries[i][a.pos[i]].def) >= n.def {
			return corrupt("column group %q: levels do not agree", n.name)
		}
		a.pos[i]++
		if null {
			a.leaves = append(a.leaves, found{column: i, path: a.place(a.columns[i].path)})
		}
	}
	return nil
}

// value appends n, which is there, without its repetition.
func (a *assembler) value(n *node) error {
	switch {
	case n.leaf != nil:
		e := a.entries[n.first][a.pos[n.first]]
		if e.value == nil {
			return corrupt("column %q: levels do not agree", n.leaf.name)
		}
		a.pos[n.first]++
		from := len(a.arena)
		a.arena = n.leaf.appendText(a.arena, e.value)
		text := a.arena[from:len(a.arena):len(a.arena)]
		a.leaves = append(a.leaves, found{column: n.first, path: a.place(n.leaf.path), value: text})
		begin := len(a.doc)
		a.doc = n.leaf.appendJSON(a.doc, e.value)
		if t := n.leaf.text; t.means == asDecimal && t.precision > 0 && digits(a.doc[begin:]) > t.precision {
			return corrupt("column %q: a decimal has more digits than its precision", n.leaf.name)
		}
		return nil
	case n.shape != group:
		return a.field(n.children[0])
	}
	return a.object(n)
}

// object appends a group as an object.
func (a *assembler) object(n *node) error {
	a.doc = append(a.doc, '{')
	for i, c := range n.children {
		if i > 0 {
			a.doc = append(a.doc, ',')
		}
		if n.entry {
			if err := a.part(n, i); err != nil {
				return err
			}
			continue
		}
		a.doc = append(walk.AppendQuoted(a.doc, []byte(c.name)), ':')
		if err := a.field(c); err != nil {
			return err
		}
	}
	a.doc = append(a.doc, '}')
	return nil
}

// part appends key or value of a map's entry. What lies in the value is called by
// its key.
func (a *assembler) part(entry *node, i int) error {
	c := entry.children[i]
	if i == 0 {
		a.doc = append(a.doc, `"key":`...)
		from := len(a.leaves)
		if err := a.field(c); err != nil {
			return err
		}
		for k := range a.leaves[from:] {
			a.leaves[from+k].key = true
		}
		return nil
	}
	a.doc = append(a.doc, `"value":`...)
	named, under := a.named, a.under
	if last := len(a.leaves) - 1; entry.children[0].leaf != nil && last >= 0 {
		a.named = string(a.paths.AppendKey(nil, a.place(entry.path), a.leaves[last].value))
		a.under = len(entry.path)
	}
	err := a.field(c)
	a.named, a.under = named, under
	return err
}

// appendJSON appends v as the package comment says.
func (l *leaf) appendJSON(dst, v []byte) []byte {
	switch l.text.means {
	case asString:
		return walk.AppendQuoted(dst, v)
	case asSigned, asDate, asTime, asTimestamp:
		return strconv.AppendInt(dst, integer(v), 10)
	case asInt96:
		return strconv.AppendInt(dst, int96Nanos(v), 10)
	case asUnsigned:
		return strconv.AppendUint(dst, unsigned(v), 10)
	case asBool:
		return strconv.AppendBool(dst, v[0] != 0)
	case asFloat:
		x := float(v)
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return append(strconv.AppendFloat(append(dst, '"'), x, 'g', -1, 64), '"')
		}
		return strconv.AppendFloat(dst, x, 'g', -1, len(v)*8)
	case asHalf:
		return append(strconv.AppendFloat(append(dst, '"'), halfFloat(v), 'g', -1, 32), '"')
	case asDecimal:
		return append(l.appendDecimal(append(dst, '"'), v, false), '"')
	}
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, v)
	return append(dst, '"')
}
