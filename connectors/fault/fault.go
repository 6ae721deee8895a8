// Package fault wraps a store for tests: it numbers the operations on it, writes
// them down, and makes any of them fail: before it takes effect or after (the
// reply is lost), once or for good (the process is dead). With it a test runs an
// erase, kills it at every single operation, runs it again and compares the end.
//
// What counts as an operation: each List or Versions that is begun (and each page of
// PageSize keys after the first), each Open, Create, CreateLike, Replace, Delete, Uploads and Abort. Reads of
// a body are part of its Open and have faults of their own (Cut).
package fault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"

	"expunge/connectors"
)

// ErrInjected is the error of an injected failure that says nothing else.
var ErrInjected = errors.New("injected failure")

// ErrStopped is the error of every operation after the process has died.
var ErrStopped = errors.New("stopped: the process is dead")

// Fault is what happens at an operation.
type Fault struct {
	After bool  // it takes effect, but its reply is lost; else it does not
	Err   error // what the caller sees; nil: ErrInjected
	Stop  bool  // and every later operation fails with ErrStopped, without effect
}

// Cut ends the body of an Open early.
type Cut struct {
	After  int64 // bytes that still come
	Silent bool  // with io.EOF, as a careless transport does; else with Err
	Err    error // nil: io.ErrUnexpectedEOF
}

// Op is one operation, as it is about to begin.
type Op struct {
	N    int            // counts from 1
	Kind string         // list, versions, open, create, replace, delete, uploads, abort
	Key  string         // or the prefix
	Ref  connectors.Ref // of open, replace and delete
	Text string         // "create key", "create key like other: source 0-40", "open key 0-100", "replace key: source 0-40, spool 3-7", …
}

// Store wraps a store. Its rules are set before it is used.
type Store struct {
	inner connectors.Store

	// Plan says what happens at an operation; nil, or nil returned: nothing.
	// It is called for one operation at a time.
	Plan func(Op) *Fault
	// Cuts says where the body of an open ends; nil, or nil returned: at its end.
	Cuts func(Op) *Cut
	// PageSize is how many keys of a listing count as one operation; 0: all.
	PageSize int

	mu      sync.Mutex
	n       int
	lines   []string
	stopped bool
}

// New wraps inner without any fault.
func New(inner connectors.Store) *Store { return &Store{inner: inner} }

// At is a Plan: f happens at the nth operation.
func At(n int, f Fault) func(Op) *Fault {
	return func(op Op) *Fault {
		if op.N != n {
			return nil
		}
		return &f
	}
}

// Ops is how many operations have begun.
func (s *Store) Ops() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

// Lines are the operations so far, in order, as text.
func (s *Store) Lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.lines...)
}

// Stopped reports whether the process has died.
func (s *Store) Stopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

// View is s as a store: a Versioner if what it wraps is one, and an Uploader.
func (s *Store) View() connectors.Store {
	v, keeps := s.inner.(connectors.Versioner)
	u, takes := s.inner.(connectors.Uploader)
	switch {
	case keeps && takes:
		return struct {
			versioner
			uploads
		}{versioner{s, v}, uploads{s, u}}
	case keeps:
		return versioner{s, v}
	case takes:
		return struct {
			*Store
			uploads
		}{s, uploads{s, u}}
	}
	return s
}

type versioner struct {
	*Store
	inner connectors.Versioner
}

// begin numbers an operation. The returned fault is to be handed to end.
func (s *Store) begin(kind string, r connectors.Ref, text string) (Op, *Fault, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return Op{}, nil, fmt.Errorf("%s %q: %w", kind, r.Key, ErrStopped)
	}
	s.n++
	op := Op{s.n, kind, r.Key, r, text}
	s.lines = append(s.lines, text)
	if s.Plan == nil {
		return op, nil, nil
	}
	f := s.Plan(op)
	if f == nil {
		return op, nil, nil
	}
	if f.Stop && !f.After {
		s.stopped = true
	}
	if !f.After {
		return op, f, failure(op, f)
	}
	return op, f, nil
}

// end is the error of an operation whose reply was err.
func (s *Store) end(op Op, f *Fault, err error) error {
	if f == nil {
		return err
	}
	if f.Stop {
		s.mu.Lock()
		s.stopped = true
		s.mu.Unlock()
	}
	return failure(op, f)
}

func failure(op Op, f *Fault) error {
	err := f.Err
	if err == nil {
		err = ErrInjected
	}
	return fmt.Errorf("%s %q: %w", op.Kind, op.Key, err)
}

// URL implements connectors.Store.
func (s *Store) URL() string { return s.inner.URL() }

// List implements connectors.Store.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[connectors.Object, error] {
	return list(s, "list", prefix, s.inner.List(ctx, prefix))
}

// Versions implements connectors.Versioner.
func (v versioner) Versions(ctx context.Context, prefix string) iter.Seq2[connectors.Version, error] {
	return list(v.Store, "versions", prefix, v.inner.Versions(ctx, prefix))
}

