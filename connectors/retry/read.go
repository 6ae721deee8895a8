package retry

import (
	"context"
	"errors"
	"fmt"
	"io"

	"expunge/connectors"
)

// Open implements connectors.Store. A body that ends before the range does is
// resumed. For that the length must be known: where the range reaches to the end
// or beyond, a body that ends without an error is taken at its word, as the law
// of Open has it; with a Len, a shorter one is asked once more whether there is
// anything behind.
func (s *Store) Open(ctx context.Context, r connectors.Ref, rng connectors.Range) (io.ReadCloser, error) {
	b := &body{ctx: ctx, s: s, ref: r, rng: rng, t: tries{s: s}}
	for {
		in, err := s.inner.Open(ctx, r, rng)
		if err == nil {
			b.in = in
			return b, nil
		}
		if err := b.t.again(ctx, err); err != nil {
			return nil, err
		}
	}
}

// body is a body that resumes.
type body struct {
	ctx context.Context // a body lives in the context it was opened in
	s   *Store
	ref connectors.Ref
	rng connectors.Range // what is still to come
	at  int64            // bytes handed on
	in  io.ReadCloser    // nil while there is none
	t   tries
	err error // what every further Read returns

	asked bool // that nothing follows at this place
}

func (b *body) Read(p []byte) (int, error) {
	for b.err == nil {
		if len(p) == 0 {
			return 0, nil
		}
		if b.in == nil {
			b.resume()
			continue
		}
		n, err := b.in.Read(p)
		if n > 0 && b.asked && !b.pinned() {
			b.err = io.ErrUnexpectedEOF
			break
		}
		if n > 0 {
			b.progress(int64(n))
			return n, b.after(err)
		}
		if err := b.after(err); err != nil {
			break
		}
	}
	return 0, b.err
}

// pinned reports whether it is known which version the bytes are of.
func (b *body) pinned() bool { return b.ref.ETag != "" || b.ref.Version != "" }

func (b *body) progress(n int64) {
	b.at += n
	b.rng.Off += n
	if b.rng.Len >= 0 {
		b.rng.Len -= n
	}
	b.t.n, b.asked = 0, false
}

// after decides what an error of the inner body means; nil: read on.
func (b *body) after(err error) error {
	switch {
	case err == nil:
	case errors.Is(err, io.EOF) && (b.rng.Len <= 0 || b.asked):
		b.err = io.EOF
	case errors.Is(err, io.EOF):
		b.asked = true // shorter than it was to be: cut short, or the end of the object
		b.drop()
	case b.at > 0 && !b.pinned():
		// Which version the first part was of is not known: no other may follow it.
		b.err = err
	default:
		b.drop()
		b.err = b.t.again(b.ctx, err)
	}
	return b.err
}

func (b *body) drop() {
	if b.in != nil {
		_ = b.in.Close()
		b.in = nil
	}
}

func (b *body) resume() {
	in, err := b.s.inner.Open(b.ctx, b.ref, b.rng)
	if err == nil {
		b.in = in
		return
	}
	if b.err = b.t.again(b.ctx, err); b.err != nil {
		b.err = fmt.Errorf("resume at byte %d: %w", b.rng.Off, b.err)
	}
}

func (b *body) Close() error {
	b.err = errors.New("body is closed")
	if b.in == nil {
		return nil
	}
	err := b.in.Close()
	b.in = nil
	return err
}

// Labels implements connectors.Labeller, if the inner store does.
func (s *Store) Labels(ctx context.Context, r connectors.Ref) ([]connectors.Label, error) {
	l, can := s.inner.(connectors.Labeller)
	if !can {
		return nil, connectors.ErrUnsupported
	}
	t := tries{s: s}
	for {
		out, err := l.Labels(ctx, r)
		if err == nil {
			return out, nil
		}
		if err := t.again(ctx, err); err != nil {
			return nil, err
		}
	}
}
