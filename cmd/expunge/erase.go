package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"expunge/connectors"
	"expunge/connectors/retry"
	"expunge/connectors/s3"
	"expunge/pipeline"
	"expunge/pipeline/certificate"
	"expunge/pipeline/closure"
	"expunge/pipeline/config"
	"expunge/pipeline/engine"
	"expunge/pipeline/erase"
	"expunge/pipeline/hold"
	"expunge/pipeline/identity"
	"expunge/pipeline/intake"
	"expunge/pipeline/journal"
	"expunge/pipeline/manifest"
	"expunge/pipeline/naming"
	"expunge/pipeline/report"
)

// passes is how often an erasure tries objects that other writers change under it, or
// that the store fails for.
const passes = 3

// scratch is the prefix below a store where conditions are probed, per run. It is
// empty before and after, unless the store lets nothing go; what a killed try leaves, the
// next one sweeps, and plans pass it over.
const scratch = ".expunge-probe/"

func eraseCommand(f *flags) *cobra.Command {
	var accounts []string
	var workers int
	c := &cobra.Command{
		Use:   "erase RUN",
		Short: "Apply what is approved of a run's manifest, verify it, and write certificates; safe to repeat",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkWorkers(workers); err != nil {
				return err
			}
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
	names    *naming.Names
	resolve  manifest.Resolver
	matcher  *config.Matcher
	redacted func(t *manifest.Target, content string) (key, url, id string, err error) // see erase.Erase
	report   *report.Report                                                            // of the run; read when the first certificate is written
	log      *certificate.Log                                                          // that certificates are added to
	begun    bool                                                                      // an earlier try has written its journal: something may be gone
	since    time.Time                                                                 // when the run began
	idle     time.Time                                                                 // unfinished uploads that nobody has written to since then are nobody's any more

	touched map[string]bool                  // stores in which something is applied now
	applies map[pipeline.RequestRef]bool     // requests of which something is applied now
	stale   map[pipeline.RequestRef][]string // requests that have to be searched for again, with the datasets of what cannot be applied any more
	gone    []*intake.Entry                  // requests that wait to be erased, and whose bundle is gone
	beyond  map[string][]string              // by store, what it keeps beside what is searched; filled as certificates need it

	refused map[journal.Place]refused // versions of keys that are touched which the run could not examine, without their act
	unread  []journal.Entry           // REFUSED outcomes of the last pass

	holdsNow    []*hold.Hold // when it began; they are asked for again before each change
	heldRecords *heldRecords
	keptRecords map[string]*hold.Hold // by tombstone: those whose record stays, since a held identifier stands in it

	named map[int]map[string]bool // by hold, the ids of objects that it names; filled as certificates need it
	known int                     // the highest number of holds that the run, its approvals and its requests note
}

func (a *app) erase(ctx context.Context, run string, accounts []string, workers int) error {
	e := &erasure{app: a, workers: workers}
	if err := e.open(ctx, run, accounts, a.approvers()); err != nil {
		return err
	}
	out := erased{Run: run, Applied: map[string]int64{}, HeldBack: []erase.HeldBack{}, LeftAlone: []leftAlone{}, Open: []certificate.Open{}, Requests: []concluded{}}
	if err := e.load(ctx, &out); err != nil {
		return err
	}
	if err := e.reopen(ctx); err != nil {
		return err
	}
	for _, h := range e.permit.Held {
		if e.waits(h) {
			out.HeldBack = append(out.HeldBack, h)
		}
	}
	if e.permit.Any() && len(e.requests) > 0 {
		if err := e.leased(ctx, &out); err != nil {
			if c := (*coded)(nil); errors.As(err, &c) {
				return err
			}
			return fmt.Errorf("erase run %s: %w; run it again, it goes on where it was", run, err)
		}
	}
	if a.flags.json {
		if err := printJSON(out); err != nil {
			return err
		}
	} else if err := out.print(); err != nil {
		return err
	}
	return out.code()
}

// eraserTerm is how long a process that erases counts as alive after it was heard of.
const eraserTerm = 2 * time.Minute

// leased carries the erasure out under a lease of this process: whoever rotates the
// work key waits for it.
func (e *erasure) leased(ctx context.Context, out *erased) error {
	lease, err := e.claims().Join(ctx, e.m.Run, newOwner(), eraserTerm)
	if err != nil {
		return err
	}
	held, stop := keep(ctx, lease, eraserTerm, e.now)
	// the key may have been rotated before there was a lease to be seen
	if err = e.checkWorkKey(ctx); err == nil {
		err = e.carryOut(held, out)
	}
	lost := context.Cause(held)
	stop()
	if ctx.Err() == nil && errors.Is(lost, errLost) {
		return &coded{exitRefused, fmt.Errorf("erase run %s: %w: nothing more was written; run it again, it goes on where it was", e.m.Run, lost)}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	if end := lease.End(ctx); end != nil {
		e.flags.log().Warn("the lease could not be given back; it ends by itself", "run", e.m.Run, "err", end)
	}
	return err
}

// carryOut erases, verifies and certifies.
func (e *erasure) carryOut(ctx context.Context, out *erased) error {
	if _, _, err := e.signer(); err != nil { // before anything is written
		return err
	}
	if err := e.readReport(ctx); err != nil { // a certificate needs it
		return &coded{exitRefused, fmt.Errorf("%w: nothing was erased, since it could not be certified; put the file back from a copy of the work store", err)}
	}
	e.log = &certificate.Log{Work: e.work}
	if err := e.log.Ready(ctx); err != nil {
		err = fmt.Errorf("%w: nothing was erased, since it could not be certified; put certificate-log/ back from a copy of the work store", err)
		if errors.Is(err, certificate.ErrInvalid) {
			return &coded{exitRefused, err}
		}
		return err
	}
	if err := e.begin(ctx); err != nil {
		return err
	}
	if err := e.apply(ctx, out); err != nil {
		return err
	}
	past, err := e.journal().Past(ctx)
	if err != nil {
		return err
	}
	if out.Verified, err = e.verify(ctx, past, nil); err != nil {
		return err
	}
	e.setApart(out.Applied)
	return e.conclude(ctx, past, out.Verified, out)
}

func (e *erasure) journal() *journal.Journal {
	return &journal.Journal{Work: e.work, Keys: e.keys, Run: e.m.Run}
}

// eraseAtOnce approves what a run has sealed, where policy says that this is
// automatic, and erases it. Limits and holds keep back what they would keep back.
func (a *app) eraseAtOnce(ctx context.Context, run string, workers int) error {
	m, err := manifest.Read(ctx, a.work, a.keys, run)
	if errors.Is(err, connectors.ErrNotFound) {
		return nil // nothing was claimed
	}
	if err != nil || m.Rows == 0 {
		return err
	}
	approved, err := manifest.Approvals(ctx, a.work, a.keys, a.approvers(), m, 0)
	if err != nil {
		return err
	}
	if len(approved.Approvals) == 0 {
		holds, err := a.allHolds(ctx, 0)
		if err != nil {
			return err
		}
		by := manifest.Approval{By: "policy: approval: automatic", At: a.now().UTC().Format(time.RFC3339), Holds: hold.Highest(holds)}
		if _, err := manifest.Approve(ctx, a.work, a.keys, nil, m, by, nil); err != nil {
			return err
		}
	}
	return a.erase(ctx, run, nil, workers)
}

// heldBy is the hold that covers a tombstone, nil if none does.
func (e *erasure) heldBy(holds []*hold.Hold, r *manifest.Row) *hold.Hold {
	if len(holds) == 0 {
		return nil
	}
	ref, err := pipeline.ParseRequestRef(r.Request)
	if err != nil || e.requests[ref] == nil {
		return nil
	}
	return e.holdOf(e.names, holds, r, e.requests[ref].Request)
}

// holdOf is the hold that covers a tombstone of a request, nil if none does.
func (a *app) holdOf(names *naming.Names, holds []*hold.Hold, r *manifest.Row, of *pipeline.Request) *hold.Hold {
	s := hold.Subject{Account: of.Account, Request: of.ID, Digests: a.holdDigests(of)}
	for _, h := range holds {
		if h.Object != "" && s.Object == nil {
			s.Object = written(names, r)
		}
		if h.Covers(s) {
			return h
		}
	}
	return nil
}

// written are the names of a tombstone's object, its true one among them.
func written(names *naming.Names, r *manifest.Row) naming.Written {
	store, key, err := names.Resolve(r.Object, r.ObjectSealed)
	if err != nil {
		return naming.Written{r.Object} // in no store of the config: nothing of it can be erased
	}
	return names.Written(store, key, r.Object)
}

// hold makes a tombstone one that keeps its record.
func (e *erasure) hold(h *hold.Hold, r *manifest.Row) {
	code, instruction := hold.Code, fmt.Sprintf("hold %d", h.N)
	r.Disposition, r.Exception, r.Instruction, r.KeptFields = string(pipeline.Excepted), &code, &instruction, []string{}
}

// held is erase.Held: it asks for holds again, right before an object is changed, so that
// one that was set meanwhile counts.
func (e *erasure) held(ctx context.Context, t *manifest.Target, at *connectors.Object, whole bool) error {
	all, err := e.allHolds(ctx, hold.Highest(e.holdsNow))
	if err != nil {
		return err
	}
	for i := range t.Versions {
		for _, r := range t.Versions[i].Rows {
			if r.Disposition == string(pipeline.Excepted) {
				continue // it is known to stay
			}
			if h := e.heldBy(all, r); h != nil {
				return fmt.Errorf("hold %d was set meanwhile: %w", h.N, connectors.ErrHeld)
			}
		}
	}
	if at == nil {
		return nil
	}
	h, err := e.heldRecords.keeps(ctx, all, t, at, whole)
	if err != nil || h == nil {
		return err
	}
	return fmt.Errorf("hold %d names an identifier that stands in it: %w", h.N, connectors.ErrHeld)
}

// begin probes the stores that are written to, and notes that erasing begins.
func (e *erasure) begin(ctx context.Context) error {
	for _, c := range e.cfg.Stores {
		if e.touched[c.Name] {
			if err := e.probe(ctx, c); err != nil {
				return err
			}
		}
	}
	for ref, entry := range e.requests {
		if entry.State != pipeline.AwaitingApproval && entry.State != pipeline.Blocked || !e.applies[ref] {
			continue
		}
		if err := e.app.requests().Append(ctx, ref, intake.Event{State: pipeline.Erasing, Run: e.m.Run, Left: entry.Last.Left, Holds: hold.Highest(e.holdsNow)}); err != nil {
			return err
		}
		entry.State, entry.Last.State, entry.Last.Reason = pipeline.Erasing, pipeline.Erasing, ""
	}
	return nil
}

// probes can show whether they honour conditions; a directory's are this program's own.
type probes interface {
	Probe(ctx context.Context, scratch, own string) (s3.Conditions, error)
	Sweep(ctx context.Context, scratch string) error
}

// probe refuses a store that does not honour the conditions that erasing rests on.
func (e *erasure) probe(ctx context.Context, c config.Store) error {
	store, err := e.vendor(ctx, c)
	if err != nil {
		return fmt.Errorf("open store %q: %w", c.Name, err)
	}
	prober, ok := store.(probes)
	if !ok {
		return nil
	}
	var got s3.Conditions
	err = retry.Do(ctx, retries, func() (err error) {
		if got, err = prober.Probe(ctx, scratch, e.m.Run); err != nil {
			return err
		}
		if got.Left != "" {
			e.flags.log().Warn("the store keeps what was written to it to try its conditions, since it locks what is written or does not let versions be deleted; later erasures try the same object", "store", c.Name, "object", got.Left)
		}
		return prober.Sweep(ctx, scratch+e.m.Run+"/")
	})
	if err != nil {
		return fmt.Errorf("store %q: %w", c.Name, err)
	}
	if !got.All() {
		return &coded{exitRefused, fmt.Errorf("store %q does not honour the conditions that erasing rests on (%+v): nothing was erased", c.Name, got)}
	}
	return nil
}

// apply erases, window by window; objects that others change meanwhile, or that the
// store fails for, are tried again.
func (e *erasure) apply(ctx context.Context, out *erased) error {
	states := out.Applied
	identities := &closure.Store{Work: e.work, Keys: e.keys, Run: e.m.Run}
	needles, asks, beside, err := identities.ReadAll(ctx, func(r pipeline.RequestRef) bool { return e.requests[r] != nil })
	if err != nil {
		return err
	}
	var id [4]byte
	_, _ = rand.Read(id[:]) // never fails since Go 1.24
	cutoff, err := e.cutoffs(ctx)
	if err != nil {
		return err
	}
	var h header
	if err := e.readDocument(ctx, "run", headerKey(e.m.Run), &h); err != nil {
		return err
	}
	decided, err := e.readDecisions(ctx, &h)
	if err != nil {
		return err
	}
	key, err := e.catalogKey(ctx)
	if err != nil {
		return err
	}
	others := &others{e: e}
	for pass := 1; ; pass++ {
		clear(states)
		out.VersionsLost = 0
		e.unread = nil
		var versions int64
		say := tell(e.now, e.flags.log(), "erasing")
		log := e.journal()
		past, err := log.Past(ctx)
		if err != nil {
			return err
		}
		step := &erase.Erase{
			Stores: e.stores, Formats: formats(), Detect: detectFormat, Datasets: e.cfg.Datasets, Keys: e.keys,
			Journal: log, Past: past, KeepOld: e.cfg.Policy.Noncurrent == "keep", Lost: e.approved.Lost, Held: e.held, Theirs: others.of, Idle: e.idle,
			Region: e.cfg.Policy.DefaultRegion, Own: e.own(beside), Cutoff: cutoff, Excluded: decided.Excluded, Redacted: e.redacted,
			Identities: identity.Compile(key, e.cfg.Policy.DefaultRegion, needles), Asks: asks,
		}
		try := fmt.Sprintf("%s-%s-%d", e.now().UTC().Format("20060102T150405Z"), hex.EncodeToString(id[:]), pass)
		err = engine.Map(ctx, e.workers, erase.Windows(try, manifest.Targets(e.rows(ctx), e.resolve)), step.Apply,
			func(_ erase.Window, outcomes []journal.Entry) error {
				for _, o := range outcomes {
					if o.Reason == journal.Overwritten {
						continue // the version that was replaced is counted
					}
					if states[string(o.State)]++; o.State.Final() {
						out.VersionsLost += o.Lost
					}
					versions++
					if o.State == journal.Refused {
						e.unread = append(e.unread, o)
					}
				}
				say("pass", pass, "versions", versions)
				return nil
			})
		if err != nil {
			return err
		}
		e.flags.log().Info("erased", "pass", pass, "versions", versions)
		if states[string(journal.Conflict)]+states[string(journal.Failed)] == 0 || pass == passes {
			return nil
		}
	}
}
