package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"expunge/pipeline"
	"expunge/pipeline/intake"
	"expunge/pipeline/manifest"
)

// standsStill reports whether an erasure that has begun, or is approved, may have been
// interrupted: where somebody is at work on it, it has not.
func standsStill(e *intake.Entry) bool {
	return e.State == pipeline.Erasing || e.State == pipeline.AwaitingApproval
}

// waitsOutside reports whether an erasure that has begun waits for what is not in our
// hands: a store, another erasure, or the end of a legal hold.
func waitsOutside(e *intake.Entry) bool {
	return e.State == pipeline.Blocked && (e.Last.Deferred || waitsForHold(e))
}

// goOn looks after erasures that were interrupted, or wait for a store, for what others erase, or for
// the end of a hold, and that may go on: where policy erases without being asked they do, under the approval that
// they have; else a person is told. any says whether something was erased, or tried to;
// ended is the gravest end of those that did not come to theirs.
func (a *app) goOn(ctx context.Context, workers int) (any bool, ended, err error) {
	due := map[string][]*intake.Entry{} // by run
	for _, e := range a.deferred {
		switch {
		case standsStill(e):
			goes, err := a.mayGoOn(ctx, e)
			if err != nil {
				return any, ended, err
			}
			if !goes {
				continue
			}
		case e.Last.Deferred:
			if e.Last.Until != nil && e.Last.Until.After(a.now()) {
				continue
			}
		default:
			holds, err := a.allHolds(ctx, e.Last.Holds)
			if err != nil {
				return any, ended, err
			}
			if a.stillHeld(holds, e) {
				continue
			}
		}
		due[e.Last.Run] = append(due[e.Last.Run], e)
	}
	for _, run := range slices.Sorted(maps.Keys(due)) {
		if a.cfg.Policy.Approval != "automatic" {
			for _, e := range due[run] {
				why := "a legal hold has kept an erasure back, and is removed"
				if e.Last.Deferred {
					why = "an erasure that had to wait may go on by now"
				}
				if standsStill(e) {
					why = "an erasure was interrupted, and stands still"
					ended = worse(ctx, ended, &coded{exitIncomplete, fmt.Errorf("the erasure of run %s was interrupted, and nobody is at work on it: `expunge erase %s` goes on with it", run, run)})
				}
				a.flags.log().Info(why, "request", e.Request.Ref().String(), "command", "expunge erase "+run)
			}
			continue
		}
		err := a.erase(ctx, run, nil, workers)
		if ctx.Err() != nil {
			return any, ended, ctx.Err()
		}
		any = true
		if c := (*coded)(nil); errors.As(err, &c) && c.code == exitIncomplete {
			a.flags.log().Info("an erasure still has to wait", "run", run, "reason", err)
		} else if err != nil { // the night has others to serve; where the request stands says the rest
			a.flags.log().Warn("an erasure that had to wait could not go on to its end", "run", run, "err", err)
		}
		ended = worse(ctx, ended, err)
	}
	return any, ended, nil
}

// mayGoOn reports whether an erasure that stands still is one for us to go on with: one that
// has begun, or, where nobody is asked, one that is approved; and on which nobody is at work.
func (a *app) mayGoOn(ctx context.Context, e *intake.Entry) (bool, error) {
	automatic := a.cfg.Policy.Approval == "automatic"
	if e.State == pipeline.AwaitingApproval {
		if !automatic {
			return false, nil
		}
		m, err := manifest.Read(ctx, a.work, a.keys, e.Last.Run)
		if err != nil {
			return false, err
		}
		approved, err := manifest.Approvals(ctx, a.work, a.keys, a.approvers(), m, e.Last.Approvals)
		if err != nil || !approved.Any() {
			return false, err
		}
	} else if !automatic && e.Last.Reason != "" {
		return false, nil // it waits for what a person has to do, and says so
	}
	busy, err := a.claims().Busy(ctx, e.Last.Run)
	return !busy, err
}

// gravity orders exit codes: what is left and should not be before what was refused, and
// that before what failed.
var gravity = []int{exitDone, exitIncomplete, exitUsage, exitFailed, exitRefused, exitResidue, exitInterrupted}

// worse is the graver of two ends, the first of equals.
func worse(ctx context.Context, a, b error) error {
	grave := func(err error) int {
		if err == nil {
			return 0
		}
		return slices.Index(gravity, exitCode(ctx, err))
	}
	if grave(b) > grave(a) {
		return b
	}
	return a
}
