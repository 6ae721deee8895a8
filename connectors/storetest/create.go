package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"expunge/connectors"
)

func createLaws() []law {
	return []law{
		{"Create/bodies of any size", false, createSizes},
		{"Create/reads the body from its start", false, createStart},
		{"Create/over an object is ErrExists", false, createExists},
		{"Create/a body that fails leaves nothing", false, createBroken},
		{"Create/of many creators one wins", false, createRace},
		{"Create/needs a key", false, createNoKey},
	}
}

func createSizes(e *env) error {
	var errs []error
	for i, n := range []int{0, 1, 4095, 4096, 1 << 20, 5 << 20, 5<<20 + 1, e.opt.Large} {
		key, body := fmt.Sprintf("size/%d", n), noise(n, uint64(10+i))
		o, err := e.put(key, body)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		got, err := e.read(o.Ref, connectors.All)
		if err != nil {
			errs = append(errs, fmt.Errorf("open %q: %w", key, err))
			continue
		}
		errs = append(errs, same(key, got, body))
		if seen, err := e.current(key); err != nil || seen.Size != int64(n) || seen.ETag != o.ETag {
			errs = append(errs, fmt.Errorf("%q is listed with %d bytes and ETag %s, created with ETag %s (%v)", key, seen.Size, seen.ETag, o.ETag, err))
		}
	}
	return errors.Join(errs...)
}

func createStart(e *env) error {
	body := bytes.NewReader([]byte("the whole body"))
	if _, err := body.Seek(4, io.SeekStart); err != nil {
		return err
	}
	if _, err := e.s.Create(e.ctx, "k", body); err != nil {
		return fmt.Errorf("create: %w", err)
	}
	return e.holds("k", []byte("the whole body"))
}

func createExists(e *env) error {
	var errs []error
	for _, n := range []int{0, 10, e.opt.Large} {
		key, body := fmt.Sprintf("dir/%d", n), noise(n, 20)
		o, err := e.put(key, body)
		if err != nil {
			return err
		}
		for _, again := range [][]byte{body, []byte("another"), noise(e.opt.Large, 21)} { // equal bytes are no excuse
			_, err = e.s.Create(e.ctx, key, bytes.NewReader(again))
			errs = append(errs, fails("create over an object", key, err, connectors.ErrExists))
		}
		errs = append(errs, e.holds(key, body))
		if seen, err := e.current(key); err != nil || seen.ETag != o.ETag {
			errs = append(errs, fmt.Errorf("a refused create changed the ETag of %q from %s to %s (%v)", key, o.ETag, seen.ETag, err))
		}
	}
	return errors.Join(append(errs, e.wantCount("", 3))...)
}

func (e *env) wantCount(prefix string, n int) error {
	all, err := e.list(prefix)
	if err == nil && len(all) != n {
		err = fmt.Errorf("list %q: %d objects, want %d", prefix, len(all), n)
	}
	return err
}

var errBroken = errors.New("the body cannot be read")

// broken is a body of n bytes that cannot be read beyond its first good ones.
type broken struct {
	*bytes.Reader
	good int64
}

func (b *broken) Read(p []byte) (int, error) {
	at, _ := b.Seek(0, io.SeekCurrent)
	if at >= b.good {
		return 0, errBroken
	}
	return b.Reader.Read(p[:min(int64(len(p)), b.good-at)])
}

// ReadAt and WriteTo would go round the fault.
func (b *broken) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > b.good {
		return 0, errBroken
	}
	return b.Reader.ReadAt(p, off)
}

func (b *broken) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{b})
}

// unseekable is a body that cannot be put back to its start.
type unseekable struct{ *bytes.Reader }

func (unseekable) Seek(int64, int) (int64, error) { return 0, errBroken }

func createBroken(e *env) error {
	large := int64(e.opt.Large)
	var errs []error
	for _, c := range []struct{ size, good int64 }{{100, 0}, {100, 50}, {100, 99}, {large, 0}, {large, large / 2}, {large, large - 1}} {
		key := fmt.Sprintf("dir/%d-%d", c.size, c.good)
		_, err := e.s.Create(e.ctx, key, &broken{bytes.NewReader(noise(int(c.size), 30)), c.good})
		if err == nil {
			errs = append(errs, fmt.Errorf("create with a body that breaks at byte %d of %d gave no error", c.good, c.size))
		}
		if errors.Is(err, connectors.ErrExists) || errors.Is(err, connectors.ErrChanged) {
			errs = append(errs, fmt.Errorf("create with a broken body: %w", err))
		}
		errs = append(errs, e.gone(key))
	}
	if _, err := e.s.Create(e.ctx, "seek", unseekable{bytes.NewReader([]byte("x"))}); err == nil {
		errs = append(errs, errors.New("create with a body that cannot seek gave no error"))
	}
	errs = append(errs, e.wantCount("", 0))
	_, err := e.put("dir/100-50", []byte("at last")) // the key is as free as before
	return errors.Join(append(errs, err)...)
}

// settle repeats what failed for the moment: racing writers may be told to come
// again, as S3 does with 409.
func settle(try func() error) error {
	var err error
	for range 20 {
		if err = try(); !errors.Is(err, connectors.ErrTemporary) {
			return err
		}
	}
	return err
}

// race has eight writers of a key do the same at once: exactly one wins, whose number it
// gives, and the others are told lost.
func race(what, key string, lost error, do func(i int) error) (winner int, err error) {
	const n = 8
	var won atomic.Int32
	var g errgroup.Group
	for i := range n {
		g.Go(func() error {
			err := settle(func() error { return do(i) })
			if err == nil {
				if won.Add(1) == 1 {
					winner = i
				}
				return nil
			}
			return fails(what+" in a race", key, err, lost)
		})
	}
	if err := g.Wait(); err != nil {
		return 0, err
	}
	if won.Load() != 1 {
		return 0, fmt.Errorf("%s: %d of %d writers of %q were told that they won", what, won.Load(), n, key)
	}
	return winner, nil
}

func createRace(e *env) error {
	for round := range 5 {
		key := fmt.Sprintf("race/%d", round)
		winner, err := race("create", key, connectors.ErrExists, func(i int) error {
			_, err := e.s.Create(e.ctx, key, bytes.NewReader(noise(1000+i, uint64(40+i))))
			return err
		})
		if err != nil {
			return err
		}
		if err := e.holds(key, noise(1000+winner, uint64(40+winner))); err != nil {
			return fmt.Errorf("after a race of creators: %w", err)
		}
	}
	return nil
}

func createNoKey(e *env) error {
	if _, err := e.s.Create(e.ctx, "", bytes.NewReader([]byte("x"))); err == nil {
		return errors.New("create without a key gave no error")
	}
	return e.wantCount("", 0)
}
