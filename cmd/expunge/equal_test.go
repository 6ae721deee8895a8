package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
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

// TestSecondNight runs again over an unchanged lake: nothing without a hit is
// opened but the catalog, and what is found is the same.
func TestSecondNight(t *testing.T) {
	l, err := lake.Generate(lake.Options{Seed: 12, Bytes: 1 << 20, Accounts: 2, Requests: 4})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	place(t, l, dir)
	config := configure(t, l, dir, "work")
	submit := func(suffix string) {
		var lines bytes.Buffer
		for _, r := range l.Requests() {
			r.ID += suffix
			b, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			lines.Write(append(b, '\n'))
		}
		name := filepath.Join(dir, "again"+suffix+".jsonl")
		if err := os.WriteFile(name, lines.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		if code := expunge(t, "-c", config, "submit", name); code != exitDone {
			t.Fatalf("submit: exit %d", code)
		}
		if code := expunge(t, "-c", config, "run"); code != exitDone {
			t.Fatalf("run: exit %d", code)
		}
	}
	submit("-1")
	submit("-2")
	reports, err := filepath.Glob(filepath.Join(dir, "work", "runs", "*", "report.json"))
	if err != nil || len(reports) != 2 {
		t.Fatalf("%d reports: %v", len(reports), err)
	}
	type figures struct {
		Objects map[string]int64
		Bytes   struct {
			Read       int64
			WithoutHit int64 `json:"without_hit"`
		}
		Requests []struct{ Records, Review int64 }
	}
	var nights [2]figures
	slices.Sort(reports)
	var started [2]string
	for i, name := range reports {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var s struct{ Started string }
		if err := json.Unmarshal(b, &s); err != nil {
			t.Fatal(err)
		}
		started[i] = s.Started
		if err := json.Unmarshal(b, &nights[i]); err != nil {
			t.Fatal(err)
		}
	}
	if started[0] > started[1] {
		nights[0], nights[1] = nights[1], nights[0]
	}
	first, second := nights[0], nights[1]
	if !slices.Equal(first.Requests, second.Requests) {
		t.Errorf("the second night found other records: %v, then %v", first.Requests, second.Requests)
	}
	if second.Bytes.WithoutHit*50 > first.Bytes.Read {
		t.Errorf("the second night read %d bytes without a hit; the first read %d in all", second.Bytes.WithoutHit, first.Bytes.Read)
	}
	if second.Objects["skipped"] == 0 {
		t.Error("the second night skipped nothing")
	}
}
