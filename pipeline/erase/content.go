package erase

import (
	"context"
	"errors"
	"io"
	"slices"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/ledger"
	"expunge/pipeline/manifest"
)

// content notes the digest of what op is about to delete, where a row asks for the object
// itself: it has no record by which the ledger would know it again. What nobody can read
// goes all the same; what a try that was killed has deleted, it has digested.
func (e *Erase) content(ctx context.Context, store connectors.Store, o *op, rows []*manifest.Row) error {
	i := slices.IndexFunc(rows, func(r *manifest.Row) bool {
		return r.Record == nil && r.Digest == nil && r.Disposition != string(pipeline.Excepted)
	})
	if i < 0 {
		return nil
	}
	for _, intent := range e.Past.Intents(o.entry.Place()) {
		if o.entry.Content = intent.Content; o.entry.Content != "" {
			return nil
		}
	}
	key, err := e.key(rows[i])
	if err != nil {
		return err
	}
	sum, err := ledger.Content(ctx, func(ctx context.Context, off, n int64) (io.ReadCloser, error) {
		return store.Open(ctx, o.ref, connectors.Range{Off: off, Len: n})
	})
	switch {
	case err == nil:
		o.entry.Content = key.Digest(sum)
	case errors.Is(err, connectors.ErrArchived), errors.Is(err, connectors.ErrDenied), errors.Is(err, connectors.ErrNotFound):
		return nil
	}
	return err
}
