// Package retry wraps a store with the one retry policy of the program. What a
// store calls ErrTemporary is tried again after a random, growing pause; a body
// that ends early is resumed where it stopped, under the same Ref, so that it
// stays one version; a listing goes on after the last key that was seen. (For that it
// begins again and passes over what was seen: a store of many pages should retry
// each page itself.)
//
// A write whose reply was lost may come back as a conflict with itself. After a
// temporary failure the object is then read back: if it holds, byte for byte,
// what was to be written, the write has succeeded. For a Replace that is so even
// if somebody else wrote the same bytes. A conflict without a failure before it
// is always what it says.
//
// It does not retry what no repetition cures, nor anything under a context that
// has ended.
package retry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"expunge/connectors"
)

// Policy says how often and how fast. The zero value of a field is its default.
type Policy struct {
	Tries int           // per operation, the first included; 0: 6
	Base  time.Duration // the first pause is up to this; 0: 100 ms
	Max   time.Duration // no pause is longer; 0: 10 s

	// Digest is how many bytes of its source a Replace reads before its first try, so
	// that it knows its own result again if the reply is lost; 0: 64 MiB. With more, and
	// no version to read them from later, a lost reply shows as ErrChanged, and the
	// caller tells the two apart by what it knows of the content.
	Digest int64

	// Sleep pauses, and returns ctx's error if it ends meanwhile.
	Sleep func(ctx context.Context, d time.Duration) error
	// Rand returns a number in [0, 1). It must be safe for concurrent use.
	Rand func() float64
}

// Store is a store that tries again.
type Store struct {
	inner connectors.Store
	p     Policy
}

// New wraps inner. The result is a Versioner if inner is one, and an Uploader.
// p.Sleep and p.Rand are needed.
func New(inner connectors.Store, p Policy) connectors.Store {
	s := &Store{inner, p.whole()}
	v, keeps := inner.(connectors.Versioner)
	u, takes := inner.(connectors.Uploader)
	switch {
	case keeps && takes:
		return &struct {
			*versioner
			uploads
		}{&versioner{s, v}, uploads{s, u}}
	case keeps:
		return &versioner{s, v}
	case takes:
		return &struct {
			*Store
			uploads
		}{s, uploads{s, u}}
	}
	return s
}

// Do does what is no operation of a store, and again while it fails for a time only.
// What is done has to stand repetition. p.Sleep and p.Rand are needed.
func Do(ctx context.Context, p Policy, do func() error) error {
	t := tries{s: &Store{p: p.whole()}}
	for {
		err := do()
		if err == nil {
			return nil
		}
		if err = t.again(ctx, err); err != nil {
			return err
		}
	}
}

// whole is the policy with its defaults.
func (p Policy) whole() Policy {
	if p.Sleep == nil || p.Rand == nil {
		panic("retry: Policy needs Sleep and Rand")
	}
	if p.Tries == 0 {
		p.Tries = 6
	}
	if p.Base == 0 {
		p.Base = 100 * time.Millisecond
	}
	if p.Digest == 0 {
		p.Digest = 64 << 20
	}
	if p.Max == 0 {
		p.Max = 10 * time.Second
	}
	return p
}

type versioner struct {
	*Store
	inner connectors.Versioner
}

// URL implements connectors.Store.
func (s *Store) URL() string { return s.inner.URL() }

// temporary reports whether another try may help.
func temporary(ctx context.Context, err error) bool {
	return ctx.Err() == nil && (errors.Is(err, connectors.ErrTemporary) || errors.Is(err, io.ErrUnexpectedEOF))
}

// tries counts the tries of one operation.
type tries struct {
	s *Store
	n int // failed so far without progress
}

// again waits after a failure. It returns err when there is no other try.
func (t *tries) again(ctx context.Context, err error) error {
	t.n++
	if cerr := ctx.Err(); cerr != nil && !errors.Is(err, cerr) {
		return errors.Join(cerr, err)
	}
	if !temporary(ctx, err) {
		return err
	}
	if t.n >= t.s.p.Tries {
		return fmt.Errorf("given up after %d tries: %w", t.n, err)
	}
	pause := t.s.p.Max
	if shift := t.n - 1; shift < 30 && t.s.p.Base<<shift < pause {
		pause = t.s.p.Base << shift
	}
	if serr := t.s.p.Sleep(ctx, time.Duration(t.s.p.Rand()*float64(pause))); serr != nil {
		return errors.Join(serr, err)
	}
	return ctx.Err()
}

// List implements connectors.Store.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[connectors.Object, error] {
	return func(yield func(connectors.Object, error) bool) {
		t := tries{s: s}
		last, any := "", false
		for {
			var failed error
			for o, err := range s.inner.List(ctx, prefix) {
				if err != nil {
					failed = err
					break
				}
				if any && o.Key <= last {
					continue
				}
				last, any, t.n = o.Key, true, 0
				if !yield(o, nil) {
					return
				}
			}
			if failed == nil {
				return
			}
			if err := t.again(ctx, failed); err != nil {
				yield(connectors.Object{}, err)
				return
			}
		}
	}
}

// Versions implements connectors.Versioner. It goes on after the last version
// that was seen. Memory: the ids of one key's versions.
func (v *versioner) Versions(ctx context.Context, prefix string) iter.Seq2[connectors.Version, error] {
	return func(yield func(connectors.Version, error) bool) {
		t := tries{s: v.Store}
		last := ""
		seen := map[string]bool{} // version ids of last that were yielded
		for {
			var failed error
			for o, err := range v.inner.Versions(ctx, prefix) {
				if err != nil {
					failed = err
					break
				}
				if len(seen) > 0 && (o.Key < last || o.Key == last && seen[o.Version]) {
					continue
				}
				if o.Key != last {
					last = o.Key
					clear(seen)
				}
				seen[o.Version] = true
				t.n = 0
				if !yield(o, nil) {
					return
				}
			}
			if failed == nil {
				return
			}
			if err := t.again(ctx, failed); err != nil {
				yield(connectors.Version{}, err)
				return
			}
		}
	}
}

// Delete implements connectors.Store. After a lost reply ErrNotFound is success: what was
// to go is gone. With versions, and no version named, so is a marker in its place.
func (s *Store) Delete(ctx context.Context, r connectors.Ref) error {
	t := tries{s: s}
	for {
		err := s.inner.Delete(ctx, r)
		if err == nil || t.n > 0 && errors.Is(err, connectors.ErrNotFound) {
			return nil
		}
		if err := t.again(ctx, err); err != nil {
			return err
		}
	}
}
