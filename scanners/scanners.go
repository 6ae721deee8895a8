// Package scanners says how a file format is searched. A scanner reads one object
// (or one part of it), looks for what a Finder wants in the raw bytes, decodes
// only the records that may hold it, and emits only those that do.
//
// A scanner knows its format and nothing else: not whose record it is, nor what
// will become of it. Foreign bytes are hostile: every decoder recovers from
// panics, checks its counts against what the file claims, and bounds its memory.
package scanners

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
)

// Scanner searches objects of one format. It is safe for concurrent use.
// The laws that bind every implementation are tests in scantest.
type Scanner interface {
	// Format is the format's name in the config: "jsonl", "parquet".
	Format() string

	// Scan searches in.Part and calls emit, in file order, for each record that
	// holds a match. The record and all it refers to are emit's only until it
	// returns. An error of emit ends the scan and is returned as it is. Any other
	// error is a *Refusal (or ctx's): what was emitted before it stands.
	Scan(ctx context.Context, in Input, f Finder, emit func(*Record) error) (Stats, error)
}

// Splitter is a Scanner that can cut an object in parts which are scanned apart.
type Splitter interface {
	Scanner
	// Split cuts in (whose Part is ignored) in parts of about target bytes that
	// together cover every record once. nil: the object cannot be cut.
	Split(ctx context.Context, in Input, target int64) ([]Part, error)
}

// Input is one object version, or a part of it.
type Input struct {
	Name   string                                                         // what errors call it; never holds an identifier
	Ext    string                                                         // Ext of its key
	Size   int64                                                          // bytes as stored
	Open   func(ctx context.Context, off, n int64) (io.ReadCloser, error) // n < 0: to the end
	Part   Part                                                           // the zero Part is the whole object
	Layout Layout
	Every  bool // decode and emit every record, whether or not it holds a match

	// Large is asked before more than a few megabytes of one record are held: it may wait
	// until others have done with theirs. To ask again is no harm. Its error ends the
	// scan. nil: nobody minds.
	Large func() error
}

// Part is a run of records of an object. Line formats use Off and Len, in bytes
// of the stored object, and both are record boundaries; Parquet uses Group and
// Groups. Record is the ordinal of its first record where that is known, else 0:
// Record.Index counts on from it.
type Part struct {
	Off, Len      int64 // Len 0 with Off 0: to the end
	Group, Groups int   // row groups; Groups 0: all
	Record        int64
}

// Whole reports whether p is a whole object.
func (p Part) Whole() bool { return p.Off == 0 && p.Len == 0 && p.Groups == 0 }

// Layout is what a format cannot say of itself.
type Layout struct {
	Header    *bool    // CSV: whether the first record names the columns; nil: it does
	Delimiter byte     // CSV: 0 is ',' (or a tab for TSV, found by content)
	Columns   []string // CSV without a header
}

// Stats is what a scan saw.
type Stats struct {
	Records   int64 // all records of the part, matching or not
	Malformed int64 // records that do not follow the format
	Suspect   int64 // malformed records that a match could be in: the object is refused
}

// Finder decides what is wanted. One Finder serves one scan of one part by one
// goroutine; pipeline/identity implements it.
//
// A record is a candidate if Probe reports a place inside it or ProbeField
// reported one of its values. Candidates are decoded, and every leaf of theirs is
// handed to Find. Probe may err only towards yes: whatever Find would find in a
// decoded leaf of a record, Probe (or ProbeField) must report for its raw bytes.
type Finder interface {
	// Probe searches raw (whole records in the encoding of the source: escapes
	// and all; decoded values one after another must be kept apart by a NUL) and
	// appends, ascending, the offsets of the places that make their record a
	// candidate: something wanted, or something that must be decoded to be seen.
	Probe(at []int, raw []byte) []int

	// Fields lists the paths of fields whose values Probe may not recognise where
	// they stand (a user id "42"). The scanner hands every value of these fields,
	// decoded, of every record, to ProbeField, which reports whether the record is
	// a candidate. It may hand over more than asked for, never less.
	Fields() []string
	ProbeField(field int, value []byte) bool

	// Find appends the matches in one decoded leaf of a candidate. path is as in
	// the config: "visitor.ids[].value". Numbers come as their digits, without
	// exponent or trailing ".0".
	Find(dst []Match, path string, value []byte) []Match

	// Boundary tells that every record before this place has been probed, and
	// that a later scan can begin here (Parquet: with row group group). Scanners
	// call it between blocks and at the end of the part.
	Boundary(off int64, group int, record int64)
}

