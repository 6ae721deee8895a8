package identity

// digits feeds the groups of digits in b[i:hi], a word from its first digit on, to
// the reader of phone numbers. It reports whether a group is too long for one.
func (t *tokenizer) digits(b []byte, i, hi int, all uint8) (long bool) {
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

// pow10 holds powers of ten.
var pow10 = [...]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10}

// group takes the digits b[p:q], of value v, into account. No letter precedes them.
func (t *tokenizer) group(b []byte, p, q int, v uint64) {
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

// endsNumber reports whether c may follow the last digit of a phone number: no
// letter, but those that begin an extension, a pause or an exponent.
func endsNumber(c byte) bool {
	switch c | 0x20 {
	case 'x', 'e', 'p', 'w':
		return true
	}
	return classes[c]&(hexlet|letter) == 0
}
