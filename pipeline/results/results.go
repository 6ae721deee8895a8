// Package results keeps what scans found in the work store, one result per batch,
// so that bundles, further rounds and a resumed run, on any machine, read it from
// there.
//
//	runs/<run>/rounds/<round>/<batch>.hits   hits with their rows, in scan order; only if there are any
//	runs/<run>/rounds/<round>/<batch>.units  what became of each unit; written last: the batch is done
//	catalog/filters/<run>-<round>-<batch>    filters of the units that were cataloged
//
// Both are sealed frame by frame.
package results

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"
	"strings"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/catalog"
	"expunge/pipeline/spool"
)

// Results are the results of one run.
type Results struct {
	Work connectors.Store
	Run  string
	Seal spool.Seal
	Open spool.Open
}

// Found is a hit with the row it is about.
type Found struct {
	pipeline.Hit
	Doc    []byte // the row as JSON; nil for whole objects and malformed records
	Schema []byte // the source's types as an Arrow IPC schema; nil where it has none
}

func (r *Results) dir(round int) string { return fmt.Sprintf("runs/%s/rounds/%d/", r.Run, round) }

func (r *Results) key(round, batch int, kind string) string {
	return fmt.Sprintf("%s%08d.%s", r.dir(round), batch, kind)
}

// FilterFile is where the filters of a batch are kept.
func (r *Results) FilterFile(round, batch int) string {
	return fmt.Sprintf("catalog/filters/%s-%d-%08d", r.Run, round, batch)
}

// Done returns the numbers of the batches of a round whose results are stored.
func (r *Results) Done(ctx context.Context, round int) (map[int]bool, error) {
	done := map[int]bool{}
	for n, err := range r.list(ctx, round, "units") {
		if err != nil {
			return nil, err
		}
		done[n] = true
	}
	return done, nil
}

// list yields the numbers of the batches that have a file of a kind, in order.
func (r *Results) list(ctx context.Context, round int, kind string) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for o, err := range r.Work.List(ctx, r.dir(round)) {
			if err != nil {
				yield(0, fmt.Errorf("list results: %w", err))
				return
			}
			name, ok := strings.CutSuffix(strings.TrimPrefix(o.Key, r.dir(round)), "."+kind)
			n, err := strconv.Atoi(name)
			if ok && err == nil && !yield(n, nil) {
				return
			}
		}
	}
}

// Writer collects the result of one batch in spool files. Its memory is bounded
// by a frame for each.
type Writer struct {
	r            *Results
	round, batch int
	files        [3]*os.File
	units, hits  *spool.Writer
	filtersLen   int64
	hitCount     int64
	schema       string // last written
	rec          []byte
}

const unitsFile, hitsFile, filtersFile = 0, 1, 2

// NewWriter begins the result of a batch.
func (r *Results) NewWriter(round, batch int) (*Writer, error) {
	w := &Writer{r: r, round: round, batch: batch}
	for i := range w.files {
		f, err := spool.Temp()
		if err != nil {
			w.Close()
			return nil, err
		}
		w.files[i] = f
	}
	var err error
	if w.units, err = spool.NewWriter(w.files[unitsFile], r.Seal); err == nil {
		w.hits, err = spool.NewWriter(w.files[hitsFile], r.Seal)
	}
	if err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// Close removes the spool files.
func (w *Writer) Close() {
	for _, f := range w.files {
		if f != nil {
			f.Close()
		}
	}
}

// Filters is where filters are written, and how many bytes it holds.
func (w *Writer) Filters() (io.Writer, *int64) { return w.files[filtersFile], &w.filtersLen }

// Unit adds what became of a unit.
func (w *Writer) Unit(u *pipeline.UnitResult) error {
	b, err := json.Marshal(u)
	if err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return w.units.Write(b)
}

// Hit adds a hit.
func (w *Writer) Hit(f *Found) error {
	w.hitCount++
	if s := string(f.Schema); s != w.schema {
		if err := w.hits.Write(append([]byte{'s'}, s...)); err != nil {
			return err
		}
		w.schema = s
	}
	head, err := json.Marshal(&f.Hit)
	if err != nil {
		return fmt.Errorf("write hit: %w", err)
	}
	w.rec = append(w.rec[:0], 'h')
	w.rec = binary.AppendUvarint(w.rec, uint64(len(head)))
	w.rec = append(append(w.rec, head...), f.Doc...)
	return w.hits.Write(w.rec)
}

// Store puts the result into the work store. A result that is already there (of
// an earlier try) is as good: equal batches give equal results.
func (w *Writer) Store(ctx context.Context) error {
	if w.filtersLen > 0 {
		if err := w.create(ctx, w.r.FilterFile(w.round, w.batch), filtersFile); err != nil {
			return err
		}
	}
	if err := w.hits.Close(); err != nil {
		return err
	}
	if err := w.units.Close(); err != nil {
		return err
	}
	if w.hitCount > 0 {
		if err := w.create(ctx, w.r.key(w.round, w.batch, "hits"), hitsFile); err != nil {
			return err
		}
	}
	return w.create(ctx, w.r.key(w.round, w.batch, "units"), unitsFile)
}

func (w *Writer) create(ctx context.Context, key string, file int) error {
	if _, err := w.r.Work.Create(ctx, key, w.files[file]); err != nil && !errors.Is(err, connectors.ErrExists) {
		return fmt.Errorf("store result: %w", err)
	}
	return nil
}

// Units yields what became of each unit of a round, in plan order.
func (r *Results) Units(ctx context.Context, round int) iter.Seq2[*pipeline.UnitResult, error] {
	return func(yield func(*pipeline.UnitResult, error) bool) {
		for n, err := range r.list(ctx, round, "units") {
			if err != nil {
				yield(nil, err)
				return
			}
			for rec, err := range r.records(ctx, r.key(round, n, "units")) {
				u := new(pipeline.UnitResult)
				if err == nil {
					err = json.Unmarshal(rec, u)
				}
				if err != nil {
					yield(nil, err)
					return
				}
				if !yield(u, nil) {
					return
				}
			}
		}
	}
}

func (r *Results) records(ctx context.Context, key string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		body, err := r.Work.Open(ctx, connectors.Ref{Key: key}, connectors.All)
		if err != nil {
			yield(nil, fmt.Errorf("open result: %w", err))
			return
		}
		defer body.Close()
		records, err := spool.NewReader(body, r.Open)
		if err != nil {
			yield(nil, err)
			return
		}
		defer records.Close()
		for {
			rec, err := records.Next()
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(nil, fmt.Errorf("read result %s: %w", key, err))
				return
			}
			if !yield(rec, nil) {
				return
			}
		}
	}
}

