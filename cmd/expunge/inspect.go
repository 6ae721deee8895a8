package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/bundle"
	"expunge/pipeline/certificate"
	"expunge/pipeline/journal"
	"expunge/pipeline/manifest"
	"expunge/pipeline/report"
)

func inspectCommand(f *flags) *cobra.Command {
	var why bool
	c := &cobra.Command{
		Use:   "inspect PATH",
		Short: "A request, bundle, manifest, certificate or run of the work store, in readable form",
		Long: "PATH is below the work store: a run's id, a request as ACCOUNT/ID, runs/RUN/manifest, bundles/ACCOUNT/REQUEST, or any file there;\n" +
			"of a work store that is a directory the path of the file system will do, too. --json gives files as they are.",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			a, err := open(ctx, f)
			if err != nil {
				return err
			}
			keys, err := a.resolve(args[0])
			if err != nil {
				return err
			}
			for _, key := range keys {
				err := a.inspect(ctx, key, why)
				if !errors.Is(err, connectors.ErrNotFound) {
					return err
				}
			}
			return usage("nothing at %q in work store %s", args[0], a.work.URL())
		},
	}
	c.Flags().BoolVar(&why, "why", false, "show the chain of evidence of each record")
	return c
}

// resolve says which keys a path may mean, in the order to try them.
func (a *app) resolve(p string) ([]string, error) {
	p = strings.TrimPrefix(p, strings.TrimSuffix(a.work.URL(), "/")+"/")
	if root := a.cfg.Work.Dir; root != "" {
		if abs, err := filepath.Abs(p); err == nil && strings.HasPrefix(abs, root+string(filepath.Separator)) {
			p = filepath.ToSlash(abs[len(root)+1:])
		}
	}
	p = strings.Trim(p, "/")
	if p == "" || slices.Contains(strings.Split(p, "/"), "..") {
		return nil, usage("%q is no path below work store %s", p, a.work.URL())
	}
	return []string{p, p + ".json", p + "/manifest.json", p + "/bundle.json", p + "/report.json", "runs/" + p + "/report.json", "runs/" + p + "/run.json", "requests/" + p + ".json"}, nil
}

// inspect shows one file; ErrNotFound where there is none.
func (a *app) inspect(ctx context.Context, key string, why bool) error {
	base := path.Base(key)
	table := path.Ext(base) == ".parquet" && strings.HasPrefix(key, "runs/") && (strings.HasPrefix(base, "tombstones") || strings.HasPrefix(base, "review") || strings.HasPrefix(base, "excluded"))
	if !table {
		body, err := a.work.Open(ctx, connectors.Ref{Key: key}, connectors.All)
		if err != nil {
			return err
		}
		defer body.Close()
		switch {
		case base == "manifest.json" && strings.HasPrefix(key, "runs/") && (why || !a.flags.json):
			return a.inspectManifest(ctx, strings.Split(key, "/")[1], why)
		case base == "bundle.json" && strings.HasPrefix(key, "bundles/") && !a.flags.json:
			return a.inspectBundle(ctx, key)
		case strings.HasPrefix(key, "requests/") && strings.Count(key, "/") == 2 && !a.flags.json:
			return a.inspectRequest(ctx, key)
		case path.Ext(base) == ".sealed" && strings.HasPrefix(key, "bundles/"):
			return usage("%s is sealed: `expunge release` gives the bundle in readable form", key)
		case path.Ext(base) == ".parquet":
			return usage("%s is a table for DuckDB, pyarrow or Spark: read it there", key)
		case a.flags.json:
		case base == "report.json":
			r := new(report.Report)
			if err := json.NewDecoder(body).Decode(r); err != nil {
				return fmt.Errorf("read %s: %w", key, err)
			}
			r.Print(os.Stdout)
			return a.printSince(ctx, r.Run)
		case strings.HasPrefix(key, "certificates/"):
			return printCertificate(body, key)
		}
		_, err = io.Copy(os.Stdout, body)
		return err
	}
	for row, err := range manifest.Table(ctx, a.work, key) {
		if err != nil {
			return err
		}
		if err := a.printRow(row, why); err != nil {
			return err
		}
	}
	return nil
}

// printSince says what was erased of a run since it ended: its report does not change.
func (a *app) printSince(ctx context.Context, run string) error {
	past, err := (&journal.Journal{Work: a.work, Keys: a.keys, Run: run}).Past(ctx)
	if err != nil {
		return err
	}
	versions, records := map[journal.State]int64{}, int64(0)
	for o := range past.Outcomes {
		versions[o.State]++
		if o.State == journal.Done {
			records += o.Erased
		}
	}
	if len(versions) == 0 {
		return nil
	}
	var out []string
	for _, s := range slices.Sorted(maps.Keys(versions)) {
		out = append(out, fmt.Sprintf("%s %s", s, pipeline.Count(versions[s], "object version", "object versions")))
	}
	fmt.Printf("since    all this is as the run left it; `expunge erase` has come to %s (%s rewritten out of their objects); `expunge status` says where requests stand now\n",
		strings.Join(out, ", "), pipeline.Count(records, "record", "records"))
	return nil
}

