package intake

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"expunge/connectors/mem"
	"expunge/pipeline"
	"expunge/pipeline/seal"
)

func taken(t *testing.T, now *time.Time) (*Requests, *pipeline.Request) {
	t.Helper()
	keys, err := seal.Open(bytes.Repeat([]byte{1}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	s := &Requests{Work: mem.New("work", mem.Options{}), Keys: keys, Now: func() time.Time { return *now }}
	r := &pipeline.Request{
		Version: 1, ID: "R-1", Account: "acme", Rights: []pipeline.Right{pipeline.Delete}, Received: time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC),
		Identifiers: []pipeline.Identifier{{Kind: pipeline.Phone, Value: "+14045550123"}},
	}
	if err := s.Submit(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return s, r
}

// R09: 45 days, and 90 with the one extension, which later events carry on.
func TestDue(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	s, r := taken(t, &now)
	entry := func() *Entry {
		t.Helper()
		e, err := s.Entry(t.Context(), r.Ref())
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	if e := entry(); e.Due().Format(time.DateOnly) != "2027-01-04" || e.DaysLeft(now) != 39 || e.Extended() {
		t.Errorf("due %v, %d days left, extended %v", e.Due(), e.DaysLeft(now), e.Extended())
	}
	if err := s.Append(t.Context(), r.Ref(), Event{State: pipeline.AwaitingApproval, Run: "run-1", Reason: "1 object was refused"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Extend(t.Context(), r, "jo", "three lakes"); err != nil {
		t.Fatal(err)
	}
	e := entry()
	if !e.Due().Equal(r.Received.AddDate(0, 0, 90)) || !e.Extended() {
		t.Errorf("due %v, extended %v", e.Due(), e.Extended())
	}
	if e.State != pipeline.AwaitingApproval || e.Last.Reason != "1 object was refused" || e.Last.Run != "run-1" {
		t.Errorf("an extension changed where the request stands: %+v", e.Last)
	}
	if _, err := s.Extend(t.Context(), r, "jo", "again"); !errors.Is(err, ErrExtended) {
		t.Errorf("extended twice: %v", err)
	}
	for _, state := range []pipeline.State{pipeline.Erasing, pipeline.Completed} {
		if err := s.Append(t.Context(), r.Ref(), Event{State: state}); err != nil {
			t.Fatal(err)
		}
	}
	if e := entry(); !e.Extended() || e.Due().Format(time.DateOnly) != "2027-02-18" {
		t.Errorf("later events lost the extension: %+v", e.Last)
	}
	if late := entry().DaysLeft(time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)); late >= 0 {
		t.Errorf("%d days left after the last", late)
	}
}

// What was withdrawn stays so, whatever a run that still works appends.
func TestWithdrawn(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for range 20 {
		s, r := taken(t, &now)
		var g errgroup.Group
		g.Go(func() error {
			if err := s.Cancel(t.Context(), r.Ref(), "jo", "changed her mind"); err != nil && !errors.Is(err, ErrTooLate) {
				return err
			}
			return nil
		})
		for i := range 4 {
			g.Go(func() error {
				err := s.Append(t.Context(), r.Ref(), Event{State: pipeline.AwaitingApproval, Run: fmt.Sprint(i)})
				if err != nil && !errors.Is(err, ErrWithdrawn) {
					return err
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		e, err := s.Entry(t.Context(), r.Ref())
		if err != nil || e.State != pipeline.Cancelled {
			t.Fatalf("the request is %v, %v", e.State, err)
		}
		if err := s.Append(t.Context(), r.Ref(), Event{State: pipeline.Completed}); !errors.Is(err, ErrWithdrawn) {
			t.Fatalf("it came back: %v", err)
		}
	}
}

// What is being erased, or has ended, cannot be cancelled.
func TestTooLate(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for _, state := range []pipeline.State{pipeline.Erasing, pipeline.Completed} {
		s, r := taken(t, &now)
		if err := s.Append(t.Context(), r.Ref(), Event{State: state}); err != nil {
			t.Fatal(err)
		}
		if err := s.Cancel(t.Context(), r.Ref(), "jo", "x"); !errors.Is(err, ErrTooLate) {
			t.Errorf("cancelled while %s: %v", state, err)
		}
	}
}
