package plan

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"

	"expunge/pipeline"
	"expunge/pipeline/catalog"
	"expunge/scanners"
)

const (
	// batchUnits bounds how many small units share a batch.
	batchUnits = 2_000
	// minBatch and maxBatch bound how many bytes a batch has: small lakes still
	// keep several workers busy, large ones write few results.
	minBatch, maxBatch = 4 << 20, 256 << 20
	// batches is about how many batches a round should have.
	batches = 64
)

// Selection picks what a round has to open.
type Selection struct {
	Round  int
	Target int64                         // bytes of a batch and of a part; BatchTarget
	Basis  func(dataset int) string      // what an entry's validity hangs on
	Tokens func(account string) []uint64 // what this round asks of an account

	// Unfiltered reports whether filters cannot say what an account asks for; nil: they can.
	Unfiltered func(account string) bool
	Accounts   func() []string  // accounts it asks anything of
	Asked      string           // digest of all that this round asks
	Filters    *catalog.Filters // asked what segments may hold
	Split      func(ctx context.Context, o *pipeline.Object, target int64) ([]scanners.Part, error)

	asking *catalog.Asking

	Skipped int64 // objects that the catalog says nothing asked for is in
	Opened  int64 // units
}

// BatchTarget is how many bytes a batch has in a run over total bytes. It hangs
// on the plan alone, so that results do not depend on who does the work.
func BatchTarget(total int64) int64 { return min(max(total/batches, minBatch), maxBatch) }

// Batches yields what the round has to open, in plan order. In the first round,
// objects that the catalog does not know are scanned whole; later rounds open
// only segments that may hold what is asked.
func (s *Selection) Batches(ctx context.Context, joined iter.Seq2[catalog.Joined, error]) iter.Seq2[pipeline.Batch, error] {
	return func(yield func(pipeline.Batch, error) bool) {
		s.asking = s.Filters.Ask(s.Tokens)
		b := pipeline.Batch{Round: s.Round}
		var size int64
		for j, err := range joined {
			var units []pipeline.Unit
			if err == nil && j.Object.Outcome == "" {
				units, err = s.units(ctx, &j)
			}
			if err != nil {
				yield(pipeline.Batch{}, err)
				return
			}
			for _, u := range units {
				b.Units = append(b.Units, u)
				s.Opened++
				if size += unitSize(&u); size >= s.Target || len(b.Units) == batchUnits {
					b.Digest = digest(s.Asked, b.Units)
					if !yield(b, nil) {
						return
					}
					b, size = pipeline.Batch{Round: s.Round, N: b.N + 1}, 0
				}
			}
		}
		if len(b.Units) > 0 {
			b.Digest = digest(s.Asked, b.Units)
			yield(b, nil)
		}
	}
}

// digest says what a batch is: its units, and what they are searched for.
func digest(asked string, units []pipeline.Unit) string {
	sum := sha256.New()
	e := json.NewEncoder(sum)
	_ = e.Encode(asked)
	for i := range units {
		_ = e.Encode(&units[i]) // plain data into a hash
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

func unitSize(u *pipeline.Unit) int64 {
	if u.Part.Len > 0 {
		return u.Part.Len
	}
	return u.Object.Size
}

func (s *Selection) units(ctx context.Context, j *catalog.Joined) ([]pipeline.Unit, error) {
	o := j.Object
	if j.Entry != nil && j.Entry.Valid(&o, s.Basis(o.Dataset)) {
		return s.segments(ctx, j)
	}
	if s.Round > 1 {
		return nil, nil // refused in round 1: it stays so
	}
	if o.Size > s.Target {
		parts, err := s.Split(ctx, &o, s.Target)
		if err != nil && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		// An object that cannot be cut is scanned whole: its scan says what is wrong.
		units := make([]pipeline.Unit, 0, len(parts))
		for _, part := range parts {
			part.Record = 0 // parts count from their own start; the merge makes ordinals absolute
			units = append(units, pipeline.Unit{Object: o, Part: part, Parts: len(parts), Catalog: true})
		}
		if len(units) > 1 && err == nil {
			return units, nil
		}
	}
	return []pipeline.Unit{{Object: o, Catalog: true}}, nil
}

// segments picks the segments of a cataloged object that may hold what is asked.
func (s *Selection) segments(ctx context.Context, j *catalog.Joined) ([]pipeline.Unit, error) {
	accounts := s.asked(j)
	var units []pipeline.Unit
	whole := s.Unfiltered != nil && slices.ContainsFunc(accounts, s.Unfiltered)
	for _, seg := range j.Entry.Segments {
		may, err := whole && seg.Filter.File != "", error(nil) // without a token there is nothing
		if !may {
			may, err = s.asking.MayHold(ctx, seg.Filter, accounts)
		}
		if err != nil {
			return nil, fmt.Errorf("ask catalog: %w", err)
		}
		if !may || len(units) > 0 && units[len(units)-1].Part == seg.Part {
			continue // the part is opened already: segments of a compressed object share it
		}
		if n := len(units) - 1; n >= 0 && adjoins(units[n].Part, seg.Part) {
			units[n].Part.Len += seg.Part.Len
			units[n].Part.Groups += seg.Part.Groups
			continue
		}
		units = append(units, pipeline.Unit{Object: j.Object, Part: seg.Part})
	}
	if len(units) == 0 {
		s.Skipped++
	}
	return units, nil
}

func adjoins(a, b scanners.Part) bool {
	if a.Groups > 0 {
		return a.Group+a.Groups == b.Group
	}
	return a.Len > 0 && a.Off+a.Len == b.Off
}

// asked are the accounts whose tokens this round asks of an object.
func (s *Selection) asked(j *catalog.Joined) []string {
	if j.Object.Account != "" {
		return []string{j.Object.Account}
	}
	if j.Entry.Unattributed+j.Entry.Misattributed > 0 || len(j.Entry.Rows) == 0 {
		return s.Accounts()
	}
	return slices.Sorted(maps.Keys(j.Entry.Rows))
}
