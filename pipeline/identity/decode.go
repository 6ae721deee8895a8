package identity

import (
	"html"
	"unicode"
	"unicode/utf8"
)

// Escape letters. A backslash with one of b, f, n, r, t is a control character in
// JSON, and plain text in a path or a domain\user name. The decoder writes one of
// these in its place; it separates, and a word that follows is read both ways.
const (
	escB = 0x11 + iota
	escF
	escN
	escR
	escT
)

// escLetter is the letter behind an escape byte, or 0.
func escLetter(c byte) byte {
	if c < escB || c > escT {
		return 0
	}
	return "bfnrt"[c-escB]
}

// decoder undoes, in one pass and at any depth, what encodings do to text:
// backslash escapes of JSON (with any number of backslashes), percent-encoding
// (with any number of %25), characters of HTML by number or name, digits of other scripts, full-width forms, and the
// hyphens and spaces of Unicode. What it makes of an encoded value is what it
// makes of the value itself, so tokens of the one are tokens of the other.
//
// Where that cannot be promised, because one encoding hides the other or a letter
// or digit stands encoded where that changes what follows, the place is doubtful:
// its record has to be decoded properly to be judged.
type decoder struct {
	special places // what is looked at in the source
	out     []byte
	marks   []mark // where out and the source part, ascending
	doubt   []int  // offsets in the source
}

// mark says that out[to:] comes from src[from:].
type mark struct{ to, from int }

// decode returns the decoded text, src itself if there is nothing to decode.
func (d *decoder) decode(src []byte) []byte {
	d.marks, d.doubt = d.marks[:0], d.doubt[:0]
	d.special.mark(src)
	i := d.special.next(0, len(src))
	if i == len(src) {
		return src
	}
	d.out = d.out[:0]
	from := 0
	for i < len(src) {
		d.out = append(d.out, src[from:i]...)
		switch c := src[i]; {
		case c == '\\':
			from = d.backslash(src, i)
		case c == '%':
			from = d.percent(src, i)
		case c == '#':
			from = d.entity(src, i)
		case c == ';':
			from = i + 1
			if !d.named(i) {
				d.out = append(d.out, ';')
				i = d.special.next(from, len(src))
				continue
			}
		default:
			from = d.unicode(src, i)
		}
		for n := len(d.marks); n > 0 && d.marks[n-1].to > len(d.out); n-- {
			d.marks = d.marks[:n-1] // in the name of a character
		}
		d.marks = append(d.marks, mark{len(d.out), from})
		i = d.special.next(from, len(src))
	}
	d.out = append(d.out, src[from:]...)
	return d.out
}

// source is the offset in the source of out[to].
func (d *decoder) source(to int) int {
	lo, hi := 0, len(d.marks)
	for lo < hi {
		m := (lo + hi) / 2
		if d.marks[m].to <= to {
			lo = m + 1
		} else {
			hi = m
		}
	}
	if lo == 0 {
		return to
	}
	m := d.marks[lo-1]
	return m.from + to - m.to
}

func (d *decoder) backslash(src []byte, i int) int {
	j := i
	for j < len(src) && src[j] == '\\' {
		j++
	}
	if j == len(src) {
		d.out = append(d.out, '\\')
		return j
	}
	switch src[j] {
	case 'b':
		d.out = append(d.out, escB)
	case 'f':
		d.out = append(d.out, escF)
	case 'n':
		d.out = append(d.out, escN)
	case 'r':
		d.out = append(d.out, escR)
	case 't':
		d.out = append(d.out, escT)
	case '"', '/', '\'':
		d.out = append(d.out, src[j])
	case 'u', 'U':
		r, n := hex4(src[j+1:])
		if n == 0 {
			d.out = append(d.out, '\\')
			return j
		}
		if k := j - i; r == '&' && k&(k-1) != 0 { // a backslash of the text's own before a name: JSON in JSON doubles all
			d.doubt = append(d.doubt, i)
		}
		j += 1 + n
		if r >= 0xd800 && r < 0xdc00 {
			// a second half follows with as many backslashes
			k := j
			for k < len(src) && src[k] == '\\' {
				k++
			}
			if k > j && k < len(src) && src[k] == 'u' {
				if s, m := hex4(src[k+1:]); m > 0 && s >= 0xdc00 && s < 0xe000 {
					r, j = (r-0xd800)<<10|(s-0xdc00)+0x10000, k+1+m
				}
			}
		}
		d.rune(r, i)
		return j
	default:
		d.out = append(d.out, '\\')
		return j
	}
	return j + 1
}

