// Package mem is a store in memory, for tests. It keeps all the laws of a store,
// versions and delete markers included, and everything in it is deterministic: ETags,
// version ids and times depend on what was written to a key and in which order,
// not on a clock, nor on what happened to other keys meanwhile.
//
// Beside the interface it has what a test needs to play the rest of the world: a
// foreign writer, a legal hold, an archived object. It is not for production.
package mem

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"expunge/connectors"
)

// Options say which kind of store to play.
type Options struct {
	Versions   bool             // keep what Replace and Delete put aside
	PlainETags bool             // ETags of the content alone, as S3's: equal bytes have equal ETags
	Now        func() time.Time // nil: the nth write of a key happens n seconds into 2026
}

// Store is a store in memory.
type Store struct {
	name string
	opt  Options

	mu      sync.RWMutex
	keys    map[string]*history
	begun   int                          // uploads, ever
	uploads map[string]connectors.Upload // unfinished ones, by id
}

var (
	_ connectors.Versioner = (*Store)(nil)
	_ connectors.Liker     = (*Store)(nil)
	_ connectors.Labeller  = (*Store)(nil)
)

// history is all that is known of a key.
type history struct {
	writes   int     // ever, so that no ETag and no version id comes twice
	entries  []entry // newest last; without versions at most one, and no marker
	meta     map[string]string
	held     bool
	archived bool
}

// entry is a version; its bytes never change.
type entry struct {
	connectors.Version
	body []byte
	lock *connectors.LockError // keeps it from being deleted by its id
}

// New returns an empty store that goes by name in the config.
func New(name string, opt Options) *Store {
	return &Store{name: name, opt: opt, keys: map[string]*history{}}
}

// URL is "mem://name".
func (s *Store) URL() string { return "mem://" + s.name }

// current is the version that a plain read sees, or nil.
func (h *history) current() *entry {
	if h == nil || len(h.entries) == 0 {
		return nil
	}
	if e := &h.entries[len(h.entries)-1]; !e.Deleted {
		return e
	}
	return nil
}

// List implements connectors.Store. It shows what was there when it began.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[connectors.Object, error] {
	return func(yield func(connectors.Object, error) bool) {
		for v, err := range s.all(ctx, prefix) {
			if err != nil {
				yield(connectors.Object{}, err)
				return
			}
			if v.Current && !v.Deleted && !yield(v.Object, nil) {
				return
			}
		}
	}
}

// Versions implements connectors.Versioner. Without versions it shows what List does.
func (s *Store) Versions(ctx context.Context, prefix string) iter.Seq2[connectors.Version, error] {
	return s.all(ctx, prefix)
}

func (s *Store) all(ctx context.Context, prefix string) iter.Seq2[connectors.Version, error] {
	return func(yield func(connectors.Version, error) bool) {
		s.mu.RLock()
		var all []connectors.Version
		for _, key := range slices.Sorted(maps.Keys(s.keys)) {
			if !strings.HasPrefix(key, prefix) {
				continue
			}
			entries := s.keys[key].entries
			for i := len(entries) - 1; i >= 0; i-- {
				v := entries[i].Version
				v.Current = i == len(entries)-1
				all = append(all, v)
			}
		}
		s.mu.RUnlock()
		for _, v := range all {
			if err := ctx.Err(); err != nil {
				yield(connectors.Version{}, fmt.Errorf("list %q: %w", prefix, err))
				return
			}
			if !yield(v, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(connectors.Version{}, fmt.Errorf("list %q: %w", prefix, err))
		}
	}
}

// find is the version that r names: by its version id, or the current one.
func (s *Store) find(r connectors.Ref) (*entry, error) {
	h := s.keys[r.Key]
	e := h.current()
	if r.Version != "" && h != nil {
		e = nil
		for i := range h.entries {
			if h.entries[i].Ref.Version == r.Version {
				e = &h.entries[i]
			}
		}
	}
	switch {
	case e == nil:
		return nil, connectors.ErrNotFound
	case r.ETag != "" && r.ETag != e.ETag:
		return nil, connectors.ErrChanged
	}
	return e, nil
}

// Open implements connectors.Store.
func (s *Store) Open(ctx context.Context, r connectors.Ref, rng connectors.Range) (io.ReadCloser, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e, err := s.find(r)
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case err != nil:
	case e.Deleted:
		err = connectors.ErrNotFound
	case s.keys[r.Key].archived:
		err = connectors.ErrArchived
	case rng.Off < 0:
		err = errors.New("range begins before the object")
	}
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", r.Key, err)
	}
	b := e.body[min(rng.Off, e.Size):]
	if rng.Len >= 0 {
		b = b[:min(rng.Len, int64(len(b)))]
	}
	return io.NopCloser(&reader{ctx, bytes.NewReader(b)}), nil
}

