package text

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

var _ scanners.Rewriter = Scanner{}

// Rewrite copies in without the lines that go, and their line ends, or with lines
// redacted: what Edit.Spans names becomes scanners.Redacted, else the whole line
// does, as a line of nothing would be no record. All other bytes stay. A byte order
// mark is a part of the first line, and goes with it.
//
// Captions (WebVTT, SubRip) stay captions. The signature of WebVTT cannot go; a
// redacted one loses what is written behind it. A cue's timing cannot go unless all
// lines of its text go as well; a redacted one loses what is written behind it.
// Edits that ask for something else are refused as UNSUPPORTED.
func (Scanner) Rewrite(ctx context.Context, in scanners.Input, edits []scanners.Edit, spool io.Writer, check func(*scanners.Record) error) (out scanners.Rewritten, err error) {
	defer scanners.Guard(in.Name, &err)
	src, err := lines.OpenCopy(ctx, in, edits, spool)
	if err != nil {
		return out, lines.CopyError(ctx, in.Name, err)
	}
	defer src.Close()
	w := rewriting{name: in.Name, src: src, scan: scan{f: scanners.Nothing{}, emit: check, every: true}}
	r := lines.New(src, 0)
	for first := true; ; first = false {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		b, err := r.Next()
		if err == io.EOF {
			break
		}
		if errors.Is(err, lines.ErrTooLong) {
			return out, scanners.Refuse(scanners.TooLarge, in.Name, fmt.Errorf("line %d: %w", w.record, err))
		}
		if err != nil {
			return out, lines.CopyError(ctx, in.Name, err)
		}
		if first && wide(b.Data) {
			return out, lines.CopyError(ctx, in.Name, errWide)
		}
		if err := w.block(ctx, b); err != nil {
			return out, err
		}
	}
	if out, err = src.Done(w.record); err != nil {
		return scanners.Rewritten{}, lines.CopyError(ctx, in.Name, err)
	}
	return out, nil
}

type rewriting struct {
	scan
	name    string
	src     *lines.Copy
	redact  walk.Redactor
	caption bool // the object is WebVTT
	bare    bool // the timing of the cue at hand went
	new     []byte
}

func (w *rewriting) block(ctx context.Context, b lines.Block) error {
	kept := 0 // what is before it has been told of
	for start := 0; start < len(b.Data); {
		next := len(b.Data)
		if i := bytes.IndexByte(b.Data[start:], '\n'); i >= 0 {
			next = start + i + 1
		}
		raw, off := trimEnd(b.Data[start:next]), b.Off+int64(start)
		if blank(raw) {
			w.bare = false
			start = next
			continue
		}
		e := w.src.Edits.At(w.record)
		if w.bare && (e == nil || e.Redact) {
			return w.refuse("erase the timing of a caption whose text stays: erase all of its lines, or redact it")
		}
		if w.record == 0 {
			w.caption = signature.Match(text(raw, off))
		}
		if e != nil {
			if err := w.src.Keep(b.Data[kept:start]); err != nil {
				return lines.CopyError(ctx, w.name, err)
			}
			if err := w.edit(ctx, raw, b.Data[start:next], off, e); err != nil {
				return err
			}
			kept = next
		}
		w.record++
		start = next
	}
	if err := w.src.Keep(b.Data[kept:]); err != nil {
		return lines.CopyError(ctx, w.name, err)
	}
	return nil
}

func (w *rewriting) refuse(what string) error {
	return scanners.Refuse(scanners.Unsupported, w.name, fmt.Errorf("rewrite line %d: %s", w.record, what))
}

// edit drops or redacts a line, which comes without and with its end.
func (w *rewriting) edit(ctx context.Context, raw, line []byte, off int64, e *scanners.Edit) error {
	value := text(raw, off)
	if err := w.line(raw, off, false); err != nil {
		return err
	}
	w.new = w.new[:0]
	fixed := timing.Find(value) // what stays of it in any case
	if w.caption && w.record == 0 {
		fixed = value[:len("WEBVTT")]
	}
	if !e.Redact {
		if w.caption && w.record == 0 {
			return w.refuse("erase the signature of a caption file: redact it, or use the action erase_object")
		}
		w.bare = w.bare || fixed != nil
	} else {
		w.new = append(w.new, raw[:len(raw)-len(value)]...)
		w.new = w.redacted(value, fixed, e)
		w.new = append(w.new, line[len(raw):]...)
	}
	leaf := [1]scanners.Leaf{{Path: Path, Value: value}}
	if err := w.src.Edit(&scanners.Record{Leaves: leaf[:]}, len(line), w.new); err != nil {
		return lines.CopyError(ctx, w.name, err)
	}
	return nil
}

// redacted appends value to w.new, redacted.
func (w *rewriting) redacted(value, fixed []byte, e *scanners.Edit) []byte {
	if _, whole := walk.KeepsOf(e).Under(Path); whole {
		return append(w.new, value...)
	}
	if cuts, ok := w.redact.Spans(value, Path, e); ok && (len(cuts) == 0 || cuts[0].Start >= len(fixed)) {
		return walk.Apply(w.new, value, cuts)
	}
	if fixed != nil {
		return append(w.new, fixed...)
	}
	return append(w.new, scanners.Redacted...)
}
