package media

import (
	"context"
	"io"

	"expunge/scanners"
	"expunge/scanners/compress"
)

// How much is read at least: many small chunks lie side by side, many boxes do not.
const (
	readAhead = 16 << 10
	readShort = 256
)

// ranges reads pieces of an object, a bounded number of bytes in all.
type ranges struct {
	ctx  context.Context // of one scan, which the reader does not outlive
	in   scanners.Input
	off  int64 // of buf
	buf  []byte
	read int64
	// short keeps the next read from reading far ahead.
	short bool
}

// at returns n bytes at off, valid until the next call, or errMalformed where the
// object ends before.
func (r *ranges) at(off, n int64) ([]byte, error) {
	if off < 0 || n < 0 || off > r.in.Size || n > r.in.Size-off {
		return nil, errMalformed
	}
	if r.buf != nil && off >= r.off && off+n <= r.off+int64(len(r.buf)) {
		return r.buf[off-r.off : off-r.off+n], nil
	}
	size := min(max(n, readAhead), r.in.Size-off)
	if r.short {
		size = min(max(n, readShort), r.in.Size-off)
	}
	if r.read += size; r.read > MaxMetadata {
		return nil, errTooLarge
	}
	body, err := r.in.Open(r.ctx, off, size)
	if err != nil {
		return nil, &compress.ReadError{Err: err}
	}
	defer body.Close()
	if int64(cap(r.buf)) < size {
		r.buf = make([]byte, size)
	}
	r.buf = r.buf[:size]
	r.off = off
	if _, err := io.ReadFull(body, r.buf); err != nil {
		r.buf = r.buf[:0]
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, &compress.ReadError{Err: err}
	}
	return r.buf[:n], nil
}

// few is at for boxes that have sound between them, of which nothing else is asked.
func (r *ranges) few(off, n int64) ([]byte, error) {
	r.short = true
	defer func() { r.short = false }()
	return r.at(off, n)
}

// upTo is at, but returns what there is.
func (r *ranges) upTo(off, n int64) ([]byte, error) {
	return r.at(off, max(min(n, r.in.Size-off), 0))
}
