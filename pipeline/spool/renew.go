package spool

import (
	"bufio"
	"fmt"
	"io"

	"expunge/pipeline/seal"
)

// Renew copies a sealed file from src to dst, its frames under the current work key,
// and reports whether they were under an older one. A file has one key: where that is
// the current one, nothing is copied. Memory is that of two frames.
func (b *Box) Renew(r *seal.Rotation, key string, src io.Reader, dst io.Writer) (again bool, err error) {
	f := b.File(key)
	in := &Reader{r: bufio.NewReaderSize(src, 64<<10)}
	out := &Writer{w: bufio.NewWriterSize(dst, 64<<10)}
	for n := 0; ; n++ {
		if err := in.read(); err != nil {
			return false, fmt.Errorf("%s: %w", key, err)
		}
		last := len(in.box) == 0
		if last {
			if err := in.read(); err != nil {
				return false, fmt.Errorf("%s: %w", key, err)
			}
			if err := out.put(nil); err != nil {
				return false, err
			}
		}
		box, again, err := r.Box(b.Purpose, "", in.box, f.place(n, last)...)
		switch {
		case err != nil:
			return false, fmt.Errorf("open frame %d of %s: %w", n, key, err)
		case !again && n == 0:
			return false, nil
		case !again:
			return false, fmt.Errorf("frame %d of %s is of another key than the first: %w", n, key, seal.ErrForged)
		}
		if err := out.put(box); err != nil {
			return false, err
		}
		if last {
			return true, out.w.Flush()
		}
	}
}

// Leave says of a sealed file of a purpose whether it stays under an older work key:
// of what is not read again. It reads the first frame.
func Leave(purpose string) func(r *seal.Rotation, key string, src io.Reader, dst io.Writer) (seal.Outcome, error) {
	return func(r *seal.Rotation, key string, src io.Reader, _ io.Writer) (seal.Outcome, error) {
		in := &Reader{r: bufio.NewReaderSize(src, 4<<10)}
		err := in.read()
		if err == nil && len(in.box) == 0 { // no frame, but the end
			err = in.read()
		}
		if err != nil {
			return seal.Outcome{}, fmt.Errorf("%s: %w", key, err)
		}
		return seal.Outcome{Stays: !r.Keys().Current(purpose, "", in.box)}, nil
	}
}
