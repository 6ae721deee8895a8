// Package lines cuts a stream in blocks of whole lines, for scanners of formats
// whose records are lines. It copies only the lines that a chunk's end cuts (and
// chunks that are too small to be searched well), and it knows no format: what a
// line means, and whether "\r" belongs to its end, is the caller's.
//
// Memory: one carried line (at most MaxLine) and what the stream itself holds.
package lines

import (
	"bytes"
	"errors"
	"io"
)

const (
	// BlockSize is about how many bytes a block has at most, unless a single line
	// is longer.
	BlockSize = 1 << 20
	// MaxLine bounds a single line, its end included.
	MaxLine = 64 << 20

	// Large is what a Reader or a Window holds without asking.
	Large = 4 << 20

	small  = 32 << 10  // chunks below this are gathered
	gather = 256 << 10 // until there are so many bytes
)

// ErrTooLong says that a line is longer than MaxLine.
var ErrTooLong = errors.New("line is longer than 64 MiB")

// Chunks is a stream of bytes in pieces that are valid until the next call, as a
// compress.Stream is. io.EOF alone ends it.
type Chunks interface {
	Next() ([]byte, error)
}

// Block is a run of whole lines. Only the last line of a stream may lack its "\n".
type Block struct {
	Data []byte // valid until the next call of Next; never empty
	Off  int64  // of its first byte in the decompressed object
}

// Reader yields blocks. It is not safe for concurrent use.
type Reader struct {
	Large func() error // see scanners.Input

	src  Chunks
	off  int64  // of the next block
	rest []byte // of the chunk at hand, not yet yielded
	buf  []byte // carried bytes
	tail int    // buf[:tail] was yielded by the last call
	last int    // end of the last whole line in buf
	max  int
	err  error // of the stream, once it ended
}

// New returns a reader of src, whose first byte lies at off in the object and
// begins a line.
func New(src Chunks, off int64) *Reader { return &Reader{src: src, off: off, max: MaxLine} }

// Next returns the next block, io.EOF after the last one, ErrTooLong if a line is
// beyond the bound, or the stream's error. After an error that is not io.EOF the
// line that was cut by it has not been yielded.
func (r *Reader) Next() (Block, error) {
	if r.tail > 0 {
		r.buf = append(r.buf[:0], r.buf[r.tail:]...)
		r.tail, r.last = 0, 0
	}
	for {
		if len(r.rest) == 0 {
			if r.err != nil {
				return r.end()
			}
			r.rest, r.err = r.src.Next()
			continue
		}
		if len(r.buf) == 0 && len(r.rest) >= small {
			n := cut(r.rest)
			if n > BlockSize && n > r.max { // then it is one line
				return r.fail()
			}
			if n > 0 {
				b := r.rest[:n]
				r.rest = r.rest[n:]
				return r.yield(b), nil
			}
		}
		if len(r.rest) < small {
			// A small chunk, or the cut end of one: gather.
			if i := bytes.IndexByte(r.rest, '\n'); i >= 0 && len(r.buf)+i+1-r.last > r.max {
				return r.fail()
			}
			if i := bytes.LastIndexByte(r.rest, '\n'); i >= 0 {
				r.last = len(r.buf) + i + 1
			}
			r.buf = append(r.buf, r.rest...)
			r.rest = nil
			if len(r.buf) >= gather && r.last > 0 {
				return r.carried(), nil
			}
		} else if i := bytes.IndexByte(r.rest, '\n'); i >= 0 {
			// The end of the carried line, then the chunk without a copy.
			r.buf = append(r.buf, r.rest[:i+1]...)
			r.rest = r.rest[i+1:]
			long := len(r.buf)-r.last > r.max
			r.last = len(r.buf)
			if long {
				return r.fail()
			}
			return r.carried(), nil
		} else {
			r.buf = append(r.buf, r.rest...)
			r.rest = nil
		}
		if len(r.buf)-r.last > r.max {
			return r.fail()
		}
		if len(r.buf) > Large && r.Large != nil {
			if err := r.Large(); err != nil {
				r.err, r.rest, r.buf, r.last = err, nil, nil, 0
				return Block{}, err
			}
			r.Large = nil
		}
	}
}

// fail ends the stream at a line that is too long.
func (r *Reader) fail() (Block, error) {
	r.err, r.rest, r.buf, r.last = ErrTooLong, nil, nil, 0
	return Block{}, ErrTooLong
}

// cut returns where a block of b may end: after the last line end of the first
// BlockSize bytes, else after the first one there is, else 0.
func cut(b []byte) int {
	if i := bytes.LastIndexByte(b[:min(len(b), BlockSize)], '\n'); i >= 0 {
		return i + 1
	}
	return bytes.IndexByte(b, '\n') + 1
}

// carried yields the whole lines of the carried bytes.
func (r *Reader) carried() Block {
	r.tail = r.last
	return r.yield(r.buf[:r.tail])
}

func (r *Reader) yield(b []byte) Block {
	block := Block{Data: b, Off: r.off}
	r.off += int64(len(b))
	return block
}

// end yields what is carried, then the stream's error.
func (r *Reader) end() (Block, error) {
	switch {
	case r.err == io.EOF && len(r.buf) > 0:
		r.last = len(r.buf)
		return r.carried(), nil
	case r.last > 0: // whole lines before the error
		return r.carried(), nil
	}
	return Block{}, r.err
}

// plain reads a reader in large chunks.
type plain struct {
	src io.Reader
	buf []byte
	err error
}

// Plain makes chunks of a reader of bytes that are not compressed.
func Plain(src io.Reader) Chunks { return &plain{src: src} }

func (p *plain) Next() ([]byte, error) {
	if p.buf == nil && p.err == nil {
		p.buf = make([]byte, BlockSize)
	}
	n, empty := 0, 0
	for n < len(p.buf) && p.err == nil {
		var m int
		m, p.err = p.src.Read(p.buf[n:])
		n += m
		if m > 0 {
			empty = 0
		} else if empty++; empty > 100 && p.err == nil {
			p.err = io.ErrNoProgress
		}
	}
	if n == 0 {
		return nil, p.err
	}
	return p.buf[:n], nil
}
