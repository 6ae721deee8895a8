package compress

import (
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// newZstd reads concatenated frames and skips skippable ones. Content checksums
// are checked where a frame has one.
func newZstd(src io.Reader) (next func() ([]byte, error), closer func(), err error) {
	d, err := zstd.NewReader(src,
		zstd.WithDecoderConcurrency(1), // no goroutines: the engine runs scans side by side
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(MaxWindow),
		zstd.WithDecoderMaxMemory(1<<63), // what is unpacked is not kept
	)
	if err != nil {
		return nil, nil, zstdError(err)
	}
	buf := make([]byte, ChunkSize)
	next = func() ([]byte, error) {
		n := 0
		for n < len(buf) {
			m, err := d.Read(buf[n:])
			n += m
			if err != nil {
				return buf[:n], zstdError(err)
			}
		}
		return buf, nil
	}
	return next, d.Close, nil
}

func zstdError(err error) error {
	switch {
	case err == io.EOF, errors.Is(err, io.ErrUnexpectedEOF):
		return err
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return fmt.Errorf("frame needs a window of more than %d MiB: %w", MaxWindow>>20, ErrUnsupported)
	case errors.Is(err, zstd.ErrUnknownDictionary):
		return fmt.Errorf("frame needs a dictionary: %w", ErrUnsupported)
	}
	return fmt.Errorf("%w: %w", ErrCorrupt, err)
}
