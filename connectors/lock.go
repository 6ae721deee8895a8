package connectors

import (
	"fmt"
	"time"
)

// LockError is an ErrHeld of which the store says more: a retention that ends at a
// time, or a legal hold that somebody has to lift, or both.
type LockError struct {
	Mode  string    // of the retention, as the vendor writes it; "" where there is none
	Until time.Time // when the retention ends; zero where nobody can say
	Hold  bool      // a legal hold
}

// Error implements error.
func (e *LockError) Error() string {
	switch {
	case e.Hold && e.Mode != "":
		return fmt.Sprintf("%v: a legal hold, and %s retention until %s", ErrHeld, e.Mode, e.Until.UTC().Format(time.RFC3339))
	case e.Hold:
		return fmt.Sprintf("%v: a legal hold", ErrHeld)
	case e.Mode != "":
		return fmt.Sprintf("%v: %s retention until %s", ErrHeld, e.Mode, e.Until.UTC().Format(time.RFC3339))
	}
	return fmt.Sprintf("%v, which the store does not show", ErrHeld)
}

// Unwrap makes it an ErrHeld.
func (e *LockError) Unwrap() error { return ErrHeld }
