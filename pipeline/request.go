package pipeline

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Right is what a consumer asks for.
type Right string

// Rights of the CCPA/CPRA.
const (
	Access  Right = "access"  // specific pieces, as a bundle
	Know    Right = "know"    // categories, sources, purposes and recipients, with the specific pieces where verification allows
	Delete  Right = "delete"  // erasure
	OptOut  Right = "opt_out" // of sale and sharing
	Correct Right = "correct"
)

// Rights lists all rights.
func Rights() []Right { return []Right{Access, Know, Delete, OptOut, Correct} }

// RequestRef names a request: an id is unique within its account only.
type RequestRef struct{ Account, ID string }

// String is "ACCOUNT/ID", the form of commands and tables.
func (r RequestRef) String() string { return r.Account + "/" + r.ID }

// Compare orders by account, then id.
func (r RequestRef) Compare(o RequestRef) int {
	if c := strings.Compare(r.Account, o.Account); c != 0 {
		return c
	}
	return strings.Compare(r.ID, o.ID)
}

// ParseRequestRef reads "ACCOUNT/ID".
func ParseRequestRef(s string) (RequestRef, error) {
	account, id, ok := strings.Cut(s, "/")
	if !ok || account == "" || !ValidID(id) {
		return RequestRef{}, fmt.Errorf("%q is not ACCOUNT/ID", s)
	}
	return RequestRef{account, id}, nil
}

var requestID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// ValidID reports whether id can name a request. ".json" at the end is kept for
// the work store's files.
func ValidID(id string) bool { return requestID.MatchString(id) && !strings.HasSuffix(id, ".json") }

// Request is a consumer's request as an account passed it on.
type Request struct {
	Version      int          `json:"version"`
	ID           string       `json:"id"`
	Account      string       `json:"account"`
	Instruction  string       `json:"instruction,omitempty"`
	Subject      string       `json:"subject,omitempty"` // consumer (default) or agent
	Rights       []Right      `json:"rights"`
	Received     time.Time    `json:"received"` // by the account: deadlines count from here (R10)
	Urgent       bool         `json:"urgent,omitempty"`
	Identifiers  []Identifier `json:"identifiers"`
	Verification Verification `json:"verification,omitzero"`
	Window       *Window      `json:"window,omitempty"`
}

// Ref names the request.
func (r *Request) Ref() RequestRef { return RequestRef{r.Account, r.ID} }

// Has reports whether the request asks for right.
func (r *Request) Has(right Right) bool {
	for _, x := range r.Rights {
		if x == right {
			return true
		}
	}
	return false
}

// WantsBundle reports whether found records are handed over.
func (r *Request) WantsBundle() bool { return r.Has(Access) || r.Has(Know) }

// Identifier is a kind and a value, with the dates between which it was the
// consumer's (a phone number has other owners before and after).
type Identifier struct {
	Kind      Kind   `json:"kind"`
	Hash      string `json:"hash,omitempty"` // sha256: Value is the digest of it, in hex; "": the value itself
	Value     Secret `json:"value"`
	ValidFrom *Date  `json:"valid_from,omitempty"`
	ValidTo   *Date  `json:"valid_to,omitempty"`
}

// Verification is how sure the account is of who asked (R12).
type Verification struct {
	Level      string `json:"level,omitempty"` // none, reasonable, reasonably_high
	AttestedBy string `json:"attested_by,omitempty"`
}

// Window limits what know and access return, by the record's own time.
type Window struct {
	Since *Date `json:"since,omitempty"`
	Until *Date `json:"until,omitempty"`
}

// InWindow reports whether know and access return what is dated at, in Unix milliseconds;
// what has no date they do. nil is UTC.
func (r *Request) InWindow(zone *time.Location, at int64) bool {
	if r.Window == nil || at == NoTime {
		return true
	}
	if s := r.Window.Since; s != nil && at < s.Begin(zone).UnixMilli() {
		return false
	}
	if u := r.Window.Until; u != nil && at >= u.End(zone).UnixMilli() { // the last day is within
		return false
	}
	return true
}

// OnlyTells reports whether nothing is asked for but to know or to have what is held, so
// that what is outside of the window is nobody's concern.
func (r *Request) OnlyTells() bool {
	return !r.Has(Delete) && !r.Has(Correct) && !r.Has(OptOut)
}

// Date is a calendar day, "2026-11-20".
type Date struct{ time.Time }

// Begin is when the day begins in zone; nil is UTC.
func (d Date) Begin(zone *time.Location) time.Time {
	if zone == nil {
		zone = time.UTC
	}
	return time.Date(d.Year(), d.Month(), d.Day(), 0, 0, 0, 0, zone)
}

// End is when the day after it begins.
func (d Date) End(zone *time.Location) time.Time { return d.Begin(zone).AddDate(0, 0, 1) }

// UnmarshalText reads a calendar day.
func (d *Date) UnmarshalText(b []byte) error {
	t, err := time.Parse(time.DateOnly, string(b))
	if err != nil {
		return fmt.Errorf("%q is not a date like 2026-11-20", b)
	}
	d.Time = t
	return nil
}

// UnmarshalJSON reads a calendar day; null stays the zero Date.
func (d *Date) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	return d.UnmarshalText([]byte(strings.Trim(string(b), `"`)))
}

// MarshalText writes a calendar day.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.Format(time.DateOnly)), nil }

// MarshalJSON writes a calendar day.
func (d Date) MarshalJSON() ([]byte, error) { return []byte(`"` + d.Format(time.DateOnly) + `"`), nil }

// State is where a request stands; it is the state of its last event.
type State string

// States of a request.
const (
	Received         State = "RECEIVED"
	Claimed          State = "CLAIMED"
	InReview         State = "REVIEW"
	AwaitingApproval State = "AWAITING_APPROVAL"
	Erasing          State = "ERASING"
	Blocked          State = "BLOCKED"
	Completed        State = "COMPLETED"
	Denied           State = "DENIED"
	Cancelled        State = "CANCELLED"
)

// Ended reports whether nothing more will be done.
func (s State) Ended() bool { return s == Completed || s == Denied || s == Cancelled }
