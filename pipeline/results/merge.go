package results

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"slices"

	"expunge/pipeline"
	"expunge/pipeline/spool"
)

// Merged are the hits of all rounds with the objects they are in, by request,
// dataset, object and record, each record once per request. They lie in a file of
// this process; memory holds a Span for each request.
type Merged struct {
	Untimed map[string]int64 // hits by dataset in records whose time cannot be read
	file    *spool.Sections
	spans   []Span
}

// Span is what was found for one request.
type Span struct {
	Request  pipeline.RequestRef
	Records  int64 // of automatic tiers, or included
	Review   int64 // that a person has to decide on
	Included int64 // of Records, by a person's decision
	Excluded int64 // by a person's decision, and in neither
	section  spool.Section
}

// Merge merges the hits of the rounds. A record found in two of them is one hit
// with the evidence of both. objects are those of the plan, in its order, which is
// that of each round's hits: so the hits meet their objects without a table of
// them. judge has the last word on how sure a hit of a round is. whole tells of a hit of
// an object whether all of it is the request's: then nobody is asked about records in it.
// outside tells of a hit that nothing its request asks for reaches it: it is left out. All
// three may be nil. Memory is that of a spool.Sorter, and a frame for each round.
func (r *Results) Merge(ctx context.Context, rounds int, objects iter.Seq2[pipeline.Object, error], judge func(*pipeline.Hit), whole, outside func(*pipeline.Hit) bool) (*Merged, error) {
	bases, err := r.Bases(ctx)
	if err != nil {
		return nil, err
	}
	s := &sorter{sorter: spool.NewSorter(), judge: judge, whole: whole, outside: outside}
	defer s.sorter.Close()
	hits := make([]*hitCursor, rounds)
	for i := range hits {
		hits[i] = newHitCursor(r.Hits(ctx, i+1, bases))
		defer hits[i].stop()
	}
	for o, err := range objects {
		if err != nil {
			return nil, err
		}
		s.begin(&o)
		for i, c := range hits {
			if err := c.object(o.N, s.add); err != nil {
				return nil, fmt.Errorf("merge hits of round %d: %w", i+1, err)
			}
		}
	}
	for i, c := range hits {
		switch {
		case c.err != nil:
			return nil, fmt.Errorf("merge hits of round %d: %w", i+1, c.err)
		case c.more:
			return nil, fmt.Errorf("merge hits of round %d: a hit in object %d, which is not of the plan", i+1, c.f.Object)
		}
	}
	return s.merged()
}

// hitCursor walks the hits of a round beside the plan.
type hitCursor struct {
	next func() (*Found, error, bool)
	stop func()
	f    *Found
	err  error
	more bool
}

func newHitCursor(hits iter.Seq2[*Found, error]) *hitCursor {
	c := &hitCursor{}
	c.next, c.stop = iter.Pull2(hits)
	c.f, c.err, c.more = c.next()
	return c
}

// object gives each the hits in object n. A hit that the walk has passed would
// get lost: that is an error.
func (c *hitCursor) object(n int64, each func(*Found) error) error {
	for c.more {
		switch {
		case c.err != nil:
			return c.err
		case c.f.Object < n:
			return fmt.Errorf("a hit in object %d is not in the order of the plan", c.f.Object)
		case c.f.Object > n:
			return nil
		}
		if err := each(c.f); err != nil {
			return err
		}
		c.f, c.err, c.more = c.next()
	}
	return nil
}

// Records of the merged file, by their first byte. An object comes before the
// hits in it, and a schema before those that have it.
const (
	objectRecord = 'o'
	schemaRecord = 's'
	hitRecord    = 'h'
)

// sorter orders hits, and before each request's hits in an object the object.
type sorter struct {
	sorter     *spool.Sorter
	judge      func(*pipeline.Hit)
	whole      func(*pipeline.Hit) bool
	outside    func(*pipeline.Hit) bool
	object     *pipeline.Object
	told       map[pipeline.RequestRef]bool // of the object
	key, value []byte
}

func (s *sorter) begin(o *pipeline.Object) { s.object, s.told = o, nil }

