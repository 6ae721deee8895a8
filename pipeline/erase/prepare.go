package erase

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/journal"
	"expunge/pipeline/manifest"
	"expunge/pipeline/seal"
	"expunge/scanners"
)

// prepare decides what is done to a key: what earlier tries did is settled, the
// current object gets a proven patch, versions that hold the records are condemned.
func (e *Erase) prepare(ctx context.Context, t *manifest.Target, f *os.File) (*task, error) {
	k := &task{t: t, store: e.Stores[t.Store]}
	defer k.close()
	if in, err := e.inTable(ctx, t); in || err != nil {
		if err == nil {
			err = errTable
		}
		k.ops, err = e.refuse(ctx, t, err)
		return k, err
	}
	now, there, err := e.current(ctx, k.store, t.Key)
	if err != nil {
		k.ops = append(k.ops, op{entry: journal.Entry{Object: t.ID}})
		return k, k.ops[0].refusal(ctx, err)
	}
	k.base = now
	if sealed := &t.Versions[0]; !sealed.Noncurrent {
		o, err := e.primary(ctx, k, sealed, there, f)
		if err != nil {
			return nil, err
		}
		if o != nil {
			k.ops = append(k.ops, *o)
		}
	}
	e.condemn(k, there)
	for i := range k.ops {
		o := &k.ops[i]
		if o.settled || o.rows == nil {
			continue
		}
		if err := e.content(ctx, k.store, o, o.rows.Rows); err != nil {
			if err := o.refusal(ctx, err); err != nil {
				return nil, err
			}
		}
	}
	return k, e.unfinished(ctx, k)
}

// current is what a plain read of the key sees.
func (e *Erase) current(ctx context.Context, store connectors.Store, key string) (connectors.Object, bool, error) {
	for o, err := range store.List(ctx, key) {
		if err != nil {
			return o, false, err
		}
		return o, o.Key == key, nil // a key is listed before all that it is a prefix of
	}
	return connectors.Object{}, false, nil
}

// primary is the op on the current object; nil where an exception keeps all of it.
func (e *Erase) primary(ctx context.Context, k *task, sealed *manifest.Version, there bool, f *os.File) (*op, error) {
	t := k.t
	v := judge(sealed, t)
	if !v.whole && len(v.edits) == 0 {
		return nil, nil
	}
	o := &op{ref: sealed.Ref, entry: journal.Entry{
		Kind: journal.Intent, Object: t.ID, Version: sealed.Version, ETag: sealed.ETag, Rows: digestRows(sealed.Rows),
	}}
	for _, act := range []journal.Act{journal.Delete, journal.Replace, journal.Move} {
		o.entry.Act = act
		if done := e.Past.Final(o.entry.Place()); done != nil && done.Rows == o.entry.Rows {
			o.entry, o.settled, o.known = *done, true, true
			return o, nil
		}
		ours, err := e.earlier(ctx, k, o, there)
		if err != nil {
			return o, o.refusal(ctx, err)
		}
		if ours {
			return o, nil
		}
	}
	requests := e.named(sealed.Rows, t)
	o.entry.Act = journal.Replace
	if v.whole {
		o.entry.Act = journal.Delete
	}
	switch {
	case v.whole && v.kept > 0, v.whole && len(requests) == 0 && v.keeps():
		o.settle(journal.Refused, "the whole object would go, and an exception keeps records of it")
		return o, nil
	case v.whole && v.shared:
		o.settle(journal.Refused, "the whole object would go, and its key does not say whose it is: other accounts may have records in it")
		return o, nil
	case !there && !v.whole && e.moves(t):
		o.settle(journal.Conflict, elsewhere)
		return o, nil
	case !there:
		o.settle(journal.Gone, journal.GoneFromKey)
		return o, nil
	case k.base.ETag == sealed.ETag && (sealed.Version == "" || k.base.Version == sealed.Version):
	case v.whole:
		o.settle(journal.Conflict, "the object is not the one that was sealed")
		return o, nil
	}
	o.ref, o.entry.Base = k.base.Ref, k.base.Version
	if v.whole && len(requests) > 0 {
		if err := e.moving(ctx, k, o, v, requests, f); err != nil {
			return o, o.refusal(ctx, err)
		}
	}
	if v.whole {
		if err := e.content(ctx, k.store, o, sealed.Rows); err != nil {
			return o, o.refusal(ctx, err)
		}
		return o, nil
	}
	src, err := e.source(ctx, k.store, k.base.Ref, k.base.Size)
	if err != nil {
		return o, o.refusal(ctx, err)
	}
	if k.base.ETag != sealed.ETag {
		found, err := e.relocate(ctx, t, sealed, src)
		if err != nil {
			return o, o.refusal(ctx, err)
		}
		if len(found.edits) == 0 {
			o.entry.Base = "" // what another writer has put there is no version of ours to condemn
			if e.moves(t) {
				o.settle(journal.Conflict, elsewhere)
				return o, nil
			}
			o.settle(journal.Gone, "the object changed, and the records are not in it any more")
			return o, nil
		}
		v = found
	}
	e.cut(t, &v)
	o.patch, err = e.rewrite(ctx, t, src, v, f, &o.entry)
	if err != nil {
		if all, countErr := e.nothingStays(ctx, t, src, v); countErr == nil && all {
			o.entry.Act = journal.Delete // a format that has no form for "no record": the object is what goes
			return o, nil
		}
		return o, o.refusal(ctx, err)
	}
	return o, nil
}

