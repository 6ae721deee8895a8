package ledger

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
)

// Content is what stands for an object that goes as a whole where a record has its bytes:
// the SHA-256 of all that open gives of it. It is digested under an account's key like the
// bytes of a record, so that the object is known when it comes again, whatever its key.
// Memory does not grow with the object. An error is open's or that of reading.
func Content(ctx context.Context, open func(ctx context.Context, off, n int64) (io.ReadCloser, error)) ([]byte, error) {
	body, err := open(ctx, 0, -1)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	h := sha256.New()
	if _, err := io.Copy(h, body); err != nil {
		return nil, fmt.Errorf("digest object: %w", err)
	}
	return h.Sum(nil), nil
}
