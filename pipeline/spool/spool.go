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

// Seal turns a frame into what is stored; Open is its inverse.
type (
	Seal func(plain []byte) ([]byte, error)
	Open func(box []byte) ([]byte, error)
)

// Writer writes records in compressed frames: uvarint length, then the box; a
// frame of length 0 ends the file, so that a cut file is told from a whole one.
type Writer struct {
	w     *bufio.Writer
	seal  Seal
	zip   *zstd.Encoder
	frame []byte
	box   []byte
}

// NewWriter writes frames to w through seal (nil: as they are).
func NewWriter(w io.Writer, seal Seal) (*Writer, error) {
	zip, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	return &Writer{w: bufio.NewWriterSize(w, 64<<10), seal: seal, zip: zip}, nil
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
	if w.seal != nil {
		var err error
		if box, err = w.seal(box); err != nil {
			return fmt.Errorf("seal frame: %w", err)
		}
	}
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
	return w.w.Flush()
}

// Reader reads what a Writer wrote.
type Reader struct {
	r     *bufio.Reader
	open  Open
	zip   *zstd.Decoder
	frame []byte
	rest  []byte
	box   []byte
	done  bool
}

// NewReader reads frames from r through open (nil: as they are).
func NewReader(r io.Reader, open Open) (*Reader, error) {
	zip, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxFrame))
	if err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	return &Reader{r: bufio.NewReaderSize(r, 64<<10), open: open, zip: zip}, nil
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
	n, err := binary.ReadUvarint(r.r)
	if err != nil {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return ErrTruncated
		}
		return fmt.Errorf("read spool: %w", err)
	}
	if n == 0 {
		r.done = true
		return io.EOF
	}
	if n > maxFrame {
		return fmt.Errorf("read spool: frame of %d bytes is beyond the bound of %d", n, maxFrame)
	}
	if uint64(cap(r.box)) < n {
		r.box = make([]byte, n)
	}
	r.box = r.box[:n]
	if _, err := io.ReadFull(r.r, r.box); err != nil {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return ErrTruncated
		}
		return fmt.Errorf("read spool: %w", err)
	}
	plain := r.box
	if r.open != nil {
		if plain, err = r.open(r.box); err != nil {
			return fmt.Errorf("open frame: %w", err)
		}
	}
	if r.frame, err = r.zip.DecodeAll(plain, r.frame[:0]); err != nil {
		return fmt.Errorf("read spool: %w", err)
	}
	r.rest = r.frame
	return nil
}

// Close releases the decoder.
func (r *Reader) Close() { r.zip.Close() }
