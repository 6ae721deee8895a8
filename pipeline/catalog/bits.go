package catalog

import "math/bits"

// bitWriter appends bits to bytes, highest first.
type bitWriter struct {
	b    []byte
	free uint // bits of the last byte that are free
}

// put appends the n low bits of v; n ≤ 57.
func (w *bitWriter) put(v uint64, n uint) {
	for n > 0 {
		if w.free == 0 {
			w.b, w.free = append(w.b, 0), 8
		}
		k := min(n, w.free)
		part := v >> (n - k) & (1<<k - 1)
		w.b[len(w.b)-1] |= byte(part << (w.free - k))
		w.free -= k
		n -= k
	}
}

// gamma appends v ≥ 1 in 2·log₂(v)+1 bits.
func (w *bitWriter) gamma(v uint64) {
	n := uint(bits.Len64(v)) - 1
	w.put(0, n)
	w.put(v, n+1)
}

// rice appends v in p bits and, for what is above them, one bit each.
func (w *bitWriter) rice(v uint64, p uint) {
	for q := v >> p; q > 0; q-- {
		w.put(1, 1)
	}
	w.put(0, 1)
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
