package walk

import "bytes"

// NumberLen returns how many bytes of s its leading JSON number has; 0 if there is none.
func NumberLen(s []byte) int {
	i := 0
	if i < len(s) && s[i] == '-' {
		i++
	}
	digits := func() bool {
		start := i
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i > start
	}
	if i < len(s) && s[i] == '0' {
		i++
	} else if !digits() {
		return 0
	}
	if i < len(s) && s[i] == '.' {
		if i++; !digits() {
			return 0
		}
	}
	if i < len(s) && s[i]|32 == 'e' {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if !digits() {
			return 0
		}
	}
	return i
}

// AppendDigits appends a JSON number that is written with a fraction or an
// exponent but is whole, as plain digits: 2145550142.0 and 2.145550142E9 give
// 2145550142. The arithmetic is on digits, of any precision. ok is false, and dst
// unchanged, where the number is to be taken as written: it is plain already, has
// a fraction, or its digits would be more than 64.
func AppendDigits(dst, number []byte) (out []byte, ok bool) {
	mant := number
	exp := 0
	e := bytes.IndexAny(number, "eE")
	if e < 0 && bytes.IndexByte(number, '.') < 0 {
		return dst, false
	}
	if e >= 0 {
		mant = number[:e]
		digits := number[e+1:]
		neg := false
		if len(digits) > 0 && (digits[0] == '+' || digits[0] == '-') {
			neg = digits[0] == '-'
			digits = digits[1:]
		}
		for _, c := range digits {
			if exp = exp*10 + int(c-'0'); exp > 1<<20 {
				return dst, false
			}
		}
		if neg {
			exp = -exp
		}
	}
	minus := len(mant) > 0 && mant[0] == '-'
	if minus {
		mant = mant[1:]
	}
	whole, frac, _ := bytes.Cut(mant, []byte{'.'})
	frac = bytes.TrimRight(frac, "0")
	// The value is (whole frac) * 10^(exp-len(frac)).
	shift := exp - len(frac)
	all := append(append(make([]byte, 0, len(mant)), whole...), frac...)
	all = bytes.TrimLeft(all, "0")
	for shift < 0 && len(all) > 0 && all[len(all)-1] == '0' {
		all, shift = all[:len(all)-1], shift+1
	}
	switch {
	case len(all) == 0:
		return append(dst, '0'), true
	case shift < 0 || len(all)+shift > maxExpanded:
		return dst, false
	}
	if minus {
		dst = append(dst, '-')
	}
	dst = append(dst, all...)
	for range shift {
		dst = append(dst, '0')
	}
	return dst, true
}
