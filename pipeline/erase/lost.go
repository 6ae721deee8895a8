package erase

import (
	"context"
	"crypto/sha256"
	"io"
	"iter"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/manifest"
	"expunge/pipeline/spool"
)

// Theirs are the tombstones of other runs on one version of a key: those that are
// approved and that their own erasure has come to and, EXCEPTED without fields, those
// that keep their record. What two erasures take out of the same version stands in the way of neither.
type Theirs func(ctx context.Context, t *manifest.Target, version string) ([]*manifest.Row, error)

// lost counts the records of a noncurrent version that would be lost with it: those
// that no tombstone names, of this run or another one, and that do not also stand in the
// current object, as multisets. Of an object that goes since its key names the consumer,
// those are meant that are not the consumer's.
func (e *Erase) lost(ctx context.Context, k *task, v *connectors.Version, rows *manifest.Version) (int64, error) {
	var goes, keeps []*manifest.Row
	whole := false
	requests := e.named(rows.Rows, k.t)
	for _, r := range rows.Rows {
		switch {
		case r.Disposition == string(pipeline.Excepted) && len(r.KeptFields) == 0:
			keeps = append(keeps, r) // it has to stand elsewhere, like any other record
		case r.Digest == nil:
			whole = true // the object as a whole is the consumer's
		default:
			goes = append(goes, r)
		}
	}
	stays := len(keeps) > 0
	if whole && !stays && len(requests) == 0 {
		return 0, nil
	}
	var other *others
	if whole && !stays {
		other = e.others(requests, k.t)
	}
	now, err := e.stays(ctx, k)
	if err != nil {
		return 0, err
	}
	count := func(theirs []*manifest.Row) (int64, error) {
		ours, err := e.wanted(goes)
		if err != nil {
			return 0, err
		}
		also, err := e.wanted(theirs)
		if err != nil {
			return 0, err
		}
		kept, err := e.wanted(keeps)
		if err != nil {
			return 0, err
		}
		return e.alone(ctx, k, v.Object, now, func(r seen) bool {
			if ours.take(r.raw) || kept.find(r.raw) == "" && also.take(r.raw) {
				return false
			}
			return other == nil || r.rec == nil || other.has(r.rec)
		})
	}
	n, err := count(nil)
	if err != nil || n == 0 || e.Theirs == nil {
		return n, err
	}
	var theirs []*manifest.Row
	all, err := e.Theirs(ctx, k.t, v.Version)
	for _, r := range all {
		if r.Disposition == string(pipeline.Excepted) && len(r.KeptFields) == 0 {
			keeps = append(keeps, r)
		} else {
			theirs = append(theirs, r)
		}
	}
	if err != nil || len(theirs) == 0 {
		return n, err
	}
	return count(theirs)
}

func addDigest(s *spool.Sorter, raw []byte) error {
	sum := sha256.Sum256(raw)
	return s.Add(sum[:], nil)
}

// records hands over every record of an object.
func (e *Erase) records(ctx context.Context, k *task, o connectors.Object, do func(seen) error) error {
	open := func(ctx context.Context, off, n int64) (io.ReadCloser, error) {
		return k.store.Open(ctx, o.Ref, connectors.Range{Off: off, Len: n})
	}
	in := e.input(k.t, o.Size, open)
	s, err := e.scanner(ctx, k.t, in)
	if err != nil {
		return err
	}
	stats, err := each(ctx, s, in, do)
	if err == nil && stats.Malformed > 0 {
		// Malformed records are in no digest: each counts as one that stands nowhere else.
		for range stats.Malformed {
			if err := do(seen{index: -1, raw: []byte("malformed")}); err != nil {
				return err
			}
		}
	}
	return err
}

// digests are those of an object's records, sorted, as a multiset.
type digests struct {
	of     connectors.Ref
	sorted *spool.Sorter
}

// digests reads an object for what it holds, once for as many versions as are held against it;
// the task keeps them.
func (e *Erase) digests(ctx context.Context, k *task, o connectors.Object) (*spool.Sorter, error) {
	if k.standing != nil && k.standing.of == o.Ref {
		return k.standing.sorted, nil
	}
	k.close()
	s := spool.NewSorter()
	if o.Key != "" {
		if err := e.records(ctx, k, o, func(r seen) error { return addDigest(s, r.raw) }); err != nil {
			s.Close()
			return nil, err
		}
	}
	k.standing = &digests{o.Ref, s}
	return s, nil
}

// close lets go of what a task keeps.
func (k *task) close() {
	if k.standing != nil {
		k.standing.sorted.Close()
		k.standing = nil
	}
}

// missing counts what is in a and not in b, as multisets.
func missing(a, b *spool.Sorter) (int64, error) {
	var n int64
	next, stop := pull(b)
	defer stop()
	have, more, err := next()
	if err != nil {
		return 0, err
	}
	for p, err := range a.Sorted() {
		if err != nil {
			return 0, err
		}
		for more && have < string(p.Key) {
			if have, more, err = next(); err != nil {
				return 0, err
			}
		}
		if !more || have != string(p.Key) {
			n++
			continue
		}
		if have, more, err = next(); err != nil { // each of b answers for one of a
			return 0, err
		}
	}
	return n, nil
}

func pull(s *spool.Sorter) (next func() (string, bool, error), stop func()) {
	n, stop := iter.Pull2(s.Sorted())
	return func() (string, bool, error) {
		p, err, ok := n()
		return string(p.Key), ok && err == nil, err
	}, stop
}
