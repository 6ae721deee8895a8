package pipeline

import (
	"regexp"
	"time"
)

// Dataset is a declared set of objects of one shape.
type Dataset struct {
	Name       string
	At         string // pattern below the stores: "lake/calls/account={account}/*.jsonl.gz"
	Format     string // auto, jsonl, json, csv, tsv, parquet, avro, text, media
	CSV        CSV
	Time       string         // path of the field that dates a record; "" if none does
	Zone       *time.Location // of times without one; nil: UTC
	Account    string         // path of the field that names the account; "" if the key alone does
	Category   string         // statutory category of fields that name none
	Sources    []string
	Purposes   []string
	Disclosed  []Disclosure     // nil: nobody said
	Fields     []Field          // by path, sorted
	Object     map[string]Field // captures of At that are identifiers, by capture name
	Search     bool             // whether undeclared fields are searched, too
	Erase      Erasure
	Exceptions []Exception   // of all accounts
	Business   *Numbers      // the account's own phone numbers, that its records list; nil: they list none
	DateSlack  time.Duration // how far a record's time may lie from its object's {date}
	Digest     string        // of all settings above that bear on what is found; hex
	Settings   string        // of that, and of what an erasure does to what was found; hex
}

// Numbers says in which fields the records of a dataset list the account's own phone
// numbers, and from when to when each was that: "" and what is empty bound nothing.
type Numbers struct{ Field, From, To string }

// CSV is what a CSV dataset has to say of itself.
type CSV struct {
	Header    *bool
	Delimiter byte
	Columns   []string
}

// Party is whose data a field holds.
type Party string

// Parties. The zero value is the consumer's.
const (
	Consumer Party = ""
	Agent    Party = "agent"    // someone else's: masked in bundles, matched only for subject: agent
	Business Party = "business" // the account's own: never a consumer's
)

// Field is a declared field of a dataset.
type Field struct {
	Path     string // "visitor.ids[].value": . into objects, [] over lists, {} over map values
	Kind     Kind   // "" for one that holds no identifier by itself
	Category string
	Link     bool           // its value links records of one consumer
	Pattern  *regexp.Regexp // the group "id" is the identifier within the value; nil: the value is
	Party    Party
	Text     bool  // free text: what is found in it is a mention
	Spoken   bool  // text of what people said: numbers in words and over several turns are looked for, too
	When     *When // in which records the value is the consumer's; nil: in all
}

// When tells by another field of a record whether a field holds the consumer there or
// the other side: the one called on outbound calls, the caller on inbound ones.
type When struct {
	Field string   // path of a field that a record has once
	Is    []string // its values, whatever their case, where the consumer is meant
	IsNot []string // and where not; any other leaves it open
}

// Disclosure is one statutory category of recipients.
type Disclosure struct {
	To  string // category of recipients
	How string // sold, shared or business_purpose
}

// Erasure is what deletion does to a record of a dataset.
type Erasure struct {
	Action  Action
	Keep    []string // redact, deidentify: the paths that stay
	Mention Action   // of a record that is somebody else's: RedactMention, or "" for what is done to the consumer's own

	Commitment string // deidentify: where the business has publicly committed itself not to reidentify
}

// Exception keeps records of one account and dataset from erasure (R50).
type Exception struct {
	Account     string
	Dataset     string
	Code        string // D1_TRANSACTION …
	Instruction string
	Fields      []string // what is kept; the rest is redacted
	ReviewBy    *Date
}
