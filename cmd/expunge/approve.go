package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/hold"
	"expunge/pipeline/intake"
	"expunge/pipeline/manifest"
	"expunge/pipeline/seal"
)

// approverKey is the environment variable with the seed of an approver's key.
const approverKey = "EXPUNGE_APPROVER_KEY"

func approveCommand(f *flags) *cobra.Command {
	var by, notBefore string
	var accounts []string
	var lost int64
	var withdraw bool
	c := &cobra.Command{
		Use:   "approve RUN",
		Short: "Approve a sealed manifest, or the parts of it that belong to accounts",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if strings.TrimSpace(by) == "" {
				return usage("--by NAME is missing: an approval records who gave it")
			}
			if notBefore != "" {
				if _, err := time.Parse(time.RFC3339, notBefore); err != nil {
					return usage("--not-before must be a time like 2026-11-20T09:00:00Z")
				}
			}
			var versionsLost *int64
			if c.Flags().Changed("versions-lost") {
				versionsLost = &lost
			}
			if lost < 0 {
				return usage("--versions-lost must be a number of records")
			}
			if withdraw && (notBefore != "" || versionsLost != nil) {
				return usage("--withdraw takes back what was approved: it goes with --account alone")
			}
			ctx := c.Context()
			a, err := open(ctx, f)
			if err != nil {
				return err
			}
			signer, err := a.approver(by, os.Getenv)
			if err != nil {
				return err
			}
			m, err := manifest.Read(ctx, a.work, a.keys, args[0])
			if errors.Is(err, connectors.ErrNotFound) {
				return a.noManifest(ctx, args[0], "sealed manifest")
			}
			if err != nil {
				return err
			}
			slices.Sort(accounts)
			accounts = slices.Compact(accounts)
			noted, err := a.approvable(ctx, m, accounts)
			if err != nil {
				return err
			}
			_, err = manifest.Approvals(ctx, a.work, a.keys, a.approvers(), m, noted.known)
			anew := errors.Is(err, manifest.ErrLost) && withdraw && len(accounts) == 0
			if err != nil && !anew {
				return err // a forged one, or one is missing: nobody should add to it
			}
			if withdraw && !anew && noted.begun != nil {
				return tooLate(*noted.begun)
			}
			var h header
			if err := a.readDocument(ctx, "run", headerKey(m.Run), &h); err != nil {
				return err
			}
			holds, err := a.allHolds(ctx, h.Holds)
			if err != nil {
				return err
			}
			got, err := manifest.Approve(ctx, a.work, a.keys, signer, m, manifest.Approval{
				N: noted.known + 1, By: by, At: a.now().UTC().Format(time.RFC3339), Withdrawn: withdraw, NotBefore: notBefore, VersionsLost: versionsLost, Holds: hold.Highest(holds),
			}, accounts)
			if errors.Is(err, manifest.ErrNoPart) {
				return &coded{exitUsage, err}
			}
			if err != nil {
				return err
			}
			for _, ref := range noted.waiting {
				if err := a.requests().Approved(ctx, ref, m.Run, by, got.N); err != nil {
					return err
				}
			}
			if withdraw && !anew {
				if noted, err = a.approvable(ctx, m, accounts); err != nil {
					return err
				}
				if noted.begun != nil { // meanwhile
					return tooLate(*noted.begun)
				}
			}
			if f.json {
				return printJSON(got)
			}
			how := ""
			if got.Signature != "" {
				how = ", signed"
			}
			what := "approval"
			if withdraw {
				what = "withdrawal, approval"
			}
			fmt.Printf("%s %d of run %s by %s%s\n", what, got.N, m.Run, by, how)
			if notBefore != "" {
				fmt.Printf("  not before %s\n", notBefore)
			}
			if line := mayBeLost(got); line != "" {
				fmt.Println("  " + line)
			}
			settings := a.settings()
			for _, r := range m.Radius {
				if _, named := got.Accounts[r.Account]; !withdraw && (named || got.Manifest != "") {
					fmt.Printf("  %-20s %-24s %s\n", r.Account, r.Dataset, radius(&r))
					if settings[r.Dataset] != m.Settings[r.Dataset] {
						fmt.Printf("  %-20s %-24s its settings were changed since it was sealed: `erase` leaves it to the next run\n", r.Account, r.Dataset)
					}
				}
			}
			all, err := manifest.Approvals(ctx, a.work, a.keys, a.approvers(), m, got.N)
			if err != nil {
				return err
			}
			for _, name := range slices.Sorted(maps.Keys(m.Accounts)) {
				from, ok := all.Account(name)
				if !ok {
					fmt.Printf("  %-20s waits for approval\n", name)
				}
				if notBefore == "" && from.After(a.now()) {
					fmt.Printf("  %-20s not before %s, as an earlier approval says: --not-before moves that\n", name, from.UTC().Format(time.RFC3339))
				}
			}
			requests, err := a.heldRequests(ctx, m, holds)
			if err != nil {
				return err
			}
			held, err := a.underHold(ctx, m, requests, holds)
			if err != nil {
				return err
			}
			for _, name := range slices.Sorted(maps.Keys(held)) {
				fmt.Printf("  %-20s %s under a legal hold: what they name stays until it is removed\n", name, pipeline.Count(held[name], "tombstone", "tombstones"))
			}
			if waits, err := a.waiting(ctx, m); err != nil {
				return err
			} else if !waits {
				fmt.Println("  none of its requests waits for it: they were erased, withdrawn, or another run has them")
			}
			return nil
		},
	}
	c.Flags().StringVar(&by, "by", "", "who approves")
	c.Flags().StringVar(&notBefore, "not-before", "", "when erasing may begin")
	c.Flags().BoolVar(&withdraw, "withdraw", false, "take back what was approved, until erasing has begun")
	c.Flags().StringArrayVar(&accounts, "account", nil, "only the part of this account (repeatable)")
	c.Flags().Int64Var(&lost, "versions-lost", 0, "how many records of other people may go with old versions: in all, of what is approved here; 0 takes back an earlier number")
	return c
}

