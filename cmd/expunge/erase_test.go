package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"expunge/testdata/lake"
)

// lakeRecords reads every object of a lake with readers that are not ours: the records
// of each, as text.
func lakeRecords(t *testing.T, root string) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	err := filepath.WalkDir(root, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		key := filepath.ToSlash(rel)
		if out[key], err = lake.Records(key, b); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestEraseTruth applies a whole manifest: exactly the records that the generator's
// truth names go from the lake, and every other record and object stays.
func TestEraseTruth(t *testing.T) {
	l, err := lake.Generate(lake.Options{Seed: 11, Bytes: 1 << 20, Accounts: 3, Requests: 12})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	place(t, l, dir)
	config := configure(t, l, dir, "work")
	before := lakeRecords(t, filepath.Join(dir, "lake"))
	for _, args := range [][]string{{"submit", filepath.Join(dir, "requests.jsonl")}, {"run"}} {
		if code := expunge(t, append([]string{"-c", config}, args...)...); code != exitDone {
			t.Fatalf("%v: exit %d", args, code)
		}
	}
	run := onlyRun(t, filepath.Join(dir, "work"))
	if code := expunge(t, "-c", config, "erase", run); code != exitRefused {
		t.Fatalf("erase before approval: exit %d", code)
	}
	if after := lakeRecords(t, filepath.Join(dir, "lake")); !sameLake(t, before, after) {
		t.Fatal("the lake changed before approval")
	}
	if code := expunge(t, "-c", config, "approve", run, "--by", "jo"); code != exitDone {
		t.Fatalf("approve: exit %d", code)
	}
	if code := expunge(t, "-c", config, "erase", run); code != exitDone {
		t.Fatalf("erase: exit %d", code)
	}

	want := left(t, l, before)
	after := lakeRecords(t, filepath.Join(dir, "lake"))
	sameLake(t, want, after)

	// Again: nothing changes, and the certificates are the same.
	certificates := files(t, filepath.Join(dir, "work", "certificates"))
	if len(certificates) == 0 {
		t.Error("no certificate was written")
	}
	if code := expunge(t, "-c", config, "erase", run); code != exitDone {
		t.Fatalf("erase again: exit %d", code)
	}
	sameLake(t, after, lakeRecords(t, filepath.Join(dir, "lake")))
	for name, b := range files(t, filepath.Join(dir, "work", "certificates")) {
		if !bytes.Equal(certificates[name], b) {
			t.Errorf("%s was written anew", name)
		}
		if code := expunge(t, "-c", config, "verify", filepath.Join(dir, "work", "certificates", name)); code != exitDone {
			t.Errorf("verify %s: exit %d", name, code)
		}
	}
	if code := expunge(t, "-c", config, "verify", run); code != exitDone {
		t.Errorf("verify the run: exit %d", code)
	}
}

func onlyRun(t *testing.T, work string) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(work, "runs"))
	if err != nil || len(entries) != 1 {
		t.Fatalf("%d runs, %v", len(entries), err)
	}
	return entries[0].Name()
}

func files(t *testing.T, root string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := filepath.WalkDir(root, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		out[rel], err = os.ReadFile(name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func sameLake(t *testing.T, want, got map[string][]string) bool {
	t.Helper()
	bad := 0
	for key, records := range want {
		have, ok := got[key]
		if !ok {
			t.Errorf("%s is gone", key)
			bad++
			continue
		}
		if !slices.Equal(records, have) {
			t.Errorf("%s has %d records and should have %d others", key, len(have), len(records))
			bad++
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			t.Errorf("%s is there and should be gone", key)
			bad++
		}
	}
	return bad == 0
}
