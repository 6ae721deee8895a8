package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"expunge/connectors"
)

func openLaws() []law {
	return []law{
		{"Open/reads ranges", false, openRanges},
		{"Open/reads large objects and ranges of them", false, openLarge},
		{"Open/without ETag and version reads what is current", false, openCurrent},
		{"Open/of no object is ErrNotFound", false, openNotFound},
		{"Open/with another ETag is ErrChanged", false, openChanged},
		{"Open/never mixes two versions", false, openMixes},
		{"Open/is safe from many goroutines", false, openConcurrent},
	}
}

func openRanges(e *env) error {
	body := noise(1000, 1)
	o, err := e.put("k", body)
	if err != nil {
		return err
	}
	empty, err := e.put("empty", nil)
	if err != nil {
		return err
	}
	var errs []error
	for _, c := range []struct {
		off, n   int64
		from, to int
	}{
		{0, -1, 0, 1000}, {0, 1000, 0, 1000}, {0, 1, 0, 1}, {999, 1, 999, 1000}, {10, 20, 10, 30}, {10, -1, 10, 1000},
		{0, 0, 0, 0}, {500, 0, 0, 0}, {1000, 0, 0, 0}, // zero length
		{0, 2000, 0, 1000}, {990, 100, 990, 1000}, {999, -1, 999, 1000}, // across the end
		{1000, -1, 0, 0}, {1000, 10, 0, 0}, {5000, 10, 0, 0}, {5000, -1, 0, 0}, {5000, 0, 0, 0}, // beyond it
		{0, -7, 0, 1000}, {0, 1<<63 - 1, 0, 1000}, {10, 1<<63 - 1, 10, 1000},
	} {
		got, err := e.read(o.Ref, connectors.Range{Off: c.off, Len: c.n})
		if err != nil {
			errs = append(errs, fmt.Errorf("open range %d+%d of 1000 bytes: %w", c.off, c.n, err))
			continue
		}
		errs = append(errs, same(fmt.Sprintf("range %d+%d of 1000 bytes", c.off, c.n), got, body[c.from:c.to]))
	}
	for _, rng := range []connectors.Range{connectors.All, {Off: 0, Len: 0}, {Off: 0, Len: 5}, {Off: 3, Len: 5}, {Off: 3, Len: -1}} {
		got, err := e.read(empty.Ref, rng)
		if err != nil {
			errs = append(errs, fmt.Errorf("open range %d+%d of an empty object: %w", rng.Off, rng.Len, err))
		}
		errs = append(errs, same("range of an empty object", got, nil))
	}
	if _, err := e.read(o.Ref, connectors.Range{Off: -1, Len: 5}); err == nil {
		errs = append(errs, errors.New("open of a range before the start gave no error"))
	}
	return errors.Join(errs...)
}

func openLarge(e *env) error {
	body := noise(e.opt.Large, 2)
	o, err := e.put("large", body)
	if err != nil {
		return err
	}
	n := int64(len(body))
	var errs []error
	for _, rng := range []connectors.Range{connectors.All, {Off: n - 10, Len: 10}, {Off: n/2 - 3, Len: n / 3}, {Off: 1, Len: n}} {
		got, err := e.read(o.Ref, rng)
		if err != nil {
			return fmt.Errorf("open range %d+%d: %w", rng.Off, rng.Len, err)
		}
		to := n
		if rng.Len >= 0 {
			to = min(n, rng.Off+rng.Len)
		}
		errs = append(errs, same(fmt.Sprintf("range %d+%d", rng.Off, rng.Len), got, body[rng.Off:to]))
	}
	return errors.Join(errs...)
}

func openCurrent(e *env) error {
	o, err := e.put("k", []byte("first"))
	if err != nil {
		return err
	}
	if err := e.holds("k", []byte("first")); err != nil {
		return err
	}
	if _, err := e.s.Replace(e.ctx, o.Ref, spooled([]byte("second"))); err != nil {
		return fmt.Errorf("replace: %w", err)
	}
	return e.holds("k", []byte("second"))
}

func openNotFound(e *env) error {
	if err := e.puts("dir/k"); err != nil {
		return err
	}
	var errs []error
	for _, key := range []string{"none", "dir", "dir/", "dir/k2", "dir/none/x", "dir/K"} {
		for _, etag := range []string{"", "0123456789abcdef0123456789abcdef"} {
			if e.opt.Refuses(key) {
				continue
			}
			_, err := e.read(connectors.Ref{Key: key, ETag: etag}, connectors.All)
			errs = append(errs, fails(fmt.Sprintf("open %q", key), key, err, connectors.ErrNotFound))
		}
	}
	return errors.Join(errs...)
}

func openChanged(e *env) error {
	o, err := e.put("dir/k", []byte("first"))
	if err != nil {
		return err
	}
	wrong := current(o)
	wrong.ETag = "0123456789abcdef0123456789abcdef"
	_, err = e.read(wrong, connectors.All)
	if err := fails("open with a made-up ETag", "dir/k", err, connectors.ErrChanged); err != nil {
		return err
	}
	if _, err := e.s.Replace(e.ctx, o.Ref, spooled([]byte("other"))); err != nil {
		return fmt.Errorf("replace: %w", err)
	}
	var errs []error
	for _, rng := range []connectors.Range{connectors.All, {Off: 2, Len: 2}, {Off: 9, Len: 1}} {
		_, err := e.read(current(o), rng)
		errs = append(errs, fails(fmt.Sprintf("open range %d+%d with the ETag of before", rng.Off, rng.Len), "dir/k", err, connectors.ErrChanged))
	}
	return errors.Join(errs...)
}

// A read that began before a swap ends with the old bytes or with ErrChanged.
func openMixes(e *env) error {
	old, next := noise(e.opt.Large, 3), noise(e.opt.Large, 4)
	o, err := e.put("k", old)
	if err != nil {
		return err
	}
	body, err := e.s.Open(e.ctx, current(o), connectors.All)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer body.Close()
	got := make([]byte, 1000)
	if _, err := io.ReadFull(body, got); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if _, err := e.s.Replace(e.ctx, o.Ref, spooled(next)); err != nil {
		return fmt.Errorf("replace: %w", err)
	}
	rest, err := io.ReadAll(body)
	got = append(got, rest...)
	switch {
	case err == nil:
		return same("a read across a swap", got, old)
	case !errors.Is(err, connectors.ErrChanged):
		return fmt.Errorf("a read across a swap: %w, want the old bytes or %q", err, connectors.ErrChanged)
	case !bytes.HasPrefix(old, got):
		return errors.New("a read across a swap gave bytes of the new version before its error")
	}
	return nil
}

func openConcurrent(e *env) error {
	body := noise(100_000, 5)
	o, err := e.put("k", body)
	if err != nil {
		return err
	}
	var g errgroup.Group
	for i := range 16 {
		g.Go(func() error {
			got, err := e.read(o.Ref, connectors.Range{Off: int64(i * 1000), Len: 50_000})
			if err != nil {
				return fmt.Errorf("open: %w", err)
			}
			return same("range", got, body[i*1000:i*1000+50_000])
		})
	}
	return g.Wait()
}
