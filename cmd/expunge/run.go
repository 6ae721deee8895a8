package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/catalog"
	"expunge/pipeline/claim"
	"expunge/pipeline/hold"
	"expunge/pipeline/intake"
	"expunge/pipeline/results"
	"expunge/pipeline/rotate"
	"expunge/pipeline/seal"
)

type runOptions struct {
	requests []string
	urgent   bool
	resume   string
	dryRun   bool
	workers  int
	batch    int64
	lease    time.Duration // how long a dead run keeps its requests
}

func runCommand(f *flags) *cobra.Command {
	o := &runOptions{}
	c := &cobra.Command{
		Use:   "run",
		Short: "Search the lake for all open requests; write bundles, a sealed manifest and a report",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			a, err := open(c.Context(), f)
			if err != nil {
				return err
			}
			return a.run(c.Context(), o)
		},
	}
	c.Flags().StringArrayVar(&o.requests, "request", nil, "only this ACCOUNT/ID (repeatable)")
	c.Flags().BoolVar(&o.urgent, "urgent", false, "only urgent requests")
	c.Flags().StringVar(&o.resume, "resume", "", "go on with this run")
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "say what would be read; write nothing")
	c.Flags().IntVar(&o.workers, "workers", 4, "batches at a time")
	c.Flags().Int64Var(&o.batch, "batch-bytes", 0, "about how many bytes a batch and a part of a large object have; 0: by the size of the lake")
	c.Flags().DurationVar(&o.lease, "lease", 10*time.Minute, "how long a run that died keeps its requests from others")
	return c
}

// check refuses numbers that no run can work with: a lease that is over before it can
// be renewed leaves its requests claimed and unsearched.
func (o *runOptions) check() error {
	if err := checkWorkers(o.workers); err != nil {
		return err
	}
	switch {
	case o.batch < 0:
		return usage("--batch-bytes must not be negative; 0 goes by the size of the lake")
	case o.lease < time.Second:
		return usage("--lease must be at least 1s")
	}
	return nil
}

func checkWorkers(n int) error {
	if n < 1 {
		return usage("--workers must be at least 1")
	}
	return nil
}

// header is runs/<run>/run.json: what a resumed run needs to be the same run.
type header struct {
	Version  int                   `json:"version"`
	Run      string                `json:"run"`
	Started  time.Time             `json:"started"`
	Config   string                `json:"config"`          // digest
	KeyID    string                `json:"key_id"`          // of the work key: results hang on it
	Batch    int64                 `json:"batch,omitempty"` // bytes; 0: by the size of the lake
	Cutoff   string                `json:"cutoff"`          // policy's, which bounds what the manifest covers
	Catalog  int                   `json:"catalog"`         // the index that round 1 asks: batches hang on it
	Requests []pipeline.RequestRef `json:"requests"`
	Blocked  []blocked             `json:"blocked,omitempty"` // picked, and not searched for
	Review   pipeline.Policy       `json:"review,omitempty"`  // the accounts' tiers that a person decides on, as they were
	Recalls  bool                  `json:"recalls,omitempty"` // it looks for what was delivered again of requests that were answered, too
	Holds    int                   `json:"holds,omitempty"`   // the highest number of legal holds when the run began
	others   *claim.Claimed        // one that another run has, while this one begins
	Decided  map[string]int        `json:"decided,omitempty"` // by request: how many files of decisions there were when the run began; later ones are the next run's
}

// blocked is a request that cannot be searched for as it is.
type blocked struct {
	Request pipeline.RequestRef `json:"request"`
	Reason  string              `json:"reason"`
}

func headerKey(run string) string { return "runs/" + run + "/run.json" }