// nothingStays reports whether every record of an object goes, each the one that was
// sealed, and none is malformed: then nothing is lost with the object.
func (e *Erase) nothingStays(ctx context.Context, t *manifest.Target, src *source, v verdict) (bool, error) {
	if v.kept > 0 || hasRedaction(v.edits) {
		return false, nil
	}
	in := e.input(t, src.size, src.open)
	s, err := e.scanner(ctx, t, in)
	if err != nil {
		return false, err
	}
	n := int64(0)
	stats, err := each(ctx, s, in, func(r seen) error {
		n++
		return e.same(v.digest[r.index], r.rec)
	})
	return err == nil && stats.Malformed == 0 && stats.Records == n && n == int64(len(v.edits)), err
}

// earlier settles an op that a killed try carried out without saying so.
func (e *Erase) earlier(ctx context.Context, k *task, o *op, there bool) (bool, error) {
	for _, intent := range e.Past.Intents(o.entry.Place()) {
		switch {
		case intent.Rows != o.entry.Rows:
		case intent.Act == journal.Move:
			if ours, err := e.resume(ctx, k, o, intent, there); ours || err != nil {
				return ours, err
			}
		case intent.Act == journal.Delete && !there:
			o.entry = *intent
			o.settle(journal.Done, "")
			return true, nil
		case intent.Act == journal.Replace && there && k.base.Size == intent.Size:
			body := func(ctx context.Context, off, n int64) (readCloser, error) {
				return k.store.Open(ctx, k.base.Ref, connectors.Range{Off: off, Len: n})
			}
			digest, _, err := sum(ctx, body)
			if err != nil {
				return false, err
			}
			if digest == intent.SHA256 {
				o.entry = *intent
				o.entry.NewVersion, o.entry.NewETag = k.base.Version, k.base.ETag
				o.settle(journal.Done, "")
				return true, nil
			}
		}
	}
	return false, nil
}

func hasRedaction(edits []scanners.Edit) bool {
	return slices.ContainsFunc(edits, func(e scanners.Edit) bool { return e.Redact })
}

