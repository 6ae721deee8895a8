package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"expunge/connectors"
)

func listLaws() []law {
	return []law{
		{"List/an empty store has nothing", false, listEmpty},
		{"List/keys come in byte order", false, listOrder},
		{"List/a key may be the prefix of another", false, listBeside},
		{"List/a prefix is no folder", false, listPrefix},
		{"List/shows what Create returned", false, listShows},
		{"List/can be left early and begun again", false, listLeave},
		{"List/odd keys are kept as they are", false, listOdd},
		{"List/many keys come once each", false, listMany},
	}
}

func (e *env) wantKeys(prefix string, want []string) error {
	all, err := e.list(prefix)
	if err != nil {
		return err
	}
	got := make([]string, 0, len(all))
	for _, o := range all {
		got = append(got, o.Key)
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Errorf("list %q: key %d of %d is %q, want %q", prefix, i, len(got), got[i], want[i])
		}
	}
	if len(got) != len(want) {
		return fmt.Errorf("list %q: %d keys, want %d", prefix, len(got), len(want))
	}
	return nil
}

func listEmpty(e *env) error {
	return errors.Join(e.wantKeys("", nil), e.wantKeys("no/such", nil))
}

// Names around '/' (0x2f) are where folders and bytes disagree.
func listOrder(e *env) error {
	keys := []string{"b", "a0", "a/b", "a-b", "a.b", "a/b-c", "a/b.c", "a/b0", "a/bb", "A", "Z", "a/c/d", "a/c-d", "a/c0", "a+", "a!/x", "é", "z", "~", "a\x7f"}
	if e.opt.Tree {
		keys = append(keys, "c/x/1", "c/x-y/1", "c/x.y", "c/x0/1")
	}
	if err := e.puts(keys...); err != nil {
		return err
	}
	slices.Sort(keys)
	return e.wantKeys("", keys)
}

func listBeside(e *env) error {
	if err := e.puts("a"); err != nil {
		return err
	}
	if e.opt.Tree {
		_, err := e.put("a/b", []byte("x"))
		if err := fails("create below an object", "a/b", err, connectors.ErrUnsupported); err != nil {
			return err
		}
		if err := e.puts("d/e"); err != nil {
			return err
		}
		_, err = e.put("d", []byte("x"))
		if err := fails("create above an object", "d", err, connectors.ErrUnsupported); err != nil {
			return err
		}
		return errors.Join(e.holds("a", []byte("body of a")), e.wantKeys("", []string{"a", "d/e"}))
	}
	if err := e.puts("a/b", "a/b/c", "a-", "a0"); err != nil {
		return err
	}
	return errors.Join(
		e.wantKeys("", []string{"a", "a-", "a/b", "a/b/c", "a0"}),
		e.wantKeys("a/", []string{"a/b", "a/b/c"}),
		e.holds("a", []byte("body of a")), e.holds("a/b", []byte("body of a/b")))
}

func listPrefix(e *env) error {
	keys := []string{"x/aa", "x/ab/1", "x/ab/2", "x/abc", "x/abd/1", "x/b", "xx", "y"}
	if err := e.puts(keys...); err != nil {
		return err
	}
	var errs []error
	for _, prefix := range []string{"", "x", "x/", "x/a", "x/ab", "x/ab/", "x/ab/1", "x/ab/12", "x/abc/", "x/b", "xx", "z", "/", "X"} {
		var want []string
		for _, k := range keys {
			if strings.HasPrefix(k, prefix) {
				want = append(want, k)
			}
		}
		errs = append(errs, e.wantKeys(prefix, want))
	}
	return errors.Join(errs...)
}

func listShows(e *env) error {
	made, err := e.put("dir/one", []byte("twelve bytes"))
	if err != nil {
		return err
	}
	seen, err := e.current("dir/one")
	if err != nil {
		return err
	}
	if seen.ETag != made.ETag || seen.Size != 12 || seen.Store != made.Store {
		return fmt.Errorf("listed as %q with ETag %s and %d bytes in %q, created with ETag %s in %q", seen.Key, seen.ETag, seen.Size, seen.Store, made.ETag, made.Store)
	}
	if seen.Modified.IsZero() {
		return errors.New("a listed object has no time")
	}
	if strings.Contains(seen.ETag, `"`) {
		return fmt.Errorf("ETag %s has quotes", seen.ETag)
	}
	return nil
}

func listLeave(e *env) error {
	if err := e.puts("a", "b", "c"); err != nil {
		return err
	}
	seq := e.s.List(e.ctx, "")
	for o, err := range seq {
		if err != nil || o.Key != "a" {
			return fmt.Errorf("first of the list: %q, %v", o.Key, err)
		}
		break
	}
	n := 0
	for _, err := range seq {
		if err != nil {
			return fmt.Errorf("list again: %w", err)
		}
		n++
	}
	if n != 3 {
		return fmt.Errorf("the sequence gave %d keys when ranged over again, want 3", n)
	}
	return e.wantKeys("", []string{"a", "b", "c"})
}

func listOdd(e *env) error {
	var keys []string
	var errs []error
	for _, k := range oddKeys() {
		body := []byte("body of " + k)
		if e.opt.Refuses(k) {
			_, err := e.put(k, body)
			errs = append(errs, fails(fmt.Sprintf("create %q", k), k, err, connectors.ErrUnsupported))
			continue
		}
		if _, err := e.put(k, body); err != nil {
			errs = append(errs, err)
			continue
		}
		keys = append(keys, k)
		_, err := e.current(k)
		errs = append(errs, e.holds(k, body), err)
	}
	slices.Sort(keys)
	errs = append(errs, e.wantKeys("", keys))
	for _, k := range keys {
		o, err := e.current(k)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		next, err := e.s.Replace(e.ctx, o.Ref, connectors.Patch{Pieces: []connectors.Piece{{Off: 0, Len: 4}}})
		if err != nil {
			errs = append(errs, fmt.Errorf("replace %q: %w", k, err))
			continue
		}
		errs = append(errs, e.holds(k, []byte("body")))
		if err := e.s.Delete(e.ctx, current(next)); err != nil {
			errs = append(errs, fmt.Errorf("delete %q: %w", k, err))
			continue
		}
		errs = append(errs, e.gone(k))
	}
	return errors.Join(errs...)
}

func listMany(e *env) error {
	keys := make([]string, e.opt.Many)
	for i := range keys {
		switch { // some share a folder, some have one of their own, some have none
		case i%3 == 0:
			keys[i] = fmt.Sprintf("many/%05d", i)
		case i%3 == 1:
			keys[i] = fmt.Sprintf("many/%05d/x", i)
		default:
			keys[i] = fmt.Sprintf("many-%05d", i)
		}
	}
	if err := createAll(e.ctx, e.s, keys); err != nil {
		return err
	}
	slices.Sort(keys)
	below := slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return !strings.HasPrefix(k, "many/0") })
	return errors.Join(e.wantKeys("", keys), e.wantKeys("many/0", below))
}

// createAll creates keys from several goroutines at once; the body is the key.
func createAll(ctx context.Context, s connectors.Store, keys []string) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for _, k := range keys {
		g.Go(func() error {
			if _, err := s.Create(ctx, k, strings.NewReader(k)); err != nil {
				return fmt.Errorf("create %q: %w", k, err)
			}
			return nil
		})
	}
	return g.Wait()
}
