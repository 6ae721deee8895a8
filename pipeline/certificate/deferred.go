package certificate

import (
	"fmt"

	"expunge/pipeline/journal"
)

// Deferred says what a request waits for whose open versions the store defers, all of
// them: a search would find them again, and could do no more. "" where there are none,
// or others are open, too.
func (b *Body) Deferred() string {
	n, until := 0, ""
	for i := range b.Open {
		o := &b.Open[i]
		if !journal.State(o.State).Deferred() {
			return ""
		}
		n++
		until = max(until, o.Until) // of one form, in UTC
	}
	if n == 0 {
		return ""
	}
	why := fmt.Sprintf("the store defers the erasure of %d object versions: %s; %s", n, b.Open[0].Reason, b.Open[0].Trigger)
	if n > 1 && until != "" {
		why += "; the last retention ends " + until
	}
	return why
}
