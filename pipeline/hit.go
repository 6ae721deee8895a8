package pipeline

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// ObjectRef is an object as outputs name it. Key never leaves the process in
// clear where Identifying is set: outputs show Shown and the sealed URL.
type ObjectRef struct {
	URL         string // of the object, percent-encoded per segment
	Shown       string // the URL, redacted where the key identifies a person
	Identifying bool
	ID          string // keyed digest of the URL, hex
	Version     string // "" where the store keeps none
	ETag        string
	Size        int64
}

// Hit is a record (or a whole object) that belongs to a request, and why.
type Hit struct {
	Request RequestRef `json:"request"`
	Object  int64      `json:"object"` // Object.N
	Dataset string     `json:"dataset"`
	Record  int64      `json:"record"` // ordinal; -1: the whole object or version
	Group   int        `json:"group"`  // Parquet row group, else -1
	Offset  int64      `json:"offset"` // line formats, in the decompressed object; else -1
	Length  int64      `json:"length"`
	Digest  string     `json:"digest,omitempty"`  // keyed, of the record's raw bytes; hex
	Time    int64      `json:"time"`              // of the record, Unix milliseconds; NoTime where it has none
	Untimed bool       `json:"untimed,omitempty"` // it says when it was, in a way that cannot be read
	Tier    Tier       `json:"tier"`              // the surest of Why
	Why     []Evidence `json:"why"`
	Links   []Link     `json:"links,omitempty"`   // link ids in the record: the next round's identifiers
	Direct  []Link     `json:"direct,omitempty"`  // phones, addresses and users in the consumer's fields of the record
	Digests []Digested `json:"digests,omitempty"` // of phones and addresses, in such fields
	Unsure  bool       `json:"unsure,omitempty"`  // of some of Direct and Digests the record does not say whose they are
	Foreign []string   `json:"foreign,omitempty"` // paths of declared fields that hold the consumer in other records, and not, for all that is said, in this one
	Base    int64      `json:"base,omitempty"`    // 1 + where the part begins whose first record Record counts from; 0: Record is absolute

	Decided *Decided `json:"decided,omitempty"` // nil: nobody has decided on it
}

// Verdict is what a person decided of a hit that was in review.
type Verdict string

// Verdicts.
const (
	Include Verdict = "include" // it belongs to the request: treated as an automatic hit
	Exclude Verdict = "exclude" // it does not: neither in review nor acted upon
)

// Decided is a decision, and whose.
type Decided struct {
	Verdict Verdict `json:"verdict"`
	By      string  `json:"by"`
}

// Automatic reports whether the hit is acted upon without (further) review.
func (h *Hit) Automatic() bool {
	if h.Decided != nil {
		return h.Decided.Verdict == Include
	}
	return h.Tier.Automatic()
}

// Whole reports whether all of an object of d is the request's, of which the hit says that
// its name is: not where the name tells the consumer, and records of others may stay. By
// what a call or a recording is called, the object is of that alone.
func (h *Hit) Whole(d *Dataset) bool {
	return d.Erase.Action == EraseObject || slices.ContainsFunc(h.Why, func(e Evidence) bool { return !e.Kind.Identifies() })
}

// Late reports whether the record was reached only through records dated after the
// request's cut-off: it is of what is new, and not erased.
func (h *Hit) Late() bool {
	return !slices.ContainsFunc(h.Why, func(e Evidence) bool { return !e.Late })
}

// Mentions reports whether the record is somebody else's as far as can be told, and its
// dataset says that it then is to stay: all that was found in it is a mention.
func (h *Hit) Mentions() bool {
	return len(h.Why) > 0 && !slices.ContainsFunc(h.Why, func(e Evidence) bool { return !e.Mention })
}

// Excluded reports whether a person decided that the record is not the request's.
// That holds whatever else is found of the same record.
func (h *Hit) Excluded() bool { return h.Decided != nil && h.Decided.Verdict == Exclude }

// Policy says which tiers a person decides on, by account: beside those that a person
// always does.
type Policy map[string][]Tier

// Tier is the tier that policy makes of one, and whether it is another.
func (p Policy) Tier(account string, t Tier) (Tier, bool) {
	if slices.Contains(p[account], t) {
		return Review, true
	}
	return t, false
}

// Link is a link id, or a direct identifier, in canonical form. Hits with links are
// only ever stored sealed.
type Link struct {
	Kind  Kind   `json:"kind"`
	Value string `json:"value"`
}

// Digested is a digest that stands in a field which is declared to hold phones or
// addresses. Its form says how it is written: "sha256 hex".
type Digested struct {
	Kind  Kind   `json:"kind"`
	Field string `json:"field"` // as declared
	Form  string `json:"form"`
	Value string `json:"value"` // in hex
}

// Compare orders digests.
func (d Digested) Compare(o Digested) int {
	return cmp.Or(strings.Compare(string(d.Kind), string(o.Kind)), strings.Compare(d.Field, o.Field), strings.Compare(d.Form, o.Form), strings.Compare(d.Value, o.Value))
}

// Ask is one request's interest in a needle.
type Ask struct {
	Request RequestRef
	From    *Date // the identifier's validity
	To      *Date
	Via     string // digest of the link id it was reached through; "" for the request's own
	Hops    int    // links followed to reach it
	Late    bool   `json:",omitempty"` // reached only through records dated after the request's cut-off: nothing is erased for it
	Shared  bool   `json:",omitempty"` // a link id that stands beside another person, too: what only it leads to is for review

	Unconfirmed bool     `json:",omitempty"` // too few data points confirm who asks: what is found is for review
	Business    []Period `json:",omitempty"` // when the number was the account's own: what is dated so is nobody's match
}

// Period is from when to when something was so, both included, in Unix milliseconds.
type Period struct{ From, To int64 }

// Bounds of a period without them. No record is dated so.
const (
	Always = int64(-1 << 63)
	Ever   = int64(1<<63 - 1)
)

// Outside reports whether a record of that time, in Unix milliseconds, lies outside
// of the days between which the identifier was the consumer's.
func (a *Ask) Outside(at int64, zone *time.Location) bool {
	return at != NoTime && (a.From != nil && at < a.From.Begin(zone).UnixMilli() || a.To != nil && at >= a.To.End(zone).UnixMilli())
}

// NoTime stands for a record without a time.
const NoTime = int64(-1 << 63)

// Raw stands in the place of a field where a record is malformed, and was searched as
// the text that it is.
const Raw = "(raw text of a malformed record)"

// ByReview stands in the place of a field where a person's decision is the evidence.
const ByReview = "(review)"

// Evidence is one link of the chain of why, without the value.
type Evidence struct {
	Path    string `json:"path"` // field, "(key)" for the object's key, or Raw
	Kind    Kind   `json:"kind"`
	Rule    string `json:"rule"`
	Tier    Tier   `json:"tier"`
	Via     string `json:"via,omitempty"` // digest of the link id it was reached through
	Hops    int    `json:"hops,omitempty"`
	Mention bool   `json:"mention,omitempty"` // of a dataset that tells mentions apart: it stands in free text, or where the record has somebody else, at one place
	Late    bool   `json:"late,omitempty"`    // reached only through records dated after the cut-off

	Undated bool `json:"undated,omitempty"` // of a request of which something was erased before: the record has not the bytes of that, nor a date that would tell
}
