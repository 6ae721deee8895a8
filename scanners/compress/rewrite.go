package compress

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"expunge/scanners"
)

// holdSize is how much of a member is held back while it is not known whether all
// of it stays. Beyond that it is packed anew on the way, in vain if it does.
const holdSize = 4 << 20

// maxPending bounds the members that were read and of which nothing is known yet.
const maxPending = 1 << 20

// SpoolError is an error of the spool, as against one of the object.
type SpoolError struct{ Err error }

func (e *SpoolError) Error() string { return "write spool: " + e.Err.Error() }
func (e *SpoolError) Unwrap() error { return e.Err }

var (
	errMembers = fmt.Errorf("more than %d members hold one record: %w", maxPending, ErrUnsupported)
	errOrder   = errors.New("a copy keeps or drops what was not read") // a programmer's error
)

// Copy is a Stream that takes down what a copy of the object is made of. All that
// Next handed out is told of in order, by Keep or Drop, with Write between them.
// Where the object is plain, what stays is named and never written. Where it is
// packed, so are members (of gzip) and frames (of zstd) that stay whole; of others
// the rest is packed anew, each by itself and about as it was: the level that the
// gzip header tells (fastest, best, else the usual one) and zstd's usual one, the
// checksum where there was one, no larger a window. A member of which nothing is
// left goes, unless it is the last one: an empty object is one empty member.
//
// A gzip header keeps time, flags and system, and name, comment and extra fields
// where they hold no "@" and nothing that Drop was told of (four letters or digits
// at least, whatever stands between them). Extra fields that tell how the data is
// laid out (BGZF's, dictzip's) go.
//
// Memory: Memory, a hold of 4 MiB, and an encoder: 1 MiB for gzip, for zstd about
// four times the frame's window, of at most 8 MiB.
type Copy struct {
	codec  string
	src    *source
	plain  func() ([]byte, error)
	unpack unpacker
	buf    []byte
	read   int64 // bytes handed out
	inside bool  // of a member
	err    error

	spool   spool
	pieces  []scanners.Piece
	pos     int64    // bytes told of
	pending []member // that pos has not passed
	settled bool
	hold    []byte
	enc     packer
	from    int64   // where in the spool enc began
	live    int     // members in pieces
	first   *member // to make an empty object like, or nil
}

// member is a gzip member, a zstd frame, or what stands between them.
type member struct {
	from, to   int64 // as stored
	begin, end int64 // unpacked
	known      bool  // where it ends
	hollow     bool  // it can hold no bytes: padding, a skippable frame
	dirty      bool  // not all of it stays
	head       gzipHead
	frame      zstdHead
}

// unpacker reads one member after another.
type unpacker interface {
	open(m *member) error       // begins the next member; io.EOF: there is none
	Read(p []byte) (int, error) // io.EOF: the member ends, and its checksum matched
	offset() int64              // bytes of the object that were consumed
	pack(m *member, w io.Writer) (packer, error)
	close()
}

// packer packs one member.
type packer interface {
	io.Writer
	Close() error
	count() int64 // bytes that were packed
}

// spool counts what is appended to the spool.
type spool struct {
	w io.Writer
	n int64
}

func (s *spool) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	s.n += int64(n)
	if err != nil {
		err = &SpoolError{err}
	}
	return n, err
}

// OpenCopy looks at the first bytes of r and returns a Copy, and the codec as Open
// does. What is new is appended to w.
func OpenCopy(r io.Reader, w io.Writer) (*Copy, string, error) {
	src := &source{r: r}
	in := &counted{r: src}
	br := bufio.NewReaderSize(in, 64<<10)
	head, err := br.Peek(HeadSize)
	if src.err != nil {
		return nil, "", src.fail(err)
	}
	c := &Copy{src: src, spool: spool{w: w}, codec: Detect(head)}
	switch c.codec {
	case Plain:
		c.plain = newPlain(br)
		return c, c.codec, nil
	case Gzip:
		c.unpack = newGzipMembers(in, br)
	case Zstd:
		if c.unpack, err = newZstdFrames(in, br); err != nil {
			return nil, c.codec, fmt.Errorf("open zstd: %w", err)
		}
	default:
		return nil, c.codec, fmt.Errorf("open %s: %w", c.codec, ErrUnsupported)
	}
	c.buf = make([]byte, ChunkSize)
	return c, c.codec, nil
}

