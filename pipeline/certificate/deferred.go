package certificate

import (
	"fmt"
	"time"

	"expunge/pipeline"
)

// Deferred says what a request waits for whose open versions the store keeps from us,
// all of them: a search would find them again, and could do no more. "" where there are
// none, or others are open, too.
func (b *Body) Deferred() string {
	until := ""
	for i := range b.Open {
		if b.Open[i].Trigger == "" {
			return ""
		}
		until = max(until, b.Open[i].Until) // of one form, in UTC
	}
	n := len(b.Open)
	if n == 0 {
		return ""
	}
	why := fmt.Sprintf("the store defers the erasure of %s: %s; %s", pipeline.Count(n, "object version", "object versions"), b.Open[0].Reason, b.Open[0].Trigger)
	if n > 1 && until != "" {
		why += "; the last retention ends " + until
	}
	return why
}

// First is when the first of what is deferred may go; nil where one may go at any time.
func (b *Body) First() *time.Time {
	var first *time.Time
	for i := range b.Open {
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
