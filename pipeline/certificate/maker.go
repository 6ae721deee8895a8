package certificate

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"iter"
	"slices"

	"expunge/pipeline"
	"expunge/pipeline/journal"
	"expunge/pipeline/manifest"
	"expunge/pipeline/spool"
)

// Maker turns the tombstones of a run and what became of them into one body for
// each request. Tombstones are sorted externally; a body is in memory while it is
// made.
type Maker struct {
	Run     string
	Past    *journal.Past
	Residue func(request, objectID string) bool                     // whether verification has found traces of a request in an object that nothing explains
	Ours    func(vanished *journal.Entry) bool                      // whether another erasure of ours took the records that were gone from an object
	Waived  func(refused journal.Place, code string) (Waiver, bool) // whether a person has waived that a version, without an act, cannot be read
	sorter  *spool.Sorter
}

// Waiver is a person's word that an object need not be examined.
type Waiver struct {
	Instruction string
	Until       string // the last day
}

// Waived is the code of exceptions that a waiver makes.
const Waived = "WAIVED"

// NewMaker returns an empty Maker, of which the caller sets Residue, Ours and Waived; Close it in
// any case.
func NewMaker(run string, past *journal.Past) *Maker {
	return &Maker{Run: run, Past: past, sorter: spool.NewSorter()}
}

// Close removes the spool.
func (m *Maker) Close() { m.sorter.Close() }

// Add takes a tombstone that was to be applied.
func (m *Maker) Add(r *manifest.Row) error {
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("make certificate: %w", err)
	}
	key := append([]byte(r.Request), 0)
	key = append(append(key, r.ObjectID...), 0)
	if r.Version != nil {
		key = append(key, *r.Version...)
	}
	key = append(append(append(key, 0), r.ETag...), 0)
	record := uint64(0)
	if r.Record != nil {
		record = uint64(*r.Record) + 1
	}
	return m.sorter.Add(binary.BigEndian.AppendUint64(key, record), b)
}

// Bodies yields the body of each request, by request; what only the caller knows
// (dates, approvals, what was not examined or verified) is left for it to fill in.
func (m *Maker) Bodies() iter.Seq2[*Body, error] {
	return func(yield func(*Body, error) bool) {
		var b *Body
		for p, err := range m.sorter.Sorted() {
			r := new(manifest.Row)
			if err == nil {
				err = json.Unmarshal(p.Value, r)
			}
			if err != nil {
				yield(nil, fmt.Errorf("make certificate: %w", err))
				return
			}
			if b != nil && b.Request != r.Request {
				if !yield(b, nil) {
					return
				}
				b = nil
			}
			if b == nil {
				b = &Body{
					Version: 1, Request: r.Request, Account: r.Account, Run: m.Run, Dispositions: map[string]int64{},
					Objects: []Object{}, Exceptions: []Exception{}, Open: []Open{}, NotExamined: []NotExamined{}, NotCovered: []string{},
				}
			}
			m.row(b, r)
		}
		if b != nil {
			yield(b, nil)
		}
	}
}

// row adds what became of one tombstone.
func (m *Maker) row(b *Body, r *manifest.Row) {
	version := ""
	if r.Version != nil {
		version = *r.Version
	}
	excepted := r.Disposition == string(pipeline.Excepted)
	if excepted {
		b.except(r)
	}
	done, open := m.Past.Of(r.ObjectID, version, r.ETag)
	if excepted && (len(r.KeptFields) == 0 || done == nil && open == nil) {
		b.Dispositions[string(pipeline.Excepted)]++ // all of it stays
		return
	}
	if u := m.uploads(b, r); open == nil && done != nil {
		open = u
	}
	if open == nil && done != nil && done.Vanished() && !m.Ours(done) {
		open = &journal.Entry{State: journal.Gone, Reason: done.Reason + ", by another hand: they may stand elsewhere by now"}
		if done.Reason == journal.GoneFromKey {
			open.Reason = done.Reason + ", by another hand: what was in it may stand elsewhere by now"
		}
	}
	if open == nil && done != nil && (m.Residue(r.Request, r.ObjectID) || done.ToID != "" && m.Residue(r.Request, done.ToID)) {
		open = &journal.Entry{State: Residue, Reason: "the object was erased from, and verification has found a trace in it that nothing explains"}
	}
	if open != nil && open.State == journal.Refused && open.Act != journal.AbortUploads {
		if w, ok := m.Waived(journal.Place{Object: r.ObjectID, Version: version, ETag: r.ETag}, open.Code); ok {
			b.keep(Exception{Dataset: r.Dataset, Code: Waived, Instruction: w.Instruction, Fields: []string{}, ReviewBy: w.Until, Records: 1})
			b.Dispositions[string(pipeline.Excepted)]++
			return
		}
	}
	switch {
	case open != nil && open.State.Deferred():
		b.Dispositions[string(pipeline.BackupDeferred)]++
	case open != nil || done == nil:
		b.Dispositions[NotDone]++
	case excepted:
		b.Dispositions[string(pipeline.Excepted)]++
	case r.Action == string(pipeline.Deidentify):
		b.Dispositions[string(pipeline.Deidentified)]++
		b.deidentify(r)
	default:
		b.Dispositions[string(pipeline.Erased)]++
		if r.Action == string(pipeline.Redact) || r.Action == string(pipeline.RedactMention) {
			b.Redacted++
		}
	}
	if open != nil || done == nil {
		m.open(b, r, version, open)
		return
	}
	if first := m.object(b, r, version, done); first && m.Past.Keeps(r.ObjectID, version, r.ETag) {
		b.NotCovered = append(b.NotCovered, fmt.Sprintf("%s: policy keeps its older versions, which hold the records", r.Object))
	}
}

