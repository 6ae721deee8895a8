package count

import (
	"context"

	"expunge/connectors"
)

// uploads is what makes a store that is counted an Uploader.
type uploads struct {
	counts   *Calls
	uploader connectors.Uploader
}

// Uploads implements connectors.Uploader. It counts as a listing.
func (u uploads) Uploads(ctx context.Context, key string) ([]connectors.Upload, error) {
	u.counts.lists.Add(1)
	u.counts.pages.Add(1)
	return u.uploader.Uploads(ctx, key)
}

// Abort implements connectors.Uploader. It counts as a deletion.
func (u uploads) Abort(ctx context.Context, up connectors.Upload) error {
	err := u.uploader.Abort(ctx, up)
	if err == nil {
		u.counts.deletes.Add(1)
	}
	return err
}
