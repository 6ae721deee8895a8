package compress

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/flate"

	"expunge/scanners"
)

// Flags of a gzip header (RFC 1952).
const (
	gzipCRC     = 1 << 1
	gzipExtra   = 1 << 2
	gzipName    = 1 << 3
	gzipComment = 1 << 4
)

const maxGzipText = 64 << 10 // of a name or a comment, as package inflate has it

// gzipHead is a member's header.
type gzipHead struct {
	fixed                [10]byte
	extra, name, comment []byte // without length or NUL
}

// append appends the header's bytes.
func (h *gzipHead) append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, h.fixed[:]...)
	if h.fixed[3]&gzipExtra != 0 {
		dst = binary.LittleEndian.AppendUint16(dst, uint16(len(h.extra)))
		dst = append(dst, h.extra...)
	}
	if h.fixed[3]&gzipName != 0 {
		dst = append(append(dst, h.name...), 0)
	}
	if h.fixed[3]&gzipComment != 0 {
		dst = append(append(dst, h.comment...), 0)
	}
	if h.fixed[3]&gzipCRC != 0 {
		dst = binary.LittleEndian.AppendUint16(dst, uint16(crc32.ChecksumIEEE(dst[start:])))
	}
	return dst
}

func (h *gzipHead) drop(flag byte, field *[]byte) {
	h.fixed[3] &^= flag
	*field = nil
}

// strip drops all that could name a person.
func (h *gzipHead) strip() {
	h.drop(gzipExtra, &h.extra)
	h.drop(gzipName, &h.name)
	h.drop(gzipComment, &h.comment)
}

// clean drops what cannot stand in a header of other data.
func (h *gzipHead) clean() {
	for e := h.extra; len(e) >= 4; {
		if id := string(e[:2]); id == "BC" || id == "RA" {
			h.drop(gzipExtra, &h.extra)
			break
		}
		e = e[min(4+int(binary.LittleEndian.Uint16(e[2:])), len(e)):]
	}
	for flag, field := range map[byte]*[]byte{gzipExtra: &h.extra, gzipName: &h.name, gzipComment: &h.comment} {
		if bytes.IndexByte(*field, '@') >= 0 {
			h.drop(flag, field)
		}
	}
}

// forget drops the fields that hold one of these leaves.
func (h *gzipHead) forget(leaves []scanners.Leaf) {
	if len(h.extra)+len(h.name)+len(h.comment) == 0 || len(leaves) == 0 {
		return
	}
	for flag, field := range map[byte]*[]byte{gzipExtra: &h.extra, gzipName: &h.name, gzipComment: &h.comment} {
		text := letters(*field)
		for _, l := range leaves {
			if v := l.Value; len(v) >= 4 && len(v) <= 2*maxGzipText {
				if v = letters(v); len(v) >= 4 && bytes.Contains(text, v) {
					h.drop(flag, field)
					break
				}
			}
		}
	}
}

// letters is b without all that is no letter and no digit, in lower case.
func letters(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for _, c := range b {
		switch {
		case c >= 'A' && c <= 'Z':
			out = append(out, c|0x20)
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c >= 0x80:
			out = append(out, c)
		}
	}
	return out
}

// level is the level that the member was made with, as far as its header says.
func (h *gzipHead) level() int {
	switch h.fixed[8] {
	case 2:
		return flate.BestCompression
	case 4:
		return flate.BestSpeed
	}
	return 6
}

// gzipMembers reads members one by one. It keeps to what package inflate takes for
// a gzip object.
type gzipMembers struct {
	in     *counted
	br     *bufio.Reader
	z      io.ReadCloser
	crc    uint32
	size   uint32
	second bool
	hollow bool // the member at hand is padding
	packer *gzipPacker
}

func newGzipMembers(in *counted, br *bufio.Reader) *gzipMembers { return &gzipMembers{in: in, br: br} }

func (g *gzipMembers) offset() int64 { return g.in.n - int64(g.br.Buffered()) }

func gzipError(what string) error { return fmt.Errorf("%w: %s", ErrCorrupt, what) }

