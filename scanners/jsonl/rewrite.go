package jsonl

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

// Rewrite copies in without the lines that go, and their line ends, or with nulls
// for the values that are emptied. All other bytes stay. A line that is no JSON can
// go, but cannot be redacted: its object is refused as MALFORMED.
func (Scanner) Rewrite(ctx context.Context, in scanners.Input, edits []scanners.Edit, spool io.Writer, check func(*scanners.Record) error) (out scanners.Rewritten, err error) {
	defer scanners.Guard(in.Name, &err)
	src, err := lines.OpenCopy(ctx, in, edits, spool)
	if err != nil {
		return out, lines.CopyError(ctx, in.Name, err)
	}
	defer src.Close()
	w := rewrite{name: in.Name, src: src, search: walk.NewSearch(scanners.Nothing{}), check: check}
	w.search.Every = true
	for r := lines.New(src, 0); ; {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		block, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return out, lines.CopyError(ctx, in.Name, err)
		}
		if err := w.block(ctx, block); err != nil {
			return out, err
		}
	}
	if out, err = src.Done(w.records); err != nil {
		return scanners.Rewritten{}, lines.CopyError(ctx, in.Name, err)
	}
	return out, nil
}

type rewrite struct {
	name    string
	src     *lines.Copy
	search  *walk.Search
	redact  walk.Redactor
	check   func(*scanners.Record) error
	records int64
	rec     scanners.Record
	line    []byte
}

func (w *rewrite) block(ctx context.Context, b lines.Block) error {
	kept, start := 0, 0 // what is before kept has been told of
	if b.Off == 0 && bytes.HasPrefix(b.Data, bom) {
		start = len(bom)
	}
	for start < len(b.Data) {
		next := len(b.Data)
		if n := bytes.IndexByte(b.Data[start:], '\n'); n >= 0 {
			next = start + n + 1
		}
		line := b.Data[start:next]
		if len(walk.Trim(line)) > 0 {
			if e := w.src.Edits.At(w.records); e != nil {
				if err := w.src.Keep(b.Data[kept:start]); err != nil {
					return lines.CopyError(ctx, w.name, err)
				}
				if err := w.edit(ctx, line, b.Off+int64(start), e); err != nil {
					return err
				}
				kept = next
			}
			w.records++
		}
		start = next
	}
	if err := w.src.Keep(b.Data[kept:]); err != nil {
		return lines.CopyError(ctx, w.name, err)
	}
	return nil
}

// edit drops or redacts one line, which comes with its end.
func (w *rewrite) edit(ctx context.Context, line []byte, off int64, e *scanners.Edit) error {
	raw := bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	body := walk.Trim(raw)
	w.rec.Index, w.rec.Offset, w.rec.Length, w.rec.Raw = w.records, off, int64(len(raw)), raw
	var stats scanners.Stats
	if _, err := w.search.Record(&w.rec, body, true, false, &stats); err != nil {
		return scanners.Refuse(scanners.TooLarge, w.name, fmt.Errorf("read record %d: %w", w.records, err))
	}
	if err := w.check(&w.rec); err != nil {
		return err
	}
	w.line = w.line[:0]
	if e.Redact {
		root := ""
		if body[0] != '{' {
			root = "value"
		}
		cuts, err := w.redact.JSON(body, root, e)
		if err != nil {
			return scanners.Refuse(scanners.Malformed, w.name, fmt.Errorf("redact record %d: %w", w.records, err))
		}
		at := bytes.Index(line, body)
		w.line = walk.Apply(append(w.line, line[:at]...), body, cuts)
		w.line = append(w.line, line[at+len(body):]...)
	}
	if err := w.src.Edit(&w.rec, len(line), w.line); err != nil {
		return lines.CopyError(ctx, w.name, err)
	}
	return nil
}