func (a *app) run(ctx context.Context, o *runOptions) error {
	h := &header{Version: 1, Run: o.resume, Started: a.now().UTC(), Config: a.cfg.Digest, KeyID: rotate.ID(a.keys), Cutoff: a.cfg.Policy.Cutoff, Review: a.policy(), Batch: o.batch}
	if o.resume != "" {
		if len(o.requests) > 0 || o.urgent || o.dryRun {
			return usage("--resume goes on with the requests that the run has: leave out --request, --urgent and --dry-run")
		}
		if err := a.readHeader(ctx, h); err != nil {
			return err
		}
	}
	a.watch.begin("intake")
	picked, ended, err := a.pick(ctx, o, h)
	if err != nil {
		return err
	}
	if o.dryRun {
		return a.dryRun(ctx, picked, ended)
	}
	a.sweep(ctx)
	went, deferred, err := a.goOn(ctx, o.workers)
	if err != nil {
		return err
	}
	if went { // what is to be searched for again by that is so in this run
		if picked, ended, err = a.pick(ctx, o, h); err != nil {
			return err
		}
	}
	return worse(ctx, a.search(ctx, o, h, picked, ended), deferred)
}

// search does the run for the requests that were picked.
func (a *app) search(ctx context.Context, o *runOptions, h *header, picked []*intake.Entry, ended map[pipeline.RequestRef]*intake.Entry) error {
	var err error
	if len(picked)+len(ended) == 0 {
		fmt.Println("nothing to do: no open request")
		return nil
	}
	if err := a.reach(ctx); err != nil { // before anything is claimed
		return err
	}
	if err := a.readPool(ctx); err != nil {
		return err
	}
	if o.resume == "" {
		h.Run, h.Recalls = newRun(h.Started), len(ended) > 0
		if h.Catalog, err = (&catalog.Catalog{Work: a.work, Keys: a.keys}).Latest(ctx); err != nil {
			return err
		}
		all, err := a.allHolds(ctx, 0)
		if err != nil {
			return err
		}
		h.Holds = hold.Highest(all)
	}
	lease, err := a.lease(ctx, h.Run, o.lease)
	if err != nil {
		return err
	}
	held, stop := keep(ctx, lease, o.lease, a.now)
	complete, err := a.begin(held, o, h, picked, ended)
	lost := context.Cause(held)
	stop()
	if ctx.Err() == nil && (errors.Is(lost, errLost) || errors.Is(err, errLost)) {
		return &coded{exitRefused, fmt.Errorf("run %s: %w: nothing more was written; `expunge run --resume %s` goes on with it, unless another process does", h.Run, cmp.Or(lost, err), h.Run)}
	}
	end := func() error { // so that others need not wait for the lease's term
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
		defer cancel()
		return lease.End(ctx)
	}
	if err != nil {
		_ = end()
		return a.failed(ctx, h, err)
	}
	if err := end(); err != nil {
		a.flags.log().Warn("the lease could not be given back; it ends by itself", "run", h.Run, "err", err)
	}
	if a.cfg.Policy.Approval == "automatic" && h.Run != "" {
		err = a.eraseAtOnce(ctx, h.Run, o.workers)
	}
	if !complete {
		return worse(ctx, err, &coded{exitIncomplete, fmt.Errorf("run %s is INCOMPLETE: see runs/%s/report.html in the work store", h.Run, h.Run)})
	}
	return err
}

// failed says what became of a run that did not come to its end, and what to do.
func (a *app) failed(ctx context.Context, h *header, err error) error {
	switch {
	case errors.As(err, new(*unbegun)):
		return err // nothing was done
	case ctx.Err() != nil:
		return fmt.Errorf("run %s was interrupted; `expunge run --resume %s` goes on with it", h.Run, h.Run)
	case errors.Is(err, results.ErrOther):
		return &coded{exitRefused, fmt.Errorf("run %s: %w; begin a new run", h.Run, err)}
	case errors.Is(err, seal.ErrForged):
		return fmt.Errorf("run %s: %w", h.Run, err)
	}
	return fmt.Errorf("run %s: %w; `expunge run --resume %s` goes on with it", h.Run, err, h.Run)
}

// unbegun marks an error after which there is no run to resume.
type unbegun struct{ error }

func (u *unbegun) Unwrap() error { return u.error }

