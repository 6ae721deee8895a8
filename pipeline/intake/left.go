package intake

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"expunge/pipeline"
)

// Errors of runs that are too late.
var (
	// ErrNotOpen says that a request stands where no run may take it.
	ErrNotOpen = errors.New("the request is not open for a run")
	// ErrTaken says that another run has had the request since.
	ErrTaken = errors.New("another run has had the request since")

	errAsIs = errors.New("nothing to note")
)

// Left is something that a run could not settle for a request.
type Left struct {
	Code  string `json:"code"`
	Count int64  `json:"count,omitempty"`
}

// Codes of what is left.
const (
	LeftRefused    = "REFUSED"    // objects that may concern it were refused
	LeftUndeclared = "UNDECLARED" // objects that no dataset claims may concern it
	LeftCategory   = "CATEGORY"   // it asks to know, and records are of no declared category
	LeftMissing    = "MISSING"    // whole objects could not be read for its bundle
	LeftStrayed    = "STRAYED"    // objects hold its identifiers in records that belong to no account
	LeftLimit      = "LIMIT"      // a limit cut the walk over links short
	LeftReview     = "REVIEW"     // records wait for a person
	LeftDecided    = "DECIDED"    // what waited for a person was decided: a run acts on it
	LeftRight      = "RIGHT"      // it asks for a right that is not carried out
	LeftIdentifier = "IDENTIFIER" // an identifier of its own cannot be looked for: nothing was
)

// Again reports whether the request has to be searched for again: something was
// left that no approval and no review settles.
func (e *Event) Again() bool {
	for _, l := range e.Left {
		if l.Code != LeftReview {
			return true
		}
	}
	return false
}

// Applied is where a request stands after what it waited for was done (its
// manifest was applied, its bundle was delivered), by what the run had left: to be
// searched for again, waiting for review, or completed.
func (e *Event) Applied() pipeline.State {
	switch {
	case e.Again():
		return pipeline.Received
	case len(e.Left) > 0:
		return pipeline.InReview
	}
	return pipeline.Completed
}

// Claim notes that run has the request, which it must have claimed. A run that is
// resumed may have noted that before, and even how the request stands at its end:
// then all stays as it is. It fails with ErrNotOpen, or ErrWithdrawn, where the
// request's state changed since it was picked.
func (s *Requests) Claim(ctx context.Context, ref pipeline.RequestRef, run string) error {
	err := s.append(ctx, ref, func(last Event) (Event, error) {
		switch {
		case last.Run == run:
			return Event{}, errAsIs
		case !last.open():
			return Event{}, fmt.Errorf("request %s is %s: %w", ref, last.State, ErrNotOpen)
		}
		return Event{State: pipeline.Claimed, Run: run, Left: last.Left}, nil
	})
	if errors.Is(err, errAsIs) {
		return nil
	}
	return err
}

// Conclude notes how a request stands at the end of run. What an earlier try of
// the run noted stays, and so does what has followed it. It fails with ErrTaken
// where another run has noted something since, and with ErrWithdrawn.
func (s *Requests) Conclude(ctx context.Context, ref pipeline.RequestRef, run string, e Event) error {
	err := s.append(ctx, ref, func(last Event) (Event, error) {
		switch {
		case last.Run != run:
			return Event{}, fmt.Errorf("request %s: %w", ref, ErrTaken)
		case last.State != pipeline.Claimed:
			return Event{}, errAsIs
		}
		e.Run = run
		return e, nil
	})
	if errors.Is(err, errAsIs) {
		return nil
	}
	return err
}

// Reopen notes that run has found again what was erased for a request that was answered,
// or waits: e says where it stands now, and up to when records are the deletion's. One that
// waits stands there again once what was found is erased. It fails with ErrTaken where
// the request is not as it was any more, but by this run. seen is the number of the event
// that was its last when the run began.
func (s *Requests) Reopen(ctx context.Context, ref pipeline.RequestRef, run string, seen int, e Event) error {
	err := s.append(ctx, ref, func(last Event) (Event, error) {
		switch {
		case last.Run == run && (last.FollowUp || last.Before != nil):
			return Event{}, errAsIs // an earlier try of the run has noted it, and perhaps erased it
		case !last.Answered() && !last.Waits() || last.N != seen:
			return Event{}, fmt.Errorf("request %s: %w", ref, ErrTaken)
		}
		e := e
		if e.Run = run; last.Answered() {
			e.FollowUp = true
		} else {
			e.Before = last.Standing()
		}
		return e, nil
	})
	if errors.Is(err, errAsIs) {
		return nil
	}
	return err
}

// Answered reports whether the request is answered in full, but perhaps for what was
// delivered again and a person has not decided on yet.
func (e *Event) Answered() bool {
	return e.State == pipeline.Completed || e.State == pipeline.InReview && e.FollowUp
}

// Decided notes that all n records that run has left for review were decided on, by
// whom. A request that waited for that alone is open for a run again; of one whose
// manifest is not applied yet, or of which another run erases what was delivered again, the
// next run acts on it once that is done. It fails with ErrTaken where another run has had
// the request since for all of it, and with ErrWithdrawn.
func (s *Requests) Decided(ctx context.Context, ref pipeline.RequestRef, run, by string, n int64) error {
	err := s.append(ctx, ref, func(last Event) (Event, error) {
		if last.Run != run {
			if !last.Interrupts(run) {
				return Event{}, fmt.Errorf("request %s: %w", ref, ErrTaken)
			}
			before := last.Before.decided(run, n)
			if before == nil {
				return Event{}, errAsIs
			}
			return Event{State: last.State, Run: last.Run, By: by, Reason: last.Reason, Note: wasDecided, Left: last.Left, Before: before}, nil
		}
		left, waits := decidedLeft(last.Left, n)
		if !waits || last.State == pipeline.Received || last.State == pipeline.Claimed || last.State.Ended() {
			return Event{}, errAsIs
		}
		if last.State == pipeline.InReview { // what is left stays noted: to erase run's manifest once more settles nothing
			return Event{State: pipeline.Received, Run: run, By: by, Reason: wasDecided, Left: left}, nil
		}
		return Event{State: last.State, Run: run, By: by, Reason: last.Reason, Note: wasDecided, Left: left}, nil
	})
	if errors.Is(err, errAsIs) {
		return nil
	}
	return err
}

const wasDecided = "what waited for review was decided on: the next run acts on it"

// decidedLeft is what a run has left once the n records that waited for review are decided
// on; waits says whether any did.
func decidedLeft(left []Left, n int64) (out []Left, waits bool) {
	i := slices.IndexFunc(left, func(l Left) bool { return l.Code == LeftReview })
	if i < 0 {
		return left, false
	}
	out = slices.Clone(left)
	out[i] = Left{Code: LeftDecided, Count: n}
	return out, true
}

// Open reports whether a run may take the request: it was received, or a run had
// it that came to no end, or it was blocked by an identifier that may be right by now.
// Whatever waits for a person does not: a request is in one unapplied manifest at a
// time.
func (e *Entry) Open() bool {
	last := e.Last
	last.State = e.State // of a request without any event
	return last.open()
}

func (e *Event) open() bool {
	switch e.State {
	case pipeline.Received, pipeline.Claimed:
		return true
	case pipeline.Blocked: // in no manifest only where it was not searched for
		return slices.ContainsFunc(e.Left, func(l Left) bool { return l.Code == LeftIdentifier })
	}
	return false
}
