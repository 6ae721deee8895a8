package erase

import (
	"context"
	"errors"
	"io"
	"os"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/journal"
	"expunge/pipeline/manifest"
	"expunge/pipeline/spool"
)

// ErrNoKey says that an object's key cannot be redacted so that its dataset still claims
// it for the same account, and nothing in it identifies.
var ErrNoKey = errors.New("what stays of it cannot move: no redacted key fits the pattern of its dataset; say on_delete: {action: erase_object} there, or move it by hand")

// elsewhere says why records that are gone from a key that names somebody are not known
// to be gone.
const elsewhere = "the records are gone from a key that names somebody, and an erasure for that person may have moved them: the next run looks for them"

// moves reports whether what stays of an object may have moved to a redacted key.
func (e *Erase) moves(t *manifest.Target) bool {
	d := &e.Datasets[t.Dataset]
	if !t.Identifying || d.Erase.Action == pipeline.EraseObject {
		return false
	}
	for _, f := range d.Object {
		if f.Kind.Identifies() {
			return true
		}
	}
	return false
}

// moving turns the op that deletes an object into one that moves what stays of it, if
// anything does.
func (e *Erase) moving(ctx context.Context, k *task, o *op, v verdict, requests []pipeline.RequestRef, f *os.File) error {
	src, err := e.source(ctx, k.store, k.base.Ref, k.base.Size)
	if err != nil {
		return err
	}
	v, stays, err := e.outlive(ctx, k.t, src, v, requests)
	if err != nil || !stays {
		return err
	}
	o.entry.Act = journal.Move
	e.cut(k.t, &v)
	if o.patch, err = e.rewrite(ctx, k.t, src, v, f, &o.entry); err != nil {
		return err
	}
	o.entry.To, o.entry.ToObject, o.entry.ToID, err = e.Redacted(k.t, o.entry.SHA256)
	return err
}

// resume takes up a move that a try of before has begun: what it meant to write is under
// the redacted key. It reports whether the op is to go on from there, or is settled.
func (e *Erase) resume(ctx context.Context, k *task, o *op, intent *journal.Entry, there bool) (bool, error) {
	if err := e.giveUpMoved(ctx, k, intent); err != nil {
		return false, err
	}
	made, err := e.moved(ctx, k.store, intent)
	switch {
	case err != nil || made == nil:
		return false, err
	case !there:
		o.entry = *intent
		o.entry.NewVersion, o.entry.NewETag = made.Version, made.ETag
		o.settle(journal.Done, "")
		return true, nil
	case k.base.ETag == o.ref.ETag && (o.ref.Version == "" || k.base.Version == o.ref.Version):
		o.entry, o.ref, o.made = *intent, k.base.Ref, made
		return true, nil
	}
	return false, e.unmake(ctx, k, made)
}

// giveUpMoved gives up the upload that a killed try has begun under a redacted key.
func (e *Erase) giveUpMoved(ctx context.Context, k *task, intent *journal.Entry) error {
	u, takes := k.store.(connectors.Uploader)
	if !takes || intent.Upload == "" {
		return nil
	}
	err := u.Abort(ctx, connectors.Upload{Key: intent.To, ID: intent.Upload})
	if errors.Is(err, connectors.ErrNotFound) {
		return nil
	}
	return err
}

// moved is what stands under a redacted key, if that is what was to be written there.
func (e *Erase) moved(ctx context.Context, store connectors.Store, intent *journal.Entry) (*connectors.Object, error) {
	now, there, err := e.current(ctx, store, intent.To)
	if err != nil || !there || now.Size != intent.Size {
		return nil, err
	}
	digest, err := e.sumOf(ctx, store, now.Ref)
	if err != nil || digest != intent.SHA256 {
		return nil, err
	}
	return &now, nil
}

func (e *Erase) sumOf(ctx context.Context, store connectors.Store, ref connectors.Ref) (string, error) {
	digest, _, err := sum(ctx, func(ctx context.Context, off, n int64) (io.ReadCloser, error) {
		return store.Open(ctx, ref, connectors.Range{Off: off, Len: n})
	})
	return digest, err
}

