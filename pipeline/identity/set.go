package identity

import (
	"cmp"
	"slices"
)

// table is a set of tokens with what each stands for: a bitmap in front, which
// nearly always says no, and open addressing behind it. A look-up costs the same
// for one needle and for a million.
type table struct {
	bitmap []uint64
	shift  uint
	keys   []uint64 // 0: empty
	first  []uint32 // index in refs of the first entry of keys[i]
	refs   []ref    // by token
}

// ref says what a token is wanted for.
type ref struct {
	token uint64
	form  uint32 // index in Set.forms
}

func newTable(refs []ref) *table {
	slices.SortFunc(refs, func(a, b ref) int {
		return cmp.Or(cmp.Compare(a.token, b.token), cmp.Compare(a.form, b.form))
	})
	refs = slices.Compact(refs)
	words, size := 1<<9, 1<<8
	shift := uint(64 - 9)
	for words*4 < len(refs) {
		words, shift = words*2, shift-1
	}
	for size < 2*len(refs) {
		size *= 2
	}
	t := &table{make([]uint64, words), shift, make([]uint64, size), make([]uint32, size), refs}
	for i, r := range refs {
		if i > 0 && refs[i-1].token == r.token {
			continue
		}
		t.bitmap[r.token>>shift] |= 1<<(r.token&63) | 1<<(r.token>>6&63)
		k := t.slot(r.token)
		t.keys[k], t.first[k] = r.token, uint32(i)
	}
	return t
}

// slot is where token is, or would be.
func (t *table) slot(token uint64) int {
	mask := len(t.keys) - 1
	k := int(token>>12) & mask
	for t.keys[k] != 0 && t.keys[k] != token {
		k = (k + 1) & mask
	}
	return k
}

func (t *table) has(token uint64) bool {
	m := uint64(1)<<(token&63) | 1<<(token>>6&63)
	return t.bitmap[token>>t.shift]&m == m && t.keys[t.slot(token)] == token
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
