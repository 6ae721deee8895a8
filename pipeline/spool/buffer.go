package spool

import (
	"fmt"
	"io"
	"os"
)

// bufferSize is how many bytes a Buffer keeps in memory.
const bufferSize = 256 << 10

// Buffer takes bytes and gives them again, from memory where they are few and
// from a file that no name leads to where they are more. The zero Buffer is empty.
type Buffer struct {
	mem  []byte
	f    *os.File
	size int64
	at   int64 // where Read goes on
}

// Write appends p.
func (b *Buffer) Write(p []byte) (int, error) {
	if b.f == nil && len(b.mem)+len(p) > bufferSize {
		f, err := Temp()
		if err != nil {
			return 0, err
		}
		if _, err := f.Write(b.mem); err != nil {
			f.Close()
			return 0, fmt.Errorf("write spool: %w", err)
		}
		b.f, b.mem = f, nil
	}
	if b.f == nil {
		b.mem = append(b.mem, p...)
		b.size += int64(len(p))
		return len(p), nil
	}
	n, err := b.f.WriteAt(p, b.size)
	b.size += int64(n)
	if err != nil {
		return n, fmt.Errorf("write spool: %w", err)
	}
	return n, nil
}

// ReadAt implements io.ReaderAt.
func (b *Buffer) ReadAt(p []byte, off int64) (int, error) {
	switch {
	case off < 0:
		return 0, fmt.Errorf("read spool: negative offset %d", off)
	case off >= b.size:
		return 0, io.EOF
	case b.f != nil:
		return b.f.ReadAt(p, off)
	}
	n := copy(p, b.mem[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Read implements io.Reader.
func (b *Buffer) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := b.ReadAt(p, b.at)
	b.at += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

// Seek implements io.Seeker; it is for reading.
func (b *Buffer) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += b.at
	case io.SeekEnd:
		offset += b.size
	}
	if offset < 0 {
		return 0, fmt.Errorf("read spool: negative offset %d", offset)
	}
	b.at = offset
	return offset, nil
}

// Size is how many bytes were written.
func (b *Buffer) Size() int64 { return b.size }

// Close lets go of what was written.
func (b *Buffer) Close() error {
	f := b.f
	*b = Buffer{}
	if f == nil {
		return nil
	}
	return f.Close()
}
