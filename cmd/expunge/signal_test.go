package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"expunge/testdata/lake"
)

// subprocess starts the program in a process of its own.
func subprocess(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	c := exec.CommandContext(t.Context(), os.Args[0], args...)
	c.Env = append(os.Environ(), "EXPUNGE_TEST_PROGRAM=1")
	c.Stdout, c.Stderr = &log, &log
	return c, &log
}

// started is a subprocess that runs already.
func started(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	c, log := subprocess(t, args...)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c, log
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 10_000 {
		if done() {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	t.Fatalf("%s does not come", what)
}

// TestInterruptedRun: a run that is told to stop ends with 130 and gives its lease
// back, so that it can be resumed at once, and says how.
func TestInterruptedRun(t *testing.T) {
	l, err := lake.Generate(lake.Options{Seed: 13, Bytes: 1 << 20, Accounts: 2, Requests: 2})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	place(t, l, dir)
	config := configure(t, l, dir, "work")
	if code := expunge(t, "-c", config, "submit", filepath.Join(dir, "requests.jsonl")); code != exitDone {
		t.Fatalf("submit: exit %d", code)
	}
	glob := func(pattern string) []string {
		names, err := filepath.Glob(filepath.Join(dir, "work", "runs", filepath.FromSlash(pattern)))
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	args := []string{"-c", config, "run", "--workers", "2", "--batch-bytes", "10000", "--lease", "1h"}
	for i, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		c, log := subprocess(t, args...)
		before := len(glob("*/rounds/1/*.units"))
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		until(t, "a result", func() bool { return len(glob("*/rounds/1/*.units")) > before })
		if err := c.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait()
		if code := c.ProcessState.ExitCode(); code != exitInterrupted {
			t.Fatalf("%v: exit %d\n%s", sig, code, log)
		}
		runs := glob("*/run.json")
		if len(runs) != 1 {
			t.Fatalf("%d runs", len(runs))
		}
		run := filepath.Base(filepath.Dir(runs[0]))
		if !bytes.Contains(log.Bytes(), []byte("`expunge run --resume "+run+"`")) {
			t.Errorf("it does not say how to go on:\n%s", log)
		}
		b, err := os.ReadFile(glob("*/lease")[0])
		if err != nil {
			t.Fatal(err)
		}
		var lease struct{ Ended bool }
		if err := json.Unmarshal(b, &lease); err != nil || !lease.Ended {
			t.Errorf("the lease is %s", b)
		}
		if i == 0 {
			args = append(args, "--resume", run)
		}
	}
	c, log := subprocess(t, args...)
	if err := c.Run(); err != nil {
		t.Errorf("resume: %v\n%s", err, log)
	}
}

// TestSecondSignalKills: what does not end at the first signal ends at the second.
func TestSecondSignalKills(t *testing.T) {
	dir := t.TempDir()
	_, config := small(t, dir, "work")
	c, log := subprocess(t, "-c", config, "submit", "-")
	stdin, err := c.StdinPipe() // nothing ever comes
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = c.Wait()
		close(ended)
	}()
	time.Sleep(300 * time.Millisecond) // until it waits for its input
	for range 200 {
		if err := c.Process.Signal(os.Interrupt); err != nil {
			break // it has ended
		}
		select {
		case <-ended:
		case <-time.After(50 * time.Millisecond):
		}
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		_ = c.Process.Kill()
		t.Fatalf("signals do not end it\n%s", log)
	}
	status, ok := c.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() || status.Signal() != syscall.SIGINT {
		t.Errorf("it ended with %v\n%s", c.ProcessState, log)
	}
}
