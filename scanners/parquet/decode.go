package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

var errShort = errors.New("page ends before its values do")

// values are decoded values of one column. Fixed-width values lie one after
// another in data; others at [start, end). Between two of the latter there is at
// least one NUL, so that data can be probed as it is.
type values struct {
	n          int
	width      int
	data       []byte
	start, end []uint32

	own  []byte     // memory of data where that is no part of the page
	ints [2][]int64 // of what deltas are decoded to
}

// room is memory for data of n bytes.
func (v *values) room(n int) []byte {
	if cap(v.own) < n {
		v.own = make([]byte, 0, n)
	}
	return v.own[:0]
}

func (v *values) at(i int) []byte {
	if v.width > 0 {
		return v.data[i*v.width : (i+1)*v.width]
	}
	return v.data[v.start[i]:v.end[i]]
}

func (v *values) reset(width int) {
	v.n, v.width, v.data, v.start, v.end = 0, width, v.data[:0], v.start[:0], v.end[:0]
}

// plainBytes reads n length-prefixed values of b, which it keeps. The prefixes
// become the NULs between the values.
func (v *values) plainBytes(b []byte, n int) error {
	v.reset(0)
	v.data = b
	room := min(n, len(b)/4) // a page may say more than it can hold
	v.start, v.end = slices.Grow(v.start, room), slices.Grow(v.end, room)
	pos := 0
	for range n {
		if len(b)-pos < 4 {
			return errShort
		}
		size := int(binary.LittleEndian.Uint32(b[pos:]))
		b[pos], b[pos+1], b[pos+2], b[pos+3] = 0, 0, 0, 0
		pos += 4
		if size > len(b)-pos {
			return errShort
		}
		v.start = append(v.start, uint32(pos))
		pos += size
		v.end = append(v.end, uint32(pos))
	}
	if pos != len(b) {
		return fmt.Errorf("page has %d bytes left over", len(b)-pos)
	}
	v.n = n
	return nil
}

// plainFixed takes n values of width bytes from b, which it keeps.
func (v *values) plainFixed(b []byte, n, width int) error {
	v.reset(width)
	if len(b) != n*width {
		return fmt.Errorf("page of %d values has %d bytes", n, len(b))
	}
	v.data, v.n = b, n
	return nil
}

// booleans makes n one-byte values of bits.
func (v *values) booleans(b []byte, n int) error {
	v.reset(1)
	if len(b) < (n+7)/8 {
		return errShort
	}
	data := v.room(n)[:n]
	for i := range data {
		data[i] = b[i/8] >> (i % 8) & 1
	}
	v.data, v.n = data, n
	return nil
}

// splitBytes undoes BYTE_STREAM_SPLIT.
func (v *values) splitBytes(b []byte, n, width int) error {
	v.reset(width)
	if width == 0 || len(b) != n*width {
		return fmt.Errorf("page of %d values has %d bytes", n, len(b))
	}
	data := v.room(len(b))[:len(b)]
	for k := range width {
		stream := b[k*n : (k+1)*n]
		for i, x := range stream {
			data[i*width+k] = x
		}
	}
	v.data, v.n = data, n
	return nil
}

// deltaInts decodes n DELTA_BINARY_PACKED integers and returns what follows.
func deltaInts(dst []int64, b []byte, n int) ([]int64, []byte, error) {
	pos := 0
	uv := func() uint64 {
		x, k := binary.Uvarint(b[min(pos, len(b)):])
		if k <= 0 {
			pos = len(b) + 1
			return 0
		}
		pos += k
		return x
	}
	zz := func() int64 { u := uv(); return int64(u>>1) ^ -int64(u&1) }
	block, minis, total := uv(), uv(), uv()
	first := zz()
	if pos > len(b) {
		return dst, nil, errShort
	}
	if total != uint64(n) {
		return dst, nil, fmt.Errorf("page states %d values, its header %d", total, n)
	}
	if block == 0 || minis == 0 || block > 1<<20 || minis > block || block%minis != 0 || block/minis%8 != 0 {
		return dst, nil, errors.New("page has a bad delta header")
	}
	per := int(block / minis)
	if n == 0 {
		return dst, b[pos:], nil
	}
	dst = append(dst, first)
	last := uint64(first)
	left := n - 1
	for left > 0 {
		least := uint64(zz())
		if pos > len(b) || len(b)-pos < int(minis) {
			return dst, nil, errShort
		}
		widths := b[pos : pos+int(minis)]
		pos += int(minis)
		for _, w := range widths {
			if left == 0 {
				break
			}
			if w > 64 {
				return dst, nil, errors.New("page has a bad bit width")
			}
			size := per / 8 * int(w)
			if len(b)-pos < size {
				return dst, nil, errShort
			}
			packed := b[pos : pos+size]
			pos += size
			m := min(per, left)
			bit := 0
			for range m {
				last += least + bitsAt(packed, bit, uint(w))
				bit += int(w)
				dst = append(dst, int64(last))
			}
			left -= m
		}
	}
	return dst, b[pos:], nil
}

