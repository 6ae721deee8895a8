package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"expunge/pipeline"
	"expunge/pipeline/config"
	"expunge/pipeline/naming"
	"expunge/pipeline/report"
	"expunge/pipeline/scan"
	"expunge/pipeline/waive"
	"expunge/scanners"
)

// waivable are the codes of refusals that a person can waive. UNDECLARED is not
// among them: `ignore` in the config is for that.
func waivable() []string {
	out := []string{scan.Vanished, scan.Changed, scan.Denied, scan.Archived}
	for _, c := range []scanners.Code{
		scanners.Truncated, scanners.Corrupt, scanners.Malformed, scanners.Unsupported, scanners.TooLarge, scanners.Unreadable, scanners.Crashed, scanners.Unknown,
	} {
		out = append(out, string(c))
	}
	slices.Sort(out)
	return out
}

func waiveCommand(f *flags) *cobra.Command {
	var w waive.Waiver
	var until string
	c := &cobra.Command{
		Use:   "waive [OBJECT]",
		Short: "Let requests end although an object cannot be examined; without OBJECT: list waivers",
		Long: "OBJECT is the URL of refused objects as the report shows it, s3://BUCKET/KEY or STORE/KEY. * stands for\n" +
			"anything within a segment, ** for anything. What is waived is listed in every report. Runs that began before\n" +
			"do not know of it: begin a new one.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			a, err := open(c.Context(), f)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return a.waivers(c.Context())
			}
			w.Object = args[0]
			return a.waive(c.Context(), &w, until)
		},
	}
	c.Flags().StringVar(&w.Code, "code", "", "only refusals with this code, such as CORRUPT (default: any)")
	c.Flags().StringVar(&w.Reason, "reason", "", "why it need not be examined")
	c.Flags().StringVar(&w.By, "by", "", "who decides")
	c.Flags().StringVar(&until, "until", "", "the last day on which the waiver stands, like 2027-01-31")
	return c
}

func (a *app) waive(ctx context.Context, w *waive.Waiver, until string) error {
	switch {
	case strings.TrimSpace(w.Reason) == "":
		return usage("--reason is missing: a waiver says why data may be left unexamined")
	case strings.TrimSpace(w.By) == "":
		return usage("--by NAME is missing: a waiver records who decided")
	case until == "":
		return usage("--until DATE is missing: a waiver does not stand for ever")
	}
	if err := w.Until.UnmarshalText([]byte(until)); err != nil {
		return usage("--until: %w", err)
	}
	if !w.Stands(a.now()) {
		return usage("--until %s is over", until)
	}
	if w.Code == report.Undeclared {
		return usage("UNDECLARED objects cannot be waived: declare them as a dataset, or ignore them in the config with a reason")
	}
	if w.Code != "" && !slices.Contains(waivable(), w.Code) {
		near := config.Nearest(w.Code, waivable())
		if near != "" {
			return usage("--code %s is no code of a refusal; did you mean %s?", w.Code, near)
		}
		return usage("--code %s is no code of a refusal; known: %s", w.Code, strings.Join(waivable(), ", "))
	}
	p, err := a.objectPattern(ctx, "OBJECT", w.Object)
	if err != nil {
		return err
	}
	w.Object, w.ObjectSealed = p.shown, naming.SealPattern(a.keys, p.full, p.shown)
	fit, err := a.fits(ctx, p, "", 1000)
	if err != nil {
		return err
	}
	if fit.undeclared > 0 && fit.declared == 0 {
		return usage("no dataset claims %s, of %s: UNDECLARED objects cannot be waived; declare them as a dataset, or ignore them in the config with a reason", w.Object, fit.at())
	}
	w.At = a.now().UTC()
	got, err := waive.Add(ctx, a.work, a.keys, *w)
	if err != nil {
		return err
	}
	if a.flags.json {
		return printJSON(got)
	}
	code := ""
	if got.Code != "" {
		code = " refused as " + got.Code
	}
	fmt.Printf("waiver %d: %s%s, until %s\n", got.N, got.Object, code, got.Until.Format(time.DateOnly))
	if fit.declared == 0 {
		fmt.Printf("of %s none fits it: if it is meant for one that is there, look at its name in the report\n", fit.at())
	}
	return nil
}

func (a *app) waivers(ctx context.Context) error {
	all, err := a.readWaivers(ctx)
	if err != nil {
		return err
	}
	if a.flags.json {
		return printJSON(append(waive.Waivers{}, all...))
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "N\tOBJECT\tCODE\tUNTIL\tBY\tREASON")
	for _, x := range all {
		until := x.Until.Format(time.DateOnly)
		if !x.Stands(a.now()) {
			until += " (over)"
		}
		code := x.Code
		if code == "" {
			code = "any"
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", x.N, x.Object, code, until, x.By, x.Reason)
	}
	return w.Flush()
}

func (a *app) readWaivers(ctx context.Context) (waive.Waivers, error) {
	all, err := waive.Read(ctx, a.work, a.keys)
	if errors.Is(err, waive.ErrForged) {
		return nil, &coded{exitRefused, err}
	}
	return all, err
}

// waived says of a refused object whether a person had waived it at a time: that a
// run began, so that a run that is resumed comes to the same.
func (a *app) waived(ctx context.Context, at time.Time) (func(o *pipeline.Object, shown, code string) *report.Waiver, error) {
	all, err := a.readWaivers(ctx)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(w *waive.Waiver) bool { return w.At.After(at) })
	stores, err := a.stores(ctx)
	if err != nil {
		return nil, err
	}
	names := a.names(stores)
	return func(o *pipeline.Object, shown, code string) *report.Waiver {
		if len(all) == 0 || !slices.Contains(waivable(), code) {
			return nil
		}
		w := all.Waived(names.Written(o.Store, o.Key, shown), code, at)
		if w == nil {
			return nil
		}
		return &report.Waiver{N: w.N, Reason: w.Reason, By: w.By, Until: w.Until.Format(time.DateOnly)}
	}, nil
}
