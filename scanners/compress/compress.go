// Package compress reads objects whatever they are packed in. What packs an
// object is told from its first bytes, never from its name: lakes are full of
// plain ".gz" files and of packed ".json" files.
//
// Chunks are handed out before the checksum that covers them was seen. What is
// found in them is provisional until Next has returned io.EOF.
package compress

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"expunge/scanners"
)

// ChunkSize is about the number of bytes that Next hands out at a time.
const ChunkSize = 256 << 10

// Memory is about what one Stream holds on to: buffers, and for zstd the window
// that the frame asks for, at most MaxWindow.
const (
	MaxWindow = 128 << 20 // what `zstd --long` needs; frames that ask for more are refused
	Memory    = 1 << 20   // without a zstd window
)

// Errors of streams. One that ends early is io.ErrUnexpectedEOF, one that the
// source could not deliver a *ReadError.
var (
	ErrCorrupt     = errors.New("compressed data is corrupt")
	ErrUnsupported = errors.New("compression is not supported")
)

// ReadError is an error of the source, as against one of its content.
type ReadError struct{ Err error }

func (e *ReadError) Error() string { return "read object: " + e.Err.Error() }
func (e *ReadError) Unwrap() error { return e.Err }

// Stream hands out the bytes of an object as they were before it was packed.
type Stream interface {
	// Next returns the next chunk, never an empty one, valid until the next call.
	// io.EOF comes alone, and only after every checksum matched. After an error
	// Next keeps returning it.
	Next() ([]byte, error)
	io.Closer // frees buffers; it does not close the source
}

// Codecs that Open reads. Plain is the name of none.
const (
	Plain = ""
	Gzip  = "gzip"
	Zstd  = "zstd"
)

// Open looks at the first bytes of r and returns a Stream and the name of its
// codec: "gzip", "zstd" or "" for a plain object. What is packed in another way
// that is known by its first bytes is refused with ErrUnsupported and its name.
func Open(r io.Reader) (Stream, string, error) {
	src := &source{r: r}
	head := make([]byte, HeadSize)
	n, err := io.ReadFull(src, head)
	if src.err != nil {
		return nil, "", src.fail(err)
	}
	src.unread = head[:n]
	codec := Detect(head[:n])
	var next func() ([]byte, error)
	var closer func()
	said := &notes{}
	switch codec {
	case Plain:
		next = newPlain(src)
	case Gzip:
		next = newGzip(src, said)
	case Zstd:
		next, closer, err = newZstd(src)
		if err != nil {
			return nil, codec, fmt.Errorf("open zstd: %w", err)
		}
	default:
		return nil, codec, fmt.Errorf("open %s: %w", codec, ErrUnsupported)
	}
	return &stream{codec: codec, src: src, next: next, close: closer, notes: said}, codec, nil
}

// OpenPlain returns a Stream of bytes that are known not to be packed: a part of a
// plain object, which may begin like anything.
func OpenPlain(r io.Reader) Stream {
	src := &source{r: r}
	return &stream{src: src, next: newPlain(src)}
}

// HeadSize is how much of an object Detect needs to see.
const HeadSize = 16

// Detect names the codec of an object that begins with head: "" for a plain one.
// An object of one to three bytes that are the beginning of a codec's magic, and
// of no text, is taken for a truncated one of that codec.
func Detect(head []byte) string {
	if len(head) == 0 {
		return Plain
	}
	begins := func(magic string) bool { return bytes.HasPrefix(head, []byte(magic)) }
	switch {
	case begins("\x1f\x8b"), len(head) == 1 && head[0] == 0x1f:
		return Gzip
	case begins("\x28\xb5\x2f\xfd"), len(head) < 4 && begins("\x28\xb5"):
		return Zstd
	case len(head) >= 4 && head[0]&0xf0 == 0x50 && string(head[1:4]) == "\x2a\x4d\x18":
		return Zstd // a skippable frame; lz4 has them, too, but hardly ever begins with one
	case begins("BZh") && len(head) >= 10 && head[3] >= '1' && head[3] <= '9' &&
		(string(head[4:10]) == "1AY&SY" || string(head[4:10]) == "\x17rE8P\x90"):
		return "bzip2"
	case begins("\xfd7zXZ\x00"):
		return "xz"
	case begins("PK\x03\x04"), begins("PK\x05\x06"), begins("PK\x07\x08"):
		return "zip"
	case begins("\x04\x22\x4d\x18"), begins("\x02\x21\x4c\x18"):
		return "lz4"
	case begins("\xff\x06\x00\x00sNaPpY"):
		return "snappy"
	case begins("7z\xbc\xaf\x27\x1c"):
		return "7z"
	case begins("Rar!\x1a\x07"):
		return "rar"
	case begins("LZIP\x01"):
		return "lzip"
	case begins("\x1f\x9d"), begins("\x1f\xa0"):
		return "compress" // of Unix
	}
	return Plain
}

