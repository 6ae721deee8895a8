package csv

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"expunge/scanners"
	"expunge/scanners/walk"
)

// table is what is known of all rows.
type table struct {
	delimiter byte
	literal   bool // quotes do not reach over delimiters and line ends
	names     []string
	header    []byte // the record that names the columns, raw
	skip      int    // bytes before the first record: byte order mark and header
	loose     []int  // all declared fields
}

// row is one record in the window.
type row struct {
	start, end, next int // end is without the line end
	cells            int
	quoted           bool // a quote is in it
	odd              bool // text follows a closing quote
}

// read learns the table from the beginning of an object. ok is false where that is
// too short to tell; an error says that it ends too early.
func (t *table) read(data []byte, delimiter byte, layout scanners.Layout, ended bool) (ok bool, err error) {
	at := 0
	if len(data) < 3 && !ended {
		return false, nil
	}
	if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		at = 3
	}
	header := len(layout.Columns) == 0
	if layout.Header != nil {
		header = *layout.Header
	}
	t.delimiter = delimiter
	if layout.Delimiter != 0 {
		t.delimiter = layout.Delimiter
	}
	var r row
	for {
		if t.delimiter == 0 {
			best := 0
			for _, d := range []byte{',', '\t', ';', '|'} {
				probe := table{delimiter: d, literal: d == '\t' && !header}
				got, whole := probe.cut(data, at, ended)
				if whole && got.cells > best {
					best, t.delimiter = got.cells, d
				}
			}
			if best == 0 {
				t.delimiter = ','
			}
		}
		t.literal = t.delimiter == '\t' && !header
		var whole bool
		if r, whole = t.cut(data, at, ended); !whole {
			if !ended {
				t.delimiter = 0
				return false, nil
			}
			if at < len(data) {
				return false, fmt.Errorf("read the first record: %w", errQuote)
			}
			break
		}
		if r.end > r.start {
			break
		}
		at, t.delimiter = r.next, delimiter // a blank line before the first record
		if layout.Delimiter != 0 {
			t.delimiter = layout.Delimiter
		}
	}
	t.skip = at
	t.names = layout.Columns
	if r.end > r.start {
		var c cells
		c.parse(data[r.start:r.end], t.delimiter, t.literal)
		if header {
			t.skip = r.next
			t.header = bytes.Clone(data[r.start:r.end])
			if bytes.IndexByte(t.header, '\r') >= 0 && (!r.quoted || r.odd || ended && r.next == len(data)) {
				return false, errReturn
			}
		}
		if len(layout.Columns) == 0 {
			names := c.list
			if header {
				names = trimmed(names, quotes(t.header, t.delimiter))
			}
			t.names = columns(names, header)
		}
	}
	return true, nil
}

// quotes says which cells of a record are quoted.
func quotes(raw []byte, delimiter byte) []bool {
	var c cells
	var out []bool
	for i := 0; ; i++ {
		quoted := i < len(raw) && raw[i] == '"'
		out = append(out, quoted)
		switch n := bytes.IndexByte(raw[i:], delimiter); {
		case quoted:
			i = c.quoted(raw, i, delimiter)
		case n >= 0:
			i += n
		default:
			return out
		}
		if i >= len(raw) {
			return out
		}
	}
}

// trimmed takes the blanks around the names of columns off, as people who write "id, phone"
// do not mean them, where the name is not quoted and no other column has it.
func trimmed(header [][]byte, quoted []bool) [][]byte {
	times := map[string]int{}
	for _, h := range header {
		times[string(walk.Trim(h))]++
	}
	out := slices.Clone(header)
	for i, h := range header {
		if name := walk.Trim(h); !quoted[i] && len(name) > 0 && times[string(name)] == 1 {
			out[i] = name
		}
	}
	return out
}

// columns names the columns by the header, or by number.
func columns(header [][]byte, named bool) []string {
	names := make([]string, len(header))
	taken := make(map[string]bool)
	for i, h := range header {
		name := string(h)
		if !named || name == "" {
			name = number(i)
		}
		unique := name
		for n := 2; taken[unique]; n++ {
			unique = fmt.Sprintf("%s__%d", name, n)
		}
		taken[unique] = true
		names[i] = unique
	}
	return names
}

func number(i int) string { return fmt.Sprintf("_%d", i+1) }

// name is the path of a cell.
func (t *table) name(i int) string {
	if i < len(t.names) {
		return t.names[i]
	}
	name := number(i)
	for slices.Contains(t.names, name) {
		name += "_"
	}
	return name
}

// cut finds the record that begins at start; ok is false where its end is not in
// data. Without a quote it is a line.
func (t *table) cut(data []byte, start int, ended bool) (r row, ok bool) {
	r.start = start
	n := bytes.IndexByte(data[start:], '\n')
	line := data[start:]
	if n >= 0 {
		line = line[:n]
	} else if !ended || start >= len(data) {
		// The line may go on; a quoted record would not end here either.
		return r, false
	}
	r.quoted = bytes.IndexByte(line, '"') >= 0
	end, newline := start+len(line), n >= 0 // of the line at hand
	if !r.quoted || t.literal {
		r.finish(data, end, newline)
		r.cells = bytes.Count(line, []byte{t.delimiter}) + 1
		return r, true
	}
	r.cells = 1
	for i := start; ; {
		quote := t.quote(data, start, i, end)
		r.cells += bytes.Count(data[i:quote], []byte{t.delimiter})
		if quote == end {
			r.finish(data, end, newline)
			return r, newline || ended
		}
		for i = quote + 1; ; i++ {
			q := bytes.IndexByte(data[i:], '"')
			if q < 0 {
				return r, false
			}
			if i += q + 1; i >= len(data) || data[i] != '"' {
				break
			}
		}
		if i >= len(data) && !ended {
			return r, false
		}
		if i < len(data) && data[i] != t.delimiter && data[i] != '\n' && (data[i] != '\r' || i+1 < len(data) && data[i+1] != '\n') {
			r.odd = true
		}
		if i > end { // the field reached over the line's end
			end, newline = len(data), false
			if n := bytes.IndexByte(data[i:], '\n'); n >= 0 {
				end, newline = i+n, true
			}
		}
	}
}

