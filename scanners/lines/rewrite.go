package lines

import (
	"context"
	"errors"
	"fmt"
	"io"

	"expunge/scanners"
	"expunge/scanners/compress"
)

// Copy is the decompressed bytes of a whole object, and what a copy of it is made
// of.
type Copy struct {
	*compress.Copy
	Edits Edits
	name  string
	body  io.Closer
}

// OpenCopy opens the whole of in to be copied with edits. Its errors, and those of
// the Copy, go to CopyError.
func OpenCopy(ctx context.Context, in scanners.Input, edits []scanners.Edit, spool io.Writer) (*Copy, error) {
	c := &Copy{name: in.Name}
	if err := c.Edits.set(in.Name, edits); err != nil {
		return nil, err
	}
	body, err := in.Open(ctx, 0, -1)
	if err != nil {
		return nil, &compress.ReadError{Err: err}
	}
	if c.Copy, _, err = compress.OpenCopy(compress.Exactly(body, in.Size), spool); err != nil {
		body.Close()
		return nil, err
	}
	c.body = body
	if len(edits) == 0 {
		c.Settled()
	}
	return c, nil
}

// Close frees what the copy holds, and the source.
func (c *Copy) Close() {
	c.Copy.Close()
	c.body.Close()
}

// Edit drops the next n bytes, which are the record r or contain it, and puts with
// in their place.
func (c *Copy) Edit(r *scanners.Record, n int, with []byte) error {
	if err := c.Drop(int64(n), r.Leaves); err != nil {
		return err
	}
	if _, err := c.Write(with); err != nil {
		return err
	}
	if !c.Edits.Left() {
		c.Settled()
	}
	return nil
}

// Done ends a copy whose source has been read to its end.
func (c *Copy) Done(records int64) (scanners.Rewritten, error) {
	if c.Edits.Left() {
		return scanners.Rewritten{}, fmt.Errorf("rewrite %s: record %d of %d: %w", c.name, c.Edits.edits[0].Record, records, scanners.ErrNoRecord)
	}
	pieces, err := c.Finish()
	if err != nil {
		return scanners.Rewritten{}, err
	}
	return scanners.Rewritten{Pieces: pieces, Records: records, Erased: c.Edits.erased, Redacted: c.Edits.redacted}, nil
}

// Edits hands out edits in the order of records.
type Edits struct {
	edits            []scanners.Edit
	erased, redacted int64
}

func (e *Edits) set(name string, edits []scanners.Edit) error {
	last := int64(-1)
	for _, edit := range edits {
		if edit.Record <= last {
			return fmt.Errorf("rewrite %s: record %d after %d: %w", name, edit.Record, last, scanners.ErrEdits)
		}
		last = edit.Record
	}
	e.edits = edits
	return nil
}

// At returns the edit of a record, or nil. It is asked about records in ascending
// order, and counts what it returned.
func (e *Edits) At(record int64) *scanners.Edit {
	if len(e.edits) == 0 || e.edits[0].Record != record {
		return nil
	}
	edit := &e.edits[0]
	e.edits = e.edits[1:]
	if edit.Redact {
		e.redacted++
	} else {
		e.erased++
	}
	return edit
}

// Next is the next record with an edit; -1: there is none.
func (e *Edits) Next() int64 {
	if len(e.edits) == 0 {
		return -1
	}
	return e.edits[0].Record
}

// Left reports whether there are edits still.
func (e *Edits) Left() bool { return len(e.edits) > 0 }

// CopyError is the error to return from Rewrite for one of a Copy, a Reader or a
// Window: the refusal of the object, unless it is the caller's or the spool's.
func CopyError(ctx context.Context, name string, err error) error {
	spool := (*compress.SpoolError)(nil)
	if errors.As(err, &spool) || errors.Is(err, scanners.ErrEdits) || errors.Is(err, scanners.ErrNoRecord) {
		return err
	}
	return Refuse(ctx, name, err)
}
