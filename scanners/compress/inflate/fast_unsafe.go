//go:build (amd64 || arm64) && !safe

package inflate

import "unsafe"

// fast is the hot loop. It runs while >= fastIn input bytes and the output
// slack remain, so nothing in it needs a bounds check.
func (d *decoder) fast() (done, bad bool) {
	in0 := unsafe.Pointer(unsafe.SliceData(d.in))
	out0 := unsafe.Pointer(unsafe.SliceData(d.out))
	ip := unsafe.Add(in0, d.ip)
	op := unsafe.Add(out0, d.op)
	ilim := uintptr(in0) + uintptr(d.iend-fastIn)
	olim := uintptr(out0) + uintptr(d.olim)
	hist := uintptr(out0) + uintptr(d.hist)
	bb, bc := d.bb, d.bc
	var e uint32
	var saved uint64

loop:
	for uintptr(ip) <= ilim && uintptr(op) < olim {
		bb |= *(*uint64)(ip) << (bc & 63)
		ip = unsafe.Add(ip, 7-(bc>>3)&7)
		bc |= 56

		e = d.lit[bb&litMask]
		if e&flagLit != 0 {
			*(*uint16)(op) = uint16(e >> 16)
			op = unsafe.Add(op, e>>8&3)
			bb >>= e & 63
			bc -= uint64(e)
			e = d.lit[bb&litMask]
			if e&flagLit != 0 {
				*(*uint16)(op) = uint16(e >> 16)
				op = unsafe.Add(op, e>>8&3)
				bb >>= e & 63
				bc -= uint64(e)
				e = d.lit[bb&litMask]
				if e&flagLit != 0 {
					*(*uint16)(op) = uint16(e >> 16)
					op = unsafe.Add(op, e>>8&3)
					bb >>= e & 63
					bc -= uint64(e)
					continue
				}
			}
		}
		saved = bb
		bb >>= e & 63
		bc -= uint64(e)
		if e&flagExc != 0 {
			if e&flagEOB != 0 {
				done = true
				break
			}
			if e == entryBad {
				bad = true
				break
			}
			e = d.lit[uint64(e>>16)+bb&(1<<(e>>8&15)-1)]
			saved = bb
			bb >>= e & 63
			bc -= uint64(e)
			if e&flagLit != 0 {
				*(*byte)(op) = byte(e >> 16)
				op = unsafe.Add(op, 1)
				continue
			}
			if e&flagExc != 0 {
				if e&flagEOB != 0 {
					done = true
				} else {
					bad = true
				}
				break
			}
		}
		length := uint64(e>>16) + saved&(1<<(e&63)-1)>>(e>>8&15)
		if bc&63 < 30 {
			bb |= *(*uint64)(ip) << (bc & 63)
			ip = unsafe.Add(ip, 7-(bc>>3)&7)
			bc |= 56
		}
		e = d.dist[bb&distMask]
		if e&flagExc != 0 {
			if e == entryBad {
				bad = true
				break
			}
			bb >>= e & 63
			bc -= uint64(e)
			e = d.dist[uint64(e>>16)+bb&(1<<(e>>8&15)-1)]
			if e&flagExc != 0 {
				bad = true
				break
			}
		}
		saved = bb
		bb >>= e & 63
		bc -= uint64(e)
		dist := uint64(e>>16) + saved&(1<<(e&63)-1)>>(e>>8&15)
		if uint64(uintptr(op)-hist) < dist {
			bad = true
			break
		}
		src := unsafe.Add(op, -int(dist))
		end := unsafe.Add(op, length)
		switch {
		case dist >= 16: // most matches are <= 32: copy that much without a branch
			*(*[16]byte)(op) = *(*[16]byte)(src)
			*(*[16]byte)(unsafe.Add(op, 16)) = *(*[16]byte)(unsafe.Add(src, 16))
			if length > 32 {
				*(*[16]byte)(unsafe.Add(op, 32)) = *(*[16]byte)(unsafe.Add(src, 32))
				*(*[16]byte)(unsafe.Add(op, 48)) = *(*[16]byte)(unsafe.Add(src, 48))
				for length > 64 {
					*(*[16]byte)(unsafe.Add(op, 64)) = *(*[16]byte)(unsafe.Add(src, 64))
					*(*[16]byte)(unsafe.Add(op, 80)) = *(*[16]byte)(unsafe.Add(src, 80))
					op = unsafe.Add(op, 32)
					src = unsafe.Add(src, 32)
					length -= 32
				}
			}
		case dist >= 8:
			for uintptr(op) < uintptr(end) {
				*(*uint64)(op) = *(*uint64)(src)
				op = unsafe.Add(op, 8)
				src = unsafe.Add(src, 8)
			}
		case dist == 1:
			v := uint64(*(*byte)(src)) * 0x0101010101010101
			for uintptr(op) < uintptr(end) {
				*(*uint64)(op) = v
				op = unsafe.Add(op, 8)
			}
		default:
			for uintptr(op) < uintptr(end) {
				*(*byte)(op) = *(*byte)(src)
				op = unsafe.Add(op, 1)
				src = unsafe.Add(src, 1)
			}
		}
		op = end
		continue loop
	}
	d.op = int(uintptr(op) - uintptr(out0))
	d.ip = int(uintptr(ip) - uintptr(in0))
	bc &= 63
	d.ip -= int(bc >> 3)
	bc &= 7
	d.bb = bb & (1<<bc - 1)
	d.bc = bc
	return
}
