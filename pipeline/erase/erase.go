// Package erase is the step that applies approved tombstones to the lake, one
// window of keys at a time.
//
// The order of one key: rewrite to a patch, lay it over the source and take its
// census again (no record that stays is lost or changed), journal the intent,
// replace only what was read, read back, delete the older versions that hold the
// records, journal the outcome. An object whose key names the consumer goes from it: what
// stays of it is written under a redacted key first. Everything is conditional: an object that another
// writer has put in the place of the one that was sealed is searched for the
// records by their digests, and else left alone.
//
// It can be killed at any operation and run again: what an earlier try did is told
// from what it meant to do by reading the lake, never by trusting that try.
package erase

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"time"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/identity"
	"expunge/pipeline/journal"
	"expunge/pipeline/manifest"
	"expunge/pipeline/seal"
	"expunge/pipeline/spool"
	"expunge/scanners"
)

const (
	// windowKeys and windowBytes bound what one segment of the journal covers, and
	// with it the spool.
	windowKeys  = 500
	windowBytes = 256 << 20
)

// Erase applies tombstones. Its exported fields are read only while it runs.
type Erase struct {
	Stores   map[string]connectors.Store
	Formats  map[string]scanners.Scanner
	Detect   func(ctx context.Context, in scanners.Input) (format string, err error)
	Datasets []pipeline.Dataset
	Keys     *seal.Keys
	Journal  *journal.Journal
	Past     *journal.Past // of earlier tries

	KeepOld bool                                   // policy: noncurrent versions stay, and are reported
	Lost    func(account string) journal.Allowance // survivors in old versions of an account's objects whose loss is approved; "": whose key does not say
	Idle    time.Time                              // unfinished uploads that nobody has written to since then are given up; younger ones are left
	Held    Held                                   // asked again before each change; nil: nobody holds anything
	Theirs  Theirs                                 // what other erasures ask of old versions; nil: there are none

	// Of objects that go since their key names the consumer: what stays of them moves.
	Region   string                                                                    // of national phone numbers
	Own      func(ref pipeline.RequestRef, direct pipeline.Link) bool                  // whether an identifier is known as the consumer's beside what was asked for, or as the account's own
	Cutoff   func(pipeline.RequestRef) int64                                           // Unix milliseconds; records dated later stay
	Excluded func(ref pipeline.RequestRef, dataset string, raw []byte) bool            // whether a person decided that a record is not the request's; nil: none
	Redacted func(t *manifest.Target, content string) (key, url, id string, err error) // the key that what stays has then, for its content; ErrNoKey

	Identities *identity.Set    // of the requests: what is cut out of records that mention their consumers
	Asks       [][]pipeline.Ask // by needle of Identities

	tables tables
}

// Window is a run of keys whose intents share a segment of the journal.
type Window struct {
	Name    string // of its writer in the journal: no other window of any try has it
	Targets []*manifest.Target
}

// Windows cuts targets into windows. try is unique to this try of the erasure.
func Windows(try string, targets iter.Seq2[*manifest.Target, error]) iter.Seq2[Window, error] {
	return func(yield func(Window, error) bool) {
		n := 0
		w := Window{}
		var size int64
		for t, err := range targets {
			if err != nil {
				yield(Window{}, err)
				return
			}
			w.Targets = append(w.Targets, t)
			if size += weight(t); len(w.Targets) == windowKeys || size >= windowBytes {
				w.Name = fmt.Sprintf("%s-%06d", try, n)
				if !yield(w, nil) {
					return
				}
				n, w, size = n+1, Window{}, 0
			}
		}
		if len(w.Targets) > 0 {
			w.Name = fmt.Sprintf("%s-%06d", try, n)
			yield(w, nil)
		}
	}
}

// task is a key with what will be done to it.
type task struct {
	t     *manifest.Target
	store connectors.Store
	base  connectors.Object // what the first op changes: what is current
	ops   []op

	listed   *listed  // its versions; nil: not listed yet
	standing *digests // of what stands elsewhere; nil: not read yet
}

// op is one change of the lake: its intent, and then its outcome.
type op struct {
	entry   journal.Entry
	settled bool // nothing to do: entry is the outcome already
	known   bool // ... which an earlier try has journaled
	ref     connectors.Ref
	patch   connectors.Patch
	made    *connectors.Object // Move: what an earlier try has written under the redacted key
	rows    *manifest.Version  // DeleteVersion: what is asked of it; nil: all of it goes
	deleted bool               // DeleteVersion: by this try
	left    int                // AbortUploads: how many are too young to be given up
	uploads []connectors.Upload
}

