// Package identity is the heart of matching: it says in which canonical form an
// identifier is kept, which tokens its writings leave in the bytes of a lake, and
// whether a decoded value holds it.
//
// Matching goes in two steps. The tokenizer reads raw bytes once, whatever the
// number of needles, and probes a set: its tokens are digit runs that may be
// phone numbers, addresses around an @, UUIDs and words that look like ids. The
// same tokens, collected, make the catalog's filters. Where a token is wanted, the
// record is decoded, and Find confirms exactly, starting from the same tokenizer
// on the decoded value.
//
// One law binds the two: the tokens of every decoded leaf are among the tokens of
// the raw record, or the tokenizer reports a doubtful place in it and the record
// is decoded anyway. So Find can miss nothing that Probe did not report.
//
// The package does not follow links, know dates or decide what is done with a
// hit; that is for the steps.
package identity

import (
	"errors"

	"expunge/pipeline"
)

// Errors of Normalise. They never hold the value.
var (
	ErrInvalid  = errors.New("not an identifier of this kind")
	ErrSentinel = errors.New("stands for a withheld caller id, not for a person")
	ErrNull     = errors.New("null device id: shared by all who limit tracking")
)

// Canon is an identifier in canonical form:
//
//	phone   E.164 digits without plus
//	email   lower case, domain in punycode
//	ip      as netip prints it, IPv4-mapped addresses unmapped
//	name    folded: lower case, no marks, single spaces
//	UUIDs   32 hex digits in lower case, whatever the kind (but click ids)
//	GA ids  "<random>.<epoch>", whatever the cookie around them
//	others  trimmed, as they stand
type Canon struct {
	Kind  pipeline.Kind
	Value pipeline.Secret
	Ext   pipeline.Secret // of a phone: its extension, if the identifier has one
	Doubt bool            // placeholders (555-555-5555) and toll-free numbers: matches go to review
}

// Needle is an identifier that is looked for.
type Needle struct {
	Account string
	Canon   Canon
	Tier    pipeline.Tier // Linked for one that was reached through a link, Hashed for one that was given as a digest and found in clear; "" else
	Agent   bool          // of a request whose subject is an agent: matches the fields of that party only
	Past    *Remembered   // what is known of it where Canon has no value; nil else
}
