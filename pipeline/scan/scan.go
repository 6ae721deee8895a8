// Package scan is the step that searches batches of units for what open requests
// ask for: units in, hits (and filters for the catalog) out, into the work store.
//
// One pass serves all requests. A unit is searched for the tokens of every
// identity at once; what is found is confirmed, attributed to an account, and
// kept only for requests of that account. Scanning decides nothing about erasure.
package scan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/catalog"
	"expunge/pipeline/identity"
	"expunge/pipeline/ledger"
	"expunge/pipeline/naming"
	"expunge/pipeline/results"
	"expunge/pipeline/seal"
	"expunge/scanners"
)

// Codes of refusals.
const (
	Vanished = "VANISHED" // listed, but gone when it was opened
	Changed  = "CHANGED"  // another version took its place
	Denied   = "DENIED"   // the store refuses to give it
	Archived = "ARCHIVED" // has to be restored first
)

// Scan searches batches. All fields are read only while it runs.
type Scan struct {
	Stores   map[string]connectors.Store
	Formats  map[string]scanners.Scanner
	Detect   func(ctx context.Context, in scanners.Input) (format string, err error)
	Datasets []pipeline.Dataset
	Accounts map[string]string // names and ids to names
	Keys     *seal.Keys
	Results  *results.Results
	Name     func(o *pipeline.Object) string // what errors call an object

	CatalogKey catalog.Key

	Set  *identity.Set
	Asks [][]pipeline.Ask // by needle

	Policy pipeline.Policy

	// Past are requests of which something was erased, and that the run has for that alone: what is dated after their
	// cut-off is new, and what has no date is theirs only where its bytes are those of a
	// record, or of a whole object, that was erased.
	Past map[pipeline.RequestRef]*ledger.Coverage

	// Decided says what a person decided of a hit whose place and digest are known, raw
	// being what the digest is over; nil is nothing. It may be left nil.
	Decided func(h *pipeline.Hit, raw []byte, o *pipeline.Object) *pipeline.Decided

	Bytes atomic.Int64 // read from stores so far

	large sync.Mutex // of the one unit that may hold large records: a few at once would take more memory than a run has
}

// room is what a unit asks for large records, and gives back at its end.
type room struct {
	large *sync.Mutex
	taken bool
}

func (r *room) take() error {
	if !r.taken {
		r.large.Lock()
		r.taken = true
	}
	return nil
}

func (r *room) giveBack() {
	if r.taken {
		runtime.GC() // what it held is hundreds of megabytes, which the next would come on top of
		r.large.Unlock()
	}
}

// Batch scans the units of b and stores the result. It can be run again.
func (s *Scan) Batch(ctx context.Context, b pipeline.Batch) ([]*pipeline.UnitResult, error) {
	w, err := s.Results.NewWriter(b.Round, b.N, b.Digest)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	filters, off := w.Filters()
	sink := catalog.NewSink(s.CatalogKey, s.Keys, s.Results.FilterFile(b.Round, b.N), filters, off, catalog.TokenFile(s.Results.Run, b.N, b.Digest))
	defer sink.Close()
	var done []*pipeline.UnitResult
	for i := range b.Units {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		u, err := s.unit(ctx, &b.Units[i], w, sink)
		if err != nil {
			return nil, err
		}
		if err := w.Unit(u); err != nil {
			return nil, err
		}
		slim := *u
		slim.Segments = nil
		done = append(done, &slim)
	}
	if err := sink.Store(ctx, s.Results.Work); err != nil {
		return nil, err
	}
	if err := w.Store(ctx); err != nil {
		return nil, err
	}
	return done, nil
}

