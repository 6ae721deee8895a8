package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/catalog"
	"expunge/pipeline/closure"
	"expunge/pipeline/decision"
	"expunge/pipeline/engine"
	"expunge/pipeline/identity"
	"expunge/pipeline/intake"
	"expunge/pipeline/naming"
	"expunge/pipeline/plan"
	"expunge/pipeline/report"
	"expunge/pipeline/results"
	"expunge/pipeline/scan"
	"expunge/scanners"
)

// Limits of the walk over link ids.
const (
	maxDepth  = 8
	maxFanOut = 10_000
)

// job is one run: what the steps share.
type job struct {
	*app
	h       *header
	claimed []claimed
	recall  *recall
	workers int
	target  int64 // bytes of a batch; 0: by the size of the lake
	log     *slog.Logger

	stores  map[string]connectors.Store
	names   *naming.Names
	plan    *plan.Plan
	summary *plan.Summary
	catalog *catalog.Catalog
	filters *catalog.Filters
	results *results.Results
	closure *closure.Closure
	key     identity.Key
	index   int      // of the catalog
	bases   []string // by dataset
	rounds  []report.Round
	decided *decision.Set // of its requests
}

// do runs the steps and reports whether the run is COMPLETE.
func (j *job) do(ctx context.Context) (bool, error) {
	var err error
	if j.stores, err = j.app.stores(ctx); err != nil {
		return false, err
	}
	j.names = j.app.names(j.stores)
	if j.key, err = j.catalogKey(ctx); err != nil {
		return false, err
	}
	entries := make([]*intake.Entry, len(j.claimed))
	for i, c := range j.claimed {
		entries[i] = c.Entry
	}
	j.settle()
	if err := j.gather(ctx); err != nil {
		return false, err
	}
	if j.plan, err = j.planner(j.stores, entries, j.recall.ended, j.h.Run); err != nil {
		return false, err
	}
	j.catalog = &catalog.Catalog{Work: j.work, Keys: j.keys}
	j.plan.Basis = j.basis
	j.plan.Known = func(ctx context.Context) iter.Seq2[*catalog.Entry, error] { return j.catalog.Entries(ctx, j.h.Catalog) }
	j.watch.begin("plan")
	j.plan.Progress = j.listing()
	if j.summary, err = j.plan.Make(ctx); err != nil {
		return false, err
	}
	j.log.Info("planned", "objects", j.summary.Objects, "to_scan", j.summary.Scan, "bytes", humanize.IBytes(uint64(j.summary.ScanBytes)))
	for i := range j.cfg.Datasets {
		if d := &j.cfg.Datasets[i]; j.summary.ByDataset[d.Name] == 0 {
			j.log.Warn("a dataset matches no object", "dataset", d.Name, "at", d.At)
		}
	}
	j.filters = &catalog.Filters{Work: j.work, Keys: j.keys, Key: catalog.NewKey(j.key[:])}
	j.results = &results.Results{Work: j.work, Run: j.h.Run, Keys: j.keys}
	j.index = j.h.Catalog
	if j.decided, err = j.readDecisions(ctx, j.h); err != nil {
		return false, err
	}
	if err := j.seed(ctx); err != nil {
		return false, err
	}
	identities, err := (&closure.Store{Work: j.work, Keys: j.keys, Run: j.h.Run}).NewWriter()
	if err != nil {
		return false, err
	}
	defer identities.Close()
	for round := 1; ; round++ {
		j.watch.begin("rounds")
		if err := j.round(ctx, round); err != nil {
			return false, err
		}
		if round == 1 {
			j.watch.begin("catalog")
			if err := j.learn(ctx); err != nil {
				return false, err
			}
		}
		j.watch.begin("links")
		for _, do := range []func(*pipeline.Hit){j.closure.Meet, j.closure.Hit} {
			for f, err := range j.results.Hits(ctx, round, nil) {
				if err != nil {
					return false, err
				}
				do(&f.Hit)
			}
			j.closure.Met()
		}
		if err := identities.Add(j.closure.Round()); err != nil {
			return false, err
		}
		if !j.closure.Next() {
			break
		}
	}
	if err := j.fence(ctx); err != nil {
		return false, err
	}
	if err := identities.AddBeside(j.closure.Beside()); err != nil {
		return false, err
	}
	if err := identities.Store(ctx); err != nil {
		return false, err
	}
	return j.finish(ctx)
}

