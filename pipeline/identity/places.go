package identity

import "math/bits"

// places has one bit for each byte of a text, and two words of zeros behind them.
type places []uint64

// at is the 64 bits from i on, which is at most the length of the text.
func (p places) at(i int) uint64 {
	w := p[uint(i)>>6 : uint(i)>>6+2]
	return w[0]>>(i&63) | w[1]<<1<<(^i&63)
}

// next is the first place at or after i and before end, or end.
func (p places) next(i, end int) int {
	for i < end {
		if x := p.at(i); x != 0 {
			return min(i+bits.TrailingZeros64(x), end)
		}
		i += 64
	}
	return end
}

// end is where the run of places from i on ends.
func (p places) end(i int) int {
	for {
		n := bits.TrailingZeros64(^p.at(i))
		if n < 64 {
			return i + n
		}
		i += n
	}
}

// any reports whether there is a place in lo…hi, which are at least one byte.
func (p places) any(lo, hi int) bool { return p.next(lo, hi) < hi }

// only reports whether all of lo…hi, at most 64 bytes, are places.
func (p places) only(lo, hi int) bool { return ^p.at(lo)&first(hi-lo) == 0 }

func (p places) flip(i int) { p[i>>6] ^= 1 << (i & 63) }

// first is n bits, at most 64.
func first(n int) uint64 { return 1<<n - 1 }

// layout says of the bytes of a text which of them are what.
type layout struct {
	word    places // letters, digits, hyphens and underscores
	number  places // digits and what may stand between them in a phone number
	digit   places
	hexlet  places
	hyphen  places
	split   places // hyphens and underscores
	exp     places // e and E
	at      places // @
	backing []uint64
}

// lanes are the bytes of an entry of classLanes: each is 1 for the bytes of one class.
const (
	laneWord = 8 * iota
	laneNumber
	laneDigit
	laneHexlet
	laneHyphen
	laneSplit
	laneExp
	laneAt
	laneEnd

	lanes = laneEnd / 8
)

var classLanes = func() (t [256]uint64) {
	for c, class := range classes {
		set := func(lane int, is bool) {
			if is {
				t[c] |= 1 << lane
			}
		}
		set(laneWord, class&word != 0)
		set(laneNumber, class&(digit|phsep) != 0)
		set(laneDigit, class&digit != 0)
		set(laneHexlet, class&hexlet != 0)
		set(laneHyphen, class&hyphen != 0)
		set(laneSplit, class&(hyphen|under) != 0)
		set(laneExp, c|0x20 == 'e')
		set(laneAt, c == '@')
	}
	return t
}()

// of lays out b.
func (l *layout) of(b []byte) {
	const behind = 2 // words of zeros
	n := (len(b)+63)/64 + behind
	if cap(l.backing) < lanes*n {
		l.backing = make([]uint64, lanes*n)
	}
	for i, p := range [lanes]*places{&l.word, &l.number, &l.digit, &l.hexlet, &l.hyphen, &l.split, &l.exp, &l.at} {
		*p = l.backing[i*n : (i+1)*n : (i+1)*n]
		clear((*p)[n-behind:])
	}
	whole := len(b) / 64
	l.blocks(b[:whole*64], 0)
	if tail := b[whole*64:]; len(tail) > 0 {
		var block [64]byte // a zero is of no class
		copy(block[:], tail)
		l.blocks(block[:], whole)
	}
}

// blocks lays out b, whole blocks of 64 bytes, as the blocks from k on.
func (l *layout) blocks(b []byte, k int) {
	for ; len(b) >= 64; k++ {
		var x [8]uint64 // a byte of each holds a lane of eight bytes of the text
		for i := range x {
			p := (*[8]byte)(b[8*i:])
			x[i] = classLanes[p[0]] | classLanes[p[1]]<<1 | classLanes[p[2]]<<2 | classLanes[p[3]]<<3 |
				classLanes[p[4]]<<4 | classLanes[p[5]]<<5 | classLanes[p[6]]<<6 | classLanes[p[7]]<<7
		}
		transpose(&x)
		l.word[k], l.number[k], l.digit[k], l.hexlet[k] = x[laneWord/8], x[laneNumber/8], x[laneDigit/8], x[laneHexlet/8]
		l.hyphen[k], l.split[k], l.exp[k], l.at[k] = x[laneHyphen/8], x[laneSplit/8], x[laneExp/8], x[laneAt/8]
		b = b[64:]
	}
}

// transpose makes byte i of x[k] byte k of x[i].
func transpose(x *[8]uint64) {
	swap := func(i, k int, shift uint, low uint64) {
		a, b := x[i], x[k]
		x[i], x[k] = a&low|b&low<<shift, a>>shift&low|b&^low
	}
	for i := range 4 {
		swap(i, i+4, 32, 0x00000000ffffffff)
	}
	for _, i := range [4]int{0, 1, 4, 5} {
		swap(i, i+2, 16, 0x0000ffff0000ffff)
	}
	for i := 0; i < 8; i += 2 {
		swap(i, i+1, 8, 0x00ff00ff00ff00ff)
	}
}