// quote is where the next quoted field begins in data[i:end], which lies outside
// of quotes and in one line of the record that begins at start; else end.
func (t *table) quote(data []byte, start, i, end int) int {
	for i < end {
		q := bytes.IndexByte(data[i:end], '"')
		if q < 0 {
			break
		}
		if i += q; i == start || data[i-1] == t.delimiter {
			return i
		}
		i++
	}
	return end
}

func (r *row) finish(data []byte, end int, newline bool) {
	r.end, r.next = end, end
	if newline {
		r.next++
	}
	if r.end > r.start && data[r.end-1] == '\r' {
		r.end--
	}
}

// cells are the decoded cells of one record.
type cells struct {
	list  [][]byte
	arena []byte
}

// parse takes a record apart.
func (c *cells) parse(raw []byte, delimiter byte, literal bool) {
	c.list, c.arena = c.list[:0], c.arena[:0]
	for i := 0; ; i++ {
		if !literal && i < len(raw) && raw[i] == '"' {
			i = c.quoted(raw, i, delimiter)
		} else {
			end := len(raw)
			if n := bytes.IndexByte(raw[i:], delimiter); n >= 0 {
				end = i + n
			}
			cell := raw[i:end:end]
			if n := len(cell); literal && n > 1 && cell[0] == '"' && cell[n-1] == '"' {
				c.quoted(cell, 0, delimiter)
			} else {
				c.list = append(c.list, cell)
			}
			i = end
		}
		if i >= len(raw) {
			return
		}
	}
}

// quoted takes the quoted cell that begins at i, and returns where it ends. What
// follows the closing quote up to the delimiter belongs to it.
func (c *cells) quoted(raw []byte, i int, delimiter byte) int {
	mark := len(c.arena)
	for i++; i < len(raw); {
		q := bytes.IndexByte(raw[i:], '"')
		if q < 0 {
			c.arena = append(c.arena, raw[i:]...)
			i = len(raw)
			break
		}
		c.arena = append(c.arena, raw[i:i+q]...)
		i += q + 1
		if i >= len(raw) || raw[i] != '"' {
			break
		}
		c.arena = append(c.arena, '"')
		i++
	}
	end := len(raw)
	if n := bytes.IndexByte(raw[min(i, end):], delimiter); n >= 0 {
		end = i + n
	}
	c.arena = append(c.arena, raw[min(i, end):end]...)
	c.list = append(c.list, c.arena[mark:len(c.arena):len(c.arena)])
	return end
}

// prepare finds the columns of the declared fields.
func (s *scan) prepare() {
	for i, path := range s.f.Fields() {
		s.loose = append(s.loose, i)
		for at, name := range s.names {
			rest, ok := strings.CutPrefix(path, name)
			if !ok || rest != "" && !strings.ContainsAny(rest[:1], ".[{") {
				continue
			}
			k := slices.IndexFunc(s.wanted, func(c col) bool { return c.at == at })
			if k < 0 {
				k = len(s.wanted)
				s.wanted = append(s.wanted, col{at: at})
			}
			s.wanted[k].fields = append(s.wanted[k].fields, i)
		}
	}
	slices.SortFunc(s.wanted, func(a, b col) int { return a.at - b.at })
}

// declared hands the values of declared fields to the Finder. In rows whose columns
// cannot be trusted every cell may be any field's.
func (s *scan) declared(raw []byte, parsed, all bool) (candidate bool) {
	if all {
		for _, cell := range s.cells.list {
			candidate = s.ask(s.loose, cell) || candidate
		}
		return candidate
	}
	if parsed {
		for _, c := range s.wanted {
			candidate = s.ask(c.fields, s.cells.list[c.at]) || candidate
		}
		return candidate
	}
	at, from := 0, 0
	for _, c := range s.wanted {
		for ; at < c.at; at++ {
			from += bytes.IndexByte(raw[from:], s.delimiter) + 1
		}
		end := len(raw)
		if n := bytes.IndexByte(raw[from:], s.delimiter); n >= 0 {
			end = from + n
		}
		candidate = s.ask(c.fields, raw[from:end]) || candidate
	}
	return candidate
}

func (s *scan) ask(fields []int, cell []byte) (candidate bool) {
	if t := walk.Trim(cell); len(t) > 1 && (t[0] == '{' || t[0] == '[') {
		for _, l := range s.search.Walker.Text(cell, "") {
			if l.Kind == walk.Null {
				continue
			}
			for _, f := range fields {
				candidate = s.f.ProbeField(f, l.Value) || candidate
			}
		}
		return candidate
	}
	digits, number := s.number(cell)
	for _, f := range fields {
		candidate = s.f.ProbeField(f, cell) || candidate
		if number {
			candidate = s.f.ProbeField(f, digits) || candidate
		}
	}
	return candidate
}

// number is the whole number that a cell holds with a fraction of zeros or with an
// exponent, as plain digits: a column of ids becomes "42.0" where a program that
// knows no missing integers has written it.
func (s *scan) number(cell []byte) (digits []byte, ok bool) {
	if len(cell) < 3 || walk.NumberLen(cell) != len(cell) {
		return nil, false
	}
	s.digits, ok = walk.AppendDigits(s.digits[:0], cell)
	return s.digits, ok
}
