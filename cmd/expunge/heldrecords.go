package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/engine"
	"expunge/pipeline/hold"
	"expunge/pipeline/identity"
	"expunge/pipeline/manifest"
	"expunge/pipeline/record"
	"expunge/scanners"
)

// heldRecords searches what is about to go for the identifiers that legal holds name:
// the record of a held person stays, whoever asks for it, and so does the version or whole
// object that it stands in (law 2). It finds them wherever they stand, in fields of any
// party.
type heldRecords struct {
	e *erasure

	mu      sync.Mutex
	of      []int         // the numbers of the holds that search is made of
	search  *identity.Set // nil: no hold that stands names an identifier
	needles []*hold.Hold  // whose needle it is
	warned  bool
}

// compile makes the search for the holds that stand. A search is made once for the same
// holds.
func (s *heldRecords) compile(ctx context.Context, all []*hold.Hold) (*identity.Set, []*hold.Hold, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var of []int
	var named []*hold.Hold
	for _, h := range all {
		if h.Removed == nil && h.Request == "" && len(h.Digests) > 0 { // that of a request is asked for by its tombstones
			of, named = append(of, h.N), append(named, h)
		}
	}
	if s.of != nil && slices.Equal(of, s.of) {
		return s.search, s.needles, nil
	}
	var needles []identity.Needle
	var whose []*hold.Hold
	for _, h := range named {
		ids, err := s.e.holds().Identifiers(ctx, h)
		if err != nil {
			return nil, nil, holdError(err)
		}
		if ids == nil && !s.warned {
			s.e.flags.log().Warn("a hold of an earlier build keeps what requests with its identifiers would erase, and not the records of others in which they stand: set it again", "hold", h.N)
		}
		for i, id := range ids {
			canon, err := identity.Identify(id, s.e.cfg.Policy.DefaultRegion)
			if err != nil {
				return nil, nil, &coded{exitRefused, fmt.Errorf("hold %d: identifier %d of kind %s: %w: set it again with the country's prefix, and remove this one", h.N, i+1, id.Kind, err)}
			}
			needles, whose = append(needles, identity.Needle{Account: h.Account, Canon: canon}), append(whose, h)
		}
	}
	s.warned = true
	s.of, s.search, s.needles = append([]int{}, of...), nil, whose
	if len(needles) > 0 {
		key, err := s.e.catalogKey(ctx)
		if err != nil {
			return nil, nil, err
		}
		s.search = identity.Compile(key, s.e.cfg.Policy.DefaultRegion, needles)
	}
	return s.search, s.needles, nil
}

// errFound ends a search that has found what it was for.
var errFound = errors.New("a held identifier was found")

// in searches one object, and hands over the holds whose identifiers stand in its key (nil) or in a
// record.
func (s *heldRecords) in(ctx context.Context, all []*hold.Hold, t *manifest.Target, at *connectors.Object, do func(*hold.Hold, *scanners.Record) error) error {
	set, whose, err := s.compile(ctx, all)
	if err != nil || set == nil {
		return err
	}
	if t.Account != "" && !slices.ContainsFunc(whose, func(h *hold.Hold) bool { return h.Account == t.Account }) {
		return nil
	}
	_, captures, err := s.e.matcher.Find(t.Store, t.Key)
	if err != nil {
		return err
	}
	d := &s.e.cfg.Datasets[t.Dataset]
	o := pipeline.Object{Dataset: t.Dataset, Captures: captures, Account: t.Account}
	fields := slices.Clone(d.Fields)
	for i := range fields {
		fields[i].Party = pipeline.Consumer
	}
	finder := set.Finder(identity.FinderOptions{Fields: fields, Objects: d.Object, Time: d.Time, Search: true, Account: t.Account})
	names := written(s.e.names, t.Versions[0].Rows[0])
	found := func(matches []scanners.Match, rec *scanners.Record) error {
		for _, m := range matches {
			h := whose[m.Needle]
			if rec != nil {
				if account, code := record.Account(rec, d, &o, s.e.cfg.AccountIDs()); code == "" && account != h.Account {
					continue
				}
			}
			if !h.Names(names) {
				continue
			}
			if err := do(h, rec); err != nil {
				return err
			}
		}
		return nil
	}
	if err := found(finder.FindKey(captures), nil); err != nil {
		return err
	}
	in := scanners.Input{
		Name: t.Shown, Ext: scanners.Ext(t.Key), Size: at.Size, Every: record.Every(d),
		Layout: scanners.Layout{Header: d.CSV.Header, Delimiter: d.CSV.Delimiter, Columns: d.CSV.Columns},
		Open: func(ctx context.Context, off, n int64) (io.ReadCloser, error) {
			return s.e.stores[t.Store].Open(ctx, at.Ref, connectors.Range{Off: off, Len: n})
		},
	}
	format := d.Format
	if format == "auto" {
		if format, err = detectFormat(ctx, in); err != nil {
			return err
		}
	}
	scanner := formats()[format]
	if scanner == nil {
		return &scanners.Refusal{Code: scanners.Unknown, Name: in.Name, Err: errors.New("no format is known by this content")}
	}
	hearing := finder.Hearing(func(rec *scanners.Record) error { return found(rec.Matches, rec) })
	stats, err := scanner.Scan(ctx, in, finder, hearing.Record)
	if heard := hearing.End(); err == nil {
		err = heard
	}
	if err == nil && stats.Suspect > 0 {
		err = &scanners.Refusal{Code: scanners.Malformed, Name: in.Name, Err: fmt.Errorf("%s may hold what a legal hold keeps", pipeline.Count(stats.Suspect, "malformed record", "malformed records"))}
	}
	return err
}