// planner makes the plan step from the config and the picked requests.
func (a *app) planner(stores map[string]connectors.Store, picked []*intake.Entry, ended map[pipeline.RequestRef]*intake.Entry, run string) (*plan.Plan, error) {
	matcher, err := a.cfg.Matcher()
	if err != nil {
		return nil, &coded{exitUsage, err}
	}
	p := &plan.Plan{
		Datasets: a.cfg.Datasets, Accounts: a.cfg.AccountIDs(), Demands: demands(picked, ended, a.cfg.Policy.Timezone),
		Work: a.work, Run: run, Keys: a.keys,
		Claim: func(store, key string) (plan.Claim, error) {
			dataset, captures, err := matcher.Find(store, key)
			if err != nil {
				return plan.Claim{}, &coded{exitUsage, err}
			}
			c := plan.Claim{Dataset: dataset, Captures: captures}
			if dataset < 0 {
				c.Ignore, _ = matcher.Ignored(store, key)
			}
			if dataset < 0 && strings.HasPrefix(key, scratch) {
				c.Ignore = "scratch of an erasure that was killed while it probed the store (erasing again removes it), or whose store lets nothing go"
			}
			return c, nil
		},
	}
	for _, s := range a.cfg.Stores {
		p.Sources = append(p.Sources, plan.Source{Name: s.Name, Store: stores[s.Name], Versions: s.Versions})
	}
	plan.SortSources(p.Sources)
	return p, nil
}

// demands says what the requests of each account ask for: those that were picked, and
// those of which something may have been delivered again.
func demands(picked []*intake.Entry, ended map[pipeline.RequestRef]*intake.Entry, zone *time.Location) map[string]plan.Demand {
	out := map[string]plan.Demand{}
	for _, e := range picked {
		r := e.Request
		d, seen := out[r.Account]
		var since time.Time
		if r.Window != nil && r.Window.Since != nil {
			since = r.Window.Since.Begin(zone)
		}
		if !seen || since.Before(d.Since) {
			d.Since = since
		}
		if !r.OnlyTells() {
			d.Deletes = true
		}
		out[r.Account] = d
	}
	for ref := range ended {
		out[ref.Account] = plan.Demand{Deletes: true}
	}
	return out
}

// seed begins the closure: with the requests' own identifiers, and with what was
// erased before.
func (j *job) seed(ctx context.Context) error {
	business := j.business()
	j.closure = closure.New(closure.Options{
		Business: func(account string, direct pipeline.Link, at int64) bool {
			canon := identity.Canon{Kind: direct.Kind, Value: pipeline.Secret(direct.Value)}
			return business(account, direct) || j.pool.At(account, canon, at)
		},
		Limits: closure.Limits{Depth: maxDepth, FanOut: maxFanOut},
		Digest: func(account string, link pipeline.Link) string {
			return j.keys.Digest("link", account, []byte(string(link.Kind)+"\x00"+link.Value))
		},
		Cutoff: j.cutoffs(), Periods: j.pool.Periods, DataPoints: j.dataPoints(),
	})
	for _, c := range j.claimed {
		if err := j.ask(j.closure, c.Request); err != nil {
			return err
		}
	}
	return j.recallInto(ctx, j.closure)
}

// business says which direct identifiers are the accounts' own.
func (a *app) business() func(account string, direct pipeline.Link) bool {
	own := map[string]map[pipeline.Secret]bool{}
	for i := range a.cfg.Accounts {
		own[a.cfg.Accounts[i].Name] = numbers(&a.cfg.Accounts[i], a.cfg.Policy.DefaultRegion)
	}
	return func(account string, direct pipeline.Link) bool {
		return direct.Kind == pipeline.Phone && own[account][pipeline.Secret(direct.Value)]
	}
}