// Apply applies one window and returns the outcomes, those of earlier tries
// included. An error is fatal; what concerns one object becomes its outcome.
func (e *Erase) Apply(ctx context.Context, w Window) ([]journal.Entry, error) {
	f, err := spool.Temp()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	writer := e.Journal.Writer(w.Name)
	var tasks []*task
	var intents []journal.Entry
	for _, t := range w.Targets {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		task, err := e.prepare(ctx, t, f)
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, task)
		for i := range task.ops {
			if !task.ops[i].settled {
				intents = append(intents, task.ops[i].entry)
			}
		}
	}
	if err := writer.Append(ctx, intents); err != nil {
		return nil, err
	}
	var all, fresh []journal.Entry
	for _, task := range tasks {
		for i := range task.ops {
			if o := &task.ops[i]; !o.settled && (o.entry.Act == journal.Replace || o.entry.Act == journal.Move) {
				intent := o.entry
				o.patch.Begun = func(ctx context.Context, upload string) error {
					intent.Upload = upload
					return writer.Append(ctx, []journal.Entry{intent})
				}
			}
		}
		err := e.carry(ctx, task)
		task.close()
		for i := range task.ops {
			if o := &task.ops[i]; o.entry.Kind == journal.Outcome {
				all = append(all, o.entry)
				if !o.known {
					fresh = append(fresh, o.entry)
				}
			}
		}
		if err != nil {
			return nil, err // the lake itself says how far this came
		}
	}
	if err := writer.Append(ctx, fresh); err != nil {
		return nil, err
	}
	return all, writer.Close(ctx)
}

// settle ends an op.
func (o *op) settle(s journal.State, reason string) {
	o.entry.Kind, o.entry.State, o.entry.Reason, o.settled = journal.Outcome, s, reason, true
}

// refusal settles an op by what went wrong with its object; an error that is not
// the object's own comes back.
func (o *op) refusal(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var lock *connectors.LockError
	switch {
	case errors.Is(err, ErrNoKey):
		o.settle(journal.Refused, ErrNoKey.Error())
	case errors.Is(err, errNothing):
		o.settle(journal.Refused, err.Error())
	case errors.Is(err, errDigest):
		o.settle(journal.Conflict, err.Error())
	case errors.Is(err, connectors.ErrChanged), errors.Is(err, connectors.ErrNotFound):
		o.settle(journal.Conflict, "it changed while it was worked on; run erase again")
	case errors.As(err, &lock):
		o.settle(journal.Locked, lock.Error())
		if !lock.Until.IsZero() {
			o.entry.Until = lock.Until.UTC().Format(time.RFC3339)
		}
	case errors.Is(err, connectors.ErrHeld):
		o.settle(journal.Held, "the store holds it under a lock or a legal hold")
	case errors.Is(err, connectors.ErrMFA):
		o.entry.Code = journal.MFADelete
		o.settle(journal.Refused, connectors.ErrMFA.Error())
	case errors.Is(err, connectors.ErrNull):
		o.entry.Code = journal.NullVersion
		o.settle(journal.Refused, connectors.ErrNull.Error())
	case errors.Is(err, connectors.ErrArchived):
		o.settle(journal.Archived, "it must be restored before it can be rewritten")
	case errors.Is(err, connectors.ErrDenied):
		if o.entry.Act == journal.DeleteVersion {
			o.entry.Code = journal.MayNot
		}
		reason := "the store denies it"
		if denied := (*connectors.DeniedError)(nil); errors.As(err, &denied) {
			reason += ": allow " + strings.Join(denied.Allow, ", ")
		}
		o.settle(journal.Refused, reason)
	case errors.Is(err, connectors.ErrUnsupported):
		o.settle(journal.Refused, "the store does not support it")
	case errors.Is(err, connectors.ErrTemporary):
		o.settle(journal.Failed, "the store fails; run erase again")
	default:
		if r := (*scanners.Refusal)(nil); errors.As(err, &r) {
			o.entry.Code = string(r.Code)
			o.settle(journal.Refused, r.Error())
			return nil
		}
		if errors.Is(err, errUnfaithful) {
			o.settle(journal.Refused, err.Error())
			return nil
		}
		return err
	}
	return nil
}

var (
	errDigest     = errors.New("a record is not the one that was sealed")
	errUnfaithful = errors.New("the rewritten object is not the source without its tombstones")
)

// input is an object for its scanner.
func (e *Erase) input(t *manifest.Target, size int64, open func(ctx context.Context, off, n int64) (io.ReadCloser, error)) scanners.Input {
	d := &e.Datasets[t.Dataset]
	return scanners.Input{
		Name: t.Shown, Ext: scanners.Ext(t.Key), Size: size, Open: open,
		Layout: scanners.Layout{Header: d.CSV.Header, Delimiter: d.CSV.Delimiter, Columns: d.CSV.Columns},
	}
}

