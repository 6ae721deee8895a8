// Package count wraps a store and counts what is asked of it: calls, objects listed,
// bytes read and files written. It changes nothing and keeps nothing: what the inner
// store does, errors included, is handed on as it is.
//
// It belongs directly around a store, below retries, so that each try counts.
package count

import (
	"context"
	"fmt"
	"io"
	"iter"
	"sync/atomic"

	"expunge/connectors"
)

// pageKeys is how many keys one LIST request of the S3 protocol gives.
const pageKeys = 1000

// Calls are the counts of one or more stores. Its zero value counts from nothing; it
// is safe for concurrent use.
type Calls struct {
	lists, pages, listed, opens, creates, replaces, deletes, read, written atomic.Int64
}

// Counts is what Calls stand at.
type Counts struct {
	Lists    int64 `json:"list_calls"` // listings asked for, each of a whole prefix
	Pages    int64 `json:"list_pages"` // LIST requests that they take at a thousand keys each, at least
	Listed   int64 `json:"listed"`     // objects and versions that listings gave
	Opens    int64 `json:"get_calls"`  // reads of an object or a range of one
	Read     int64 `json:"bytes_read"` // that those gave
	Creates  int64 `json:"files_written"`
	Replaces int64 `json:"files_replaced"`
	Deletes  int64 `json:"files_deleted"`
	Written  int64 `json:"bytes_written"` // of what was created, and what patches bring along
}

// Counts returns where the counts stand.
func (c *Calls) Counts() Counts {
	return Counts{
		Lists: c.lists.Load(), Pages: c.pages.Load(), Listed: c.listed.Load(), Opens: c.opens.Load(), Read: c.read.Load(),
		Creates: c.creates.Load(), Replaces: c.replaces.Load(), Deletes: c.deletes.Load(), Written: c.written.Load(),
	}
}

// Store is a store that is counted.
type Store struct {
	inner connectors.Store
	calls *Calls
}

// New counts what is asked of inner in calls. The result is a Versioner if inner is
// one, and an Uploader.
func New(inner connectors.Store, calls *Calls) connectors.Store {
	s := &Store{inner, calls}
	v, keeps := inner.(connectors.Versioner)
	u, takes := inner.(connectors.Uploader)
	switch {
	case keeps && takes:
		return &struct {
			*versioner
			uploads
		}{&versioner{s, v}, uploads{calls, u}}
	case keeps:
		return &versioner{s, v}
	case takes:
		return &struct {
			*Store
			uploads
		}{s, uploads{calls, u}}
	}
	return s
}

type versioner struct {
	*Store
	inner connectors.Versioner
}

// Versions implements connectors.Versioner.
func (v *versioner) Versions(ctx context.Context, prefix string) iter.Seq2[connectors.Version, error] {
	return counted(v.calls, v.inner.Versions(ctx, prefix))
}

// URL implements connectors.Store.
func (s *Store) URL() string { return s.inner.URL() }

// List implements connectors.Store.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[connectors.Object, error] {
	return counted(s.calls, s.inner.List(ctx, prefix))
}

func counted[T any](c *Calls, seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		c.lists.Add(1)
		c.pages.Add(1)
		var n int64
		for o, err := range seq {
			if err == nil {
				if n > 0 && n%pageKeys == 0 {
					c.pages.Add(1)
				}
				n++
				c.listed.Add(1)
			}
			if !yield(o, err) {
				return
			}
		}
	}
}

// Open implements connectors.Store.
func (s *Store) Open(ctx context.Context, r connectors.Ref, rng connectors.Range) (io.ReadCloser, error) {
	s.calls.opens.Add(1)
	b, err := s.inner.Open(ctx, r, rng)
	if err != nil {
		return nil, err
	}
	return &body{b, &s.calls.read}, nil
}

type body struct {
	io.ReadCloser
	n *atomic.Int64
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	return n, err
}

// Create implements connectors.Store. What failed is not counted as written.
func (s *Store) Create(ctx context.Context, key string, body io.ReadSeeker) (connectors.Object, error) {
	o, err := s.inner.Create(ctx, key, body)
	if err == nil {
		s.calls.creates.Add(1)
		s.calls.written.Add(o.Size)
	}
	return o, err
}

// Replace implements connectors.Store.
func (s *Store) Replace(ctx context.Context, old connectors.Ref, p connectors.Patch) (connectors.Object, error) {
	o, err := s.inner.Replace(ctx, old, p)
	if err == nil {
		s.calls.replaces.Add(1)
		s.spooled(p)
	}
	return o, err
}

// CreateLike implements connectors.Liker, if the inner store does. Of a patch only what it
// brings along is counted as written.
func (s *Store) CreateLike(ctx context.Context, key string, like connectors.Ref, p connectors.Patch) (connectors.Object, error) {
	l, can := s.inner.(connectors.Liker)
	if !can {
		return connectors.Object{}, fmt.Errorf("create %q: %w", key, connectors.ErrUnsupported)
	}
	o, err := l.CreateLike(ctx, key, like, p)
	if err == nil {
		s.calls.creates.Add(1)
		s.spooled(p)
	}
	return o, err
}

func (s *Store) spooled(p connectors.Patch) {
	for _, piece := range p.Pieces {
		if piece.Spool {
			s.calls.written.Add(piece.Len)
		}
	}
}

// Delete implements connectors.Store.
func (s *Store) Delete(ctx context.Context, r connectors.Ref) error {
	err := s.inner.Delete(ctx, r)
	if err == nil {
		s.calls.deletes.Add(1)
	}
	return err
}

// Labels implements connectors.Labeller, if the inner store does. It counts as a read.
func (s *Store) Labels(ctx context.Context, r connectors.Ref) ([]connectors.Label, error) {
	l, can := s.inner.(connectors.Labeller)
	if !can {
		return nil, connectors.ErrUnsupported
	}
	s.calls.opens.Add(1)
	return l.Labels(ctx, r)
}
