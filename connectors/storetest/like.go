package storetest

import (
	"bytes"
	"errors"
	"fmt"

	"expunge/connectors"
)

func likeLaws() []law {
	return []law{
		{"CreateLike/lays pieces of source and spool in order", false, likePieces},
		{"CreateLike/copies what stands beside the bytes", false, likeDressed},
		{"CreateLike/over an object is ErrExists", false, likeExists},
		{"CreateLike/of a changed object is ErrChanged", false, likeChanged},
		{"CreateLike/of no object is ErrNotFound", false, likeNotFound},
		{"CreateLike/needs a key and an ETag", false, likeNoName},
		{"CreateLike/a patch that cannot be read leaves nothing", false, likeBroken},
		{"CreateLike/of many creators one wins", false, likeRace},
	}
}

// like creates an object like another one, in a store that can.
func (e *env) like(key string, like connectors.Ref, p connectors.Patch) (connectors.Object, error) {
	l, ok := e.s.(connectors.Liker)
	if !ok {
		return connectors.Object{}, errors.New("the store is no connectors.Liker")
	}
	return l.CreateLike(e.ctx, key, like, p)
}

func likePieces(e *env) error {
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
		{"all of the source", 100, []connectors.Piece{src(0, 100)}},
		{"a record cut out, one changed", 100, []connectors.Piece{src(0, 30), spool(3, 7), src(60, 40)}},
		{"large: all", large, []connectors.Piece{src(0, large)}},
		{"large: a record cut out, one changed", large, []connectors.Piece{src(0, 5*mib), spool(0, 9), src(5*mib+100, large-5*mib-100)}},
		{"large: many small pieces", large, pieces(1500, large)},
	} {
		key, to, body, sp := fmt.Sprintf("dir/%d + a", i), fmt.Sprintf("elsewhere/%d", i), noise(int(c.size), uint64(150+i)), noise(mib, 149)
		o, err := e.put(key, body)
		if err != nil {
			return err
		}
		want := apply(connectors.Patch{Pieces: c.pieces}, body, sp)
		made, err := e.like(to, o.Ref, connectors.Patch{Pieces: c.pieces, Spool: bytes.NewReader(sp)})
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: create like: %w", c.name, err))
			continue
		}
		if made.Key != to || made.Size != int64(len(want)) || made.ETag == "" {
			errs = append(errs, fmt.Errorf("%s: create like returned key %q, size %d (want %d), ETag %q", c.name, made.Key, made.Size, len(want), made.ETag))
		}
		got, err := e.read(made.Ref, connectors.All)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: open what was created: %w", c.name, err))
			continue
		}
		errs = append(errs, same(c.name, got, want), e.holds(to, want), e.holds(key, body))
		if seen, err := e.current(key); err != nil || seen.ETag != o.ETag {
			errs = append(errs, fmt.Errorf("%s: the ETag of the source was changed (%v)", c.name, err))
		}
	}
	return errors.Join(errs...)
}

func likeDressed(e *env) error {
	if e.opt.Dress == nil {
		return nil
	}
	var errs []error
	for _, n := range []int{100, e.opt.Large} {
		key, to := fmt.Sprintf("dir/dressed-%d", n), fmt.Sprintf("elsewhere/dressed-%d", n)
		if _, err := e.put(key, noise(n, 70)); err != nil {
			return err
		}
		look, err := e.opt.Dress(e.s, key)
		if err != nil {
			return fmt.Errorf("dress %q: %w", key, err)
		}
		o, err := e.current(key)
		if err != nil {
			return err
		}
		if _, err := e.like(to, o.Ref, connectors.Patch{Pieces: []connectors.Piece{{Off: 1, Len: o.Size - 1}}}); err != nil {
			return fmt.Errorf("create %q like %q: %w", to, key, err)
		}
		before, err := look(key)
		if err != nil {
			return fmt.Errorf("look at %q: %w", key, err)
		}
		after, err := look(to)
		if err != nil {
			return fmt.Errorf("look at %q: %w", to, err)
		}
		if before != after {
			errs = append(errs, fmt.Errorf("beside %d bytes stands %s, and beside those created like them %s", n, before, after))
		}
	}
	return errors.Join(errs...)
}

