package json

import (
	"context"
	"errors"
	"fmt"
	"io"

	"expunge/scanners"
	"expunge/scanners/lines"
	"expunge/scanners/walk"
)

var _ scanners.Rewriter = Scanner{}

// Rewrite copies in without the elements that go, or with nulls for the values that
// are emptied. An element of a list goes with the comma before it, and the space
// around that; the first ones with the comma behind them; of a list whose elements
// all go "[]" is left. Another document goes with the rest of its line. All other
// bytes stay.
//
// Where nothing would be left that is JSON, the object is refused as UNSUPPORTED:
// it has to go as a whole. An element that is malformed can go, but cannot be
// redacted: MALFORMED.
func (Scanner) Rewrite(ctx context.Context, in scanners.Input, edits []scanners.Edit, spool io.Writer, check func(*scanners.Record) error) (out scanners.Rewritten, err error) {
	defer scanners.Guard(in.Name, &err)
	src, err := lines.OpenCopy(ctx, in, edits, spool)
	if err != nil {
		return out, lines.CopyError(ctx, in.Name, err)
	}
	defer src.Close()
	w := rewriting{name: in.Name, src: src, win: lines.NewWindow(src, 0), search: walk.NewSearch(scanners.Nothing{}), check: check, cutter: cutter{start: true}}
	w.search.Every = true
	for ended := false; !ended; {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		end := w.win.Fill()
		if end != nil && end != io.EOF {
			return out, lines.CopyError(ctx, in.Name, end)
		}
		ended = end == io.EOF
		cutErr := w.cutter.run(w.win.Data, ended)
		if n := len(w.cutter.spans); n > 0 && (ended || cutErr != nil || w.cutter.spans[n-1].end >= batch) {
			if err := w.flush(ctx); err != nil {
				return out, err
			}
		}
		begin := 0 // of what must fit in the window
		if w.cutter.inside {
			begin = w.cutter.begin
		} else if n := len(w.cutter.spans); n > 0 {
			begin = w.cutter.spans[n-1].end
		}
		switch {
		case cutErr != nil:
			return out, scanners.Refuse(scanners.Corrupt, in.Name, fmt.Errorf("read at %d: %w", w.win.Off+int64(w.cutter.at), cutErr))
		case len(w.win.Data)-begin > lines.MaxLine:
			return out, scanners.Refuse(scanners.TooLarge, in.Name, fmt.Errorf("read record %d: element, or space, is longer than 64 MiB", w.records))
		case ended && (w.cutter.inside || w.cutter.list):
			return out, scanners.Refuse(scanners.Truncated, in.Name, errors.New("document has no end"))
		}
	}
	if err := w.gap(ctx, len(w.win.Data)); err != nil {
		return out, err
	}
	if err := w.keep(ctx, len(w.win.Data)); err != nil {
		return out, err
	}
	if out, err = src.Done(w.records); err != nil {
		return scanners.Rewritten{}, lines.CopyError(ctx, in.Name, err)
	}
	if out.Erased > 0 && w.left == 0 {
		return scanners.Rewritten{}, scanners.Refuse(scanners.Unsupported, in.Name,
			errors.New("erase its only record: what would be left is no JSON document; use the action erase_object"))
	}
	return out, nil
}

type rewriting struct {
	name    string
	src     *lines.Copy
	win     *lines.Window
	search  *walk.Search
	check   func(*scanners.Record) error
	redact  walk.Redactor
	cutter  cutter
	records int64
	left    int64 // documents, lists among them
	rec     scanners.Record
	elem    []byte

	told int  // in the window: what is before it was kept or dropped
	list bool // inside the list at the top,
	kept bool // of which an element stayed,
	gone bool // or went
	lead []byte
	line bool // a document outside of a list went, its line did not end yet
	tail bool // outside of a list, the copy ends in a document, with no space behind it,
	near bool // and that was edited, or one that followed it went
}

// maxLead bounds the space that is remembered from before a list's first element.
const maxLead = 4 << 10

// flush tells what becomes of the elements that were cut, and of what lies between
// them.
func (w *rewriting) flush(ctx context.Context) error {
	for _, sp := range w.cutter.spans {
		if sp.end-sp.start > lines.MaxLine {
			return scanners.Refuse(scanners.TooLarge, w.name, fmt.Errorf("read record %d: element is longer than 64 MiB", w.records))
		}
		if err := w.gap(ctx, sp.start); err != nil {
			return err
		}
		if err := w.element(ctx, sp); err != nil {
			return err
		}
		w.records++
	}
	last := w.cutter.spans[len(w.cutter.spans)-1].end
	w.win.Drop(last)
	w.cutter.drop(last)
	w.told -= last
	return nil
}

