//go:build (!amd64 && !arm64) || safe

package inflate

import "encoding/binary"

// fast is the hot loop without package unsafe, for any byte order.
func (d *decoder) fast() (done, bad bool) {
	in, out := d.in, d.out
	ip, op := d.ip, d.op
	ilim, olim, hist := d.iend-fastIn, d.olim, d.hist
	bb, bc := d.bb, d.bc
	var e uint32
	var saved uint64

loop:
	for ip <= ilim && op < olim {
		bb |= binary.LittleEndian.Uint64(in[ip:]) << (bc & 63)
		ip += int(7 - (bc>>3)&7)
		bc |= 56

		e = d.lit[bb&litMask]
		if e&flagLit != 0 {
			binary.LittleEndian.PutUint16(out[op:], uint16(e>>16))
			op += int(e >> 8 & 3)
			bb >>= e & 63
			bc -= uint64(e)
			e = d.lit[bb&litMask]
			if e&flagLit != 0 {
				binary.LittleEndian.PutUint16(out[op:], uint16(e>>16))
				op += int(e >> 8 & 3)
				bb >>= e & 63
				bc -= uint64(e)
				e = d.lit[bb&litMask]
				if e&flagLit != 0 {
					binary.LittleEndian.PutUint16(out[op:], uint16(e>>16))
					op += int(e >> 8 & 3)
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
				out[op] = byte(e >> 16)
				op++
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
			bb |= binary.LittleEndian.Uint64(in[ip:]) << (bc & 63)
			ip += int(7 - (bc>>3)&7)
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
		if uint64(op-hist) < dist {
			bad = true
			break
		}
		src := op - int(dist)
		end := op + int(length)
		switch {
		case dist >= 16:
			*(*[16]byte)(out[op:]) = [16]byte(out[src:])
			*(*[16]byte)(out[op+16:]) = [16]byte(out[src+16:])
			for n := 32; n < int(length); n += 32 {
				*(*[16]byte)(out[op+n:]) = [16]byte(out[src+n:])
				*(*[16]byte)(out[op+n+16:]) = [16]byte(out[src+n+16:])
			}
		default:
			for i := op; i < end; i++ {
				out[i] = out[i-int(dist)]
			}
		}
		op = end
		continue loop
	}
	d.op, d.ip = op, ip
	bc &= 63
	d.ip -= int(bc >> 3)
	bc &= 7
	d.bb = bb & (1<<bc - 1)
	d.bc = bc
	return
}
