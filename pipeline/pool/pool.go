// Package pool knows which phone numbers were an account's own, and when: numbers that a
// business rents for its advertisements, gives back, and that consumers have before and
// after. Datasets of the lake list them.
package pool

import (
	"cmp"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"

	"expunge/pipeline"
	"expunge/pipeline/identity"
	"expunge/pipeline/record"
	"expunge/scanners"
)

// Max is how many numbers are held at most, each once for each of its periods, with those
// that are listed more than once; one takes 24 bytes,
// and 72 more for its digests. Half as many different ones fit.
const Max = 2 << 20

// Errors of Add. They name no number.
var (
	ErrTime = errors.New("is no time that is read")
	ErrMany = fmt.Errorf("the datasets list more than %d numbers", Max/2)
)

// Pool is what the datasets list. The zero Pool is empty. Reading it is safe for
// concurrent use, adding to it is not.
type Pool struct {
	seed    maphash.Seed
	entries []entry
	hashed  []entry // the same, by the digests that requests may give instead of a number
	sorted  bool
	max     int // entries; 0: Max
}

// entry is a number of an account and one of its periods. Of the number a hash is kept,
// which another number has in one of some trillion look-ups.
type entry struct {
	number uint64
	pipeline.Period
}

func (e entry) compare(o entry) int {
	return cmp.Or(cmp.Compare(e.number, o.number), cmp.Compare(e.From, o.From), cmp.Compare(e.To, o.To))
}

func (p *Pool) hash(account string, number pipeline.Secret) uint64 {
	if p.seed == (maphash.Seed{}) {
		p.seed = maphash.MakeSeed()
	}
	return maphash.String(p.seed, account+"\x00"+number.Reveal())
}

// Add takes the numbers that a record of an account and of dataset d lists: all in its
// field, with one period. What is no phone number, such as a short code, is passed over:
// no request can ask for it. region is the country of national numbers.
func (p *Pool) Add(account string, r *scanners.Record, d *pipeline.Dataset, region string) error {
	period := pipeline.Period{From: pipeline.Always, To: pipeline.Ever}
	for _, bound := range []struct {
		path string
		set  func(record.Moment)
	}{
		{d.Business.From, func(m record.Moment) { period.From = max(period.From, m.From) }},
		{d.Business.To, func(m record.Moment) { period.To = min(period.To, m.To) }},
	} {
		if bound.path == "" {
			continue
		}
		for _, leaf := range r.Leaves {
			v := strings.TrimSpace(string(leaf.Value))
			if leaf.Path != bound.path || v == "" {
				continue
			}
			m, ok := record.ParseTime(v, d.Zone)
			if !ok {
				return fmt.Errorf("record %d: its %s %w", r.Index, bound.path, ErrTime)
			}
			bound.set(m)
		}
	}
	for _, leaf := range r.Leaves {
		if leaf.Path != d.Business.Field {
			continue
		}
		canon, err := identity.Normalise(pipeline.Phone, pipeline.Secret(leaf.Value), region)
		if err != nil {
			continue
		}
		if limit := cmp.Or(p.max, Max); len(p.entries) >= limit {
			if p.sort(); len(p.entries) > limit/2 { // else it would be sorted for each of the next
				return ErrMany
			}
		}
		p.entries, p.sorted = append(p.entries, entry{p.hash(account, canon.Value), period}), false
		for _, d := range canon.Digests() {
			p.hashed = append(p.hashed, entry{p.hash(account, d.Value), period})
		}
	}
	return nil
}

// sort puts the entries in order, each once.
func (p *Pool) sort() {
	if !p.sorted {
		for _, of := range []*[]entry{&p.entries, &p.hashed} {
			slices.SortFunc(*of, entry.compare)
			*of = slices.Compact(*of)
		}
		p.sorted = true
	}
}

// Done ends adding.
func (p *Pool) Done() { p.sort() }

// Len is how many numbers there are, each counted once for each of its periods.
func (p *Pool) Len() int { return len(p.entries) }

// Periods are those in which a phone number, in canonical form, was an account's own.
func (p *Pool) Periods(account string, canon identity.Canon) []pipeline.Period {
	if canon.Kind != pipeline.Phone || len(p.entries) == 0 {
		return nil
	}
	number, entries := p.hash(account, canon.Value), p.entries
	if canon.Hashed() {
		entries = p.hashed
	}
	i, _ := slices.BinarySearchFunc(entries, number, func(e entry, n uint64) int { return cmp.Compare(e.number, n) })
	var out []pipeline.Period
	for ; i < len(entries) && entries[i].number == number; i++ {
		out = append(out, entries[i].Period)
	}
	return out
}

// At reports whether a phone number was an account's own at a time, in Unix
// milliseconds; at pipeline.NoTime, whether it always was.
func (p *Pool) At(account string, canon identity.Canon, at int64) bool {
	return slices.ContainsFunc(p.Periods(account, canon), func(period pipeline.Period) bool {
		if at == pipeline.NoTime {
			return period == pipeline.Period{From: pipeline.Always, To: pipeline.Ever}
		}
		return period.From <= at && at <= period.To
	})
}
