package retry

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"expunge/connectors"
)

// content is what an object was to hold.
type content struct {
	size int64
	sum  [sha256.Size]byte
}

func digest(r io.Reader) (content, error) {
	h := sha256.New()
	n, err := io.Copy(h, r)
	c := content{size: n}
	h.Sum(c.sum[:0])
	return c, err
}

// Create implements connectors.Store.
func (s *Store) Create(ctx context.Context, key string, src io.ReadSeeker) (connectors.Object, error) {
	t := tries{s: s}
	for {
		o, err := s.inner.Create(ctx, key, src)
		if err == nil {
			return o, nil
		}
		if t.n > 0 && errors.Is(err, connectors.ErrExists) {
			if _, serr := src.Seek(0, io.SeekStart); serr != nil {
				return o, errors.Join(err, serr)
			}
			want, derr := digest(src)
			if derr != nil {
				return o, errors.Join(err, derr)
			}
			return s.ours(ctx, key, want, err)
		}
		if err := t.again(ctx, err); err != nil {
			return connectors.Object{}, err
		}
	}
}

// CreateLike implements connectors.Liker, if the inner store does. What a patch gives is
// read from its source again only after a reply was lost; with the source changed by then,
// a lost reply shows as ErrExists.
func (s *Store) CreateLike(ctx context.Context, key string, like connectors.Ref, p connectors.Patch) (connectors.Object, error) {
	l, can := s.inner.(connectors.Liker)
	if !can {
		return connectors.Object{}, fmt.Errorf("create %q: %w", key, connectors.ErrUnsupported)
	}
	t := tries{s: s}
	for {
		o, err := l.CreateLike(ctx, key, like, p)
		if err == nil {
			return o, nil
		}
		if t.n > 0 && errors.Is(err, connectors.ErrExists) {
			want, perr := s.patched(ctx, like, p)
			if perr != nil {
				return o, err
			}
			return s.ours(ctx, key, *want, err)
		}
		if err := t.again(ctx, err); err != nil {
			return connectors.Object{}, err
		}
	}
}

// Replace implements connectors.Store.
func (s *Store) Replace(ctx context.Context, old connectors.Ref, p connectors.Patch) (connectors.Object, error) {
	t := tries{s: s}
	want := s.foretell(ctx, old, p)
	for {
		o, err := s.inner.Replace(ctx, old, p)
		if err == nil {
			return o, nil
		}
		if t.n > 0 && errors.Is(err, connectors.ErrChanged) {
			if want == nil && old.Version != "" {
				want, _ = s.patched(ctx, old, p) // the old version can still be read
			}
			if want == nil {
				return o, err
			}
			return s.ours(ctx, old.Key, *want, err)
		}
		if err := t.again(ctx, err); err != nil {
			return connectors.Object{}, err
		}
	}
}

// foretell digests what a patch gives, if that is cheap and will not be later.
// Whatever is wrong with the patch or the source shows in Replace itself.
func (s *Store) foretell(ctx context.Context, old connectors.Ref, p connectors.Patch) *content {
	var n int64
	for _, piece := range p.Pieces {
		if !piece.Spool {
			n += piece.Len
		}
	}
	if old.ETag == "" || n > s.p.Digest || (n > 0 && old.Version != "") {
		return nil
	}
	c, err := s.patched(ctx, old, p)
	if err != nil {
		return nil
	}
	return c
}

// patched digests what p gives, laid over old. Pieces that follow one another in
// the source, with gaps of up to a mebibyte, are read by one request.
func (s *Store) patched(ctx context.Context, old connectors.Ref, p connectors.Patch) (*content, error) {
	src := &source{ctx: ctx, s: s, ref: old}
	defer src.close()
	var readers []io.Reader
	for _, piece := range p.Pieces {
		switch {
		case piece.Off < 0 || piece.Len < 0 || piece.Spool && p.Spool == nil && piece.Len > 0:
			return nil, errors.New("the patch has a piece of nothing")
		case piece.Len == 0:
		case piece.Spool:
			readers = append(readers, io.NewSectionReader(p.Spool, piece.Off, piece.Len))
		default:
			readers = append(readers, &run{src, piece.Off, piece.Off + piece.Len})
		}
	}
	c, err := digest(io.MultiReader(readers...))
	if err == nil && c.size != p.Size() {
		err = io.ErrUnexpectedEOF
	}
	return &c, err
}

// source reads an object at growing offsets by as few requests as it can.
type source struct {
	ctx  context.Context
	s    *Store
	ref  connectors.Ref
	body io.ReadCloser
	at   int64
}

const smallGap = 1 << 20

func (r *source) seek(off int64) error {
	if r.body != nil && off >= r.at && off-r.at <= smallGap {
		n, err := io.CopyN(io.Discard, r.body, off-r.at)
		r.at += n
		return err
	}
	r.close()
	body, err := r.s.Open(r.ctx, r.ref, connectors.Range{Off: off, Len: -1})
	if err != nil {
		return err
	}
	r.body, r.at = body, off
	return nil
}

func (r *source) close() {
	if r.body != nil {
		_ = r.body.Close()
		r.body = nil
	}
}

// run is one piece of a source.
type run struct {
	src     *source
	at, end int64
}

func (r *run) Read(p []byte) (int, error) {
	if r.at == r.end {
		return 0, io.EOF
	}
	if r.src.body == nil || r.src.at != r.at {
		if err := r.src.seek(r.at); err != nil {
			return 0, err
		}
	}
	n, err := r.src.body.Read(p[:min(int64(len(p)), r.end-r.at)])
	r.at += int64(n)
	r.src.at += int64(n)
	if r.at < r.end && errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if r.at == r.end {
		err = nil
	}
	return n, err
}

// ours reads back what has the key now. If it is want, the write before the one
// that came back as conflict has succeeded; else conflict stands.
func (s *Store) ours(ctx context.Context, key string, want content, conflict error) (connectors.Object, error) {
	none := connectors.Object{}
	for o, err := range s.List(ctx, key) {
		if err != nil {
			return none, fmt.Errorf("read back %q: %w", key, errors.Join(conflict, err))
		}
		if o.Key != key {
			break
		}
		if o.Size != want.size {
			return none, conflict
		}
		body, err := s.Open(ctx, o.Ref, connectors.All)
		if err != nil {
			return none, fmt.Errorf("read back %q: %w", key, errors.Join(conflict, err))
		}
		got, err := digest(body)
		if err = errors.Join(err, body.Close()); err != nil {
			return none, fmt.Errorf("read back %q: %w", key, errors.Join(conflict, err))
		}
		if got == want {
			return o, nil
		}
		break
	}
	return none, conflict
}
