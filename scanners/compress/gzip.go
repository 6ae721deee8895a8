package compress

import (
	"bytes"
	"fmt"
	"io"
	"unicode/utf8"

	"expunge/scanners/compress/inflate"
)

// minExtra is the length of the shortest text in an extra field.
const minExtra = 5

// newGzip reads all members of a gzip object. Padding with zeros is tolerated,
// other bytes after a member are not.
func newGzip(src io.Reader, notes *notes) func() ([]byte, error) {
	z := inflate.NewReader(src, func(h inflate.Header) {
		notes.add("(gzip).name", h.Name)
		notes.add("(gzip).comment", h.Comment)
		// Most of them are numbers, and other ones in each member.
		for _, text := range bytes.FieldsFunc(h.Extra, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }) {
			if len(text) >= minExtra {
				notes.add("(gzip).extra", text)
			}
		}
	})
	return func() ([]byte, error) {
		b, err := z.Next()
		if err == nil || err == io.EOF {
			if err := notes.err; err != nil {
				return nil, err
			}
		}
		switch err {
		case nil, io.EOF, io.ErrUnexpectedEOF:
			return b, err
		}
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
}
