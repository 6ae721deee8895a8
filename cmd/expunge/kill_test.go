package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"expunge/testdata/lake"
)

// TestKilledRunIsResumed kills a run (kill -9) after more and more of its results
// are stored, goes on with it each time, and compares with an undisturbed run.
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

	config := configure(t, l, dir, "killed")
	if code := expunge(t, "-c", config, "submit", requests); code != exitDone {
		t.Fatalf("submit: exit %d", code)
	}
	const lease = "300ms"
	stored := func() []string {
		names, err := filepath.Glob(filepath.Join(dir, "killed", "runs", "*", "rounds", "*", "*.units"))
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	start := func(args ...string) (*exec.Cmd, *bytes.Buffer) {
		var log bytes.Buffer
		c := exec.CommandContext(t.Context(), os.Args[0], append([]string{"-c", config, "run", "--workers", "2", "--batch-bytes", "20000", "--lease", lease}, args...)...)
		c.Env = append(os.Environ(), "EXPUNGE_TEST_PROGRAM=1")
		c.Stdout, c.Stderr = &log, &log
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		return c, &log
	}
	var args []string
	kills := 0
	before := map[string]time.Time{}
	for try := 0; ; try++ {
		if try == 40 {
			t.Fatal("the run does not come to its end")
		}
		c, log := start(args...)
		ended := make(chan error, 1)
		go func() { ended <- c.Wait() }()
		enough := len(stored()) + 8
		var err error
		killed := false
	wait:
		for {
			select {
			case err = <-ended:
				break wait
			case <-time.After(time.Millisecond):
				if !killed && len(stored()) >= enough {
					_ = c.Process.Kill()
					killed = true
				}
			}
		}
		if killed && err != nil {
			kills++
		} else if err != nil {
			t.Fatalf("run: %v\n%s", err, log)
		}
		for _, name := range stored() {
			st, err := os.Stat(name)
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
		runs, err := filepath.Glob(filepath.Join(dir, "killed", "runs", "*", "run.json"))
		if err != nil || len(runs) != 1 {
			t.Fatalf("%d runs: %v", len(runs), err)
		}
		args = []string{"--resume", filepath.Base(filepath.Dir(runs[0]))}
		time.Sleep(400 * time.Millisecond) // until the lease has expired
	}
	if kills < 3 {
		t.Errorf("the run was killed only %d times", kills)
	}
	got := outputs(t, dir, "killed").files
	if len(got) != len(want) {
		t.Errorf("%d files, an undisturbed run writes %d", len(got), len(want))
	}
	for name, b := range want {
		if !bytes.Equal(got[name], b) {
			t.Errorf("%s differs from an undisturbed run's", name)
		}
	}
	t.Logf("killed %d times, %d results stored", kills, len(before))
}
