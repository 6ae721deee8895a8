package intake

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"expunge/connectors/mem"
	"expunge/pipeline"
	"expunge/pipeline/seal"
)

// A request that waits is interrupted by what is delivered again, even twice, and stands
// where it stood once that is erased, with all that it waited for. What happens to it
// meanwhile, decisions among it, is not lost.
func TestInterrupted(t *testing.T) {
	keys, err := seal.Open(bytes.Repeat([]byte{1}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	r := &Requests{Work: mem.New("work", mem.Options{}), Keys: keys, Now: func() time.Time { return time.Unix(1_780_000_000, 0) }}
	ref := pipeline.RequestRef{Account: "acme", ID: "R-1"}
	q := &pipeline.Request{Version: 1, ID: ref.ID, Account: ref.Account, Received: r.Now()}
	if err := r.Submit(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	cutoff, until := time.Unix(1_770_000_000, 0).UTC(), time.Unix(1_790_000_000, 0).UTC()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	entry := func() *Entry {
		t.Helper()
		e, err := r.Entry(t.Context(), ref)
		must(err)
		return e
	}
	reopen := func(run string) {
		t.Helper()
		must(r.Reopen(t.Context(), ref, run, entry().Last.N, Event{State: pipeline.AwaitingApproval, Cutoff: &cutoff}))
	}
	must(r.Append(t.Context(), ref, Event{State: pipeline.Erasing, Run: "a"}))
	must(r.Append(t.Context(), ref, Event{State: pipeline.Blocked, Run: "a", Reason: "locked", Left: []Left{{LeftReview, 2}}, Deferred: true, Until: &until, Cutoff: &cutoff}))
	if !entry().Last.Waits() || entry().Open() {
		t.Fatalf("%+v", entry().Last)
	}
	if _, err := r.Extend(t.Context(), q, "jo", "three lakes"); err != nil || !entry().Last.Deferred {
		t.Errorf("an extension forgets that it is deferred: %+v, %v", entry().Last, err)
	}

	reopen("b")
	if e := entry(); e.FollowUp() || e.Last.Waits() || e.Last.Left != nil || e.Last.Deferred || !e.Last.Interrupts("a") || e.Last.Interrupts("b") {
		t.Errorf("%+v", e.Last)
	}
	must(r.Append(t.Context(), ref, Event{State: pipeline.Erasing, Run: "b"}))
	must(r.Append(t.Context(), ref, Event{State: pipeline.Blocked, Run: "b", Reason: "locked, too"}))
	reopen("c")
	var runs []string
	for s := range entry().Last.Standings() {
		runs = append(runs, s.Run)
	}
	if !slices.Equal(runs, []string{"c", "b", "a"}) || entry().Last.Erasing != "a" {
		t.Errorf("it stands with %q, and %q erased", runs, entry().Last.Erasing)
	}
	for range 2 { // twice is no harm
		must(r.Decided(t.Context(), ref, "a", "jo", 2))
	}
	must(r.Decided(t.Context(), ref, "b", "jo", 2)) // nothing of it was in review
	if err := r.Decided(t.Context(), ref, "x", "jo", 2); !errors.Is(err, ErrTaken) {
		t.Errorf("decided on another run's list: %v", err)
	}
	if e := entry(); e.State != pipeline.AwaitingApproval || e.Last.Run != "c" || e.Last.Left != nil {
		t.Errorf("%+v", e.Last)
	}

	for _, run := range []string{"b", "a"} {
		must(r.Append(t.Context(), ref, entry().Last.Before.Event()))
		if e := entry(); e.State != pipeline.Blocked || e.Last.Run != run {
			t.Errorf("it is %s, with run %s", e.State, e.Last.Run)
		}
	}
	e := entry()
	if e.Last.Before != nil || e.Last.Reason != "locked" || !e.Last.Deferred || !e.Last.Until.Equal(until) || !slices.Equal(e.Last.Left, []Left{{LeftDecided, 2}}) || !e.Last.Waits() {
		t.Errorf("%+v", e.Last)
	}
}

// What waited for a person alone, and was decided on meanwhile, is open after it.
func TestDecidedMeanwhile(t *testing.T) {
	s := &Standing{Run: "b", State: pipeline.Blocked, Before: &Standing{Run: "a", State: pipeline.InReview, Reason: "1 record waits for review", Left: []Left{{LeftReview, 1}}}}
	got := s.decided("a", 1)
	e := got.Before.Event()
	if got.Run != "b" || e.State != pipeline.Received || !e.open() || e.Left[0] != (Left{LeftDecided, 1}) || s.Before.State != pipeline.InReview {
		t.Errorf("%+v, before it %+v", got, got.Before)
	}
	if s.decided("b", 1) != nil || s.decided("x", 1) != nil {
		t.Error("there was nothing to decide on")
	}
}
