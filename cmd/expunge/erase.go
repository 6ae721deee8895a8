package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/spf13/cobra"

	"expunge/connectors"
	"expunge/connectors/s3"
	"expunge/pipeline"
	"expunge/pipeline/engine"
	"expunge/pipeline/erase"
	"expunge/pipeline/intake"
	"expunge/pipeline/journal"
	"expunge/pipeline/manifest"
)

// passes is how often an erasure tries objects that other writers change under it.
const passes = 3

// scratch is the prefix below a store where conditions are probed; it is empty
// before and after.
const scratch = ".expunge-probe/"

func eraseCommand(f *flags) *cobra.Command {
	var accounts []string
	var workers int
	c := &cobra.Command{
		Use:   "erase RUN",
		Short: "Apply what is approved of a run's manifest, verify it, and write certificates; safe to repeat",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			a, err := open(c.Context(), f)
			if err != nil {
				return err
			}
			return a.erase(c.Context(), args[0], accounts, workers)
		},
	}
	c.Flags().StringArrayVar(&accounts, "account", nil, "only the part of this account (repeatable)")
	c.Flags().IntVar(&workers, "workers", 4, "how many windows of objects are worked on at once")
	return c
}

// erasure is one erase of a manifest: what its steps share.
type erasure struct {
	*app
	m        *manifest.Manifest
	approved *manifest.Approved
	permit   *erase.Permit
	stores   map[string]connectors.Store
	requests map[pipeline.RequestRef]*intake.Entry // that tombstones may be applied of
	workers  int
	resolve  manifest.Resolver
}

// erased is what erase says on stdout.
type erased struct {
	Run       string           `json:"run"`
	Applied   map[string]int64 `json:"applied"` // object versions, by state
	HeldBack  []erase.HeldBack `json:"held_back"`
	Withdrawn []string         `json:"withdrawn"` // requests that were cancelled meanwhile
}

func (a *app) erase(ctx context.Context, run string, accounts []string, workers int) error {
	e := &erasure{app: a, workers: workers}
	if err := e.open(ctx, run, accounts); err != nil {
		return err
	}
	out := erased{Run: run, Applied: map[string]int64{}, HeldBack: e.permit.Held, Withdrawn: []string{}}
	if err := e.load(ctx, &out); err != nil {
		return err
	}
	if e.permit.Any() && len(e.requests) > 0 {
		if err := e.begin(ctx); err != nil {
			return err
		}
		if err := e.apply(ctx, out.Applied); err != nil {
			return fmt.Errorf("erase run %s: %w; run it again, it goes on where it was", run, err)
		}
	}
	if a.flags.json {
		if err := printJSON(out); err != nil {
			return err
		}
	} else {
		out.print()
	}
	return out.code()
}

// open reads the manifest and its approvals, and decides what may be applied.
func (e *erasure) open(ctx context.Context, run string, accounts []string) error {
	var err error
	e.m, err = manifest.Read(ctx, e.work, e.keys, run)
	if errors.Is(err, connectors.ErrNotFound) {
		return usage("run %s has no sealed manifest", run)
	}
	if err != nil {
		return err
	}
	for _, name := range accounts {
		if e.m.Accounts[name] == nil {
			return usage("manifest of run %s has nothing of account %q", run, name)
		}
	}
	if e.approved, err = manifest.Approvals(ctx, e.work, e.keys, e.approvers(), e.m); err != nil {
		return err
	}
	settings := map[string]string{}
	for _, d := range e.cfg.Datasets {
		settings[d.Name] = d.Digest
	}
	e.permit = erase.Decide(e.m, e.approved, erase.Policy{MaxRecords: e.cfg.Policy.MaxRunRecords, Settings: settings}, e.now(), accounts)
	if e.stores, err = e.app.stores(ctx); err != nil {
		return err
	}
	matcher, err := e.cfg.Matcher()
	if err != nil {
		return &coded{exitUsage, err}
	}
	names := e.app.names(e.stores)
	e.resolve = func(r *manifest.Row) (manifest.Target, error) {
		store, key, err := names.Resolve(r.Object, r.ObjectSealed)
		if err != nil {
			return manifest.Target{}, err
		}
		dataset, captures, err := matcher.Find(store, key)
		if err != nil {
			return manifest.Target{}, err
		}
		if dataset < 0 || e.cfg.Datasets[dataset].Name != r.Dataset {
			return manifest.Target{}, fmt.Errorf("object %s: dataset %q does not claim it any more; run the requests again", r.Object, r.Dataset)
		}
		account, _ := e.cfg.AccountOf(captures["account"])
		return manifest.Target{Store: store, Key: key, Dataset: dataset, Account: account}, nil
	}
	return nil
}

// load reads where the manifest's requests stand. What was withdrawn is left alone.
func (e *erasure) load(ctx context.Context, out *erased) error {
	e.requests = map[pipeline.RequestRef]*intake.Entry{}
	for account, part := range e.m.Accounts {
		for _, name := range part.Requests {
			ref, err := pipeline.ParseRequestRef(name)
			if err != nil {
				return fmt.Errorf("manifest of run %s: %w", e.m.Run, err)
			}
			if ref.Account != account {
				return fmt.Errorf("manifest of run %s: request %s stands in the part of account %s: %w", e.m.Run, ref, account, manifest.ErrForged)
			}
			entry, err := e.app.requests().Entry(ctx, ref)
			if err != nil {
				return err
			}
			if entry.State == pipeline.Cancelled || entry.State == pipeline.Denied {
				out.Withdrawn = append(out.Withdrawn, ref.String())
				continue
			}
			e.requests[ref] = entry
		}
	}
	slices.Sort(out.Withdrawn)
	return nil
}

