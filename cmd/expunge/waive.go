package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
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
		Long: "OBJECT is the URL of refused objects as the report shows it, or STORE/KEY. * stands for anything\n" +
			"within a segment, ** for anything. What is waived is listed in every report. Runs that began before\n" +
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
	var err error
	if w.Object, err = a.objectPattern(ctx, w.Object); err != nil {
		return err
	}
	fit, err := a.fits(ctx, w.Object)
	if err != nil {
		return err
	}
	if fit.undeclared && !fit.declared {
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
	if !fit.declared {
		fmt.Printf("of %s none fits it: if it is meant for one that is there, look at its name in the report\n", fit.at())
	}
	return nil
}

// objectPattern is a pattern of URLs: as it was given, or with the URL of the
// store that it begins with.
func (a *app) objectPattern(ctx context.Context, object string) (string, error) {
	stores, err := a.stores(ctx)
	if err != nil {
		return "", err
	}
	var known []string
	for name, s := range stores {
		url := strings.TrimSuffix(s.URL(), "/") + "/"
		if strings.HasPrefix(object, url) {
			return object, nil
		}
		if rest, ok := strings.CutPrefix(object, name+"/"); ok {
			return url + rest, nil
		}
		known = append(known, name+" ("+url+")")
	}
	slices.Sort(known)
	return "", usage("%q is in no store of the config; it has: %s", object, strings.Join(known, ", "))
}

// lookedAt is how many objects are listed to see what a pattern is about.
const lookedAt = 1000

// fit is what fits a pattern of URLs, as far as the beginning of a listing shows.
type fit struct {
	declared, undeclared bool // some object of a dataset, some of none
	looked               int  // objects that were listed
	more                 bool // there are others
}

// at says which objects were looked at.
func (f *fit) at() string {
	if f.more {
		return "the first " + pipeline.Count(f.looked, "object", "objects") + " listed there"
	}
	return pipeline.Count(f.looked, "object", "objects") + " listed there"
}

// fits looks at the objects whose URLs begin as a pattern does, until one of a dataset
// fits it.
func (a *app) fits(ctx context.Context, pattern string) (*fit, error) {
	stores, err := a.stores(ctx)
	if err != nil {
		return nil, err
	}
	matcher, err := a.cfg.Matcher()
	if err != nil {
		return nil, &coded{exitUsage, err}
	}
	names, glob, out := a.names(stores), naming.Glob(pattern), new(fit)
	for name, s := range stores {
		rest, ours := strings.CutPrefix(pattern, strings.TrimSuffix(s.URL(), "/")+"/")
		if !ours {
			continue
		}
		literal, _, _ := strings.Cut(rest, "*")
		prefix, err := url.PathUnescape(literal)
		if err != nil {
			return out, nil // it names nothing
		}
		for o, err := range s.List(ctx, prefix) {
			if err != nil {
				return nil, err
			}
			if out.looked == lookedAt {
				out.more = true
				break
			}
			out.looked++
			object := pipeline.Object{}
			object.Store, object.Key = name, o.Key
			if object.Dataset, object.Captures, err = matcher.Find(name, o.Key); err != nil {
				return nil, err
			}
			if glob.MatchString(names.Shown(&object)) {
				if object.Dataset >= 0 {
					out.declared = true
					return out, nil
				}
				out.undeclared = true
			}
		}
	}
	return out, nil
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
func (a *app) waived(ctx context.Context, at time.Time) (func(object, code string) *report.Waiver, error) {
	all, err := a.readWaivers(ctx)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(w *waive.Waiver) bool { return w.At.After(at) })
	return func(object, code string) *report.Waiver {
		if !slices.Contains(waivable(), code) {
			return nil
		}
		w := all.Waived(object, code, at)
		if w == nil {
			return nil
		}
		return &report.Waiver{N: w.N, Reason: w.Reason, By: w.By, Until: w.Until.Format(time.DateOnly)}
	}, nil
}
