package identity

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// reference makes the tokens byte by byte, as the rules are told: what the tokenizer,
// which goes by bits, is compared with. They share the tokens of addresses, of
// numbers with exponents, and of what is spelt in words and letters.
type reference struct {
	tokenizer

	// state of the phone number that is being read
	end     int    // of the last group of digits
	count   int    // digits so far
	value   uint64 // of the last ten
	starts  [5]int // digits before each of the last groups
	groups  int
	last    uint64 // value of the last group …
	lastLen int    // … and its digits
	quad    uint64 // values of the last groups that single dots join, eight bits each
	dots    int    // how many groups that are
}

// scan tokenizes b. scratch says that b may be written to for a moment.
func (t *reference) scan(b []byte, scratch bool) {
	t.end, t.count = -maxGap-1, 0
	for i := nextDigit(b, 0); i < len(b); i = nextDigit(b, i) {
		i = t.run(b, i, scratch)
	}
	for i := bytes.IndexByte(b, '@'); i >= 0; {
		t.mail(b, i, scratch)
		k := bytes.IndexByte(b[i+1:], '@')
		if k < 0 {
			break
		}
		i += 1 + k
	}
	t.packed(b)
	t.spoken(b)
	t.flush()
}

// packed emits the tokens of words without a digit, and of what + and / join, that are as
// long as a digest in base64.
func (t *reference) packed(b []byte) {
	runs := func(in func(byte) bool, wanted func(run []byte) bool) {
		for lo, hi := 0, 0; lo < len(b); lo = hi + 1 {
			for hi = lo; hi < len(b) && in(b[hi]); hi++ {
			}
			if n := hi - lo; (n == 22 || n == 27 || n == 43) && wanted(b[lo:hi]) {
				t.emit(t.h.text(seedWord, b[lo:hi]), packedToken, lo, hi)
			}
		}
	}
	inWord := func(c byte) bool { return classes[c]&word != 0 }
	runs(inWord, func(run []byte) bool { return nextDigit(run, 0) == len(run) })
	runs(func(c byte) bool { return inWord(c) || c == '+' || c == '/' }, func(run []byte) bool { return bytes.ContainsAny(run, "+/") })
}

// nextDigit is the offset of the first digit at or after i, or len(b).
func nextDigit(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		// in every byte: below 0x80, at least '0', at most '9'
		low := x &^ highs
		if m := (low + (0x80-'0')*ones) &^ (low + (0x7f-'9')*ones) &^ x & highs; m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for ; i < len(b); i++ {
		if isDigit(b[i]) {
			return i
		}
	}
	return len(b)
}

// run reads the word around the digit at i and returns the offset behind it.
// Digits before i were read already or are not in this word.
func (t *reference) run(b []byte, i int, scratch bool) int {
	lo := i
	for lo > 0 && classes[b[lo-1]]&word != 0 {
		lo--
	}
	hi, all := i, uint8(0)
	for k := lo; k < i; k++ {
		all |= classes[b[k]]
	}
	for hi < len(b) {
		c := classes[b[hi]]
		if c&word == 0 {
			break
		}
		all |= c
		hi++
	}
	long := t.digits(b, i, hi, all)
	// digits and hyphens alone are what phone tokens are for
	if n := hi - lo; n >= minWord && n <= maxWord && (all&(hexlet|letter|under) != 0 || long) {
		t.word(b, lo, hi, all)
	}
	if lo > 0 && scratch {
		if c := escLetter(b[lo-1]); c != 0 && hi-lo+1 >= minWord && hi-lo < maxWord {
			sep := b[lo-1]
			b[lo-1] = c
			t.word(b, lo-1, hi, all|classes[c])
			b[lo-1] = sep
		}
	}
	return hi
}