// move writes what stays under the redacted key, reads it back, and deletes the object
// that has the old one.
func (e *Erase) move(ctx context.Context, k *task, o *op) error {
	l, can := k.store.(connectors.Liker)
	if !can {
		return o.refusal(ctx, connectors.ErrUnsupported)
	}
	made := o.made
	if made == nil {
		got, err := l.CreateLike(ctx, o.entry.To, o.ref, o.patch)
		if err == nil {
			made = &got
			if digest, err := e.sumOf(ctx, k.store, got.Ref); err != nil {
				return o.refusal(ctx, err)
			} else if digest != o.entry.SHA256 {
				o.settle(journal.Conflict, "what reads back is not what was written: another writer came in between; run erase again")
				return nil
			}
		} else {
			// Another process of ours may have been faster, or the reply was lost.
			ours, lookErr := e.moved(ctx, k.store, &o.entry)
			switch {
			case lookErr == nil && ours != nil:
				made = ours
			case errors.Is(err, connectors.ErrExists):
				o.settle(journal.Conflict, "another object stands under the redacted key that what stays of it is to have: "+o.entry.ToObject)
				return nil
			default:
				return o.refusal(ctx, err)
			}
		}
	}
	if now, there, err := e.current(ctx, k.store, made.Key); err != nil {
		return o.refusal(ctx, err)
	} else if !there || now.ETag != made.ETag { // it may be minutes since it was read
		o.settle(journal.Conflict, "what was written under the redacted key is not there any more; run erase again")
		return nil
	}
	ref := o.ref
	ref.Version = "" // the condition is on what is current
	err := k.store.Delete(ctx, ref)
	if errors.Is(err, connectors.ErrNotFound) {
		err = nil
	}
	if err != nil {
		if !errors.Is(err, connectors.ErrTemporary) && ctx.Err() == nil {
			if undo := e.unmake(ctx, k, made); undo != nil {
				return o.refusal(ctx, undo)
			}
		}
		return o.refusal(ctx, err)
	}
	if _, there, err := e.current(ctx, k.store, k.t.Key); err != nil {
		return o.refusal(ctx, err)
	} else if there {
		o.settle(journal.Conflict, "another writer has put an object in its place; run erase again")
		return nil
	}
	o.entry.NewVersion, o.entry.NewETag = made.Version, made.ETag
	o.settle(journal.Done, "")
	return nil
}

// unmake takes back what was written under a redacted key for an object that then was
// changed by another writer, or could not be deleted: else records would stand twice. It
// stays where one of its records does not also stand under the old key.
func (e *Erase) unmake(ctx context.Context, k *task, made *connectors.Object) error {
	now, there, err := e.current(ctx, k.store, k.t.Key)
	if err != nil || !there {
		return err
	}
	all := func(seen) bool { return true }
	lost, err := e.alone(ctx, k, *made, now, all)
	if err != nil || lost > 0 {
		return err
	}
	err = k.store.Delete(ctx, made.Ref)
	if errors.Is(err, connectors.ErrNotFound) || errors.Is(err, connectors.ErrChanged) {
		return nil // another process of ours was faster, or it is not ours any more
	}
	return err
}

// alone counts those records of an object that count and do not also stand in another,
// as multisets. Digests are sorted externally, so memory does not grow with objects.
func (e *Erase) alone(ctx context.Context, k *task, o, in connectors.Object, counts func(seen) bool) (int64, error) {
	old := spool.NewSorter()
	defer old.Close()
	err := e.records(ctx, k, o, func(r seen) error {
		if !counts(r) {
			return nil
		}
		return addDigest(old, r.raw)
	})
	if err != nil {
		return 0, err
	}
	now, err := e.digests(ctx, k, in)
	if err != nil {
		return 0, err
	}
	return missing(old, now)
}
