package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"expunge/connectors"
)

// workFile is work.json at the root of the work store: with which work key it was
// begun. It keeps a wrong key from sealing things that nobody could read beside
// those of the right one.
type workFile struct {
	Version int    `json:"version"`
	Name    string `json:"name"`   // of the config it was begun with
	KeyID   string `json:"key_id"` // says nothing of the key itself
}

const workName = "work.json"

// checkWorkKey fails if the work store was begun with a key that is not at hand.
func (a *app) checkWorkKey(ctx context.Context) error {
	var w workFile
	err := readJSON(ctx, a.work, workName, &w)
	if errors.Is(err, connectors.ErrNotFound) {
		return nil // nothing was taken in yet
	}
	if err != nil {
		return err
	}
	if _, ok := a.keys.ByID("work", "", w.KeyID); !ok {
		return usage("the key in %s is not the one that work store %s was begun with (config %q): set that one, or name it in work.old_key_envs while rotating",
			a.cfg.Work.KeyEnv, a.work.URL(), w.Name)
	}
	return nil
}

// beginWork notes the work key in a fresh work store.
func (a *app) beginWork(ctx context.Context) error {
	b, err := json.Marshal(workFile{Version: 1, Name: a.cfg.Name, KeyID: a.keys.Derive("work", "").ID()})
	if err != nil {
		return err
	}
	_, err = a.work.Create(ctx, workName, newReader(append(b, '\n')))
	if errors.Is(err, connectors.ErrExists) {
		return a.checkWorkKey(ctx)
	}
	if err != nil {
		return fmt.Errorf("begin work store: %w", err)
	}
	return nil
}
