package compress

import (
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
)

func newGzip(src io.Reader) func() ([]byte, error) {
	var z *gzip.Reader
	buf := make([]byte, ChunkSize)
	return func() ([]byte, error) {
		if z == nil {
			var err error
			if z, err = gzip.NewReader(src); err != nil {
				return nil, gzipError(err)
			}
		}
		n, err := io.ReadFull(z, buf)
		if err == io.ErrUnexpectedEOF && n > 0 {
			_, err = z.Read(buf[n:])
		}
		return buf[:n], gzipError(err)
	}
}

func gzipError(err error) error {
	switch err {
	case nil, io.EOF, io.ErrUnexpectedEOF:
		return err
	}
	return fmt.Errorf("%w: %w", ErrCorrupt, err)
}
