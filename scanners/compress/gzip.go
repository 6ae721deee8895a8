package compress

import (
	"fmt"
	"io"

	"expunge/scanners/compress/inflate"
)

// newGzip reads all members of a gzip object. Padding with zeros is tolerated,
// other bytes after a member are not.
func newGzip(src io.Reader) func() ([]byte, error) {
	z := inflate.NewReader(src, nil)
	return func() ([]byte, error) {
		b, err := z.Next()
		switch err {
		case nil, io.EOF, io.ErrUnexpectedEOF:
			return b, err
		}
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
}
