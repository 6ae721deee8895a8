// Package inflate is a fast streaming reader of DEFLATE (RFC 1951) in gzip (RFC
// 1952), two to three times as fast as the usual ones in Go. It hands out chunks
// of its own window without a copy.
//
// Most of the time of a scan goes into unpacking, which is why this is not left
// to a library; the libraries are its oracles in the tests. It has two hot loops:
// one with package unsafe for amd64 and arm64, one without for everything else
// and for builds with the tag "safe".
//
// It does not write, and does not seek: a gzip object is read from its start.
package inflate

import (
	"errors"
	"io"
)

const (
	window  = 32 << 10
	inSize  = 128 << 10
	inSlack = 32 // the fast loop may load this far past its input limit

	// outSlack: one iteration of the fast loop writes 6 literal bytes and one
	// 258-byte match, rounded up to whole copies.
	outSlack = 6 + 258 + 64

	fastIn = 24 // input bytes that must remain to enter the fast loop
)

// ErrCorrupt says that the data is no DEFLATE stream.
var ErrCorrupt = errors.New("invalid deflate data")

// decoder inflates one raw DEFLATE stream at a time from a reader that it buffers.
type decoder struct {
	abc *alphabets

	lit  [litSize]uint32
	dist [distSize]uint32

	bb uint64 // bit buffer; bits at and above bc are zero outside the fast loop
	bc uint64

	r    io.Reader
	in   []byte
	ip   int // next byte
	iend int // end of real input
	rerr error

	out  []byte
	op   int // write position
	olim int // stop decoding a chunk here
	hist int // lowest valid history position

	state  int
	final  bool
	stored int
	lens   [320]uint8
}

// Where the decoder is in its stream.
const (
	stHeader = iota
	stHuff
	stStored
	stDone
)

// newDecoder returns a decoder that hands out chunks of about chunk bytes.
func newDecoder(r io.Reader, chunk int) *decoder {
	return &decoder{
		abc:  tables(),
		r:    r,
		in:   make([]byte, inSize+inSlack),
		out:  make([]byte, window+chunk+outSlack),
		olim: window + chunk,
		op:   window,
		hist: window,
	}
}

// start begins a new stream at the current input position.
func (d *decoder) start() {
	d.op, d.hist = window, window
	d.state, d.final = stHeader, false
}

// fill moves the rest to the front and reads more. It reports whether bytes were added.
func (d *decoder) fill() bool {
	if d.rerr != nil {
		return false
	}
	d.giveBack() // bytes in the bit buffer must survive the move
	if d.ip > 0 {
		copy(d.in, d.in[d.ip:d.iend])
		d.iend -= d.ip
		d.ip = 0
	}
	if d.iend == inSize {
		return false
	}
	for i := 0; i < 100; i++ {
		n, err := d.r.Read(d.in[d.iend:inSize])
		d.iend += n
		if err != nil {
			d.rerr = err
		}
		if n > 0 || err != nil {
			return n > 0
		}
	}
	d.rerr = io.ErrNoProgress
	return false
}

// ensure tries to have n bytes of input at hand.
func (d *decoder) ensure(n int) {
	for d.iend-d.ip < n && d.fill() {
	}
}

// eof is the error of an input that ended, or failed, inside a stream.
func (d *decoder) eof() error {
	if d.rerr == nil || d.rerr == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return d.rerr
}

// top loads as many whole bytes into the bit buffer as fit and exist.
func (d *decoder) top() {
	for d.bc <= 56 && d.ip < d.iend {
		d.bb |= uint64(d.in[d.ip]) << d.bc
		d.ip++
		d.bc += 8
	}
}

// bits takes n bits, n <= 16, and reports whether there were so many.
func (d *decoder) bits(n uint64) (uint64, bool) {
	if d.bc < n {
		d.top()
		if d.bc < n {
			return 0, false
		}
	}
	v := d.bb & (1<<n - 1)
	d.bb >>= n
	d.bc -= n
	return v, true
}

// align drops bits to the next byte boundary and returns whole bytes to the input.
func (d *decoder) align() {
	d.ip -= int(d.bc >> 3)
	d.bb, d.bc = 0, 0
}

// next decodes the next chunk; the slice is valid until the next call.
// err is io.EOF (with or without data) once the final block is complete.
func (d *decoder) next() ([]byte, error) {
	if d.op > window { // slide the window down
		keep := d.op - window
		if d.hist > keep {
			keep = d.hist
		}
		n := d.op - keep
		copy(d.out[window-n:window], d.out[keep:d.op])
		d.hist = window - n
		d.op = window
	}
	for {
		var err error
		switch d.state {
		case stHeader:
			if d.final {
				d.state = stDone
				continue
			}
			err = d.header()
		case stHuff:
			err = d.huff()
		case stStored:
			err = d.copyStored()
		case stDone:
			return d.out[window:d.op], io.EOF
		}
		if err != nil {
			return d.out[window:d.op], err
		}
		if d.op >= d.olim {
			return d.out[window:d.op], nil
		}
	}
}

