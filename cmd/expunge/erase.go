package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"expunge/connectors"
	"expunge/connectors/retry"
	"expunge/connectors/s3"
	"expunge/pipeline"
	"expunge/pipeline/bundle"
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
// empty before and after; what a killed try leaves, the next one sweeps, and plans
// pass it over.
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
	resolve  manifest.Resolver
	redacted func(t *manifest.Target, content string) (key, url, id string, err error) // see erase.Erase
	report   *report.Report                                                            // of the run; read when the first certificate is written
	begun    bool                                                                      // an earlier try has written its journal: something may be gone
	idle     time.Time                                                                 // unfinished uploads that nobody has written to since then are nobody's any more

	beyond map[string][]string // by store, what it keeps beside what is searched; filled as certificates need it

	holdsNow []*hold.Hold // when it began; they are asked for again before each change
	known    int          // the highest number of holds that the run, its approvals and its requests note
}

// erased is what erase says on stdout.
type erased struct {
	Run       string             `json:"run"`
	Applied   map[string]int64   `json:"applied"` // object versions, by state
	OnHold    int64              `json:"on_hold"` // tombstones that a legal hold covers
	HeldBack  []erase.HeldBack   `json:"held_back"`
	LeftAlone []leftAlone        `json:"left_alone"`
	Verified  *proof             `json:"verified,omitempty"`
	Open      []certificate.Open `json:"open"` // object versions that were not erased as they should, each once
	Requests  []concluded        `json:"requests"`

	named map[[3]string]bool // what is in Open
}

// leftAlone is a request of the manifest that is not touched.
type leftAlone struct {
	Request string `json:"request"`
	Reason  string `json:"reason"`

	unsafe bool // it should have been touched
}

// concluded is where a request stands after its tombstones were applied.
type concluded struct {
	Request     string `json:"request"`
	State       string `json:"state"`
	Reason      string `json:"reason,omitempty"`
	Certificate string `json:"certificate,omitempty"` // in the work store
}

func (a *app) erase(ctx context.Context, run string, accounts []string, workers int) error {
	e := &erasure{app: a, workers: workers}
	if err := e.open(ctx, run, accounts); err != nil {
		return err
	}
	out := erased{Run: run, Applied: map[string]int64{}, HeldBack: slices.Concat([]erase.HeldBack{}, e.permit.Held), LeftAlone: []leftAlone{}, Open: []certificate.Open{}, Requests: []concluded{}}
	if err := e.load(ctx, &out); err != nil {
		return err
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
	if err := e.begin(ctx); err != nil {
		return err
	}
	if err := e.apply(ctx, out.Applied); err != nil {
		return err
	}
	past, err := e.journal().Past(ctx)
	if err != nil {
		return err
	}
	if out.Verified, err = e.verify(ctx, past); err != nil {
		return err
	}
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
	approved, err := manifest.Approvals(ctx, a.work, a.keys, a.approvers(), m)
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

// open reads the manifest and its approvals, and decides what may be applied.
func (e *erasure) open(ctx context.Context, run string, accounts []string) error {
	var err error
	e.m, err = manifest.Read(ctx, e.work, e.keys, run)
	if errors.Is(err, connectors.ErrNotFound) {
		return e.noManifest(ctx, run, "sealed manifest")
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
		settings[d.Name] = d.Settings
	}
	if err := e.fromRun(ctx); err != nil {
		return err
	}
	if e.begun, err = e.journal().Begun(ctx); err != nil {
		return err
	}
	for _, a := range e.approved.Approvals {
		e.known = max(e.known, a.Holds)
	}
	e.permit = erase.Decide(e.m, e.approved, erase.Policy{
		MaxRecords: e.cfg.Policy.MaxRunRecords, Settings: settings,
		Limits: manifest.Limits{Fraction: e.cfg.Policy.MaxEraseFraction, MinRecords: e.cfg.Policy.MinRecords}, Begun: e.begun,
	}, e.now(), accounts)
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
			return manifest.Target{}, &coded{exitRefused, fmt.Errorf("object %s: dataset %q does not claim it any more; nothing more was erased: mend the config, or run the requests again", r.Object, r.Dataset)}
		}
		account, _ := e.cfg.AccountOf(captures["account"])
		return manifest.Target{Store: store, Key: key, Dataset: dataset, Account: account}, nil
	}
	e.redacted = func(t *manifest.Target, content string) (key, url, id string, err error) {
		return redactedKey(names, matcher, t, content)
	}
	return nil
}

