package main

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"os"
	"slices"
	"time"

	"expunge/pipeline"
	"expunge/pipeline/bundle"
	"expunge/pipeline/catalog"
	"expunge/pipeline/certificate"
	"expunge/pipeline/intake"
	"expunge/pipeline/manifest"
	"expunge/pipeline/naming"
	"expunge/pipeline/report"
	"expunge/pipeline/results"
	"expunge/pipeline/tombstone"
)

// finish turns hits into bundles, a manifest, a review list and the report, and
// says where each request stands now.
func (j *job) finish(ctx context.Context) (bool, error) {
	j.watch.begin("gather")
	hits, err := j.results.Merge(ctx, len(j.rounds), j.plan.Objects(ctx, j.summary), j.closure.Judge, j.whole, j.outside())
	if err != nil {
		return false, err
	}
	defer hits.Close()
	waived, err := j.waived(ctx, j.h.Started)
	if err != nil {
		return false, err
	}
	j.watch.begin("objects")
	totals, err := report.Objects(ctx, j.work, j.h.Run, report.Source{
		Joined: func() iter.Seq2[catalog.Joined, error] { return j.joined(ctx) },
		Units:  func(round int) iter.Seq2[*pipeline.UnitResult, error] { return j.results.Units(ctx, round) },
		Rounds: len(j.rounds), Names: j.names, Datasets: j.cfg.Datasets, Waived: waived,
	})
	if err != nil {
		return false, err
	}
	j.watch.begin("bundles")
	bundles, err := j.bundles(ctx, hits)
	if err != nil {
		return false, err
	}
	j.watch.begin("manifest")
	manifest, err := j.manifest(ctx, hits, totals)
	if err != nil {
		return false, err
	}
	return j.report(ctx, hits, totals, bundles, manifest)
}

// outside says which hits are dated outside of the window of a request that asks for nothing
// but what its window lets through: they are not given, so they are neither counted nor
// shown for review.
func (j *job) outside() func(*pipeline.Hit) bool {
	windows := map[pipeline.RequestRef]*pipeline.Request{}
	for _, c := range j.claimed {
		if c.Request.Window != nil && c.Request.OnlyTells() {
			windows[c.Request.Ref()] = c.Request
		}
	}
	if len(windows) == 0 {
		return nil
	}
	return func(h *pipeline.Hit) bool {
		r := windows[h.Request]
		return r != nil && !r.InWindow(j.cfg.Policy.Timezone, h.Time)
	}
}

// whole reports whether all of an object is a request's: see pipeline.Hit.Whole.
func (j *job) whole(h *pipeline.Hit) bool {
	i := slices.IndexFunc(j.cfg.Datasets, func(d pipeline.Dataset) bool { return d.Name == h.Dataset })
	return i >= 0 && h.Whole(&j.cfg.Datasets[i])
}

// maker makes tombstones under the config's exceptions.
func (a *app) maker(names *naming.Names) *tombstone.Maker {
	m := &tombstone.Maker{Names: names, Datasets: a.cfg.Datasets, Keys: a.keys, Exceptions: map[string][]pipeline.Exception{}}
	for _, account := range a.cfg.Accounts {
		m.Exceptions[account.Name] = account.Exceptions
	}
	return m
}

// manifest writes the tombstones of deletion requests and the review list.
func (j *job) manifest(ctx context.Context, hits *results.Merged, totals *report.Totals) (*manifest.Manifest, error) {
	maker := j.maker(j.names)
	in := tombstone.Input{
		Run: j.h.Run, Hits: hits.All(), Deletes: map[pipeline.RequestRef]time.Time{}, Settings: j.settings(),
		Total:  func(account, dataset string) int64 { return totals.Rows[[2]string{account, dataset}] },
		Past:   func(ref pipeline.RequestRef) bool { return j.recall.past.Covered[ref] != nil },
		Waived: totals.IsWaived,
		Told:   j.recall.tell, KeepOld: j.cfg.Policy.Noncurrent == "keep",
		Limits: manifest.Limits{Fraction: j.cfg.Policy.MaxEraseFraction, MinRecords: j.cfg.Policy.MinRecords},
	}
	over := map[pipeline.RequestRef]bool{}
	for _, c := range j.claimed {
		over[c.Request.Ref()] = c.WantsBundle()
		if c.Request.Has(pipeline.Delete) {
			in.Deletes[c.Request.Ref()] = j.cutoff(c.Entry)
		}
	}
	for ref := range j.recall.ended {
		if past := j.recall.past.Covered[ref]; past != nil {
			in.Deletes[ref] = time.UnixMilli(past.Cutoff)
		}
	}
	var err error
	if in.Theirs, err = j.theirs(ctx); err != nil {
		return nil, err
	}
	in.Over = func(ref pipeline.RequestRef) bool { return over[ref] }
	return maker.Build(ctx, j.work, in)
}

