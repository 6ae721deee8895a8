package avro

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/flate"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"

	"github.com/hamba/avro/v2"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"

	"expunge/scanners"
	"expunge/scanners/lines"
	"expunge/scanners/walk"
)

const (
	schemaKey = "avro.schema"
	codecKey  = "avro.codec"
	maxHeader = 16 << 20
	maxSchema = 4 << 20
)

type pair struct {
	key   string
	value []byte
}

// file reads the frame of a container file: header and blocks.
type file struct {
	src    *source
	r      *bufio.Reader
	meta   []pair
	codec  string
	schema avro.Schema
	sync   [16]byte
	stored bytes.Buffer
	plain  bytes.Buffer
	zstd   *zstd.Decoder
	blocks int64
}

func newFile(chunks lines.Chunks) *file {
	src := &source{chunks: chunks}
	return &file{src: src, r: bufio.NewReaderSize(src, 64<<10)}
}

// end is the place behind what was read.
func (f *file) end() int64 { return f.src.off - int64(f.r.Buffered()) }

func (f *file) close() {
	if f.zstd != nil {
		f.zstd.Close()
	}
}

// source makes a reader of chunks and remembers an error that is not the end.
type source struct {
	chunks lines.Chunks
	rest   []byte
	off    int64 // behind the bytes that were handed out
	err    error
}

func (s *source) Read(p []byte) (int, error) {
	for len(s.rest) == 0 {
		b, err := s.chunks.Next()
		if err != nil {
			if err != io.EOF {
				s.err = err
			}
			return 0, err
		}
		s.rest = b
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	s.off += int64(n)
	return n, nil
}

// ended is err, or that the file ends where it must not.
func (f *file) ended(err error, where string) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fail(scanners.Truncated, "read %s: file ends inside it", where)
	}
	return err
}

