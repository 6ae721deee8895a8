package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/apache/arrow/go/v15/parquet/file"

	"expunge/connectors"
	"expunge/pipeline/spool"
)

func digest(r io.Reader) (string, int64, error) {
	h := sha256.New()
	n, err := io.Copy(h, r)
	return hex.EncodeToString(h.Sum(nil)), n, err
}

// put stores f under key. What an earlier try left there is replaced unless it
// is the same.
func put(ctx context.Context, work connectors.Store, key string, f *os.File) (sum string, size int64, err error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", 0, fmt.Errorf("read spool: %w", err)
	}
	if sum, size, err = digest(f); err != nil {
		return "", 0, fmt.Errorf("read spool: %w", err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", 0, fmt.Errorf("read spool: %w", err)
	}
	_, err = work.Create(ctx, key, f)
	if !errors.Is(err, connectors.ErrExists) {
		if err != nil {
			err = fmt.Errorf("store %s: %w", key, err)
		}
		return sum, size, err
	}
	for o, err := range work.List(ctx, key) {
		if err != nil {
			return "", 0, fmt.Errorf("list %s: %w", key, err)
		}
		if o.Key != key {
			continue
		}
		body, err := work.Open(ctx, o.Ref, connectors.All)
		if err != nil {
			return "", 0, fmt.Errorf("open %s: %w", key, err)
		}
		have, _, err := digest(body)
		body.Close()
		if err != nil {
			return "", 0, fmt.Errorf("read %s: %w", key, err)
		}
		if have == sum {
			return sum, size, nil
		}
		patch := connectors.Patch{Pieces: []connectors.Piece{{Spool: true, Len: size}}, Spool: f}
		if _, err := work.Replace(ctx, o.Ref, patch); err != nil {
			return "", 0, fmt.Errorf("replace %s: %w", key, err)
		}
		return sum, size, nil
	}
	return "", 0, fmt.Errorf("store %s: %w", key, connectors.ErrChanged)
}

// sweep removes what an earlier try left below dir and this bundle has not: an
// old file must not be handed over beside the new ones.
func sweep(ctx context.Context, work connectors.Store, dir string, keep map[string]bool) error {
	var old []connectors.Ref
	for o, err := range work.List(ctx, dir) {
		if err != nil {
			return fmt.Errorf("list %s: %w", dir, err)
		}
		if !keep[o.Key] {
			old = append(old, o.Ref)
		}
	}
	for _, ref := range old {
		if err := work.Delete(ctx, ref); err != nil && !errors.Is(err, connectors.ErrNotFound) {
			return fmt.Errorf("delete %s: %w", ref.Key, err)
		}
	}
	return nil
}

// verify reads a stored file back and compares it with what was written.
func verify(ctx context.Context, work connectors.Store, key string, want File, parquet bool) error {
	body, err := work.Open(ctx, connectors.Ref{Key: key}, connectors.All)
	if err != nil {
		return fmt.Errorf("open %s: %w", key, err)
	}
	defer body.Close()
	f, err := spool.Temp()
	if err != nil {
		return err
	}
	defer f.Close()
	sum, _, err := digest(io.TeeReader(body, f))
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	if sum != want.SHA256 {
		return fmt.Errorf("verify %s: the store gives other bytes than were written", key)
	}
	if !parquet {
		return nil
	}
	r, err := file.NewParquetReader(f)
	if err != nil {
		return fmt.Errorf("verify %s: %w", key, err)
	}
	defer r.Close()
	if r.NumRows() != want.Rows {
		return fmt.Errorf("verify %s: %d rows instead of %d", key, r.NumRows(), want.Rows)
	}
	return nil
}
