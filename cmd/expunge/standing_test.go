package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"expunge/pipeline"
	"expunge/pipeline/bundle"
	"expunge/pipeline/intake"
	"expunge/pipeline/report"
	"expunge/pipeline/results"
)

// TestStanding: nothing that was left unexamined and may concern a request lets it
// be COMPLETED, and the reason says what it is.
func TestStanding(t *testing.T) {
	ref := pipeline.RequestRef{Account: "acme", ID: "R-1"}
	refused := func(accounts ...string) report.Totals {
		totals := report.Totals{RefusedAccounts: map[string]int64{}}
		for i, a := range accounts {
			totals.RefusedAccounts[a]++
			totals.Refusals = append(totals.Refusals, report.Refusal{Object: "s3://lake/" + string(rune('a'+i)) + "%2Fx", Account: a, Code: "CORRUPT"})
		}
		return totals
	}
	left := func(code string, n int64) []intake.Left { return []intake.Left{{Code: code, Count: n}} }
	for _, c := range []struct {
		name   string
		rights []pipeline.Right
		standing
		totals report.Totals
		state  pipeline.State
		reason string
		left   []intake.Left
	}{
		{name: "all was examined", state: pipeline.Completed},
		{name: "all was examined, delete", rights: []pipeline.Right{pipeline.Access, pipeline.Delete}, standing: standing{erase: true}, state: pipeline.AwaitingApproval},
		{name: "delete, and nothing was found", rights: []pipeline.Right{pipeline.Delete}, state: pipeline.Completed},
		{name: "delete, nothing was found, and not all was examined", rights: []pipeline.Right{pipeline.Delete}, totals: refused("acme"), state: pipeline.Received,
			reason: "1 object that may concern it was refused (CORRUPT s3://lake/a%2Fx)", left: left(intake.LeftRefused, 1)},
		{name: "refused", totals: refused("acme", "other"), state: pipeline.Received,
			reason: "1 object that may concern it was refused (CORRUPT s3://lake/a%2Fx)", left: left(intake.LeftRefused, 1)},
		{name: "refused, of any account, delete", rights: []pipeline.Right{pipeline.Delete}, standing: standing{erase: true}, totals: refused("", "acme", "other", "acme", "acme"), state: pipeline.AwaitingApproval,
			reason: "4 objects that may concern it were refused (CORRUPT s3://lake/a%2Fx, CORRUPT s3://lake/b%2Fx, CORRUPT s3://lake/d%2Fx, and 1 more)", left: left(intake.LeftRefused, 4)},
		{name: "refused, of another account", totals: refused("other"), state: pipeline.Completed},
		{name: "undeclared", totals: report.Totals{Undeclared: map[string]int64{"lake/tmp": 2, "lake/x": 1}}, state: pipeline.Received,
			reason: "3 objects that no dataset claims were not examined", left: left(intake.LeftUndeclared, 3)},
		{name: "undeclared, delete", rights: []pipeline.Right{pipeline.Delete}, standing: standing{erase: true}, totals: report.Totals{Undeclared: map[string]int64{"lake/x": 1}}, state: pipeline.AwaitingApproval,
			reason: "1 object that no dataset claims was not examined", left: left(intake.LeftUndeclared, 1)},
		{name: "strayed", totals: report.Totals{Strayed: map[pipeline.RequestRef]int64{ref: 1, {Account: "acme", ID: "R-2"}: 4}}, state: pipeline.Received,
			reason: "1 object holds its identifiers in records that belong to no account", left: left(intake.LeftStrayed, 1)},
		{name: "missing from the bundle", standing: standing{bundle: &bundle.Result{Missing: 2, Why: "1 CHANGED, 1 VANISHED"}}, state: pipeline.Received,
			reason: "2 whole objects could not be read for its bundle: 1 CHANGED, 1 VANISHED", left: left(intake.LeftMissing, 2)},
		{name: "limited", standing: standing{limited: true}, state: pipeline.Received,
			reason: "a limit on links was reached", left: left(intake.LeftLimit, 0)},
		{name: "to review", standing: standing{found: results.Span{Review: 2}}, state: pipeline.InReview,
			reason: "2 records wait for review", left: left(intake.LeftReview, 2)},
		{name: "to review and refused", standing: standing{found: results.Span{Review: 1}}, totals: refused("acme"), state: pipeline.InReview,
			reason: "1 object that may concern it was refused (CORRUPT s3://lake/a%2Fx); 1 record waits for review",
			left:   append(left(intake.LeftRefused, 1), left(intake.LeftReview, 1)...)},
		{name: "a right that is not carried out", rights: []pipeline.Right{pipeline.Access, pipeline.OptOut}, state: pipeline.Received,
			reason: "opt_out and correct are not carried out", left: left(intake.LeftRight, 0)},
	} {
		r := &pipeline.Request{Account: ref.Account, ID: ref.ID, Rights: c.rights}
		if c.rights == nil {
			r.Rights = []pipeline.Right{pipeline.Access}
		}
		c.standing.totals = &c.totals
		state, reason, left := c.of(r)
		if state != c.state || reason != c.reason {
			t.Errorf("%s: %s %q, want %s %q", c.name, state, reason, c.state, c.reason)
		}
		if diff := cmp.Diff(c.left, left); diff != "" {
			t.Errorf("%s: left (-want +got):\n%s", c.name, diff)
		}
	}
}
