package lines

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"expunge/scanners"
)

// Split cuts an object that is not compressed in parts of about target bytes,
// each of whole lines. It reads a few KiB at each cut.
func Split(ctx context.Context, in scanners.Input, target int64) ([]scanners.Part, error) {
	target = max(target, 1)
	var parts []scanners.Part
	for off := int64(0); off < in.Size; {
		end := in.Size
		if in.Size-off > target+target/2 { // no small remainder of its own
			var err error
			if end, err = nextLine(ctx, in, off+target); err != nil {
				return nil, err
			}
		}
		parts = append(parts, scanners.Part{Off: off, Len: end - off})
		off = end
	}
	return parts, nil
}

// nextLine returns the first offset at or after off where a line begins, or the
// object's size.
func nextLine(ctx context.Context, in scanners.Input, off int64) (int64, error) {
	// A line begins at off if the byte before it ends one.
	pos, n := off-1, int64(4<<10)
	var buf []byte
	for pos < in.Size {
		n = min(n, in.Size-pos)
		if int64(cap(buf)) < n {
			buf = make([]byte, n)
		}
		body, err := in.Open(ctx, pos, n)
		if err != nil {
			return 0, fmt.Errorf("read at %d: %w", pos, err)
		}
		_, err = io.ReadFull(body, buf[:n])
		body.Close()
		if err != nil {
			return 0, fmt.Errorf("read at %d: %w", pos, err)
		}
		if i := bytes.IndexByte(buf[:n], '\n'); i >= 0 {
			return pos + int64(i) + 1, nil
		}
		if pos += n; pos-off > MaxLine {
			return 0, ErrTooLong
		}
		n = min(4*n, 4<<20)
	}
	return in.Size, nil
}