func list[T any](s *Store, kind, prefix string, seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		// A lost reply of a listing is a page that never came: After is as before.
		page := func() error {
			op, f, err := s.begin(kind, connectors.Ref{Key: prefix}, kind+" "+prefix)
			if err == nil && f != nil {
				err = s.end(op, f, nil)
			}
			return err
		}
		if err := page(); err != nil {
			yield(zero, err)
			return
		}
		n := 0
		for v, err := range seq {
			if err == nil && n > 0 && s.PageSize > 0 && n%s.PageSize == 0 {
				err = page()
			}
			n++
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// Open implements connectors.Store.
func (s *Store) Open(ctx context.Context, r connectors.Ref, rng connectors.Range) (io.ReadCloser, error) {
	text := fmt.Sprintf("open %s %d-", r.Key, rng.Off)
	if rng.Len >= 0 {
		text += fmt.Sprint(rng.Off + rng.Len)
	}
	if r.Version != "" {
		text += " version " + r.Version
	}
	op, f, err := s.begin("open", r, text)
	if err != nil {
		return nil, err
	}
	body, err := s.inner.Open(ctx, r, rng)
	if f != nil && err == nil {
		body.Close()
	}
	if err := s.end(op, f, err); err != nil {
		return nil, err
	}
	var cut *Cut
	if s.Cuts != nil {
		s.mu.Lock()
		cut = s.Cuts(op)
		s.mu.Unlock()
	}
	return &reader{ReadCloser: body, s: s, cut: cut, key: r.Key}, nil
}

// reader is a body that may end early, and ends with the process.
type reader struct {
	io.ReadCloser
	s   *Store
	cut *Cut
	at  int64
	key string
}

func (r *reader) Read(p []byte) (int, error) {
	if r.s.Stopped() {
		return 0, fmt.Errorf("read %q: %w", r.key, ErrStopped)
	}
	if r.cut != nil {
		left := r.cut.After - r.at
		if left <= 0 {
			switch {
			case r.cut.Silent:
				return 0, io.EOF
			case r.cut.Err != nil:
				return 0, fmt.Errorf("read %q: %w", r.key, r.cut.Err)
			}
			return 0, fmt.Errorf("read %q: %w", r.key, io.ErrUnexpectedEOF)
		}
		p = p[:min(int64(len(p)), left)]
	}
	n, err := r.ReadCloser.Read(p)
	r.at += int64(n)
	return n, err
}

// Create implements connectors.Store.
func (s *Store) Create(ctx context.Context, key string, body io.ReadSeeker) (connectors.Object, error) {
	op, f, err := s.begin("create", connectors.Ref{Key: key}, "create "+key)
	if err != nil {
		return connectors.Object{}, err
	}
	o, err := s.inner.Create(ctx, key, body)
	if err := s.end(op, f, err); err != nil {
		return connectors.Object{}, err
	}
	return o, nil
}

// Replace implements connectors.Store.
func (s *Store) Replace(ctx context.Context, old connectors.Ref, p connectors.Patch) (connectors.Object, error) {
	op, f, err := s.begin("replace", old, "replace "+old.Key+pieces(p))
	if err != nil {
		return connectors.Object{}, err
	}
	o, err := s.inner.Replace(ctx, old, p)
	if err := s.end(op, f, err); err != nil {
		return connectors.Object{}, err
	}
	return o, nil
}

// CreateLike implements connectors.Liker, if the inner store does.
func (s *Store) CreateLike(ctx context.Context, key string, like connectors.Ref, p connectors.Patch) (connectors.Object, error) {
	l, can := s.inner.(connectors.Liker)
	if !can {
		return connectors.Object{}, fmt.Errorf("create %q: %w", key, connectors.ErrUnsupported)
	}
	op, f, err := s.begin("create", connectors.Ref{Key: key}, "create "+key+" like "+like.Key+pieces(p))
	if err != nil {
		return connectors.Object{}, err
	}
	o, err := l.CreateLike(ctx, key, like, p)
	if err := s.end(op, f, err); err != nil {
		return connectors.Object{}, err
	}
	return o, nil
}

// pieces shows the first few pieces of a patch.
func pieces(p connectors.Patch) string {
	text, sep := "", ": "
	for i, piece := range p.Pieces {
		if i == 8 {
			return text + fmt.Sprintf(", … %d pieces, %d bytes", len(p.Pieces), p.Size())
		}
		from := "source"
		if piece.Spool {
			from = "spool"
		}
		text += fmt.Sprintf("%s%s %d-%d", sep, from, piece.Off, piece.Off+piece.Len)
		sep = ", "
	}
	return text
}

// Delete implements connectors.Store.
func (s *Store) Delete(ctx context.Context, r connectors.Ref) error {
	text := "delete " + r.Key
	if r.Version != "" {
		text += " version " + r.Version
	}
	op, f, err := s.begin("delete", r, text)
	if err != nil {
		return err
	}
	return s.end(op, f, s.inner.Delete(ctx, r))
}

// Labels implements connectors.Labeller, if the inner store does.
func (s *Store) Labels(ctx context.Context, r connectors.Ref) ([]connectors.Label, error) {
	l, can := s.inner.(connectors.Labeller)
	if !can {
		return nil, connectors.ErrUnsupported
	}
	op, f, err := s.begin("labels", r, "labels "+r.Key)
	if err != nil {
		return nil, err
	}
	out, err := l.Labels(ctx, r)
	if err := s.end(op, f, err); err != nil {
		return nil, err
	}
	return out, nil
}
