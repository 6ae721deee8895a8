package identity

// maxNumber bounds the digits that an exponent may lead to, as scanners do.
const maxNumber = 64

// mantissa reads the number whose digits end before q, where an exponent may follow.
func (t *tokenizer) mantissa(b []byte, q int) {
	p := q
	for p > 0 && isDigit(b[p-1]) {
		p--
	}
	if p == 0 || classes[b[p-1]]&(hexlet|letter) == 0 {
		t.exponent(b, p, q)
	}
}

// exponent emits the token of a number whose mantissa ends with the digits b[p:q] and
// goes on with an exponent: scanners hand on 1.404555012E10, as programs print large
// numbers, as 14045550120, and those digits do not stand there.
func (t *tokenizer) exponent(b []byte, p, q int) {
	exp, end, ok := readExponent(b, q+1)
	if !ok {
		return
	}
	lo, frac := p, 0
	if p > 1 && b[p-1] == '.' && isDigit(b[p-2]) {
		frac = q - p
		for lo = p - 1; lo > 0 && isDigit(b[lo-1]); lo-- {
		}
	}
	if lo > 0 && (classes[b[lo-1]]&(alnum|under|high) != 0 || b[lo-1] == '.') {
		return
	}
	n := t.digitbuf[:0]
	for _, c := range b[lo:q] {
		if c != '.' && (c != '0' || len(n) > 0) {
			if len(n) == cap(n) {
				return
			}
			n = append(n, c)
		}
	}
	shift := exp - frac
	for ; shift < 0 && len(n) > 0 && n[len(n)-1] == '0'; shift++ {
		n = n[:len(n)-1]
	}
	if shift < 0 || len(n)+shift > maxNumber || len(n)+shift < 7 || len(n) == 0 {
		return
	}
	for range shift {
		n = append(n, '0')
	}
	t.whole(n, end)
}

// readExponent reads the exponent at b[i], behind its letter. ok is false where what
// is there does not end a number.
func readExponent(b []byte, i int) (exp, end int, ok bool) {
	negative := false
	if i < len(b) && (b[i] == '+' || b[i] == '-') {
		negative = b[i] == '-'
		i++
	}
	start := i
	for ; i < len(b) && isDigit(b[i]); i++ {
		if exp = exp*10 + int(b[i]-'0'); exp > 1<<20 {
			return 0, 0, false
		}
	}
	if i == start || i < len(b) && (classes[b[i]]&(word|high) != 0 || b[i] == '.') {
		return 0, 0, false
	}
	if negative {
		exp = -exp
	}
	return exp, i, true
}

// whole emits the token of digits that stand, written otherwise, before end.
func (t *tokenizer) whole(n []byte, end int) {
	if len(n) > maxPhone {
		if len(n) == 32 {
			t.emit(t.quadOf(n[:8], n[8:16], n[16:24], n[24:]), uuidToken, end-len(n), end)
			return
		}
		t.emit(t.h.text(seedWord, n), wordToken, end-len(n), end)
		return
	}
	if t.given.phones {
		t.hashedDigits(n, false, end-len(n), end)
	}
	var v uint64
	for _, c := range n {
		v = (v*10 + uint64(c-'0')) % 1e10
	}
	if len(n) >= 10 {
		t.emit(t.h.number(seedPhone, v), phoneToken, end-len(n), end)
		return
	}
	t.emit(t.h.pair(seedShort, v, uint64(len(n))), shortToken, end-len(n), end)
}
