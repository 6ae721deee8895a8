package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/bundle"
	"expunge/pipeline/hold"
	"expunge/pipeline/identity"
	"expunge/pipeline/intake"
)

func purgeCommand(f *flags) *cobra.Command {
	var dry bool
	c := &cobra.Command{
		Use:   "purge",
		Short: "Remove from the work store what is kept for a time only: bundles, identities and spools",
		Long: "Bundles go bundles.keep after their requests have ended; identities and spools of a run go\n" +
			"policy.verify_period after all of its requests have. What a hold covers stays. Reports, manifests,\n" +
			"approvals, journals and certificates are never removed.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			a, err := open(c.Context(), f)
			if err != nil {
				return err
			}
			return a.purge(c.Context(), dry)
		},
	}
	c.Flags().BoolVar(&dry, "dry-run", false, "say what would be removed; remove nothing")
	return c
}

// purged is what one thing that was kept for a time came to.
type purged struct {
	What  string `json:"what"` // a key or a folder of the work store
	Why   string `json:"why"`
	Files int64  `json:"files"`
	Bytes int64  `json:"bytes"`
}

// expired is a folder or a file of the work store whose time is over.
type expired struct {
	prefix, why string
	first       string // what files are called that go first, so that a half is never taken for the whole
}

// spools of a run: what later steps read again. The rest of a run is its record.
var spools = []string{"plan/", "rounds/", "identities"}

func (a *app) purge(ctx context.Context, dry bool) error {
	due, err := a.expired(ctx)
	if err != nil {
		return err
	}
	out := []purged{}
	for _, x := range due {
		p := purged{What: x.prefix, Why: x.why}
		keys, err := a.versionsOf(ctx, x)
		if err != nil {
			return err
		}
		for _, o := range keys {
			if !dry {
				if err := a.work.Delete(ctx, o.Ref); err != nil && !errors.Is(err, connectors.ErrNotFound) {
					return fmt.Errorf("remove %s: %w", o.Key, err)
				}
			}
			p.Files, p.Bytes = p.Files+1, p.Bytes+o.Size
		}
		if p.Files > 0 {
			out = append(out, p)
		}
	}
	if a.flags.json {
		return printJSON(out)
	}
	verb := "removed"
	if dry {
		verb = "would remove"
	}
	for _, p := range out {
		fmt.Printf("%s %s: %s, %s; %s\n", verb, p.What, pipeline.Count(p.Files, "file", "files"), humanize.IBytes(uint64(p.Bytes)), p.Why)
	}
	if len(out) == 0 {
		fmt.Println("nothing is due")
	}
	return nil
}

// versionsOf lists what is below a prefix, older versions included: what is purged
// is gone. What has to go first comes first.
func (a *app) versionsOf(ctx context.Context, x expired) ([]connectors.Object, error) {
	var out []connectors.Object
	if v, ok := a.work.(connectors.Versioner); ok && a.cfg.Work.Versions {
		for o, err := range v.Versions(ctx, x.prefix) {
			if err != nil {
				return nil, fmt.Errorf("list %s: %w", x.prefix, err)
			}
			out = append(out, o.Object)
		}
	} else {
		for o, err := range a.work.List(ctx, x.prefix) {
			if err != nil {
				return nil, fmt.Errorf("list %s: %w", x.prefix, err)
			}
			out = append(out, o)
		}
	}
	out = slices.DeleteFunc(out, func(o connectors.Object) bool {
		return !strings.HasSuffix(x.prefix, "/") && o.Key != x.prefix // a file, not what begins like it
	})
	slices.SortStableFunc(out, func(a, b connectors.Object) int {
		first, second := path.Base(a.Key) == x.first, path.Base(b.Key) == x.first
		switch {
		case first && !second:
			return -1
		case second && !first:
			return 1
		}
		return 0
	})
	return out, nil
}

// expired finds what is due.
func (a *app) expired(ctx context.Context) ([]expired, error) {
	var out []expired
	ended := map[pipeline.RequestRef]time.Time{} // of those that have, and that no hold covers
	all, err := a.allHolds(ctx, 0)
	if err != nil {
		return nil, err
	}
	for _, h := range all {
		if h.Removed != nil && h.Sealed {
			out = append(out, expired{prefix: hold.IdentifiersFile(h.N), why: "the hold was removed on " + h.Removed.At.Format(time.DateOnly)})
		}
	}
	now := a.now()
	busy := map[string]bool{}       // runs whose manifest or review list somebody waits for
	lasts := map[string]time.Time{} // by run: when the last of the requests that it had last has ended
	for e, err := range a.requests().Load(ctx) {
		if err != nil {
			return nil, err
		}
		if !e.State.Ended() || a.isHeld(all, e) {
			for s := range e.Last.Standings() {
				busy[s.Run] = true
			}
			continue
		}
		ref := e.Request.Ref()
		ended[ref] = e.Last.At
		if e.Last.At.After(lasts[e.Last.Run]) {
			lasts[e.Last.Run] = e.Last.At
		}
		if at := e.Last.At.Add(a.cfg.Bundles.Keep); now.After(at) {
			dir := bundle.Dir(ref)
			out = append(out, expired{dir, "the request ended on " + e.Last.At.Format(time.DateOnly), "bundle.json"})
		}
	}
	runs := map[string]bool{}
	for o, err := range a.work.List(ctx, "runs/") {
		if err != nil {
			return nil, fmt.Errorf("list runs: %w", err)
		}
		run, rest, _ := strings.Cut(strings.TrimPrefix(o.Key, "runs/"), "/")
		if rest == "report.json" {
			runs[run] = true
		}
	}
	for _, run := range sorted(runs) {
		var h header
		if err := a.readDocument(ctx, "run", headerKey(run), &h); err != nil {
			return nil, err
		}
		last, over := h.Started, !busy[run]
		if at := lasts[run]; at.After(last) {
			last = at
		}
		for _, ref := range h.Requests {
			at, ok := ended[ref]
			over = over && ok
			if at.After(last) {
				last = at
			}
		}
		if !over || !now.After(last.Add(a.cfg.Policy.VerifyPeriod)) {
			continue
		}
		for _, s := range spools {
			out = append(out, expired{prefix: "runs/" + run + "/" + s, why: "the run's last request ended on " + last.Format(time.DateOnly)})
		}
	}
	return out, nil
}

// isHeld reports whether a hold covers a request.
func (a *app) isHeld(all []*hold.Hold, e *intake.Entry) bool {
	s := hold.Subject{Account: e.Request.Account, Request: e.Request.ID, Digests: a.holdDigests(e.Request)}
	return slices.ContainsFunc(all, func(h *hold.Hold) bool {
		whole := *h // of objects that are held nobody knows here which bundles they are in
		whole.Object = ""
		return whole.Covers(s)
	})
}

// holdDigests are the digests of a request's identifiers that holds go by.
func (a *app) holdDigests(r *pipeline.Request) []string {
	var out []string
	for _, id := range r.Identifiers {
		if canon, err := identity.Identify(id, a.cfg.Policy.DefaultRegion); err == nil {
			out = append(out, hold.Digests(a.keys, r.Account, canon.Kind, canon.Value)...)
		}
	}
	return out
}