func (s *sorter) add(f *Found) error {
	if s.outside != nil && s.outside(&f.Hit) {
		return nil
	}
	if s.judge != nil {
		s.judge(&f.Hit)
	}
	f.Links, f.Direct, f.Digests, f.Base = nil, nil, nil, 0
	s.key = append(append(s.key[:0], f.Request.Account...), 0)
	s.key = append(append(s.key, f.Request.ID...), 0)
	s.key = append(append(s.key, f.Dataset...), 0)
	s.key = binary.BigEndian.AppendUint64(s.key, uint64(f.Object))
	if !s.told[f.Request] {
		if s.told == nil {
			s.told = map[pipeline.RequestRef]bool{}
		}
		s.told[f.Request] = true
		b, err := json.Marshal(s.object)
		if err != nil {
			return fmt.Errorf("sort objects: %w", err)
		}
		if err := s.sorter.Add(append(s.key, 0), b); err != nil {
			return err
		}
	}
	var err error
	if s.value, err = appendFound(s.value[:0], f); err != nil {
		return err
	}
	return s.sorter.Add(binary.BigEndian.AppendUint64(append(s.key, 1), uint64(f.Record+1)), s.value)
}

func appendFound(dst []byte, f *Found) ([]byte, error) {
	head, err := json.Marshal(&f.Hit)
	if err != nil {
		return nil, fmt.Errorf("sort hits: %w", err)
	}
	dst = append(binary.AppendUvarint(dst, uint64(len(head))), head...)
	dst = append(binary.AppendUvarint(dst, uint64(len(f.Schema))), f.Schema...)
	return append(dst, f.Doc...), nil
}

func readFound(b []byte) (*Found, error) {
	f := new(Found)
	n, k := binary.Uvarint(b)
	if err := json.Unmarshal(b[k:k+int(n)], &f.Hit); err != nil {
		return nil, fmt.Errorf("read hit: %w", err)
	}
	b = b[k+int(n):]
	n, k = binary.Uvarint(b)
	if n > 0 {
		f.Schema = bytes.Clone(b[k : k+int(n)])
	}
	if doc := b[k+int(n):]; len(doc) > 0 {
		f.Doc = bytes.Clone(doc)
	}
	return f, nil
}

// merged writes what was sorted, a section for each request.
func (s *sorter) merged() (*Merged, error) {
	file, err := spool.NewSections()
	if err != nil {
		return nil, err
	}
	w := &mergeWriter{m: &Merged{Untimed: map[string]int64{}, file: file}, whole: s.whole}
	for p, err := range s.sorter.Sorted() {
		if err == nil {
			err = w.add(p)
		}
		if err != nil {
			file.Close()
			return nil, err
		}
	}
	if err := w.end(); err != nil {
		file.Close()
		return nil, err
	}
	return w.m, nil
}

type mergeWriter struct {
	m      *Merged
	whole  func(*pipeline.Hit) bool
	given  []byte // what the keys of hits in an object begin with that is the request's as a whole
	span   Span
	schema []byte // last written in this section
	key    []byte // of last
	last   *Found
	rec    []byte
}

func (w *mergeWriter) add(p spool.Pair) error {
	if w.last != nil && bytes.Equal(p.Key, w.key) {
		f, err := readFound(p.Value)
		if err != nil {
			return err
		}
		w.last.merge(f)
		return nil
	}
	if err := w.flush(); err != nil {
		return err
	}
	request, kind, err := readKey(p.Key)
	if err != nil {
		return err
	}
	if request != w.span.Request {
		if err := w.end(); err != nil {
			return err
		}
		w.span.Request = request
	}
	if kind == 0 {
		w.key, w.rec = w.key[:0], append(append(w.rec[:0], objectRecord), p.Value...)
		return w.m.file.Write(w.rec)
	}
	w.key = append(w.key[:0], p.Key...)
	w.last, err = readFound(p.Value)
	return err
}

// readKey reads what add has made: the request, and whether an object or a hit
// stands under it. Neither accounts nor ids hold NUL.
func readKey(key []byte) (request pipeline.RequestRef, kind byte, err error) {
	parts := bytes.SplitN(key, []byte{0}, 4)
	if len(parts) < 4 || len(parts[3]) < 9 {
		return request, 0, fmt.Errorf("merge hits: a key of %d bytes is none of a hit", len(key))
	}
	return pipeline.RequestRef{Account: string(parts[0]), ID: string(parts[1])}, parts[3][8], nil
}

