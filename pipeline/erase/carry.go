package erase

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/journal"
	"expunge/pipeline/manifest"
)

type readCloser = io.ReadCloser

// carry carries out the ops of a key, in order. Versions go only after what is
// current was replaced and read back, or had nothing to be done to it.
func (e *Erase) carry(ctx context.Context, k *task) error {
	clear := true // whether the current object is as it should be
	for i := range k.ops {
		o := &k.ops[i]
		if o.settled {
			if o.entry.Act == journal.Replace || o.entry.Act == journal.Delete || o.entry.Act == journal.Move {
				clear = clear && o.entry.State.Final()
			}
			continue
		}
		var goes *connectors.Object // of an older version, once it was looked up
		switch o.entry.Act {
		case journal.Replace, journal.Delete, journal.Move:
			goes = &k.base
		}
		if err := e.held(ctx, k.t, o, goes, o.entry.Act != journal.Replace); err != nil {
			return err
		}
		if o.settled {
			clear = false
			continue
		}
		var err error
		switch o.entry.Act {
		case journal.Replace:
			err = e.replace(ctx, k, o)
			clear = clear && o.entry.State.Final()
		case journal.Delete:
			err = e.remove(ctx, k, o)
			clear = clear && o.entry.State.Final()
		case journal.Move:
			err = e.move(ctx, k, o)
			clear = clear && o.entry.State.Final()
		case journal.DeleteVersion:
			if !clear {
				o.entry.Code = journal.Follows
				o.settle(journal.Blocked, "the current object has to be erased first")
				continue
			}
			err = e.version(ctx, k, o)
		case journal.DeleteMarkers:
			err = e.markers(ctx, k, o)
		case journal.AbortUploads:
			if !clear {
				o.entry.Code = journal.Follows
				o.settle(journal.Blocked, "the current object has to be erased first")
				continue
			}
			err = e.abort(ctx, k, o)
		}
		if err != nil {
			return err
		}
	}
	return e.confirm(ctx, k)
}

// Held says with an error that is connectors.ErrHeld which legal hold keeps a key from
// being changed. at is the object that goes: as a whole or, of a replacement, but for what
// is not t's tombstones to take; nil where only its record's requests are to be asked about.
type Held func(ctx context.Context, t *manifest.Target, at *connectors.Object, whole bool) error

// held asks for holds, as late as can be.
func (e *Erase) held(ctx context.Context, t *manifest.Target, o *op, at *connectors.Object, whole bool) error {
	if e.Held == nil {
		return nil
	}
	err := e.Held(ctx, t, at, whole)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, connectors.ErrHeld):
		o.entry.Code = journal.LegalHold
		o.settle(journal.Held, err.Error())
		return nil
	}
	return o.refusal(ctx, err)
}

// replace swaps the object for its patch and reads it back.
func (e *Erase) replace(ctx context.Context, k *task, o *op) error {
	got, err := k.store.Replace(ctx, o.ref, o.patch)
	if errors.Is(err, connectors.ErrChanged) || errors.Is(err, connectors.ErrTemporary) {
		// The reply may have been lost: what is there now tells.
		if now, there, lookErr := e.current(ctx, k.store, k.t.Key); lookErr == nil && there && now.Size == o.entry.Size && now.ETag != o.ref.ETag {
			got, err = now, nil
		}
	}
	if err != nil {
		return o.refusal(ctx, err)
	}
	digest, _, err := sum(ctx, func(ctx context.Context, off, n int64) (io.ReadCloser, error) {
		return k.store.Open(ctx, got.Ref, connectors.Range{Off: off, Len: n})
	})
	if err != nil {
		return o.refusal(ctx, err)
	}
	if digest != o.entry.SHA256 {
		o.settle(journal.Conflict, "what reads back is not what was written: another writer came in between; run erase again")
		return nil
	}
	o.entry.NewVersion, o.entry.NewETag = got.Version, got.ETag
	o.settle(journal.Done, "")
	return nil
}

