// Package pipeline holds the plain data that passes between steps: requests in,
// datasets and objects, hits, tombstones and outcomes out. It has no behaviour
// beyond what keeps the data well-formed, and it imports no step and no leaf.
//
// Words are those of the design: an account is a business customer and the
// tenant wall; a consumer is the person a request is about; a record is one row.
package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
)

// Secret is an identifier's value. However it is printed, logged or marshalled,
// it shows as redacted; only Reveal gives the value.
type Secret string

const redacted = "[redacted]"

func (Secret) String() string               { return redacted }
func (Secret) GoString() string             { return redacted }
func (Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// Format covers every verb, %q and %x included.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// Reveal returns the value, for matching and sealing.
func (s Secret) Reveal() string { return string(s) }

// UnmarshalJSON reads the value in clear.
func (s *Secret) UnmarshalJSON(b []byte) error {
	var v string
	if err := json.Unmarshal(b, &v); err != nil {
		return errors.New("an identifier's value must be a string")
	}
	*s = Secret(v)
	return nil
}

// Kind is what an identifier identifies by.
type Kind string

// Kinds that every config knows; a config may name more.
const (
	Phone     Kind = "phone"
	Email     Kind = "email"
	Name      Kind = "name"
	IP        Kind = "ip"
	Visitor   Kind = "visitor_id"
	Session   Kind = "session_id"
	Device    Kind = "device_id"
	Click     Kind = "click_id"
	User      Kind = "user_id"
	Person    Kind = "person_id"
	Call      Kind = "call_id"
	Recording Kind = "recording_id"
	Message   Kind = "message_id"
	Form      Kind = "form_id"
)

// Kinds lists the kinds that every config knows.
func Kinds() []Kind {
	return []Kind{Phone, Email, Name, IP, Visitor, Session, Device, Click, User, Person, Call, Recording, Message, Form}
}

// Identifies reports whether a value of this kind names or singles out a person
// by itself (direct and online identifiers). Where an object's key holds one, the
// key is shown redacted. Link ids of calls, recordings and the like do not.
func (k Kind) Identifies() bool {
	switch k {
	case Phone, Email, Name, IP, Visitor, Device, Click, User, Person:
		return true
	}
	return false
}

// Tier says how sure a match is.
type Tier string

// Tiers, surest first.
const (
	Exact      Tier = "exact"      // the canonical form itself
	Normalised Tier = "normalised" // another way to write it
	Hashed     Tier = "hashed"     // a digest of it
	Linked     Tier = "linked"     // reached through a link id
	Mention    Tier = "mention"    // stands in free text: perhaps about, not of, the consumer
	Review     Tier = "review"     // a person has to decide
)

// rank orders tiers, surest first.
func (t Tier) rank() int {
	for i, x := range []Tier{Exact, Normalised, Hashed, Linked, Mention, Review} {
		if t == x {
			return i
		}
	}
	return 99
}

// Surer reports whether t is surer than u.
func (t Tier) Surer(u Tier) bool { return t.rank() < u.rank() }

// Automatic reports whether a hit of this tier is acted upon without review.
func (t Tier) Automatic() bool { return t.rank() <= Linked.rank() }

// Action is what a tombstone asks for.
type Action string

// Actions, least careful last: where requests differ, the first of these wins. But a
// mention is cut out of what the others leave of its record: it keeps nobody from having
// a record of their own erased.
const (
	Redact        Action = "redact"
	Deidentify    Action = "deidentify" // redact, and nothing of the identity in what stays (R45)
	EraseRecord   Action = "erase_record"
	EraseObject   Action = "erase_object"
	DeleteVersion Action = "delete_version"
	RedactMention Action = "redact_mention" // the record stays, but for the identity in it
)

// Disposition is what became of a tombstone.
type Disposition string

// Dispositions. PLANNED stands only in a manifest.
const (
	Planned        Disposition = "PLANNED"
	Erased         Disposition = "ERASED"
	Deidentified   Disposition = "DEIDENTIFIED"
	Aggregated     Disposition = "AGGREGATED"
	Excepted       Disposition = "EXCEPTED"
	BackupDeferred Disposition = "BACKUP_DEFERRED"
)

// Outcome is how an object ended in a run.
type Outcome string

// Outcomes.
const (
	Scanned Outcome = "scanned" // read, in whole or by segments that may hold something
	Refused Outcome = "refused" // could not be vouched for; the run is INCOMPLETE
	Skipped Outcome = "skipped" // the catalog says that nothing asked for is in it
	Pruned  Outcome = "pruned"  // no open request could touch it: nothing was opened
)
