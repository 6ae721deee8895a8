package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"expunge/testdata/lake"
)

// TestKilledRunIsResumed kills a run (kill -9) after more and more of its results
// are stored and of its outputs written, goes on with it each time, as on another
// machine with the work store elsewhere, and compares with an undisturbed run.
func TestKilledRunIsResumed(t *testing.T) {
	l, err := lake.Generate(lake.Options{Seed: 13, Bytes: 1 << 20, Accounts: 2, Requests: 4})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	place(t, l, dir)
	requests := filepath.Join(dir, "requests.jsonl")
	calm := configure(t, l, dir, "calm")
	if code := expunge(t, "-c", calm, "submit", requests); code != exitDone {
		t.Fatalf("submit: exit %d", code)
	}
	if code := expunge(t, "-c", calm, "run", "--batch-bytes", "20000"); code != exitDone {
		t.Fatalf("run: exit %d", code)
	}
	want := outputs(t, dir, "calm").files

	work := "killed"
	config := configure(t, l, dir, work)
	if code := expunge(t, "-c", config, "submit", requests); code != exitDone {
		t.Fatalf("submit: exit %d", code)
	}
	const lease = time.Second
	glob := func(patterns ...string) (names []string) {
		for _, pattern := range patterns {
			some, err := filepath.Glob(filepath.Join(dir, work, filepath.FromSlash(pattern)))
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, some...)
		}
		return names
	}
	stored := func() []string { return glob("runs/*/rounds/*/*.units") }
	outs := func() int {
		return len(glob("runs/*/objects*", "bundles/*/*/*", "bundles/*/*/data/*", "runs/*/manifest/*", "runs/*/report*", "runs/*/review*"))
	}
	start := func(args ...string) (*exec.Cmd, *bytes.Buffer) {
		return started(t, append([]string{"-c", config, "run", "--workers", "2", "--batch-bytes", "20000", "--lease", lease.String()}, args...)...)
	}
	var args []string
	kills, late := 0, 0 // late: while outputs were written
	before := map[string]time.Time{}
	for try := 0; ; try++ {
		if try == 40 {
			t.Fatal("the run does not come to its end")
		}
		c, log := start(args...)
		ended := make(chan error, 1)
		go func() { ended <- c.Wait() }()
		enough, full := len(stored())+12, outs()+9
		var err error
		killed := false
	wait:
		for {
			select {
			case err = <-ended:
				break wait
			case <-time.After(time.Millisecond):
				if !killed && (len(stored()) >= enough || outs() >= full) {
					_ = c.Process.Kill()
					killed = true
				}
			}
		}
		if killed && err != nil {
			kills++
			if outs() > 0 {
				late++
			}
		} else if err != nil {
			t.Fatalf("run: %v\n%s", err, log)
		}
		for _, name := range stored() {
			st, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			name, err = filepath.Rel(filepath.Join(dir, work), name)
			if err != nil {
				t.Fatal(err)
			}
			if was, ok := before[name]; ok && !was.Equal(st.ModTime()) {
				t.Errorf("%s was scanned again", filepath.Base(name))
			}
			before[name] = st.ModTime()
		}
		if err == nil {
			break
		}
		runs := glob("runs/*/run.json")
		if len(runs) != 1 {
			t.Fatalf("%d runs", len(runs))
		}
		args = []string{"--resume", filepath.Base(filepath.Dir(runs[0]))}
		elsewhere := fmt.Sprint("killed-", try)
		if err := os.Rename(filepath.Join(dir, work), filepath.Join(dir, elsewhere)); err != nil {
			t.Fatal(err)
		}
		work = elsewhere
		config = configure(t, l, dir, work)
		time.Sleep(lease + 100*time.Millisecond) // until it has expired
	}
	if kills-late < 3 || late < 2 {
		t.Errorf("the run was killed only %d times, %d of them while it wrote outputs", kills, late)
	}
	got := outputs(t, dir, work).files
	if len(got) != len(want) {
		t.Errorf("%d files, an undisturbed run writes %d", len(got), len(want))
	}
	for name, b := range want {
		if !bytes.Equal(got[name], b) {
			t.Errorf("%s differs from an undisturbed run's", name)
		}
	}
	t.Logf("killed %d times, %d of them while outputs were written; %d results stored", kills, late, len(before))
}
