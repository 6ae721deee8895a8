package catalog

import (
	"encoding/binary"
	"math/bits"
)

// bitWriter appends bits to bytes, highest first.
type bitWriter struct {
	b   []byte
	acc uint64 // whose low n bits are not in b yet
	n   uint
}

// put appends the n low bits of v, which has no others; n ≤ 57.
func (w *bitWriter) put(v uint64, n uint) {
	if n > 32 {
		w.put(v>>32, n-32)
		v, n = v&(1<<32-1), 32
	}
	w.acc, w.n = w.acc<<n|v, w.n+n
	if w.n >= 32 {
		w.n -= 32
		w.b = binary.BigEndian.AppendUint32(w.b, uint32(w.acc>>w.n))
	}
}

// bytes returns what was written, filled up with zeros.
func (w *bitWriter) bytes() []byte {
	for ; w.n >= 8; w.n -= 8 {
		w.b = append(w.b, byte(w.acc>>(w.n-8)))
	}
	if w.n > 0 {
		w.b, w.n = append(w.b, byte(w.acc<<(8-w.n))), 0
	}
	return w.b
}

// gamma appends v ≥ 1 in 2·log₂(v)+1 bits.
func (w *bitWriter) gamma(v uint64) {
	n := uint(bits.Len64(v)) - 1
	w.put(0, n)
	w.put(v, n+1)
}

// rice appends v in p ≤ 32 bits and, for what is above them, one bit each.
func (w *bitWriter) rice(v uint64, p uint) {
	q := v >> p
	for ; q >= 20; q -= 20 {
		w.put(1<<20-1, 20)
	}
	w.put(1<<(q+1)-2, uint(q)+1)
	w.put(v&(1<<p-1), p)
}

// bitReader reads what a bitWriter wrote. Beyond the end it reads zeros and
// notes that it did.
type bitReader struct {
	b    []byte
	at   uint // bits read
	over bool
}

func (r *bitReader) bit() uint64 {
	i := r.at >> 3
	if i >= uint(len(r.b)) {
		r.over = true
		return 0
	}
	v := uint64(r.b[i]>>(7-r.at&7)) & 1
	r.at++
	return v
}

func (r *bitReader) get(n uint) uint64 {
	var v uint64
	for n > 0 {
		i := r.at >> 3
		if i >= uint(len(r.b)) {
			r.over = true
			return 0
		}
		have := 8 - r.at&7
		k := min(n, have)
		v = v<<k | uint64(r.b[i])>>(have-k)&(1<<k-1)
		r.at += k
		n -= k
	}
	return v
}

func (r *bitReader) gamma() uint64 {
	var n uint
	for r.bit() == 0 {
		if n++; r.over || n > 48 {
			r.over = true
			return 0
		}
	}
	return 1<<n | r.get(n)
}

func (r *bitReader) rice(p uint) uint64 {
	var q uint64
	for r.bit() == 1 {
		q++
	}
	return q<<p | r.get(p)
}
