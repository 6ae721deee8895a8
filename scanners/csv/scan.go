// Package csv searches delimited text: RFC 4180 and what real exports make of it.
//
// Delimiter: as given, else of , tab ; | the one that the first record has most of.
// Quotes: a quote opens a quoted field only at the field's beginning; elsewhere it
// is literal. Delimited by tabs and without a header, as event loaders write it,
// quotes never reach over a tab or a line end: such data is not quoted at all.
// Line ends may be mixed. Blank lines are no records, nor is the header.
//
// The header is searched, too: in a file without one, or with a column for each
// person, it holds values. What is found there is one record, Index -1, for a person
// to look at. Carriage returns alone, as the ends of lines, are refused.
//
// Paths are column names as the header has them, without blanks around a name that is not
// quoted, unless another column has it; an empty one is "_N" (from 1), a
// repeated one gets "__2". Cells beyond the header's are "_N". A cell that is JSON
// is walked on ("properties.user_id"). A row of another width than the header's is
// counted as malformed. Missing or empty surplus cells are harmless; surplus cells
// with content mean that columns cannot be trusted: such a candidate is suspect, as
// is one with text after a closing quote.
//
// Objects are not split: where quotes stand is known only from the beginning.
// Memory: one record (64 MiB) and its cells.
package csv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"expunge/scanners"
	"expunge/scanners/lines"
	"expunge/scanners/walk"
)

// Scanner searches delimited text.
type Scanner struct {
	format    string
	delimiter byte // 0: by content
}

var _ scanners.Scanner = Scanner{}

// New returns the scanner of "csv", which finds the delimiter by content.
func New() Scanner { return Scanner{format: "csv"} }

// NewTSV returns the scanner of "tsv", whose delimiter is a tab unless given.
func NewTSV() Scanner { return Scanner{format: "tsv", delimiter: '\t'} }

// Format is "csv" or "tsv".
func (c Scanner) Format() string { return c.format }

// manyColumns is how many columns a table may have without asking for memory.
const manyColumns = 50_000

// batch is how many bytes of records are probed at once.
const batch = 256 << 10

// Scan searches in.Part. A part begins where a record does; for one in the middle
// of an object the header is read first, from the object's beginning.
func (c Scanner) Scan(ctx context.Context, in scanners.Input, f scanners.Finder, emit func(*scanners.Record) error) (stats scanners.Stats, err error) {
	defer scanners.Guard(in.Name, &err)
	var t table
	if in.Part.Off > 0 {
		whole := in
		whole.Part = scanners.Part{}
		if t, err = c.table(ctx, whole); err != nil {
			return stats, err
		}
		t.skip = 0
	}
	src, err := lines.Open(ctx, in)
	if err != nil {
		return stats, lines.Refuse(ctx, in.Name, err)
	}
	defer src.Close()
	s := scan{in: in, f: f, emit: emit, stats: &stats, win: lines.NewWindow(src, in.Part.Off), table: t, search: walk.NewSearch(f)}
	s.win.Large = in.Large
	known := in.Part.Off > 0
	if known {
		s.prepare()
	}
	for ended := false; !ended; {
		if err := ctx.Err(); err != nil {
			return stats, err
		}
		end := s.win.Fill()
		if end != nil && end != io.EOF {
			return stats, lines.Refuse(ctx, in.Name, end)
		}
		ended = end == io.EOF
		if !known {
			if known, err = s.table.read(s.win.Data, c.delimiter, in.Layout, ended); err != nil {
				return stats, refuse(in.Name, err)
			}
			if known {
				if len(s.names) > manyColumns && in.Large != nil {
					if err := in.Large(); err != nil {
						return stats, lines.Refuse(ctx, in.Name, err)
					}
				}
				s.prepare()
				s.at = s.skip
				if err := s.headings(); err != nil {
					return stats, err
				}
			} else if len(s.win.Data) > lines.MaxLine {
				return stats, lines.Refuse(ctx, in.Name, lines.ErrTooLong)
			}
		}
		if !known {
			continue
		}
		if err := s.records(ended); err != nil {
			return stats, err
		}
	}
	f.Boundary(s.win.Off+int64(len(s.win.Data)), 0, in.Part.Record+stats.Records)
	return stats, src.Notes(f, emit)
}

// table reads what the beginning of the object says of its columns.
func (c Scanner) table(ctx context.Context, in scanners.Input) (t table, err error) {
	src, err := lines.Open(ctx, in)
	if err != nil {
		return t, lines.Refuse(ctx, in.Name, err)
	}
	defer src.Close()
	win := lines.NewWindow(src, 0)
	for win.Large = in.Large; ; {
		end := win.Fill()
		if end != nil && end != io.EOF {
			return t, lines.Refuse(ctx, in.Name, end)
		}
		known, err := t.read(win.Data, c.delimiter, in.Layout, end == io.EOF)
		if err != nil {
			return t, refuse(in.Name, err)
		}
		if known {
			return t, nil
		}
		if len(win.Data) > lines.MaxLine {
			return t, lines.Refuse(ctx, in.Name, lines.ErrTooLong)
		}
	}
}