func (g *gzipMembers) open(m *member) error {
	b, err := g.br.Peek(10)
	if len(b) == 0 {
		return err // io.EOF, or what the source failed with
	}
	if g.second && b[0] == 0 {
		g.hollow, m.hollow = true, true
		return nil
	}
	for i, want := range []byte{0x1f, 0x8b, 8} {
		if i < len(b) && b[i] != want {
			return gzipError("invalid gzip header, or garbage after the last member")
		}
	}
	if len(b) < 10 {
		return short(err)
	}
	h := &m.head
	copy(h.fixed[:], b)
	_, _ = g.br.Discard(10)
	if h.fixed[3]&0xe0 != 0 {
		return gzipError("invalid gzip header")
	}
	if h.fixed[3]&gzipExtra != 0 {
		var n [2]byte
		if _, err := io.ReadFull(g.br, n[:]); err != nil {
			return short(err)
		}
		h.extra = make([]byte, binary.LittleEndian.Uint16(n[:]))
		if _, err := io.ReadFull(g.br, h.extra); err != nil {
			return short(err)
		}
	}
	if h.fixed[3]&gzipName != 0 {
		if h.name, err = g.text(); err != nil {
			return err
		}
	}
	if h.fixed[3]&gzipComment != 0 {
		if h.comment, err = g.text(); err != nil {
			return err
		}
	}
	if h.fixed[3]&gzipCRC != 0 {
		var n [2]byte
		if _, err := io.ReadFull(g.br, n[:]); err != nil {
			return short(err)
		}
		if all := h.append(nil); !bytes.Equal(all[len(all)-2:], n[:]) {
			return gzipError("checksum of a gzip header does not match")
		}
	}
	h.clean()
	if g.z == nil {
		g.z = flate.NewReader(g.br) // takes no more of a bufio.Reader than it needs
	} else if err := g.z.(flate.Resetter).Reset(g.br, nil); err != nil {
		return err
	}
	g.second, g.hollow, g.crc, g.size = true, false, 0, 0
	return nil
}

// short is err of a read that had to give something.
func short(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// text reads bytes up to a NUL.
func (g *gzipMembers) text() ([]byte, error) {
	var text []byte
	for {
		c, err := g.br.ReadByte()
		if err != nil {
			return nil, short(err)
		}
		if c == 0 {
			return text, nil
		}
		if len(text) == maxGzipText {
			return nil, gzipError("invalid gzip header")
		}
		text = append(text, c)
	}
}

func (g *gzipMembers) Read(p []byte) (int, error) {
	if g.hollow {
		for {
			b, err := g.br.Peek(1)
			if len(b) == 0 {
				return 0, err
			}
			b, _ = g.br.Peek(g.br.Buffered())
			for _, c := range b {
				if c != 0 {
					return 0, gzipError("garbage after the last gzip member")
				}
			}
			_, _ = g.br.Discard(len(b))
		}
	}
	n, err := g.z.Read(p)
	g.crc = crc32.Update(g.crc, crc32.IEEETable, p[:n])
	g.size += uint32(n)
	switch {
	case err == nil:
		return n, nil
	case err == io.ErrUnexpectedEOF:
		return n, err
	case err != io.EOF:
		return n, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	var sums [8]byte
	if _, err := io.ReadFull(g.br, sums[:]); err != nil {
		return n, short(err)
	}
	if binary.LittleEndian.Uint32(sums[:]) != g.crc || binary.LittleEndian.Uint32(sums[4:]) != g.size {
		return n, gzipError("gzip checksum or length does not match")
	}
	return n, io.EOF
}

func (g *gzipMembers) close() {}

// gzipPacker packs the body of a member and its sums. The header is the caller's.
type gzipPacker struct {
	out   io.Writer
	z     *flate.Writer
	level int
	crc   uint32
	n     int64
}

func (g *gzipMembers) pack(m *member, w io.Writer) (packer, error) {
	level := m.head.level()
	if g.packer == nil || g.packer.level != level {
		z, err := flate.NewWriter(w, level)
		if err != nil {
			return nil, err
		}
		g.packer = &gzipPacker{z: z, level: level}
	}
	g.packer.out, g.packer.crc, g.packer.n = w, 0, 0
	g.packer.z.Reset(w)
	return g.packer, nil
}

func (p *gzipPacker) count() int64 { return p.n }

func (p *gzipPacker) Write(b []byte) (int, error) {
	p.crc = crc32.Update(p.crc, crc32.IEEETable, b)
	p.n += int64(len(b))
	return p.z.Write(b)
}

func (p *gzipPacker) Close() error {
	if err := p.z.Close(); err != nil {
		return err
	}
	var sums [8]byte
	binary.LittleEndian.PutUint32(sums[:], p.crc)
	binary.LittleEndian.PutUint32(sums[4:], uint32(p.n))
	_, err := p.out.Write(sums[:])
	return err
}
