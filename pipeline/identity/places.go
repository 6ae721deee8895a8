package identity

import (
	"encoding/binary"
	"math/bits"
)

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

// begin is where the run of places that ends at i begins.
func (p places) begin(i int) int {
	for i > 0 {
		last := uint(i - 1)
		n := bits.LeadingZeros64(^p[last>>6] << (^last & 63))
		if n <= int(last&63) {
			return i - n
		}
		i = int(last &^ 63)
	}
	return 0
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
	word   places // letters, digits, hyphens and underscores
	number places // digits and what may stand between them in a phone number
	digit  places
	hexlet places
	hyphen places
	split  places // hyphens and underscores
	join   places // + and /, which base64 has beside letters and digits
	at     places // @

	backing []uint64 // of all, one after another
	stride  int      // words of each
}

// lanes are the bytes of an entry of classLanes: each is 1 for the bytes of one class.
const (
	laneWord = 8 * iota
	laneNumber
	laneDigit
	laneHexlet
	laneHyphen
	laneSplit
	laneJoin
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
		set(laneJoin, c == '+' || c == '/')
		set(laneAt, c == '@')
	}
	return t
}()

// behind is how many words of zeros follow the places of a text.
const behind = 2

// wordsFor is how many words the places of n bytes take.
func wordsFor(n int) int { return (n+63)/64 + behind }

// of lays out b.
func (l *layout) of(b []byte) {
	l.stride = wordsFor(len(b))
	if cap(l.backing) < lanes*l.stride {
		l.backing = make([]uint64, lanes*l.stride)
	}
	for i, p := range [lanes]*places{&l.word, &l.number, &l.digit, &l.hexlet, &l.hyphen, &l.split, &l.join, &l.at} {
		*p = l.backing[i*l.stride : (i+1)*l.stride : (i+1)*l.stride]
		clear((*p)[l.stride-behind:])
	}
	l.blocks(b[:len(b)&^63], 0)
	if tail := tailOf(b); len(b)%64 > 0 {
		l.blocks(tail[:], len(b)/64)
	}
}

// tailOf is what of b follows its whole blocks of 64 bytes, with zeros behind, which are
// of no class.
func tailOf(b []byte) (block [64]byte) {
	copy(block[:], b[len(b)&^63:])
	return block
}

// plainBlocks lays out b, whole blocks of 64 bytes, as the blocks from k on.
func (l *layout) plainBlocks(b []byte, k int) {
	for ; len(b) >= 64; k++ {
		var x [8]uint64 // a byte of each holds a lane of eight bytes of the text
		for i := range x {
			p := (*[8]byte)(b[8*i:])
			x[i] = classLanes[p[0]] | classLanes[p[1]]<<1 | classLanes[p[2]]<<2 | classLanes[p[3]]<<3 |
				classLanes[p[4]]<<4 | classLanes[p[5]]<<5 | classLanes[p[6]]<<6 | classLanes[p[7]]<<7
		}
		transpose(&x)
		l.word[k], l.number[k], l.digit[k], l.hexlet[k] = x[laneWord/8], x[laneNumber/8], x[laneDigit/8], x[laneHexlet/8]
		l.hyphen[k], l.split[k], l.join[k], l.at[k] = x[laneHyphen/8], x[laneSplit/8], x[laneJoin/8], x[laneAt/8]
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

// mark makes the places those of the bytes of b that the decoder looks at: % \ # ;
// and what is beyond ASCII.
func (p *places) mark(b []byte) {
	n := wordsFor(len(b))
	if cap(*p) < n {
		*p = make(places, n)
	}
	*p = (*p)[:n]
	clear((*p)[n-behind:])
	p.special(b[:len(b)&^63], 0)
	if tail := tailOf(b); len(b)%64 > 0 {
		p.special(tail[:], len(b)/64)
	}
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// plainSpecial marks b, whole blocks of 64 bytes, as the blocks from k on.
func (p places) plainSpecial(b []byte, k int) {
	for ; len(b) >= 64; k++ {
		m := uint64(0)
		for i := range 8 {
			x := binary.LittleEndian.Uint64(b[8*i:])
			is := (equal(x, '%') | equal(x, '\\') | equal(x, '#') | equal(x, ';') | x) & highs
			// the highest bit of each byte to the highest byte, in order
			m |= is >> 7 * 0x0102040810204080 >> 56 << (8 * i)
		}
		p[k] = m
		b = b[64:]
	}
}

// equal has the highest bit of each byte of x that is c, which is ASCII.
func equal(x uint64, c byte) uint64 {
	x ^= uint64(c) * ones
	return ^((x &^ highs) + (0x7f * ones) | x) & highs
}
