package avro

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"expunge/scanners"
	"expunge/scanners/lines"
)

// Split cuts a file that is not packed as a whole behind sync markers, so that
// each part is whole blocks; the first one begins with the header. It reads the
// header and some of each cut's surroundings. A marker that stands in the middle of
// a block by someone's design makes the parts on its sides end in the middle, or
// begin with no block: they are refused, never read as something else.
func (Scanner) Split(ctx context.Context, in scanners.Input, target int64) (parts []scanners.Part, err error) {
	defer scanners.Guard(in.Name, &err)
	packed, err := lines.Compressed(ctx, in)
	if err != nil {
		return nil, lines.Refuse(ctx, in.Name, err)
	}
	if packed || in.Size == 0 {
		return nil, nil
	}
	head, err := readHeader(ctx, in)
	if err != nil {
		return nil, refuse(ctx, in.Name, head, err)
	}
	target = max(target, 1)
	for off := int64(0); off < in.Size; {
		end := in.Size
		if in.Size-off > target+target/2 { // no small remainder of its own
			from := max(off+target, head.end()+1)
			if end, err = cut(ctx, in, head.sync[:], from); err != nil {
				return nil, lines.Refuse(ctx, in.Name, err)
			}
		}
		parts = append(parts, scanners.Part{Off: off, Len: end - off})
		off = end
	}
	return parts, nil
}

// readHeader reads the header of a file of which a part is scanned.
func readHeader(ctx context.Context, in scanners.Input) (*file, error) {
	in.Part = scanners.Part{Len: min(in.Size, maxHeader+maxSchema)}
	src, err := lines.Open(ctx, in)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	f := newFile(src)
	return f, f.header()
}

// cut returns the first place at or behind from where a block begins, or the
// object's size.
func cut(ctx context.Context, in scanners.Input, sync []byte, from int64) (int64, error) {
	read := func(off, n int64) ([]byte, error) {
		n = min(n, in.Size-off)
		body, err := in.Open(ctx, off, n)
		if err != nil {
			return nil, fmt.Errorf("read at %d: %w", off, err)
		}
		defer body.Close()
		b := make([]byte, n)
		if _, err := io.ReadFull(body, b); err != nil {
			return nil, fmt.Errorf("read at %d: %w", off, err)
		}
		return b, nil
	}
	// A block begins at from if a marker stands before it.
	off, n := from-int64(len(sync)), int64(64<<10)
	for off < in.Size {
		b, err := read(off, n)
		if err != nil {
			return 0, err
		}
		for i := 0; ; i++ {
			k := bytes.Index(b[i:], sync)
			if k < 0 {
				break
			}
			i += k
			begin := off + int64(i+len(sync))
			if begin == in.Size {
				return begin, nil
			}
			whole, err := begins(read, begin, in.Size, sync)
			if err != nil {
				return 0, err
			}
			if whole {
				return begin, nil
			}
		}
		if off+int64(len(b)) >= in.Size {
			break
		}
		off += int64(len(b) - len(sync) + 1)
		n = min(4*n, 4<<20)
	}
	return in.Size, nil
}

// begins reports whether what stands at off has the form of a block.
func begins(read func(off, n int64) ([]byte, error), off, size int64, sync []byte) (bool, error) {
	b, err := read(off, 2*binary.MaxVarintLen64)
	if err != nil {
		return false, err
	}
	count, n := binary.Varint(b)
	if n <= 0 || count < 0 {
		return false, nil
	}
	length, m := binary.Varint(b[n:])
	if m <= 0 || length < 0 || length > MaxBlock {
		return false, nil
	}
	at := off + int64(n+m) + length
	if at > size-int64(len(sync)) {
		return false, nil
	}
	b, err = read(at, int64(len(sync)))
	return err == nil && bytes.Equal(b, sync), err
}

// refuse makes the refusal of an error of reading the file f, if there is one.
func refuse(ctx context.Context, name string, f *file, err error) error {
	var own *fault
	var out *emitted
	switch {
	case errors.As(err, &out):
		return out.error
	case ctx.Err() != nil:
		return ctx.Err()
	case f == nil:
		return lines.Refuse(ctx, name, err)
	case f.src.err != nil: // whatever the decoder made of it
		return lines.Refuse(ctx, name, f.src.err)
	case errors.As(err, &own):
		return scanners.Refuse(own.code, name, err)
	}
	return scanners.Refuse(scanners.Corrupt, name, err)
}