// redactedKey is the key that what stays of an object moves to, with the URL that outputs
// show and its id: one that the same dataset claims for the same account, and in which
// nothing identifies.
func redactedKey(names *naming.Names, matcher *config.Matcher, t *manifest.Target, content string) (key, url, id string, err error) {
	dataset, captures, err := matcher.Find(t.Store, t.Key)
	if err != nil {
		return "", "", "", err
	}
	o := pipeline.Object{Dataset: dataset, Captures: captures, Account: t.Account}
	o.Store, o.Key = t.Store, t.Key
	fill := func(f func(capture, value string) string) (string, error) { return matcher.Fill(t.Store, t.Key, f) }
	if key, err = names.Moved(&o, content, fill); err != nil {
		return "", "", "", err
	}
	account := captures["account"]
	if o.Dataset, o.Captures, err = matcher.Find(t.Store, key); err != nil {
		return "", "", "", fmt.Errorf("%w: %w", erase.ErrNoKey, err)
	}
	o.Key = key
	if o.Dataset != dataset || o.Captures["account"] != account || key == t.Key {
		return "", "", "", erase.ErrNoKey
	}
	ref := names.Ref(&o)
	if ref.Identifying {
		return "", "", "", erase.ErrNoKey
	}
	return key, ref.URL, ref.ID, nil
}

// uploadRest is how long nobody has written to an unfinished upload that is given up.
const uploadRest = time.Hour

// fromRun takes what the run notes of itself: how many holds there were, and when it
// began. Unfinished uploads are given up that were left alone for a while, and since
// before the run's search: a later one is new data.
func (e *erasure) fromRun(ctx context.Context) error {
	var h header
	if err := e.readDocument(ctx, "run", headerKey(e.m.Run), &h); err != nil {
		return err
	}
	e.known = h.Holds
	if e.idle = e.now().Add(-uploadRest); h.Started.Before(e.idle) {
		e.idle = h.Started
	}
	return nil
}

// load reads where the manifest's requests stand, and the holds, of which none that was
// known may be missing. What was withdrawn is left alone.
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
			e.known = max(e.known, entry.Last.Holds)
			if why := e.notOurs(entry); why != "" {
				out.LeftAlone = append(out.LeftAlone, leftAlone{Request: ref.String(), Reason: why})
				continue
			}
			if why := e.app.unsearchable(entry.Request); why != "" && !e.begun {
				out.LeftAlone = append(out.LeftAlone, leftAlone{Request: ref.String(), unsafe: true, Reason: "the config does not take it any more: " + why})
				continue
			}
			if entry.WantsBundle() && entry.State == pipeline.AwaitingApproval {
				if err := e.handedOver(ctx, ref); err != nil { // access comes before deletion
					if ctx.Err() != nil {
						return ctx.Err()
					}
					out.LeftAlone = append(out.LeftAlone, leftAlone{Request: ref.String(), unsafe: true, Reason: "its bundle cannot be read back, and nothing is erased before it was handed over: " + err.Error()})
					continue
				}
			}
			e.requests[ref] = entry
		}
	}
	slices.SortFunc(out.LeftAlone, func(a, b leftAlone) int { return strings.Compare(a.Request, b.Request) })
	var err error
	e.holdsNow, err = e.allHolds(ctx, e.known)
	return err
}

// handedOver checks that what the manifest has of a request is in its bundles. What
// stands in older versions alone is in none, so where the run found nothing else it
// wrote no bundle of its own beside those of earlier runs.
func (e *erasure) handedOver(ctx context.Context, ref pipeline.RequestRef) error {
	other := bundle.Check(ctx, e.work, e.keys, ref, e.m.Run)
	if !errors.Is(other, bundle.ErrOther) {
		return other
	}
	for row, err := range e.m.Tombstones(ctx, e.work) {
		if err != nil {
			return err
		}
		if row.Account == ref.Account && row.Request == ref.ID && row.Action != string(pipeline.DeleteVersion) {
			return other
		}
	}
	return nil
}

// notOurs says why a request's tombstones are not applied, "" if they are.
func (e *erasure) notOurs(entry *intake.Entry) string {
	switch {
	case entry.State == pipeline.Cancelled || entry.State == pipeline.Denied:
		return "it is " + string(entry.State)
	case entry.Last.Run != e.m.Run:
		return "another run has it since"
	case entry.State == pipeline.Claimed:
		return fmt.Sprintf("the run has not come to its end: `expunge run --resume %s`", e.m.Run)
	}
	return ""
}

