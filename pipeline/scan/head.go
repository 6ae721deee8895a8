package scan

import (
	"context"
	"io"

	"expunge/scanners"
)

// headBytes is how much of an object's beginning is kept between finding out its
// format and scanning it.
const headBytes = 1 << 20

// head keeps the beginning of an object that was read to find out its format, so
// that it is not read from the store twice. It serves one unit.
type head struct {
	open func(ctx context.Context, off, n int64) (io.ReadCloser, error)
	size int64
	b    []byte
	full bool // nothing is added to b any more
}

// replay makes in keep what is read of its beginning until the returned function
// is called, and give it again from then on.
func replay(in *scanners.Input) (stop func()) {
	h := &head{open: in.Open, size: in.Size}
	in.Open = h.Open
	return func() { h.full = true }
}

// Open is that of a scanners.Input.
func (h *head) Open(ctx context.Context, off, n int64) (io.ReadCloser, error) {
	if off < int64(len(h.b)) {
		end := h.size
		if n >= 0 {
			end = min(end, off+n)
		}
		return &again{ctx: ctx, h: h, off: off, end: end, n: n}, nil
	}
	body, err := h.open(ctx, off, n)
	if err != nil || off > 0 || h.full {
		return body, err
	}
	return &keeping{body, h, 0}, nil
}

// keeping is a body that reads on from the end of what is kept.
type keeping struct {
	io.ReadCloser
	h  *head
	at int
}

func (k *keeping) Read(p []byte) (int, error) {
	n, err := k.ReadCloser.Read(p)
	if !k.h.full && k.at == len(k.h.b) && k.at+n <= headBytes {
		k.h.b = append(k.h.b, p[:n]...)
	}
	k.at += n
	return n, err
}

// again is a body that begins with what is kept.
type again struct {
	ctx      context.Context
	h        *head
	off, end int64
	n        int64 // that was asked for
	rest     io.ReadCloser
}

func (a *again) Read(p []byte) (int, error) {
	switch {
	case a.rest != nil:
		return a.rest.Read(p)
	case a.off >= a.end:
		return 0, io.EOF
	case a.off < int64(len(a.h.b)):
		n := copy(p, a.h.b[a.off:min(a.end, int64(len(a.h.b)))])
		a.off += int64(n)
		return n, nil
	}
	n := a.end - a.off
	if a.n < 0 {
		n = -1
	}
	var err error
	if a.rest, err = a.h.open(a.ctx, a.off, n); err != nil {
		a.end = a.off
		return 0, err
	}
	return a.rest.Read(p)
}

func (a *again) Close() error {
	if a.rest != nil {
		return a.rest.Close()
	}
	return nil
}
