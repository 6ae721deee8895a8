package tombstone

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/manifest"
	"expunge/pipeline/results"
)

// Input is what a manifest and a review list are made of.
type Input struct {
	Run  string
	Hits iter.Seq2[*results.Found, error] // merged: each record once per request, with At
	// Deletes are the requests that ask for erasure, with the cut-off of each: what
	// is dated later is not theirs to erase. The zero time is none.
	Deletes  map[pipeline.RequestRef]time.Time
	Past     func(pipeline.RequestRef) bool            // deletions of which something was erased before: what stays on purpose is not planned again; nil: none
	Theirs   func(row *manifest.Row, review bool) bool // whether a row, of review or no tombstone either, is another run's, which its request waits for; nil: none
	Over     func(pipeline.RequestRef) bool            // requests whose records are handed over, too: of others a person is not asked about what is dated after the cut-off; nil: all
	Waived   func(n int64) bool                        // refused objects, by their place in the plan, that a person has waived: of what Past is about nothing is planned in them; nil: none
	KeepOld  bool                                      // older versions stay
	Told     func(row *manifest.Row, review bool)      // of each row of the manifest or the review list; nil: nobody
	Settings map[string]string                         // digest of each dataset's settings
	Total    func(account, dataset string) int64
	Limits   manifest.Limits
}

// Build writes the review list, what a person excluded from it, if anything, and
// the manifest of a run, manifest.json last. It
// may be run again: what an earlier try has written must be what would be written
// now, by its bytes and by the manifest's own authentication; else it is left as it
// is, and the error says what to do. Memory is that of two sorts (see spool.Sorter)
// and a row group.
func (m *Maker) Build(ctx context.Context, work connectors.Store, in Input) (*manifest.Manifest, error) {
	rows, review, excluded := NewWriter(), NewWriter(), NewWriter()
	defer rows.Close()
	defer review.Close()
	defer excluded.Close()
	anyExcluded := false
	for f, err := range in.Hits {
		if err != nil {
			return nil, err
		}
		into := rows
		cutoff, deletes := in.Deletes[f.Request]
		later := deletes && !cutoff.IsZero() && f.Time > cutoff.UnixMilli()
		if f.Excluded() {
			into = excluded
		} else if !f.Automatic() {
			if into = review; (later || f.Late()) && in.Over != nil && !in.Over(f.Request) {
				continue // nothing would come of what a person decides
			}
		} else if !deletes || later || f.Late() && f.Decided == nil {
			continue
		}
		row, err := m.Make(&f.Hit, f.At)
		if err != nil {
			return nil, err
		}
		if in.Past != nil && in.Past(f.Request) && into != excluded && (m.stays(f, in.KeepOld) || in.Waived != nil && in.Waived(f.At.N)) {
			continue
		}
		if in.Theirs != nil && in.Theirs(row, into != rows) {
			continue
		}
		anyExcluded = anyExcluded || into == excluded
		if in.Told != nil && into != excluded {
			in.Told(row, into == review)
		}
		if err := into.Add(row); err != nil {
			return nil, err
		}
	}
	dir := "runs/" + in.Run + "/"
	seal := manifest.NewSeal()
	var err error
	if seal.Review, err = review.Write(ctx, work, dir, "review", nil); err != nil {
		return nil, fmt.Errorf("write review list: %w", err)
	}
	review.Close()
	if anyExcluded {
		if _, err := excluded.Write(ctx, work, dir, "excluded", nil); err != nil {
			return nil, fmt.Errorf("write what was excluded: %w", err)
		}
	}
	excluded.Close()
	files, err := rows.Write(ctx, work, dir+"manifest/", "tombstones", seal.Row)
	if err != nil {
		return nil, fmt.Errorf("write manifest: %w", err)
	}
	made, err := seal.Finish(in.Run, files, in.Settings, in.Total, in.Limits, m.Keys)
	if err != nil {
		return nil, err
	}
	return m.store(ctx, work, made)
}

// stays reports whether a record that was met again after its erasure is there on
// purpose: an exception or a redaction kept all that was matched, or older versions stay.
func (m *Maker) stays(f *results.Found, keepOld bool) bool {
	if f.At.Noncurrent && keepOld {
		return true
	}
	d := &m.Datasets[f.At.Dataset]
	return !slices.ContainsFunc(f.Why, func(e pipeline.Evidence) bool { return !m.Keeps(f.Request.Account, d, e.Path) })
}

// store writes manifest.json, or takes the one that an earlier try has written, and
// reads back what is stored: it must be authentic, whole, and what was made.
func (m *Maker) store(ctx context.Context, work connectors.Store, made *manifest.Manifest) (*manifest.Manifest, error) {
	if err := made.Write(ctx, work); err != nil {
		return nil, err
	}
	stored, err := manifest.Read(ctx, work, m.Keys, made.Run)
	if errors.Is(err, manifest.ErrForged) || errors.Is(err, connectors.ErrNotFound) {
		return nil, fmt.Errorf("read runs/%s/manifest/manifest.json back: %w: it was changed since this run wrote it; begin a new run", made.Run, err)
	}
	if err != nil {
		return nil, err
	}
	was, now := *stored, *made
	was.MAC, now.MAC = "", "" // the work key may have been rotated
	if was.Digest() != now.Digest() {
		return nil, fmt.Errorf("runs/%s/manifest/manifest.json is authentic, but not what the run's results come to now: leave it unapproved and begin a new run", made.Run)
	}
	return stored, nil
}