// counted counts what was read.
type counted struct {
	r io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// Next returns the next chunk of the source, as a Stream's does.
func (c *Copy) Next() ([]byte, error) {
	for c.err == nil {
		b, err := c.next()
		if err != nil {
			c.err = err
			if err != io.EOF || c.src.err != nil {
				c.err = c.src.fail(err)
				if c.codec != Plain {
					c.err = fmt.Errorf("unpack %s: %w", c.codec, c.err)
				}
			}
		}
		c.read += int64(len(b))
		if len(b) > 0 {
			return b, nil
		}
	}
	return nil, c.err
}

func (c *Copy) next() ([]byte, error) {
	if c.plain != nil {
		return c.plain()
	}
	if !c.inside {
		m := member{from: c.unpack.offset(), begin: c.read}
		if err := c.unpack.open(&m); err != nil {
			return nil, err
		}
		if len(c.pending) == maxPending {
			return nil, errMembers
		}
		c.pending = append(c.pending, m)
		c.inside = true
	}
	n := 0
	for n < len(c.buf) {
		k, err := c.unpack.Read(c.buf[n:])
		n += k
		if err == io.EOF {
			m := &c.pending[len(c.pending)-1]
			m.to, m.end, m.known = c.unpack.offset(), c.read+int64(n), true
			c.inside = false
			c.join()
			break
		}
		if err != nil {
			return c.buf[:n], err
		}
	}
	return c.buf[:n], nil
}

// join makes one of the last two members if both are empty, so that not even a
// great many of them take memory.
func (c *Copy) join() {
	k := len(c.pending) - 2
	if k < 0 {
		return
	}
	a, b := &c.pending[k], &c.pending[k+1]
	if a.known && a.begin == b.end && a.hollow == b.hollow && !a.dirty && c.pos <= a.begin && k > 0 {
		a.to = b.to
		c.pending = c.pending[:k+1]
	}
}

// Settled says that all that comes stays: nothing more need be held back.
func (c *Copy) Settled() { c.settled = true }

// Keep tells that the next bytes of the source, which are b, stay.
func (c *Copy) Keep(b []byte) error {
	if c.plain != nil {
		c.stays(c.pos, int64(len(b)))
		c.pos += int64(len(b))
		return nil
	}
	for len(b) > 0 {
		m, n, err := c.at(int64(len(b)))
		if err != nil {
			return err
		}
		if err := c.keep(m, b[:n]); err != nil {
			return err
		}
		c.pos += n
		b = b[n:]
	}
	return nil
}

func (c *Copy) keep(m *member, b []byte) error {
	if !m.dirty {
		if c.settled {
			return nil
		}
		if c.enc == nil && len(c.hold)+len(b) <= holdSize {
			c.hold = append(c.hold, b...)
			return nil
		}
		if err := c.begin(m); err != nil {
			return err
		}
	}
	_, err := c.enc.Write(b)
	return err
}

// begin begins to pack m anew, from what is held back on.
func (c *Copy) begin(m *member) error {
	if c.enc != nil {
		return nil
	}
	var err error
	c.from = c.spool.n
	if c.enc, err = c.unpack.pack(m, &c.spool); err != nil {
		return err
	}
	if len(c.hold) > 0 {
		_, err = c.enc.Write(c.hold)
		c.hold = c.hold[:0]
	}
	return err
}

// Drop tells that the next n bytes of the source go, which are (a part of) a
// record with these leaves.
func (c *Copy) Drop(n int64, leaves []scanners.Leaf) error {
	if c.plain != nil {
		c.pos += n
		return nil
	}
	for n > 0 {
		m, k, err := c.at(n)
		if err != nil {
			return err
		}
		m.dirty = true
		m.head.forget(leaves)
		if err := c.begin(m); err != nil {
			return err
		}
		c.pos += k
		n -= k
	}
	return nil
}

// Write puts b where the copy has got to. What takes the place of something is
// written after that was dropped.
func (c *Copy) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if c.plain != nil {
		from := c.spool.n
		n, err := c.spool.Write(b)
		c.spooled(from)
		return n, err
	}
	if len(c.pending) == 0 {
		return 0, errOrder
	}
	m := &c.pending[0]
	m.dirty = true
	if err := c.begin(m); err != nil {
		return 0, err
	}
	return c.enc.Write(b)
}

