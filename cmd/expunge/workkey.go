package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"expunge/connectors"
	"expunge/pipeline/output"
	"expunge/pipeline/rotate"
)

// workFile is work.json at the root of the work store: with which work key it was
// begun, or to which it was rotated since. It keeps a wrong key, and after a rotation
// one that has not heard of it, from sealing things that nobody could read beside
// those of the right one.
type workFile struct {
	Version int    `json:"version"`
	Name    string `json:"name"`   // of the config it was begun with
	KeyID   string `json:"key_id"` // says nothing of the key itself
	Rotated bool   `json:"rotated,omitempty"`
}

const workName = "work.json"

// checkWorkKey fails if the work store is under a key that is not at hand. It recalls
// what was kept of older ones.
func (a *app) checkWorkKey(ctx context.Context) error {
	w, err := a.readWork(ctx)
	if w == nil || err != nil {
		return err
	}
	if !rotate.Has(a.keys, w.KeyID) {
		since := "begun with"
		if w.Rotated {
			since = "rotated to"
		}
		return usage("the key in %s is not the one that work store %s was %s (config %q): set that one, or name it in work.old_key_envs while rotating",
			a.cfg.Work.KeyEnv, a.work.URL(), since, w.Name)
	}
	if !w.Rotated {
		return nil
	}
	return rotate.Recall(ctx, a.work, a.keys)
}

// readWork reads work.json, nil if nothing was taken in yet.
func (a *app) readWork(ctx context.Context) (*workFile, error) {
	w := new(workFile)
	err := readJSON(ctx, a.work, workName, w)
	if errors.Is(err, connectors.ErrNotFound) {
		return nil, nil
	}
	return w, err
}

// beginWork notes the work key in a fresh work store.
func (a *app) beginWork(ctx context.Context) error {
	b, err := workFile{Version: 1, Name: a.cfg.Name, KeyID: rotate.ID(a.keys)}.encode()
	if err != nil {
		return err
	}
	_, err = a.work.Create(ctx, workName, newReader(b))
	if errors.Is(err, connectors.ErrExists) {
		return a.checkWorkKey(ctx)
	}
	if err != nil {
		return fmt.Errorf("begin work store: %w", err)
	}
	return nil
}

// rotateWork notes a new work key: from then on no program begins that has only the
// old one.
func (a *app) rotateWork(ctx context.Context, w *workFile) error {
	w.KeyID, w.Rotated = rotate.ID(a.keys), true
	b, err := w.encode()
	if err != nil {
		return err
	}
	if _, _, err := output.Replace(ctx, a.work, workName, newReader(b)); err != nil {
		return fmt.Errorf("note new work key: %w", err)
	}
	return nil
}

func (w workFile) encode() ([]byte, error) {
	b, err := json.Marshal(w)
	return append(b, '\n'), err
}