// Exactly returns a reader of r that fails with io.ErrUnexpectedEOF if r ends
// before n bytes, and with another error if it does not end there. Reading a
// listed object through it keeps a short body from passing for a short object.
func Exactly(r io.Reader, n int64) io.Reader { return &exact{r: r, left: n} }

type exact struct {
	r    io.Reader
	left int64
}

var (
	errShorter = errors.New("object is shorter than listed")
	errLonger  = errors.New("object is longer than listed")
)

func (e *exact) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	e.left -= int64(n)
	switch {
	case e.left < 0:
		return 0, errLonger
	case err == io.EOF && e.left > 0:
		return n, fmt.Errorf("%w by %d bytes: %w", errShorter, e.left, io.ErrUnexpectedEOF)
	}
	return n, err
}

// Refuse makes the refusal of the named object of an error of Open or Next. An
// error of ctx is returned as it is.
func Refuse(ctx context.Context, name string, err error) error {
	if err == nil || err == io.EOF {
		return nil
	}
	if cause := ctx.Err(); cause != nil {
		return cause
	}
	code := scanners.Corrupt
	switch read := (*ReadError)(nil); {
	case errors.Is(err, errShorter):
		code = scanners.Truncated
	case errors.As(err, &read):
		code = scanners.Unreadable // an io.ErrUnexpectedEOF, too: the body broke off, the object may be whole
	case errors.Is(err, io.ErrUnexpectedEOF):
		code = scanners.Truncated
	case errors.Is(err, ErrUnsupported):
		code = scanners.Unsupported
	}
	return scanners.Refuse(code, name, err)
}

// source reads the object. It remembers an error of its own, so that no decoder
// can hide one or dress it as bad content.
type source struct {
	r      io.Reader
	unread []byte // looked at, not yet consumed
	err    error
}

func (s *source) Read(p []byte) (int, error) {
	if len(s.unread) > 0 {
		n := copy(p, s.unread)
		s.unread = s.unread[n:]
		return n, nil
	}
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// fail is the error to report where a decoder returned err.
func (s *source) fail(err error) error {
	if s.err != nil {
		return &ReadError{s.err}
	}
	return err
}

// stream is what all codecs have in common.
type stream struct {
	codec string
	src   *source
	next  func() ([]byte, error)
	close func()
	notes *notes
	err   error
}

func (s *stream) Next() ([]byte, error) {
	for s.err == nil {
		b, err := s.next()
		if err != nil {
			s.err = err
			if err != io.EOF || s.src.err != nil {
				s.err = s.src.fail(err)
				if s.codec != Plain {
					s.err = fmt.Errorf("unpack %s: %w", s.codec, s.err)
				}
			}
		}
		if len(b) > 0 {
			return b, nil
		}
	}
	return nil, s.err
}

func (s *stream) Close() error {
	if s.close != nil {
		s.close()
	}
	s.close, s.next = nil, nil
	if s.err == nil {
		s.err = errors.New("stream is closed")
	}
	return nil
}

// firstChunk is what newPlain begins with: many objects of a lake are small, and a
// full chunk for each of millions would keep the garbage collector busy.
const firstChunk = 4 << 10

// newPlain hands out the source as it is.
func newPlain(src io.Reader) func() ([]byte, error) {
	buf := make([]byte, firstChunk)
	return func() ([]byte, error) {
		// Full chunks: scanners search faster in few large blocks than in many small ones.
		for n := 0; ; {
			m, err := io.ReadFull(src, buf[n:])
			n += m
			if err == io.ErrUnexpectedEOF {
				err = io.EOF // io.ReadFull's word for a last chunk that is not full; a source's own stays in src
			}
			if err != nil || len(buf) == ChunkSize {
				return buf[:n], err
			}
			grown := min(8*len(buf), ChunkSize)
			buf = append(make([]byte, 0, grown), buf...)[:grown]
		}
	}
}