// bitsAt reads w ≤ 64 bits, least significant first.
func bitsAt(b []byte, bit int, w uint) uint64 {
	if w == 0 {
		return 0
	}
	i, s := bit/8, uint(bit%8)
	var x uint64
	if i+8 <= len(b) {
		x = binary.LittleEndian.Uint64(b[i:]) >> s
		if s+w > 64 {
			x |= uint64(b[i+8]) << (64 - s)
		}
	} else {
		var tmp [16]byte
		copy(tmp[:], b[i:])
		x = binary.LittleEndian.Uint64(tmp[:]) >> s
		if s > 0 {
			x |= uint64(tmp[8]) << (64 - s)
		}
	}
	if w < 64 {
		x &= 1<<w - 1
	}
	return x
}

// delta decodes DELTA_BINARY_PACKED values of 4 or 8 bytes.
func (v *values) delta(b []byte, n, width int) error {
	v.reset(width)
	var err error
	if v.ints[0], _, err = deltaInts(v.ints[0][:0], b, n); err != nil {
		return err
	}
	data := v.room(n * width)
	for _, x := range v.ints[0] {
		if width == 4 {
			data = binary.LittleEndian.AppendUint32(data, uint32(x))
		} else {
			data = binary.LittleEndian.AppendUint64(data, uint64(x))
		}
	}
	v.data, v.n = data, n
	return nil
}

// deltaBytes decodes DELTA_LENGTH_BYTE_ARRAY and, with prefixes, DELTA_BYTE_ARRAY.
// fixed > 0 is the length that every value must have.
func (v *values) deltaBytes(b []byte, n int, prefixes bool, fixed int) error {
	v.reset(0)
	var prefix, size []int64
	var err error
	if prefixes {
		if prefix, b, err = deltaInts(v.ints[0][:0], b, n); err != nil {
			return err
		}
		v.ints[0] = prefix
	}
	if size, b, err = deltaInts(v.ints[1][:0], b, n); err != nil {
		return err
	}
	v.ints[1] = size
	data := v.room(len(b) + n)
	last := 0 // start of the value before
	for i, s := range size {
		from := len(data)
		if i > 0 && fixed == 0 {
			data = append(data, 0)
			from++
		}
		if prefixes && prefix[i] != 0 {
			p := prefix[i]
			end := from
			if fixed == 0 {
				end--
			}
			if i == 0 || p < 0 || p > int64(end-last) {
				return errors.New("page has a bad prefix length")
			}
			data = append(data, data[last:last+int(p)]...)
		}
		if s < 0 || s > int64(len(b)) {
			return errShort
		}
		data = append(data, b[:s]...)
		b = b[s:]
		last = from
		if len(data) > MaxPage || fixed > 0 && len(data)-from != fixed {
			return errors.New("page has a value of bad length")
		}
		v.start, v.end = append(v.start, uint32(from)), append(v.end, uint32(len(data)))
	}
	if len(b) != 0 {
		return fmt.Errorf("page has %d bytes left over", len(b))
	}
	v.own = data
	v.data, v.n = data, n
	if fixed > 0 {
		v.reset(fixed)
		v.data, v.n = data, n
	}
	return nil
}

// hybrid decodes n integers of w bits in the RLE and bit-packing hybrid.
func hybrid[T uint8 | uint32](dst []T, b []byte, n int, w uint) ([]T, error) {
	dst = dst[:0]
	if w == 0 {
		for range n {
			dst = append(dst, 0)
		}
		return dst, nil
	}
	if w > 32 {
		return dst, errors.New("page has a bad bit width")
	}
	for len(dst) < n {
		head, k := binary.Uvarint(b)
		if k <= 0 {
			return dst, errShort
		}
		b = b[k:]
		left := n - len(dst)
		if head&1 == 0 {
			size := int(w+7) / 8
			if len(b) < size {
				return dst, errShort
			}
			var x uint32
			for i := range size {
				x |= uint32(b[i]) << (8 * i)
			}
			b = b[size:]
			run := head >> 1
			if run == 0 || run > uint64(left) {
				return dst, errors.New("page has a bad run length")
			}
			k := len(dst)
			dst = slices.Grow(dst, int(run))[:k+int(run)]
			for i := range dst[k:] {
				dst[k+i] = T(x)
			}
			continue
		}
		// Some writers fill the last run up to 32 values and more: what lies beyond
		// the page's values is padding.
		groups := head >> 1
		if groups == 0 || groups > uint64(len(b))+8 {
			return dst, errors.New("page has a bad run length")
		}
		size := int(groups) * int(w)
		m := min(int(groups)*8, left)
		if len(b) < size {
			// Some writers cut the padding of the last group.
			if len(b) < (m*int(w)+7)/8 {
				return dst, errShort
			}
			size = len(b)
		}
		dst = slices.Grow(dst, m)
		dst = unpack(dst, b[:size], m, w)
		b = b[size:]
	}
	return dst, nil
}

// unpack appends m integers of w ≤ 32 bits, for which dst has room.
func unpack[T uint8 | uint32](dst []T, b []byte, m int, w uint) []T {
	k := len(dst)
	dst = dst[:k+m]
	bit, mask := uint(0), uint64(1)<<w-1
	for i := range dst[k:] {
		if at := bit / 8; at+8 <= uint(len(b)) {
			dst[k+i] = T(binary.LittleEndian.Uint64(b[at:]) >> (bit % 8) & mask)
		} else {
			dst[k+i] = T(bitsAt(b, int(bit), w))
		}
		bit += w
	}
	return dst
}
