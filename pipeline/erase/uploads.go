package erase

import (
	"context"
	"errors"
	"fmt"

	"expunge/connectors"
	"expunge/pipeline/journal"
)

// unfinished plans what is done about the unfinished uploads of a key that is touched:
// those that nobody has written to since Idle are given up. Where there are none, and
// none were left before, there is nothing to say.
func (e *Erase) unfinished(ctx context.Context, k *task) error {
	u, takes := k.store.(connectors.Uploader)
	if !takes || len(k.ops) == 0 {
		return nil
	}
	o := op{entry: journal.Entry{Kind: journal.Intent, Object: k.t.ID, ETag: journal.UploadsETag, Act: journal.AbortUploads}}
	all, err := u.Uploads(ctx, k.t.Key)
	if err == nil {
		all, err = e.giveUp(ctx, k, u, all)
	}
	switch {
	case errors.Is(err, connectors.ErrUnsupported):
		o.settle(journal.Kept, "the store cannot tell which unfinished uploads it keeps")
	case errors.Is(err, connectors.ErrDenied):
		o.settle(journal.Refused, "its unfinished uploads could not be examined: allow s3:ListBucketMultipartUploads and s3:ListMultipartUploadParts")
	case err != nil:
		if err := o.refusal(ctx, err); err != nil {
			return err
		}
	case len(all) == 0 && e.Past.Uploads(k.t.ID) == nil && len(e.Past.Intents(o.entry.Place())) == 0:
		return nil
	}
	for _, up := range all {
		if up.Idle().After(e.Idle) {
			o.left++
		} else {
			o.uploads = append(o.uploads, up)
		}
	}
	o.entry.Uploads = int64(len(o.uploads))
	for _, intent := range e.Past.Intents(o.entry.Place()) { // some may have gone already, by a try that was killed
		o.entry.Uploads = max(o.entry.Uploads, intent.Uploads)
	}
	if err == nil && len(o.uploads) == 0 {
		e.before(&o)
	}
	k.ops = append(k.ops, o)
	return nil
}

// giveUp gives up the uploads that tries of ours have begun and not completed, since they
// were killed, and returns the others'. Should one be at work in another process, it
// begins a new one.
func (e *Erase) giveUp(ctx context.Context, k *task, u connectors.Uploader, all []connectors.Upload) ([]connectors.Upload, error) {
	ours := map[string]bool{}
	sealed := &k.t.Versions[0]
	for _, intent := range e.Past.Intents(journal.Place{Object: k.t.ID, Version: sealed.Version, ETag: sealed.ETag, Act: journal.Replace}) {
		ours[intent.Upload] = true
	}
	var others []connectors.Upload
	for _, up := range all {
		if !ours[up.ID] {
			others = append(others, up)
		} else if err := u.Abort(ctx, up); err != nil && !errors.Is(err, connectors.ErrNotFound) {
			return nil, err
		}
	}
	return others, nil
}

// before settles an op that finds nothing to give up: what earlier tries gave up, or
// were about to, is what it says.
func (e *Erase) before(o *op) {
	was := e.Past.Uploads(o.entry.Object)
	if was != nil && was.State == journal.Done && o.left == 0 {
		o.entry, o.settled, o.known = *was, true, true
		return
	}
	if was != nil {
		o.entry.Uploads = max(o.entry.Uploads, was.Uploads)
	}
	o.leave()
}

// leave settles an op whose uploads are given up, but for those that are too young.
func (o *op) leave() {
	if o.left > 0 {
		o.settle(journal.Kept, fmt.Sprintf("unfinished uploads may still be written, or are later than the search, and were left: %d", o.left))
		return
	}
	o.settle(journal.Done, "")
}

// abort gives uploads up, each only while nobody writes to it.
func (e *Erase) abort(ctx context.Context, k *task, o *op) error {
	u := k.store.(connectors.Uploader)
	now, err := u.Uploads(ctx, k.t.Key)
	if err != nil {
		return o.refusal(ctx, err)
	}
	young := map[string]bool{}
	for _, up := range now {
		young[up.ID] = up.Idle().After(e.Idle)
	}
	for _, up := range o.uploads {
		if young[up.ID] { // somebody goes on with it
			o.left++
			o.entry.Uploads--
			continue
		}
		if err := u.Abort(ctx, up); err != nil && !errors.Is(err, connectors.ErrNotFound) {
			return o.refusal(ctx, err)
		}
	}
	o.leave()
	return nil
}
