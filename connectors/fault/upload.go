package fault

import (
	"context"

	"expunge/connectors"
)

// uploads is what makes a store with faults an Uploader.
type uploads struct {
	faults   *Store
	uploader connectors.Uploader
}

// Uploads implements connectors.Uploader.
func (u uploads) Uploads(ctx context.Context, key string) ([]connectors.Upload, error) {
	op, f, err := u.faults.begin("uploads", connectors.Ref{Key: key}, "uploads "+key)
	if err != nil {
		return nil, err
	}
	out, err := u.uploader.Uploads(ctx, key)
	if err := u.faults.end(op, f, err); err != nil {
		return nil, err
	}
	return out, nil
}

// Abort implements connectors.Uploader.
func (u uploads) Abort(ctx context.Context, up connectors.Upload) error {
	op, f, err := u.faults.begin("abort", connectors.Ref{Key: up.Key}, "abort "+up.Key+" upload "+up.ID)
	if err != nil {
		return err
	}
	return u.faults.end(op, f, u.uploader.Abort(ctx, up))
}
