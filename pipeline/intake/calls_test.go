package intake

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"expunge/connectors/count"
	"expunge/connectors/mem"
	"expunge/pipeline"
	"expunge/pipeline/seal"
)

// A night's requests are found by one listing, and each takes two reads and one
// write an event, however many there are.
func TestCallsOfANight(t *testing.T) {
	keys, err := seal.Open(bytes.Repeat([]byte{3}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	ctx, now := t.Context(), func() time.Time { return time.Unix(1_780_000_000, 0) }
	store := mem.New("work", mem.Options{})
	const n = 1300 // more than two chunks
	ref := func(i int) pipeline.RequestRef {
		return pipeline.RequestRef{Account: fmt.Sprint("a", i%7), ID: fmt.Sprintf("R-%05d", i)}
	}
	first := &Requests{Work: store, Keys: keys, Now: now}
	for i := range n {
		r := &pipeline.Request{Version: 1, ID: ref(i).ID, Account: ref(i).Account, Identifiers: []pipeline.Identifier{{Kind: pipeline.Email, Value: "jane@example.com"}}}
		if err := first.Submit(ctx, r); err != nil {
			t.Fatal(err)
		}
		if err := first.Append(ctx, r.Ref(), Event{State: pipeline.Received, Note: "seen"}); err != nil {
			t.Fatal(err)
		}
	}
	var calls count.Calls
	night := &Requests{Work: count.New(store, &calls), Keys: keys, Now: now}
	var entries []*Entry
	for e, err := range night.Load(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) > 0 && entries[len(entries)-1].Request.Ref().Compare(e.Request.Ref()) >= 0 {
			t.Errorf("%s comes after %s", e.Request.Ref(), entries[len(entries)-1].Request.Ref())
		}
		entries = append(entries, e)
	}
	if got := calls.Counts(); len(entries) != n || got.Lists != 1 || got.Opens != 2*n {
		t.Errorf("%d of %d requests by %d listings and %d reads", len(entries), n, got.Lists, got.Opens)
	}
	for _, e := range entries {
		if err := errors.Join(night.Claim(ctx, e.Request.Ref(), "run"), night.Conclude(ctx, e.Request.Ref(), "run", Event{State: pipeline.Completed})); err != nil {
			t.Fatal(err)
		}
	}
	if got := calls.Counts(); got.Lists != 1 || got.Opens != 2*n || got.Creates != 2*n {
		t.Errorf("claimed and concluded by %d listings, %d reads and %d writes", got.Lists, got.Opens, got.Creates)
	}
}

// What was noted by others since is never overwritten, and never overlooked.
func TestRememberedEventsAreNotTrusted(t *testing.T) {
	keys, err := seal.Open(bytes.Repeat([]byte{3}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	ctx, now := t.Context(), func() time.Time { return time.Unix(1_780_000_000, 0) }
	store := mem.New("work", mem.Options{})
	ours, theirs := &Requests{Work: store, Keys: keys, Now: now}, &Requests{Work: store, Keys: keys, Now: now}
	for i, c := range []struct {
		name  string
		since func(ref pipeline.RequestRef) error // what others note after we have looked
		want  error
		n     int // events at the end
	}{
		{"nothing", func(pipeline.RequestRef) error { return nil }, nil, 1},
		{"withdrawn", func(ref pipeline.RequestRef) error { return theirs.Cancel(ctx, ref, "jo", "") }, ErrWithdrawn, 1},
		{"taken and ended", func(ref pipeline.RequestRef) error {
			return errors.Join(theirs.Claim(ctx, ref, "other"), theirs.Conclude(ctx, ref, "other", Event{State: pipeline.Completed}))
		}, ErrNotOpen, 2},
		{"noted", func(ref pipeline.RequestRef) error { return theirs.Note(ctx, ref, "jo", "called") }, nil, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &pipeline.Request{Version: 1, ID: fmt.Sprint("R-", i), Account: "acme"}
			if err := ours.Submit(ctx, r); err != nil {
				t.Fatal(err)
			}
			if _, err := ours.Entry(ctx, r.Ref()); err != nil {
				t.Fatal(err)
			}
			if err := c.since(r.Ref()); err != nil {
				t.Fatal(err)
			}
			if err := ours.Claim(ctx, r.Ref(), "run"); !errors.Is(err, c.want) {
				t.Errorf("claim: %v, want %v", err, c.want)
			}
			e, err := theirs.Entry(ctx, r.Ref())
			if err != nil || e.Last.N != c.n || c.want == nil && e.State != pipeline.Claimed {
				t.Errorf("ends as %s after %d events (%v), want %d", e.State, e.Last.N, err, c.n)
			}
		})
	}
	// It was not open when we looked, and is now.
	r := &pipeline.Request{Version: 1, ID: "R-again", Account: "acme"}
	err = errors.Join(ours.Submit(ctx, r), ours.Claim(ctx, r.Ref(), "before"), ours.Conclude(ctx, r.Ref(), "before", Event{State: pipeline.AwaitingApproval}),
		theirs.Append(ctx, r.Ref(), Event{State: pipeline.Received}))
	if err != nil {
		t.Fatal(err)
	}
	if err := ours.Claim(ctx, r.Ref(), "run"); err != nil {
		t.Errorf("claim: %v", err)
	}
}
