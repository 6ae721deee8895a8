package csv

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"expunge/scanners"
	"expunge/scanners/lines"
	"expunge/scanners/walk"
)

var _ scanners.Rewriter = Scanner{}

// Rewrite copies in without the rows that go, and their line ends, or with cells
// emptied: nothing is left between their delimiters, or between their quotes. JSON
// in a cell keeps its form, and its values become null. A row of one cell keeps two
// quotes, so as not to be blank. The header stays, as do blank lines.
//
// A suspect row can go, but cannot be redacted: its columns cannot be trusted, and
// its object is refused as MALFORMED. Where there is no header, and delimiter and
// columns are told by the first record, a copy whose first record would tell others
// is refused as UNSUPPORTED: the layout has to say them.
func (c Scanner) Rewrite(ctx context.Context, in scanners.Input, edits []scanners.Edit, spool io.Writer, check func(*scanners.Record) error) (out scanners.Rewritten, err error) {
	defer scanners.Guard(in.Name, &err)
	in.Part, in.Every = scanners.Part{}, true
	src, err := lines.OpenCopy(ctx, in, edits, spool)
	if err != nil {
		return out, lines.CopyError(ctx, in.Name, err)
	}
	defer src.Close()
	var stats scanners.Stats
	var f scanners.Nothing
	w := rewriting{
		scan: scan{in: in, f: f, emit: check, stats: &stats, win: lines.NewWindow(src, 0), search: walk.NewSearch(f)},
		src:  src, format: c.delimiter,
	}
	for ended := false; !ended; {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		end := w.win.Fill()
		if end != nil && end != io.EOF {
			return out, lines.CopyError(ctx, in.Name, end)
		}
		ended = end == io.EOF
		if !w.known {
			if w.known, err = w.table.read(w.win.Data, c.delimiter, in.Layout, ended); err != nil {
				return out, refuse(in.Name, err)
			}
			if !w.known {
				if len(w.win.Data) > lines.MaxLine {
					return out, lines.CopyError(ctx, in.Name, lines.ErrTooLong)
				}
				continue
			}
			w.at = w.skip
		}
		if err := w.rows(ctx, ended); err != nil {
			return out, err
		}
	}
	if out, err = src.Done(stats.Records); err != nil {
		return scanners.Rewritten{}, lines.CopyError(ctx, in.Name, err)
	}
	return out, nil
}

type rewriting struct {
	scan
	src     *lines.Copy
	format  byte // the delimiter that the format has; 0: by content
	known   bool // the table
	first   bool // the first record of the copy was seen
	changed bool // it is not the source's
	redact  walk.Redactor
	line    []byte
}

// rows cuts what is whole in the window, and tells what becomes of it.
func (w *rewriting) rows(ctx context.Context, ended bool) error {
	kept := 0 // what is before it has been told of
	for w.at < len(w.win.Data) {
		r, ok := w.cut(w.win.Data, w.at, ended)
		if !ok {
			break
		}
		w.at = r.next
		if r.end == r.start {
			continue
		}
		e := w.src.Edits.At(w.stats.Records)
		if e != nil {
			if err := w.src.Keep(w.win.Data[kept:r.start]); err != nil {
				return lines.CopyError(ctx, w.in.Name, err)
			}
			kept = r.next
			if err := w.edit(ctx, r, e); err != nil {
				return err
			}
			w.changed = w.changed || !w.first
			if e.Redact {
				if err := w.begins(w.line); err != nil {
					return err
				}
			}
		} else if !w.first {
			if err := w.begins(w.win.Data[r.start:r.end]); err != nil {
				return err
			}
		}
		w.stats.Records++
	}
	if err := w.src.Keep(w.win.Data[kept:w.at]); err != nil {
		return lines.CopyError(ctx, w.in.Name, err)
	}
	if left := len(w.win.Data) - w.at; ended && left > 0 {
		return scanners.Refuse(scanners.Truncated, w.in.Name, fmt.Errorf("read record %d: %w", w.stats.Records, errQuote))
	} else if left > lines.MaxLine {
		return lines.CopyError(ctx, w.in.Name, lines.ErrTooLong)
	}
	w.win.Drop(w.at)
	w.at = 0
	return nil
}

// begins checks that the first record of the copy tells of the table what the
// source's does, where it tells anything.
func (w *rewriting) begins(row []byte) error {
	if w.first {
		return nil
	}
	w.first = true
	if !w.changed || w.header() {
		return nil
	}
	var t table
	known, err := t.read(row, w.format, w.in.Layout, true)
	if err != nil || !known || t.table() != w.table.table() || len(w.in.Layout.Columns) == 0 && len(t.names) != len(w.names) {
		return scanners.Refuse(scanners.Unsupported, w.in.Name, fmt.Errorf("rewrite record %d: without what goes before it the object would be read in another way: "+
			"name its delimiter and columns in the config", w.stats.Records))
	}
	return nil
}