// remove deletes the current object.
func (e *Erase) remove(ctx context.Context, k *task, o *op) error {
	// Without a version the condition is on what is current, which is what goes: a
	// store that keeps versions puts a marker on top, and the version goes by its id.
	ref := o.ref
	ref.Version = ""
	err := k.store.Delete(ctx, ref)
	if errors.Is(err, connectors.ErrNotFound) {
		err = nil // a lost reply, or another hand: it is gone from its key
	}
	if err != nil {
		return o.refusal(ctx, err)
	}
	if _, there, err := e.current(ctx, k.store, k.t.Key); err != nil {
		return o.refusal(ctx, err)
	} else if there {
		o.settle(journal.Conflict, "another writer has put an object in its place; run erase again")
		return nil
	}
	o.settle(journal.Done, "")
	return nil
}

// condemn plans the deletion of the versions that hold the records: those that the
// manifest names, and the one that is about to be replaced; and of a key that
// identifies, once nothing stands under it, the markers. there says whether something
// does now.
func (e *Erase) condemn(k *task, there bool) {
	if _, keeps := k.store.(connectors.Versioner); !keeps {
		return
	}
	planned := map[string]bool{}
	add := func(ref connectors.Ref, rows *manifest.Version) {
		if ref.Version == "" || planned[ref.Version] {
			return
		}
		planned[ref.Version] = true
		o := op{ref: ref, rows: rows, entry: journal.Entry{Kind: journal.Intent, Object: k.t.ID, Version: ref.Version, ETag: ref.ETag, Act: journal.DeleteVersion}}
		if rows != nil {
			o.entry.Rows = digestRows(rows.Rows)
		}
		if done := e.Past.Final(o.entry.Place()); done != nil { // the version is gone, whatever was asked of it
			o.entry, o.settled, o.known = *done, true, true
		} else if e.KeepOld {
			o.settle(journal.Kept, "policy keeps noncurrent versions: it is not covered")
		}
		k.ops = append(k.ops, o)
	}
	if len(k.ops) > 0 {
		first, sealed := &k.ops[0], &k.t.Versions[0]
		there = there && first.entry.Act == journal.Replace
		if !first.settled || first.entry.State.Final() {
			rows := sealed
			if judge(sealed, k.t).whole && (len(e.named(sealed.Rows, k.t)) == 0 || first.entry.Act == journal.Delete && first.entry.State != journal.Gone) {
				rows = nil // that is what was asked for; an object of which no record was left is none
			}
			if first.entry.Base != sealed.Version { // else it has one place in the journal, whatever becomes of what is current
				add(connectors.Ref{Store: k.t.Store, Key: k.t.Key, Version: first.entry.Base}, rows)
			}
			add(sealed.Ref, rows)
		}
	}
	for i := range k.t.Versions {
		v := &k.t.Versions[i]
		if v.Noncurrent && slices.ContainsFunc(v.Rows, func(r *manifest.Row) bool { return r.Disposition != string(pipeline.Excepted) }) {
			add(v.Ref, v)
		}
	}
	if k.t.Identifying && !there && len(k.ops) > 0 {
		o := op{entry: journal.Entry{Kind: journal.Intent, Object: k.t.ID, ETag: journal.MarkersETag, Act: journal.DeleteMarkers}}
		if done := e.Past.Final(o.entry.Place()); done != nil {
			o.entry, o.settled, o.known = *done, true, true
		}
		k.ops = append(k.ops, o)
	}
}

