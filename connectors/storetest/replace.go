package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"expunge/connectors"
)

func replaceLaws() []law {
	return []law{
		{"Replace/lays pieces of source and spool in order", false, replacePieces},
		{"Replace/keeps what stands beside the bytes", false, replaceDressed},
		{"Replace/of a changed object is ErrChanged", false, replaceChanged},
		{"Replace/of no object is ErrNotFound", false, replaceNotFound},
		{"Replace/needs an ETag", false, replaceNoETag},
		{"Replace/a patch that cannot be read changes nothing", false, replaceBroken},
		{"Replace/of many replacers one wins", false, replaceRace},
		{"Replace/leaves other keys alone", false, replaceOthers},
	}
}

// spooled is a patch that keeps nothing of the source.
func spooled(b []byte) connectors.Patch {
	return connectors.Patch{Pieces: []connectors.Piece{{Spool: true, Off: 0, Len: int64(len(b))}}, Spool: bytes.NewReader(b)}
}

func apply(p connectors.Patch, src, spool []byte) []byte {
	var out []byte
	for _, piece := range p.Pieces {
		from := src
		if piece.Spool {
			from = spool
		}
		out = append(out, from[piece.Off:piece.Off+piece.Len]...)
	}
	return out
}

func replacePieces(e *env) error {
	large := int64(e.opt.Large)
	const mib = 1 << 20
	src := func(off, n int64) connectors.Piece { return connectors.Piece{Off: off, Len: n} }
	spool := func(off, n int64) connectors.Piece { return connectors.Piece{Spool: true, Off: off, Len: n} }
	var errs []error
	for i, c := range []struct {
		name   string
		size   int64
		pieces []connectors.Piece
	}{
		{"nothing left", 100, nil},
		{"nothing left of a large one", large, nil},
		{"empty pieces only", 100, []connectors.Piece{src(5, 0), spool(0, 0), src(100, 0)}},
		{"from empty to something", 0, []connectors.Piece{spool(10, 20)}},
		{"an empty piece of no spool", 100, []connectors.Piece{src(0, 50), spool(0, 0)}},
		{"all of the source", 100, []connectors.Piece{src(0, 100)}},
		{"a record cut out", 100, []connectors.Piece{src(0, 40), src(60, 40)}},
		{"a record changed", 100, []connectors.Piece{src(0, 40), spool(3, 7), src(60, 40)}},
		{"only spool", 100, []connectors.Piece{spool(0, 50), spool(100, 50)}},
		{"reordered and repeated", 100, []connectors.Piece{src(50, 50), src(0, 50), src(25, 50), spool(0, 1), src(0, 1)}},
		{"large: all", large, []connectors.Piece{src(0, large)}},
		{"large: head cut off", large, []connectors.Piece{src(17, large-17)}},
		{"large: a record cut out", large, []connectors.Piece{src(0, 5*mib), src(5*mib+100, large-5*mib-100)}},
		{"large: small pieces around a large one", large, []connectors.Piece{spool(0, 3), src(1, 2), src(9, 6*mib), spool(5, 100), src(large-10, 10)}},
		{"large: a large spool between", large, []connectors.Piece{src(0, 5*mib), spool(1, 6*mib), src(3, 5*mib)}},
		{"large: reordered", large, []connectors.Piece{src(large-5*mib, 5*mib), src(0, 5*mib), spool(0, 9), src(mib, 5*mib+1)}},
		{"small grows large", 100, []connectors.Piece{src(0, 50), spool(0, 6*mib), src(50, 50)}},
		{"many small pieces", large, pieces(1500, large)},
	} {
		key, body, sp := fmt.Sprintf("dir/%d", i), noise(int(c.size), uint64(50+i)), noise(6*mib+1, 49)
		o, err := e.put(key, body)
		if err != nil {
			return err
		}
		p := connectors.Patch{Pieces: c.pieces, Spool: bytes.NewReader(sp)}
		if c.name == "an empty piece of no spool" {
			p.Spool = nil
		}
		want := apply(p, body, sp)
		next, err := e.s.Replace(e.ctx, o.Ref, p)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: replace: %w", c.name, err))
			continue
		}
		if next.Key != key || next.Size != int64(len(want)) || next.ETag == "" {
			errs = append(errs, fmt.Errorf("%s: replace returned key %q, size %d (want %d), ETag %q", c.name, next.Key, next.Size, len(want), next.ETag))
		}
		got, err := e.read(next.Ref, connectors.All)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: open what replace returned: %w", c.name, err))
			continue
		}
		errs = append(errs, same(c.name, got, want), e.holds(key, want))
		if seen, err := e.current(key); err != nil || seen.ETag != next.ETag || seen.Size != next.Size {
			errs = append(errs, fmt.Errorf("%s: listed with %d bytes and ETag %s, returned with ETag %s (%v)", c.name, seen.Size, seen.ETag, next.ETag, err))
		}
	}
	return errors.Join(errs...)
}