// digits feeds the groups of digits in b[i:hi], a word from its first digit on, to
// the reader of phone numbers. It reports whether a group is too long for one.
func (t *reference) digits(b []byte, i, hi int, all uint8) (long bool) {
	for i < hi {
		p, v := i, uint64(0)
		if p > 0 && classes[b[p-1]]&(hexlet|letter) != 0 {
			// Glued to letters: no number begins here, or goes on.
			for i < hi && isDigit(b[i]) {
				i++
			}
			long = long || i-p > maxPhone
			t.end, t.count = -maxGap-1, 0
			if all&(hyphen|under) == 0 {
				return long
			}
			for i < hi && !isDigit(b[i]) {
				i++
			}
			continue
		}
		for i < hi && isDigit(b[i]) {
			if i-p < maxPhone {
				v = v*10 + uint64(b[i]-'0')
			}
			i++
		}
		if t.numbers && i+1 < len(b) && b[i]|0x20 == 'e' {
			t.exponent(b, p, i)
		}
		if i-p > maxPhone {
			long = true
			t.end, t.count = -maxGap-1, 0
			t.abroad(b, p, i)
		} else {
			t.group(b, p, i, v)
		}
		if all&(hyphen|under) == 0 && i < hi {
			// what other digits there are in this word stand between letters
			t.end = -maxGap - 1
			return long
		}
		for i < hi && !isDigit(b[i]) {
			i++
		}
	}
	return long
}

// group takes the digits b[p:q], of value v, into account. No letter precedes them.
func (t *reference) group(b []byte, p, q int, v uint64) {
	n := q - p
	joined := p-t.end <= maxGap
	if joined {
		for _, c := range b[t.end:p] {
			if classes[c]&phsep == 0 {
				joined = false
				break
			}
		}
	}
	if !joined {
		t.count, t.value, t.groups, t.dots, t.lastLen = 0, 0, 0, 0, 0
	}
	dotted := joined && p-t.end == 1 && b[p-1] == '.'
	t.starts[t.groups%len(t.starts)] = t.count
	t.groups++
	if n >= 10 {
		t.value = v % 1e10
	} else {
		t.value = (t.value*pow10[n] + v) % 1e10
	}
	t.count += n
	t.end = q

	// four small numbers with dots between
	if !dotted {
		t.dots = 0
	}
	if n <= 3 && v <= 255 {
		t.quad = t.quad<<8 | v
		t.dots++
		if t.dots >= 4 {
			t.emit(t.h.number(seedIP, t.quad&0xffffffff), ipToken, p, q)
		}
	} else {
		t.dots = 0
	}
	if dotted && n == 10 && t.lastLen >= 5 && t.lastLen <= 10 {
		t.emit(t.h.pair(seedGA, t.last, v), gaToken, p-1-t.lastLen, q)
	}
	t.last, t.lastLen = v, n

	if t.count < 7 || q < len(b) && !endsNumber(b[q]) {
		return
	}
	if t.count >= 10 {
		t.emit(t.h.number(seedPhone, t.value), phoneToken, p, q)
	}
	for g := max(0, t.groups-len(t.starts)); g < t.groups; g++ {
		if k := t.count - t.starts[g%len(t.starts)]; k >= 7 && k <= 9 {
			t.emit(t.h.pair(seedShort, t.value%pow10[k], uint64(k)), shortToken, p, q)
		}
	}
}

// word emits the tokens of the word b[lo:hi], which has a digit or the first
// byte that an escape may have taken from it.
func (t *reference) word(b []byte, lo, hi int, all uint8) {
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
	t.vanity(b, lo, hi)
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
func (t *reference) piece(b []byte, lo, hi int, all uint8) {
	switch {
	case all&alnum == digit && hi-lo <= maxPhone:
	case hi-lo == 32 && all&letter == 0:
		w := b[lo:hi]
		t.emit(t.quadOf(w[:8], w[8:16], w[16:24], w[24:32]), uuidToken, lo, hi)
	default:
		t.emit(t.h.text(seedWord, b[lo:hi]), wordToken, lo, hi)
	}
}

func (t *reference) quadOf(a, b, c, d []byte) uint64 {
	return t.h.quad(seedUUID,
		binary.LittleEndian.Uint64(a)|lower8, binary.LittleEndian.Uint64(b)|lower8,
		binary.LittleEndian.Uint64(c)|lower8, binary.LittleEndian.Uint64(d)|lower8)
}

// uuid emits the UUID at b[i:], if there is one.
func (t *reference) uuid(b []byte, i int) bool {
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
