// Package verify is the step that reads back every key that an erasure touched, all
// versions of it, and searches them again for the whole identity of each request:
// once with the scanners and rules of the run, and once more in the raw bytes, and
// in what formats pack, with rules of its own. It believes nothing that the erasure
// claims.
//
// A trace is expected where something is to stay: records that an exception keeps,
// that a hold or an open conflict covers, that wait for review or were excluded by a
// person, that are dated after the request's cut-off or reached only through such, or
// through link ids that others share, or are of a request that too few data points
// confirm; and, of what was delivered again, what an earlier
// erasure kept, and what has neither a date nor the bytes of an erased record. Any other
// trace is residue, and so is a record that a person included.
package verify

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/identity"
	"expunge/pipeline/ledger"
	"expunge/pipeline/manifest"
	"expunge/pipeline/naming"
	"expunge/pipeline/record"
	"expunge/pipeline/seal"
	"expunge/scanners"
)

// Verify reads back and searches. All fields are read only while it runs.
type Verify struct {
	Stores   map[string]connectors.Store
	Formats  map[string]scanners.Scanner
	Detect   func(ctx context.Context, in scanners.Input) (format string, err error)
	Datasets []pipeline.Dataset
	Accounts map[string]string // names and ids to names
	Keys     *seal.Keys

	Search  *Search                                                                   // what the requests asked for
	Plain   func(ctx context.Context, in scanners.Input, do func([]byte) error) error // hands over an object unpacked
	Cutoff  func(pipeline.RequestRef) int64                                           // Unix milliseconds; records dated later stay
	KeepOld bool                                                                      // older versions stay
	Current func(store string) bool                                                   // whether only the current versions of a store are searched
	Policy  pipeline.Policy                                                           // tiers that a person decides on
	Past    map[pipeline.RequestRef]*ledger.Coverage                                  // requests that the run has for what was delivered again alone: what is undated and of other bytes stays
	Keeps   func(account string, d *pipeline.Dataset, field string) bool              // whether an exception or a redaction keeps a field: of these requests, other runs have seen to the rest
	Applied func(r *manifest.Row) bool                                                // whether a row was to be applied: approved, not withdrawn
	Stays   func(ref pipeline.RequestRef, dataset string, raw []byte) bool            // whether a person decided that a record is not the request's; nil: none
	Waits   func(pipeline.RequestRef) bool                                            // requests that have yet to be erased, all or in part: what is left of them is open; nil: none
	Done    func(objectID, version string) (Counts, bool)                             // what the erasure says of an object's current version; false: not finished
	Uploads func(objectID string) (open bool)                                         // whether the erasure says that unfinished uploads of a key are left, or were not examined
	NotRead func(objectID, version, etag string) bool                                 // whether the run is known not to have examined a version
	Idle    time.Time                                                                 // unfinished uploads of before are residue; later ones stay
}

// Counts is what the erasure says of the object that it wrote.
type Counts struct {
	ETag    string // "" where it wrote none
	Records int64
}

// Codes of traces.
const (
	InRecord = "RECORD" // a record matches
	InKey    = "KEY"    // the object's name matches
	InBytes  = "RAW"    // the raw bytes hold a form of an identifier where no record explains it
	Counted  = "COUNT"  // the object has another number of records than it should have
	Unread   = "UNREADABLE"
	Upload   = "UPLOAD" // the store keeps an unfinished upload of the key
	Beside   = "BESIDE" // what the store keeps beside the bytes holds a form of an identifier
)

// Trace is a place where something of a consumer is left. It holds no value.
type Trace struct {
	Request  string `json:"request,omitempty"` // "" where it is no one's in particular: it concerns all that have tombstones in the object
	Object   string `json:"object"`
	ObjectID string `json:"object_id"`
	Version  string `json:"version,omitempty"`
	Record   int64  `json:"record"` // -1: not of one record
	Field    string `json:"field,omitempty"`
	Code     string `json:"code"`
	Reason   string `json:"reason,omitempty"`
}

