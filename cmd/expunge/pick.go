package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"expunge/pipeline"
	"expunge/pipeline/intake"
)

// pick returns the requests to search for, by account and id: those that the
// options name, those of a run that is resumed, or all that are open. A run for all
// looks for what was delivered again of others, too, of which something was erased.
func (a *app) pick(ctx context.Context, o *runOptions, h *header) (picked []*intake.Entry, ended map[pipeline.RequestRef]*intake.Entry, err error) {
	switch {
	case o.resume != "":
		a.deferred = nil
		return a.again(ctx, h)
	case len(o.requests) > 0:
		picked, err = a.named(ctx, o)
		return picked, nil, err
	}
	ended, a.deferred = map[pipeline.RequestRef]*intake.Entry{}, nil
	for e, err := range a.requests().Load(ctx) {
		switch {
		case err != nil:
			return nil, nil, err
		case o.urgent && !e.Request.Urgent:
		case e.Open():
			picked = append(picked, e)
		case o.urgent:
		default:
			if waitsOutside(e) || standsStill(e) {
				a.deferred = append(a.deferred, e)
			}
			if a.recalls(e, "") {
				ended[e.Request.Ref()] = e
			}
		}
	}
	return picked, ended, nil
}

// named picks what --request names. Each has to be open: whoever names a request
// is told why it cannot be run, and nothing is done.
func (a *app) named(ctx context.Context, o *runOptions) ([]*intake.Entry, error) {
	var refs []pipeline.RequestRef
	for _, s := range o.requests {
		ref, err := pipeline.ParseRequestRef(s)
		if err != nil {
			return nil, usage("--request: %w", err)
		}
		refs = append(refs, ref)
	}
	slices.SortFunc(refs, pipeline.RequestRef.Compare)
	var picked []*intake.Entry
	for _, ref := range slices.Compact(refs) {
		e, err := a.requests().Entry(ctx, ref)
		switch {
		case errors.Is(err, intake.ErrUnknown):
			return nil, &coded{exitUsage, err}
		case err != nil:
			return nil, err
		case !e.Open():
			return nil, &coded{exitUsage, notOpen(e)}
		case o.urgent && !e.Request.Urgent:
			return nil, usage("request %s is not urgent: leave out --urgent to run it all the same", ref)
		}
		picked = append(picked, e)
	}
	return picked, nil
}

// notOpen says why no run may take a request, and what to do.
func notOpen(e *intake.Entry) error {
	ref, run := e.Request.Ref(), e.Last.Run
	switch e.State {
	case pipeline.AwaitingApproval:
		return fmt.Errorf("request %[1]s waits for approval of run %[2]s: `expunge approve %[2]s` and `expunge erase %[2]s`, or `expunge cancel %[1]s` "+
			"(a request is in one unapplied manifest at a time)", ref, run)
	case pipeline.InReview:
		return fmt.Errorf("request %s waits for review of run %s: `expunge review %[2]s` lists what a person has to decide, and --decide takes the decisions", ref, run)
	case pipeline.Erasing:
		return fmt.Errorf("request %s is being erased by run %s: `expunge erase %[2]s` goes on with it", ref, run)
	case pipeline.Blocked:
		return fmt.Errorf("request %s is BLOCKED by run %s: %s", ref, run, e.Last.Reason)
	}
	return fmt.Errorf("request %s has ended: it is %s; submit a new one", ref, e.State)
}

// again picks the requests of a run that is resumed.
func (a *app) again(ctx context.Context, h *header) (picked []*intake.Entry, answers map[pipeline.RequestRef]*intake.Entry, err error) {
	of := make(map[pipeline.RequestRef]bool, len(h.Requests))
	for _, ref := range h.Requests {
		of[ref] = true
	}
	answers = map[pipeline.RequestRef]*intake.Entry{}
	ended := 0
	for e, err := range a.requests().Load(ctx) {
		if err != nil {
			return nil, nil, err
		}
		if !of[e.Request.Ref()] {
			if h.Recalls && a.recalls(e, h.Run) {
				answers[e.Request.Ref()] = e
			}
			continue
		}
		if e.Last.Run == h.Run && standsStill(e) {
			a.deferred = append(a.deferred, e)
		}
		withdrawn := e.State == pipeline.Cancelled || e.State == pipeline.Denied
		switch own := e.Last.Run == h.Run; {
		case withdrawn || !own && !e.Open():
			return nil, nil, &coded{exitRefused, fmt.Errorf("run %s: its request %s is %s meanwhile; begin a new run for the others", h.Run, e.Request.Ref(), e.State)}
		case own && e.State != pipeline.Claimed:
			ended++ // concluded by an earlier try
		}
		picked = append(picked, e)
	}
	if len(picked) < len(h.Requests) {
		return nil, nil, &coded{exitRefused, fmt.Errorf("run %s: %d of its %d requests are not in the work store any more; begin a new run", h.Run, len(h.Requests)-len(picked), len(h.Requests))}
	}
	if ended > 0 && ended == len(picked) {
		return nil, nil, nil // all were concluded, last of all: the run has come to its end
	}
	return picked, answers, nil
}

// unsearchable says why a request cannot be searched for under this config, or
// "". Requests are checked when they are taken in, but configs change.
func (a *app) unsearchable(r *pipeline.Request) string {
	if _, ok := a.cfg.Account(r.Account); !ok {
		return fmt.Sprintf("the config names no account %q any more: name it again, or cancel the request", r.Account)
	}
	check := a.check(r)
	for i, id := range r.Identifiers {
		err := check(id)
		if err == nil && !slices.Contains(a.cfg.Kinds, id.Kind) {
			err = errors.New("the config does not name this kind any more")
		}
		if err != nil {
			return fmt.Sprintf("identifiers[%d] of kind %s: %v: mend the config, or cancel the request and submit a right one", i, id.Kind, err)
		}
	}
	return ""
}
