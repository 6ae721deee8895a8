package retry

import (
	"context"
	"errors"

	"expunge/connectors"
)

// uploads is what makes a store that tries again an Uploader.
type uploads struct {
	again    *Store
	uploader connectors.Uploader
}

// Uploads implements connectors.Uploader.
func (u uploads) Uploads(ctx context.Context, key string) ([]connectors.Upload, error) {
	t := tries{s: u.again}
	for {
		out, err := u.uploader.Uploads(ctx, key)
		if err == nil {
			return out, nil
		}
		if err := t.again(ctx, err); err != nil {
			return nil, err
		}
	}
}

// Abort implements connectors.Uploader. After a lost reply ErrNotFound is success.
func (u uploads) Abort(ctx context.Context, up connectors.Upload) error {
	t := tries{s: u.again}
	for {
		err := u.uploader.Abort(ctx, up)
		if err == nil || t.n > 0 && errors.Is(err, connectors.ErrNotFound) {
			return nil
		}
		if err := t.again(ctx, err); err != nil {
			return err
		}
	}
}