// gap looks at what lies between elements, up to end: space, commas, and the
// brackets of lists at the top.
func (w *rewriting) gap(ctx context.Context, end int) error {
	for i := w.told; i < end; i++ {
		switch c := w.win.Data[i]; c {
		case '[':
			w.list, w.kept, w.gone, w.line, w.tail = true, false, false, false, false
			w.left++
			if err := w.keep(ctx, i+1); err != nil {
				return err
			}
		case ']':
			w.list = false
			if w.gone && !w.kept {
				if err := w.drop(ctx, i, nil); err != nil {
					return err
				}
			}
			if err := w.keep(ctx, i+1); err != nil {
				return err
			}
		case ' ', '\t', '\r', '\n':
			if !w.line {
				continue
			}
			w.line = c != '\n'
			if err := w.drop(ctx, i+1, nil); err != nil {
				return err
			}
		}
	}
	w.line = w.line && w.told == end
	return nil
}

// keep and drop tell of all up to end.
func (w *rewriting) keep(ctx context.Context, end int) error {
	err := w.src.Keep(w.win.Data[w.told:end])
	w.told = end
	return w.fail(ctx, err)
}

func (w *rewriting) drop(ctx context.Context, end int, leaves []scanners.Leaf) error {
	err := w.src.Drop(int64(end-w.told), leaves)
	w.told = end
	return w.fail(ctx, err)
}

func (w *rewriting) fail(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	return lines.CopyError(ctx, w.name, err)
}

// element tells what becomes of one element.
func (w *rewriting) element(ctx context.Context, sp span) error {
	raw := w.win.Data[sp.start:sp.end]
	e := w.src.Edits.At(w.records)
	if e == nil && raw[0] != '{' && raw[0] != '[' {
		if _, err := w.search.Walker.Leaves(raw, "value"); err != nil {
			return w.garbage(sp)
		}
	}
	if e != nil {
		if err := w.show(sp, raw); err != nil {
			return err
		}
		w.elem = w.elem[:0]
		if e.Redact {
			root := ""
			if raw[0] != '{' {
				root = "value"
			}
			cuts, err := w.redact.JSON(raw, root, e)
			if err != nil {
				return scanners.Refuse(scanners.Malformed, w.name, fmt.Errorf("redact record %d: %w", w.records, err))
			}
			w.elem = walk.Apply(w.elem, raw, cuts)
		}
	}
	if e != nil && !e.Redact {
		return w.goes(ctx, sp)
	}
	if err := w.stays(ctx, sp, e != nil); err != nil {
		return err
	}
	if e == nil {
		return w.keep(ctx, sp.end)
	}
	w.told = sp.end
	return w.fail(ctx, w.src.Edit(&w.rec, len(raw), w.elem))
}

// garbage refuses what is no scalar: where it ends is a guess.
func (w *rewriting) garbage(sp span) error {
	return scanners.Refuse(scanners.Corrupt, w.name, fmt.Errorf("read at %d: %w", w.win.Off+int64(sp.start), walk.ErrSyntax))
}

// show shows an element that is to be edited.
func (w *rewriting) show(sp span, raw []byte) error {
	w.rec.Index, w.rec.Raw = w.records, raw
	w.rec.Offset, w.rec.Length = w.win.Off+int64(sp.start), int64(len(raw))
	var stats scanners.Stats
	if _, err := w.search.Record(&w.rec, raw, true, false, &stats); err != nil {
		return scanners.Refuse(scanners.TooLarge, w.name, fmt.Errorf("read record %d: %w", w.records, err))
	}
	if err := w.check(&w.rec); err != nil {
		return err
	}
	if c := raw[0]; c != '{' && c != '[' && stats.Malformed > 0 {
		return w.garbage(sp)
	}
	return nil
}

// goes drops an element with what lies before it.
func (w *rewriting) goes(ctx context.Context, sp span) error {
	if !w.list {
		w.line, w.near = true, true
		w.tail = w.tail && w.told == sp.start
		if err := w.keep(ctx, sp.start); err != nil {
			return err
		}
	} else if !w.kept && !w.gone {
		w.lead = append(w.lead[:0], w.win.Data[w.told:min(sp.start, w.told+maxLead)]...)
	}
	w.gone = true
	if err := w.drop(ctx, sp.start, nil); err != nil {
		return err
	}
	w.told = sp.end
	return w.fail(ctx, w.src.Edit(&w.rec, sp.end-sp.start, nil))
}

// stays tells of what lies before an element that stays.
func (w *rewriting) stays(ctx context.Context, sp span, edited bool) error {
	if !w.list {
		w.left++
		if w.tail && w.told == sp.start && (w.near || edited) {
			// Nothing parts it from the one before, and 1{}2 must not become 12.
			if _, err := w.src.Write([]byte(" ")); err != nil {
				return w.fail(ctx, err)
			}
		}
		w.tail, w.near = true, edited
	}
	if w.list && w.gone && !w.kept {
		if err := w.drop(ctx, sp.start, nil); err != nil {
			return err
		}
		if _, err := w.src.Write(w.lead); err != nil {
			return w.fail(ctx, err)
		}
	}
	w.kept = true
	return w.keep(ctx, sp.start)
}