// rows are the tombstones that are applied now.
func (e *erasure) rows(ctx context.Context) iter.Seq2[*manifest.Row, error] {
	return func(yield func(*manifest.Row, error) bool) {
		for r, err := range e.m.Tombstones(ctx, e.work) {
			if err != nil {
				yield(nil, err)
				return
			}
			ref, err := pipeline.ParseRequestRef(r.Request)
			if err != nil {
				yield(nil, err)
				return
			}
			if e.requests[ref] == nil || !e.permit.Allows(r.Account, r.Dataset) {
				continue
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

// begin probes the stores that are written to, and notes that erasing begins.
func (e *erasure) begin(ctx context.Context) error {
	touched := map[string]bool{}
	for r, err := range e.rows(ctx) {
		if err != nil {
			return err
		}
		t, err := e.resolve(r)
		if err != nil {
			return err
		}
		touched[t.Store] = true
	}
	for _, c := range e.cfg.Stores {
		if !touched[c.Name] {
			continue
		}
		store, err := e.vendor(ctx, c)
		if err != nil {
			return fmt.Errorf("open store %q: %w", c.Name, err)
		}
		prober, ok := store.(interface {
			Probe(ctx context.Context, scratch string) (s3.Conditions, error)
		})
		if !ok {
			continue // a directory's conditions are this program's own
		}
		got, err := prober.Probe(ctx, scratch)
		if err != nil {
			return fmt.Errorf("store %q: %w", c.Name, err)
		}
		if !got.All() {
			return &coded{exitRefused, fmt.Errorf("store %q does not honour the conditions that erasing rests on (%+v): nothing was erased", c.Name, got)}
		}
	}
	for ref, entry := range e.requests {
		if entry.State == pipeline.Erasing || entry.State.Ended() {
			continue
		}
		if err := e.app.requests().Append(ctx, ref, intake.Event{State: pipeline.Erasing, Run: e.m.Run}); err != nil {
			return err
		}
	}
	return nil
}

// apply erases, window by window; objects that others change meanwhile are tried again.
func (e *erasure) apply(ctx context.Context, states map[string]int64) error {
	var id [4]byte
	_, _ = rand.Read(id[:]) // never fails since Go 1.24
	for pass := 1; ; pass++ {
		clear(states)
		log := &journal.Journal{Work: e.work, Keys: e.keys, Run: e.m.Run}
		past, err := log.Past(ctx)
		if err != nil {
			return err
		}
		step := &erase.Erase{
			Stores: e.stores, Formats: formats(), Detect: detectFormat, Datasets: e.cfg.Datasets, Keys: e.keys,
			Journal: log, Past: past, KeepOld: e.cfg.Policy.Noncurrent == "keep", Lost: e.approved.VersionsLost,
		}
		try := fmt.Sprintf("%s-%s-%d", e.now().UTC().Format("20060102T150405Z"), hex.EncodeToString(id[:]), pass)
		err = engine.Map(ctx, e.workers, erase.Windows(try, manifest.Targets(e.rows(ctx), e.resolve)), step.Apply,
			func(_ erase.Window, outcomes []journal.Entry) error {
				for _, o := range outcomes {
					states[string(o.State)]++
				}
				return nil
			})
		if err != nil || states[string(journal.Conflict)] == 0 || pass == passes {
			return err
		}
	}
}

func (o *erased) print() {
	fmt.Printf("erasure of run %s\n", o.Run)
	for _, s := range []journal.State{journal.Done, journal.Gone, journal.Conflict, journal.Blocked, journal.Held, journal.Archived, journal.Refused, journal.Kept} {
		if n := o.Applied[string(s)]; n > 0 {
			fmt.Printf("  %-9s %6d object versions\n", s, n)
		}
	}
	for _, h := range o.HeldBack {
		where := h.Account
		if h.Dataset != "" {
			where += " " + h.Dataset
		}
		fmt.Printf("  held back %s: %s: %s\n", where, h.Code, h.Reason)
	}
	for _, r := range o.Withdrawn {
		fmt.Printf("  withdrawn %s\n", r)
	}
}

// code is the exit code that the contract has for an erasure.
func (o *erased) code() error {
	for _, h := range o.HeldBack {
		if h.Code != erase.NotApproved || len(o.Applied) == 0 {
			return &coded{exitRefused, errors.New("part of the manifest was held back; the rest is applied")}
		}
	}
	if n := o.Applied[string(journal.Blocked)]; n > 0 {
		return &coded{exitIncomplete, fmt.Errorf("%d object versions are BLOCKED", n)}
	}
	open := o.Applied[string(journal.Conflict)] + o.Applied[string(journal.Held)] + o.Applied[string(journal.Archived)] + o.Applied[string(journal.Refused)]
	if open > 0 {
		return &coded{exitIncomplete, fmt.Errorf("%d object versions could not be erased", open)}
	}
	return nil
}
