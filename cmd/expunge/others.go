package main

import (
	"context"
	"fmt"
	"sync"

	"expunge/pipeline"
	"expunge/pipeline/hold"
	"expunge/pipeline/intake"
	"expunge/pipeline/journal"
	"expunge/pipeline/manifest"
)

// others are the erasures of other runs that have begun and have not come to their end:
// what they take out of an old version is not lost with it. They are read when the first
// version would be BLOCKED. Memory is some 500 bytes for each tombstone that they have
// on an old version of an object of this erasure.
type others struct {
	e *erasure

	mu       sync.Mutex
	read     bool
	rows     map[[3]string][]*manifest.Row // by store, key and version
	requests map[string]*pipeline.Request  // whose rows they are
}

// of is erase.Theirs.
func (o *others) of(ctx context.Context, t *manifest.Target, version string) ([]*manifest.Row, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.read {
		if err := o.gather(ctx); err != nil {
			return nil, fmt.Errorf("read what other runs erase: %w", err)
		}
		o.read = true
	}
	rows := o.rows[[3]string{t.Store, t.Key, version}]
	if len(rows) == 0 {
		return nil, nil
	}
	holds, err := o.e.allHolds(ctx, hold.Highest(o.e.holdsNow))
	if err != nil {
		return nil, err
	}
	out := make([]*manifest.Row, len(rows))
	for i, r := range rows {
		row := *r
		if h := o.e.holdOf(o.e.names, holds, r, o.requests[r.Request]); h != nil {
			o.e.hold(h, &row)
		}
		out[i] = &row
	}
	return out, nil
}

// gather reads the tombstones of requests that other runs are erasing.
func (o *others) gather(ctx context.Context) error {
	o.rows, o.requests = map[[3]string][]*manifest.Row{}, map[string]*pipeline.Request{}
	runs := map[string]bool{}
	for entry, err := range o.e.app.requests().Load(ctx) {
		if err != nil {
			return err
		}
		if begun(entry) && entry.Last.Run != o.e.m.Run {
			runs[entry.Last.Run] = true
			o.requests[entry.Request.Ref().String()] = entry.Request
		}
	}
	if len(runs) == 0 {
		return nil
	}
	mine := map[[2]string]bool{}
	for r, err := range o.e.rows(ctx) {
		if err != nil {
			return err
		}
		t, err := o.e.resolve(r)
		if err != nil {
			return err
		}
		mine[[2]string{t.Store, t.Key}] = true
	}
	for run := range runs {
		if err := o.add(ctx, run, mine); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			// what it erases counts as other people's: nothing is lost by that
			o.e.flags.log().Warn("what another run erases cannot be read", "run", run, "err", err)
		}
	}
	return nil
}

// begun reports whether a run is erasing for a request, and can only go on with it.
func begun(e *intake.Entry) bool {
	return e.State == pipeline.Erasing || e.State == pipeline.Blocked && e.Last.Erasing == e.Last.Run
}

// add adds the tombstones of one run on objects of mine.
func (o *others) add(ctx context.Context, run string, mine map[[2]string]bool) error {
	m, err := manifest.Read(ctx, o.e.work, o.e.keys, run)
	if err != nil {
		return err
	}
	approved, err := manifest.Approvals(ctx, o.e.work, o.e.keys, o.e.approvers(), m, 0)
	if err != nil {
		return err
	}
	past, err := (&journal.Journal{Work: o.e.work, Keys: o.e.keys, Run: run}).Past(ctx)
	if err != nil {
		return err
	}
	for r, err := range m.Tombstones(ctx, o.e.work) {
		if err != nil {
			return err
		}
		from, ok := approved.Account(r.Account)
		if !ok || o.e.now().Before(from) || o.requests[r.Request] == nil || r.Version == nil || r.Digest == nil {
			continue
		}
		store, key, err := o.e.names.Resolve(r.Object, r.ObjectSealed)
		if err != nil || !mine[[2]string{store, key}] {
			continue // of a store that the config does not name any more
		}
		done, open := past.Of(r.ObjectID, *r.Version, r.ETag)
		row := *r
		switch {
		case r.Disposition == string(pipeline.Excepted) && (r.Record == nil || !rewritten(done)):
			row.KeptFields = nil // all of the record is to stay
		case partly(r) && !rewritten(done), done == nil && (open == nil || open.State == journal.Kept):
			continue
		}
		o.put(store, key, *r.Version, &row)
		if done != nil && done.Base != "" && done.Base != *r.Version { // that was replaced in its stead
			row := row
			row.Record = nil // it is counted in another version
			o.put(store, key, done.Base, &row)
		}
	}
	return nil
}

func (o *others) put(store, key, version string, r *manifest.Row) {
	at := [3]string{store, key, version}
	o.rows[at] = append(o.rows[at], r)
}

// partly reports whether something of a tombstone's record stays.
func partly(r *manifest.Row) bool {
	return r.Record != nil && (r.Action != string(pipeline.EraseRecord) && r.Action != string(pipeline.EraseObject) || r.Disposition == string(pipeline.Excepted))
}

// rewritten reports whether what stays of a record was written.
func rewritten(done *journal.Entry) bool {
	return done != nil && done.State == journal.Done && (done.Act == journal.Replace || done.Act == journal.Move)
}
