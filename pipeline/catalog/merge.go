package catalog

import (
	"context"
	"iter"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/seal"
	"expunge/scanners"
)

// Merger makes the entries of the next index.
type Merger struct {
	Work    connectors.Store
	Keys    *seal.Keys
	Key     Key
	Run     string
	Filters *Filters                        // told of the pools that are written
	Basis   func(dataset int) string        // what an entry's validity hangs on
	First   func(object, place int64) int64 // the ordinal at which a part of a split object begins
	pairs   int                             // of one file of pools; 0: poolPairs
}

// Merge yields the entries of the next index: for each object, what a scan has
// just taught, else what was known of it. units are the results of the first
// round, in plan order. An object of which anything was refused, a part is
// missing or tokens cannot be read has no entry: it is scanned again. The pools
// that entries name are in the work store when the last entry was taken.
func (m *Merger) Merge(ctx context.Context, joined iter.Seq2[Joined, error], units iter.Seq2[*pipeline.UnitResult, error]) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		next, stop := iter.Pull2(units)
		defer stop()
		tokens := &tokenReader{work: m.Work, keys: m.Keys}
		defer tokens.close()
		pools := &pooler{work: m.Work, keys: m.Keys, key: m.Key, run: m.Run, limit: m.pairs, of: map[string]int{}}
		if pools.limit == 0 {
			pools.limit = poolPairs
		}
		if m.Filters != nil {
			pools.keep = m.Filters.Keep
		}
		u, uerr, more := next()
		var of []*pipeline.UnitResult
		for j, err := range joined {
			if err != nil {
				yield(nil, err)
				return
			}
			of = of[:0]
			for more && (uerr != nil || u.Object.N <= j.Object.N) {
				if uerr != nil {
					yield(nil, uerr)
					return
				}
				if u.Object.N == j.Object.N {
					of = append(of, u)
				}
				u, uerr, more = next()
			}
			e := m.known(&j, of)
			if e == nil && whole(of) {
				if e, err = m.learn(ctx, of, tokens, pools); err != nil {
					yield(nil, err)
					return
				}
			}
			if e != nil && !yield(e, nil) {
				return
			}
		}
		if err := pools.flush(ctx); err != nil {
			yield(nil, err)
		}
	}
}

// known is what was known of an object before this run, where that still holds.
func (m *Merger) known(j *Joined, units []*pipeline.UnitResult) *Entry {
	for _, u := range units {
		if u.Fresh || u.Outcome != pipeline.Scanned {
			return nil // refused objects are never skipped by the catalog
		}
	}
	if j.Entry == nil || j.Object.Dataset < 0 || !j.Entry.Valid(&j.Object, m.Basis(j.Object.Dataset)) {
		return nil
	}
	return j.Entry
}

// whole reports whether units are the first scan of one object, nothing missing
// and nothing twice.
func whole(units []*pipeline.UnitResult) bool {
	if len(units) == 0 || len(units) != max(units[0].Parts, 1) {
		return false
	}
	var end scanners.Part
	for _, u := range units {
		p := u.Part
		switch {
		case !u.Fresh || !u.Cataloged || u.Outcome != pipeline.Scanned || u.Parts != units[0].Parts:
			return false
		case len(units) == 1:
			return p.Whole()
		case p.Off != end.Off || p.Group != end.Group || p.Len <= 0 && p.Groups <= 0:
			return false
		}
		end = scanners.Part{Off: p.Off + p.Len, Group: p.Group + p.Groups}
	}
	return end.Off == 0 || end.Off == units[0].Object.Size
}

// learn makes the entry of an object from its first scan; nil if it cannot be made.
func (m *Merger) learn(ctx context.Context, units []*pipeline.UnitResult, tokens *tokenReader, pools *pooler) (*Entry, error) {
	var e *Entry
	for _, u := range units {
		e = e.with(u, m.Basis, m.First)
	}
	for i := range e.Segments {
		f := &e.Segments[i].Filter
		if f.File == "" || f.Lone != nil {
			continue
		}
		b, err := tokens.read(ctx, *f)
		if err != nil {
			return nil, ctx.Err() // tokens that are gone are no reason to stop: the object is scanned again
		}
		if *f, err = pools.add(ctx, units[0].Object.Account, b); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// with adds a unit to the entry of its object.
func (e *Entry) with(u *pipeline.UnitResult, basis func(int) string, first func(n, place int64) int64) *Entry {
	o := &u.Object
	if e == nil {
		e = &Entry{
			Store: o.Store, Key: o.Key, VersionID: o.Version, ETag: o.ETag, Size: o.Size, Basis: basis(o.Dataset),
			Format: u.Format, Rows: map[string]int64{}, Dated: true,
		}
	}
	e.Records += u.Records
	e.Malformed += u.Malformed
	e.Unattributed += u.Unattributed
	e.Misattributed += u.Misattributed
	for account, n := range u.Rows {
		e.Rows[account] += n
	}
	e.date(u)
	base := int64(0)
	if !u.Part.Whole() {
		base = first(o.N, Place(u.Part))
	}
	for _, seg := range u.Segments {
		if !seg.Part.Whole() {
			seg.Part.Record += base
		}
		e.Segments = append(e.Segments, seg)
	}
	return e
}

// date unites the times of a unit's records with those of the units before it.
func (e *Entry) date(u *pipeline.UnitResult) {
	e.Dated = e.Dated && (u.Dated || u.Records == 0)
	switch {
	case u.From == 0 && u.To == 0:
	case e.From == 0 && e.To == 0:
		e.From, e.To = u.From, u.To
	default:
		e.From, e.To = min(e.From, u.From), max(e.To, u.To)
	}
}

// Place says where a part begins: its byte offset, or its row group.
func Place(p scanners.Part) int64 {
	if p.Groups > 0 {
		return int64(p.Group)
	}
	return p.Off
}