// at returns the member at the place that the copy has got to, and how many of the
// next n bytes are in it.
func (c *Copy) at(n int64) (*member, int64, error) {
	for {
		if len(c.pending) == 0 {
			return nil, 0, errOrder
		}
		m := &c.pending[0]
		if !m.known {
			if c.pos+n > c.read {
				return nil, 0, errOrder
			}
			return m, n, nil
		}
		if c.pos < m.end {
			return m, min(n, m.end-c.pos), nil
		}
		if err := c.finish(m); err != nil {
			return nil, 0, err
		}
	}
}

// finish writes down what became of the first member, and forgets it.
func (c *Copy) finish(m *member) error {
	if !m.hollow {
		c.note(m)
	}
	switch {
	case m.dirty:
		if c.enc.count() > 0 {
			if err := c.seal(m); err != nil {
				return err
			}
		}
	case m.hollow && c.live == 0 && c.codec == Gzip: // padding, before which there must be a member
		if err := c.empty(); err != nil {
			return err
		}
		c.stays(m.from, m.to-m.from)
	default:
		c.stays(m.from, m.to-m.from)
		if !m.hollow {
			c.live++
		}
	}
	c.enc, c.hold = nil, c.hold[:0]
	c.pending = c.pending[1:]
	return nil
}

// note remembers what an empty object would be made like.
func (c *Copy) note(m *member) {
	if c.first == nil {
		first := *m
		c.first = &first
		return
	}
	c.first.head.strip() // it stands for several, whose records its name was not compared with
}

// seal ends the member that was packed anew.
func (c *Copy) seal(m *member) error {
	if err := c.enc.Close(); err != nil {
		return err
	}
	end := c.spool.n
	if c.codec == Gzip { // what its header may tell is known only now
		if _, err := c.spool.Write(m.head.append(nil)); err != nil {
			return err
		}
		c.spooled(end)
	}
	c.pieces = piece(c.pieces, scanners.Piece{Spool: true, Off: c.from, Len: end - c.from})
	c.live++
	return nil
}

// empty writes an empty member.
func (c *Copy) empty() error {
	c.enc, c.hold = nil, c.hold[:0]
	if err := c.begin(c.first); err != nil {
		return err
	}
	return c.seal(c.first)
}

// Finish returns the copy, after Next returned io.EOF and all was told of.
func (c *Copy) Finish() ([]scanners.Piece, error) {
	if c.err != io.EOF || c.pos != c.read {
		return nil, errOrder
	}
	for len(c.pending) > 0 {
		if err := c.finish(&c.pending[0]); err != nil {
			return nil, err
		}
	}
	if c.live == 0 && c.first != nil {
		if err := c.empty(); err != nil {
			return nil, err
		}
	}
	return c.pieces, nil
}

// stays names bytes of the source.
func (c *Copy) stays(off, n int64) {
	c.pieces = piece(c.pieces, scanners.Piece{Off: off, Len: n})
}

// spooled names what was written to the spool from this place on.
func (c *Copy) spooled(from int64) {
	c.pieces = piece(c.pieces, scanners.Piece{Spool: true, Off: from, Len: c.spool.n - from})
}

// piece appends p, to the last piece if it goes on there.
func piece(all []scanners.Piece, p scanners.Piece) []scanners.Piece {
	if p.Len == 0 {
		return all
	}
	if k := len(all) - 1; k >= 0 && all[k].Spool == p.Spool && all[k].Off+all[k].Len == p.Off {
		all[k].Len += p.Len
		return all
	}
	return append(all, p)
}

// Close frees what the copy holds. It does not close the source.
func (c *Copy) Close() error {
	if c.unpack != nil {
		c.unpack.close()
	}
	if c.err == nil {
		c.err = errors.New("copy is closed")
	}
	return nil
}
