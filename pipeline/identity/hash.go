package identity

import (
	"encoding/binary"
	"math/bits"
)

// TokenizerVersion names the rules by which tokens are made. Filters that were
// built under another version do not hold: raise it with every change of what
// text yields which tokens.
const TokenizerVersion = "5"

// Key keys the hash of tokens. It is no password hash: it keeps the tokens of one
// work store from being joined with those of another, and fits in the inner loop.
type Key [16]byte

// Seeds of the kinds of tokens, so that a phone's digits and an id of the same
// digits are two tokens.
const (
	seedPhone = 0x9e3779b97f4a7c15
	seedShort = 0xd6e8feb86659fd93
	seedEmail = 0xa0761d6478bd642f
	seedGmail = 0xe7037ed1a0b428db
	seedWord  = 0x8ebc6af09c88c6e3
	seedUUID  = 0x589965cc75374cc3
	seedGA    = 0x1d8e4e27c47d124f
	seedIP    = 0xeb44accab455d165
	seedKind  = 0x2d358dccaa6c78a5
)

// hasher is a Key, ready for use.
type hasher struct{ a, b uint64 }

func (k Key) hasher() hasher {
	return hasher{binary.LittleEndian.Uint64(k[:8]) | 1, binary.LittleEndian.Uint64(k[8:])}
}

func mum(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// number hashes one number.
func (h hasher) number(seed, v uint64) uint64 {
	return finish(mum(mum(v^h.a, seed^h.b), h.b^0xd1b54a32d192ed03^seed))
}

// pair hashes two numbers.
func (h hasher) pair(seed, v, w uint64) uint64 {
	return finish(mum(mum(v^h.a, seed^h.b)^w, h.b^0xd1b54a32d192ed03))
}

// quad hashes 32 bytes of text, given as four words.
func (h hasher) quad(seed, a, b, c, d uint64) uint64 {
	return finish(mum(mum(a^h.a, b^seed^h.b)^c, mum(c^h.b, d^seed^h.a)^0xd1b54a32d192ed03))
}

const lower8 = 0x2020202020202020

// text hashes b without regard to the case of ASCII letters. Of the bytes that
// tokens are made of, no two that differ by more than case fall together.
func (h hasher) text(seed uint64, b []byte) uint64 {
	x, y := h.a^seed, h.b^uint64(len(b))
	if len(b) < 8 {
		var v uint64
		for _, c := range b {
			v = v<<8 | uint64(c|0x20)
		}
		return finish(mum(mum(x^v, y), h.b^seed))
	}
	p := b
	for len(p) >= 16 {
		x = mum(x^(binary.LittleEndian.Uint64(p)|lower8), y^(binary.LittleEndian.Uint64(p[8:])|lower8))
		y ^= x>>7 | 1
		p = p[16:]
	}
	if len(p) > 8 {
		x = mum(x^(binary.LittleEndian.Uint64(p)|lower8), y)
	}
	tail := binary.LittleEndian.Uint64(b[len(b)-8:]) | lower8
	return finish(mum(mum(x^tail, y^0xd1b54a32d192ed03), h.b^seed))
}

// exact hashes b as it stands, for values that only declared fields give.
func (h hasher) exact(seed uint64, kind string, b []byte) uint64 {
	x := h.a ^ seed
	for i := range len(kind) {
		x = mum(x^uint64(kind[i]), h.b^0xd1b54a32d192ed03)
	}
	x = mum(x^uint64(len(b)), h.b^seed)
	for len(b) >= 8 {
		x = mum(x^binary.LittleEndian.Uint64(b), h.b^0xd1b54a32d192ed03)
		b = b[8:]
	}
	var v uint64
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return finish(mum(mum(x^v, h.b^0xa0761d6478bd642f), h.a^seed))
}

// finish keeps 0 free: it marks empty places in tables.
func finish(x uint64) uint64 {
	if x == 0 {
		return 1
	}
	return x
}
