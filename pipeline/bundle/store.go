package bundle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/parquet/file"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/output"
	"expunge/pipeline/spool"
)

// indexName is the file that is written last: where it is, the bundle is whole.
const indexName = "bundle.json"

// earlier looks at what is there of this request's bundle.
func (w *writer) earlier() error {
	key := w.dir + indexName
	body, err := w.work.Open(w.ctx, connectors.Ref{Key: key}, connectors.All)
	if errors.Is(err, connectors.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", key, err)
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	before := new(Index)
	if err := json.Unmarshal(b, before); err != nil {
		return fmt.Errorf("read %s: %w; remove %s, and the bundle is written anew", key, err, w.dir)
	}
	if before.Run == w.Run {
		w.before = before
		return nil
	}
	w.result.Superseded = before.Run
	ref, err := output.Find(w.ctx, w.work, key)
	if err != nil {
		return err
	}
	if err := w.work.Delete(w.ctx, ref); err != nil {
		return fmt.Errorf("withdraw %s: %w", key, err)
	}
	return nil
}

// Check reads a request's bundle back: that it is the one that run wrote, and that
// every file of it is there, byte for byte. Before that nothing of a request that
// asks for both is erased.
func Check(ctx context.Context, work connectors.Store, ref pipeline.RequestRef, run string) error {
	dir := "bundles/" + ref.Account + "/" + ref.ID + "/"
	body, err := work.Open(ctx, connectors.Ref{Key: dir + indexName}, connectors.All)
	if err != nil {
		return fmt.Errorf("open %s: %w", dir+indexName, err)
	}
	defer body.Close()
	index := new(Index)
	if err := json.NewDecoder(body).Decode(index); err != nil {
		return fmt.Errorf("read %s: %w", dir+indexName, err)
	}
	if index.Run != run {
		return fmt.Errorf("%s is of run %s", dir+indexName, index.Run)
	}
	for _, f := range index.Files {
		if err := verify(ctx, work, dir+f.Path, f, false); err != nil {
			return err
		}
	}
	return nil
}

// put stores a file of the bundle.
func (w *writer) put(path string, body output.Body) (File, error) {
	store := output.Replace // what a killed try or another run left, and no bundle.json names
	if w.before != nil {
		store = output.Put
	}
	sum, size, err := store(w.ctx, w.work, w.dir+path, body)
	if errors.Is(err, output.ErrDiffers) {
		err = fmt.Errorf("%w, although run %s has written this bundle before; look into what changed it, then remove %s and resume the run", err, w.Run, w.dir)
	}
	return File{Path: path, SHA256: sum, size: size}, err
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
	f := new(spool.Buffer)
	defer f.Close()
	from := io.Reader(body)
	if parquet {
		from = io.TeeReader(body, f)
	}
	sum, _, err := output.Digest(from)
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
