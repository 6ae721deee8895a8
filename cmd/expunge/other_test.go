package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"expunge/connectors/fault"
	"expunge/pipeline/results"
)

// TestResultsOfOtherWork: a run is resumed with batches of another size than its
// results are of, as after an update of the program. It ends with 4, does nothing,
// and says what to do.
func TestResultsOfOtherWork(t *testing.T) {
	dir := t.TempDir()
	_, config := small(t, dir, "work")
	at := &clock{}
	a := opened(t, config, at.now)
	whole := a.work
	store := fault.New(whole)
	store.Plan = func(op fault.Op) *fault.Fault {
		if op.Kind == "create" && strings.HasSuffix(op.Key, "/catalog.json") {
			return &fault.Fault{Stop: true}
		}
		return nil
	}
	on(a, store)
	if err := a.run(t.Context(), &runOptions{workers: 1, lease: time.Minute, batch: 8 << 10}); !errors.Is(err, fault.ErrInjected) {
		t.Fatal(err)
	}
	at.pass(time.Hour)
	on(a, whole)
	var run string
	for _, key := range keys(t, whole, "runs/") {
		if name, ok := strings.CutSuffix(key, "/run.json"); ok {
			run = strings.TrimPrefix(name, "runs/")
		}
	}
	// Its header with another batch size, sealed by who has the key.
	h := &header{Run: run}
	if err := a.readHeader(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	h.Batch = 16 << 10
	key := headerKey(run)
	moved := contents(t, whole)
	delete(moved, key)
	on(a, holding(t, moved))
	if err := a.writeDocument(t.Context(), "run", key, h); err != nil {
		t.Fatal(err)
	}
	err := a.run(t.Context(), &runOptions{workers: 1, lease: time.Minute, resume: run})
	if !errors.Is(err, results.ErrOther) || exitCode(t.Context(), err) != exitRefused || !strings.HasSuffix(err.Error(), "begin a new run") {
		t.Errorf("the run ended with %v", err)
	}
	for _, key := range keys(t, a.work, "") {
		if strings.HasPrefix(key, "bundles/") || strings.Contains(key, "/report") {
			t.Errorf("it wrote %s", key)
		}
	}
}
