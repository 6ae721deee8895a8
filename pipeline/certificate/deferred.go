package certificate

import (
	"fmt"
	"time"

	"expunge/pipeline"
	"expunge/pipeline/journal"
)

// Deferred says what a request waits for whose open versions the store keeps from us,
// all of them: a search would find them again, and could do no more. "" where there are
// none, or others are open, too; what follows those has no say.
func (b *Body) Deferred() string {
	until, n := "", 0
	var one *Open
	for i := range b.Open {
		o := &b.Open[i]
		if o.Code == journal.Follows {
			continue
		}
		if o.Trigger == "" {
			return ""
		}
		if n++; one == nil {
			one = o
		}
		until = max(until, o.Until) // of one form, in UTC
	}
	if n == 0 {
		return ""
	}
	why := fmt.Sprintf("the store defers the erasure of %s: %s; %s", pipeline.Count(n, "object version", "object versions"), one.Reason, one.Trigger)
	if n > 1 && until != "" {
		why += "; the last retention ends " + until
	}
	return why
}

// First is when the first of what is deferred may go; nil where one may go at any time.
func (b *Body) First() *time.Time {
	var first *time.Time
	for i := range b.Open {
		if b.Open[i].Code == journal.Follows {
			continue
		}
		t, err := time.Parse(time.RFC3339, b.Open[i].Until)
		if err != nil {
			return nil
		}
		if first == nil || t.Before(*first) {
			first = &t
		}
	}
	return first
}
