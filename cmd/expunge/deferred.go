package main

import (
	"context"
	"errors"
	"maps"
	"slices"
)

// goOn looks after erasures that wait for a store, or for what others erase, and that may
// go on: where policy erases without being asked they do, under the approval that they have; else a person
// is told.
func (a *app) goOn(ctx context.Context, workers int) error {
	due := map[string][]string{} // requests, by run
	for _, e := range a.deferred {
		if e.Last.Until == nil || !e.Last.Until.After(a.now()) {
			due[e.Last.Run] = append(due[e.Last.Run], e.Request.Ref().String())
		}
	}
	for _, run := range slices.Sorted(maps.Keys(due)) {
		if a.cfg.Policy.Approval != "automatic" {
			for _, name := range due[run] {
				a.flags.log().Info("an erasure that had to wait may go on by now", "request", name, "command", "expunge erase "+run)
			}
			continue
		}
		err := a.erase(ctx, run, nil, workers)
		if c := (*coded)(nil); errors.As(err, &c) && c.code == exitIncomplete {
			a.flags.log().Info("an erasure still has to wait", "run", run, "reason", err)
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil { // the night has others to serve; where the request stands says the rest
			a.flags.log().Warn("an erasure that had to wait could not go on", "run", run, "err", err)
		}
	}
	return nil
}
