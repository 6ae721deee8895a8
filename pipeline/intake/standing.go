package intake

import (
	"iter"
	"time"

	"expunge/pipeline"
)

// Standing is where a request stands that waits for a person or for a store, while a run
// that it does not wait for erases what was delivered again.
type Standing struct {
	Run      string         `json:"run"`
	State    pipeline.State `json:"state"`
	Reason   string         `json:"reason,omitempty"`
	Left     []Left         `json:"left,omitempty"`
	Deferred bool           `json:"deferred,omitempty"`
	Until    *time.Time     `json:"until,omitempty"`
	Before   *Standing      `json:"before,omitempty"` // that run may have been interrupted itself
}

// Waits reports whether something of the request was erased, and the rest waits for a
// person or a store: what is delivered again meanwhile need not.
func (e *Event) Waits() bool {
	return e.Cutoff != nil && (e.State == pipeline.InReview || e.State == pipeline.Blocked && !e.open())
}

// Standings yields where the request stands, and then what that has interrupted.
func (e *Event) Standings() iter.Seq[*Standing] {
	return func(yield func(*Standing) bool) {
		for s := e.Standing(); s != nil && yield(s); s = s.Before {
		}
	}
}

// Standing is where the request stands.
func (e *Event) Standing() *Standing {
	return &Standing{e.Run, e.State, e.Reason, e.Left, e.Deferred, e.Until, e.Before}
}

// Event is what brings the request back there.
func (s *Standing) Event() Event {
	return Event{Run: s.Run, State: s.State, Reason: s.Reason, Left: s.Left, Deferred: s.Deferred, Until: s.Until, Before: s.Before}
}

// Interrupts reports whether the run that has the request erases what was delivered
// again, while the request waits for what run has found.
func (e *Event) Interrupts(run string) bool {
	for s := range e.Standings() {
		if s.Run == run {
			return e.Run != run
		}
	}
	return false
}

// decided is s with what waited for review of run taken for decided, nil where nothing did.
func (s *Standing) decided(run string, n int64) *Standing {
	if s == nil {
		return nil
	}
	out := *s
	if s.Run != run {
		if out.Before = s.Before.decided(run, n); out.Before == nil {
			return nil
		}
		return &out
	}
	left, waits := decidedLeft(s.Left, n)
	if !waits {
		return nil
	}
	if out.Left = left; s.State == pipeline.InReview {
		out.State, out.Reason = pipeline.Received, wasDecided
	}
	return &out
}