// endTime is how long a run that ends may take to give its lease back.
const endTime = 30 * time.Second

// begin claims the requests and does the job. ctx ends when the lease is lost.
func (a *app) begin(ctx context.Context, o *runOptions, h *header, picked []*intake.Entry, ended map[pipeline.RequestRef]*intake.Entry) (complete bool, err error) {
	claimed, err := a.claim(ctx, o, h, picked, slices.SortedFunc(maps.Keys(ended), pipeline.RequestRef.Compare))
	if err != nil {
		return false, err
	}
	for _, b := range h.Blocked {
		a.flags.log().Warn("request is BLOCKED", "request", b.Request.String(), "reason", b.Reason)
	}
	if len(claimed)+len(ended) == 0 {
		if len(h.Blocked) > 0 {
			return false, &unbegun{&coded{exitIncomplete, fmt.Errorf("nothing to do: %s BLOCKED, such as %s: %s", pipeline.Count(len(h.Blocked), "request is", "requests are"), h.Blocked[0].Request, h.Blocked[0].Reason)}}
		}
		if o := h.others; o != nil {
			fmt.Printf("nothing to do: every open request is claimed by another run, such as %s by run %s, whose lease is good until %s\n", o.Request, o.Run, o.Until.UTC().Format(time.RFC3339))
			return true, nil
		}
		fmt.Println("nothing to do: no open request is left")
		return true, nil
	}
	a.flags.log().Info("run begins", "run", h.Run, "requests", len(claimed), "answered", len(ended))
	recall, err := a.recall(ctx, h, claimed, ended)
	if err != nil {
		return false, err
	}
	j := &job{app: a, h: h, claimed: claimed, recall: recall, workers: o.workers, log: a.flags.log(), target: h.Batch}
	if complete, err = j.do(ctx); err != nil {
		return false, err
	}
	if err := a.release(ctx, claimed); err != nil {
		a.flags.log().Warn("claims could not be given back; they end with the run's lease", "run", h.Run, "err", err)
	}
	return complete, nil
}

func newRun(now time.Time) string {
	var b [3]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return now.Format("20060102T150405Z") + "-" + hex.EncodeToString(b[:])
}

func (a *app) readHeader(ctx context.Context, h *header) error {
	run := h.Run
	if run != path.Base(run) {
		return usage("%q is no run", run)
	}
	if err := a.readDocument(ctx, "run", headerKey(run), h); err != nil {
		if errors.Is(err, connectors.ErrNotFound) {
			return usage("run %s is not known", run)
		}
		return err
	}
	if h.Run != run {
		return &coded{exitRefused, fmt.Errorf("%s is of run %s; begin a new run", headerKey(run), h.Run)}
	}
	if h.Config != a.cfg.Digest {
		return usage("run %s began under other settings; resume it with the config it began with, or begin a new run", run)
	}
	if h.KeyID != rotate.ID(a.keys) {
		return usage("run %s began under another work key: resume it with that one before `expunge keys rotate`, or begin a new run", run)
	}
	return nil
}

func newReader(b []byte) *bytes.Reader { return bytes.NewReader(b) }

func readJSON(ctx context.Context, store connectors.Store, key string, v any) error {
	b, err := connectors.ReadAll(ctx, store, key)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	return nil
}

// writeDocument writes a file that people may read and nobody without the work
// key can write.
func (a *app) writeDocument(ctx context.Context, purpose, key string, v any) error {
	b, err := a.keys.Write(seal.Document{Purpose: purpose, File: key}, v)
	if err != nil {
		return err
	}
	if _, err := a.work.Create(ctx, key, newReader(b)); err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	return nil
}

// readDocument reads what writeDocument wrote.
func (a *app) readDocument(ctx context.Context, purpose, key string, v any) error {
	b, err := connectors.ReadAll(ctx, a.work, key)
	if err != nil {
		return err
	}
	return a.keys.Read(seal.Document{Purpose: purpose, File: key}, b, v)
}

func printJSON(v any) error {
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
