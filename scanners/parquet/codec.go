package parquet

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

// readable reports whether pages of codec c can be decompressed.
func readable(c format.CompressionCodec) bool {
	switch c {
	case format.Uncompressed, format.Snappy, format.Gzip, format.Brotli, format.Zstd, format.Lz4Raw, format.Lz4:
		return true
	}
	return false
}

// inflater decompresses pages. The length is known beforehand from the page
// header, and every codec is held to it: neither more nor less.
type inflater struct {
	zstd *zstd.Decoder
	held int64 // bytes of the pages and dictionaries of the columns being read
}

func (x *inflater) close() {
	if x.zstd != nil {
		x.zstd.Close()
	}
}

// inflate fills dst, whose length is that of the page, from src. Brotli's decoder,
// for one, panics on some bytes.
func (x *inflater) inflate(codec format.CompressionCodec, dst, src []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("decoder of %s panicked: %T", codec, p)
		}
	}()
	var n int
	switch codec {
	case format.Uncompressed:
		if len(src) != len(dst) {
			return fmt.Errorf("page of %d bytes holds %d", len(dst), len(src))
		}
		n = copy(dst, src)
	case format.Snappy:
		if n, err = snappy.DecodedLen(src); err == nil && n == len(dst) {
			_, err = snappy.Decode(dst, src)
		}
	case format.Zstd:
		if x.zstd == nil {
			if x.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxPage+1)); err != nil {
				return err
			}
		}
		// The capacity is cut so that a frame that says more cannot write over it.
		var out []byte
		out, err = x.zstd.DecodeAll(src, dst[:0:len(dst)])
		n = len(out)
		if n == len(dst) && n > 0 && &out[0] != &dst[0] {
			copy(dst, out)
		}
	case format.Gzip:
		var r *gzip.Reader
		if r, err = gzip.NewReader(bytes.NewReader(src)); err == nil {
			n, err = drain(r, dst)
		}
	case format.Brotli:
		n, err = drain(brotli.NewReader(bytes.NewReader(src)), dst)
	case format.Lz4Raw:
		n, err = lz4.UncompressBlock(src, dst)
	case format.Lz4:
		n, err = hadoopLZ4(dst, src)
	default:
		return fmt.Errorf("codec %s", codec)
	}
	if err != nil {
		return err
	}
	if n != len(dst) {
		return fmt.Errorf("page of %d bytes holds %d", len(dst), n)
	}
	return nil
}

// drain reads r into dst and makes sure that nothing is left.
func drain(r io.Reader, dst []byte) (int, error) {
	n, err := io.ReadFull(r, dst)
	if err == io.ErrUnexpectedEOF || err == io.EOF && len(dst) > 0 {
		return n, fmt.Errorf("page of %d bytes ends after %d", len(dst), n)
	}
	if err != nil && err != io.EOF {
		return n, err
	}
	var one [1]byte
	if m, err := io.ReadFull(r, one[:]); m > 0 {
		return n + 1, nil
	} else if err != io.EOF {
		return n, err
	}
	return n, nil
}

// hadoopLZ4 decodes the deprecated LZ4 codec: blocks with two big-endian lengths
// before each (Hadoop), or one bare block (early parquet-cpp).
func hadoopLZ4(dst, src []byte) (int, error) {
	n, rest := 0, src
	for len(rest) >= 8 {
		plain := int(binary.BigEndian.Uint32(rest))
		packed := int(binary.BigEndian.Uint32(rest[4:]))
		if packed > len(rest)-8 || plain > len(dst)-n {
			break
		}
		m, err := lz4.UncompressBlock(rest[8:8+packed], dst[n:n+plain])
		if err != nil || m != plain {
			break
		}
		n, rest = n+m, rest[8+packed:]
	}
	if len(rest) == 0 && n == len(dst) {
		return n, nil
	}
	return lz4.UncompressBlock(src, dst)
}
