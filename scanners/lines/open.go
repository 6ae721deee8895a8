package lines

import (
	"context"
	"errors"
	"io"

	"expunge/scanners"
	"expunge/scanners/compress"
)

// Source is the decompressed bytes of an input's part.
type Source struct {
	Chunks
	close func()
}

// Notes searches what the packing of the object, which has been read to its end,
// says besides the data. An error is emit's.
func (s *Source) Notes(f scanners.Finder, emit func(*scanners.Record) error) error {
	if stream, ok := s.Chunks.(compress.Stream); ok {
		return compress.Notes(stream, f, emit)
	}
	return nil
}

// Close frees what the source holds.
func (s *Source) Close() { s.close() }

// Open opens in.Part. A part that does not begin the object is taken as plain
// bytes: only such objects can be entered in the middle. A body that is shorter or
// longer than listed is an error of Next. Errors of Open and Next go to Refuse.
func Open(ctx context.Context, in scanners.Input) (*Source, error) {
	n, size := int64(-1), in.Size-in.Part.Off
	if in.Part.Len > 0 {
		n, size = in.Part.Len, in.Part.Len
	}
	body, err := in.Open(ctx, in.Part.Off, n)
	if err != nil {
		return nil, &compress.ReadError{Err: err}
	}
	exact := compress.Exactly(body, size)
	if in.Part.Off > 0 {
		return &Source{Plain(reads{exact}), func() { body.Close() }}, nil
	}
	stream, _, err := compress.Open(exact)
	if err != nil {
		body.Close()
		return nil, err
	}
	return &Source{stream, func() { stream.Close(); body.Close() }}, nil
}

// reads marks errors as those of the source.
type reads struct{ r io.Reader }

func (r reads) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && err != io.EOF {
		err = &compress.ReadError{Err: err}
	}
	return n, err
}

// Refuse makes the refusal of the named object of an error of Open, of a Reader or
// of a Window. Errors of ctx stay what they are.
func Refuse(ctx context.Context, name string, err error) error {
	if errors.Is(err, ErrTooLong) {
		return scanners.Refuse(scanners.TooLarge, name, err)
	}
	return compress.Refuse(ctx, name, err)
}

// Window is a growing view of a stream, for records that are not lines.
type Window struct {
	Large func() error // see scanners.Input

	Data []byte // from Off on; changed by Fill and Drop
	Off  int64  // of Data[0] in the decompressed object
	src  Chunks
}

// NewWindow returns an empty window on src, whose first byte lies at off.
func NewWindow(src Chunks, off int64) *Window { return &Window{src: src, Off: off} }

// Fill appends the next chunk, or returns the stream's error: io.EOF at its end.
func (w *Window) Fill() error {
	chunk, err := w.src.Next()
	if len(w.Data)+len(chunk) > Large && w.Large != nil {
		if err := w.Large(); err != nil {
			return err
		}
		w.Large = nil
	}
	w.Data = append(w.Data, chunk...)
	return err
}

// Drop removes the first n bytes.
func (w *Window) Drop(n int) {
	w.Data = append(w.Data[:0], w.Data[n:]...)
	w.Off += int64(n)
}

// Compressed reports whether the object is packed, by its first bytes.
func Compressed(ctx context.Context, in scanners.Input) (bool, error) {
	if in.Size == 0 {
		return false, nil
	}
	body, err := in.Open(ctx, 0, min(in.Size, 16))
	if err != nil {
		return false, &compress.ReadError{Err: err}
	}
	defer body.Close()
	head, err := io.ReadAll(body)
	if err != nil {
		return false, &compress.ReadError{Err: err}
	}
	return compress.Detect(head) != compress.Plain, nil
}
