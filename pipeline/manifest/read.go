package manifest

import (
	"context"
	"fmt"
	"io"
	"iter"

	"github.com/parquet-go/parquet-go"

	"expunge/connectors"
	"expunge/pipeline/spool"
)

// Tombstones yields the rows of a manifest that Read has checked, in order.
func (m *Manifest) Tombstones(ctx context.Context, work connectors.Store) iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		for _, f := range m.Files {
			for r, err := range Table(ctx, work, dir(m.Run)+f.Path) {
				if !yield(r, err) || err != nil {
					return
				}
			}
		}
	}
}

// ReviewList yields what the run found that a person has to decide on. It fails with
// ErrForged where the list is not the one that the run wrote.
func (m *Manifest) ReviewList(ctx context.Context, work connectors.Store) iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		for _, f := range m.Review {
			key := "runs/" + m.Run + "/" + f.Path
			if err := check(ctx, work, key, f.SHA256); err != nil {
				yield(nil, err)
				return
			}
			for r, err := range Table(ctx, work, key) {
				if !yield(r, err) || err != nil {
					return
				}
			}
		}
	}
}

// Table yields the rows of one Parquet file of the work store: of a manifest or of
// a review list. A row is the caller's to keep.
func Table(ctx context.Context, work connectors.Store, key string) iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		if err := table(ctx, work, key, func(r *Row) bool { return yield(r, nil) }); err != nil {
			yield(nil, fmt.Errorf("read %s: %w", key, err))
		}
	}
}

func table(ctx context.Context, work connectors.Store, key string, yield func(*Row) bool) error {
	body, err := work.Open(ctx, connectors.Ref{Key: key}, connectors.All)
	if err != nil {
		return err
	}
	defer body.Close()
	f, err := spool.Temp()
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := io.Copy(f, body)
	if err != nil {
		return err
	}
	file, err := parquet.OpenFile(f, size)
	if err != nil {
		return err
	}
	rows := parquet.NewGenericReader[Row](file)
	defer rows.Close()
	for {
		buf := make([]Row, 256)
		n, err := rows.Read(buf)
		for i := range buf[:n] {
			if !yield(&buf[i]) {
				return nil
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
