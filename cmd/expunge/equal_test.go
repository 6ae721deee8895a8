package main

import (
	"bytes"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"expunge/testdata/lake"
)

// TestOutputsDoNotHangOnWorkers runs the same job with one worker, with eight,
// and with objects cut in small parts: the tables are byte for byte the same.
func TestOutputsDoNotHangOnWorkers(t *testing.T) {
	l, err := lake.Generate(lake.Options{Seed: 11, Bytes: 1 << 20, Accounts: 2, Requests: 6})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	place(t, l, dir)
	run := func(work string, args ...string) map[string][]byte {
		config := configure(t, l, dir, work)
		if code := expunge(t, "-c", config, "submit", filepath.Join(dir, "requests.jsonl")); code != exitDone {
			t.Fatalf("submit: exit %d", code)
		}
		if code := expunge(t, append([]string{"-c", config, "run"}, args...)...); code != exitDone {
			t.Fatalf("run: exit %d", code)
		}
		return outputs(t, dir, work).files
	}
	one := run("one", "--workers", "1")
	if len(one) < 20 {
		t.Fatalf("only %d files to compare", len(one))
	}
	for name, args := range map[string][]string{
		"eight": {"--workers", "8"},
		"parts": {"--workers", "3", "--batch-bytes", "2048"},
	} {
		other := run(name, args...)
		if !slices.Equal(slices.Sorted(maps.Keys(one)), slices.Sorted(maps.Keys(other))) {
			t.Errorf("%s: other files than with one worker", name)
		}
		for file, b := range one {
			if !bytes.Equal(b, other[file]) {
				t.Errorf("%s: %s differs", name, file)
			}
		}
	}
}
