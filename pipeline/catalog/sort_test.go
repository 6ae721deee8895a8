package catalog

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// pairsOf are the pairs of a set of n tokens, in the order in which it lists them.
func pairsOf(r *rand.Rand, n int) []pair {
	var set tokenSet
	for len(set.list()) < n {
		set.add(r.Uint64())
	}
	var pairs []pair
	for _, t := range set.list() {
		pairs = append(pairs, newPair(t, 3))
	}
	return pairs
}

func TestSortPairs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var cases [][]pair
	for _, n := range []int{0, 1, 2, 100, 256, 5000} {
		cases = append(cases, pairsOf(r, n), slices.Concat(pairsOf(r, n), pairsOf(r, n)))
		backwards := pairsOf(r, n)
		slices.Reverse(backwards)
		cases = append(cases, backwards)
	}
	for i, pairs := range cases {
		want := slices.Sorted(slices.Values(pairs))
		if insert(pairs); !slices.Equal(pairs, want) {
			t.Errorf("case %d: %d pairs are not sorted", i, len(pairs))
		}
	}
}

func BenchmarkSegment(b *testing.B) {
	for _, n := range []int{1 << 17, 1 << 20} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := rand.New(rand.NewPCG(5, 6))
			tokens := make([]uint64, n)
			for i := range tokens {
				tokens[i] = r.Uint64()
			}
			b.SetBytes(int64(8 * n))
			b.ReportAllocs()
			for b.Loop() {
				var set tokenSet
				for _, t := range tokens {
					set.add(t)
				}
				var pairs []pair
				for _, t := range set.list() {
					pairs = append(pairs, newPair(t, 0))
				}
				appendPool(nil, 0, Key{1}, "f", pairs, 1)
			}
		})
	}
}