// pieces cuts n short runs out of a source, with spool between some.
func pieces(n int, size int64) []connectors.Piece {
	var all []connectors.Piece
	step := size / int64(n)
	for i := range int64(n) {
		all = append(all, connectors.Piece{Off: i * step, Len: step / 2})
		if i%10 == 0 {
			all = append(all, connectors.Piece{Spool: true, Off: i, Len: 11})
		}
	}
	return all
}

func replaceDressed(e *env) error {
	if e.opt.Dress == nil {
		return nil
	}
	var errs []error
	for _, n := range []int{100, e.opt.Large} {
		key := fmt.Sprintf("dir/dressed-%d", n)
		if _, err := e.put(key, noise(n, 70)); err != nil {
			return err
		}
		look, err := e.opt.Dress(e.s, key)
		if err != nil {
			return fmt.Errorf("dress %q: %w", key, err)
		}
		before, err := look(key)
		if err != nil {
			return fmt.Errorf("look at %q: %w", key, err)
		}
		o, err := e.current(key)
		if err != nil {
			return err
		}
		for range 2 {
			p := connectors.Patch{Pieces: []connectors.Piece{{Off: 1, Len: o.Size - 1}}}
			if o, err = e.s.Replace(e.ctx, o.Ref, p); err != nil {
				return fmt.Errorf("replace %q: %w", key, err)
			}
			after, err := look(key)
			if err != nil {
				return fmt.Errorf("look at %q: %w", key, err)
			}
			if before != after {
				errs = append(errs, fmt.Errorf("replace of %d bytes changed what stands beside them: was %s, is %s", n, before, after))
			}
		}
	}
	return errors.Join(errs...)
}

func replaceChanged(e *env) error {
	first, err := e.put("dir/k", []byte("first"))
	if err != nil {
		return err
	}
	wrong := current(first)
	wrong.ETag = "0123456789abcdef0123456789abcdef"
	_, err = e.s.Replace(e.ctx, wrong, spooled([]byte("wrong")))
	if err := fails("replace with a made-up ETag", "dir/k", err, connectors.ErrChanged); err != nil {
		return err
	}
	if _, err := e.s.Replace(e.ctx, first.Ref, spooled([]byte("second"))); err != nil {
		return fmt.Errorf("replace: %w", err)
	}
	var errs []error
	for name, p := range map[string]connectors.Patch{
		"spool":  spooled([]byte("third")),
		"source": {Pieces: []connectors.Piece{{Off: 0, Len: 5}}},
		"empty":  {},
		"large":  spooled(noise(e.opt.Large, 71)),
	} {
		for _, old := range []connectors.Ref{first.Ref, current(first)} {
			_, err := e.s.Replace(e.ctx, old, p)
			errs = append(errs, fails("replace with a stale ETag by "+name, "dir/k", err, connectors.ErrChanged))
		}
	}
	return errors.Join(append(errs, e.holds("dir/k", []byte("second")), e.wantCount("", 1))...)
}

func replaceNotFound(e *env) error {
	o, err := e.put("dir/k", []byte("first"))
	if err != nil {
		return err
	}
	if err := e.s.Delete(e.ctx, current(o)); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	var errs []error
	for _, p := range []connectors.Patch{{}, spooled([]byte("x")), spooled(noise(e.opt.Large, 72)), {Pieces: []connectors.Piece{{Off: 0, Len: 2}}}} {
		_, err = e.s.Replace(e.ctx, current(o), p)
		errs = append(errs, fails("replace what is gone", "dir/k", err, connectors.ErrNotFound))
		_, err = e.s.Replace(e.ctx, connectors.Ref{Key: "none/k", ETag: o.ETag}, p)
		errs = append(errs, fails("replace what never was", "none/k", err, connectors.ErrNotFound))
	}
	return errors.Join(append(errs, e.wantCount("", 0))...)
}

func replaceNoETag(e *env) error {
	o, err := e.put("k", []byte("first"))
	if err != nil {
		return err
	}
	for _, old := range []connectors.Ref{{Key: "k"}, {Key: "k", Version: o.Version}} {
		if _, err := e.s.Replace(e.ctx, old, spooled([]byte("second"))); err == nil {
			return errors.New("replace without an ETag gave no error")
		}
	}
	return e.holds("k", []byte("first"))
}

