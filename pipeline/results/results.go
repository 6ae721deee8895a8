// Package results keeps what scans found in the work store, one result per batch,
// so that bundles, further rounds and a resumed run, on any machine, read it from
// there.
//
//	runs/<run>/rounds/<round>/<batch>-<digest>.hits  hits with their rows, in scan order; only if there are any
//	runs/<run>/rounds/<round>/<batch>.units          what the batch is, and what became of each unit; written last: the batch is done
//	catalog/filters/<run>-<round>-<batch>            filters of the units that were cataloged
//
// The first two are sealed frame by frame, bound to their names. The units' file
// names the hits' file, so that hits of a try that was killed are never taken for
// those of the try that was not, and none go missing unseen.
package results

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/engine"
	"expunge/pipeline/seal"
	"expunge/pipeline/spool"
)

// Results are the results of one run.
type Results struct {
	Work connectors.Store
	Run  string
	Keys *seal.Keys

	batches map[int]int // by round, once it is known how many it has: see Expect
}

// ErrOther says that what is stored is not of the batches that this run has.
var ErrOther = errors.New("stored results are of other work")

// Version of the files.
const Version = 1

// head is the first record of a units' file.
type head struct {
	Version int    `json:"version"`
	Digest  string `json:"digest"` // of the batch: see pipeline.Batch
	Units   int64  `json:"units"`
	Hits    int64  `json:"hits"`
	File    string `json:"file,omitempty"`   // of the hits, if there are any
	SHA256  string `json:"sha256,omitempty"` // of that file
}

// Found is a hit with the row it is about.
type Found struct {
	pipeline.Hit
	Doc    []byte // the row as JSON; nil for whole objects and malformed records
	Schema []byte // the source's types as an Arrow IPC schema; nil where it has none

	At *pipeline.Object // where it is; only in Merged hits, and equal pointers for neighbours in one object
}

func (r *Results) dir(round int) string { return fmt.Sprintf("runs/%s/rounds/%d/", r.Run, round) }

func (r *Results) units(round, batch int) string {
	return fmt.Sprintf("%s%08d.units", r.dir(round), batch)
}

func (r *Results) file(key string) *spool.File {
	return (&spool.Box{Keys: r.Keys, Purpose: "results"}).File(key)
}

// FilterFile is where the filters of a batch are kept.
func (r *Results) FilterFile(round, batch int) string {
	return fmt.Sprintf("catalog/filters/%s-%d-%08d", r.Run, round, batch)
}

// readers is how many results are asked for at a time.
const readers = 16

// Done returns the batches of a round whose results are stored, by number, with
// their digests.
func (r *Results) Done(ctx context.Context, round int) (map[int]string, error) {
	done := map[int]string{}
	err := engine.Map(ctx, readers, r.list(ctx, round),
		func(ctx context.Context, n int) (*head, error) { return r.head(ctx, round, n) },
		func(n int, h *head) error {
			done[n] = h.Digest
			return nil
		})
	return done, err
}

// Expect says how many batches a round has, now that all are done. From then on a
// result that is not in the store is an error.
func (r *Results) Expect(round, batches int) {
	if r.batches == nil {
		r.batches = map[int]int{}
	}
	r.batches[round] = batches
}

// list yields the numbers of the batches that are done, in order.
func (r *Results) list(ctx context.Context, round int) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		want, known := r.batches[round]
		next := 0
		for o, err := range r.Work.List(ctx, r.dir(round)) {
			if err != nil {
				yield(0, fmt.Errorf("list results: %w", err))
				return
			}
			name, ok := strings.CutSuffix(strings.TrimPrefix(o.Key, r.dir(round)), ".units")
			n, err := strconv.Atoi(name)
			if !ok || err != nil {
				continue
			}
			if known && (n != next || n == want) {
				next = -1
				break
			}
			next++
			if !yield(n, nil) {
				return
			}
		}
		if known && next != want {
			yield(0, fmt.Errorf("read results of run %s, round %d: not the %d batches that were stored: %w", r.Run, round, want, ErrOther))
		}
	}
}

// head reads what a batch is.
func (r *Results) head(ctx context.Context, round, batch int) (*head, error) {
	for rec, err := range r.records(ctx, r.units(round, batch)) {
		if err != nil {
			return nil, err
		}
		return readHead(rec, r.units(round, batch))
	}
	return nil, fmt.Errorf("read result %s: it is empty", r.units(round, batch))
}

func readHead(rec []byte, key string) (*head, error) {
	h := new(head)
	if err := json.Unmarshal(rec, h); err != nil {
		return nil, fmt.Errorf("read result %s: %w", key, err)
	}
	if h.Version != Version {
		return nil, fmt.Errorf("read result %s: version %d, not %d; begin a new run: %w", key, h.Version, Version, ErrOther)
	}
	return h, nil
}
