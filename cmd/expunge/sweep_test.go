package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestHalfWrittenFilesGo: what a killed process left half-written in the work
// store, perhaps a bundle's rows, is removed by a later run, and what one that
// still writes has is not.
func TestHalfWrittenFilesGo(t *testing.T) {
	dir := t.TempDir()
	_, config := small(t, dir, "work")
	left := filepath.Join(dir, "work", "bundles", "acct-a", "R-1001", "data", ".expunge-w-abcdefghijklmnop")
	if err := os.MkdirAll(filepath.Dir(left), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(left, []byte("jane@example.com"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		later time.Duration
		there bool
	}{{deadFor / 2, true}, {2 * deadFor, false}} {
		a := opened(t, config, func() time.Time { return time.Now().Add(c.later) })
		if err := a.run(t.Context(), &runOptions{workers: 1, lease: time.Minute}); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(left); (err == nil) != c.there {
			t.Errorf("%s later: %v", c.later, err)
		}
	}
}