// tombstones are those of the manifest; what a hold covers keeps its record, whoever else
// asks for that, too.
func (e *erasure) tombstones(ctx context.Context) iter.Seq2[*manifest.Row, error] {
	return func(yield func(*manifest.Row, error) bool) {
		var same []*manifest.Row // of one record: they come together
		var held *hold.Hold
		flush := func() bool {
			for _, r := range same {
				if held != nil {
					e.hold(held, r)
				}
				if !yield(r, nil) {
					return false
				}
			}
			same, held = same[:0], nil
			return true
		}
		for r, err := range e.m.Tombstones(ctx, e.work) {
			if err != nil {
				yield(nil, err)
				return
			}
			if len(same) > 0 && (r.Record == nil || !bytes.Equal(same[0].Place(), r.Place())) && !flush() {
				return
			}
			same = append(same, r)
			if held == nil {
				held = e.heldBy(e.holdsNow, r)
			}
		}
		flush()
	}
}

// rows are the tombstones that are applied now.
func (e *erasure) rows(ctx context.Context) iter.Seq2[*manifest.Row, error] {
	return func(yield func(*manifest.Row, error) bool) {
		for r, err := range e.tombstones(ctx) {
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

// heldBy is the hold that covers a tombstone, nil if none does.
func (e *erasure) heldBy(holds []*hold.Hold, r *manifest.Row) *hold.Hold {
	if len(holds) == 0 {
		return nil
	}
	ref, err := pipeline.ParseRequestRef(r.Request)
	if err != nil || e.requests[ref] == nil {
		return nil
	}
	s := hold.Subject{Account: ref.Account, Request: ref.ID, Object: r.Object, Digests: e.holdDigests(e.requests[ref].Request)}
	for _, h := range holds {
		if h.Covers(s) {
			return h
		}
	}
	return nil
}

// hold makes a tombstone one that keeps its record.
func (e *erasure) hold(h *hold.Hold, r *manifest.Row) {
	code, instruction := hold.Code, fmt.Sprintf("hold %d", h.N)
	r.Disposition, r.Exception, r.Instruction, r.KeptFields = string(pipeline.Excepted), &code, &instruction, []string{}
}

// held asks for holds again, right before an object is changed: one that was set
// meanwhile counts.
func (e *erasure) held(ctx context.Context, t *manifest.Target) error {
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
	return nil
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
		if touched[c.Name] {
			if err := e.probe(ctx, c); err != nil {
				return err
			}
		}
	}
	for ref, entry := range e.requests {
		if entry.State != pipeline.AwaitingApproval && entry.State != pipeline.Blocked || !e.allowsAny(ref.Account) {
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
	Probe(ctx context.Context, scratch string) (s3.Conditions, error)
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
	below := scratch + e.m.Run + "/"
	var got s3.Conditions
	err = retry.Do(ctx, retries, func() (err error) {
		if got, err = prober.Probe(ctx, below); err != nil {
			return err
		}
		return prober.Sweep(ctx, below)
	})
	if err != nil {
		return fmt.Errorf("store %q: %w", c.Name, err)
	}
	if !got.All() {
		return &coded{exitRefused, fmt.Errorf("store %q does not honour the conditions that erasing rests on (%+v): nothing was erased", c.Name, got)}
	}
	return nil
}

// allowsAny reports whether anything of an account is applied now.
func (e *erasure) allowsAny(account string) bool {
	return slices.ContainsFunc(e.m.Radius, func(r manifest.Radius) bool { return r.Account == account && e.permit.Allows(account, r.Dataset) })
}

// apply erases, window by window; objects that others change meanwhile, or that the
// store fails for, are tried again.
func (e *erasure) apply(ctx context.Context, states map[string]int64) error {
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
	for pass := 1; ; pass++ {
		clear(states)
		var versions int64
		say := tell(e.now, e.flags.log(), "erasing")
		log := e.journal()
		past, err := log.Past(ctx)
		if err != nil {
			return err
		}
		step := &erase.Erase{
			Stores: e.stores, Formats: formats(), Detect: detectFormat, Datasets: e.cfg.Datasets, Keys: e.keys,
			Journal: log, Past: past, KeepOld: e.cfg.Policy.Noncurrent == "keep", Lost: e.approved.VersionsLost, Held: e.held, Idle: e.idle,
			Region: e.cfg.Policy.DefaultRegion, Own: e.own(beside), Cutoff: cutoff, Excluded: decided.Excluded, Redacted: e.redacted,
			Identities: identity.Compile(key, e.cfg.Policy.DefaultRegion, needles), Asks: asks,
		}
		try := fmt.Sprintf("%s-%s-%d", e.now().UTC().Format("20060102T150405Z"), hex.EncodeToString(id[:]), pass)
		err = engine.Map(ctx, e.workers, erase.Windows(try, manifest.Targets(e.rows(ctx), e.resolve)), step.Apply,
			func(_ erase.Window, outcomes []journal.Entry) error {
				for _, o := range outcomes {
					states[string(o.State)]++
				}
				versions += int64(len(outcomes))
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

// open adds what a certificate says is open.
func (o *erased) open(list []certificate.Open) {
	if o.named == nil {
		o.named = map[[3]string]bool{}
	}
	for _, x := range list {
		if id := [3]string{x.ObjectID, x.Version, x.Act}; !o.named[id] {
			o.named[id] = true
			o.Open = append(o.Open, x)
		}
	}
}

// maxOpen is how many object versions that are open are named on stdout.
const maxOpen = 20

func (o *erased) print() error {
	fmt.Printf("erasure of run %s\n", o.Run)
	for _, s := range []journal.State{journal.Done, journal.Gone, journal.Conflict, journal.Blocked, journal.Held, journal.Locked, journal.Archived, journal.Failed, journal.Refused, journal.Kept} {
		if n := o.Applied[string(s)]; n > 0 {
			fmt.Printf("  %-9s %6d %s\n", s, n, pipeline.Noun(n, "object version", "object versions"))
		}
	}
	if o.OnHold > 0 {
		fmt.Printf("  %-9s %6d tombstones under a legal hold\n", journal.Held, o.OnHold)
	}
	for _, h := range o.HeldBack {
		where := strings.TrimSpace(h.Account + " " + h.Dataset)
		if where == "" {
			where = "everything"
		}
		fmt.Printf("  waits     %s: %s: %s\n", where, h.Code, h.Reason)
	}
	for i, x := range o.Open {
		if i == maxOpen {
			fmt.Printf("  … %d more: --json lists them\n", len(o.Open)-i)
			break
		}
		what := x.Object
		if x.Version != "" {
			what += " version " + x.Version
		}
		fmt.Printf("  %-9s %s: %s\n", x.State, what, x.Reason)
	}
	for _, r := range o.LeftAlone {
		fmt.Printf("  left      %s: %s\n", r.Request, r.Reason)
	}
	if o.Verified != nil {
		if err := o.Verified.print(false); err != nil {
			return err
		}
	}
	for _, r := range o.Requests {
		fmt.Printf("  %-24s %-10s %s\n", r.Request, r.State, cmp.Or(r.Reason, r.Certificate))
	}
	return nil
}

// code is the exit code that the contract has for an erasure.
func (o *erased) code() error {
	if o.Verified != nil {
		if err := o.Verified.code(); err != nil {
			return err
		}
	}
	open := o.Applied[string(journal.Conflict)] + o.Applied[string(journal.Held)] + o.Applied[string(journal.Locked)] + o.Applied[string(journal.Archived)] + o.Applied[string(journal.Refused)] + o.Applied[string(journal.Failed)]
	switch {
	case slices.ContainsFunc(o.HeldBack, func(h erase.HeldBack) bool { return h.Code != erase.NotApproved }):
		return &coded{exitRefused, errors.New("a part of the manifest is held back; the rest is applied")}
	case len(o.HeldBack) > 0 && o.Verified == nil:
		return &coded{exitRefused, fmt.Errorf("nothing is approved: expunge approve %s --by NAME", o.Run)}
	case o.Applied[string(journal.Blocked)] > 0:
		return &coded{exitIncomplete, fmt.Errorf("%s BLOCKED", pipeline.Count(o.Applied[string(journal.Blocked)], "object version is", "object versions are"))}
	case slices.ContainsFunc(o.LeftAlone, func(l leftAlone) bool { return l.unsafe }):
		return &coded{exitRefused, errors.New("a bundle cannot be read back: its request's records were not erased")}
	case o.OnHold > 0:
		return &coded{exitIncomplete, fmt.Errorf("%s under a legal hold: `expunge hold list`", pipeline.Count(o.OnHold, "tombstone is", "tombstones are"))}
	case open > 0 && open == o.Applied[string(journal.Locked)]+o.Applied[string(journal.Archived)]:
		return &coded{exitIncomplete, fmt.Errorf("the store defers the erasure of %s: their requests are BLOCKED until it lets them go", pipeline.Count(open, "object version", "object versions"))}
	case open > 0:
		return &coded{exitIncomplete, fmt.Errorf("%s could not be erased: their requests stay open", pipeline.Count(open, "object version", "object versions"))}
	}
	return nil
}
