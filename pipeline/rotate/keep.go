package rotate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"expunge/connectors"
	"expunge/pipeline/output"
	"expunge/pipeline/seal"
)

const dir = "keys/"

// idPurpose is that of the keys whose ids name work keys.
const idPurpose = "work"

// ID names the current work key; it says nothing of the key itself.
func ID(keys *seal.Keys) string { return keys.Derive(idPurpose, "").ID() }

// Has reports whether the work key of an id is at hand, current or old.
func Has(keys *seal.Keys, id string) bool {
	_, ok := keys.ByID(idPurpose, "", id)
	return ok
}

// Recall reads what was kept of older work keys when a key at hand took their place.
// It is for once, before the keys are used.
func Recall(ctx context.Context, work connectors.Store, keys *seal.Keys) error {
	for _, key := range keys.All(idPurpose, "") {
		box, err := connectors.ReadAll(ctx, work, dir+key.ID())
		if errors.Is(err, connectors.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if err := keys.Recall(dir+key.ID(), box); err != nil {
			return err
		}
	}
	return nil
}

// keep writes what has to be kept under the current key. Once nothing else needs the
// older keys, what was kept under them is removed.
func (p *pass) keep(ctx context.Context, out *Result) error {
	file := dir + ID(p.Keys)
	kept, err := p.seal.Kept(file, !out.Whole())
	if err != nil {
		return err
	}
	out.Keys, out.MACs = kept.Keys, kept.Vouched
	if p.Dry {
		return nil
	}
	if kept.Box != nil {
		if _, _, err := output.Replace(ctx, p.Work, file, bytes.NewReader(kept.Box)); err != nil {
			return fmt.Errorf("keep what is needed of older keys: %w", err)
		}
	}
	if !out.Whole() {
		return nil
	}
	for {
		n, err := p.forget(ctx, func(key string) bool {
			return Has(p.Keys, strings.TrimPrefix(key, dir)) && (key != file || kept.Box == nil)
		})
		if n == 0 || err != nil { // where a version goes, the one before it may show
			return err
		}
	}
}

// forget removes what was kept under keys that are over, and says how much it was.
func (p *pass) forget(ctx context.Context, over func(key string) bool) (int, error) {
	n := 0
	for o, err := range p.Work.List(ctx, dir) {
		if err != nil {
			return n, fmt.Errorf("list %s: %w", dir, err)
		}
		if !over(o.Key) {
			continue
		}
		if err := p.Work.Delete(ctx, o.Ref); err != nil && !errors.Is(err, connectors.ErrNotFound) {
			return n, fmt.Errorf("remove %s: %w", o.Key, err)
		}
		n++
	}
	return n, nil
}
