package certificate

import "fmt"

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
	why := fmt.Sprintf("the store defers the erasure of %d object versions: %s; %s", n, b.Open[0].Reason, b.Open[0].Trigger)
	if n > 1 && until != "" {
		why += "; the last retention ends " + until
	}
	return why
}
