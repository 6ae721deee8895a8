package main

import (
	"context"
	"maps"
	"slices"

	"expunge/pipeline"
	"expunge/pipeline/intake"
	"expunge/pipeline/journal"
	"expunge/pipeline/manifest"
)

// aside reports whether a run has a request for what was delivered again alone, while the
// request waits for a person or a store to do with the rest.
func aside(e *intake.Entry, run string) bool {
	if e.Last.Run == run {
		return e.Last.Before != nil
	}
	return e.Last.Waits() && !e.Last.Answered()
}

// theirs says which rows of requests that wait are not the run's: what a person decides
// on, what is left of the manifests that the requests wait for, by object, so that no two
// erasures for one request work on one, and what a hold keeps, be it a copy or not.
func (j *job) theirs(ctx context.Context) (func(r *manifest.Row, review bool) bool, error) {
	ours := map[pipeline.RequestRef]bool{}
	for _, c := range j.claimed {
		ours[c.Request.Ref()] = true
	}
	blocked := map[string][]pipeline.RequestRef{} // by run
	for ref, e := range j.recall.ended {
		if !aside(e, j.h.Run) {
			ours[ref] = true
			continue
		}
		for s := range e.Last.Standings() {
			if s.State == pipeline.Blocked && s.Run != j.h.Run {
				blocked[s.Run] = append(blocked[s.Run], ref)
			}
		}
	}
	open := map[pipeline.RequestRef]map[string]bool{}
	untold := map[pipeline.RequestRef]bool{}
	for _, run := range slices.Sorted(maps.Keys(blocked)) {
		err := j.pending(ctx, run, blocked[run], open)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil { // the night has others to serve
			j.log.Warn("what was delivered again cannot be told from what an erasure has left, and stays for now", "run", run, "err", err)
			for _, ref := range blocked[run] {
				untold[ref] = true
			}
		}
	}
	holds, err := j.allHolds(ctx, 0)
	if err != nil {
		return nil, err
	}
	return func(r *manifest.Row, review bool) bool {
		ref, err := pipeline.ParseRequestRef(r.Request)
		if err != nil || ours[ref] {
			return false // the row was made of a hit of it
		}
		e := j.recall.ended[ref]
		return review || e == nil || untold[ref] || open[ref][r.ObjectID] || j.holdOf(j.names, holds, r, e.Request) != nil
	}, nil
}

// pending adds, by request, the ids of the objects that the erasure of a run has not come
// to the end of.
func (j *job) pending(ctx context.Context, run string, refs []pipeline.RequestRef, out map[pipeline.RequestRef]map[string]bool) error {
	m, err := manifest.Read(ctx, j.work, j.keys, run)
	if err != nil {
		return err
	}
	past, err := (&journal.Journal{Work: j.work, Keys: j.keys, Run: run}).Past(ctx)
	if err != nil {
		return err
	}
	for r, err := range m.Tombstones(ctx, j.work) {
		if err != nil {
			return err
		}
		ref, err := pipeline.ParseRequestRef(r.Request)
		if err != nil {
			return err
		}
		if !slices.Contains(refs, ref) {
			continue
		}
		if notDone(past, r) {
			if out[ref] == nil {
				out[ref] = map[string]bool{}
			}
			out[ref][r.ObjectID] = true
		}
	}
	return nil
}

// notDone reports whether an erasure has not come to its end with what a row asks for.
func notDone(past *journal.Past, r *manifest.Row) bool {
	if r.Disposition == string(pipeline.Excepted) {
		return false // it stays
	}
	version := ""
	if r.Version != nil {
		version = *r.Version
	}
	if u := past.Uploads(r.ObjectID); u != nil && !u.State.Final() && u.State != journal.Kept {
		return true
	}
	done, open := past.Of(r.ObjectID, version, r.ETag)
	return (done == nil || open != nil) && !past.Keeps(r.ObjectID, version, r.ETag)
}
