package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"expunge/connectors"
)

func deleteLaws() []law {
	return []law{
		{"Delete/removes the object", false, deleteOne},
		{"Delete/of a changed object is ErrChanged", false, deleteChanged},
		{"Delete/of no object is ErrNotFound", false, deleteNotFound},
		{"Delete/needs an ETag or a version", false, deleteNoETag},
		{"Delete/leaves other keys alone", false, deleteOthers},
		{"Delete/the key can be created again", false, deleteAgain},
		{"Delete/against replacers one wins", false, deleteRace},
	}
}

func deleteOne(e *env) error {
	var errs []error
	for _, n := range []int{0, 10, e.opt.Large} {
		key := fmt.Sprintf("dir/%d", n)
		o, err := e.put(key, noise(n, 80))
		if err != nil {
			return err
		}
		if err := e.s.Delete(e.ctx, current(o)); err != nil {
			return fmt.Errorf("delete %q: %w", key, err)
		}
		errs = append(errs, e.gone(key))
		_, err = e.read(current(o), connectors.All)
		errs = append(errs, fails("open what was deleted", key, err, connectors.ErrNotFound))
	}
	return errors.Join(append(errs, e.wantCount("", 0))...)
}

func deleteChanged(e *env) error {
	o, err := e.put("dir/k", []byte("first"))
	if err != nil {
		return err
	}
	wrong := current(o)
	wrong.ETag = "0123456789abcdef0123456789abcdef"
	if err := fails("delete with a made-up ETag", "dir/k", e.s.Delete(e.ctx, wrong), connectors.ErrChanged); err != nil {
		return err
	}
	if _, err := e.s.Replace(e.ctx, o.Ref, spooled([]byte("other"))); err != nil {
		return fmt.Errorf("replace: %w", err)
	}
	return errors.Join(
		fails("delete with a stale ETag", "dir/k", e.s.Delete(e.ctx, current(o)), connectors.ErrChanged),
		e.holds("dir/k", []byte("other")), e.wantCount("", 1))
}

func deleteNotFound(e *env) error {
	o, err := e.put("dir/k", []byte("first"))
	if err != nil {
		return err
	}
	errs := []error{
		fails("delete what never was", "dir/none", e.s.Delete(e.ctx, connectors.Ref{Key: "dir/none", ETag: o.ETag}), connectors.ErrNotFound),
		fails("delete a folder", "dir", e.s.Delete(e.ctx, connectors.Ref{Key: "dir", ETag: o.ETag}), connectors.ErrNotFound),
		e.s.Delete(e.ctx, current(o)),
		fails("delete twice", "dir/k", e.s.Delete(e.ctx, current(o)), connectors.ErrNotFound),
	}
	return errors.Join(errs...)
}

func deleteNoETag(e *env) error {
	if err := e.puts("k"); err != nil {
		return err
	}
	if err := e.s.Delete(e.ctx, connectors.Ref{Key: "k"}); err == nil {
		return errors.New("delete without an ETag or a version gave no error")
	}
	return e.holds("k", []byte("body of k"))
}

func deleteOthers(e *env) error {
	keys := []string{"dir/k-", "dir/k0", "dir/kk", "dir/K", "di", "dir-"}
	if !e.opt.Tree {
		keys = append(keys, "dir", "dir/k/below", "dir/k/")
	}
	if err := e.puts(keys...); err != nil {
		return err
	}
	o, err := e.put("dir/k", []byte("first"))
	if err != nil {
		return err
	}
	if err := e.s.Delete(e.ctx, current(o)); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	errs := []error{e.gone("dir/k"), e.wantCount("", len(keys))}
	for _, k := range keys {
		errs = append(errs, e.holds(k, []byte("body of "+k)))
	}
	return errors.Join(errs...)
}

func deleteAgain(e *env) error {
	o, err := e.put("dir/k", []byte("first"))
	if err != nil {
		return err
	}
	if err := e.s.Delete(e.ctx, current(o)); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	if _, err := e.put("dir/k", []byte("second")); err != nil {
		return err
	}
	return errors.Join(e.holds("dir/k", []byte("second")), e.wantCount("", 1))
}

// One who deletes and some who replace hold the same ETag: one of them acts.
func deleteRace(e *env) error {
	for round := range 8 {
		key := fmt.Sprintf("race/%d", round)
		o, err := e.put(key, []byte("before"))
		if err != nil {
			return err
		}
		var won atomic.Int32
		var winner atomic.Int32
		var g errgroup.Group
		for i := range 6 {
			g.Go(func() error {
				err := settle(func() error {
					if i%2 == 0 {
						return e.s.Delete(e.ctx, current(o))
					}
					_, err := e.s.Replace(e.ctx, o.Ref, spooled([]byte(fmt.Sprint("after ", i))))
					return err
				})
				switch {
				case err == nil:
					won.Add(1)
					winner.Store(int32(i))
				case !errors.Is(err, connectors.ErrChanged) && !errors.Is(err, connectors.ErrNotFound):
					return fmt.Errorf("change in a race: %w", err)
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		if won.Load() != 1 {
			return fmt.Errorf("%d of 6 were told that they changed %q", won.Load(), key)
		}
		if i := winner.Load(); i%2 == 0 {
			err = e.gone(key)
		} else {
			err = e.holds(key, []byte(fmt.Sprint("after ", i)))
		}
		if err != nil {
			return fmt.Errorf("after a race: %w", err)
		}
	}
	return nil
}

func contextLaws() []law {
	return []law{{"Context/a cancelled one starts nothing", false, cancelled}}
}

func cancelled(e *env) error {
	o, err := e.put("k", []byte("first"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(e.ctx)
	cancel()
	is := func(what string, err error) error {
		if !errors.Is(err, context.Canceled) {
			return fmt.Errorf("%s under a cancelled context: %v, want %q", what, err, context.Canceled)
		}
		return nil
	}
	_, err = e.s.Create(ctx, "new", strings.NewReader("x"))
	errs := []error{is("create", err)}
	_, err = e.s.Replace(ctx, o.Ref, spooled([]byte("second")))
	errs = append(errs, is("replace", err), is("delete", e.s.Delete(ctx, o.Ref)))
	body, err := e.s.Open(ctx, o.Ref, connectors.All)
	if err == nil {
		body.Close()
	}
	errs = append(errs, is("open", err))
	err = nil
	for _, err = range e.s.List(ctx, "") {
		if err != nil {
			break
		}
	}
	errs = append(errs, is("list", err), e.holds("k", []byte("first")), e.wantCount("", 1))
	return errors.Join(errs...)
}