func hex4(b []byte) (rune, int) {
	if len(b) < 4 {
		return 0, 0
	}
	var r rune
	for _, c := range b[:4] {
		v := unhex(c)
		if v > 15 {
			return 0, 0
		}
		r = r<<4 | rune(v)
	}
	return r, 4
}

func unhex(c byte) byte {
	switch {
	case c-'0' <= 9:
		return c - '0'
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 255
}

// percent decodes a run of %XX that together may be one character of UTF-8.
func (d *decoder) percent(src []byte, i int) int {
	c, j, ok := percentByte(src, i)
	if !ok {
		d.out = append(d.out, '%')
		return i + 1
	}
	if c < 0x80 {
		d.rune(rune(c), i)
		return j
	}
	var u [utf8.UTFMax]byte
	u[0] = c
	n, ends := 1, [utf8.UTFMax]int{j}
	for n < len(u) {
		c, k, ok := percentByte(src, ends[n-1])
		if !ok || c&0xc0 != 0x80 {
			break
		}
		u[n], ends[n] = c, k
		n++
	}
	r, size := utf8.DecodeRune(u[:n])
	if r == utf8.RuneError && size <= 1 {
		d.out = append(d.out, c)
		return j
	}
	d.rune(r, i)
	return ends[size-1]
}

// percentByte reads %XX, %25XX, %2525XX … at i.
func percentByte(src []byte, i int) (c byte, end int, ok bool) {
	if i+2 >= len(src) || src[i] != '%' {
		return 0, i, false
	}
	hi, lo := unhex(src[i+1]), unhex(src[i+2])
	if hi > 15 || lo > 15 {
		return 0, i, false
	}
	i += 3
	for hi == 2 && lo == 5 && i+1 < len(src) {
		h, l := unhex(src[i]), unhex(src[i+1])
		if h > 15 || l > 15 {
			break
		}
		hi, lo = h, l
		i += 2
	}
	return hi<<4 | lo, i, true
}

// entity reads the rest of a character of HTML by its number, &#64; or &#x40;, whose
// ampersand has been written.
func (d *decoder) entity(src []byte, i int) int {
	n := len(d.out) - 1
	if n < 0 || d.out[n] != '&' {
		d.out = append(d.out, '#')
		return i + 1
	}
	j, base := i+1, rune(10)
	if j < len(src) && src[j]|0x20 == 'x' {
		j, base = j+1, 16
	}
	start, r := j, rune(0)
	for ; j < len(src) && j-start < 7; j++ {
		v := rune(unhex(src[j]))
		if v >= base {
			break
		}
		r = r*base + v
	}
	switch {
	case j == start || j == len(src) || src[j] != ';' || r == 0 || r > unicode.MaxRune:
		if j < len(src) && (src[j] == '\\' || src[j] == '%') {
			d.doubt = append(d.doubt, i) // it may go on behind another encoding
		}
		d.out = append(d.out, '#')
		return i + 1
	}
	d.out = d.out[:n]
	d.rune(r, i)
	return j + 1
}

// maxEntity is the longest name of a character of HTML.
const maxEntity = len("CounterClockwiseContourIntegral")

// named writes the character of HTML in the place of its name, which was written and
// ends before the semicolon at src offset i: &nbsp; or &commat;. It reports whether
// there is one.
func (d *decoder) named(i int) bool {
	at := len(d.out)
	for at > 0 && len(d.out)-at <= maxEntity && isAlnum(d.out[at-1]) {
		at--
	}
	if at == 0 || at == len(d.out) || d.out[at-1] != '&' {
		return false
	}
	at--
	name := string(d.out[at:]) + ";"
	chars := html.UnescapeString(name)
	if utf8.RuneCountInString(chars) > 2 {
		return false // none, or only its beginning is one
	}
	d.out = d.out[:at]
	for _, r := range chars {
		d.rune(r, i)
	}
	return true
}

// unicode reads one character of UTF-8, or a stray byte.
func (d *decoder) unicode(src []byte, i int) int {
	r, n := utf8.DecodeRune(src[i:])
	if r == utf8.RuneError && n <= 1 {
		c := d.fold(latin(src[i]))
		if c == 0 {
			c = src[i]
		}
		d.out = append(d.out, c)
		return i + 1
	}
	if c := d.fold(r); c != 0 {
		d.out = append(d.out, c)
	} else {
		d.out = append(d.out, src[i:i+n]...)
	}
	return i + n
}

// latin is the character that Windows-1252 has for c, and Latin-1 but for the dashes and
// the bullet, as far as they may stand between the digits of a number.
func latin(c byte) rune {
	switch c {
	case 0x95:
		return 0x2022
	case 0x96, 0x97:
		return 0x2013
	}
	return rune(c)
}

// rune writes a character that stood encoded at src offset i.
func (d *decoder) rune(r rune, i int) {
	c := byte(0)
	if r < 0x80 {
		c = byte(r)
	} else {
		c = d.fold(r)
	}
	switch {
	case c == 0 && r != 0:
		d.out = utf8.AppendRune(d.out, r)
		return
	case isAlnum(c) || c == '%' || c == '\\' || c == '#' || c == ';':
		d.doubt = append(d.doubt, i)
	}
	d.out = append(d.out, c)
}

// fold is that of the function; outside of words, it gives the dot for a middle dot or
// a bullet, too: 404·555·0123, as on business cards. Inside they are letters.
func (d *decoder) fold(r rune) byte {
	switch r {
	case 0xb7, 0x2022, 0x2219, 0x22c5:
		if n := len(d.out); n > 0 && (isDigit(d.out[n-1]) || d.out[n-1] == ' ') {
			return '.'
		}
		return 0
	}
	return fold(r)
}

// fold gives the ASCII character that people mean by r in a number or an
// address: digits of any script, full-width forms, hyphens, spaces. 0: none.
func fold(r rune) byte {
	switch {
	case r < 0xa0:
		return 0
	case r == 0xa0, r == 0xad, r >= 0x2000 && r <= 0x200f, r >= 0x2028 && r <= 0x202f, r >= 0x205f && r <= 0x2069, r == 0x3000, r == 0xfeff:
		return ' '
	case r >= 0x2010 && r <= 0x2015, r == 0x2212, r == 0x2043, r == 0xfe58, r == 0xfe63, r == 0x30fc:
		return '-'
	case r == 0x2024:
		return '.'
	case r >= 0xff01 && r <= 0xff5e:
		return byte(r - 0xff01 + '!')
	case r == 0xfe6b:
		return '@'
	case r == 0xfe62:
		return '+'
	case r >= 0x660 && unicode.Is(unicode.Nd, r):
		return digitOf(r)
	}
	return 0
}

// digitOf is the ASCII digit of a decimal digit of any script.
func digitOf(r rune) byte {
	for _, t := range unicode.Nd.R16 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) {
			return '0' + byte((r-rune(t.Lo))%10)
		}
	}
	for _, t := range unicode.Nd.R32 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) {
			return '0' + byte((r-rune(t.Lo))%10)
		}
	}
	return 0
}

func isAlnum(c byte) bool { return c-'0' <= 9 || c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool { return c-'0' <= 9 }