// header reports whether the object has one.
func (w *rewriting) header() bool {
	if h := w.in.Layout.Header; h != nil {
		return *h
	}
	return len(w.in.Layout.Columns) == 0
}

// table is how cells are told apart.
func (t *table) table() [2]byte {
	if t.literal {
		return [2]byte{t.delimiter, 1}
	}
	return [2]byte{t.delimiter}
}

// edit shows one record, and drops or redacts it.
func (w *rewriting) edit(ctx context.Context, r row, e *scanners.Edit) error {
	raw := w.win.Data[r.start:r.end]
	w.cells.parse(raw, w.delimiter, w.literal)
	w.rec = scanners.Record{
		Index: w.stats.Records, Group: -1, Offset: w.win.Off + int64(r.start), Length: int64(len(raw)), Raw: raw,
		Leaves: w.rec.Leaves[:0], Matches: w.rec.Matches[:0], Suspect: r.odd || w.surplus(),
	}
	w.match()
	if err := w.emit(&w.rec); err != nil {
		return err
	}
	w.line = w.line[:0]
	if e.Redact {
		if w.rec.Suspect {
			return scanners.Refuse(scanners.Malformed, w.in.Name, fmt.Errorf("redact record %d: its columns cannot be trusted", w.rec.Index))
		}
		w.redactRow(raw, e)
		w.line = append(w.line, w.win.Data[r.end:r.next]...)
	}
	if err := w.src.Edit(&w.rec, r.next-r.start, w.line); err != nil {
		return lines.CopyError(ctx, w.in.Name, err)
	}
	return nil
}

// redactRow makes w.line of raw.
func (w *rewriting) redactRow(raw []byte, e *scanners.Edit) {
	w.redact.Record()
	keeps := walk.KeepsOf(e)
	at := 0
	for i, cell := range w.cells.list {
		end := w.cellEnd(raw, at)
		name := w.name(i)
		if i > 0 {
			w.line = append(w.line, w.delimiter)
		}
		if below, whole := keeps.Under(name); whole {
			w.line = append(w.line, raw[at:end]...)
		} else {
			w.redactCell(raw[at:end], cell, name, below, e)
		}
		at = end + 1
	}
	if len(w.line) == 0 {
		w.line = append(w.line, `""`...)
	}
}

// cellEnd returns where the cell of raw that begins at i ends.
func (w *rewriting) cellEnd(raw []byte, i int) int {
	if !w.literal && i < len(raw) && raw[i] == '"' {
		for i++; i < len(raw); i++ {
			if raw[i] == '"' {
				if i+1 >= len(raw) || raw[i+1] != '"' {
					break
				}
				i++
			}
		}
	}
	for i < len(raw) && raw[i] != w.delimiter {
		i++
	}
	return i
}

// cuts are those of a cell. A number that means another one than stands there is cut whole.
func (w *rewriting) cuts(cell []byte, name string, below walk.Keeps, e *scanners.Edit) []walk.Cut {
	if digits, ok := w.number(cell); ok && e.Spans != nil {
		if e.Spares(name, digits) && e.Spares(name, cell) {
			return nil
		}
		return []walk.Cut{{Start: 0, End: len(cell)}}
	}
	return w.redact.Text(cell, name, below, e, "")
}

// redactCell appends raw, which decodes to cell, emptied.
func (w *rewriting) redactCell(raw, cell []byte, name string, below walk.Keeps, e *scanners.Edit) {
	quoted := len(raw) > 1 && raw[0] == '"' && (!w.literal || raw[len(raw)-1] == '"')
	cuts := w.cuts(cell, name, below, e)
	if !quoted || len(cuts) == 0 {
		w.line = walk.Apply(w.line, raw, cuts)
		return
	}
	if len(cell)+bytes.Count(cell, []byte{'"'})+2 != len(raw) {
		// Quotes inside that are not doubled, where quotes mean little: all of it goes.
		w.line = append(w.line, `""`...)
		return
	}
	// Places in the cell are places between the quotes, but for quotes in it: there
	// are two of each.
	i, at := 1, 0
	to := func(n int) int {
		for ; at < n; at++ {
			if raw[i] == '"' {
				i++
			}
			i++
		}
		return i
	}
	begin := 0
	for _, c := range cuts {
		w.line = append(append(w.line, raw[begin:to(c.Start)]...), c.With...)
		begin = to(c.End)
	}
	w.line = append(w.line, raw[begin:]...)
}
