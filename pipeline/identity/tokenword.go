package identity

import "encoding/binary"

// word emits the tokens of the word that ends at hi, which has a digit.
func (t *tokenizer) word(b []byte, hi int) {
	if lo := t.layout.word.begin(hi); hi-lo <= maxWord {
		t.id(b, lo, hi)
	}
}

// escaped emits the tokens of the word behind the byte at lo, if that is an escape that
// may have taken the word's first letter.
func (t *tokenizer) escaped(b []byte, lo int) {
	if lo < 0 || escLetter(b[lo]) == 0 {
		return
	}
	l := &t.layout
	hi := l.word.end(lo + 1)
	if n := hi - lo; n < minWord || n > maxWord || !l.digit.any(lo, hi) {
		return
	}
	esc := b[lo]
	b[lo] = escLetter(esc)
	if classes[b[lo]]&hexlet != 0 {
		l.hexlet.flip(lo)
	}
	t.id(b, lo, hi)
	if classes[b[lo]]&hexlet != 0 {
		l.hexlet.flip(lo)
	}
	b[lo] = esc
}

// id emits the tokens of the word b[lo:hi], which has a digit.
func (t *tokenizer) id(b []byte, lo, hi int) {
	l := &t.layout
	cut := l.split.next(lo, hi)
	if cut == hi {
		t.piece(b, lo, hi)
		return
	}
	if hi-lo == 36 && t.uuid(b, lo, hi) {
		return
	}
	if hi-lo > 36 {
		for i := l.hyphen.next(lo+8, hi); i < hi; i = l.hyphen.next(i+1, hi) {
			if t.uuid(b, i-8, hi) {
				i += 27
			}
		}
	}
	t.vanity(b, lo, hi)
	t.emit(t.h.text(seedWord, b[lo:hi]), wordToken, lo, hi)
	// pieces between underscores, and those of letters and digits alone
	for us, ps := lo, lo; ; cut = l.split.next(ps, hi) {
		if cut-ps >= minWord && l.digit.any(ps, cut) {
			t.piece(b, ps, cut)
		}
		ps = cut + 1
		if cut == hi || b[cut] == '_' {
			if n := cut - us; n >= minWord && n < hi-lo && l.digit.any(us, cut) && l.hyphen.any(us, cut) && !(n == 36 && l.isUUID(us)) {
				t.emit(t.h.text(seedWord, b[us:cut]), wordToken, us, cut)
			}
			us = ps
		}
		if cut == hi {
			return
		}
	}
}

// piece emits the token of letters and digits alone.
func (t *tokenizer) piece(b []byte, lo, hi int) {
	l := &t.layout
	switch n := hi - lo; {
	case n <= maxPhone && l.digit.only(lo, hi):
	case n == 32 && (l.digit.at(lo)|l.hexlet.at(lo))&first(32) == first(32):
		w := b[lo:hi]
		t.emit(t.quadOf(w[:8], w[8:16], w[16:24], w[24:32]), uuidToken, lo, hi)
	default:
		t.emit(t.h.text(seedWord, b[lo:hi]), wordToken, lo, hi)
	}
}

func (t *tokenizer) quadOf(a, b, c, d []byte) uint64 {
	return t.h.quad(seedUUID,
		binary.LittleEndian.Uint64(a)|lower8, binary.LittleEndian.Uint64(b)|lower8,
		binary.LittleEndian.Uint64(c)|lower8, binary.LittleEndian.Uint64(d)|lower8)
}

// uuid emits the UUID at b[i:], if there is one before hi.
func (t *tokenizer) uuid(b []byte, i, hi int) bool {
	if i+36 > hi || !t.layout.isUUID(i) {
		return false
	}
	u := b[i : i+36]
	var m [16]byte
	copy(m[:], u[9:13])
	copy(m[4:], u[14:18])
	copy(m[8:], u[19:23])
	copy(m[12:], u[24:28])
	t.emit(t.quadOf(u[:8], m[:8], m[8:], u[28:]), uuidToken, i, i+36)
	return true
}

// isUUID reports whether the 36 bytes at i are 8-4-4-4-12 hex digits.
func (l *layout) isUUID(i int) bool {
	const hyphens = 1<<8 | 1<<13 | 1<<18 | 1<<23
	all := first(36)
	return l.hyphen.at(i)&all == hyphens && (l.digit.at(i)|l.hexlet.at(i))&all == all&^hyphens
}