// long reads a zig-zag varint. io.EOF comes only where nothing stands.
func (f *file) long() (int64, error) {
	var x uint64
	for shift := 0; shift < 64; shift += 7 {
		b, err := f.r.ReadByte()
		if err != nil {
			if err == io.EOF && shift > 0 {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
		if shift == 63 && b > 1 {
			break
		}
		x |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return int64(x>>1) ^ -int64(x&1), nil
		}
	}
	return 0, fail(scanners.Corrupt, "read a number: longer than 64 bits")
}

// header reads magic, metadata and sync marker.
func (f *file) header() error {
	var magic [4]byte
	if _, err := io.ReadFull(f.r, magic[:]); err != nil {
		return f.ended(err, "header")
	}
	if string(magic[:]) != "Obj\x01" {
		return fail(scanners.Corrupt, "read header: not an Avro object container file")
	}
	left := int64(maxHeader)
	text := func() ([]byte, error) {
		n, err := f.long()
		if err != nil {
			return nil, err
		}
		if left -= n; n < 0 || left < 0 {
			return nil, fail(scanners.TooLarge, "read header: metadata beyond 16 MiB")
		}
		var b bytes.Buffer
		_, err = io.CopyN(&b, f.r, n)
		return b.Bytes(), err
	}
	for {
		n, err := f.long()
		if err == nil && n < 0 {
			n = -n
			_, err = f.long() // the bytes of the run
		}
		if err != nil {
			return f.ended(err, "header")
		}
		if n == 0 {
			break
		}
		if left -= n; n < 0 || left < 0 {
			return fail(scanners.Corrupt, "read header: too many entries")
		}
		for range n {
			key, err := text()
			if err != nil {
				return f.ended(err, "header")
			}
			value, err := text()
			if err != nil {
				return f.ended(err, "header")
			}
			f.meta = append(f.meta, pair{string(key), value})
		}
	}
	if _, err := io.ReadFull(f.r, f.sync[:]); err != nil {
		return f.ended(err, "header")
	}
	return f.describe()
}

// describe takes schema and codec from the metadata.
func (f *file) describe() error {
	var schema []byte
	for _, kv := range f.meta {
		switch kv.key {
		case schemaKey:
			schema = kv.value
		case codecKey:
			f.codec = string(kv.value)
		}
	}
	switch f.codec {
	case "", "null", "deflate", "snappy", "zstandard", "bzip2":
	default:
		return fail(scanners.Unsupported, "read header: its codec is none of null, deflate, snappy, zstandard and bzip2")
	}
	if schema == nil {
		return fail(scanners.Corrupt, "read header: there is no schema")
	}
	// The parser descends without a bound of its own.
	var w walk.Walker
	if _, err := w.Leaves(schema, ""); len(schema) > maxSchema || errors.Is(err, walk.ErrDepth) || errors.Is(err, walk.ErrMany) {
		return fail(scanners.TooLarge, "read header: schema is beyond 4 MiB or 512 levels")
	}
	parsed, err := avro.ParseBytesWithCache(schema, "", &avro.SchemaCache{})
	if err != nil {
		// The parser's words can hold defaults, and so values.
		return fail(scanners.Unsupported, "read header: schema does not follow the Avro specification")
	}
	f.schema = parsed
	return nil
}

// block returns the next block's number of records and its bytes, valid until the
// next call. io.EOF: there is none.
func (f *file) block() (int64, []byte, error) {
	count, err := f.long()
	if err == io.EOF {
		return 0, nil, io.EOF
	}
	where := "block"
	if err != nil {
		return 0, nil, f.ended(err, where)
	}
	size, err := f.long()
	if err != nil {
		return 0, nil, f.ended(err, where)
	}
	if count < 0 || size < 0 {
		return 0, nil, fail(scanners.Corrupt, "read block %d: negative count or size", f.blocks)
	}
	if size > MaxBlock {
		return 0, nil, fail(scanners.TooLarge, "read block %d: larger than 256 MiB", f.blocks)
	}
	f.stored.Reset()
	if _, err := io.CopyN(&f.stored, f.r, size); err != nil {
		return 0, nil, f.ended(err, where)
	}
	var sync [16]byte
	if _, err := io.ReadFull(f.r, sync[:]); err != nil {
		return 0, nil, f.ended(err, where)
	}
	if sync != f.sync {
		return 0, nil, fail(scanners.Corrupt, "read block %d: sync marker is wrong", f.blocks)
	}
	data, err := f.unpack(f.stored.Bytes())
	if err != nil {
		return 0, nil, err
	}
	f.blocks++
	return count, data, nil
}

func (f *file) unpack(b []byte) ([]byte, error) {
	broken := func() error { return fail(scanners.Corrupt, "unpack block %d: %s data is corrupt", f.blocks, f.codec) }
	large := func() error { return fail(scanners.TooLarge, "unpack block %d: larger than 256 MiB", f.blocks) }
	if len(b) == 0 {
		return b, nil // an empty block, whatever packs it; records in it will be missing
	}
	switch f.codec {
	case "deflate", "bzip2":
		var r io.Reader = flate.NewReader(bytes.NewReader(b))
		if f.codec == "bzip2" {
			r = bzip2.NewReader(bytes.NewReader(b))
		}
		f.plain.Reset()
		n, err := io.Copy(&f.plain, io.LimitReader(r, MaxBlock+1))
		if err != nil {
			return nil, broken()
		}
		if n > MaxBlock {
			return nil, large()
		}
		return f.plain.Bytes(), nil
	case "snappy":
		if len(b) < 4 {
			return nil, broken()
		}
		sum := binary.BigEndian.Uint32(b[len(b)-4:])
		b = b[:len(b)-4]
		n, err := snappy.DecodedLen(b)
		if err != nil {
			return nil, broken()
		}
		if n > MaxBlock || n > 64+32*len(b) {
			// No snappy element gives more than 64 bytes for 2.
			return nil, large()
		}
		f.plain.Reset()
		f.plain.Grow(n)
		out, err := snappy.Decode(f.plain.AvailableBuffer()[:n], b)
		if err != nil || crc32.ChecksumIEEE(out) != sum {
			return nil, broken()
		}
		return out, nil
	case "zstandard":
		if f.zstd == nil {
			var err error
			if f.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxBlock)); err != nil {
				return nil, err
			}
		}
		f.plain.Reset()
		out, err := f.zstd.DecodeAll(b, f.plain.AvailableBuffer())
		switch {
		case errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
			return nil, large()
		case err != nil:
			return nil, broken()
		}
		if len(out) > f.plain.Cap() {
			f.plain = *bytes.NewBuffer(out[:0]) // keep the memory for the next block
		}
		return out, nil
	}
	return b, nil
}