// flush writes the hit that is complete.
func (w *mergeWriter) flush() error {
	f := w.last
	if f == nil {
		return nil
	}
	w.last = nil
	object := w.key[:len(w.key)-8]
	switch {
	case f.Record < 0 && !f.Excluded() && !f.Late() && w.whole != nil && w.whole(&f.Hit):
		w.given = append(w.given[:0], object...)
	case bytes.Equal(w.given, object) && !f.Automatic():
		return nil // what becomes of the object, becomes of it, whatever it says
	}
	if !bytes.Equal(f.Schema, w.schema) {
		w.schema, w.rec = f.Schema, append(append(w.rec[:0], schemaRecord), f.Schema...)
		if err := w.m.file.Write(w.rec); err != nil {
			return err
		}
	}
	switch {
	case f.Excluded():
		w.span.Excluded++
	case !f.Automatic():
		w.span.Review++
	default:
		w.span.Records++
		if f.Decided != nil {
			w.span.Included++
		}
	}
	if f.Untimed {
		w.m.Untimed[f.Dataset]++
	}
	f.Schema = nil // stands above
	var err error
	if w.rec, err = appendFound(append(w.rec[:0], hitRecord), f); err != nil {
		return err
	}
	return w.m.file.Write(w.rec)
}

// end ends the section of a request.
func (w *mergeWriter) end() error {
	if err := w.flush(); err != nil {
		return err
	}
	if w.span.Request == (pipeline.RequestRef{}) {
		return nil
	}
	var off int64
	if n := len(w.m.spans); n > 0 {
		off = w.m.spans[n-1].section.Off + w.m.spans[n-1].section.Len
	}
	var err error
	if w.span.section, err = w.m.file.End(off); err != nil {
		return err
	}
	w.m.spans = append(w.m.spans, w.span)
	w.span, w.schema = Span{}, nil
	return nil
}

// merge adds what another round says of the same record.
func (f *Found) merge(o *Found) {
	for _, e := range o.Why {
		if !slices.Contains(f.Why, e) {
			f.Why = append(f.Why, e)
		}
	}
	if f.Decided == nil {
		f.Decided = o.Decided
	}
	switch review := !f.Tier.Automatic(); {
	case f.Decided != nil && review != !o.Tier.Automatic(): // that a record leads to itself by its own link ids makes nothing surer
		if !review {
			f.Tier = o.Tier
		}
	case o.Tier.Surer(f.Tier):
		f.Tier = o.Tier
	}
	if f.Doc == nil {
		f.Doc, f.Schema = o.Doc, o.Schema
	}
	if f.Digest == "" {
		f.Digest = o.Digest
	}
}

// Close removes the file.
func (m *Merged) Close() error { return m.file.Close() }

// Spans are the requests for which something was found, by account and id.
func (m *Merged) Spans() []Span { return m.spans }

// Span is what was found for a request; the zero Span, but for its name, is nothing.
func (m *Merged) Span(request pipeline.RequestRef) Span {
	i, ok := slices.BinarySearchFunc(m.spans, request, func(s Span, r pipeline.RequestRef) int { return s.Request.Compare(r) })
	if !ok {
		return Span{Request: request}
	}
	return m.spans[i]
}

// All yields every hit, with At set, by request, dataset, object and record.
func (m *Merged) All() iter.Seq2[*Found, error] {
	return func(yield func(*Found, error) bool) {
		for _, s := range m.spans {
			for f, err := range m.Of(s) {
				if !yield(f, err) {
					return
				}
			}
		}
	}
}

// Of yields the hits of one request, with At set, by dataset, object and record.
// Several may be read at once; each takes a frame of memory.
func (m *Merged) Of(s Span) iter.Seq2[*Found, error] {
	return func(yield func(*Found, error) bool) {
		if s.section.Len == 0 {
			return
		}
		r, err := m.file.Read(s.section)
		if err != nil {
			yield(nil, err)
			return
		}
		defer r.Close()
		var at *pipeline.Object
		var schema []byte
		for {
			rec, err := r.Next()
			if err == io.EOF {
				return
			}
			var f *Found
			if err == nil {
				switch rec[0] {
				case objectRecord:
					at = new(pipeline.Object)
					err = json.Unmarshal(rec[1:], at)
				case schemaRecord:
					schema = nil
					if len(rec) > 1 {
						schema = bytes.Clone(rec[1:])
					}
				default:
					f, err = readFound(rec[1:])
				}
			}
			if err != nil {
				yield(nil, fmt.Errorf("read hits of %s: %w", s.Request, err))
				return
			}
			if f == nil {
				continue
			}
			f.Schema, f.At = schema, at
			if !yield(f, nil) {
				return
			}
		}
	}
}
