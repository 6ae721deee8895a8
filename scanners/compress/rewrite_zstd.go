package compress

import (
	"bufio"
	"encoding/binary"
	"io"
	"math/bits"

	"github.com/klauspost/compress/zstd"
)

// zstdHead is what a frame that is made like another needs to know of it.
type zstdHead struct {
	checksum bool
	window   int
}

const (
	minPackWindow = 1 << 10
	maxPackWindow = 8 << 20
)

// zstdFrames reads frames one by one: it goes along the blocks of a frame, to tell
// where it ends, while the decoder reads them.
type zstdFrames struct {
	in    *counted
	br    *bufio.Reader
	d     *zstd.Decoder
	frame zstdFrame

	enc  *zstd.Encoder // for frames like made
	made zstdHead
}

func newZstdFrames(in *counted, br *bufio.Reader) (*zstdFrames, error) {
	d, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(MaxWindow),
		zstd.WithDecoderMaxMemory(1<<63),
	)
	if err != nil {
		return nil, zstdError(err)
	}
	return &zstdFrames{in: in, br: br, d: d, frame: zstdFrame{br: br}}, nil
}

func (z *zstdFrames) offset() int64 { return z.in.n - int64(z.br.Buffered()) }

func (z *zstdFrames) close() {
	z.d.Close()
	if z.enc != nil {
		z.enc.Reset(nil) // it has no goroutines to end
	}
}

func (z *zstdFrames) open(m *member) error {
	b, err := z.br.Peek(zstd.HeaderMaxSize)
	if len(b) == 0 {
		return err
	}
	if len(b) < 4 {
		return short(err)
	}
	var h zstd.Header
	if err := h.Decode(b); err != nil {
		return zstdError(err)
	}
	z.frame = zstdFrame{br: z.br}
	if h.Skippable {
		m.hollow = true
		z.frame.left, z.frame.skip = int64(h.HeaderSize)+int64(h.SkippableSize), true
		return nil
	}
	window := h.WindowSize
	if h.SingleSegment {
		window = h.FrameContentSize
	}
	window = max(minPackWindow, min(window, maxPackWindow))
	m.frame = zstdHead{checksum: h.HasCheckSum, window: 1 << (bits.Len64(window) - 1)}
	z.frame.left, z.frame.checksum = int64(h.HeaderSize), h.HasCheckSum
	if err := z.d.Reset(&z.frame); err != nil {
		return zstdError(err)
	}
	return nil
}

func (z *zstdFrames) Read(p []byte) (int, error) {
	if z.frame.skip {
		_, err := io.CopyN(io.Discard, z.br, z.frame.left)
		if err != nil {
			return 0, short(err)
		}
		return 0, io.EOF
	}
	n, err := z.d.Read(p)
	if err == nil {
		return n, nil
	}
	if err == io.EOF && z.frame.stage != frameEnd {
		return n, io.ErrUnexpectedEOF
	}
	return n, zstdError(err)
}

// zstdFrame is a reader of the bytes of one frame (RFC 8878).
type zstdFrame struct {
	br       *bufio.Reader
	left     int64 // of the part at hand
	stage    frameStage
	checksum bool
	last     bool
	skip     bool
}

type frameStage uint8

const (
	frameBlocks frameStage = iota // the header, then blocks, each with its head
	frameSum
	frameEnd
)

func (f *zstdFrame) Read(p []byte) (int, error) {
	for f.left == 0 {
		if err := f.step(); err != nil {
			return 0, err
		}
	}
	if int64(len(p)) > f.left {
		p = p[:f.left]
	}
	n, err := f.br.Read(p)
	f.left -= int64(n)
	return n, err
}

// step goes to the next part of the frame.
func (f *zstdFrame) step() error {
	switch {
	case f.stage == frameBlocks && !f.last:
		b, err := f.br.Peek(3)
		if err != nil {
			return short(err)
		}
		head := binary.LittleEndian.Uint32([]byte{b[0], b[1], b[2], 0})
		f.last = head&1 != 0
		size := int64(head >> 3)
		if head>>1&3 == 1 { // a run of one byte
			size = 1
		}
		f.left = 3 + size
	case f.stage == frameBlocks && f.checksum:
		f.left, f.stage = 4, frameSum
	default:
		f.stage = frameEnd
		return io.EOF
	}
	return nil
}

// zstdPacker packs a frame. What is small is packed at once, and tells its size.
type zstdPacker struct {
	out   io.Writer
	z     *zstd.Encoder
	small []byte
	large bool
	n     int64
}

func (z *zstdFrames) pack(m *member, w io.Writer) (packer, error) {
	if z.enc == nil || z.made != m.frame {
		enc, err := zstd.NewWriter(nil,
			zstd.WithEncoderConcurrency(1),
			zstd.WithLowerEncoderMem(true),
			zstd.WithEncoderCRC(m.frame.checksum),
			zstd.WithWindowSize(m.frame.window),
			zstd.WithZeroFrames(true),
		)
		if err != nil {
			return nil, err
		}
		z.enc, z.made = enc, m.frame
	}
	return &zstdPacker{out: w, z: z.enc}, nil
}

func (p *zstdPacker) count() int64 { return p.n }

func (p *zstdPacker) Write(b []byte) (int, error) {
	p.n += int64(len(b))
	if !p.large {
		if len(p.small)+len(b) <= holdSize {
			p.small = append(p.small, b...)
			return len(b), nil
		}
		p.z.Reset(p.out)
		if _, err := p.z.Write(p.small); err != nil {
			return 0, err
		}
		p.small, p.large = nil, true
	}
	return p.z.Write(b)
}

func (p *zstdPacker) Close() error {
	if p.large {
		return p.z.Close()
	}
	_, err := p.out.Write(p.z.EncodeAll(p.small, nil))
	return err
}
