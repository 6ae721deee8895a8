package catalog

import (
	"context"
	"slices"

	"expunge/pipeline"
)

const (
	// maxProbes is how many tokens of one account a filter is asked for. It errs
	// 2^-20 times a probe: this many open one segment in thirty for nothing, and
	// their buckets are most of what there is.
	maxProbes = 1 << 15
	// maxAnswers is how many pools' answers are kept.
	maxAnswers = 1 << 16
)

// Asking asks filters what one round wants to know. It serves one goroutine.
type Asking struct {
	f       *Filters
	tokens  func(account string) []uint64
	answers map[poolAt]map[string]*said // by account
}

// said is which segments of a pool may hold something that an account asks.
type said struct {
	all      bool // not asked, or it could not be read
	segments []uint32
}

// Ask begins a round; tokens are what it asks of an account.
func (f *Filters) Ask(tokens func(account string) []uint64) *Asking {
	return &Asking{f: f, tokens: tokens, answers: map[poolAt]map[string]*said{}}
}

// MayHold reports whether a segment may hold a token that is asked of one of
// accounts. It errs only towards yes; a filter that cannot be read or was changed
// says yes, too. A pool is asked once for all its segments.
func (a *Asking) MayHold(ctx context.Context, ref pipeline.FilterRef, accounts []string) (bool, error) {
	if ref.File == "" {
		return false, nil // no token at all
	}
	if !slices.ContainsFunc(accounts, func(account string) bool { return len(a.tokens(account)) > 0 }) {
		return false, nil
	}
	p, err := a.f.pool(ctx, ref)
	if err != nil {
		return true, ctx.Err()
	}
	at := poolAt{ref.File, p.Off}
	ans := a.answers[at]
	if ans == nil {
		if len(a.answers) >= maxAnswers {
			clear(a.answers)
		}
		ans = map[string]*said{}
		a.answers[at] = ans
	}
	var missing []string
	for _, account := range accounts {
		if ans[account] == nil && len(a.tokens(account)) > 0 {
			missing = append(missing, account)
		}
	}
	if len(missing) > 0 {
		a.ask(ctx, ref.File, p, ans, missing)
		if err := ctx.Err(); err != nil {
			return true, err
		}
	}
	for _, account := range accounts {
		s := ans[account]
		if s == nil {
			continue
		}
		if s.all || ref.Segment < 0 || ref.Segment >= p.Segments {
			return true, nil
		}
		if _, in := slices.BinarySearch(s.segments, uint32(ref.Segment)); in {
			return true, nil
		}
	}
	return false, nil
}

// ask asks a pool for the tokens of accounts.
func (a *Asking) ask(ctx context.Context, file string, p *pipeline.Pool, ans map[string]*said, accounts []string) {
	s, err := shapeOf(p)
	var probes []probe
	for i, account := range accounts {
		tokens := a.tokens(account)
		ans[account] = &said{all: err != nil || len(tokens) > maxProbes}
		if ans[account].all {
			continue
		}
		for _, token := range tokens {
			bucket, remainder := s.place(token)
			probes = append(probes, probe{bucket, remainder, i})
		}
	}
	if len(probes) == 0 {
		return
	}
	err = a.f.search(ctx, file, p, s, probes, func(account int, segments []uint32) {
		said := ans[accounts[account]]
		said.segments = append(said.segments, segments...)
	})
	for _, account := range accounts {
		said := ans[account]
		said.all = said.all || err != nil
		slices.Sort(said.segments)
		said.segments = slices.Compact(said.segments)
	}
}