// held counts what legal holds keep of the manifest, by request.
func (j *job) held(ctx context.Context, m *manifest.Manifest) (map[string]int64, error) {
	holds, err := j.allHolds(ctx, j.h.Holds)
	if err != nil {
		return nil, err
	}
	requests := maps.Clone(j.recall.ended)
	if requests == nil {
		requests = map[pipeline.RequestRef]*intake.Entry{}
	}
	for _, c := range j.claimed {
		requests[c.Request.Ref()] = c.Entry
	}
	return j.underHold(ctx, m, requests, holds)
}

// cutoff is up to when records are a deletion's to erase.
func (j *job) cutoff(e *intake.Entry) time.Time {
	switch {
	case e.Last.Cutoff != nil: // something of it is certified: its cut-off stands
		return *e.Last.Cutoff
	case j.cfg.Policy.Cutoff == "received":
		return e.Request.Received
	}
	return j.h.Started
}

// report says what was done and where each request stands.
func (j *job) report(ctx context.Context, hits *results.Merged, totals *report.Totals, bundles map[pipeline.RequestRef]*bundle.Result, m *manifest.Manifest) (bool, error) {
	r := report.New(j.h.Run, j.h.Started, j.now().UTC(), totals)
	r.Rounds, r.Tombstones = j.rounds, m.Rows
	r.Bytes.Filters = j.filters.Bytes()
	for i := range j.cfg.Datasets {
		if d := &j.cfg.Datasets[i]; hits.Untimed[d.Name] > 0 {
			r.Unread(d.Name, d.Time, hits.Untimed[d.Name])
		}
	}
	for _, x := range m.Radius {
		r.Radius = append(r.Radius, report.Radius(x))
	}
	for _, l := range j.closure.Limited {
		r.Limits = append(r.Limits, fmt.Sprintf("%s, round %d: at least %s found, %d followed: an id that joins so many is hardly one consumer's; `expunge inspect runs/%s --why` shows by which field they were reached, leave link out there", l.Request, l.Round, pipeline.Count(l.Found, "link id", "link ids"), l.Kept, j.h.Run))
	}
	for _, b := range j.h.Blocked {
		r.Requests = append(r.Requests, report.Request{Request: b.Request.String(), State: string(pipeline.Blocked), Reason: b.Reason})
		r.Limits = append(r.Limits, fmt.Sprintf("%s was not searched for: %s", b.Request, b.Reason))
	}
	held, err := j.held(ctx, m)
	if err != nil {
		return false, err
	}
	var events []intake.Event
	memory, log := j.rememberer(j.h.Run), &certificate.Log{Work: j.work}
	for _, c := range j.claimed {
		ref := c.Request.Ref()
		t := hits.Span(ref)
		if c.Request.Has(pipeline.Delete) && !c.WantsBundle() { // what stays on purpose waits for nobody
			if t.Review = 0; j.recall.met[ref] != nil {
				t.Review = j.recall.met[ref].review
			}
		}
		stands := standing{found: t, totals: totals, limited: j.limited(ref), bundle: bundles[ref], erase: m.Names(ref), points: j.closure.DataPoints(ref)}
		stands.needed, _ = j.cfg.DataPoints(ref.Account, c.Request.Rights)
		state, reason, left := stands.of(c.Request)
		if state == pipeline.Completed && c.Request.Has(pipeline.Delete) {
			if signer, _, err := j.signer(); err != nil {
				state, reason = pipeline.Received, "nothing of it was found, and its certificate cannot be signed: "+err.Error()
			} else if err := j.certifyNothing(ctx, c.Entry, t.Excluded, memory, log, signer); err != nil {
				return false, err
			}
		}
		q := report.Request{Request: ref.String(), State: string(state), Reason: reason, Records: t.Records, Review: t.Review, Included: t.Included, Excluded: t.Excluded, Due: c.Due().Format("2006-01-02"), Held: held[ref.String()]}
		for _, right := range c.Request.Rights {
			q.Rights = append(q.Rights, string(right))
		}
		r.Review += t.Review
		if b := bundles[ref]; b != nil {
			r.Missing += b.Missing
			q.Bundle = b.Page
		}
		r.Requests = append(r.Requests, q)
		event := intake.Event{State: state, Reason: reason, Left: left, DataPoints: j.closure.DataPoints(ref)}
		if state == pipeline.Completed && c.Request.Has(pipeline.Delete) {
			at := j.cutoff(c.Entry)
			event.Cutoff = &at
		}
		events = append(events, event)
	}
	j.follow(r, held)
	r.Judge()
	j.figures(r)
	if err := r.Write(ctx, j.work); err != nil {
		return false, err
	}
	if err := j.reopen(ctx); err != nil {
		return false, err
	}
	if err := j.conclude(ctx, events); err != nil { // last: a run that is killed before can be resumed
		return false, err
	}
	if j.flags.json {
		return r.State == report.Complete, printJSON(r)
	}
	r.Print(os.Stdout)
	return r.State == report.Complete, nil
}