// scanner is the one for an object's content.
func (e *Erase) scanner(ctx context.Context, t *manifest.Target, in scanners.Input) (scanners.Scanner, error) {
	format := e.Datasets[t.Dataset].Format
	if format == "auto" {
		var err error
		if format, err = e.Detect(ctx, in); err != nil {
			return nil, err
		}
	}
	s := e.Formats[format]
	if s == nil {
		return nil, &scanners.Refusal{Code: scanners.Unknown, Name: in.Name, Err: errors.New("no format is known by this content")}
	}
	return s, nil
}

// rewrite makes the patch of base and proves it against the source.
func (e *Erase) rewrite(ctx context.Context, t *manifest.Target, src *source, v verdict, f *os.File, entry *journal.Entry) (connectors.Patch, error) {
	in := e.input(t, src.size, src.open)
	s, err := e.scanner(ctx, t, in)
	if err != nil {
		return connectors.Patch{}, err
	}
	rw, ok := s.(scanners.Rewriter)
	if !ok {
		return connectors.Patch{}, &scanners.Refusal{Code: scanners.Unsupported, Name: in.Name,
			Err: fmt.Errorf("records of %s cannot be erased one by one; say on_delete: {action: erase_object} in dataset %q", s.Format(), e.Datasets[t.Dataset].Name)}
	}
	start, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return connectors.Patch{}, fmt.Errorf("write spool: %w", err)
	}
	out := &counting{w: f}
	got, err := rw.Rewrite(ctx, in, v.edits, out, func(r *scanners.Record) error {
		if v.keyed[r.Index] {
			return nil
		}
		return e.same(v.digest[r.Index], r)
	})
	if err != nil {
		return connectors.Patch{}, err
	}
	l := &laid{source: src, pieces: got.Pieces, spool: io.NewSectionReader(f, start, out.n)}
	was, err := before(ctx, s, in, v.edits)
	if err != nil {
		return connectors.Patch{}, err
	}
	if err := v.found(&was); err != nil {
		return connectors.Patch{}, err
	}
	will, err := after(ctx, s, e.input(t, l.size(), l.open), v.edits, was.cut)
	if err != nil {
		return connectors.Patch{}, fmt.Errorf("%w: %w", errUnfaithful, err)
	}
	erased, redacted := int64(0), int64(0)
	for _, edit := range v.edits {
		if edit.Redact {
			redacted++
		} else {
			erased++
		}
	}
	if err := agree(was, will, got, erased, redacted); err != nil {
		return connectors.Patch{}, fmt.Errorf("%w: %w", errUnfaithful, err)
	}
	if erased == was.records && in.Ext == ".json" && s.Format() == "jsonl" && e.Datasets[t.Dataset].Format == "auto" {
		// A document of one line is both JSON and JSON lines: whoever reads it as the former must not find nothing.
		return connectors.Patch{}, &scanners.Refusal{Code: scanners.Unsupported, Name: in.Name, Err: errors.New("what would be left is no JSON document; use the action erase_object")}
	}
	entry.Records, entry.Erased, entry.Redacted, entry.Survivors = was.records, erased, redacted, was.survivors
	if entry.SHA256, entry.Size, err = sum(ctx, l.open); err != nil {
		return connectors.Patch{}, err
	}
	p := connectors.Patch{Spool: l.spool}
	for _, piece := range got.Pieces {
		p.Pieces = append(p.Pieces, connectors.Piece(piece))
	}
	return p, nil
}

// agree holds the census after against the one before.
func agree(was, will census, got scanners.Rewritten, erased, redacted int64) error {
	switch {
	case got.Erased != erased || got.Redacted != redacted || got.Records != was.records:
		return fmt.Errorf("the rewriter counts %d records, %d erased and %d redacted, not %d, %d and %d", got.Records, got.Erased, got.Redacted, was.records, erased, redacted)
	case will.records != was.records-erased:
		return fmt.Errorf("it has %d records, not %d", will.records, was.records-erased)
	case will.malformed > was.malformed || will.malformed < was.malformed-erased: // a malformed record can be among those that go
		return fmt.Errorf("it has %d malformed records, not %d", will.malformed, was.malformed)
	case will.survivors != was.survivors:
		return errors.New("a record that stays was changed or has moved")
	case len(will.redacted) != len(was.redacted) || int64(len(was.redacted)) != redacted:
		return fmt.Errorf("%d records are redacted, not %d", len(will.redacted), redacted)
	}
	for i := range was.redacted {
		if was.redacted[i] != will.redacted[i] {
			return errors.New("a field that a redaction keeps was changed")
		}
	}
	return nil
}

// counting counts what is written.
type counting struct {
	w io.Writer
	n int64
}

func (c *counting) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

func newReader(b []byte) io.Reader { return bytes.NewReader(b) }
