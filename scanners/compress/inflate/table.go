package inflate

import (
	"math/bits"
	"sync"
)

const (
	litBits  = 11 // root width of the literal/length table: two literals fit in one look-up often enough
	distBits = 9
	clBits   = 7 // the code that codes code lengths has no longer codewords

	litMask  = 1<<litBits - 1
	distMask = 1<<distBits - 1
	clMask   = 1<<clBits - 1

	// A subtable of a complete code holds at least 2 symbols, so these bound every table.
	litSize  = 1<<litBits + 144*(1<<(15-litBits))
	distSize = 1<<distBits + 16*(1<<(15-distBits))
)

// A table entry, 32 bits:
//
//	 0..7   bits consumed: codeword and, for length/distance, its extra bits
//	 8..11  literal: how many bytes (1 or 2); length/distance: codeword bits
//	13      end of block (with 14)
//	14      exceptional: subtable, end of block or invalid
//	15      literal
//	16..31  literal byte(s), length or distance base, or subtable start
//	        (subtable: 8..11 holds its index width)
const (
	flagEOB  = 1 << 13
	flagExc  = 1 << 14
	flagLit  = 1 << 15
	entryBad = flagExc // no bits consumed, neither end of block nor a subtable
)

// symbols are the table entries of an alphabet, still without codeword lengths.
type symbols [320]uint32

// alphabets are those of RFC 1951, section 3.2.5, and the fixed codes of 3.2.6.
type alphabets struct {
	lit, dist, codeLen symbols
	fixedLit           [litSize]uint32
	fixedDist          [distSize]uint32
}

// fixedLens are the code lengths of the fixed literal/length code.
func fixedLens() (lens [288]uint8) {
	for i := range lens {
		switch {
		case i < 144:
			lens[i] = 8
		case i < 256:
			lens[i] = 9
		case i < 280:
			lens[i] = 7
		default:
			lens[i] = 8
		}
	}
	return lens
}

// tables are made once, by the first decoder, and never change.
var tables = sync.OnceValue(newAlphabets)

func newAlphabets() *alphabets {
	a := &alphabets{}
	for i := range a.lit {
		a.lit[i] = entryBad
		a.dist[i] = entryBad
		a.codeLen[i] = uint32(i) << 16
	}
	for i := range 256 {
		a.lit[i] = flagLit | uint32(i)<<16
	}
	a.lit[256] = flagExc | flagEOB
	base := uint32(3)
	for i := range uint32(28) { // lengths 3..257: extra bits grow every fourth symbol from the ninth
		extra := max(i/4, 1) - 1
		a.lit[257+i] = base<<16 | extra
		base += 1 << extra
	}
	a.lit[285] = 258 << 16
	base = 1
	for i := range uint32(30) { // distances 1..32768: every second symbol from the fifth
		extra := max(i/2, 1) - 1
		a.dist[i] = base<<16 | extra
		base += 1 << extra
	}
	lens := fixedLens()
	build(a.fixedLit[:], litBits, lens[:], &a.lit)
	pairLiterals(&a.fixedLit)
	var five [32]uint8
	for i := range five {
		five[i] = 5
	}
	build(a.fixedDist[:], distBits, five[:], &a.dist)
	return a
}

// finish adds to a symbol's entry the n bits that its codeword takes at this
// level of the table.
func finish(e, n uint32) uint32 {
	switch {
	case e&flagLit != 0:
		return e | n | 1<<8
	case e == entryBad:
		return e
	default:
		return e + n | n<<8
	}
}

// build fills a decode table with a root of root bits from code lengths, and
// reports whether they make a code. It accepts what zlib accepts: complete codes,
// and (for distances and a lone symbol) one code of one bit, or none at all.
// Codewords come bit-reversed, as they lie in the stream.
func build(t []uint32, root uint, lens []uint8, sym *symbols) bool {
	var count [16]int
	for _, l := range lens {
		count[l]++
	}
	longest := uint(15)
	for longest > 0 && count[longest] == 0 {
		longest--
	}
	size := 1 << root
	if longest == 0 {
		for i := 0; i < size; i++ {
			t[i] = entryBad
		}
		return true
	}
	left := 1
	for l := 1; l <= 15; l++ {
		left = left<<1 - count[l]
		if left < 0 {
			return false
		}
	}
	if left > 0 && longest != 1 {
		return false
	}
	var offs [17]int
	for l := 1; l < 16; l++ {
		offs[l+1] = offs[l] + count[l]
	}
	var sorted [320]uint16
	for s, l := range lens {
		if l != 0 {
			sorted[offs[l]] = uint16(s)
			offs[l]++
		}
	}
	if left > 0 { // a single one-bit code: 0
		e := finish(sym[sorted[0]], 1)
		for i := 0; i < size; i += 2 {
			t[i], t[i+1] = e, entryBad
		}
		return true
	}
	// Root: fill 2^len entries, doubling the table as codewords get longer.
	k := 0
	code := uint(0) // bit-reversed codeword
	l := uint(1)
	for count[l] == 0 {
		l++
	}
	if l > root {
		l = root
	}
	cur := 1 << l
	for l <= root {
		for n := count[l]; n > 0; n-- {
			t[code] = finish(sym[sorted[k]], uint32(l))
			k++
			if code == uint(cur)-1 {
				for ; l < root; l++ {
					copy(t[cur:2*cur], t[:cur])
					cur <<= 1
				}
				return true
			}
			bit := uint(1) << (bits.Len(uint(cur-1)^code) - 1)
			code = code&(bit-1) | bit
		}
		if l < root {
			copy(t[cur:2*cur], t[:cur])
			cur <<= 1
		}
		l++
	}
	// Subtables.
	next := size
	mask := uint(size - 1)
	prefix := ^uint(0)
	var start int
	var width uint
	for l = root + 1; ; l++ {
		for n := count[l]; n > 0; n-- {
			if code&mask != prefix {
				prefix = code & mask
				start = next
				width = l - root
				used := n
				for space := 1 << width; used < space; {
					width++
					space = 1 << width
					used = used<<1 + count[root+width]
				}
				next += 1 << width
				t[prefix] = uint32(start)<<16 | flagExc | uint32(width)<<8 | uint32(root)
			}
			e := finish(sym[sorted[k]], uint32(l-root))
			k++
			for i := code >> root; i < 1<<width; i += 1 << (l - root) {
				t[start+int(i)] = e
			}
			if code == 1<<l-1 {
				return true
			}
			bit := uint(1) << (bits.Len((1<<l-1)^code) - 1)
			code = code&(bit-1) | bit
		}
	}
}

// pairLiterals merges two short literals into one root entry.
func pairLiterals(t *[litSize]uint32) {
	// Downwards, so that the entry for the second literal is still a single one.
	for i := litMask; i >= 0; i-- {
		e := t[i]
		f := t[uint32(i)>>(e&15)&litMask]
		p := e + f&0xff + 1<<8 | f<<8&0xff000000
		if e&f&flagLit == 0 {
			p = e
		}
		if e&0xff+f&0xff > litBits {
			p = e
		}
		t[i] = p
	}
}
