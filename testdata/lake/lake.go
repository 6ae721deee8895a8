// Package lake makes an invented data lake of a call-tracking service together
// with the truth about it: which record belongs to which request, how surely and
// why. It imports nothing of expunge, so that what it says is independent of what
// expunge finds. Everything in it is made from Options alone: the same options
// give the same bytes, file by file, in any order and in parallel.
package lake

import (
	"fmt"
	"io"
	"iter"
	"time"
)

// Options says which lake to make. Equal options make equal lakes.
type Options struct {
	Seed      uint64
	Bytes     int64 // about the stored size of all objects; 0: 1 MB
	Accounts  int   // 0: 3
	Consumers int   // of an account, beside those who asked; 0: by Bytes
	Requests  int   // 0: 12
}

// File is one object of the lake.
type File struct {
	Key     string // relative to the lake's store
	Dataset string // "" for one that only an ignore entry claims
	Records int64  // as the contract counts them; 0 for media
	Write   func(w io.Writer) error
}

// Tier says how sure it is that a record belongs to a request.
type Tier string

// Tiers, surest first. All but Mention and Review are acted on without a person.
const (
	Exact      Tier = "exact"
	Normalised Tier = "normalised"
	Hashed     Tier = "hashed"
	Linked     Tier = "linked"
	Mention    Tier = "mention"
	Review     Tier = "review"
)

func (t Tier) rank() int {
	for i, x := range []Tier{Exact, Normalised, Hashed, Linked, Mention, Review} {
		if x == t {
			return i
		}
	}
	return 99
}

// Automatic reports whether t needs no person's decision.
func (t Tier) Automatic() bool { return t.rank() <= Linked.rank() }

// Truth is one record that belongs to a request, at the surest tier there is.
type Truth struct {
	Account string   `json:"account"`
	Request string   `json:"request"` // the id within the account
	Object  string   `json:"object"`  // key below the store
	Record  int64    `json:"record"`  // -1: the whole object
	Tier    Tier     `json:"tier"`
	Why     string   `json:"why"` // path and form
	Rights  []string `json:"rights"`
	Dataset string   `json:"dataset"`
}

// Request is the native JSON form of a request.
type Request struct {
	Version      int          `json:"version"`
	ID           string       `json:"id"`
	Account      string       `json:"account"`
	Instruction  string       `json:"instruction"`
	Subject      string       `json:"subject"`
	Rights       []string     `json:"rights"`
	Received     time.Time    `json:"received"`
	Urgent       bool         `json:"urgent,omitempty"`
	Identifiers  []Identifier `json:"identifiers"`
	Verification Verification `json:"verification"`
}

// Identifier is a kind and a value.
type Identifier struct {
	Kind  string `json:"kind"`
	Value string `json:"value"`
}

// Verification is who attested the consumer's identity, and how surely.
type Verification struct {
	Level      string `json:"level"`
	AttestedBy string `json:"attested_by"`
}

// Lake is a lake that is made while it is read. It is safe for concurrent use.
type Lake struct {
	o        Options
	datasets []*dataset
	accounts []account
}

// account is a business customer and those of its consumers who matter.
type account struct {
	name, acc, com string
	tracking       []string // the account's own numbers
	members        []int    // persons it holds data on, whether or not they asked
	asked          []int    // persons with a request to this account
}

// Generate plans a lake. It makes no object yet.
func Generate(o Options) (*Lake, error) {
	if o.Bytes == 0 {
		o.Bytes = 1 << 20
	}
	if o.Accounts == 0 {
		o.Accounts = 3
	}
	if o.Requests == 0 {
		o.Requests = 12
	}
	if o.Consumers == 0 {
		o.Consumers = int(max(1000, o.Bytes/4000))
	}
	if o.Bytes < 1<<16 || o.Accounts < 2 || o.Requests < 1 || o.Consumers < 1 {
		return nil, fmt.Errorf("generate lake: need at least 64 KB, 2 accounts, 1 request and 1 consumer")
	}
	if o.Requests > len(areaCodes)*100 {
		return nil, fmt.Errorf("generate lake: %d requests, but only %d fictional numbers", o.Requests, len(areaCodes)*100)
	}
	l := &Lake{o: o}
	for a := range o.Accounts {
		l.accounts = append(l.accounts, l.makeAccount(a))
	}
	// Every third person is a consumer of the next account, too: with the same
	// phone and e-mail, other ids and, mostly, no request there.
	for p := range o.Requests {
		home := p % o.Accounts
		l.join(home, p, true)
		if p%3 == 1 {
			l.join((home+1)%o.Accounts, p, p%15 == 4)
		}
	}
	l.datasets = allDatasets()
	return l, nil
}

func (l *Lake) join(a, person int, asked bool) {
	l.accounts[a].members = append(l.accounts[a].members, person)
	if asked {
		l.accounts[a].asked = append(l.accounts[a].asked, person)
	}
}

// Files yields the objects of the lake. A Write may be called later, more than
// once, and beside others; it never holds more than a few MB.
func (l *Lake) Files() iter.Seq[File] {
	return func(yield func(File) bool) {
		for f := range l.files() {
			if !yield(File{f.key, f.ds.name, l.records(f), func(w io.Writer) error {
				if err := f.ds.write(l, f, w); err != nil {
					return fmt.Errorf("write %s: %w", f.key, err)
				}
				return nil
			}}) {
				return
			}
		}
		for n := range 3 {
			key := fmt.Sprintf("tmp/loader-%d.part", n)
			if !yield(File{key, "", 0, func(w io.Writer) error {
				// Unclaimed and ignored, though it holds a number that was asked for.
				_, err := fmt.Fprintf(w, "half a load %d for %s\n", n, phoneOf(0))
				return err
			}}) {
				return
			}
		}
	}
}

// Truth yields what belongs to the requests, object by object in the order of
// Files, by record within one. It makes only the records that matter.
func (l *Lake) Truth() iter.Seq[Truth] {
	return func(yield func(Truth) bool) {
		for f := range l.files() {
			for _, t := range l.truthOf(f) {
				if !yield(t) {
					return
				}
			}
		}
	}
}

// Requests lists the requests, by account and id.
func (l *Lake) Requests() []Request {
	var rs []Request
	for a := range l.accounts {
		for _, p := range l.accounts[a].asked {
			m := l.member(a, p)
			r := Request{Version: 1, ID: requestID(p), Account: l.accounts[a].name, Instruction: fmt.Sprintf("ticket %d", 4700+p),
				Subject: "consumer", Rights: rightsOf(p), Received: time.Date(2026, 11, 20, 9, p%60, 0, 0, time.UTC), Urgent: p%9 == 8,
				Verification: Verification{"reasonably_high", l.accounts[a].name + " support"}}
			for _, kind := range kindsOf(p) {
				r.Identifiers = append(r.Identifiers, Identifier{kind, m.value(kind)})
			}
			rs = append(rs, r)
		}
	}
	return rs
}