// version deletes a noncurrent version by its id, if everything else in it also
// stands in what is current.
func (e *Erase) version(ctx context.Context, k *task, o *op) error {
	v, now, err := e.look(ctx, k, o.ref.Version)
	switch {
	case errors.Is(err, connectors.ErrNotFound) && len(e.Past.Intents(o.entry.Place())) > 0:
		o.settle(journal.Done, "") // by a try that was killed before it could say so
		o.entry.Lost, o.entry.LostBy, err = e.Journal.Counted(ctx, k.t.ID, o.ref.Version)
		return err
	case errors.Is(err, connectors.ErrNotFound):
		o.settle(journal.Gone, "the version is gone")
		return nil
	case err != nil:
		return o.refusal(ctx, err)
	case v.Current && o.ref.Version == "null" && k.overwrote(v.Ref):
		o.settle(journal.Done, journal.Overwritten) // versioning is suspended
		return nil
	case v.Current:
		o.settle(journal.Conflict, "the version is the current one; run erase again")
		return nil
	case o.ref.Version == "null":
		o.entry.Code = journal.NullVersion
		o.settle(journal.Refused, "a noncurrent version without an id of its own cannot be deleted safely: it may be another one by now")
		return nil
	}
	if err := e.held(ctx, k.t, o, &v.Object, true); err != nil || o.settled {
		return err
	}
	proven := o.rows == nil
	if !proven {
		if proven, err = e.proves(ctx, k, o.ref.Version, now); err != nil {
			return o.refusal(ctx, err)
		}
	}
	if !proven {
		lost, err := e.lost(ctx, k, &v, o.rows)
		if err != nil {
			return o.refusal(ctx, err)
		}
		o.entry.Lost = lost
		allowed := e.Lost(k.t.Account)
		may, err := e.Journal.Spend(ctx, journal.Spent{Object: k.t.ID, ObjectVersion: o.ref.Version, Account: k.t.Account, Records: lost}, allowed)
		if err != nil {
			return err
		}
		if !may {
			o.settle(journal.Blocked, blocked(k.t, lost, &allowed))
			return nil
		}
		if lost > 0 {
			o.entry.LostBy = allowed.Approval
		}
	}
	err = k.store.Delete(ctx, v.Ref)
	if errors.Is(err, connectors.ErrNotFound) {
		err = nil
	}
	if err != nil {
		return o.refusal(ctx, err)
	}
	o.deleted = true
	o.settle(journal.Done, "")
	return nil
}

// blocked says what a version waits for.
func blocked(t *manifest.Target, lost int64, a *journal.Allowance) string {
	out := pipeline.Count(lost, "record of other people stands", "records of other people stand") + " in this version and nowhere else; approve their loss with --versions-lost"
	if t.Account == "" {
		out += " and without --account: the key does not say whose they are"
	}
	if a.Records > 0 {
		out += fmt.Sprintf(", which is of all versions together (approval %d is of %d)", a.Approval, a.Records)
	}
	return out
}

// overwrote reports whether what is current was written by the replacement of a version
// of the same id; not every server says which id that is.
func (k *task) overwrote(now connectors.Ref) bool {
	if len(k.ops) == 0 {
		return false
	}
	done := &k.ops[0].entry
	return done.Act == journal.Replace && done.State == journal.Done && done.Base == now.Version &&
		(done.NewVersion == now.Version || done.NewVersion == "") && done.NewETag == now.ETag
}

// proves reports whether all that stays of a version is known to stand in what is
// current: it was replaced by its own survivors, or they have moved, and that is what is
// there now.
func (e *Erase) proves(ctx context.Context, k *task, version string, now connectors.Ref) (bool, error) {
	if len(k.ops) == 0 {
		return false, nil
	}
	done := &k.ops[0].entry
	if done.State != journal.Done || done.Base != version {
		return false, nil
	}
	switch done.Act {
	case journal.Replace:
	case journal.Move:
		moved, there, err := e.current(ctx, k.store, done.To)
		if err != nil || !there {
			return false, err
		}
		now = moved.Ref
	default:
		return false, nil
	}
	return done.NewVersion == now.Version && done.NewETag == now.ETag, nil
}

// stays is the object that holds what stays of the key, its own or the one under the
// redacted key; the zero Object if there is none.
func (e *Erase) stays(ctx context.Context, k *task) (connectors.Object, error) {
	if len(k.ops) == 0 || k.ops[0].entry.Act != journal.Move || k.ops[0].entry.State != journal.Done {
		return k.listed.now, nil
	}
	moved, there, err := e.current(ctx, k.store, k.ops[0].entry.To)
	if err != nil || !there {
		return connectors.Object{}, err
	}
	return moved, nil
}

