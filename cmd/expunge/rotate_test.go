package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"expunge/connectors"
	"expunge/connectors/fault"
	"expunge/pipeline"
	"expunge/pipeline/bundle"
	"expunge/pipeline/catalog"
	"expunge/pipeline/closure"
	"expunge/pipeline/intake"
	"expunge/pipeline/journal"
	"expunge/pipeline/manifest"
	"expunge/pipeline/rotate"
	"expunge/pipeline/seal"
	"expunge/pipeline/waive"
)

// rotating is a work store under an old key that has files of every kind, with the
// configs of a rotation.
type rotating struct {
	old, both, after string // configs
	begun            map[string][]byte
	run              string
}

func newRotating(t *testing.T) *rotating {
	t.Helper()
	dir := t.TempDir()
	quiet(t)
	_, config := small(t, dir, "work")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	sealed := bytes.Replace(text, []byte("encryption: none"), []byte("encryption: parquet"), 1)
	if bytes.Equal(sealed, text) {
		t.Fatal("bundles are sealed in the lake's config: this need not be said here")
	}
	if err := os.WriteFile(config, sealed, 0o600); err != nil {
		t.Fatal(err)
	}
	do := doing(t, config)
	do("run")
	r := &rotating{old: config, run: onlyRun(t, filepath.Join(dir, "work"))}
	decideAll(t, dir, do, r.run, "exclude")
	do("waive", "lake/old/**", "--reason", "the disk was lost", "--by", "jo", "--until", "2099-01-01")
	do("approve", r.run, "--by", "jo")
	do("erase", r.run)
	do("hold", "add", "--account", "acct-a", "--phone", "+1 404 555 0123", "--reason", "subpoena 12-345", "--by", "legal")
	do("hold", "add", "--account", "acct-b", "--reason", "subpoena 12-346", "--by", "legal")
	do("hold", "remove", "2", "--reason", "case closed", "--by", "legal")
	t.Setenv("EXPUNGE_NEW_KEY", "MTAxMTEyMTMxNDE1MTYxNzE4MTkyMDIxMjIyMzI0MjU=")
	with := func(name, keys string) string {
		changed := bytes.Replace(sealed, []byte("key_env: EXPUNGE_KEY"), []byte(keys), 1)
		if bytes.Equal(changed, sealed) {
			t.Fatal("the config names no work key")
		}
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	r.both = with("both.yaml", "key_env: EXPUNGE_NEW_KEY, old_key_envs: [EXPUNGE_KEY]")
	r.after = with("after.yaml", "key_env: EXPUNGE_NEW_KEY")
	r.begun = contents(t, opened(t, r.old, time.Now).work)
	if err := os.RemoveAll(filepath.Join(dir, "work")); err != nil { // it is held elsewhere from here on
		t.Fatal(err)
	}
	for _, k := range kinds() {
		found := false
		for key := range r.begun {
			found = found || k.Files.MatchString(key)
		}
		if !found {
			t.Errorf("the work store has nothing of kind %s: the test proves nothing of it", k.Name)
		}
	}
	return r
}

// bare is a program over another work store, with the keys that a config names and
// what was kept there of older ones.
func bare(t *testing.T, config string, work connectors.Store) *app {
	t.Helper()
	a := opened(t, config, time.Now)
	if err := keysOf(t, a, work); err != nil {
		t.Fatal(err)
	}
	return a
}

func keysOf(t *testing.T, a *app, work connectors.Store) (err error) {
	t.Helper()
	if a.keys, err = seal.FromEnv(os.Getenv, a.cfg.Work.KeyEnv, a.cfg.Work.OldKeyEnvs...); err != nil {
		return err
	}
	on(a, work)
	return a.checkWorkKey(t.Context())
}

// reads reads all of the work store that needs a key.
func (r *rotating) reads(t *testing.T, a *app) error {
	ctx := t.Context()
	var out []error
	say := func(what string, err error) {
		if err != nil {
			out = append(out, fmt.Errorf("%s: %w", what, err))
		}
	}
	identifiers := 0
	for e, err := range a.requests().Load(ctx) {
		say("requests", err)
		if err != nil {
			break
		}
		identifiers += len(e.Request.Identifiers)
	}
	if identifiers == 0 && len(out) == 0 {
		say("requests", errors.New("they have no identifiers"))
	}
	for _, key := range keys(t, a.work, "requests/") {
		parts := strings.Split(strings.TrimSuffix(key, ".json"), "/")
		if len(parts) == 4 {
			b, err := connectors.ReadAll(ctx, a.work, key)
			if err == nil {
				err = a.keys.Read(seal.Document{Purpose: "request", Account: parts[1], File: key}, b, new(intake.Event))
			}
			say(key, err)
		}
	}
	holds, err := a.holds().All(ctx, 0)
	say("holds", err)
	if err == nil && (len(holds) != 2 || holds[1].Removed == nil) {
		say("holds", errors.New("one is missing"))
	}
	if err == nil {
		ids, err := a.holds().Identifiers(ctx, holds[0])
		if say("identifiers of a hold", err); err == nil && len(ids) != 1 {
			say("identifiers of a hold", errors.New("they are missing"))
		}
	}
	_, err = waive.Read(ctx, a.work, a.keys)
	say("waivers", err)
	latest, err := a.decisions().Latest(ctx)
	if err == nil {
		_, err = a.decisions().Read(ctx, latest)
	}
	say("decisions", err)
	say("run", a.readDocument(ctx, "run", headerKey(r.run), new(header)))
	say("catalog of the run", a.readDocument(ctx, "run", "runs/"+r.run+"/catalog.json", new(learnt)))
	m, err := manifest.Read(ctx, a.work, a.keys, r.run)
	say("manifest", err)
	if err == nil {
		_, err := manifest.Approvals(ctx, a.work, a.keys, nil, m, 0)
		say("approvals", err)
	}
	_, err = (&journal.Journal{Work: a.work, Keys: a.keys, Run: r.run}).Past(ctx)
	say("journal", err)
	_, _, err = (&closure.Store{Work: a.work, Keys: a.keys, Run: r.run}).Read(ctx, func(pipeline.RequestRef) bool { return true })
	say("identities", err)
	key, err := a.catalogKey(ctx)
	say("catalog key", err)
	c := &catalog.Catalog{Work: a.work, Keys: a.keys}
	n, err := c.Latest(ctx)
	say("catalog", err)
	for _, err := range c.Entries(ctx, n) {
		say("catalog", err)
	}
	names, err := a.ledger().Names(ctx)
	if err == nil {
		past, e := a.ledger().Gather(ctx, names, key)
		if err = e; err == nil && (len(past.Unread)+len(past.Stale) > 0 || len(past.Needles) == 0) {
			err = fmt.Errorf("%d unread, %d stale, %d needles", len(past.Unread), len(past.Stale), len(past.Needles))
		}
	}
	say("ledger", err)
	for _, key := range keys(t, a.work, "bundles/") {
		if parts := strings.Split(key, "/"); parts[len(parts)-1] == "bundle.json" {
			say(key, bundle.Check(ctx, a.work, a.keys, pipeline.RequestRef{Account: parts[1], ID: parts[2]}, r.run))
		}
	}
	return errors.Join(out...)
}

// TestRotateStoppedAnywhere stops a rotation at every operation on the work store,
// as its effect comes and as its reply is lost. Whatever the operation, all can be read
// with both keys; rotated again, it is what an undisturbed rotation makes of it, and
// can be read with the new one alone. `make crash` stops both ways at each operation,
// make test the one way and the other in turn.
func TestRotateStoppedAnywhere(t *testing.T) {
	r := newRotating(t)
	run := func(work connectors.Store, plan func(fault.Op) *fault.Fault) (*fault.Store, error) {
		a := bare(t, r.both, work)
		store := fault.New(work)
		store.Plan = plan
		on(a, store)
		return store, a.rotate(t.Context(), false)
	}
	calm := holding(t, r.begun)
	log, err := run(calm, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := contents(t, calm)
	if err := r.reads(t, bare(t, r.after, calm)); err != nil {
		t.Fatalf("without the old key: %v", err)
	}
	if again, err := run(calm, nil); err != nil || !maps.EqualFunc(want, contents(t, calm), bytes.Equal) {
		t.Fatalf("rotated twice it is another (%d operations): %v", again.Ops(), err)
	}
	if a := opened(t, r.old, time.Now); keysOf(t, a, calm) == nil {
		t.Error("the old key alone is let in")
	}
	for n := 1; n <= log.Ops(); n++ {
		for _, after := range []bool{false, true} {
			if os.Getenv("EXPUNGE_CRASH") != "all" && after != (n%2 == 0) {
				continue
			}
			work := holding(t, r.begun)
			broken, err := run(work, fault.At(n, fault.Fault{Stop: true, After: after}))
			if !broken.Stopped() {
				continue // files are renewed side by side: this time there was one operation less
			}
			at := fmt.Sprintf("stopped at operation %d of %d (%s, after %t)", n, log.Ops(), broken.Lines()[n-1], after)
			if err == nil {
				t.Errorf("%s: it ends without an error", at)
			}
			if err := r.reads(t, bare(t, r.both, work)); err != nil {
				t.Fatalf("%s: %v", at, err)
			}
			if _, err := run(work, nil); err != nil {
				t.Fatalf("%s: rotated again: %v", at, err)
			}
			got := contents(t, work)
			for key, b := range want {
				if !bytes.Equal(got[key], b) {
					t.Fatalf("%s: %s is another", at, key)
				}
			}
			if len(got) != len(want) {
				t.Fatalf("%s: %d files, not %d", at, len(got), len(want))
			}
		}
	}
	t.Logf("stopped at %d operations", log.Ops())
}

// TestRotateBesideRuns: a run that has begun under the old key has to end first; beside
// one under the new key what it may be reading waits.
func TestRotateBesideRuns(t *testing.T) {
	r := newRotating(t)
	work := holding(t, r.begun)
	old, both := bare(t, r.old, work), bare(t, r.both, work)
	refused := func(what string) {
		t.Helper()
		err := both.rotate(t.Context(), false)
		if c := (*coded)(nil); !errors.As(err, &c) || c.code != exitRefused || !strings.Contains(err.Error(), "20261125T120000Z-000001") {
			t.Errorf("%s: %v", what, err)
		}
		if w, err := both.readWork(t.Context()); err != nil || w.Rotated {
			t.Errorf("%s: the new key was noted, %v", what, err)
		}
	}
	lease, err := old.lease(t.Context(), "20261125T120000Z-000001", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	refused("before its header")
	if err := old.writeDocument(t.Context(), "run", headerKey("20261125T120000Z-000001"), header{Version: 1, Run: "20261125T120000Z-000001"}); err != nil {
		t.Fatal(err)
	}
	refused("with its header")
	if err := lease.End(t.Context()); err != nil {
		t.Fatal(err)
	}

	if lease, err = both.lease(t.Context(), "20261125T130000Z-000002", time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := both.writeDocument(t.Context(), "run", headerKey("20261125T130000Z-000002"), header{Version: 1, Run: "20261125T130000Z-000002"}); err != nil {
		t.Fatal(err)
	}
	err = both.rotate(t.Context(), false)
	if c := (*coded)(nil); !errors.As(err, &c) || c.code != exitIncomplete {
		t.Errorf("beside a run: %v", err)
	}
	after := contents(t, work)
	for key, b := range r.begun {
		switch long := strings.HasPrefix(key, "ledger/") || strings.HasPrefix(key, "catalog/index/"); {
		case long && !bytes.Equal(after[key], b):
			t.Errorf("%s was replaced beside a run", key)
		case strings.HasPrefix(key, "requests/") && bytes.Equal(after[key], b):
			t.Errorf("%s still waits", key)
		}
	}
	if err := r.reads(t, bare(t, r.both, work)); err != nil {
		t.Error(err)
	}
	if err := lease.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := both.rotate(t.Context(), false); err != nil {
		t.Error(err)
	}
	if err := r.reads(t, bare(t, r.after, work)); err != nil {
		t.Error(err)
	}
}

// TestRotateBesideErasure: while a process erases, under whichever key, the work key
// is not rotated; one that has ended or died is no hindrance.
func TestRotateBesideErasure(t *testing.T) {
	r := newRotating(t)
	work := holding(t, r.begun)
	both := bare(t, r.both, work)
	tried := 0
	erasing := fault.New(work)
	erasing.Plan = func(op fault.Op) *fault.Fault {
		if !strings.HasPrefix(op.Key, "certificates/") || tried > 0 {
			return nil
		}
		tried++
		err := both.rotate(t.Context(), false)
		if c := (*coded)(nil); !errors.As(err, &c) || c.code != exitRefused || !strings.Contains(err.Error(), r.run) {
			t.Errorf("rotated while an erasure is at work: %v", err)
		}
		if w, err := both.readWork(t.Context()); err != nil || w.Rotated {
			t.Errorf("the new key was noted, %v", err)
		}
		return nil
	}
	if err := bare(t, r.old, erasing).erase(t.Context(), r.run, nil, 1); err != nil {
		t.Fatal(err)
	}
	if tried == 0 {
		t.Fatal("the erasure wrote no certificate: the test proves nothing")
	}
	stale, dead := bare(t, r.old, work), bare(t, r.old, work)
	dead.now = func() time.Time { return time.Now().Add(-time.Hour) }
	if _, err := dead.claims().Join(t.Context(), r.run, "00", eraserTerm); err != nil {
		t.Fatal(err)
	}
	if err := both.rotate(t.Context(), false); err != nil {
		t.Error(err)
	}
	if err := stale.erase(t.Context(), r.run, nil, 1); err == nil {
		t.Error("erased under the old key after it was rotated")
	}
}

// TestRotateUnfinishedRun: what a run under the old key has not brought to its end is
// done by the next one under the new key.
func TestRotateUnfinishedRun(t *testing.T) {
	r := newRotating(t)
	fresh := map[string][]byte{workName: r.begun[workName]}
	for key, b := range r.begun {
		if parts := strings.Split(key, "/"); parts[0] == "requests" && len(parts) == 3 {
			fresh[key] = b
		}
	}
	at := &clock{}
	run := func(config string, work connectors.Store, resume string, plan func(fault.Op) *fault.Fault) error {
		a := bare(t, config, work)
		a.now = at.now
		store := fault.New(work)
		store.Plan = plan
		on(a, store)
		return a.run(t.Context(), &runOptions{workers: 1, lease: time.Minute, batch: 8 << 10, resume: resume})
	}
	states := func(work connectors.Store) map[string]pipeline.State {
		out := map[string]pipeline.State{}
		for e, err := range bare(t, r.after, work).requests().Load(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			out[e.Request.Ref().String()] = e.State
		}
		return out
	}
	calm := holding(t, fresh)
	rotated := bare(t, r.both, calm)
	if err := rotated.rotate(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if err := run(r.after, calm, "", nil); err != nil {
		t.Fatal(err)
	}
	work := holding(t, fresh)
	hits := 0
	if err := run(r.old, work, "", func(op fault.Op) *fault.Fault {
		if op.Kind != "create" || !strings.Contains(op.Key, "/rounds/") {
			return nil
		}
		if hits++; hits < 4 {
			return nil
		}
		return &fault.Fault{Stop: true}
	}); err == nil {
		t.Fatal("the run came to its end: the test proves nothing")
	}
	unfinished := strings.Split(keys(t, work, "runs/")[0], "/")[1]
	both := bare(t, r.both, work)
	both.now = at.now
	if err := both.rotate(t.Context(), false); err == nil || !strings.Contains(err.Error(), unfinished) {
		t.Errorf("while its lease is good: %v", err)
	}
	at.pass(time.Hour)
	if err := both.rotate(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if err := run(r.after, work, unfinished, nil); err == nil || exitCode(t.Context(), err) != exitUsage || !strings.Contains(err.Error(), "begin a new run") {
		t.Errorf("it is resumed: %v", err)
	}
	if err := run(r.after, work, "", nil); err != nil {
		t.Fatal(err)
	}
	if got, want := states(work), states(calm); !maps.Equal(got, want) || len(want) == 0 {
		t.Errorf("%v, an undisturbed run leaves %v", got, want)
	}
}

// TestRotateBesideWriters: what is written under the old key while the rotation works
// is renewed with the rest; while that does not end, the old key has to stay.
func TestRotateBesideWriters(t *testing.T) {
	r := newRotating(t)
	for _, c := range []struct {
		what string
		kind string // of the operations that it writes at
		most int
		code int
	}{{"once", "replace", 1, exitDone}, {"all the time", "list", 1000, exitIncomplete}} {
		work := holding(t, r.begun)
		old, a := bare(t, r.old, work), bare(t, r.both, work)
		n := 0
		store := fault.New(work)
		store.Plan = func(op fault.Op) *fault.Fault {
			if op.Kind != c.kind || n == c.most {
				return nil
			}
			n++
			q := &pipeline.Request{Version: 1, ID: fmt.Sprintf("LATE-%d", n), Account: "acct-a", Rights: []pipeline.Right{pipeline.Delete}, Received: time.Now(),
				Identifiers: []pipeline.Identifier{{Kind: pipeline.Phone, Value: "+14045550123"}}}
			if err := old.requests().Submit(t.Context(), q); err != nil {
				t.Error(err)
			}
			return nil
		}
		on(a, store)
		err := a.rotate(t.Context(), false)
		if exit := exitCode(t.Context(), err); err != nil && exit != c.code || err == nil && c.code != exitDone {
			t.Errorf("%s: %v", c.what, err)
		}
		if n == 0 {
			t.Fatal("nothing was written: the test proves nothing")
		}
		if c.code == exitDone {
			if err := r.reads(t, bare(t, r.after, work)); err != nil {
				t.Errorf("%s: %v", c.what, err)
			}
		}
	}
}

// TestRotateLeavesNothing: what a dry run counts is what a rotation seals again, and
// then nothing is left; what was kept under a key that is over is removed.
func TestRotateLeavesNothing(t *testing.T) {
	r := newRotating(t)
	work := holding(t, r.begun)
	do := func(config string, dry bool) *rotate.Result {
		t.Helper()
		a := bare(t, config, work)
		out, err := (&rotate.Rotation{Work: work, Keys: a.keys, Kinds: kinds(), Dry: dry}).Do(t.Context())
		if err != nil || !out.Whole() {
			t.Fatalf("%+v, %v", out, err)
		}
		return out
	}
	planned := do(r.both, true)
	if !maps.EqualFunc(r.begun, contents(t, work), bytes.Equal) {
		t.Fatal("a dry run has changed something")
	}
	if err := bare(t, r.both, work).rotate(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	left := do(r.after, false)
	for i, c := range planned.Counts {
		if got := left.Counts[i]; c.Again+c.Stays == 0 || got.Again != 0 || got.Stays != c.Stays || got.Current != c.Again+c.Current-both(c) {
			t.Errorf("planned %+v, and then %+v", c, got)
		}
	}
	if planned.Keys == 0 || planned.MACs == 0 || left.Keys != planned.Keys || left.MACs != planned.MACs {
		t.Errorf("kept: %d keys and %d MACs, planned %d and %d", left.Keys, left.MACs, planned.Keys, planned.MACs)
	}
	t.Setenv("EXPUNGE_NEWER_KEY", "MjAyMTIyMjMyNDI1MjYyNzI4MjkzMDMxMzIzMzM0MzU=")
	text, err := os.ReadFile(r.after)
	if err != nil {
		t.Fatal(err)
	}
	for name, keys := range map[string]string{"twice.yaml": "EXPUNGE_NEWER_KEY, old_key_envs: [EXPUNGE_NEW_KEY]", "last.yaml": "EXPUNGE_NEWER_KEY"} {
		changed := bytes.Replace(text, []byte("key_env: EXPUNGE_NEW_KEY"), []byte("key_env: "+keys), 1)
		if err := os.WriteFile(filepath.Join(filepath.Dir(r.after), name), changed, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := bare(t, filepath.Join(filepath.Dir(r.after), "twice.yaml"), work).rotate(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if n := len(keys(t, work, "keys/")); n != 1 {
		t.Errorf("%d files of kept keys, not 1", n)
	}
	if err := r.reads(t, bare(t, filepath.Join(filepath.Dir(r.after), "last.yaml"), work)); err != nil {
		t.Error(err)
	}
}

// both is how many files of a kind are sealed again in part and stay in part.
func both(c rotate.Count) int64 {
	if c.Again > 0 && c.Stays > 0 && c.Kind == "bundles" {
		return c.Stays
	}
	return 0
}
