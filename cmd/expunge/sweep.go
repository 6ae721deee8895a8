package main

import (
	"context"
	"time"

	"expunge/connectors/dir"
)

// deadFor is how long nobody may have touched a half-written file before its
// writer is taken for dead.
const deadFor = time.Hour

// sweep removes what processes that were killed left half-written in a work store
// that is a directory: no listing shows it, and it may hold what bundles do. A
// bucket has nothing like it: there an object is whole or not there.
func (a *app) sweep(ctx context.Context) {
	if a.cfg.Work.Dir == "" {
		return
	}
	n := 0
	s, err := dir.New(a.cfg.Work.Name, a.cfg.Work.Dir)
	if err == nil {
		n, err = s.Sweep(ctx, "", a.now().Add(-deadFor))
	}
	if err != nil {
		a.flags.log().Warn("half-written files could not be removed from the work store", "err", err)
	}
	if n > 0 {
		a.flags.log().Info("removed what killed processes had left half-written", "files", n)
	}
}
