package main

import (
	"fmt"
	"strings"

	"expunge/pipeline"
	"expunge/pipeline/bundle"
	"expunge/pipeline/intake"
	"expunge/pipeline/report"
	"expunge/pipeline/results"
)

// standing is what a run knows of a request at its end.
type standing struct {
	found   results.Span
	totals  *report.Totals
	limited bool           // a limit cut the walk over its links short
	bundle  *bundle.Result // nil where it asks for none
	erase   bool           // whether the manifest has anything of it
	points  int            // data points that confirm who asks …
	needed  int            // … of those that policy asks for
}

// limited reports whether a limit cut the walk over a request's links short.
func (j *job) limited(ref pipeline.RequestRef) bool {
	for _, l := range j.closure.Limited {
		if l.Request == ref {
			return true
		}
	}
	return false
}

// of says where the request stands, why, and what is left to do for it once what
// the state waits for is done. What was not examined and might concern it keeps it
// open; a deletion goes on all the same with what was found.
func (s *standing) of(r *pipeline.Request) (pipeline.State, string, []intake.Left) {
	var open []string
	var left []intake.Left
	leave := func(code string, n int64, one, many, more string) {
		switch {
		case n <= 0:
			return
		case n == 1:
			open = append(open, "1 "+one+more)
		default:
			open = append(open, fmt.Sprintf("%d %s%s", n, many, more))
		}
		left = append(left, intake.Left{Code: code, Count: n})
	}
	ref := r.Ref()
	leave(intake.LeftRefused, s.totals.RefusedAccounts[ref.Account]+s.totals.RefusedAccounts[""],
		"object that may concern it was refused", "objects that may concern it were refused", s.refusals(ref.Account))
	var undeclared int64 // whose they are cannot be told: they may concern every request
	for _, n := range s.totals.Undeclared {
		undeclared += n
	}
	leave(intake.LeftUndeclared, undeclared, "object that no dataset claims was not examined", "objects that no dataset claims were not examined", "")
	leave(intake.LeftStrayed, s.totals.Strayed[ref], "object holds its identifiers in records that belong to no account", "objects hold its identifiers in records that belong to no account", "")
	if b := s.bundle; b != nil {
		leave(intake.LeftCategory, b.Bare, "record is of a dataset that declares no category, so its answer is not complete", "records are of datasets that declare no category, so its answer is not complete", "")
		leave(intake.LeftMissing, b.Missing, "whole object could not be read for its bundle", "whole objects could not be read for its bundle", ": "+b.Why)
	}
	if s.limited {
		left = append(left, intake.Left{Code: intake.LeftLimit})
		open = append(open, "a limit on links was reached")
	}
	why := ""
	if s.points < s.needed {
		why = fmt.Sprintf(": no record holds more than %d of its kinds of identifiers, and data_points asks for %d together", s.points, s.needed)
	}
	leave(intake.LeftReview, s.found.Review, "record waits for review", "records wait for review", why)
	if r.Has(pipeline.OptOut) || r.Has(pipeline.Correct) {
		left = append(left, intake.Left{Code: intake.LeftRight})
		open = append(open, "opt_out and correct are not carried out")
	}
	reason := strings.Join(open, "; ")
	switch {
	case s.erase:
		return pipeline.AwaitingApproval, reason, left
	case s.found.Review > 0:
		return pipeline.InReview, reason, left
	case len(open) > 0:
		return pipeline.Received, reason, left
	}
	return pipeline.Completed, "", nil
}

// namedRefusals is how many refused objects a reason names; objects.parquet has all.
const namedRefusals = 3

// refusals names the first of the refused objects that may concern an account.
func (s *standing) refusals(account string) string {
	var named []string
	n := s.totals.RefusedAccounts[account] + s.totals.RefusedAccounts[""]
	for _, r := range s.totals.Refusals {
		if len(named) == namedRefusals {
			break
		}
		if r.Account == account || r.Account == "" {
			named = append(named, r.Code+" "+r.Object)
		}
	}
	if len(named) == 0 {
		return ""
	}
	more := ""
	if rest := n - int64(len(named)); rest > 0 {
		more = fmt.Sprintf(", and %d more", rest)
	}
	return " (" + strings.Join(named, ", ") + more + ")"
}