// inspectManifest shows a manifest after checking that it is what was sealed.
func (a *app) inspectManifest(ctx context.Context, run string, why bool) error {
	m, err := manifest.Read(ctx, a.work, a.keys, run)
	if err != nil {
		return err
	}
	all, err := manifest.Approvals(ctx, a.work, a.keys, a.approvers(), m, 0)
	if err != nil {
		return err
	}
	if !a.flags.json {
		fmt.Printf("manifest  of run %s, %s, sealed\n", m.Run, pipeline.Count(m.Rows, "tombstone", "tombstones"))
		fmt.Printf("digest    %s\n", m.Digest())
		for _, name := range slices.Sorted(maps.Keys(m.Accounts)) {
			state := "waits for approval"
			if from, ok := all.Account(name); ok {
				state = "approved"
				if !from.IsZero() {
					state += ", not before " + from.Format("2006-01-02T15:04:05Z07:00")
				}
			}
			part := m.Accounts[name]
			fmt.Printf("account   %s: %s of %s, %s\n", name, pipeline.Count(part.Rows, "tombstone", "tombstones"), strings.Join(part.Requests, ", "), state)
			for _, r := range m.Radius {
				if r.Account == name {
					fmt.Printf("            %-24s %s\n", r.Dataset, radius(&r))
				}
			}
		}
		say := func(x *manifest.Approval, more string) {
			what := "the whole"
			if x.Manifest == "" {
				what = strings.Join(slices.Sorted(maps.Keys(x.Accounts)), ", ")
			}
			if x.Withdrawn {
				more = " is withdrawn" + more
			}
			fmt.Printf("approval  %d by %s at %s: %s%s\n", x.N, x.By, x.At, what, more)
		}
		for i := range all.Approvals {
			say(&all.Approvals[i], "")
		}
		for i := range all.PassedOver {
			say(&all.PassedOver[i].Approval, "; it does not count: "+all.PassedOver[i].Why)
		}
	}
	if !why {
		return nil
	}
	for row, err := range m.Tombstones(ctx, a.work) {
		if err != nil {
			return err
		}
		if err := a.printRow(row, why); err != nil {
			return err
		}
	}
	return nil
}

// printRow shows a tombstone or a review hit, and with why how it was found.
func (a *app) printRow(t *manifest.Row, why bool) error {
	if a.flags.json {
		return json.NewEncoder(os.Stdout).Encode(t)
	}
	record := "whole"
	if t.Record != nil {
		record = fmt.Sprintf("record %d", *t.Record)
	}
	fmt.Printf("%-24s %-12s %-11s %s %s %s\n", t.Request, t.Action, t.Tier, t.Disposition, t.Object, record)
	if !why {
		return nil
	}
	var chain []pipeline.Evidence
	if err := json.Unmarshal([]byte(t.Why), &chain); err != nil {
		return fmt.Errorf("read evidence of tombstone %s: %w", t.Tombstone, err)
	}
	for _, e := range chain {
		if e.Path == pipeline.ByReview {
			fmt.Printf("    %s, %s\n", e.Tier, e.Rule)
			continue
		}
		from := "asked for"
		if e.Via != "" {
			from = fmt.Sprintf("reached by link %s in %s", e.Via, pipeline.Count(e.Hops, "step", "steps"))
		}
		fmt.Printf("    %-14s in %-32s %s, %s; %s\n", e.Kind, e.Path, e.Tier, e.Rule, from)
	}
	return nil
}

// inspectRequest shows a request and what has happened to it, without the values that
// it asks for.
func (a *app) inspectRequest(ctx context.Context, key string) error {
	ref, err := pipeline.ParseRequestRef(strings.TrimSuffix(strings.TrimPrefix(key, "requests/"), ".json"))
	if err != nil {
		return usage("%s is no request", key)
	}
	e, err := a.requests().Entry(ctx, ref)
	if err != nil {
		return err
	}
	r := e.Request
	fmt.Printf("request    %s %s\n", ref, e.State)
	for _, line := range [][2]string{
		{"why", e.Last.Reason},
		{"rights", strings.Trim(fmt.Sprint(r.Rights), "[]")},
		{"subject", r.Subject},
		{"received", r.Received.UTC().Format(time.RFC3339)},
		{"due", e.Due().Format(time.DateOnly)},
		{"ticket", r.Instruction},
		{"level", r.Verification.Level},
		{"attested", r.Verification.AttestedBy},
		{"confirmed", confirmed(e.Last.DataPoints)},
	} {
		if line[1] != "" {
			fmt.Printf("%-10s %s\n", line[0], line[1])
		}
	}
	for _, id := range r.Identifiers {
		valid := ""
		if id.Hash != "" {
			valid = ", as its " + id.Hash
		}
		if id.ValidFrom != nil {
			valid += " from " + id.ValidFrom.Format(time.DateOnly)
		}
		if id.ValidTo != nil {
			valid += " to " + id.ValidTo.Format(time.DateOnly)
		}
		fmt.Printf("identifier %s%s\n", id.Kind, valid)
	}
	return nil
}

