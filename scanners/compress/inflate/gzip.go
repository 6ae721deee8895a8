package inflate

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"time"
)

// ChunkSize is about how many bytes Next hands out. A Reader holds on to about
// half a MiB.
const ChunkSize = 256 << 10

// maxText bounds a member's name and its comment; extra fields cannot be longer.
const maxText = 64 << 10

// Errors of gzip's frame around the deflate data.
var (
	ErrHeader   = errors.New("invalid gzip header")
	ErrTrailing = errors.New("garbage after the last gzip member")
	ErrChecksum = errors.New("gzip checksum or length does not match")
)

// Header is what a gzip member says of itself. Name and comment can hold what
// identifies a person ("jane-doe-export.csv"); bytes are as in the object.
type Header struct {
	Name, Comment []byte
	Extra         []byte    // fields of others' making
	Modified      time.Time // zero if it does not say
}

// Reader reads a gzip object: one or more members, then perhaps padding with
// zeros. Anything else after a member is an error, as is an end inside one.
type Reader struct {
	d      *decoder
	crc    uint32
	size   uint32
	inBody bool
	second bool // a member was read
	each   func(Header)
	err    error
}

// NewReader returns a reader of r that calls each, if it is not nil, with every
// member's header.
func NewReader(r io.Reader, each func(Header)) *Reader { return newReader(r, ChunkSize, each) }

func newReader(r io.Reader, chunk int, each func(Header)) *Reader {
	return &Reader{d: newDecoder(r, chunk), each: each}
}

// Next returns the next chunk of output, never an empty one, valid until the next
// call. io.EOF comes alone and only after every checksum matched; an object of no
// bytes is one of no members. After an error Next keeps returning it.
func (z *Reader) Next() ([]byte, error) {
	for z.err == nil {
		if !z.inBody {
			if z.err = z.header(); z.err != nil {
				break
			}
			z.inBody, z.second = true, true
			z.crc, z.size = 0, 0
			z.d.start()
		}
		b, err := z.d.next()
		z.crc = crc32.Update(z.crc, crc32.IEEETable, b)
		z.size += uint32(len(b))
		if err == io.EOF {
			z.inBody = false
			err = z.trailer()
		}
		z.err = err // comes with the next call if there are bytes now
		if len(b) > 0 {
			return b, nil
		}
	}
	return nil, z.err
}

// trailer checks the sums at the end of a member.
func (z *Reader) trailer() error {
	d := z.d
	d.align()
	d.ensure(8)
	if d.iend-d.ip < 8 {
		return d.eof()
	}
	b := d.in[d.ip : d.ip+8]
	d.ip += 8
	if binary.LittleEndian.Uint32(b) != z.crc || binary.LittleEndian.Uint32(b[4:]) != z.size {
		return ErrChecksum
	}
	return nil
}

// Flags of a gzip header.
const (
	flagHeaderCRC = 1 << 1
	flagExtra     = 1 << 2
	flagName      = 1 << 3
	flagComment   = 1 << 4
	flagReserved  = 0xe0
)

// header reads a member's header. It returns io.EOF where no member begins.
func (z *Reader) header() error {
	d := z.d
	d.ensure(10)
	b := d.in[d.ip:d.iend]
	if len(b) == 0 {
		if d.rerr != nil {
			return d.rerr // io.EOF, or what the source failed with
		}
		return io.ErrNoProgress
	}
	if z.second && b[0] == 0 {
		return z.padding()
	}
	// A wrong byte says more than a missing one.
	for i, want := range []byte{0x1f, 0x8b, 8} {
		if i < len(b) && b[i] != want {
			if z.second && i < 2 {
				return ErrTrailing
			}
			return ErrHeader
		}
	}
	if len(b) < 10 {
		return d.eof()
	}
	flags := b[3]
	if flags&flagReserved != 0 {
		return ErrHeader
	}
	var h Header
	if t := binary.LittleEndian.Uint32(b[4:]); t != 0 {
		h.Modified = time.Unix(int64(t), 0).UTC()
	}
	f := fields{d: d, crc: crc32.ChecksumIEEE(b[:10])}
	d.ip += 10
	if flags&flagExtra != 0 {
		for n := f.uint16(); n > 0 && f.err == nil; n-- {
			h.Extra = append(h.Extra, f.byte())
		}
	}
	if flags&flagName != 0 {
		h.Name = f.text()
	}
	if flags&flagComment != 0 {
		h.Comment = f.text()
	}
	if flags&flagHeaderCRC != 0 {
		if want := uint16(f.crc); f.uint16() != want && f.err == nil {
			return ErrHeader
		}
	}
	if f.err == nil && z.each != nil {
		z.each(h)
	}
	return f.err
}

// padding reads zeros up to the end of the object.
func (z *Reader) padding() error {
	d := z.d
	for {
		for _, c := range d.in[d.ip:d.iend] {
			if c != 0 {
				return ErrTrailing
			}
		}
		d.ip = d.iend
		if !d.fill() {
			return d.rerr
		}
	}
}

// fields reads the optional parts of a header, up to its first error.
type fields struct {
	d   *decoder
	crc uint32
	err error
}

func (f *fields) byte() byte {
	if f.err != nil {
		return 0
	}
	f.d.ensure(1)
	if f.d.ip == f.d.iend {
		f.err = f.d.eof()
		return 0
	}
	c := f.d.in[f.d.ip : f.d.ip+1]
	f.d.ip++
	f.crc = crc32.Update(f.crc, crc32.IEEETable, c)
	return c[0]
}

func (f *fields) uint16() uint16 {
	lo := f.byte()
	return uint16(lo) | uint16(f.byte())<<8
}

// text reads bytes up to a NUL.
func (f *fields) text() []byte {
	var text []byte
	for {
		c := f.byte()
		if c == 0 || f.err != nil {
			return text
		}
		if len(text) == maxText {
			f.err = ErrHeader
			return nil
		}
		text = append(text, c)
	}
}
