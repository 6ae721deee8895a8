package identity

import (
	"cmp"
	"slices"
)

// table is a set of tokens with what each stands for: bitmaps in front, which
// nearly always say no, and open addressing behind them. A look-up costs the same
// for one needle and for a million.
//
// There is a bitmap for each class of tokens, and for each length of words. The
// digests of a number or an address have some thirty writings: alone they would
// push all else out of the processor's cache, but few words of a lake are as long
// as a digest.
type table struct {
	maps  [buckets]bitmap
	keys  []uint64 // 0: empty
	first []uint32 // index in refs of the first entry of keys[i]
	refs  []ref    // by token
}

// buckets is how many bitmaps a table has: words by length, the other classes.
const (
	wordBuckets = 64
	fieldBucket = 0 // of values that only declared fields give
	buckets     = wordBuckets + int(packedToken) + 1
)

// bucket is the bitmap that a token belongs to.
func (s *span) bucket() uint8 {
	if s.class == wordToken {
		return uint8(min(s.hi-s.lo, wordBuckets-1))
	}
	return wordBuckets + uint8(s.class)
}

// bitmap is a Bloom filter of one word a token: three bits of the word that its
// highest bits choose.
type bitmap struct {
	words []uint64
	shift uint
}

// perWord is how many tokens a word of a bitmap holds at most, on average.
const perWord = 4

func newBitmap(tokens int) bitmap {
	words, shift := 2, uint(63)
	for words*perWord < tokens {
		words, shift = words*2, shift-1
	}
	return bitmap{make([]uint64, words), shift}
}

func bitsOf(token uint64) uint64 {
	return 1<<(token&63) | 1<<(token>>6&63) | 1<<(token>>12&63)
}

// ref says what a token is wanted for.
type ref struct {
	token  uint64
	form   uint32 // index in Set.forms
	bucket uint8
}

func newTable(refs []ref) *table {
	slices.SortFunc(refs, func(a, b ref) int {
		return cmp.Or(cmp.Compare(a.token, b.token), cmp.Compare(a.form, b.form))
	})
	refs = slices.Compact(refs)
	size := 1 << 8
	for size*3/4 < len(refs) { // few look-ups come so far, and with many needles this is most of their memory
		size *= 2
	}
	t := &table{keys: make([]uint64, size), first: make([]uint32, size), refs: refs}
	var counts [buckets]int
	for _, r := range refs {
		counts[r.bucket]++
	}
	for i, n := range counts {
		t.maps[i] = newBitmap(n)
	}
	for i, r := range refs {
		m := &t.maps[r.bucket]
		m.words[r.token>>m.shift] |= bitsOf(r.token)
		if i > 0 && refs[i-1].token == r.token {
			continue
		}
		k := t.slot(r.token)
		t.keys[k], t.first[k] = r.token, uint32(i)
	}
	return t
}

// slot is where token is, or would be.
func (t *table) slot(token uint64) int {
	mask := len(t.keys) - 1
	k := int(token>>18) & mask
	for t.keys[k] != 0 && t.keys[k] != token {
		k = (k + 1) & mask
	}
	return k
}

// has reports whether token is in the set.
func (t *table) has(token uint64, bucket uint8) bool {
	m, want := &t.maps[bucket], bitsOf(token)
	return m.words[token>>m.shift]&want == want && t.keys[t.slot(token)] == token
}

// find returns what token is wanted for.
func (t *table) find(token uint64) []ref {
	k := t.slot(token)
	if t.keys[k] != token {
		return nil
	}
	lo := int(t.first[k])
	hi := lo + 1
	for hi < len(t.refs) && t.refs[hi].token == token {
		hi++
	}
	return t.refs[lo:hi]
}