// copyStored copies what is left of a stored block, or what fits in the chunk.
func (d *decoder) copyStored() error {
	for d.stored > 0 && d.op < d.olim {
		if d.ip == d.iend && !d.fill() {
			return d.eof()
		}
		n := copy(d.out[d.op:min(d.olim, d.op+d.stored)], d.in[d.ip:d.iend])
		d.op += n
		d.ip += n
		d.stored -= n
	}
	if d.stored == 0 {
		d.state = stHeader
	}
	return nil
}

// header reads the header of a block.
func (d *decoder) header() error {
	d.ensure(1024) // more than the longest block header
	h, ok := d.bits(3)
	if !ok {
		return d.eof()
	}
	d.final = h&1 != 0
	switch h >> 1 {
	case 0:
		d.align()
		if d.iend-d.ip < 4 {
			return d.eof()
		}
		b := d.in[d.ip:]
		n := uint16(b[0]) | uint16(b[1])<<8
		if n != ^(uint16(b[2]) | uint16(b[3])<<8) {
			return ErrCorrupt
		}
		d.ip += 4
		d.stored = int(n)
		d.state = stStored
	case 1:
		d.lit, d.dist = d.abc.fixedLit, d.abc.fixedDist
		lens := fixedLens()
		copy(d.lens[:], lens[:])
		d.state = stHuff
	case 2:
		if err := d.dynamic(); err != nil {
			return err
		}
		d.state = stHuff
	default:
		return ErrCorrupt
	}
	return nil
}

// dynamic reads the codes of a block that brings its own.
func (d *decoder) dynamic() error {
	v, ok := d.bits(14)
	if !ok {
		return d.eof()
	}
	nlit, ndist, ncl := int(v&31)+257, int(v>>5&31)+1, int(v>>10)+4
	if nlit > 286 || ndist > 30 {
		return ErrCorrupt
	}
	// The order in which lengths of the code length code are sent.
	order := [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
	var cl [19]uint8
	for i := 0; i < ncl; i++ {
		v, ok := d.bits(3)
		if !ok {
			return d.eof()
		}
		cl[order[i]] = uint8(v)
	}
	var t [1 << clBits]uint32
	if !build(t[:], clBits, cl[:], &d.abc.codeLen) || t[clMask] == entryBad { // as zlib: must be complete
		return ErrCorrupt
	}
	total := nlit + ndist
	for i := 0; i < total; {
		if d.bc < 14 {
			d.top()
		}
		e := t[d.bb&clMask]
		if e == entryBad {
			if d.bc < clBits {
				return d.eof()
			}
			return ErrCorrupt
		}
		n := uint64(e & 0xff)
		if n > d.bc {
			return d.eof()
		}
		d.bb >>= n
		d.bc -= n
		s := e >> 16
		if s < 16 {
			d.lens[i] = uint8(s)
			i++
			continue
		}
		var rep int
		var val uint8
		var x uint64
		switch s {
		case 16:
			if i == 0 {
				return ErrCorrupt
			}
			val = d.lens[i-1]
			x, ok = d.bits(2)
			rep = 3 + int(x)
		case 17:
			x, ok = d.bits(3)
			rep = 3 + int(x)
		default:
			x, ok = d.bits(7)
			rep = 11 + int(x)
		}
		if !ok {
			return d.eof()
		}
		if i+rep > total {
			return ErrCorrupt
		}
		for ; rep > 0; rep-- {
			d.lens[i] = val
			i++
		}
	}
	if d.lens[256] == 0 {
		return ErrCorrupt
	}
	if !build(d.dist[:], distBits, d.lens[nlit:total], &d.abc.dist) {
		return ErrCorrupt
	}
	if !build(d.lit[:], litBits, d.lens[:nlit], &d.abc.lit) {
		return ErrCorrupt
	}
	pairLiterals(&d.lit)
	return nil
}

// huff decodes symbols until the block ends, the chunk is full or input fails.
func (d *decoder) huff() error {
	for d.op < d.olim {
		if d.iend-d.ip < fastIn {
			d.giveBack()
			if d.fill() {
				continue
			}
			if d.iend-d.ip < fastIn {
				done, err := d.slow()
				if done || err != nil {
					return err
				}
				continue
			}
		}
		done, bad := d.fast()
		if bad {
			return ErrCorrupt
		}
		if done {
			d.state = stHeader
			return nil
		}
	}
	return nil
}

// giveBack returns whole bytes from the bit buffer to the input, keeping the bit position.
func (d *decoder) giveBack() {
	d.ip -= int(d.bc >> 3)
	d.bc &= 7
	d.bb &= 1<<d.bc - 1
}