func likeExists(e *env) error {
	src, err := e.put("dir/k", []byte("first"))
	if err != nil {
		return err
	}
	there, err := e.put("dir/there", []byte("second"))
	if err != nil {
		return err
	}
	var errs []error
	for name, p := range map[string]connectors.Patch{
		"other bytes": spooled([]byte("third")),
		"the source":  {Pieces: []connectors.Piece{{Len: 5}}},
		"nothing":     {},
		"a large one": spooled(noise(e.opt.Large, 171)),
	} {
		_, err := e.like("dir/there", src.Ref, p)
		errs = append(errs, fails("create like over an object by "+name, "dir/there", err, connectors.ErrExists))
	}
	_, err = e.like("dir/k", src.Ref, connectors.Patch{})
	errs = append(errs, fails("create like over its source", "dir/k", err, connectors.ErrExists))
	if seen, err := e.current("dir/there"); err != nil || seen.ETag != there.ETag {
		errs = append(errs, fmt.Errorf("a refused create changed the ETag (%v)", err))
	}
	return errors.Join(append(errs, e.holds("dir/there", []byte("second")), e.holds("dir/k", []byte("first")), e.wantCount("", 2))...)
}

func likeChanged(e *env) error {
	first, err := e.put("dir/k", []byte("first"))
	if err != nil {
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
		"large":  spooled(noise(e.opt.Large, 172)),
	} {
		for _, like := range []connectors.Ref{first.Ref, current(first)} {
			_, err := e.like("dir/new", like, p)
			errs = append(errs, fails("create like a stale ETag by "+name, "dir/k", err, connectors.ErrChanged))
		}
	}
	return errors.Join(append(errs, e.holds("dir/k", []byte("second")), e.wantCount("", 1))...)
}

func likeNotFound(e *env) error {
	o, err := e.put("dir/k", []byte("first"))
	if err != nil {
		return err
	}
	if err := e.s.Delete(e.ctx, current(o)); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	var errs []error
	for _, p := range []connectors.Patch{{}, spooled([]byte("x")), spooled(noise(e.opt.Large, 173)), {Pieces: []connectors.Piece{{Len: 2}}}} {
		_, err = e.like("dir/new", current(o), p)
		errs = append(errs, fails("create like what is gone", "dir/k", err, connectors.ErrNotFound))
	}
	return errors.Join(append(errs, e.wantCount("", 0))...)
}

func likeNoName(e *env) error {
	o, err := e.put("k", []byte("first"))
	if err != nil {
		return err
	}
	for _, c := range []struct {
		key  string
		like connectors.Ref
	}{{"new", connectors.Ref{Key: "k"}}, {"new", connectors.Ref{Key: "k", Version: o.Version}}, {"", o.Ref}} {
		if _, err := e.like(c.key, c.like, spooled([]byte("second"))); err == nil {
			return fmt.Errorf("create %q like ETag %q gave no error", c.key, c.like.ETag)
		}
	}
	return errors.Join(e.holds("k", []byte("first")), e.wantCount("", 1))
}

func likeBroken(e *env) error {
	large := noise(e.opt.Large, 174)
	o, err := e.put("dir/k", large)
	if err != nil {
		return err
	}
	half := int64(len(large) / 2)
	var errs []error
	for name, p := range map[string]connectors.Patch{
		"a spool that breaks":        {Pieces: []connectors.Piece{{Spool: true, Len: 10}}, Spool: brokenAt{bytes.NewReader(large), 5}},
		"no spool":                   {Pieces: []connectors.Piece{{Spool: true, Len: 1}}},
		"a piece beyond the source":  {Pieces: []connectors.Piece{{Len: half}, {Off: half, Len: half + 10}}},
		"a large spool that is late": {Pieces: []connectors.Piece{{Len: half}, {Spool: true, Len: int64(len(large))}}, Spool: brokenAt{bytes.NewReader(large), int64(len(large)) - 1}},
	} {
		_, err := e.like("elsewhere/new", o.Ref, p)
		if err == nil || errors.Is(err, connectors.ErrChanged) || errors.Is(err, connectors.ErrNotFound) || errors.Is(err, connectors.ErrExists) {
			errs = append(errs, fmt.Errorf("create like with %s: error %v, want one of its own", name, err))
		}
		errs = append(errs, e.gone("elsewhere/new"))
	}
	return errors.Join(append(errs, e.wantCount("", 1))...)
}

func likeRace(e *env) error {
	body := noise(1000, 175)
	o, err := e.put("dir/k", body)
	if err != nil {
		return err
	}
	for round := range 5 {
		key := fmt.Sprintf("race/%d", round)
		winner, err := race("create like", key, connectors.ErrExists, func(i int) error {
			_, err := e.like(key, o.Ref, connectors.Patch{Pieces: []connectors.Piece{{Off: int64(i), Len: 900}}})
			return err
		})
		if err != nil {
			return err
		}
		if err := e.holds(key, body[winner:winner+900]); err != nil {
			return fmt.Errorf("after a race of creators: %w", err)
		}
	}
	return e.wantCount("race/", 5)
}