// reader ends with its context, as a body from the network does.
type reader struct {
	ctx context.Context
	r   *bytes.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// Create implements connectors.Store.
func (s *Store) Create(ctx context.Context, key string, body io.ReadSeeker) (connectors.Object, error) {
	fail := func(err error) (connectors.Object, error) {
		return connectors.Object{}, fmt.Errorf("create %q: %w", key, err)
	}
	if key == "" {
		return fail(errors.New("an object needs a key"))
	}
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return fail(err)
	}
	b, err := io.ReadAll(body)
	if err != nil {
		return fail(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	if s.keys[key].current() != nil {
		return fail(connectors.ErrExists)
	}
	return s.write(key, b), nil
}

// write puts b at key; the caller holds the lock.
func (s *Store) write(key string, b []byte) connectors.Object {
	h := s.keys[key]
	if h == nil {
		h = &history{}
		s.keys[key] = h
	}
	e := s.entry(key, h)
	sum := sha256.Sum256(b)
	e.ETag = fmt.Sprintf("%x-%d", sum[:16], h.writes)
	if s.opt.PlainETags {
		e.ETag = fmt.Sprintf("%x", sum[:16])
	}
	e.Size, e.body = int64(len(b)), b
	if !s.opt.Versions {
		h.entries = h.entries[:0]
	}
	h.entries = append(h.entries, e)
	return e.Object
}

// entry begins the next version of a key.
func (s *Store) entry(key string, h *history) entry {
	h.writes++
	var e entry
	e.Store, e.Key = s.name, key
	if s.opt.Versions {
		e.Ref.Version = fmt.Sprintf("v%06d", h.writes)
	}
	if s.opt.Now != nil {
		e.Modified = s.opt.Now()
	} else {
		e.Modified = time.Date(2026, 1, 1, 0, 0, h.writes, 0, time.UTC)
	}
	return e
}

// Replace implements connectors.Store.
func (s *Store) Replace(ctx context.Context, old connectors.Ref, p connectors.Patch) (connectors.Object, error) {
	fail := func(err error) (connectors.Object, error) {
		return connectors.Object{}, fmt.Errorf("replace %q: %w", old.Key, err)
	}
	if old.ETag == "" {
		return fail(errors.New("the ETag that was seen is needed"))
	}
	s.mu.RLock()
	e, err := s.currentAs(old)
	s.mu.RUnlock()
	if err != nil {
		return fail(err)
	}
	b, err := patched(ctx, e.body, p)
	if err != nil {
		return fail(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.currentAs(old); err != nil {
		return fail(err)
	}
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	return s.write(old.Key, b), nil
}

// CreateLike implements connectors.Liker.
func (s *Store) CreateLike(ctx context.Context, key string, like connectors.Ref, p connectors.Patch) (connectors.Object, error) {
	fail := func(err error) (connectors.Object, error) {
		return connectors.Object{}, fmt.Errorf("create %q like %q: %w", key, like.Key, err)
	}
	switch {
	case key == "":
		return fail(errors.New("an object needs a key"))
	case like.ETag == "":
		return fail(errors.New("the ETag that was seen is needed"))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.currentAs(like)
	if err != nil {
		return fail(err)
	}
	b, err := patched(ctx, e.body, p)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return fail(err)
	}
	if s.keys[key].current() != nil {
		return fail(connectors.ErrExists)
	}
	o := s.write(key, b)
	s.keys[key].meta = maps.Clone(s.keys[like.Key].meta)
	return o, nil
}

// currentAs is a copy of the current version if that is what r names.
func (s *Store) currentAs(r connectors.Ref) (entry, error) {
	e := s.keys[r.Key].current()
	switch {
	case e == nil:
		return entry{}, connectors.ErrNotFound
	case e.ETag != r.ETag, r.Version != "" && r.Version != e.Ref.Version:
		return entry{}, connectors.ErrChanged
	}
	return *e, nil
}

func patched(ctx context.Context, src []byte, p connectors.Patch) ([]byte, error) {
	out := make([]byte, 0, len(src))
	for i, piece := range p.Pieces {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if piece.Off < 0 || piece.Len < 0 {
			return nil, fmt.Errorf("piece %d of the patch has a negative range", i)
		}
		if piece.Len == 0 {
			continue
		}
		if piece.Spool {
			if p.Spool == nil {
				return nil, fmt.Errorf("piece %d of the patch needs a spool", i)
			}
			b := make([]byte, piece.Len)
			if n, err := p.Spool.ReadAt(b, piece.Off); n < len(b) {
				return nil, fmt.Errorf("read piece %d of the patch: %w", i, err)
			}
			out = append(out, b...)
			continue
		}
		if piece.Off > int64(len(src)) || piece.Len > int64(len(src))-piece.Off {
			return nil, fmt.Errorf("piece %d of the patch lies beyond the source", i)
		}
		out = append(out, src[piece.Off:piece.Off+piece.Len]...)
	}
	return out, nil
}

// Delete implements connectors.Store. With versions, deleting what is current
// leaves a marker; deleting a version by its id leaves nothing.
func (s *Store) Delete(ctx context.Context, r connectors.Ref) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.remove(ctx, r); err != nil {
		return fmt.Errorf("delete %q: %w", r.Key, err)
	}
	return nil
}

func (s *Store) remove(ctx context.Context, r connectors.Ref) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.ETag == "" && r.Version == "" {
		return errors.New("the ETag or version that was seen is needed")
	}
	e, err := s.find(r)
	if err != nil {
		return err
	}
	h := s.keys[r.Key]
	if h.held {
		return connectors.ErrHeld
	}
	if e.lock != nil && (r.Version != "" || !s.opt.Versions) { // a marker on top takes nothing away
		return e.lock
	}
	switch {
	case r.Version != "":
		h.entries = slices.DeleteFunc(slices.Clone(h.entries), func(e entry) bool { return e.Ref.Version == r.Version })
	case s.opt.Versions:
		m := s.entry(r.Key, h)
		m.Deleted = true
		h.entries = append(h.entries, m)
	default:
		h.entries = nil
	}
	return nil
}
