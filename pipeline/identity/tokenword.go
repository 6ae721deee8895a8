package identity

import "encoding/binary"

// word emits the tokens of the word b[lo:hi], which has a digit or the first
// byte that an escape may have taken from it.
func (t *tokenizer) word(b []byte, lo, hi int, all uint8) {
	w := b[lo:hi]
	if all&(hyphen|under) == 0 {
		t.piece(b, lo, hi, all)
		return
	}
	if len(w) >= 36 {
		if len(w) == 36 && t.uuid(b, lo) {
			return
		}
		for i := 8; i+28 <= len(w); i++ {
			if w[i] == '-' && len(w) != 36 && t.uuid(b, lo+i-8) {
				i += 27
			}
		}
	}
	t.emit(t.h.text(seedWord, w), wordToken, lo, hi)
	// pieces between underscores, and those of letters and digits alone
	us, un := lo, uint8(0) // since the last underscore
	ps, pn := lo, uint8(0) // since the last separator
	for i := lo; i <= hi; i++ {
		c := uint8(under)
		if i < hi {
			c = classes[b[i]]
		}
		if c&(hyphen|under) != 0 {
			if i-ps >= minWord && pn&digit != 0 {
				t.piece(b, ps, i, pn)
			}
			ps, pn = i+1, 0
		}
		if c&under != 0 {
			if i-us >= minWord && un&digit != 0 && un&hyphen != 0 && i-us < hi-lo && !(i-us == 36 && isUUID(b[us:i])) {
				t.emit(t.h.text(seedWord, b[us:i]), wordToken, us, i)
			}
			us, un = i+1, 0
			continue
		}
		pn |= c
		un |= c
	}
}

// piece emits the token of letters and digits alone.
func (t *tokenizer) piece(b []byte, lo, hi int, all uint8) {
	switch {
	case all&alnum == digit && hi-lo <= maxPhone:
	case hi-lo == 32 && all&letter == 0:
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

// uuid emits the UUID at b[i:], if there is one.
func (t *tokenizer) uuid(b []byte, i int) bool {
	if i+36 > len(b) || !isUUID(b[i:i+36]) {
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

// isUUID reports whether b, 36 bytes, is 8-4-4-4-12 hex digits.
func isUUID(b []byte) bool {
	if b[8] != '-' || b[13] != '-' || b[18] != '-' || b[23] != '-' {
		return false
	}
	for i, c := range b[:36] {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			continue
		}
		if classes[c]&(digit|hexlet) == 0 {
			return false
		}
	}
	return true
}