// listed is what one listing shows of a key: erasing its versions lists them once, however
// many they are, and once more when it is done.
type listed struct {
	now      connectors.Object             // what is current; the zero Object: nothing is
	versions map[string]connectors.Version // by id; no delete markers
}

func (e *Erase) list(ctx context.Context, k *task) (*listed, error) {
	out := &listed{versions: map[string]connectors.Version{}}
	for v, err := range k.store.(connectors.Versioner).Versions(ctx, k.t.Key) {
		if err != nil {
			return nil, err
		}
		if v.Key != k.t.Key {
			break
		}
		if v.Deleted {
			continue
		}
		out.versions[v.Version] = v
		if v.Current {
			out.now = v.Object
		}
	}
	return out, nil
}

// look finds one version of the key, and what is current. A listing holds as long as what
// was current then still is.
func (e *Erase) look(ctx context.Context, k *task, id string) (found connectors.Version, now connectors.Ref, err error) {
	if k.listed == nil || !k.listed.holds(ctx, k) {
		if k.listed, err = e.list(ctx, k); err != nil {
			return found, now, err
		}
	}
	found, there := k.listed.versions[id]
	if !there {
		err = connectors.ErrNotFound
	}
	return found, k.listed.now.Ref, err
}

// holds reports whether what a plain read sees is still what was listed.
func (l *listed) holds(ctx context.Context, k *task) bool {
	r, err := k.store.Open(ctx, connectors.Ref{Store: k.t.Store, Key: k.t.Key, ETag: l.now.ETag}, connectors.Range{})
	if err != nil {
		return errors.Is(err, connectors.ErrNotFound) && l.now.Key == ""
	}
	r.Close()
	return l.now.Key != ""
}

// confirm lists the versions of a key once more: what was deleted has to be gone.
func (e *Erase) confirm(ctx context.Context, k *task) error {
	if !slices.ContainsFunc(k.ops, func(o op) bool { return o.deleted }) {
		return nil
	}
	l, err := e.list(ctx, k)
	for i := range k.ops {
		o := &k.ops[i]
		if !o.deleted {
			continue
		}
		failed := err
		if failed == nil {
			if _, there := l.versions[o.ref.Version]; !there {
				continue
			}
			failed = connectors.ErrTemporary
		}
		if err := o.refusal(ctx, failed); err != nil {
			return err
		}
	}
	return nil
}

// markers deletes the delete markers of a key that identifies, once no version of
// it is left.
func (e *Erase) markers(ctx context.Context, k *task, o *op) error {
	var marks []connectors.Version
	for v, err := range k.store.(connectors.Versioner).Versions(ctx, k.t.Key) {
		if err != nil {
			return o.refusal(ctx, err)
		}
		if v.Key != k.t.Key {
			break
		}
		switch {
		case v.Deleted:
		case !k.named():
			o.settle(journal.Kept, "versions of the key are left, and nobody asked for the key")
			return nil
		case e.KeepOld:
			o.settle(journal.Kept, "policy keeps noncurrent versions, and their key: it is not covered")
			return nil
		default:
			o.entry.Code = journal.Follows
			o.settle(journal.Blocked, "versions of the key are left")
			return nil
		}
		marks = append(marks, v)
	}
	for i := len(marks) - 1; i >= 0; i-- { // the newest last: until then a plain read sees nothing
		if err := k.store.Delete(ctx, marks[i].Ref); err != nil && !errors.Is(err, connectors.ErrNotFound) {
			return o.refusal(ctx, err)
		}
	}
	o.settle(journal.Done, "")
	return nil
}

// named reports whether the key itself is asked for, and not only what is in it.
func (k *task) named() bool {
	return slices.ContainsFunc(k.t.Versions, func(v manifest.Version) bool {
		return slices.ContainsFunc(v.Rows, func(r *manifest.Row) bool {
			return r.Record == nil && r.Digest == nil && r.Disposition != string(pipeline.Excepted)
		})
	})
}