// unit scans one unit. An error is fatal to the run; what concerns the object
// alone becomes its outcome.
func (s *Scan) unit(ctx context.Context, u *pipeline.Unit, w *results.Writer, sink *catalog.Sink) (*pipeline.UnitResult, error) {
	d := &s.Datasets[u.Object.Dataset]
	res := &pipeline.UnitResult{Object: u.Object, Part: u.Part, Parts: u.Parts, Outcome: pipeline.Scanned, Cataloged: u.Catalog, Fresh: u.Catalog, Rows: map[string]int64{}}
	in := s.input(u, d, &res.Bytes)
	room := &room{large: &s.large}
	defer room.giveBack()
	in.Large = room.take
	refuse := func(err error) *pipeline.UnitResult {
		res.Outcome, res.Code, res.Reason = pipeline.Refused, code(err), reason(err, in.Name)
		res.Cataloged, res.Segments = false, nil
		return res
	}
	if !utf8.ValidString(u.Object.Key) {
		// Manifests and journals are JSON, which would name another key in its place.
		return refuse(&scanners.Refusal{Code: scanners.Unsupported, Name: in.Name, Err: errors.New("its name is not UTF-8; rename it")}), nil
	}
	format := d.Format
	if format == "auto" {
		stop := replay(&in)
		var err error
		format, err = s.Detect(ctx, in)
		if stop(); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return refuse(err), nil
		}
	}
	res.Format = format
	scanner := s.Formats[format]
	if scanner == nil {
		what := fmt.Errorf("format %q is not read; name the right one in dataset %q, or ignore the object", format, d.Name)
		if format == "" {
			what = fmt.Errorf("no format is known by this content; name it in dataset %q, or ignore the object", d.Name)
		}
		return refuse(&scanners.Refusal{Code: scanners.Unknown, Name: in.Name, Err: what}), nil
	}

	r := &recorder{s: s, w: w, u: u, d: d, res: res, whole: sync.OnceValues(func() ([]byte, error) { return ledger.Content(ctx, in.Open) })}
	in.Every = r.everyRecord()
	var builder *catalog.Builder
	options := identity.FinderOptions{
		Fields: d.Fields, Objects: d.Object, Time: d.Time, Search: d.Search, Account: u.Object.Account, Agents: true,
		Boundary: func(int64, int, int64) {},
	}
	if u.Catalog {
		builder = catalog.NewBuilder(sink, u.Part)
		options.Collect, options.Boundary = builder.Collect, builder.Boundary
	}
	r.finder = s.Set.Finder(options)

	if u.Part.Off == 0 && u.Part.Group == 0 {
		if err := r.object(); err != nil {
			return nil, err
		}
	}
	var finder scanners.Finder = r.finder
	if u.Catalog && d.Time != "" && !in.Every {
		finder = newTimed(r.finder, d, &r.times)
	}
	hearing := r.finder.Hearing(r.record)
	stats, err := scanner.Scan(ctx, in, finder, hearing.Record)
	if held := hearing.End(); err == nil {
		err = held
	}
	s.Bytes.Add(res.Bytes)
	res.Records, res.Malformed = stats.Records, stats.Malformed
	r.times.tell(res, in.Every)
	if !in.Every && u.Object.Account != "" {
		res.Rows[u.Object.Account] = stats.Records
	}
	switch {
	case r.err != nil:
		return nil, r.err
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return refuse(err), nil
	case r.unread != nil:
		return refuse(r.unread), nil
	case stats.Suspect > 0:
		return refuse(&scanners.Refusal{Code: scanners.Malformed, Name: in.Name,
			Err: fmt.Errorf("%d records that something asked for may be in cannot be parsed", stats.Suspect)}), nil
	}
	if builder != nil {
		_, splits := scanner.(scanners.Splitter)
		end := u.Object.Size
		if u.Part.Len > 0 {
			end = u.Part.Off + u.Part.Len
		}
		if res.Segments, err = builder.Finish(stats.Records, end, splits); err != nil {
			return nil, err
		}
	}
	return res, nil
}

// input opens the unit's object, exactly the version that was listed.
func (s *Scan) input(u *pipeline.Unit, d *pipeline.Dataset, read *int64) scanners.Input {
	store, ref := s.Stores[u.Object.Store], u.Object.Ref
	return scanners.Input{
		Name: s.Name(&u.Object), Ext: scanners.Ext(u.Object.Key), Size: u.Object.Size, Part: u.Part,
		Layout: scanners.Layout{Header: d.CSV.Header, Delimiter: d.CSV.Delimiter, Columns: d.CSV.Columns},
		Open: func(ctx context.Context, off, n int64) (io.ReadCloser, error) {
			body, err := store.Open(ctx, ref, connectors.Range{Off: off, Len: n})
			if err != nil {
				return nil, err
			}
			return &counted{body, read}, nil
		},
	}
}

type counted struct {
	io.ReadCloser
	n *int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	atomic.AddInt64(c.n, int64(n))
	return n, err
}

// reason is what err says. It may name columns, which may have people for names.
func reason(err error, object string) string {
	said := strings.Split(err.Error(), object)
	for i := range said {
		said[i] = naming.Field(said[i])
	}
	return strings.Join(said, object)
}

// code says why an object was refused.
func code(err error) string {
	switch {
	case errors.Is(err, connectors.ErrNotFound):
		return Vanished
	case errors.Is(err, connectors.ErrChanged):
		return Changed
	case errors.Is(err, connectors.ErrDenied):
		return Denied
	case errors.Is(err, connectors.ErrArchived):
		return Archived
	}
	if r := (*scanners.Refusal)(nil); errors.As(err, &r) {
		return string(r.Code)
	}
	return string(scanners.Unreadable)
}

// Split cuts an object in parts of about target bytes, where its format can; nil
// means that it cannot be cut, or that a number which people say may go on over a cut.
func (s *Scan) Split(ctx context.Context, o *pipeline.Object, target int64) ([]scanners.Part, error) {
	d := &s.Datasets[o.Dataset]
	if identity.GoesOn(d.Fields) {
		return nil, nil
	}
	var read int64
	in := s.input(&pipeline.Unit{Object: *o}, d, &read)
	format := d.Format
	if format == "auto" {
		var err error
		if format, err = s.Detect(ctx, in); err != nil {
			return nil, err
		}
	}
	splitter, ok := s.Formats[format].(scanners.Splitter)
	if !ok {
		return nil, nil
	}
	defer func() { s.Bytes.Add(read) }()
	return splitter.Split(ctx, in, target)
}
