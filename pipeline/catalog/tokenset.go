package catalog

import (
	"cmp"
	"slices"
)

// tokenSet gathers tokens and sorts them when there are enough: that costs a third
// of what a hash table does, which waits for memory with every token, and pools
// need tokens in order anyway.
//
// Memory: 8 bytes for each distinct token, as much for those that wait, and both
// once more while they are sorted.
type tokenSet struct {
	sorted []uint64 // distinct, ascending
	fresh  []uint64 // waiting, in any order, with repeats
	spare  []uint64
}

// leastFresh is how many tokens wait at least before they are sorted; many objects
// are small.
const leastFresh = 1 << 10

func (s *tokenSet) add(t uint64) {
	if len(s.fresh) == cap(s.fresh) {
		s.room()
	}
	s.fresh = append(s.fresh, t)
}

// room makes room for more: in all, each token is merged a few times only.
func (s *tokenSet) room() {
	if len(s.fresh) > 0 {
		s.settle()
	}
	if n := max(leastFresh, 4*cap(s.fresh)); cap(s.fresh) < len(s.sorted) || s.fresh == nil {
		s.fresh = make([]uint64, 0, min(n, segmentTokens))
	}
}

// waiting is how many tokens there are, some perhaps more than once.
func (s *tokenSet) waiting() int { return len(s.sorted) + len(s.fresh) }

// atLeast reports whether there are n distinct tokens.
func (s *tokenSet) atLeast(n int) bool {
	if s.waiting() < n {
		return false
	}
	return len(s.list()) >= n
}

// list returns the tokens in order, the set's own until it changes.
func (s *tokenSet) list() []uint64 {
	if len(s.fresh) > 0 {
		s.settle()
	}
	return s.sorted
}

// reset empties the set and keeps its memory.
func (s *tokenSet) reset() { s.sorted, s.fresh = s.sorted[:0], s.fresh[:0] }

// settle sorts what waits into the rest.
func (s *tokenSet) settle() {
	s.spare = sortTokens(s.fresh, s.spare)
	fresh := slices.Compact(s.fresh)
	s.fresh = s.fresh[:0]
	old := s.sorted
	if len(old) == 0 {
		s.sorted = append(old, fresh...)
		return
	}
	if need := len(old) + len(fresh); cap(s.spare) < need {
		s.spare = make([]uint64, 0, need+need/4)
	}
	out := s.spare[:len(old)+len(fresh)]
	i, k, n := 0, 0, 0
	for i < len(old) && k < len(fresh) {
		a, b := old[i], fresh[k]
		out[n] = min(a, b)
		n++
		if a <= b {
			i++
		}
		if b <= a {
			k++
		}
	}
	n += copy(out[n:], old[i:])
	n += copy(out[n:], fresh[k:])
	s.sorted, s.spare = out[:n], old
}

// sortTokens sorts tokens, with spare as memory that it may replace and returns.
// Tokens are random: by their first bits they are nearly in order.
func sortTokens(tokens, spare []uint64) []uint64 {
	const digit = 9
	n := len(tokens)
	if n > 1<<digit {
		if cap(spare) < n {
			spare = make([]uint64, n)
		}
		var low, high [1 << digit]uint32
		for _, t := range tokens {
			low[t>>(64-2*digit)&(1<<digit-1)]++
			high[t>>(64-digit)]++
		}
		var atLow, atHigh uint32
		for i := range low {
			atLow, low[i] = atLow+low[i], atLow
			atHigh, high[i] = atHigh+high[i], atHigh
		}
		half := spare[:n]
		for _, t := range tokens {
			d := t >> (64 - 2*digit) & (1<<digit - 1)
			half[low[d]] = t
			low[d]++
		}
		for _, t := range half {
			d := t >> (64 - digit)
			tokens[high[d]] = t
			high[d]++
		}
	}
	insert(tokens)
	return spare
}

// insert sorts what is nearly in order: then inserting each before the few that
// are greater is several times faster.
func insert[T cmp.Ordered](list []T) {
	for i, moves := 1, 8*len(list); i < len(list); i++ {
		p, k := list[i], i
		for ; k > 0 && list[k-1] > p; k-- {
			list[k] = list[k-1]
		}
		list[k] = p
		if moves -= i - k; moves < 0 {
			slices.Sort(list)
			return
		}
	}
}