// noted is what requests note of a manifest and its approvals.
type noted struct {
	known   int                   // the highest number of an approval
	waiting []pipeline.RequestRef // of each account in question one that can note the next
	begun   *pipeline.RequestRef  // one of these accounts' of which something is erased already
}

// approvable reads what requests note; accounts are those in question, none: all.
func (a *app) approvable(ctx context.Context, m *manifest.Manifest, accounts []string) (*noted, error) {
	out := &noted{}
	notes := map[string]bool{}
	for e, err := range a.requests().Load(ctx) {
		if err != nil {
			return nil, err
		}
		ref := e.Request.Ref()
		if e.Last.Run != m.Run || m.Accounts[ref.Account] == nil {
			continue
		}
		out.known = max(out.known, e.Last.Approvals)
		if len(accounts) > 0 && !slices.Contains(accounts, ref.Account) {
			continue
		}
		if e.State == pipeline.Erasing || e.Last.Erasing == m.Run {
			out.begun = &ref
		}
		if !e.State.Ended() && !notes[ref.Account] {
			notes[ref.Account] = true
			out.waiting = append(out.waiting, ref)
		}
	}
	return out, nil
}

func tooLate(ref pipeline.RequestRef) error {
	return usage("request %s: erasing has begun, and an approval cannot be withdrawn any more; `expunge hold add --request %s` keeps what is left", ref, ref)
}

// mayBeLost says how many survivors an approval lets go with old versions, "" if it says
// nothing of that.
func mayBeLost(a *manifest.Approval) string {
	if a.VersionsLost == nil {
		return ""
	}
	of := "all accounts together"
	if a.Manifest == "" {
		of = "account " + strings.Join(slices.Sorted(maps.Keys(a.Accounts)), " and ")
		if len(a.Accounts) > 1 {
			of += " together"
		}
	}
	return fmt.Sprintf("with old versions %s of other people may go, of %s; earlier numbers for them do not count any more", pipeline.Count(*a.VersionsLost, "record", "records"), of)
}

// noManifest says what a run lacks, or that there is no such run.
func (a *app) noManifest(ctx context.Context, run, what string) error {
	known, err := a.knownRun(ctx, run)
	switch {
	case err != nil:
		return err
	case known:
		return usage("run %s has no %s in work store %s", run, what, a.work.URL())
	}
	return usage("there is no run %s in work store %s: `expunge status` lists them", run, a.work.URL())
}