// uploads adds what became of the unfinished uploads of a tombstone's key, once for
// each key. It returns the entry that keeps the erasure of the key open, or nil.
func (m *Maker) uploads(b *Body, r *manifest.Row) *journal.Entry {
	u := m.Past.Uploads(r.ObjectID)
	if u == nil {
		return nil
	}
	first := b.lastKey != r.ObjectID
	b.lastKey = r.ObjectID
	switch {
	case u.State == journal.Kept:
		if first {
			b.NotCovered = append(b.NotCovered, fmt.Sprintf("%s: %s", r.Object, u.Reason))
		}
	case !u.State.Final():
		if first && u.State == journal.Refused {
			b.NotExamined = append(b.NotExamined, NotExamined{Object: r.Object, ObjectID: r.ObjectID, Code: NotListed, Reason: u.Reason})
		}
		return u
	case first:
		b.Uploads += u.Uploads
	}
	return nil
}

// NotListed is the code of objects whose unfinished uploads could not be examined.
const NotListed = "UPLOADS"

// Residue is the state of what is open since verification found a trace.
const Residue journal.State = "RESIDUE"

// NotDone counts, among dispositions, the tombstones that stand in Open.
const NotDone = "OPEN"

func (b *Body) except(r *manifest.Row) {
	x := Exception{Dataset: r.Dataset, Fields: r.KeptFields, Records: 1}
	for _, f := range []struct {
		from *string
		to   *string
	}{{r.Exception, &x.Code}, {r.Instruction, &x.Instruction}, {r.ReviewBy, &x.ReviewBy}} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	b.keep(x)
}

// keep adds an exception, or its record to one that says the same.
func (b *Body) keep(x Exception) {
	for i := range b.Exceptions {
		if o := &b.Exceptions[i]; o.Dataset == x.Dataset && o.Code == x.Code && o.Instruction == x.Instruction {
			o.Records++
			return
		}
	}
	b.Exceptions = append(b.Exceptions, x)
}

// deidentify adds a record of which only what identifies nobody is left.
func (b *Body) deidentify(r *manifest.Row) {
	x := Deidentified{Dataset: r.Dataset, Fields: r.KeptFields, Records: 1}
	if r.Instruction != nil {
		x.Commitment = *r.Instruction
	}
	for i := range b.Deidentified {
		if o := &b.Deidentified[i]; o.Dataset == x.Dataset {
			o.Records++
			return
		}
	}
	b.Deidentified = append(b.Deidentified, x)
}

func (m *Maker) open(b *Body, r *manifest.Row, version string, open *journal.Entry) {
	o := Open{Object: r.Object, ObjectID: r.ObjectID, Version: version, State: "PENDING", Reason: "nothing was done to it yet"}
	if open != nil {
		o.State, o.Reason = string(open.State), open.Reason
		if open.Act == journal.AbortUploads {
			o.Act = string(open.Act)
		}
		o.Code, o.Until, o.Trigger = open.Code, open.Until, m.trigger(open)
	}
	if n := len(b.Open); n > 0 && b.Open[n-1] == o {
		return
	}
	b.Open = append(b.Open, o)
}

// trigger says what brings what is deferred to its end.
func (m *Maker) trigger(open *journal.Entry) string {
	again := fmt.Sprintf("`expunge erase %s`, under the approval that it has", m.Run)
	switch {
	case open.State == journal.Archived:
		return "restore the object from its archive class, then " + again
	case open.State == journal.Locked && open.Until != "":
		return "when the retention has ended, " + again
	case open.State == journal.Locked:
		return "when the store's hold is lifted, " + again
	case open.Code == journal.NullVersion:
		return "delete the version null of the key by hand, then " + again
	case open.Code == journal.MFADelete:
		return "delete the version as the bucket's owner, or turn MFA delete off, then " + again
	case open.Code == journal.MayNot:
		return "allow s3:DeleteObjectVersion, then " + again
	}
	return ""
}

// object adds the state of an object version before and after, once for each.
func (m *Maker) object(b *Body, r *manifest.Row, version string, e *journal.Entry) (first bool) {
	if n := len(b.Objects); n > 0 {
		if last := &b.Objects[n-1]; last.ObjectID == r.ObjectID && last.VersionBefore == version && last.ETagBefore == r.ETag {
			last.Tombstones++
			return false
		}
	}
	for lost := range m.Past.Lost(r.ObjectID, version, r.ETag) {
		l := Lost{Object: r.Object, ObjectID: r.ObjectID, Version: lost.Version, Records: lost.Lost, Approval: lost.LostBy}
		if !slices.Contains(b.VersionsLost, l) { // what was replaced may stand for several versions
			b.VersionsLost = append(b.VersionsLost, l)
		}
	}
	b.Objects = append(b.Objects, Object{
		Dataset: r.Dataset, Object: r.Object, ObjectID: r.ObjectID, Act: string(e.Act), VersionBefore: version, ETagBefore: r.ETag,
		VersionAfter: e.NewVersion, ETagAfter: e.NewETag, ObjectAfter: e.ToObject, SHA256After: e.SHA256, RecordsBefore: e.Records, RecordsAfter: e.Records - e.Erased,
		Survivors: e.Survivors, Tombstones: 1, Disposition: pipeline.Erased, Reason: e.Reason,
	})
	return true
}
