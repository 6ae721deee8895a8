package main

import (
	"context"

	"expunge/pipeline/journal"
)

// ours says of records that were gone from an object before the erasure came to it whether
// another run's erasure took them since this run began. Else they may stand elsewhere: a
// loader that compacts a lake removes objects, too.
func (e *erasure) ours(ctx context.Context, past *journal.Past) (func(vanished *journal.Entry) bool, error) {
	gone := map[string]bool{}
	for o := range past.Outcomes {
		if o.Vanished() {
			gone[o.Object] = true
		}
	}
	rewritten, removed := map[string]bool{}, map[string]bool{}
	is := func(o *journal.Entry) bool {
		if o.Reason == journal.GoneFromKey {
			return removed[o.Object]
		}
		return rewritten[o.Object]
	}
	if len(gone) == 0 {
		return is, nil
	}
	var h header
	if err := e.readDocument(ctx, "run", headerKey(e.m.Run), &h); err != nil {
		return nil, err
	}
	runs := map[string]bool{}
	for entry, err := range e.app.requests().Load(ctx) {
		if err != nil {
			return nil, err
		}
		if run := entry.Last.Erasing; run != "" && run != e.m.Run && !entry.Last.At.Before(h.Started) {
			runs[run] = true
		}
	}
	for run := range runs {
		theirs, err := (&journal.Journal{Work: e.work, Keys: e.keys, Run: run}).Past(ctx)
		if err != nil {
			return nil, err
		}
		for o := range theirs.Outcomes {
			switch {
			case !gone[o.Object] || !o.Took():
			case o.Act == journal.Replace:
				rewritten[o.Object] = true
			default:
				removed[o.Object] = true
			}
		}
	}
	return is, nil
}
