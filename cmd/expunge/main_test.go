package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"expunge/connectors"
	"expunge/pipeline/config"
	"expunge/pipeline/manifest"
)

func TestExitCodes(t *testing.T) {
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for _, c := range []struct {
		name string
		ctx  context.Context
		err  error
		want int
	}{
		{"anything", t.Context(), errors.New("x"), exitFailed},
		{"usage", t.Context(), usage("x"), exitUsage},
		{"the config", t.Context(), config.Problems{{Text: "x"}}, exitUsage},
		{"wrapped", t.Context(), fmt.Errorf("x: %w", usage("x")), exitUsage},
		{"no store", t.Context(), fmt.Errorf("x: %w", connectors.ErrNoStore), exitUsage},
		{"denied", t.Context(), fmt.Errorf("x: %w", connectors.ErrDenied), exitFailed},
		{"incomplete", t.Context(), &coded{exitIncomplete, errors.New("x")}, exitIncomplete},
		{"forged", t.Context(), fmt.Errorf("x: %w", manifest.ErrForged), exitRefused},
		{"interrupted", stopped, fmt.Errorf("x: %w", context.Canceled), exitInterrupted},
	} {
		if got := exitCode(c.ctx, c.err); got != c.want {
			t.Errorf("%s: exit code %d, want %d", c.name, got, c.want)
		}
	}
}
