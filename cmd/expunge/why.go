package main

import (
	"fmt"
	"slices"
	"strings"

	"expunge/pipeline"
	"expunge/pipeline/hold"
	"expunge/pipeline/intake"
)

// why says why a request stands where it does, and what a person does next, of which run.
// approved says that nobody need be asked any more. What a run has noted of it may have been overtaken since, by decisions or by the end of a hold.
func (a *app) why(e *intake.Entry, holds []*hold.Hold, approved bool) string {
	last := &e.Last
	said := last.Reason
	if decided := leaves(last, intake.LeftDecided); !e.State.Ended() && (decided || said == "") { // it says what was left before, or an erasure has gone on to that
		said = unsettled(last.Left)
	}
	switch e.State {
	case pipeline.Claimed:
		return "run " + last.Run + " has it"
	case pipeline.InReview:
		return and(said, "review run "+last.Run)
	case pipeline.AwaitingApproval:
		do := "approve and erase run " + last.Run
		if approved {
			do = fmt.Sprintf("run %[1]s is approved: the next run erases it, or `expunge erase %[1]s` now, and says what holds it back", last.Run)
		} else if leaves(last, intake.LeftDecided) {
			do += ", the next run then takes them"
		} else if leaves(last, intake.LeftReview) {
			do = "review, approve and erase run " + last.Run
		}
		return and(said, do)
	case pipeline.Erasing:
		if last.Reason == "" {
			if a.cfg.Policy.Approval == "automatic" {
				return and(said, fmt.Sprintf("the next run goes on with it, or `expunge erase %s` now", last.Run))
			}
			return and(said, fmt.Sprintf("`expunge erase %s` goes on", last.Run))
		}
		return last.Reason
	case pipeline.Blocked:
		switch {
		case !waitsForHold(e):
			return last.Reason
		case a.stillHeld(holds, e) && last.Reason != keptByHold:
			return and(strings.TrimSuffix(last.Reason, keptBeside), fmt.Sprintf("erase run %s again when the hold is removed", last.Run))
		case a.stillHeld(holds, e):
			return fmt.Sprintf("a legal hold keeps records of it: erase run %s again when it is removed", last.Run)
		}
		if a.cfg.Policy.Approval == "automatic" {
			return fmt.Sprintf("the hold was removed: the next run erases it, or `expunge erase %s` now", last.Run)
		}
		return fmt.Sprintf("the hold was removed: erase run %s again", last.Run)
	case pipeline.Received:
		if last.Run != "" {
			return and(said, "the next run takes it")
		}
	}
	return said
}

// waitsForHold reports whether a request is BLOCKED until a hold is removed.
func waitsForHold(e *intake.Entry) bool {
	_, beside := heldBeside(e.Last.Reason)
	return e.State == pipeline.Blocked && (e.Last.Reason == keptByHold || beside)
}

// heldBeside is the hold that a request waits for which does not name it, but what else
// stands there.
func heldBeside(reason string) (n int, ok bool) {
	_, err := fmt.Sscanf(reason, "hold %d names ", &n)
	return n, err == nil && strings.HasSuffix(reason, keptBeside)
}

// stillHeld reports whether a hold stands that a request waits for.
func (a *app) stillHeld(all []*hold.Hold, e *intake.Entry) bool {
	if n, beside := heldBeside(e.Last.Reason); beside {
		return slices.ContainsFunc(all, func(h *hold.Hold) bool { return h.N == n && h.Removed == nil })
	}
	return a.isHeld(all, e)
}

// leaves reports whether a run has left something of a code.
func leaves(e *intake.Event, code string) bool {
	return slices.ContainsFunc(e.Left, func(l intake.Left) bool { return l.Code == code })
}

// unsettled says in few words what a run has left.
func unsettled(left []intake.Left) string {
	var out []string
	for _, l := range left {
		switch l.Code {
		case intake.LeftRefused:
			out = append(out, pipeline.Count(l.Count, "object was", "objects were")+" refused")
		case intake.LeftUndeclared:
			out = append(out, pipeline.Count(l.Count, "object is", "objects are")+" of no dataset")
		case intake.LeftReview:
			out = append(out, pipeline.Count(l.Count, "record waits", "records wait")+" for review")
		case intake.LeftDecided:
			out = append(out, pipeline.Count(l.Count, "record", "records")+" decided")
		case intake.LeftCategory:
			out = append(out, pipeline.Count(l.Count, "record is", "records are")+" of no declared category")
		case intake.LeftMissing:
			out = append(out, pipeline.Count(l.Count, "whole object", "whole objects")+" could not be read for its bundle")
		case intake.LeftStrayed:
			out = append(out, pipeline.Count(l.Count, "object holds", "objects hold")+" its identifiers in records that belong to no account")
		case intake.LeftLimit:
			out = append(out, "a limit on links was reached")
		case intake.LeftRight:
			out = append(out, "opt_out and correct are not carried out")
		}
	}
	return strings.Join(out, "; ")
}

// and joins what is known with what to do.
func and(said, do string) string {
	if said == "" {
		return do
	}
	return said + ": " + do
}
