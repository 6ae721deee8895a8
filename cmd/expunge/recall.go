package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/closure"
	"expunge/pipeline/engine"
	"expunge/pipeline/intake"
	"expunge/pipeline/ledger"
	"expunge/pipeline/manifest"
	"expunge/pipeline/report"
)

// recalled is runs/<run>/recalled.json: the files of the ledger that a run searches
// for again, so that it is the same run when it is resumed.
type recalled struct {
	Version int      `json:"version"`
	Files   []string `json:"files"`

	Events map[string]int `json:"events"` // by answered request: the number of its last event
}

// recall is what a run looks for beside what is asked of it: what was erased before,
// and may have been delivered again.
type recall struct {
	files []string
	ended map[pipeline.RequestRef]*intake.Entry // deletions that were answered in full, or of which something was erased and the rest waits: what is open for a run is the run's own
	past  *ledger.Past
	seen  map[string]int // see recalled

	met    map[pipeline.RequestRef]*met // what the manifest and the review list have of requests of which something was erased before
	events []reopening
	lost   int                   // erasures whose link ids nobody knows any more
	gone   []pipeline.RequestRef // deletions that were answered, and of which the ledger has nothing
}

// reopening is how an answered request stands since something of it was found again.
type reopening struct {
	ref   pipeline.RequestRef
	event intake.Event
}

// met is how much of an answered request was found again.
type met struct{ erase, review int64 }

func (a *app) ledger() *ledger.Ledger {
	return &ledger.Ledger{Work: a.work, Keys: a.keys, Region: a.cfg.Policy.DefaultRegion}
}

// recalls reports whether a run may look for what was delivered again of a request. One
// that waits is left where it stands if the config would not have its tombstones applied.
func (a *app) recalls(e *intake.Entry, run string) bool {
	if !e.Request.Has(pipeline.Delete) {
		return false
	}
	if e.Last.Waits() && !e.Last.Answered() {
		why := a.unsearchable(e.Request)
		if why != "" {
			a.flags.log().Warn("what is delivered again of a request is not looked for", "request", e.Request.Ref().String(), "reason", why)
		}
		return why == ""
	}
	return e.Last.Answered() || run != "" && (e.FollowUp() || e.Last.Before != nil) && e.Last.Run == run && e.State != pipeline.Claimed
}

// recall picks the files of the ledger that are about what a run has claimed, and
// about ended, which are those of a nightly run that were answered, or wait.
func (a *app) recall(ctx context.Context, h *header, claimed []claimed, ended map[pipeline.RequestRef]*intake.Entry) (*recall, error) {
	r := &recall{ended: ended, met: map[pipeline.RequestRef]*met{}}
	key := "runs/" + h.Run + "/recalled.json"
	var stored recalled
	switch err := a.readDocument(ctx, "run", key, &stored); {
	case err == nil:
		r.files, r.seen = stored.Files, stored.Events
		r.miss()
		return r, nil
	case !errors.Is(err, connectors.ErrNotFound):
		return nil, err
	}
	names, err := a.ledger().Names(ctx)
	if err != nil {
		return nil, err
	}
	open := map[pipeline.RequestRef]bool{}
	for _, c := range claimed {
		open[c.Request.Ref()] = c.Request.Has(pipeline.Delete)
	}
	for _, name := range names {
		ref, err := ledger.RequestOf(name)
		if err != nil {
			a.flags.log().Warn("the ledger is passed over where it is none", "err", err)
			continue
		}
		if open[ref] || ended[ref] != nil {
			r.files = append(r.files, name)
		}
	}
	r.miss()
	if len(r.files) == 0 {
		return r, nil
	}
	r.seen = map[string]int{}
	for ref, e := range ended {
		r.seen[ref.String()] = e.Last.N
	}
	return r, a.writeDocument(ctx, "run", key, recalled{Version: 1, Files: r.files, Events: r.seen})
}

// miss finds the deletions that were answered, and so were remembered, and of which no
// file of the ledger is there any more.
func (r *recall) miss() {
	has := map[pipeline.RequestRef]bool{}
	for _, name := range r.files {
		if ref, err := ledger.RequestOf(name); err == nil {
			has[ref] = true
		}
	}
	for ref, e := range r.ended {
		if e.Last.Answered() && !has[ref] {
			r.gone = append(r.gone, ref)
		}
	}
	slices.SortFunc(r.gone, pipeline.RequestRef.Compare)
}

// gather reads what the ledger remembers. What is remembered of a request that is not
// searched for anew says how far its deletion reaches. Of one whose consumer is still to
// be given what is found, only copies of what was given, and erased, are taken.
func (j *job) gather(ctx context.Context) error {
	var err error
	if j.recall.past, err = j.ledger().Gather(ctx, j.recall.files, j.key); err != nil {
		return err
	}
	past := j.recall.past
	for _, c := range j.claimed {
		if !c.FollowUp() {
			delete(past.Covered, c.Request.Ref()) // it is searched for anew, up to a cut-off of its own
		}
	}
	for ref, e := range j.recall.ended {
		if of := past.Covered[ref]; of != nil {
			of.Copies = aside(e, j.h.Run) && e.WantsBundle()
		}
	}
	return nil
}

