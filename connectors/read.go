package connectors

import (
	"context"
	"fmt"
	"io"
)

// ReadAll reads what is current under key, whole: for small files whose keys hold
// nothing that must not be shown, as those of a work store.
func ReadAll(ctx context.Context, s Store, key string) ([]byte, error) {
	body, err := s.Open(ctx, Ref{Key: key}, All)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", key, err)
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return b, nil
}
