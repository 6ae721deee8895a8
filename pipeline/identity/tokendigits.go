package identity

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// number emits the tokens of the phone numbers and IP addresses in the run of digits,
// and of what may stand between these, that ends at hi.
func (t *tokenizer) number(b []byte, hi int) {
	l := &t.layout
	lo := l.number.begin(hi)
	if n := hi - lo; n <= 64 {
		digits := l.digit.at(lo) & first(n)
		if c := bits.OnesCount64(digits); c < 7 && (c < 4 || bits.OnesCount64(digits&^(digits<<1)) < 4) {
			return // neither seven digits nor four groups of them
		}
	}
	var n phone
	n.end = -maxGap - 1
	p := l.digit.next(lo, hi)
	if p == lo && p > 0 && classes[b[p-1]]&(hexlet|letter) != 0 {
		p = l.digit.next(l.digit.end(p), hi) // glued to letters: no number begins here
	}
	for p < hi {
		q := l.digit.end(p)
		if q-p > maxPhone {
			n.end = -maxGap - 1
			n.word = t.longDigits(b, p, q, n.word)
			t.abroad(b, p, q)
		} else {
			t.group(b, &n, p, q)
		}
		p = l.digit.next(q, hi)
	}
}

// phone is the state of the number that is being read.
type phone struct {
	end     int    // of the last group of digits
	count   int    // digits so far
	value   uint64 // of the last ten
	starts  [5]int // digits before each of the last groups
	groups  int
	last    uint64 // value of the last group …
	lastLen int    // … and its digits
	quad    uint64 // values of the last groups that single dots join, eight bits each
	dots    int    // how many groups that are
	word    int    // where the last word of digits too many ends
}

// longDigits emits the tokens of the word around the digits b[p:q], more than a phone
// number has, if all of it is digits and hyphens and ends behind done. It returns
// where the word ends.
func (t *tokenizer) longDigits(b []byte, p, q, done int) int {
	words := t.layout.word
	lo, hi := words.begin(p), words.end(q)
	if hi > done && hi-lo <= maxWord && !bytes.ContainsFunc(b[lo:hi], func(r rune) bool { return r != '-' && !isDigit(byte(r)) }) {
		t.id(b, lo, hi)
	}
	return hi
}

// abroad emits the token of the digits b[p:q], more than a phone number has, where they
// begin with what is dialled for another country: 011 in North America, 00, 0011.
func (t *tokenizer) abroad(b []byte, p, q int) {
	if q-p > maxAbroad || b[p] != '0' || b[p+1] != '0' && (b[p+1] != '1' || b[p+2] != '1') || q < len(b) && !endsNumber(b[q]) {
		return
	}
	t.emit(t.h.number(seedPhone, decimal(b, p, q)%1e10), phoneToken, p, q)
	if t.given.phones {
		t.hashedDigits(b[p:q], false, p, q)
	}
}

// pow10 holds powers of ten.
var pow10 = [...]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10}

// group takes the digits b[p:q] into account.
func (t *tokenizer) group(b []byte, s *phone, p, q int) {
	n, v := q-p, decimal(b, p, q)
	joined := p-s.end <= maxGap
	if !joined {
		s.count, s.value, s.groups, s.dots, s.lastLen = 0, 0, 0, 0, 0
	}
	dotted := joined && p-s.end == 1 && b[p-1] == '.'
	s.starts[s.groups%len(s.starts)] = s.count
	s.groups++
	if n >= 10 {
		s.value = v % 1e10
	} else {
		s.value = (s.value*pow10[n] + v) % 1e10
	}
	s.count += n
	s.end = q

	// four small numbers with dots between
	if !dotted {
		s.dots = 0
	}
	if n <= 3 && v <= 255 {
		s.quad = s.quad<<8 | v
		s.dots++
		if s.dots >= 4 {
			t.emit(t.h.number(seedIP, s.quad&0xffffffff), ipToken, p, q)
		}
	} else {
		s.dots = 0
	}
	if dotted && n == 10 && s.lastLen >= 5 && s.lastLen <= 10 {
		t.emit(t.h.pair(seedGA, s.last, v), gaToken, p-1-s.lastLen, q)
	}
	s.last, s.lastLen = v, n

	if s.count < 7 || q < len(b) && !endsNumber(b[q]) {
		return
	}
	if s.count >= 10 {
		t.emit(t.h.number(seedPhone, s.value), phoneToken, p, q)
	}
	if t.given.phones {
		t.hashedNumber(b, s, p, q)
	}
	for g := max(0, s.groups-len(s.starts)); g < s.groups; g++ {
		if k := s.count - s.starts[g%len(s.starts)]; k >= 7 && k <= 9 {
			t.emit(t.h.pair(seedShort, s.value%pow10[k], uint64(k)), shortToken, p, q)
		}
	}
}

// decimal is the value of the digits b[p:q], at most nineteen.
func decimal(b []byte, p, q int) uint64 {
	if q-p > 8 {
		return decimal(b, p, q-8)*1e8 + decimal(b, q-8, q)
	}
	if p+8 > len(b) {
		v := uint64(0)
		for _, c := range b[p:q] {
			v = v*10 + uint64(c-'0')
		}
		return v
	}
	// the last of eight digits in the highest byte, zeros before them
	x := binary.LittleEndian.Uint64(b[p:]) << (8 * (8 - (q - p)) & 63) & 0x0f0f0f0f0f0f0f0f
	x = (x*10 + x>>8) & 0x00ff00ff00ff00ff
	x = (x*100 + x>>16) & 0x0000ffff0000ffff
	return (x*10000 + x>>32) & 0xffffffff
}

// endsNumber reports whether c may follow the last digit of a phone number: no
// letter, but those that begin an extension, a pause or an exponent.
func endsNumber(c byte) bool {
	switch c | 0x20 {
	case 'x', 'e', 'p', 'w':
		return true
	}
	return classes[c]&(hexlet|letter) == 0
}