// dataPoints says how many data points the requests need, and have from earlier runs.
func (j *job) dataPoints() func(pipeline.RequestRef) (needed, known int) {
	type points struct{ needed, known int }
	of := map[pipeline.RequestRef]points{}
	add := func(e *intake.Entry) {
		if needed, _ := j.cfg.DataPoints(e.Request.Account, e.Request.Rights); needed > 0 {
			of[e.Request.Ref()] = points{needed, e.Last.DataPoints}
		}
	}
	for _, c := range j.claimed {
		add(c.Entry)
	}
	for _, e := range j.recall.ended {
		add(e)
	}
	if len(of) == 0 {
		return nil
	}
	return func(ref pipeline.RequestRef) (needed, known int) { return of[ref].needed, of[ref].known }
}

// cutoffs says up to when records are each deletion's.
func (j *job) cutoffs() func(pipeline.RequestRef) int64 {
	of := map[pipeline.RequestRef]int64{}
	for _, c := range j.claimed {
		if c.Request.Has(pipeline.Delete) {
			of[c.Request.Ref()] = j.cutoff(c.Entry).UnixMilli()
		}
	}
	return func(ref pipeline.RequestRef) int64 {
		if at, ok := of[ref]; ok {
			return at
		}
		if past := j.recall.past.Covered[ref]; past != nil {
			return past.Cutoff
		}
		return pipeline.NoTime
	}
}

// ask puts a request's own identifiers into the closure.
func (j *job) ask(c *closure.Closure, r *pipeline.Request) error {
	for i, id := range r.Identifiers {
		canon, err := identity.Identify(id, j.cfg.Policy.DefaultRegion)
		if err != nil {
			return fmt.Errorf("request %s: identifiers[%d] of kind %s: %w; cancel it and submit a right one", r.Ref(), i, id.Kind, err)
		}
		c.Seed(r, id, canon)
	}
	return nil
}

// basis is what the validity of a dataset's catalog entries hangs on.
func (j *job) basis(dataset int) string { return j.bases[dataset] }

// settle works out the basis of every dataset, once: each of millions of objects asks.
func (j *job) settle() {
	accounts := j.cfg.AccountIDs()
	for i := range j.cfg.Datasets {
		j.bases = append(j.bases, basis(identity.TokenizerVersion, &j.cfg.Datasets[i], catalog.NewKey(j.key[:]), accounts))
	}
}