// digestRows names the tombstones that are applied. Those that keep their record are
// not: when a hold is removed there is more to do.
func digestRows(rows []*manifest.Row) string {
	h := sha256.New()
	for _, r := range rows {
		if r.Disposition != string(pipeline.Excepted) || len(r.KeptFields) > 0 {
			h.Write([]byte(r.Tombstone + "\n"))
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// key is the key that a row's digest was made with.
func (e *Erase) key(r *manifest.Row) (*seal.Key, error) {
	key, ok := e.Keys.ByID("record", r.Account, r.KeyID)
	if !ok {
		return nil, fmt.Errorf("tombstone %s: its key %s is none of the work keys (after a rotation name the old one in work.old_key_envs)", r.Tombstone, r.KeyID)
	}
	return key, nil
}

// same checks that a record about to be edited is the one that was sealed.
func (e *Erase) same(r *manifest.Row, rec *scanners.Record) error {
	if r == nil || r.Digest == nil {
		return fmt.Errorf("record %d: %w: its tombstone has no digest", rec.Index, errDigest)
	}
	key, err := e.key(r)
	if err != nil {
		return err
	}
	if key.Digest(rec.Raw) != *r.Digest {
		return fmt.Errorf("record %d: %w", rec.Index, errDigest)
	}
	return nil
}

// wanted are the records that rows name, by digest, as a multiset.
type wanted struct {
	keys  []*seal.Key
	rows  map[string][]*manifest.Row // one for each record, by digest
	taken map[string]int             // how many of them were met
}

func (e *Erase) wanted(rows []*manifest.Row) (*wanted, error) {
	w := &wanted{rows: map[string][]*manifest.Row{}, taken: map[string]int{}}
	keys, places := map[string]bool{}, map[int64]bool{}
	for _, r := range rows {
		if r.Digest == nil {
			continue
		}
		key, err := e.key(r)
		if err != nil {
			return nil, err
		}
		if !keys[r.Account+r.KeyID] {
			keys[r.Account+r.KeyID] = true
			w.keys = append(w.keys, key)
		}
		if r.Record != nil {
			if places[*r.Record] {
				continue
			}
			places[*r.Record] = true
		}
		w.rows[*r.Digest] = append(w.rows[*r.Digest], r)
	}
	return w, nil
}

// find is the digest by which a record is wanted, "" if it is not.
func (w *wanted) find(raw []byte) string {
	for _, key := range w.keys {
		if d := key.Digest(raw); w.rows[d] != nil {
			return d
		}
	}
	return ""
}

// take reports whether a record is wanted, once for each row that wants it.
func (w *wanted) take(raw []byte) bool {
	for _, key := range w.keys {
		if d := key.Digest(raw); w.taken[d] < len(w.rows[d]) {
			w.taken[d]++
			return true
		}
	}
	return false
}

var errSurplus = errors.New("more copies of a record are in it than were sealed")

// relocate finds the records again in an object that is not the sealed one.
func (e *Erase) relocate(ctx context.Context, t *manifest.Target, sealed *manifest.Version, src *source) (verdict, error) {
	var v verdict
	w, err := e.wanted(sealed.Rows)
	if err != nil {
		return v, err
	}
	rows := map[int64][]*manifest.Row{} // of each record: several requests may ask for it
	for _, r := range sealed.Rows {
		if r.Record != nil {
			rows[*r.Record] = append(rows[*r.Record], r)
		}
	}
	in := e.input(t, src.size, src.open)
	s, err := e.scanner(ctx, t, in)
	if err != nil {
		return v, err
	}
	found := map[string]int{}
	moved := manifest.Version{Ref: src.ref}
	_, err = each(ctx, s, in, func(r seen) error {
		d := w.find(r.raw)
		if d == "" {
			return nil
		}
		if found[d]++; found[d] > len(w.rows[d]) {
			return fmt.Errorf("record %d: %w: %w", r.index, errDigest, errSurplus)
		}
		index := r.index
		for _, old := range rows[*w.rows[d][found[d]-1].Record] {
			row := *old
			row.Record = &index
			moved.Rows = append(moved.Rows, &row)
		}
		return nil
	})
	if err != nil {
		return v, err
	}
	return judge(&moved, t), nil
}