// recallInto adds what was erased before to what the first round looks for. Where the
// ledger's tokens are of another version of the program, or of another catalog key, the
// identities are searched for that the run has kept, or at least those of the request.
func (j *job) recallInto(ctx context.Context, c *closure.Closure) error {
	past := j.recall.past
	stale := map[string][]pipeline.RequestRef{} // by run
	for _, s := range past.Stale {
		stale[s.Run] = append(stale[s.Run], s.Request)
		if e := j.recall.ended[s.Request]; e != nil {
			if err := j.ask(c, e.Request); err != nil {
				j.log.Warn("what was erased for a request cannot be known again", "request", s.Request.String(), "err", err)
			}
		}
	}
	for i, n := range past.Needles {
		c.Recall(n, past.Asks[i])
	}
	for ref, of := range past.Beside {
		for _, n := range of {
			c.Known(ref, n)
		}
	}
	for _, run := range slices.Sorted(maps.Keys(stale)) {
		store := &closure.Store{Work: j.work, Keys: j.keys, Run: run}
		needles, asks, err := store.Read(ctx, func(ref pipeline.RequestRef) bool { return slices.Contains(stale[run], ref) })
		if errors.Is(err, connectors.ErrNotFound) { // purged
			j.recall.lost += len(stale[run])
			continue
		}
		if err != nil {
			return err
		}
		for i, n := range needles {
			c.Recall(n, asks[i])
		}
	}
	return nil
}

// follow says in the report of which requests something was found again that was erased,
// and where they stand now. held is how many of the tombstones of each a legal hold covers.
func (j *job) follow(r *report.Report, held map[string]int64) {
	for _, name := range j.recall.past.Unread {
		r.Limits = append(r.Limits, name+" is not as it was written, or of another version: what it remembers was not looked for")
	}
	for _, ref := range j.recall.gone {
		r.Limits = append(r.Limits, fmt.Sprintf("ledger/%s/ is missing: what was erased for it and is delivered again was not looked for; put it back from a copy of the work store", ref))
	}
	if n := j.recall.lost; n > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("of %s what was erased is known again by the request's own identifiers alone: it was written down by another version of the program, or under another catalog key, "+
			"and the link ids that were followed are purged", pipeline.Count(n, "erasure", "erasures")))
	}
	r.Answered = int64(len(j.recall.ended))
	for _, ref := range slices.SortedFunc(maps.Keys(j.recall.met), pipeline.RequestRef.Compare) {
		was := j.recall.ended[ref]
		if was == nil {
			continue // the run's own
		}
		n := j.recall.met[ref]
		cutoff := time.UnixMilli(j.recall.past.Covered[ref].Cutoff).UTC()
		e := intake.Event{Cutoff: &cutoff, State: pipeline.AwaitingApproval}
		var found []string
		if n.erase == 0 && was.State == pipeline.InReview {
			continue // a person has it already
		}
		if n.erase > 0 {
			found = append(found, pipeline.Count(n.erase, "record", "records")+" to erase")
		} else {
			e.State = pipeline.InReview
		}
		if n.review > 0 {
			found = append(found, pipeline.Count(n.review, "record", "records")+" for review")
			e.Left = []intake.Left{{Code: intake.LeftReview, Count: n.review}}
		}
		e.Reason = "delivered again since it was answered: " + strings.Join(found, ", ")
		if aside(was, j.h.Run) {
			before := was.Last.Before
			if before == nil { // this is no later try of the run
				before = was.Last.Standing()
			}
			e.Reason = fmt.Sprintf("delivered again since it was erased: %s; then it is %s again", strings.Join(found, ", "), before.State)
		}
		j.recall.events = append(j.recall.events, reopening{ref, e})
		r.Requests = append(r.Requests, report.Request{Request: ref.String(), State: string(e.State), Reason: e.Reason, Rights: []string{string(pipeline.Delete)}, Records: n.erase, Review: n.review, Held: held[ref.String()]})
		r.Review += n.review
		r.Again++
	}
}

// reopen notes where they stand.
func (j *job) reopen(ctx context.Context) error {
	if err := j.fence(ctx); err != nil {
		return err
	}
	return engine.Each(ctx, claimers, len(j.recall.events), func(ctx context.Context, i int) error {
		e := j.recall.events[i]
		err := j.requests().Reopen(ctx, e.ref, j.h.Run, j.recall.seen[e.ref.String()], e.event)
		if errors.Is(err, intake.ErrTaken) || errors.Is(err, intake.ErrWithdrawn) {
			j.log.Info("another run has it since, or it was withdrawn", "request", e.ref.String())
			return nil
		}
		return err
	})
}

// tell counts what is planned of answered requests.
func (r *recall) tell(row *manifest.Row, review bool) {
	ref, err := pipeline.ParseRequestRef(row.Request)
	if err != nil {
		return // the row was made of a hit of it
	}
	if r.met[ref] == nil {
		r.met[ref] = new(met)
	}
	if review {
		r.met[ref].review++
	} else {
		r.met[ref].erase++
	}
}

// coverage is what the ledger says of the requests of a manifest that were answered
// before, or that the run has interrupted.
func (e *erasure) coverage(ctx context.Context) (map[pipeline.RequestRef]*ledger.Coverage, error) {
	again := map[pipeline.RequestRef]*intake.Entry{}
	for ref, entry := range e.requests {
		if entry.FollowUp() || entry.Last.Before != nil {
			again[ref] = entry
		}
	}
	if len(again) == 0 {
		return nil, nil
	}
	names, err := e.ledger().Names(ctx)
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		ref, err := ledger.RequestOf(name)
		return err != nil || again[ref] == nil
	})
	key, err := e.catalogKey(ctx)
	if err != nil {
		return nil, err
	}
	past, err := e.ledger().Gather(ctx, names, key)
	if err != nil {
		return nil, err
	}
	for ref, of := range past.Covered {
		of.Copies = again[ref].Last.Before != nil && again[ref].WantsBundle()
	}
	return past.Covered, nil
}
