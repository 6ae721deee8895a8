package main

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"
)

// TestPeakMemoryOfChild starts a small process from one that has had much memory: the
// child's peak is its own.
func TestPeakMemoryOfChild(t *testing.T) {
	const much = 256 << 20
	if os.Getenv("EXPUNGE_PEAK") != "" {
		if _, err := os.Stdout.WriteString(strconv.FormatInt(peakMemory(), 10) + "\n"); err != nil {
			t.Fatal(err)
		}
		os.Exit(0)
	}
	b := make([]byte, much)
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	if own := peakMemory(); own < much {
		t.Fatalf("this process has had %d bytes and says %d", much, own)
	}
	c := exec.Command(os.Args[0], "-test.run", "^TestPeakMemoryOfChild$")
	c.Env = append(os.Environ(), "EXPUNGE_PEAK=1")
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	var digits []byte
	for _, x := range out {
		if x < '0' || x > '9' {
			break
		}
		digits = append(digits, x)
	}
	child, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil || child <= 0 || child >= much/2 {
		t.Errorf("the child says %q: it has had little itself", out)
	}
	runtime.KeepAlive(b)
}
