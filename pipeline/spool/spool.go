// Package spool keeps what does not fit in memory: sealed frames of records in a
// file, and a sort of any number of records in bounded memory.
//
// Spool files are created with mode 0600 and unlinked at once, so that they are
// gone when the process is, however it ends. What leaves the process (a result
// in the work store) is sealed frame by frame.
package spool

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
)

// frameSize is about how many bytes of records one frame holds. Readers and
// writers keep one frame in memory, and a record larger than it in one piece.
const frameSize = 1 << 20

// maxFrame bounds what a reader allocates on the word of a file's length field.
const maxFrame = 1 << 30

// ErrTruncated says that a file ends before its last frame.
var ErrTruncated = errors.New("spool ends before its last frame")

// Temp returns a new file that no name leads to.
func Temp() (*os.File, error) {
	f, err := os.CreateTemp("", "expunge-*")
	if err != nil {
		return nil, fmt.Errorf("create spool: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, fmt.Errorf("unlink spool: %w", err)
	}
	return f, nil
}

// Writer writes records in compressed frames: uvarint length, then the box; a
// frame of length 0 ends the file, so that a cut file is told from a whole one.
// In a sealed file one more box, of nothing, follows it: who has no key cannot end
// the file anywhere else.
type Writer struct {
	w     *bufio.Writer
	file  *File
	n     int // frames written
	zip   *zstd.Encoder
	frame []byte
	box   []byte
}

// NewWriter writes the frames of file to w (nil: in clear).
func NewWriter(w io.Writer, file *File) (*Writer, error) {
	zip, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(frameSize), zstd.WithLowerEncoderMem(true)) // frames are packed each by itself
	if err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	return &Writer{w: bufio.NewWriterSize(w, 64<<10), file: file, zip: zip}, nil
}

// Write adds one record.
func (w *Writer) Write(record []byte) error {
	w.frame = binary.AppendUvarint(w.frame, uint64(len(record)))
	w.frame = append(w.frame, record...)
	if len(w.frame) >= frameSize {
		return w.flush()
	}
	return nil
}

func (w *Writer) flush() error {
	if len(w.frame) == 0 {
		return nil
	}
	w.box = w.zip.EncodeAll(w.frame, w.box[:0])
	box := w.box
	if w.file != nil {
		box = w.file.seal(w.n, false, box)
	}
	w.n++
	w.frame = w.frame[:0]
	return w.put(box)
}

func (w *Writer) put(box []byte) error {
	if _, err := w.w.Write(binary.AppendUvarint(nil, uint64(len(box)))); err != nil {
		return fmt.Errorf("write spool: %w", err)
	}
	if _, err := w.w.Write(box); err != nil {
		return fmt.Errorf("write spool: %w", err)
	}
	return nil
}

// Close writes the last frame and the end. It does not close the file.
func (w *Writer) Close() error {
	if err := w.flush(); err != nil {
		return err
	}
	if err := w.put(nil); err != nil {
		return err
	}
	if w.file != nil {
		if err := w.put(w.file.seal(w.n, true, nil)); err != nil {
			return err
		}
	}
	return w.w.Flush()
}

// Reader reads what a Writer wrote.
type Reader struct {
	r     *bufio.Reader
	file  *File
	n     int // frames read
	zip   *zstd.Decoder
	frame []byte
	rest  []byte
	box   []byte
	done  bool
}

// NewReader reads the frames of file from r (nil: they lie in clear).
func NewReader(r io.Reader, file *File) (*Reader, error) {
	zip, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxFrame))
	if err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	return &Reader{r: bufio.NewReaderSize(r, 64<<10), file: file, zip: zip}, nil
}

// Next returns the next record, valid until the next call, and io.EOF after the last.
func (r *Reader) Next() ([]byte, error) {
	for len(r.rest) == 0 {
		if err := r.next(); err != nil {
			return nil, err
		}
	}
	n, k := binary.Uvarint(r.rest)
	if k <= 0 || n > uint64(len(r.rest)-k) {
		return nil, fmt.Errorf("read spool: record reaches beyond its frame")
	}
	record := r.rest[k : k+int(n)]
	r.rest = r.rest[k+int(n):]
	return record, nil
}

func (r *Reader) next() error {
	if r.done {
		return io.EOF
	}
	if err := r.read(); err != nil {
		return err
	}
	if len(r.box) == 0 {
		r.done = true
		return r.end()
	}
	plain := r.box
	if r.file != nil {
		var err error
		if plain, err = r.file.open(r.n, false, r.box); err != nil {
			return err
		}
	}
	r.n++
	var err error
	if r.frame, err = r.zip.DecodeAll(plain, r.frame[:0]); err != nil {
		return fmt.Errorf("read spool: %w", err)
	}
	r.rest = r.frame
	return nil
}

// read reads the next box.
func (r *Reader) read() error {
	cut := func(err error) error {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return ErrTruncated
		}
		return fmt.Errorf("read spool: %w", err)
	}
	n, err := binary.ReadUvarint(r.r)
	if err != nil {
		return cut(err)
	}
	if n > maxFrame {
		return fmt.Errorf("read spool: frame of %d bytes is beyond the bound of %d", n, maxFrame)
	}
	if uint64(cap(r.box)) < n {
		r.box = make([]byte, n)
	}
	r.box = r.box[:n]
	if _, err := io.ReadFull(r.r, r.box); err != nil {
		return cut(err)
	}
	return nil
}

// end checks that a sealed file ends where its writer ended it. It returns io.EOF
// where it does.
func (r *Reader) end() error {
	if r.file != nil {
		if err := r.read(); err != nil {
			return err
		}
		if _, err := r.file.open(r.n, true, r.box); err != nil {
			return err
		}
	}
	return io.EOF
}

// Close releases the decoder.
func (r *Reader) Close() { r.zip.Close() }