// keeps is the hold that keeps an object from going: as a whole, if a held identifier is
// found anywhere in it, or else if it is found in a record that t's tombstones take.
func (s *heldRecords) keeps(ctx context.Context, all []*hold.Hold, t *manifest.Target, at *connectors.Object, whole bool) (*hold.Hold, error) {
	takes, err := s.e.takes(t)
	if err != nil {
		return nil, err
	}
	var kept *hold.Hold
	err = s.in(ctx, all, t, at, func(h *hold.Hold, rec *scanners.Record) error {
		if !whole && (rec == nil || len(takes(rec.Raw)) == 0) {
			return nil
		}
		kept = h
		return errFound
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return kept, err
}

// takes tells which of the tombstones on the current object of t take a record, by its
// digest.
func (e *erasure) takes(t *manifest.Target) (func(raw []byte) []*manifest.Row, error) {
	type key struct{ account, id string }
	byDigest := map[key]map[string][]*manifest.Row{}
	if v := &t.Versions[0]; !v.Noncurrent {
		for _, r := range v.Rows {
			if r.Digest == nil || r.Disposition == string(pipeline.Excepted) && len(r.KeptFields) == 0 {
				continue
			}
			k := key{r.Account, r.KeyID}
			if byDigest[k] == nil {
				if _, ok := e.keys.ByID("record", r.Account, r.KeyID); !ok {
					return nil, fmt.Errorf("tombstone %s: its key %s is none of the work keys (after a rotation name the old one in work.old_key_envs)", r.Tombstone, r.KeyID)
				}
				byDigest[k] = map[string][]*manifest.Row{}
			}
			byDigest[k][*r.Digest] = append(byDigest[k][*r.Digest], r)
		}
	}
	return func(raw []byte) []*manifest.Row {
		var out []*manifest.Row
		for k, rows := range byDigest {
			digests, _ := e.keys.ByID("record", k.account, k.id)
			out = append(out, rows[digests.Digest(raw)]...)
		}
		return out
	}, nil
}

// findHeld searches the objects that records are to go from for held identifiers, so that
// the records in which they stand are kept, and the others go. It is for that alone: each
// object is searched again before it is changed. One that cannot be read here cannot be
// rewritten either.
func (e *erasure) findHeld(ctx context.Context) error {
	if search, _, err := e.heldRecords.compile(ctx, e.holdsNow); err != nil || search == nil {
		return err
	}
	type kept map[string]*hold.Hold // by tombstone
	all := kept{}
	err := engine.Map(ctx, e.workers, manifest.Targets(e.rows(ctx), e.resolve),
		func(ctx context.Context, t *manifest.Target) (kept, error) {
			takes, err := e.takes(t)
			if err != nil {
				return nil, err
			}
			out := kept{}
			for o, err := range e.stores[t.Store].List(ctx, t.Key) {
				if err != nil || o.Key != t.Key {
					break
				}
				err := e.heldRecords.in(ctx, e.holdsNow, t, &o, func(h *hold.Hold, rec *scanners.Record) error {
					if rec != nil {
						for _, r := range takes(rec.Raw) {
							out[r.Tombstone] = h
						}
					}
					return nil
				})
				if c := (*coded)(nil); errors.As(err, &c) {
					return nil, err
				}
				break
			}
			return out, ctx.Err()
		},
		func(_ *manifest.Target, some kept) error {
			for tombstone, h := range some {
				all[tombstone] = h
			}
			return nil
		})
	e.keptRecords = all
	return err
}