// Hits yields the hits of a round, in plan order. Ordinals are absolute: bases
// says where the parts of split objects begin. Doc and Schema are the caller's
// only until the next step.
func (r *Results) Hits(ctx context.Context, round int, bases Bases) iter.Seq2[*Found, error] {
	return func(yield func(*Found, error) bool) {
		for n, err := range r.list(ctx, round, "hits") {
			if err != nil {
				yield(nil, err)
				return
			}
			if !r.hitsOf(ctx, round, n, bases, yield) {
				return
			}
		}
	}
}

func (r *Results) hitsOf(ctx context.Context, round, batch int, bases Bases, yield func(*Found, error) bool) bool {
	var schema []byte
	for rec, err := range r.records(ctx, r.key(round, batch, "hits")) {
		if err != nil {
			yield(nil, err)
			return false
		}
		switch {
		case len(rec) > 0 && rec[0] == 's':
			schema = append([]byte(nil), rec[1:]...)
		case len(rec) > 0 && rec[0] == 'h':
			n, k := binary.Uvarint(rec[1:])
			f := &Found{Schema: schema}
			if err := json.Unmarshal(rec[1+k:1+k+int(n)], &f.Hit); err != nil {
				yield(nil, fmt.Errorf("read hit: %w", err))
				return false
			}
			f.Doc = rec[1+k+int(n):]
			if len(f.Schema) == 0 {
				f.Schema = nil
			}
			var known bool
			if f.Record, known = bases.absolute(&f.Hit); !known {
				continue
			}
			if !yield(f, nil) {
				return false
			}
		}
	}
	return true
}

// lost marks parts that come after one that was refused: where they begin is not
// known, so what was found in them names no record. Their object is refused.
const lost = -1

// Bases maps split objects to the first ordinals of their parts.
type Bases map[int64][]base

type base struct {
	part   int64 // its catalog.Place
	record int64
}

// Bases reads where the parts of the objects that round 1 split begin. Memory is
// a few words per part.
func (r *Results) Bases(ctx context.Context) (Bases, error) {
	b := Bases{}
	var last int64 = -1
	var next int64
	for u, err := range r.Units(ctx, 1) {
		if err != nil {
			return nil, err
		}
		if !u.Fresh || u.Part.Whole() {
			continue
		}
		if u.Object.N != last {
			last, next = u.Object.N, 0
		}
		b[last] = append(b[last], base{catalog.Place(u.Part), next})
		switch {
		case u.Outcome == pipeline.Refused:
			next = lost // nobody knows how many records the part has
		case next != lost:
			next += u.Records
		}
	}
	return b, nil
}

// Of returns the ordinal of the first record of the part of object n that begins
// at place.
func (b Bases) Of(n, place int64) int64 {
	for _, x := range b[n] {
		if x.part == place {
			return x.record
		}
	}
	return 0
}

// absolute makes a hit's ordinal absolute, where it is known.
func (b Bases) absolute(h *pipeline.Hit) (record int64, known bool) {
	if b == nil || h.Record < 0 || h.Base == 0 {
		return h.Record, true
	}
	first := b.Of(h.Object, h.Base-1)
	return h.Record + first, first != lost
}
