package erase

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"expunge/connectors"
	"expunge/scanners"
)

// cacheSize is the size up to which an object is read once and kept while it is
// worked on: one object per worker at a time.
const cacheSize = 32 << 20

// source is the object version that is being rewritten.
type source struct {
	store connectors.Store
	ref   connectors.Ref
	size  int64
	whole []byte // nil: read it from the store
}

func (e *Erase) source(ctx context.Context, store connectors.Store, ref connectors.Ref, size int64) (*source, error) {
	s := &source{store: store, ref: ref, size: size}
	if size > cacheSize {
		return s, nil
	}
	body, err := store.Open(ctx, ref, connectors.All)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	b := make([]byte, 0, size+1)
	for {
		n, err := body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if int64(len(b)) > size {
			return nil, fmt.Errorf("read more than the %d bytes that were listed: %w", size, connectors.ErrChanged)
		}
	}
	if int64(len(b)) != size {
		return nil, fmt.Errorf("read %d of %d bytes: %w", len(b), size, connectors.ErrTemporary)
	}
	s.whole = b
	return s, nil
}

func (s *source) open(ctx context.Context, off, n int64) (io.ReadCloser, error) {
	if s.whole == nil {
		return s.store.Open(ctx, s.ref, connectors.Range{Off: off, Len: n})
	}
	off = min(max(off, 0), s.size)
	end := s.size
	if n >= 0 {
		end = min(end, off+n)
	}
	return io.NopCloser(newReader(s.whole[off:end])), nil
}

// laid is a patch laid over its source: the object as it would be.
type laid struct {
	source *source
	pieces []scanners.Piece
	spool  io.ReaderAt
}

func (l *laid) size() int64 {
	var n int64
	for _, p := range l.pieces {
		n += p.Len
	}
	return n
}

// open reads n bytes from off on; n < 0: to the end.
func (l *laid) open(ctx context.Context, off, n int64) (io.ReadCloser, error) {
	if n < 0 {
		n = max(l.size()-off, 0)
	}
	var parts []scanners.Piece
	for _, p := range l.pieces {
		if n == 0 {
			break
		}
		if off >= p.Len {
			off -= p.Len
			continue
		}
		take := min(p.Len-off, n)
		parts = append(parts, scanners.Piece{Spool: p.Spool, Off: p.Off + off, Len: take})
		off, n = 0, n-take
	}
	return &laidReader{ctx: ctx, l: l, parts: parts}, nil
}

type laidReader struct {
	ctx   context.Context
	l     *laid
	parts []scanners.Piece
	body  io.ReadCloser
	left  int64
}

func (r *laidReader) Read(p []byte) (int, error) {
	for r.left == 0 {
		if r.body != nil {
			r.body.Close()
			r.body = nil
		}
		if len(r.parts) == 0 {
			return 0, io.EOF
		}
		next := r.parts[0]
		r.parts = r.parts[1:]
		if next.Len == 0 {
			continue
		}
		if next.Spool {
			r.body = io.NopCloser(io.NewSectionReader(r.l.spool, next.Off, next.Len))
		} else {
			body, err := r.l.source.open(r.ctx, next.Off, next.Len)
			if err != nil {
				return 0, err
			}
			r.body = body
		}
		r.left = next.Len
	}
	n, err := r.body.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	if err == io.EOF {
		err = nil
		if r.left > 0 {
			err = io.ErrUnexpectedEOF
		}
	}
	return n, err
}

func (r *laidReader) Close() error {
	if r.body == nil {
		return nil
	}
	err := r.body.Close()
	r.body = nil
	return err
}

// sum is the SHA-256 of what open gives, and its length.
func sum(ctx context.Context, open func(ctx context.Context, off, n int64) (io.ReadCloser, error)) (string, int64, error) {
	body, err := open(ctx, 0, -1)
	if err != nil {
		return "", 0, err
	}
	defer body.Close()
	h := sha256.New()
	n, err := io.Copy(h, body)
	if err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(h.Sum(nil)), n, nil
}
