package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"expunge/pipeline"
	"expunge/pipeline/certificate"
	"expunge/pipeline/hold"
	"expunge/pipeline/intake"
	"expunge/pipeline/journal"
)

// keptByHold is why a request is BLOCKED of which a hold covers records.
const keptByHold = "a legal hold keeps records of it: erase again when it is removed"

// keptBeside ends the reason why a request is BLOCKED of which a hold keeps something for
// the sake of what else stands there.
const keptBeside = ": erase again when the hold is removed"

// conclude writes the certificates of the requests whose tombstones were applied,
// and says where each stands now.
func (e *erasure) conclude(ctx context.Context, past *journal.Past, p *proof, out *erased) error {
	signer, _, err := e.signer()
	if err != nil {
		return err
	}
	maker := certificate.NewMaker(e.m.Run, past)
	maker.Residue, maker.Waived = p.left, e.waiver
	if maker.Ours, err = e.ours(ctx, past); err != nil {
		return err
	}
	defer maker.Close()
	kept := newMemory(e.rememberer(e.m.Run), past)
	defer kept.close()
	waits := map[string]map[string]bool{} // requests of which a part is held back, and the datasets of that part
	for r, err := range e.tombstones(ctx) {
		if err != nil {
			return err
		}
		ref, err := pipeline.ParseRequestRef(r.Request)
		if err != nil {
			return err
		}
		switch {
		case e.requests[ref] == nil:
		case len(e.stale[ref]) > 0 || e.permit.Allows(r.Account, r.Dataset): // of what is stale an earlier try may have erased a part
			if err := maker.Add(r); err != nil {
				return err
			}
			if err := kept.add(r); err != nil {
				return err
			}
		default:
			if waits[r.Request] == nil {
				waits[r.Request] = map[string]bool{}
			}
			waits[r.Request][r.Dataset] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(waits)) {
		if err := e.wait(ctx, name, waits[name]); err != nil {
			return err
		}
	}
	for b, err := range maker.Bodies() {
		if err != nil {
			return err
		}
		if waits[b.Request] != nil {
			continue // it stays ERASING until all of it may be applied
		}
		if err := e.certify(ctx, b, p, kept, signer, out); err != nil {
			return err
		}
	}
	return nil
}

// wait notes why a request stays ERASING: what of it in datasets is held back.
func (e *erasure) wait(ctx context.Context, request string, datasets map[string]bool) error {
	ref, err := pipeline.ParseRequestRef(request)
	if err != nil {
		return err
	}
	entry := e.requests[ref]
	if entry.State != pipeline.Erasing {
		return nil // nothing of it has begun
	}
	var why []string
	for _, d := range slices.Sorted(maps.Keys(datasets)) {
		if held := e.permit.Why(ref.Account, d); held != "" {
			why = append(why, d+" is held back: "+held)
		}
	}
	if len(why) == 0 {
		return nil
	}
	reason := strings.Join(append(why, fmt.Sprintf("once that is settled, `expunge erase %s` goes on", e.m.Run)), "; ")
	return e.note(ctx, ref, entry, intake.Event{State: pipeline.Erasing, Run: e.m.Run, Left: entry.Last.Left, Reason: reason})
}

// certify issues one certificate and appends the event that ends the request, or
// that says why it stays open. What was erased is certified and remembered first,
// whatever is left: the next run could say neither.
func (e *erasure) certify(ctx context.Context, b *certificate.Body, p *proof, kept *memory, signer *certificate.Signer, out *erased) error {
	ref, err := pipeline.ParseRequestRef(b.Request)
	if err != nil {
		return err
	}
	entry := e.requests[ref]
	next := intake.Event{State: entry.Last.Applied(), Run: e.m.Run, Left: entry.Last.Left, Holds: hold.Highest(e.holdsNow)}
	blocked, waits, held := false, "", ""
	for _, x := range b.Exceptions {
		if x.Code == hold.Code {
			if out.OnHold += x.Records; held == "" {
				held = x.Instruction + " names an identifier that stands in records of it" + keptBeside
			}
		}
	}
	if held != "" && e.isHeld(e.holdsNow, entry) {
		held = keptByHold
	}
	out.open(b.Open)
	for _, o := range b.Open {
		if o.Code == journal.LegalHold && held == "" {
			held = o.Reason + keptBeside
		}
		blocked = blocked || o.State == string(journal.Blocked) && o.Code != journal.Follows
		if o.Act == string(journal.AbortUploads) { // no search finds them: this run has to see to them
			waits = fmt.Sprintf("unfinished uploads are left (%s): `expunge erase %s` again", o.Reason, e.m.Run)
		}
	}
	if waits == "" {
		waits = b.Deferred()
	}
	stale, residue := e.stale[ref], p.residue[b.Request]
	if entry.State == pipeline.Completed && residue > 0 { // it was certified; what is there now has come since
		out.Requests = append(out.Requests, concluded{b.Request, string(entry.State), pipeline.Count(residue, "trace has", "traces have") + " come since it was certified: the next run looks for what was delivered again", ""})
		return nil
	}
	switch {
	case residue > 0:
		next.State, next.Reason = pipeline.Received, fmt.Sprintf("verification found %s that nothing explains: the next run looks for what is left", pipeline.Count(residue, "trace", "traces"))
	case len(stale) > 0:
		next.State, next.Reason = pipeline.Received, fmt.Sprintf("what run %s has sealed of %s cannot be applied any more, as the config was changed since", e.m.Run, strings.Join(stale, ", "))
	case held != "":
		next.State, next.Reason = pipeline.Blocked, held
	case blocked:
		next.State, next.Reason = pipeline.Blocked, "old versions hold records that stand nowhere else: approve their loss with --versions-lost, and erase again"
		next.Deferred = true // another erasure may settle it
	case waits != "":
		next.State, next.Reason, next.Deferred, next.Until = pipeline.Blocked, waits, true, b.First()
	case len(b.Open) > 0:
		next.State, next.Reason = pipeline.Received, pipeline.Count(len(b.Open), "object version", "object versions")+" could not be erased: the next run looks for what is left"
	}
	why, nothing := next.Reason, len(b.Objects) == 0 && b.Uploads == 0 && (next.State == pipeline.Blocked && waits == "" || residue > 0 || len(stale) > 0)
	if before := entry.Last.Before; before != nil && next.State != pipeline.Blocked { // what is left of the copies, the next run finds again
		next = before.Event()
		next.Holds = hold.Highest(e.holdsNow)
	}
	if nothing {
		out.Requests = append(out.Requests, concluded{b.Request, string(next.State), why, ""})
		return e.note(ctx, ref, entry, next)
	}
	b.Instruction, b.Manifest = entry.Request.Instruction, e.m.Accounts[b.Account].SHA256
	b.Approvals = e.approved.By(b.Account)
	cutoff, err := e.cutoffs(ctx)
	if err != nil {
		return err
	}
	now := e.now().UTC()
	b.Received, b.Issued = entry.Request.Received.UTC().Format(time.RFC3339), now.Format(time.RFC3339)
	at := time.UnixMilli(cutoff(ref)).UTC()
	next.Cutoff, b.Cutoff = &at, at.Format(time.RFC3339)
	b.Verified = certificate.Verified{At: b.Issued, Objects: p.Objects, Records: p.Records, Residue: residue, Expected: p.Expected[b.Request]}
	b.Complete, b.FollowUp = next.State == pipeline.Completed, entry.FollowUp()
	for _, d := range stale {
		b.NotCovered = append(b.NotCovered, fmt.Sprintf("dataset %s: its settings were changed since the manifest was sealed: what is open of it was not searched again, and is the next run's", d))
	}
	for _, t := range p.Beside {
		if t.Request == b.Request {
			b.NotCovered = append(b.NotCovered, fmt.Sprintf("%s: %s", t.Object, t.Reason))
		}
	}
	for _, l := range next.Left {
		b.NotCovered = append(b.NotCovered, fmt.Sprintf("%s: %d", l.Code, l.Count))
	}
	if next.Run != e.m.Run && next.State == pipeline.Blocked {
		b.NotCovered = append(b.NotCovered, fmt.Sprintf("the erasure of run %s: %s", next.Run, next.Reason))
	}
	if err := e.notExamined(ctx, b); err != nil {
		return err
	}
	if err := e.notCovered(ctx, b); err != nil {
		return err
	}
	for i := range e.report.Requests {
		if q := &e.report.Requests[i]; q.Request == b.Request {
			b.Decided = decidedOf(q.Included, q.Excluded)
		}
	}
	if b.HoldsRemoved, err = e.holdsRemoved(ctx, b, entry.Request); err != nil {
		return err
	}
	// before the certificate: nobody is told of an erasure that is not remembered
	if err := kept.remember(ctx, ref, cutoff(ref), kept.counts[b.Request], kept.records(b.Request)); err != nil {
		return err
	}
	name, err := certificate.Issue(ctx, e.log, b, signer)
	if err != nil {
		return err
	}
	out.Requests = append(out.Requests, concluded{b.Request, string(next.State), why, name})
	return e.note(ctx, ref, entry, next)
}

// holdsRemoved are the holds that covered objects of a certificate, and were removed since
// the run began: one that was set after the approval and is gone again is told, too.
func (e *erasure) holdsRemoved(ctx context.Context, b *certificate.Body, r *pipeline.Request) ([]certificate.HoldRemoved, error) {
	var out []certificate.HoldRemoved
	s := hold.Subject{Account: b.Account, Request: r.ID, Digests: e.holdDigests(r)}
	for _, h := range e.holdsNow {
		if h.Removed == nil || h.Removed.At.Before(e.since) {
			continue
		}
		stood := *h
		stood.Removed, stood.Object = nil, ""
		if !stood.Covers(s) || len(b.Objects) == 0 {
			continue
		}
		if h.Object != "" {
			named, err := e.namedBy(ctx, h)
			if err != nil {
				return nil, err
			}
			if !slices.ContainsFunc(b.Objects, func(o certificate.Object) bool { return named[o.ObjectID] }) {
				continue
			}
		}
		at := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
		out = append(out, certificate.HoldRemoved{N: h.N, Set: at(h.At), By: h.By, Removed: at(h.Removed.At), RemovedBy: h.Removed.By})
	}
	return out, nil
}

// namedBy are the ids of the manifest's objects that the pattern of a hold names.
func (e *erasure) namedBy(ctx context.Context, h *hold.Hold) (map[string]bool, error) {
	if named := e.named[h.N]; named != nil {
		return named, nil
	}
	named := map[string]bool{}
	for r, err := range e.m.Tombstones(ctx, e.work) {
		if err != nil {
			return nil, err
		}
		if !named[r.ObjectID] && h.Names(written(e.names, r)) {
			named[r.ObjectID] = true
		}
	}
	if e.named == nil {
		e.named = map[int]map[string]bool{}
	}
	e.named[h.N] = named
	return named, nil
}

// note appends an event, unless the request stands there already: erase can be
// repeated.
func (e *erasure) note(ctx context.Context, ref pipeline.RequestRef, entry *intake.Entry, next intake.Event) error {
	if entry.State == next.State && entry.Last.Run == next.Run && (entry.Last.Reason == next.Reason || next.State == pipeline.Received) {
		return nil // one that is open may have been taken by a run by now
	}
	err := e.app.requests().Append(ctx, ref, next)
	if errors.Is(err, intake.ErrWithdrawn) {
		return nil // withdrawn while it was erased: what was erased is certified all the same
	}
	return err
}

// decidedOf is what a certificate says of decisions, nil where there were none.
func decidedOf(included, excluded int64) *certificate.Decided {
	if included+excluded == 0 {
		return nil
	}
	return &certificate.Decided{Included: included, Excluded: excluded}
}

// certifyNothing certifies a deletion of a consumer of whom nothing was found, in a
// run that examined all there is.
func (j *job) certifyNothing(ctx context.Context, e *intake.Entry, excluded int64, memory *rememberer, log *certificate.Log, signer *certificate.Signer) error {
	r, now := e.Request, j.now().UTC().Format(time.RFC3339)
	cutoff := j.cutoff(e)
	if err := memory.remember(ctx, r.Ref(), cutoff.UnixMilli(), 0, func(func(string, error) bool) {}); err != nil {
		return err
	}
	_, err := certificate.Issue(ctx, log, &certificate.Body{
		Version: 1, Request: r.Ref().String(), Account: r.Account, Instruction: r.Instruction, Run: j.h.Run, Approvals: []int{},
		Received: r.Received.UTC().Format(time.RFC3339), Cutoff: cutoff.UTC().Format(time.RFC3339), Issued: now, Complete: true, FollowUp: e.FollowUp(),
		Dispositions: map[string]int64{}, Objects: []certificate.Object{}, Exceptions: []certificate.Exception{}, Open: []certificate.Open{},
		Decided:     decidedOf(0, excluded),
		NotExamined: []certificate.NotExamined{}, NotCovered: []string{}, Verified: certificate.Verified{At: now},
	}, signer)
	return err
}
