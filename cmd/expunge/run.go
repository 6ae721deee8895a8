package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/catalog"
	"expunge/pipeline/claim"
	"expunge/pipeline/intake"
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

// header is runs/<run>/run.json: what a resumed run needs to be the same run.
type header struct {
	Version  int                   `json:"version"`
	Run      string                `json:"run"`
	Started  time.Time             `json:"started"`
	Config   string                `json:"config"`          // digest
	Batch    int64                 `json:"batch,omitempty"` // bytes; 0: by the size of the lake
	Catalog  int                   `json:"catalog"`         // the index that round 1 asks: batches hang on it
	Requests []pipeline.RequestRef `json:"requests"`
}

func (a *app) run(ctx context.Context, o *runOptions) error {
	log := a.flags.log()
	picked, err := a.pick(ctx, o)
	if err != nil {
		return err
	}
	if o.dryRun {
		return a.dryRun(ctx, picked)
	}
	for _, e := range picked {
		if e.Request.WantsBundle() && a.cfg.Bundles.Encryption != "none" {
			return usage("request %s asks for a bundle, and sealed bundles are not written yet: say bundles: {encryption: none} to have readable ones in the work store", e.Request.Ref())
		}
	}
	h := &header{Version: 1, Run: o.resume, Started: a.now().UTC(), Config: a.cfg.Digest, Batch: o.batch}
	if o.resume == "" {
		if len(picked) == 0 {
			fmt.Println("nothing to do: no open request")
			return nil
		}
		h.Run = newRun(h.Started)
		if h.Catalog, err = (&catalog.Catalog{Work: a.work}).Latest(ctx); err != nil {
			return err
		}
	} else if err := a.readHeader(ctx, h); err != nil {
		return err
	}
	owner := make([]byte, 8)
	if _, err := rand.Read(owner); err != nil {
		return err
	}
	lease, err := a.claims().Lease(ctx, h.Run, hex.EncodeToString(owner), o.lease)
	if errors.Is(err, claim.ErrLeased) {
		return &coded{exitRefused, fmt.Errorf("run %s: %w", h.Run, err)}
	}
	if err != nil {
		return fmt.Errorf("lease run %s: %w", h.Run, err)
	}
	claimed, err := a.claim(ctx, h, o.resume != "", picked)
	if err != nil {
		return err
	}
	if len(claimed) == 0 {
		fmt.Println("nothing to do: every open request is claimed by another run")
		return lease.End(ctx)
	}
	log.Info("run begins", "run", h.Run, "requests", len(claimed))
	ctx, stop := renew(ctx, lease, o.lease)
	defer stop()
	j := &job{app: a, h: h, claimed: claimed, workers: o.workers, log: log, target: h.Batch}
	complete, err := j.do(ctx)
	if err != nil {
		stop()
		_ = lease.End(context.WithoutCancel(ctx)) // so that the run can be resumed at once; else its term ends it
		return fmt.Errorf("run %s: %w; expunge run --resume %s goes on with it", h.Run, err, h.Run)
	}
	stop()
	for _, c := range claimed {
		if err := a.claims().Release(context.WithoutCancel(ctx), c.claim); err != nil && !errors.Is(err, claim.ErrFenced) {
			return err
		}
	}
	if err := lease.End(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	if !complete {
		return &coded{exitIncomplete, fmt.Errorf("run %s is INCOMPLETE: see runs/%s/report.html in the work store", h.Run, h.Run)}
	}
	return nil
}

func newRun(now time.Time) string {
	var b [3]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return now.Format("20060102T150405Z") + "-" + hex.EncodeToString(b[:])
}

// renew keeps a lease alive while a run works; when that fails, the run stops.
func renew(ctx context.Context, lease *claim.Lease, term time.Duration) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(term / 4)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if err := lease.Renew(ctx); errors.Is(err, claim.ErrFenced) {
					cancel(err)
					return
				}
			}
		}
	}()
	return ctx, func() { cancel(nil); <-done }
}

// claimed is a request that this run has.
type claimed struct {
	*intake.Entry
	claim claim.Claim
}