// confirmed says how many data points have confirmed who asks.
func confirmed(points int) string {
	if points == 0 {
		return ""
	}
	return "by " + pipeline.Count(points, "data point", "data points")
}

// inspectBundle shows the index of a bundle; that of a sealed one must be authentic.
func (a *app) inspectBundle(ctx context.Context, key string) error {
	stored, err := bundle.Open(ctx, a.work, a.keys, key)
	if err != nil {
		return forged(err)
	}
	b := &stored.Index
	sealed := "in clear"
	if b.KeyID != "" {
		sealed = "sealed with key " + b.KeyID
	}
	fmt.Printf("bundle    %s, %s, %s\n", path.Dir(key), pipeline.Count(len(b.Files), "file", "files"), sealed)
	for _, f := range b.Files {
		rows := ""
		if f.Rows > 0 {
			rows = pipeline.Count(f.Rows, "row", "rows")
		}
		fmt.Printf("  %-56s %12s  %.16s…\n", f.Path, rows, f.SHA256)
	}
	for _, w := range b.Withheld {
		what := w.Code
		if w.Dataset != "" {
			what += " " + w.Dataset
		}
		if w.Count > 0 {
			what += ", " + pipeline.Count(w.Count, "record", "records")
		}
		fmt.Printf("withheld  %s: %s\n", what, w.Reason)
	}
	return nil
}

// printCertificate shows what a certificate says; whether it is to be believed,
// `expunge verify` says.
func printCertificate(r io.Reader, key string) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	_, b, err := certificate.Parse(raw)
	if err != nil {
		return &coded{exitRefused, fmt.Errorf("%s: %w", key, err)}
	}
	state := "complete"
	if !b.Complete {
		state = "PARTIAL"
	}
	fmt.Printf("certificate  of %s, %s, issued %s by run %s\n", b.Request, state, b.Issued, b.Run)
	fmt.Printf("covers       records dated up to %s; received %s\n", b.Cutoff, b.Received)
	for _, d := range slices.Sorted(maps.Keys(b.Dispositions)) {
		fmt.Printf("  %-16s %d\n", d, b.Dispositions[d])
	}
	if b.Redacted > 0 {
		fmt.Printf("  of them redacted %d\n", b.Redacted)
	}
	for _, o := range b.Objects {
		fmt.Printf("object       %s: %s, %s, records %d before, %d after\n", o.Object, o.Act, pipeline.Count(o.Tombstones, "tombstone", "tombstones"), o.RecordsBefore, o.RecordsAfter)
	}
	for _, l := range b.VersionsLost {
		fmt.Printf("lost         %s: %s of other people went with old version %s, under approval %d\n", l.Object, pipeline.Count(l.Records, "record", "records"), l.Version, l.Approval)
	}
	if d := b.Decided; d != nil {
		fmt.Printf("decided      by a person: %s included, %s excluded\n", pipeline.Count(d.Included, "record", "records"), pipeline.Count(d.Excluded, "record", "records"))
	}
	for _, x := range b.Exceptions {
		fmt.Printf("excepted     %s of %s under %s, kept: %s; review by %s\n", pipeline.Count(x.Records, "record", "records"), x.Dataset, x.Code, strings.Join(x.Fields, ", "), x.ReviewBy)
	}
	for _, x := range b.Deidentified {
		fmt.Printf("deidentified %s of %s, kept: %s; committed: %s\n", pipeline.Count(x.Records, "record", "records"), x.Dataset, strings.Join(x.Fields, ", "), x.Commitment)
	}
	for _, o := range b.Open {
		fmt.Printf("open         %s: %s: %s\n", o.Object, o.State, o.Reason)
	}
	for _, h := range b.HoldsRemoved {
		fmt.Printf("hold %-7d set %s by %s, removed %s by %s\n", h.N, h.Set, h.By, h.Removed, h.RemovedBy)
	}
	for _, o := range b.NotExamined {
		fmt.Printf("not examined %s: %s: %s\n", o.Object, o.Code, o.Reason)
	}
	for _, text := range b.NotCovered {
		fmt.Printf("not covered  %s\n", text)
	}
	fmt.Printf("verified     %s: %s and %s read back, %d left that nothing explains, %d on purpose\n", b.Verified.At,
		pipeline.Count(b.Verified.Objects, "object", "objects"), pipeline.Count(b.Verified.Records, "record", "records"), b.Verified.Residue, b.Verified.Expected)
	printEarlier(b)
	fmt.Println("`expunge verify` checks its signature and its place in the log")
	return nil
}