// brokenAt is a spool that cannot be read beyond good.
type brokenAt struct {
	r    io.ReaderAt
	good int64
}

func (b brokenAt) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) <= b.good {
		return b.r.ReadAt(p, off)
	}
	if off >= b.good {
		return 0, errBroken
	}
	n, _ := b.r.ReadAt(p[:b.good-off], off)
	return n, errBroken
}

func replaceBroken(e *env) error {
	small, large := []byte("0123456789"), noise(e.opt.Large, 73)
	half := int64(len(large) / 2)
	var errs []error
	for i, c := range []struct {
		name string
		body []byte
		p    connectors.Patch
	}{
		{"a spool that breaks", small, connectors.Patch{Pieces: []connectors.Piece{{Spool: true, Len: 10}}, Spool: brokenAt{bytes.NewReader(small), 5}}},
		{"a spool that ends early", small, connectors.Patch{Pieces: []connectors.Piece{{Len: 5}, {Spool: true, Len: 100}}, Spool: bytes.NewReader(small)}},
		{"no spool", small, connectors.Patch{Pieces: []connectors.Piece{{Spool: true, Len: 1}}}},
		{"a piece beyond the source", small, connectors.Patch{Pieces: []connectors.Piece{{Off: 5, Len: 6}}}},
		{"a piece far beyond the source", small, connectors.Patch{Pieces: []connectors.Piece{{Off: 1 << 40, Len: 6 << 20}}}},
		{"a piece before the source", small, connectors.Patch{Pieces: []connectors.Piece{{Off: -1, Len: 5}}}},
		{"a piece of negative length", small, connectors.Patch{Pieces: []connectors.Piece{{Off: 5, Len: -1}, {Off: 0, Len: 5}}}},
		{"a large spool that breaks late", large, connectors.Patch{Pieces: []connectors.Piece{{Len: half}, {Spool: true, Len: int64(len(large))}}, Spool: brokenAt{bytes.NewReader(large), int64(len(large)) - 1}}},
		{"a large spool that ends early", large, connectors.Patch{Pieces: []connectors.Piece{{Len: half}, {Spool: true, Off: half, Len: int64(len(large))}}, Spool: bytes.NewReader(large)}},
		{"a large piece beyond the source", large, connectors.Patch{Pieces: []connectors.Piece{{Len: half}, {Off: half, Len: half + 10}}}},
	} {
		key := fmt.Sprintf("dir/%d", i)
		o, err := e.put(key, c.body)
		if err != nil {
			return err
		}
		_, err = e.s.Replace(e.ctx, o.Ref, c.p)
		if err == nil || errors.Is(err, connectors.ErrChanged) || errors.Is(err, connectors.ErrNotFound) {
			errs = append(errs, fmt.Errorf("replace with %s: error %v, want one of its own", c.name, err))
		}
		errs = append(errs, e.holds(key, c.body))
		if seen, err := e.current(key); err != nil || seen.ETag != o.ETag {
			errs = append(errs, fmt.Errorf("replace with %s changed the ETag (%v)", c.name, err))
		}
	}
	return errors.Join(append(errs, e.wantCount("", 10))...)
}

func replaceRace(e *env) error {
	for round := range 5 {
		key := fmt.Sprintf("race/%d", round)
		body := noise(1000, 74)
		o, err := e.put(key, body)
		if err != nil {
			return err
		}
		winner, err := race("replace", key, connectors.ErrChanged, func(i int) error {
			_, err := e.s.Replace(e.ctx, o.Ref, connectors.Patch{Pieces: []connectors.Piece{{Off: int64(i), Len: 900}}})
			return err
		})
		if err != nil {
			return err
		}
		if err := e.holds(key, body[winner:winner+900]); err != nil {
			return fmt.Errorf("after a race of replacers: %w", err)
		}
		if err := e.wantCount("race/", round+1); err != nil {
			return err
		}
	}
	return nil
}

func replaceOthers(e *env) error {
	keys := []string{"dir/k-", "dir/k0", "dir/kk", "dir/K", "di"}
	if err := e.puts(keys...); err != nil {
		return err
	}
	o, err := e.put("dir/k", []byte("first"))
	if err != nil {
		return err
	}
	if _, err := e.s.Replace(e.ctx, o.Ref, spooled([]byte("second"))); err != nil {
		return fmt.Errorf("replace: %w", err)
	}
	errs := []error{e.holds("dir/k", []byte("second")), e.wantCount("", len(keys)+1)}
	for _, k := range keys {
		errs = append(errs, e.holds(k, []byte("body of "+k)))
	}
	return errors.Join(errs...)
}