// pick returns the open requests that the options name.
func (a *app) pick(ctx context.Context, o *runOptions) ([]*intake.Entry, error) {
	wanted := map[pipeline.RequestRef]bool{}
	for _, s := range o.requests {
		ref, err := pipeline.ParseRequestRef(s)
		if err != nil {
			return nil, usage("--request: %w", err)
		}
		wanted[ref] = false
	}
	var picked []*intake.Entry
	for e, err := range a.requests().Load(ctx) {
		if err != nil {
			return nil, err
		}
		ref := e.Request.Ref()
		if _, named := wanted[ref]; named {
			wanted[ref] = true
		} else if len(wanted) > 0 {
			continue
		}
		if o.urgent && !e.Request.Urgent {
			continue
		}
		if e.State == pipeline.Received || e.State == pipeline.Claimed {
			picked = append(picked, e)
		}
	}
	for ref, found := range wanted {
		if !found {
			return nil, usage("request %s is not known; submit it first", ref)
		}
	}
	return picked, nil
}

// claim claims the picked requests, or those of a run that is resumed.
func (a *app) claim(ctx context.Context, h *header, resumed bool, picked []*intake.Entry) ([]claimed, error) {
	of := map[pipeline.RequestRef]bool{}
	for _, ref := range h.Requests {
		of[ref] = true
	}
	var out []claimed
	for _, e := range picked {
		ref := e.Request.Ref()
		if resumed && !of[ref] {
			continue
		}
		c, err := a.claims().Take(ctx, ref, h.Run)
		if errors.Is(err, claim.ErrClaimed) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("claim %s: %w", ref, err)
		}
		out = append(out, claimed{e, c})
		if !resumed {
			h.Requests = append(h.Requests, ref)
			err := a.requests().Append(ctx, ref, intake.Event{State: pipeline.Claimed, Run: h.Run})
			if errors.Is(err, intake.ErrWithdrawn) { // since it was picked
				out, h.Requests = out[:len(out)-1], h.Requests[:len(h.Requests)-1]
				continue
			}
			if err != nil {
				return nil, err
			}
		}
	}
	if resumed {
		if len(out) < len(h.Requests) {
			return nil, &coded{exitRefused, fmt.Errorf("run %s: %d of its %d requests have ended or are claimed by another run; begin a new run", h.Run, len(h.Requests)-len(out), len(h.Requests))}
		}
		return out, nil
	}
	if len(out) == 0 {
		return nil, nil
	}
	b, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return nil, err
	}
	if _, err := a.work.Create(ctx, "runs/"+h.Run+"/run.json", newReader(append(b, '\n'))); err != nil {
		return nil, fmt.Errorf("begin run: %w", err)
	}
	return out, nil
}

func (a *app) readHeader(ctx context.Context, h *header) error {
	run := h.Run
	if err := readJSON(ctx, a.work, "runs/"+run+"/run.json", h); err != nil {
		if errors.Is(err, connectors.ErrNotFound) {
			return usage("run %s is not known", run)
		}
		return err
	}
	if h.Config != a.cfg.Digest {
		return usage("run %s began under other settings; resume it with the config it began with, or begin a new run", run)
	}
	return nil
}

// dryRun says what a run would read.
func (a *app) dryRun(ctx context.Context, picked []*intake.Entry) error {
	stores, err := a.stores(ctx)
	if err != nil {
		return err
	}
	p, err := a.planner(stores, picked, "")
	if err != nil {
		return err
	}
	s, err := p.Estimate(ctx)
	if err != nil {
		return err
	}
	if a.flags.json {
		return printJSON(s)
	}
	fmt.Printf("requests      %d\n", len(picked))
	fmt.Printf("objects       %s (%s)\n", humanize.Comma(s.Objects), humanize.IBytes(uint64(s.Bytes)))
	fmt.Printf("may be opened %s (%s), less what the catalog rules out\n", humanize.Comma(s.Scan), humanize.IBytes(uint64(s.ScanBytes)))
	for class, n := range s.ByClass {
		fmt.Printf("  %-11s %s\n", class, humanize.IBytes(uint64(n)))
	}
	for code, n := range s.Pruned {
		fmt.Printf("not opened    %s: %s\n", humanize.Comma(n), code)
	}
	for where, n := range s.Undeclared {
		fmt.Printf("UNDECLARED    %s below %s\n", humanize.Comma(n), where)
	}
	return nil
}

func newReader(b []byte) *bytes.Reader { return bytes.NewReader(b) }

func readJSON(ctx context.Context, store connectors.Store, key string, v any) error {
	body, err := store.Open(ctx, connectors.Ref{Key: key}, connectors.All)
	if err != nil {
		return fmt.Errorf("open %s: %w", key, err)
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	return nil
}

func printJSON(v any) error {
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
