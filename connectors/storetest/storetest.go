// Package storetest holds the laws of connectors.Store. Every store runs them, and
// so does every wrapper of one: what a step may rely on is what is checked here.
//
// A law is a function that returns what it saw broken, so that the suite can be
// run against stores that break one law each and be seen to notice. The suite
// checks what callers can observe; what happens when a process dies in the
// middle of an operation is for the tests of each store, and for fault.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"expunge/connectors"
)

// Options say what a store documents to do differently. The zero value is a flat
// store of any key that keeps one version of each.
type Options struct {
	// Versions: the store is a connectors.Versioner, and what Replace and Delete
	// put aside stays readable by its version.
	Versions bool

	// Tree: objects live in folders that are things of their own, so that "a"
	// cannot stand beside "a/b". The second of them must be refused with
	// connectors.ErrUnsupported.
	Tree bool

	// Refuses names the keys that the store documents not to hold; Create must
	// refuse them with connectors.ErrUnsupported. nil: it holds any key.
	Refuses func(key string) bool

	// Dress gives the current object at key what the store keeps beside its bytes
	// (metadata, tags, mode) and returns a function that describes that of any key; Replace
	// must not change the description, and CreateLike has to copy it. It may write the
	// object anew. nil: there is nothing.
	Dress func(s connectors.Store, key string) (look func(key string) (string, error), err error)

	// Begin begins an upload at key, writes one part of it and leaves it so. nil: the
	// store has no unfinished uploads, and is no connectors.Uploader.
	Begin func(s connectors.Store, key string, part []byte) (id string, err error)

	// Many is how many keys the listing laws create; 0 is 1100, more than a page
	// of S3 holds.
	Many int

	// Large is the size of a large body; 0 is 10 MiB + 1, which S3 must cut in
	// parts and which is no multiple of one.
	Large int
}

// law is one promise of the interface.
type law struct {
	name     string
	versions bool // only where Options.Versions is set
	check    func(e *env) error
}

func laws() []law {
	var all []law
	for _, group := range [][]law{listLaws(), openLaws(), createLaws(), replaceLaws(), likeLaws(), deleteLaws(), uploadLaws(), contextLaws(), versionLaws()} {
		all = append(all, group...)
	}
	return all
}

// Run checks every law that opt does not except, each as a subtest with a store of
// its own. open returns a store that holds nothing; it closes it by t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) connectors.Store, opt Options) {
	t.Helper()
	for _, l := range laws() {
		if l.versions && !opt.Versions {
			continue
		}
		t.Run(l.name, func(t *testing.T) {
			if err := l.check(newEnv(t.Context(), open(t), opt)); err != nil {
				t.Error(err)
			}
		})
	}
}

// env is what a law works with.
type env struct {
	ctx context.Context
	s   connectors.Store
	opt Options
}

func newEnv(ctx context.Context, s connectors.Store, opt Options) *env {
	if opt.Many == 0 {
		opt.Many = 1100
	}
	if opt.Large == 0 {
		opt.Large = 10<<20 + 1
	}
	if opt.Refuses == nil {
		opt.Refuses = func(string) bool { return false }
	}
	return &env{ctx, s, opt}
}

// put creates an object and checks what Create says of it.
func (e *env) put(key string, body []byte) (connectors.Object, error) {
	o, err := e.s.Create(e.ctx, key, bytes.NewReader(body))
	if err != nil {
		return o, fmt.Errorf("create %q: %w", key, err)
	}
	if o.Key != key || o.Size != int64(len(body)) || o.ETag == "" {
		return o, fmt.Errorf("create %q (%d bytes) returned key %q, size %d, ETag %q", key, len(body), o.Key, o.Size, o.ETag)
	}
	return o, nil
}

func (e *env) puts(keys ...string) error {
	for _, k := range keys {
		if _, err := e.put(k, []byte("body of "+k)); err != nil {
			return err
		}
	}
	return nil
}

// read reads a range to its end.
func (e *env) read(r connectors.Ref, rng connectors.Range) ([]byte, error) {
	body, err := e.s.Open(e.ctx, r, rng)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(body)
	return b, errors.Join(err, body.Close())
}

// holds checks that the current object at key is want.
func (e *env) holds(key string, want []byte) error {
	got, err := e.read(connectors.Ref{Key: key}, connectors.All)
	if err != nil {
		return fmt.Errorf("read %q: %w", key, err)
	}
	return same(fmt.Sprintf("object %q", key), got, want)
}

// gone checks that key has no current object, by both ways of seeing one.
func (e *env) gone(key string) error {
	if _, err := e.read(connectors.Ref{Key: key}, connectors.All); !errors.Is(err, connectors.ErrNotFound) {
		return fmt.Errorf("object %q should be gone; reading it gave %v", key, err)
	}
	listed, err := e.list(key)
	for _, o := range listed {
		if o.Key == key {
			return fmt.Errorf("object %q should be gone; it is listed", key)
		}
	}
	return err
}

func (e *env) list(prefix string) ([]connectors.Object, error) {
	var all []connectors.Object
	for o, err := range e.s.List(e.ctx, prefix) {
		if err != nil {
			return all, fmt.Errorf("list %q: %w", prefix, err)
		}
		all = append(all, o)
	}
	return all, nil
}

// current is the object at key as a listing shows it.
func (e *env) current(key string) (connectors.Object, error) {
	all, err := e.list(key)
	if err != nil {
		return connectors.Object{}, err
	}
	for _, o := range all {
		if o.Key == key {
			return o, nil
		}
	}
	return connectors.Object{}, fmt.Errorf("object %q is not listed", key)
}

// fails checks that err is want and names the key.
func fails(what, key string, err, want error) error {
	switch {
	case err == nil:
		return fmt.Errorf("%s: no error, want %q", what, want)
	case !errors.Is(err, want):
		return fmt.Errorf("%s: %w, want %q", what, err, want)
	case !bytes.Contains([]byte(err.Error()), []byte(key)) && !bytes.Contains([]byte(err.Error()), []byte(fmt.Sprintf("%q", key))):
		return fmt.Errorf("%s: the error %w does not name the key", what, err)
	}
	return nil
}

// same compares bytes without printing more than a few.
func same(what string, got, want []byte) error {
	if bytes.Equal(got, want) {
		return nil
	}
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	return fmt.Errorf("%s: %d bytes, want %d; they differ from byte %d on", what, len(got), len(want), at)
}

// noise returns n bytes that no other seed gives and no compression shortens.
func noise(n int, seed uint64) []byte {
	b := make([]byte, n)
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	_, _ = rand.NewChaCha8(key).Read(b)
	return b
}

// current names the current object only: by ETag, without the version.
func current(o connectors.Object) connectors.Ref {
	return connectors.Ref{Store: o.Store, Key: o.Key, ETag: o.ETag}
}
