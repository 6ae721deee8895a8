package bundle

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/output"
)

// indexName is the file that is written last: where it is, the bundle is whole.
const indexName = "bundle.json"

// earlier looks at what is there of this request's bundle.
func (w *writer) earlier() error {
	key := w.dir + indexName
	before, _, err := readIndex(w.ctx, w.work, w.Keys, key)
	if errors.Is(err, connectors.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w; or remove %s, and the bundle is written anew", err, w.dir)
	}
	// One that was sealed before the work key was rotated would be no other, but has other bytes.
	if before.Run == w.Run && before.KeyID == w.index.KeyID {
		w.before = before
		return nil
	}
	if before.Run != w.Run {
		w.result.Superseded = before.Run
	}
	ref, err := output.Find(w.ctx, w.work, key)
	if err != nil {
		return err
	}
	if err := w.work.Delete(w.ctx, ref); err != nil {
		return fmt.Errorf("withdraw %s: %w", key, err)
	}
	return nil
}

// put stores a file of the bundle, sealed where the bundle is.
func (w *writer) put(path string, body output.Body) (File, error) {
	if w.seal == nil {
		return w.putRaw(path, body)
	}
	sealed, err := w.seal.seal(path, body)
	if err != nil {
		return File{}, err
	}
	defer sealed.Close()
	return w.putRaw(w.seal.stored(path), sealed)
}

// putRaw stores bytes as they are.
func (w *writer) putRaw(path string, body output.Body) (File, error) {
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

// Withdraw removes the supplement that an earlier run wrote after that one, of which
// nothing is erased yet: that run may have found what a person has excluded since.
func Withdraw(ctx context.Context, work connectors.Store, ref pipeline.RequestRef, after string) error {
	dir := dirOf(ref, after)
	index, err := output.Find(ctx, work, dir+indexName) // first: a half is no bundle
	if err == nil {
		err = work.Delete(ctx, index)
	}
	if err != nil && !errors.Is(err, connectors.ErrNotFound) {
		return fmt.Errorf("withdraw %s: %w", dir+indexName, err)
	}
	return sweep(ctx, work, dir, nil)
}

// sweep removes what an earlier try left of this bundle and this try has not: an
// old file must not be handed over beside the new ones. Supplements are bundles of
// their own.
func sweep(ctx context.Context, work connectors.Store, dir string, keep map[string]bool) error {
	var old []connectors.Ref
	for o, err := range work.List(ctx, dir) {
		if err != nil {
			return fmt.Errorf("list %s: %w", dir, err)
		}
		if !keep[o.Key] && !strings.HasPrefix(o.Key, dir+supplements) {
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
