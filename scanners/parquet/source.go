package parquet

import (
	"context"
	"errors"
	"fmt"
	"io"

	"expunge/scanners"
)

const (
	tailSize   = 256 << 10 // one read that mostly holds footer and page indexes
	sweepAhead = 4 << 20   // window of a column that is read from end to end
	fetchAhead = 1 << 20   // window of a column that is read here and there
	groupCache = 8 << 20   // row groups up to this size are read at once
)

// source reads ranges of the object. It keeps the tail, and one row group where
// that is small.
type source struct {
	ctx   context.Context // lives for one scan only
	in    scanners.Input
	tail  []byte
	group []byte
	off   int64 // of group
}

// passed marks an error that is handed on as it is: the context's or emit's.
type passed struct{ error }

func (p passed) Unwrap() error { return p.error }

// readErr classifies an error of the store.
func (s *source) readErr(err error) error {
	if cause := s.ctx.Err(); cause != nil {
		return passed{cause}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return &fault{scanners.Truncated, "object ends before its stated size"}
	}
	return scanners.Refuse(scanners.Unreadable, s.in.Name, fmt.Errorf("read object: %w", err))
}

// cached returns the bytes where they are held already.
func (s *source) cached(off, n int64) ([]byte, bool) {
	if i := off - s.off; i >= 0 && i+n <= int64(len(s.group)) {
		return s.group[i : i+n], true
	}
	if i := off - (s.in.Size - int64(len(s.tail))); i >= 0 && i+n <= int64(len(s.tail)) {
		return s.tail[i : i+n], true
	}
	return nil, false
}

// read returns n bytes at off, which are the source's own.
func (s *source) read(off, n int64) ([]byte, error) {
	if off < 0 || n < 0 || off > s.in.Size-n {
		return nil, corrupt("range %d+%d lies outside the object", off, n)
	}
	if b, ok := s.cached(off, n); ok {
		return b, nil
	}
	b := make([]byte, n)
	return b, s.readInto(b, off)
}

func (s *source) readInto(b []byte, off int64) error {
	rc, err := s.in.Open(s.ctx, off, int64(len(b)))
	if err != nil {
		return s.readErr(err)
	}
	defer rc.Close()
	if _, err := io.ReadFull(rc, b); err != nil {
		return s.readErr(err)
	}
	return nil
}

// window gives sequential access to a range of the object.
type window struct {
	src   *source
	pos   int64 // of the next byte to hand out
	end   int64 // of the range
	ahead int64
	buf   []byte // bytes from pos on
	store []byte // what buf lies in when it is not cached
}

// peek returns at least min bytes at pos where the range has them, else all.
func (w *window) peek(least int64) ([]byte, error) {
	least = min(least, w.end-w.pos)
	if int64(len(w.buf)) >= least {
		return w.buf, nil
	}
	n := min(max(least, w.ahead), w.end-w.pos)
	if b, ok := w.src.cached(w.pos, n); ok {
		w.buf = b
		return b, nil
	}
	have := len(w.buf)
	if int64(cap(w.store)) < n {
		grown := make([]byte, n)
		copy(grown, w.buf)
		w.store = grown
	} else {
		w.store = w.store[:n]
		copy(w.store, w.buf) // moves to the front; copy allows the overlap
	}
	if err := w.src.readInto(w.store[have:n], w.pos+int64(have)); err != nil {
		return nil, err
	}
	w.buf = w.store[:n]
	return w.buf, nil
}

// move makes w a window on [off, end).
func (w *window) move(off, end int64) { w.pos, w.end, w.buf = off, end, nil }

// skip moves on by n bytes.
func (w *window) skip(n int64) {
	w.pos += n
	if n <= int64(len(w.buf)) {
		w.buf = w.buf[n:]
	} else {
		w.buf = nil
	}
}
