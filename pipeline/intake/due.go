package intake

import (
	"context"
	"errors"
	"fmt"
	"time"

	"expunge/pipeline"
)

// Days from a request's receipt by the account (R10) to its answer: by law, and
// with the one extension that the law allows (R09).
const (
	answerDays   = 45
	extendedDays = 90
)

// ErrExtended says that a request was extended before: there is no second time.
var ErrExtended = errors.New("it was extended once, and a second extension is not allowed (11 CCR 7021(b))")

// Due is when a request has to be answered that was not extended.
func Due(r *pipeline.Request) time.Time { return r.Received.AddDate(0, 0, answerDays) }

func days(d time.Duration) int { return int(d.Hours() / 24) }

// Due is when the request has to be answered, its extension counted.
func (e *Entry) Due() time.Time {
	if e.Last.Due != nil {
		at := e.Request.Received
		d := e.Last.Due.Time
		return time.Date(d.Year(), d.Month(), d.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), at.Location())
	}
	return Due(e.Request)
}

// DaysLeft is how many whole days are left until Due; negative when it is late.
func (e *Entry) DaysLeft(now time.Time) int { return days(e.Due().Sub(now)) }

// Extended reports whether the request was extended.
func (e *Entry) Extended() bool { return e.Last.Due != nil }

// Extend notes the one extension of a request, to 90 days from its receipt, and
// returns the new date. The state stays as it is. It fails with ErrExtended the
// second time, and with ErrWithdrawn when the request was withdrawn.
func (s *Requests) Extend(ctx context.Context, r *pipeline.Request, by, reason string) (time.Time, error) {
	due := r.Received.AddDate(0, 0, extendedDays)
	err := s.append(ctx, r.Ref(), func(last Event) (Event, error) {
		switch {
		case last.Due != nil:
			return Event{}, fmt.Errorf("request %s: %w", r.Ref(), ErrExtended)
		case last.State.Ended():
			return Event{}, fmt.Errorf("request %s is %s: there is nothing to extend", r.Ref(), last.State)
		}
		return Event{State: last.State, Run: last.Run, By: by, Reason: last.Reason, Left: last.Left, Note: "extended: " + reason, Due: &pipeline.Date{Time: due}}, nil
	})
	return due, err
}

// ErrTooLate says that a request cannot be cancelled any more.
var ErrTooLate = errors.New("it is too late to cancel")

// Cancel notes that a request was withdrawn. What is being erased, and what has
// ended, cannot be: ErrTooLate.
func (s *Requests) Cancel(ctx context.Context, ref pipeline.RequestRef, by, reason string) error {
	return s.append(ctx, ref, func(last Event) (Event, error) {
		if last.State.Ended() || last.State == pipeline.Erasing || last.Erasing != "" {
			return Event{}, fmt.Errorf("request %s is %s: %w", ref, last.State, ErrTooLate)
		}
		return Event{State: pipeline.Cancelled, Run: last.Run, By: by, Reason: reason}, nil
	})
}

// Note notes something that happened to a request without changing where it
// stands, such as the release of its bundle.
func (s *Requests) Note(ctx context.Context, ref pipeline.RequestRef, by, note string) error {
	return s.append(ctx, ref, func(last Event) (Event, error) {
		return Event{State: last.State, Run: last.Run, By: by, Reason: last.Reason, Left: last.Left, Note: note}, nil
	})
}

// Approved notes that approval n of a run's manifest was given, so that it is missed if it
// is lost. It does nothing where another run has the request by now.
func (s *Requests) Approved(ctx context.Context, ref pipeline.RequestRef, run, by string, n int) error {
	err := s.append(ctx, ref, func(last Event) (Event, error) {
		if last.Run != run {
			return Event{}, errTaken
		}
		return Event{State: last.State, Run: last.Run, By: by, Reason: last.Reason, Left: last.Left, Note: fmt.Sprintf("approval %d", n), Approvals: n}, nil
	})
	if errors.Is(err, errTaken) || errors.Is(err, ErrWithdrawn) {
		return nil
	}
	return err
}

var errTaken = errors.New("another run has the request")