// Narrower is a Finder that may look at some fields only. A scanner of columns need
// not probe a column that it does not look at.
type Narrower interface {
	Finder
	// Looks reports whether Find may match in the field at path or in what lies
	// inside of it. It may err only towards yes.
	Looks(path string) bool
}

// Match is one wanted identifier in one leaf.
type Match struct {
	Needle uint32 // the finder's own number for what was found
	Path   string // of the leaf; inside JSON in a string it goes on: "properties.user_id"
	Kind   string // of the identifier
	Rule   string // how it was written, for the chain of evidence: "phone.national", "email.percent"
	Tier   string // exact, normalised, hashed, linked, mention or review
}

// Review leaves matches to a person: found in a place, which the rule then names,
// that does not tell whether the object, or which record of it, is meant. The
// metadata of a file with many records is such a place: without this, all of them
// would be handed over and erased.
func Review(matches []Match, place string) {
	for i := range matches {
		matches[i].Tier, matches[i].Rule = "review", matches[i].Rule+"."+place
	}
}

// Leaf is one scalar of a record.
type Leaf struct {
	Path  string
	Value []byte // decoded; numbers as digits; nil for null
}

// Record is a record that holds at least one match.
type Record struct {
	Index   int64         // ordinal: Part.Record + its place in the part
	Group   int           // Parquet row group, else -1
	Offset  int64         // line formats: of its first byte in the decompressed object, else -1
	Length  int64         // line formats: bytes without the line end
	Raw     []byte        // what a digest is taken over: the bytes without line end; see parquet for its canonical form
	Doc     []byte        // the row as one JSON object, columns in the source's order
	Schema  *arrow.Schema // the source's types where it has them; nil: JSON's, or CSV's strings
	Leaves  []Leaf
	Matches []Match
	Suspect bool // malformed: Raw was searched as it stands; Doc and Leaves are nil
	Aside   bool // captions: a line that nobody says: the signature, a note, the number or the timing of a cue
}

// Clone is a copy of r that stays when a scan goes on.
func (r *Record) Clone() *Record {
	c := *r
	c.Raw, c.Doc, c.Matches = bytes.Clone(r.Raw), bytes.Clone(r.Doc), slices.Clone(r.Matches)
	c.Leaves = slices.Clone(r.Leaves)
	for i := range c.Leaves {
		c.Leaves[i].Value = bytes.Clone(c.Leaves[i].Value)
	}
	return &c
}

// Code says why an object was refused. Codes are part of reports and of waivers.
type Code string

// Refusal codes of scanners.
const (
	Truncated   Code = "TRUNCATED"   // ends before it should
	Corrupt     Code = "CORRUPT"     // a checksum, count or structure is wrong
	Malformed   Code = "MALFORMED"   // a candidate record cannot be parsed
	Unsupported Code = "UNSUPPORTED" // a codec, encoding, encryption or version that is not read
	TooLarge    Code = "TOO_LARGE"   // a single record beyond the stated bound
	Unreadable  Code = "UNREADABLE"  // the bytes could not be had
	Crashed     Code = "CRASHED"     // a decoder panicked
	Unknown     Code = "UNKNOWN_FORMAT"
)

// Refusal is the error of a scan that could not vouch for all records.
type Refusal struct {
	Code Code
	Name string // the object
	Err  error  // says where and what; never holds a value
}

func (r *Refusal) Error() string { return fmt.Sprintf("scan %s: %s: %v", r.Name, r.Code, r.Err) }
func (r *Refusal) Unwrap() error { return r.Err }

// Refuse makes a *Refusal of err, keeping one that err already is. Errors of the
// context, and of emit, are not refusals: pass them on as they are.
func Refuse(code Code, name string, err error) error {
	if r := (*Refusal)(nil); errors.As(err, &r) {
		return err
	}
	return &Refusal{Code: code, Name: name, Err: err}
}

// Guard turns a panic of a decoder into a Refusal. Use: defer scanners.Guard(name, &err).
func Guard(name string, err *error) {
	if p := recover(); p != nil {
		*err = &Refusal{Code: Crashed, Name: name, Err: fmt.Errorf("decoder panicked: %T", p)}
	}
}
