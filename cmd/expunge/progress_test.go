package main

import (
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestTell: long work says how far it is each ten seconds, however often something is
// done; short work says nothing.
func TestTell(t *testing.T) {
	var now time.Time
	var log strings.Builder
	text := slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
			return slog.Attr{}
		}
		return a
	}})
	say := tell(func() time.Time { return now }, slog.New(text), "verifying")
	for n := range 250 {
		now = now.Add(100 * time.Millisecond)
		say("versions", n+1)
	}
	if want := "msg=verifying versions=100\nmsg=verifying versions=200\n"; log.String() != want {
		t.Errorf("%q, want %q", log.String(), want)
	}
}
