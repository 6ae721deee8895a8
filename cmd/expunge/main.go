// Command expunge finds what an account holds on a consumer in object storage,
// hands it over, and prepares its erasure. This package is the only one that
// knows which stores, formats and steps there are; it maps errors to exit codes.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"expunge/connectors"
	"expunge/pipeline/config"
	"expunge/pipeline/manifest"
	"expunge/pipeline/seal"
)

// Exit codes, as the contract has them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2 // nothing was done
	exitIncomplete  = 3
	exitRefused     = 4 // for safety
	exitResidue     = 5
	exitInterrupted = 130
)

// coded is an error with the exit code it asks for.
type coded struct {
	code int
	err  error
}

func (c *coded) Error() string { return c.err.Error() }
func (c *coded) Unwrap() error { return c.err }

// usage marks what the caller got wrong: nothing was done.
func usage(format string, args ...any) error { return &coded{exitUsage, fmt.Errorf(format, args...)} }

func main() { os.Exit(Main()) }

// Main runs the command and returns its exit code.
func Main() int { return mainAt(time.Now) }

// mainAt is Main under a clock; scripts in tests have one that stands still.
func mainAt(now func() time.Time) int {
	boundMemory()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal kills
	root := newRootAt(now)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	code := exitCode(ctx, err)
	if text := err.Error(); text != "" {
		fmt.Fprintln(os.Stderr, "expunge: "+text)
	}
	return code
}

func exitCode(ctx context.Context, err error) int {
	var c *coded
	var problems config.Problems
	switch {
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.As(err, &c):
		return c.code
	case errors.As(err, &problems), errors.Is(err, connectors.ErrNoStore): // the config names what is not there
		return exitUsage
	case errors.Is(err, manifest.ErrForged), errors.Is(err, manifest.ErrLost), errors.Is(err, seal.ErrForged):
		return exitRefused
	}
	return exitFailed
}

// flags are those that every command has.
type flags struct {
	config  string
	json    bool
	verbose bool
	now     func() time.Time
}

func (f *flags) log() *slog.Logger {
	level := slog.LevelInfo
	if f.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

func newRoot() *cobra.Command { return newRootAt(time.Now) }

func newRootAt(now func() time.Time) *cobra.Command {
	f := &flags{now: now}
	root := &cobra.Command{
		Use:           "expunge",
		Short:         "Find, hand over and erase what a data lake holds on a consumer",
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          unknownCommand,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.PersistentFlags().StringVarP(&f.config, "config", "c", "expunge.yaml", "the config")
	root.PersistentFlags().BoolVar(&f.json, "json", false, "machine-readable output on stdout")
	root.PersistentFlags().BoolVarP(&f.verbose, "verbose", "v", false, "log more")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &coded{exitUsage, err} })
	for _, c := range []*cobra.Command{
		checkCommand(f), submitCommand(f), runCommand(f), approveCommand(f), eraseCommand(f), verifyCommand(f), statusCommand(f), inspectCommand(f), keysCommand(f),
		cancelCommand(f), extendCommand(f), waiveCommand(f), holdCommand(f), releaseCommand(f), purgeCommand(f), reviewCommand(f),
	} {
		args := c.Args
		c.Args = func(c *cobra.Command, list []string) error {
			if err := args(c, list); err != nil {
				return &coded{exitUsage, err}
			}
			return nil
		}
		root.AddCommand(c)
	}
	return root
}

// version is that of the module or, where it was built from a checkout, of the commit.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version + " " + info.GoVersion
}

// unknownCommand refuses what is no command, and names the nearest.
func unknownCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range root.Commands() {
		names = append(names, c.Name())
	}
	if near := config.Nearest(args[0], names); near != "" {
		return usage("unknown command %q; did you mean %q?", args[0], near)
	}
	return usage("unknown command %q; expunge --help lists them", args[0])
}