// Compare orders traces as outputs list them.
func (t Trace) Compare(u Trace) int {
	return cmp.Or(strings.Compare(t.Object, u.Object), strings.Compare(t.ObjectID, u.ObjectID), strings.Compare(t.Version, u.Version),
		cmp.Compare(t.Record, u.Record), strings.Compare(t.Request, u.Request), strings.Compare(t.Code, u.Code), strings.Compare(t.Field, u.Field))
}

// Result is what one key comes to.
type Result struct {
	Versions int64
	Records  int64
	Expected map[pipeline.RequestRef]int64 // traces that stay on purpose
	Open     map[pipeline.RequestRef]int64 // traces in what could not be erased, or is not yet
	Residue  []Trace
	Beside   []Trace // what certificates name as not covered: forms of identifiers beside the bytes of an object
	Staying  []Trace // what certificates name as open or not examined: unfinished uploads, and versions that cannot be read
}

// Key verifies all versions of a key. captures are of its dataset's pattern. An
// error is fatal; an object that cannot be read is residue, since nobody can say
// that nothing is left in it, unless its erasure is open anyway, or the run has said
// that it could not.
func (v *Verify) Key(ctx context.Context, t *manifest.Target, captures map[string]string) (*Result, error) {
	out := &Result{Expected: map[pipeline.RequestRef]int64{}, Open: map[pipeline.RequestRef]int64{}}
	store := v.Stores[t.Store]
	versions, err := all(ctx, store, t.Key)
	if err != nil {
		return nil, fmt.Errorf("read back %s: %w", t.Shown, cause(err))
	}
	if err := v.uploads(ctx, t, out); err != nil {
		return nil, err
	}
	marked := !slices.ContainsFunc(versions, func(v connectors.Version) bool { return !v.Deleted })
	for _, ver := range versions {
		if ver.Deleted {
			if t.Identifying && marked {
				out.Residue = append(out.Residue, v.trace(t, &ver, Trace{Record: -1, Code: InKey, Reason: "a delete marker keeps a key that identifies"}))
			}
			continue
		}
		if !ver.Current && v.Current != nil && v.Current(t.Store) {
			continue // nobody has looked into it
		}
		out.Versions++
		if err := v.version(ctx, t, captures, &ver, out); err != nil {
			return nil, err
		}
		if err := v.labels(ctx, t, &ver, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// all lists the versions of exactly one key; of a store that keeps none, the object.
func all(ctx context.Context, store connectors.Store, key string) ([]connectors.Version, error) {
	var out []connectors.Version
	if versioner, ok := store.(connectors.Versioner); ok {
		for ver, err := range versioner.Versions(ctx, key) {
			if err != nil {
				return nil, err
			}
			if ver.Key != key {
				break
			}
			out = append(out, ver)
		}
		return out, nil
	}
	for o, err := range store.List(ctx, key) {
		if err != nil {
			return nil, err
		}
		if o.Key == key {
			out = append(out, connectors.Version{Object: o, Current: true})
		}
		break
	}
	return out, nil
}

// cause is what went wrong, without the store's own words: they name the key.
func cause(err error) error {
	for _, known := range []error{context.Canceled, context.DeadlineExceeded, connectors.ErrNotFound, connectors.ErrChanged, connectors.ErrDenied, connectors.ErrArchived, connectors.ErrTemporary} {
		if errors.Is(err, known) {
			return known
		}
	}
	return errors.New("the store does not give it")
}

func (v *Verify) trace(t *manifest.Target, ver *connectors.Version, tr Trace) Trace {
	tr.Object, tr.ObjectID, tr.Version = t.Shown, t.ID, ver.Version
	return tr
}

// version searches one version.
func (v *Verify) version(ctx context.Context, t *manifest.Target, captures map[string]string, ver *connectors.Version, out *Result) error {
	d := &v.Datasets[t.Dataset]
	object := &pipeline.Object{Object: ver.Object, Dataset: t.Dataset, Account: t.Account, Captures: captures}
	in := scanners.Input{
		Name: t.Shown, Ext: scanners.Ext(t.Key), Size: ver.Size,
		Layout: scanners.Layout{Header: d.CSV.Header, Delimiter: d.CSV.Delimiter, Columns: d.CSV.Columns},
		Open: func(ctx context.Context, off, n int64) (io.ReadCloser, error) {
			return v.Stores[t.Store].Open(ctx, ver.Ref, connectors.Range{Off: off, Len: n})
		},
	}
	unread := func(err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		reason := cause(err).Error()
		if r := (*scanners.Refusal)(nil); errors.As(err, &r) {
			reason = r.Error()
		}
		if _, done := v.Done(t.ID, ver.Version); !done || v.NotRead(t.ID, ver.Version, ver.ETag) { // certificates name it, as open or as not examined
			out.Staying = append(out.Staying, v.trace(t, ver, Trace{Record: -1, Code: Unread, Reason: reason}))
			return nil
		}
		out.Residue = append(out.Residue, v.trace(t, ver, Trace{Record: -1, Code: Unread, Reason: reason}))
		return nil
	}
	format := d.Format
	if format == "auto" {
		var err error
		if format, err = v.Detect(ctx, in); err != nil {
			return unread(err)
		}
	}
	s := v.Formats[format]
	if s == nil {
		return unread(&scanners.Refusal{Code: scanners.Unknown, Name: t.Shown, Err: errors.New("no format is known by this content")})
	}
	expect := v.expect(t, ver)
	expect.content = sync.OnceValue(func() []byte {
		content, _ := ledger.Content(ctx, in.Open)
		return content
	})
	finder := v.Search.finder(d, t.Account)
	explained := map[uint32]bool{} // needles that stand in records, which are told of, or somewhere on purpose
	look := func(r *scanners.Record) error {
		account, _ := record.Account(r, d, object, v.Accounts)
		judge := record.NewJudge(r, d, finder.Declared, account, v.Policy)
		for _, m := range r.Matches {
			if v.Search.thirdParty(finder, m) || v.match(t, ver, finder, r, m, account, judge, expect, out) || r.Index >= 0 {
				explained[m.Needle] = true
			}
		}
		return nil
	}
	if matches := finder.FindKey(captures); len(matches) > 0 {
		if err := look(&scanners.Record{Index: -1, Matches: matches}); err != nil {
			return err
		}
	}
	in.Every = record.Every(d)
	hearing := finder.Hearing(look)
	stats, err := s.Scan(ctx, in, finder, hearing.Record)
	if err == nil {
		err = hearing.End()
	}
	if err != nil {
		return unread(err)
	}
	out.Records += stats.Records
	if said, ok := v.Done(t.ID, ver.Version); ok && ver.Current && said.ETag == ver.ETag && said.Records != stats.Records {
		out.Residue = append(out.Residue, v.trace(t, ver, Trace{Record: -1, Code: Counted, Reason: fmt.Sprintf("it has %s and should have %d", pipeline.Count(stats.Records, "record", "records"), said.Records)}))
	}
	return v.raw(ctx, t, ver, in, s, explained, out, unread)
}

// match judges one match and reports whether its needle stands there on purpose, or in
// another account's records.
func (v *Verify) match(t *manifest.Target, ver *connectors.Version, finder *identity.Finder, r *scanners.Record, m scanners.Match, account string, judge *record.Judge, x *expectation, out *Result) bool {
	explains, when := false, judge.When
	for _, ask := range v.Search.asks[m.Needle] {
		tier, _ := judge.Tier(&m, &ask)
		switch {
		case ask.Request.Account != account:
			explains = true // another account's record, or nobody's: it is not ours to touch
		case judge.Business(&ask):
			explains = true // the account's own number
		case x.included(ask.Request, r) && !v.waits(ask.Request):
			out.Residue = append(out.Residue, v.trace(t, ver, Trace{Request: ask.Request.String(), Record: r.Index, Field: m.Path, Code: InRecord, Reason: "a person decided that it goes"}))
		case v.Stays != nil && r.Raw != nil && v.Stays(ask.Request, v.Datasets[t.Dataset].Name, r.Raw):
			out.Expected[ask.Request]++
			explains = true
		case x.cut(ask.Request, r, m) && !v.waits(ask.Request):
			out.Residue = append(out.Residue, v.trace(t, ver, Trace{Request: ask.Request.String(), Record: r.Index, Field: naming.Field(m.Path), Code: InRecord, Reason: "it was to be cut out of the record"}))
		case !tier.Automatic(), ask.Late || ask.Shared || ask.Unconfirmed, when.Known() && when.From > v.Cutoff(ask.Request), v.unknown(ask.Request, when, r, x), v.Past[ask.Request] != nil && (v.KeepOld && !ver.Current || v.Keeps(account, &v.Datasets[t.Dataset], m.Path)), x.stays(v, ask.Request, r, m), v.Search.household(ask.Request, finder, r, judge):
			out.Expected[ask.Request]++
			explains = true
		case x.open, v.waits(ask.Request):
			out.Open[ask.Request]++
			explains = true
		default:
			code := InRecord
			if r.Index < 0 {
				code = InKey
			}
			out.Residue = append(out.Residue, v.trace(t, ver, Trace{Request: ask.Request.String(), Record: r.Index, Field: naming.Field(m.Path), Code: code}))
		}
	}
	return explains
}

// waits reports whether a request has yet to be erased.
func (v *Verify) waits(ref pipeline.RequestRef) bool { return v.Waits != nil && v.Waits(ref) }

// unknown reports whether a record is not known to be what was erased before.
func (v *Verify) unknown(ref pipeline.RequestRef, when record.Moment, r *scanners.Record, x *expectation) bool {
	past := v.Past[ref]
	if past == nil || !past.Copies && when.Tells(past.Cutoff) {
		return false
	}
	raw := r.Raw
	if r.Index < 0 {
		raw = x.content()
	}
	return !past.Erased(v.Keys, ref.Account, raw)
}

// expectation is what may stay in one version of a key.
type expectation struct {
	whole   map[string]bool                      // requests all of whose traces may stay
	digests map[string]map[string]bool           // by request: digests of records that stay
	decided map[string]map[string]bool           // by request: digests of records that went since a person decided so
	keys    map[string][]*seal.Key               // by account
	kept    map[string][]string                  // by request: fields that redactions keep
	cuts    map[string]map[int64]pipeline.Action // by request: ordinals of records out of which all that names its consumer was cut
	open    bool                                 // the erasure of the key is not finished, and listed as open
	refs    map[pipeline.RequestRef]string       // spelt out once
	content func() []byte                        // of the version, see ledger.Content; nil where it cannot be read, which the search says
}

func (v *Verify) expect(t *manifest.Target, ver *connectors.Version) *expectation {
	x := &expectation{whole: map[string]bool{}, digests: map[string]map[string]bool{}, decided: map[string]map[string]bool{}, keys: map[string][]*seal.Key{}, kept: map[string][]string{}, cuts: map[string]map[int64]pipeline.Action{}, refs: map[pipeline.RequestRef]string{}}
	said, done := v.Done(t.ID, ver.Version)
	if !done {
		x.open = true
	}
	if ver.Current && said.ETag == ver.ETag && said.ETag != "" {
		v.findCuts(t, x)
	}
	for i := range t.Versions {
		for _, r := range t.Versions[i].Rows {
			excepted := r.Disposition == string(pipeline.Excepted)
			if excepted && r.Record == nil && r.Digest == nil {
				x.whole[r.Request] = true // of a whole object no fields go
				continue
			}
			if v.Applied(r) && (!excepted || len(r.KeptFields) > 0) {
				if excepted || r.Action == string(pipeline.Redact) {
					x.kept[r.Request] = append(x.kept[r.Request], r.KeptFields...)
				} else if r.Digest != nil && !pipeline.Tier(r.Tier).Automatic() {
					v.note(x, x.decided, r)
				}
				continue
			}
			if r.Record == nil && r.Digest == nil {
				x.whole[r.Request] = true
				continue
			}
			if r.Digest == nil {
				continue
			}
			v.note(x, x.digests, r)
		}
	}
	return x
}

// findCuts notes where the records are now out of which all that names a consumer was cut,
// as the tombstones of the version that was current have them.
func (v *Verify) findCuts(t *manifest.Target, x *expectation) {
	if t.Versions[0].Noncurrent {
		return
	}
	rows, erased := t.Versions[0].Rows, int64(0)
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && rows[n].Record != nil && rows[0].Record != nil && *rows[n].Record == *rows[0].Record {
			n++
		}
		goes := false
		for _, r := range rows[:n] {
			applied := r.Record != nil && v.Applied(r)
			goes = goes || applied && r.Disposition != string(pipeline.Excepted) && (r.Action == string(pipeline.EraseRecord) || r.Action == string(pipeline.EraseObject))
			if applied && (r.Action == string(pipeline.RedactMention) || r.Action == string(pipeline.Deidentify)) && (r.Disposition != string(pipeline.Excepted) || len(r.KeptFields) > 0) {
				if x.cuts[r.Request] == nil {
					x.cuts[r.Request] = map[int64]pipeline.Action{}
				}
				x.cuts[r.Request][*r.Record-erased] = pipeline.Action(r.Action)
			}
		}
		if goes {
			erased++
		}
		rows = rows[n:]
	}
}

// cut reports whether a match should be gone since it was to be cut out of its record. One
// that stays but for mentions bears the mark of that.
func (x *expectation) cut(ref pipeline.RequestRef, r *scanners.Record, m scanners.Match) bool {
	name := x.name(ref)
	switch x.cuts[name][r.Index] {
	case pipeline.RedactMention:
		return bytes.Contains(r.Raw, []byte(scanners.Redacted)) && !x.keeps(name, m.Path)
	case pipeline.Deidentify:
		return !x.keeps(name, m.Path)
	}
	return false
}

// note keeps the digest of a row's record, and the key that it was made with.
func (v *Verify) note(x *expectation, digests map[string]map[string]bool, r *manifest.Row) {
	if digests[r.Request] == nil {
		digests[r.Request] = map[string]bool{}
	}
	digests[r.Request][*r.Digest] = true
	if key, ok := v.Keys.ByID("record", r.Account, r.KeyID); ok && !slices.Contains(x.keys[r.Account], key) {
		x.keys[r.Account] = append(x.keys[r.Account], key)
	}
}

// included reports whether a record should be gone since a person decided so.
func (x *expectation) included(ref pipeline.RequestRef, r *scanners.Record) bool {
	return !x.open && len(x.decided) > 0 && x.digest(x.decided, ref, r)
}

// digest reports whether a record of a request is among those of digests.
func (x *expectation) digest(digests map[string]map[string]bool, ref pipeline.RequestRef, r *scanners.Record) bool {
	of := digests[ref.String()]
	if of == nil || r.Raw == nil {
		return false
	}
	for _, key := range x.keys[ref.Account] {
		if of[key.Digest(r.Raw)] {
			return true
		}
	}
	return false
}

// stays reports whether a match of a request in a record is there on purpose.
func (x *expectation) stays(v *Verify, ref pipeline.RequestRef, r *scanners.Record, m scanners.Match) bool {
	name := x.name(ref)
	return x.whole[name] || x.keeps(name, m.Path) || x.digest(x.digests, ref, r)
}

// name spells a request out.
func (x *expectation) name(ref pipeline.RequestRef) string {
	name, ok := x.refs[ref]
	if !ok {
		name = ref.String()
		x.refs[ref] = name
	}
	return name
}

// keeps reports whether a field is one that the redactions of a request keep.
func (x *expectation) keeps(name, path string) bool {
	return (&scanners.Edit{Keep: x.kept[name]}).Keeps(path)
}