type scan struct {
	table
	in     scanners.Input
	f      scanners.Finder
	emit   func(*scanners.Record) error
	stats  *scanners.Stats
	win    *lines.Window
	search *walk.Search
	at     int   // where the next record begins in the window
	wanted []col // of declared fields, by column
	rows   []row // cut, not yet searched
	rec    scanners.Record
	cells  cells
	doc    []byte
	digits []byte
}

type col struct {
	at     int
	fields []int
}

// records cuts and searches what is whole in the window.
func (s *scan) records(ended bool) error {
	for {
		first, size := s.at, 0
		s.rows = s.rows[:0]
		for s.at < len(s.win.Data) && size < batch {
			r, ok := s.cut(s.win.Data, s.at, ended)
			if !ok {
				break
			}
			size += r.next - s.at
			s.at = r.next
			s.rows = append(s.rows, r)
		}
		if size == 0 {
			break
		}
		if err := s.searchRows(first); err != nil {
			return err
		}
		s.f.Boundary(s.win.Off+int64(s.at), 0, s.in.Part.Record+s.stats.Records)
	}
	if left := len(s.win.Data) - s.at; ended && left > 0 {
		return scanners.Refuse(scanners.Truncated, s.in.Name, fmt.Errorf("read record %d: %w", s.in.Part.Record+s.stats.Records, errQuote))
	} else if left > lines.MaxLine {
		return lines.Refuse(context.Background(), s.in.Name, lines.ErrTooLong)
	}
	s.win.Drop(s.at)
	s.at = 0
	return nil
}

var (
	errQuote  = errors.New("a quoted field has no end")
	errReturn = errors.New("lines end with a carriage return alone")
)

// refuse makes the refusal of an object whose beginning does not tell its columns.
func refuse(name string, err error) error {
	if errors.Is(err, errReturn) {
		return scanners.Refuse(scanners.Unsupported, name, err)
	}
	return scanners.Refuse(scanners.Truncated, name, err)
}

// searchRows searches the rows that were cut, which begin at first.
func (s *scan) searchRows(first int) error {
	data := s.win.Data
	s.search.Probe(data[first:s.at])
	for _, r := range s.rows {
		candidate, _ := s.search.Marked(r.next - first)
		raw := data[r.start:r.end]
		if len(raw) == 0 {
			continue // blank
		}
		index := s.in.Part.Record + s.stats.Records
		s.stats.Records++
		ragged := r.cells != len(s.names)
		if ragged || r.odd {
			s.stats.Malformed++
		}
		parsed := false
		if len(s.wanted) > 0 || len(s.loose) > 0 && ragged {
			if ragged || r.quoted || r.odd {
				s.cells.parse(raw, s.delimiter, s.literal)
				parsed = true
			}
			candidate = s.declared(raw, parsed, ragged || r.odd) || candidate
		}
		if !candidate && !s.in.Every {
			continue
		}
		if !parsed {
			s.cells.parse(raw, s.delimiter, s.literal)
		}
		s.rec = scanners.Record{
			Index: index, Group: -1, Offset: s.win.Off + int64(r.start), Length: int64(len(raw)), Raw: raw,
			Leaves: s.rec.Leaves[:0], Matches: s.rec.Matches[:0], Suspect: r.odd || s.surplus(),
		}
		s.match()
		if s.rec.Suspect && candidate {
			s.stats.Suspect++
		}
		if len(s.rec.Matches) > 0 || s.in.Every {
			if err := s.emit(&s.rec); err != nil {
				return err
			}
		}
	}
	return nil
}

// surplus reports whether there are more cells than columns, with something in them.
func (s *scan) surplus() bool {
	for i := len(s.names); i < len(s.cells.list); i++ {
		if len(s.cells.list[i]) > 0 {
			return true
		}
	}
	return false
}

// match hands the cells of a candidate to the Finder.
func (s *scan) match() {
	w := &s.search.Walker
	w.Reset()
	var leaves []walk.Leaf
	s.doc = append(s.doc[:0], '{')
	for i, cell := range s.cells.list {
		name := s.name(i)
		if digits, ok := s.number(cell); ok {
			s.rec.Matches = s.f.Find(s.rec.Matches, name, cell)
			leaves = w.More(bytes.Clone(digits), name)
		} else {
			leaves = w.More(cell, name)
		}
		if i > 0 {
			s.doc = append(s.doc, ',')
		}
		s.doc = walk.AppendQuoted(s.doc, []byte(name))
		s.doc = append(s.doc, ':')
		s.doc = walk.AppendQuoted(s.doc, cell)
	}
	s.doc = append(s.doc, '}')
	if s.rec.Suspect {
		s.rec.Matches = s.f.Find(s.rec.Matches, "", s.rec.Raw)
	}
	s.search.Find(&s.rec, leaves)
	if s.rec.Suspect {
		s.rec.Leaves = nil
		return
	}
	s.rec.Doc = s.doc
}