// basis digests what the filters and counts of an entry were made by. Where only a
// field tells whose a record is, records were counted by accounts' names and ids.
// The catalog key is told by what hangs on it alone, so that entries outlive the
// rotation of the work key that wraps it.
func basis(tokenizer string, d *pipeline.Dataset, key catalog.Key, accounts map[string]string) string {
	sum := sha256.New()
	e := json.NewEncoder(sum)
	_ = e.Encode([]any{catalog.Version, tokenizer, d.Digest, key}) // plain data into a hash
	if d.Account != "" {
		_ = e.Encode(accounts) // in the order of its keys
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// joined are the objects of the plan with what the catalog knows of them.
func (j *job) joined(ctx context.Context) iter.Seq2[catalog.Joined, error] {
	return catalog.Join(j.plan.Objects(ctx, j.summary), j.catalog.Entries(ctx, j.index))
}

// round scans what the round asks for.
func (j *job) round(ctx context.Context, n int) error {
	began := j.now()
	needles, asks := j.closure.Round()
	set := identity.Compile(j.key, j.cfg.Policy.DefaultRegion, needles)
	step := &scan.Scan{
		Stores: j.stores, Formats: formats(), Detect: detectFormat, Datasets: j.cfg.Datasets, Accounts: j.cfg.AccountIDs(),
		Keys: j.keys, Results: j.results, Name: j.names.Shown, Set: set, Asks: asks, CatalogKey: catalog.NewKey(j.key[:]),
		Policy: j.h.Review, Past: j.recall.past.Covered,
		Decided: func(h *pipeline.Hit, raw []byte, o *pipeline.Object) *pipeline.Decided {
			return j.decided.Hit(h, raw, o.ETag, func() []string { return j.names.IDs(o) })
		},
	}
	accounts := map[string]bool{}
	for _, needle := range needles {
		accounts[needle.Account] = true
	}
	target := j.target
	if target <= 0 {
		target = plan.BatchTarget(j.summary.ScanBytes)
	}
	sel := &plan.Selection{
		Asked: j.asked(needles, asks),
		Round: n, Target: target, Basis: j.basis, Filters: j.filters,
		Tokens: set.Tokens, Unfiltered: set.Unfiltered,
		Accounts: func() []string { return sorted(accounts) },
		Split: func(ctx context.Context, o *pipeline.Object, target int64) ([]scanners.Part, error) {
			return step.Split(ctx, o, target)
		},
	}
	done, err := j.results.Done(ctx, n)
	if err != nil {
		return err
	}
	batches := 0
	open := func(yield func(pipeline.Batch, error) bool) {
		for b, err := range sel.Batches(ctx, j.joined(ctx)) {
			if err == nil {
				batches++
				digest, stored := done[b.N]
				if stored && digest != b.Digest {
					err = fmt.Errorf("round %d, batch %d: %w: the program or the work store is not what it was when the run began", n, b.N, results.ErrOther)
				} else if stored {
					continue // an earlier try of this run has done it
				}
			}
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
	r := report.Round{Round: n, Needles: len(needles)}
	bar := progress(fmt.Sprintf("round %d", n), j.summary.ScanBytes, n == 1 && !j.flags.json)
	err = engine.Map(ctx, j.workers, open, step.Batch, func(_ pipeline.Batch, units []*pipeline.UnitResult) error {
		r.Batches++
		r.Units += int64(len(units))
		for _, u := range units {
			r.Bytes += u.Bytes
			bar(u.Object.Size)
		}
		return nil
	})
	bar(-1)
	if err != nil {
		return err
	}
	j.results.Expect(n, batches)
	r.Skipped, r.Seconds = sel.Skipped, j.now().Sub(began).Seconds()
	j.rounds = append(j.rounds, r)
	j.log.Info("scanned", "round", n, "needles", len(needles), "units", r.Units, "bytes", humanize.IBytes(uint64(r.Bytes)), "skipped", r.Skipped)
	return nil
}

// asked is a digest of all that a round searches for: the results of a batch hang
// on it as on the batch's units.
func (j *job) asked(needles []identity.Needle, asks [][]pipeline.Ask) string {
	sum := j.keys.Derive("asked", "").Hasher()
	e := json.NewEncoder(sum)
	_ = e.Encode([]string{identity.TokenizerVersion, j.cfg.Digest, j.cfg.Policy.DefaultRegion})
	for i, n := range needles {
		_ = e.Encode([]any{n.Account, n.Canon.Kind, n.Canon.Value.Reveal(), n.Canon.Ext.Reveal(), n.Canon.Doubt, n.Tier, n.Agent, n.Past, asks[i]}) // plain data into a hash
	}
	for _, ref := range slices.SortedFunc(maps.Keys(j.recall.past.Covered), pipeline.RequestRef.Compare) {
		of := j.recall.past.Covered[ref]
		_ = e.Encode([]any{ref, of.Cutoff, of.Copies})
	}
	return sum.Digest()
}

// learnt is runs/<run>/catalog.json: the index that later rounds ask.
type learnt struct {
	Version int `json:"version"`
	Index   int `json:"index"`
}

// learn writes what round 1 taught into the catalog, once per run: later rounds,
// and the same rounds of a resumed run, ask the same index.
func (j *job) learn(ctx context.Context) error {
	key := "runs/" + j.h.Run + "/catalog.json"
	var l learnt
	err := j.readDocument(ctx, "run", key, &l)
	if err == nil {
		j.index = l.Index
		return catalog.Forget(ctx, j.work, j.h.Run)
	}
	if !errors.Is(err, connectors.ErrNotFound) {
		return err
	}
	bases, err := j.results.Bases(ctx)
	if err != nil {
		return err
	}
	for u, err := range j.results.Units(ctx, 1) {
		if err != nil {
			return err
		}
		if u.Cataloged {
			merger := &catalog.Merger{Work: j.work, Keys: j.keys, Key: catalog.NewKey(j.key[:]), Run: j.h.Run, Filters: j.filters, Basis: j.basis, First: bases.Of}
			j.index, err = j.catalog.Write(ctx, j.h.Run, merger.Merge(ctx, j.joined(ctx), j.results.Units(ctx, 1)))
			if err != nil {
				return err
			}
			break
		}
	}
	if err := j.writeDocument(ctx, "run", key, learnt{Version: 1, Index: j.index}); err != nil {
		return err
	}
	return catalog.Forget(ctx, j.work, j.h.Run)
}