func (a *app) knownRun(ctx context.Context, run string) (bool, error) {
	for o, err := range a.work.List(ctx, headerKey(run)) {
		if err != nil {
			return false, err
		}
		if o.Key == headerKey(run) {
			return true, nil
		}
	}
	return false, nil
}

// heldRequests reads the requests of a manifest of whose accounts something is held.
func (a *app) heldRequests(ctx context.Context, m *manifest.Manifest, holds []*hold.Hold) (map[pipeline.RequestRef]*intake.Entry, error) {
	out := map[pipeline.RequestRef]*intake.Entry{}
	for account, part := range m.Accounts {
		if !slices.ContainsFunc(holds, func(h *hold.Hold) bool { return h.Removed == nil && h.Account == account }) {
			continue
		}
		for _, name := range part.Requests {
			ref, err := pipeline.ParseRequestRef(name)
			if err != nil {
				return nil, fmt.Errorf("manifest of run %s: %w", m.Run, err)
			}
			if out[ref], err = a.requests().Entry(ctx, ref); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// waiting reports whether a request of the manifest has not come to its end with it.
func (a *app) waiting(ctx context.Context, m *manifest.Manifest) (bool, error) {
	for _, part := range m.Accounts {
		for _, name := range part.Requests {
			ref, err := pipeline.ParseRequestRef(name)
			if err != nil {
				return false, fmt.Errorf("manifest of run %s: %w", m.Run, err)
			}
			e, err := a.requests().Entry(ctx, ref)
			if err != nil {
				return false, err
			}
			if e.Last.Run == m.Run && (e.State == pipeline.AwaitingApproval || e.State == pipeline.Erasing || e.State == pipeline.Blocked) {
				return true, nil
			}
		}
	}
	return false, nil
}

// radius says what would go of a dataset: records one by one, and whole objects.
func radius(r *manifest.Radius) string {
	var parts []string
	if r.Records > 0 || r.Objects == 0 {
		part := ""
		if r.Of > 0 {
			part = fmt.Sprintf(" (%.2f %%)", 100*float64(r.Records)/float64(r.Of))
		}
		parts = append(parts, fmt.Sprintf("%s of %s%s", humanize.Comma(r.Records), pipeline.Count(r.Of, "record", "records"), part))
	}
	if r.Mentions > 0 {
		parts = append(parts, humanize.Comma(r.Mentions)+" of them only redacted")
	}
	if n := r.Objects - r.Versions; n > 0 {
		parts = append(parts, pipeline.Count(n, "whole object", "whole objects"))
	}
	if r.Versions > 0 {
		parts = append(parts, pipeline.Count(r.Versions, "old version", "old versions"))
	}
	if r.Limit {
		parts = append(parts, "beyond max_erase_fraction: will be held back")
	}
	return strings.Join(parts, ", ")
}

// approver returns the key that by signs with: nil where the config names no
// approvers, and approvals are authenticated by the work key alone.
func (a *app) approver(by string, env func(string) string) (ed25519.PrivateKey, error) {
	if len(a.cfg.Approvers) == 0 {
		return nil, nil
	}
	var names []string
	for _, x := range a.cfg.Approvers {
		names = append(names, x.Name)
		if x.Name != by {
			continue
		}
		key, err := seal.ParseSigner(approverKey, env(approverKey))
		if err != nil {
			return nil, &coded{exitUsage, fmt.Errorf("approvals must be signed: %w", err)}
		}
		if !bytes.Equal(key.Public().(ed25519.PublicKey), x.Key) {
			return nil, &coded{exitRefused, fmt.Errorf("the key in %s is not that of approver %s", approverKey, by)}
		}
		return key, nil
	}
	return nil, &coded{exitRefused, fmt.Errorf("%q is no approver; the config names: %s", by, strings.Join(names, ", "))}
}

// approvers are the public keys of those whose approvals count.
func (a *app) approvers() map[string]ed25519.PublicKey {
	out := map[string]ed25519.PublicKey{}
	for _, x := range a.cfg.Approvers {
		out[x.Name] = x.Key
	}
	return out
}
