package inflate

// slow decodes one symbol (or one table entry) near the end of the input, with every check.
func (d *decoder) slow() (done bool, err error) {
	d.top()
	bb, bc := d.bb, d.bc
	e := d.lit[bb&litMask]
	if e&flagLit != 0 {
		n := uint64(e & 0xff)
		if n > bc { // perhaps only the first of a pair is real; decode it alone
			if e>>8&3 == 2 {
				one := d.single(uint8(e>>16), bc)
				if one > 0 {
					d.out[d.op] = byte(e >> 16)
					d.op++
					d.bb, d.bc = bb>>one, bc-one
					return false, nil
				}
			}
			return false, d.eof()
		}
		d.out[d.op] = byte(e >> 16)
		d.out[d.op+1] = byte(e >> 24)
		d.op += int(e >> 8 & 3)
		d.bb, d.bc = bb>>n, bc-n
		return false, nil
	}
	take := func(n uint64) bool {
		if n > bc {
			return false
		}
		bb >>= n
		bc -= n
		return true
	}
	if e&(flagExc|flagEOB) == flagExc && e != entryBad {
		if !take(uint64(e & 0xff)) {
			return false, d.eof()
		}
		e = d.lit[uint64(e>>16)+bb&(1<<(e>>8&15)-1)]
		if e&flagLit != 0 {
			if !take(uint64(e & 0xff)) {
				return false, d.eof()
			}
			d.out[d.op] = byte(e >> 16)
			d.op++
			d.bb, d.bc = bb, bc
			return false, nil
		}
	}
	if e == entryBad {
		if bc < 15 {
			return false, d.eof()
		}
		return false, ErrCorrupt
	}
	saved := bb
	if !take(uint64(e & 0xff)) {
		return false, d.eof()
	}
	if e&flagEOB != 0 {
		d.bb, d.bc = bb, bc
		d.state = stHeader
		return true, nil
	}
	length := int(e>>16) + int(saved&(1<<(e&0xff)-1)>>(e>>8&15))
	e = d.dist[bb&distMask]
	if e&flagExc != 0 && e != entryBad {
		if !take(uint64(e & 0xff)) {
			return false, d.eof()
		}
		e = d.dist[uint64(e>>16)+bb&(1<<(e>>8&15)-1)]
	}
	if e == entryBad {
		if bc < 15 {
			return false, d.eof()
		}
		return false, ErrCorrupt
	}
	saved = bb
	if !take(uint64(e & 0xff)) {
		return false, d.eof()
	}
	dist := int(e>>16) + int(saved&(1<<(e&0xff)-1)>>(e>>8&15))
	if dist > d.op-d.hist {
		return false, ErrCorrupt
	}
	for i := 0; i < length; i++ {
		d.out[d.op] = d.out[d.op-dist]
		d.op++
	}
	d.bb, d.bc = bb, bc
	return false, nil
}

// single returns the codeword length of a literal if it fits in bc bits, else 0.
func (d *decoder) single(lit uint8, bc uint64) uint64 {
	n := uint64(d.lens[lit])
	if n > bc {
		return 0
	}
	return n
}
