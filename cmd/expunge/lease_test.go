package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"expunge/connectors"
	"expunge/connectors/fault"
	"expunge/connectors/mem"
	"expunge/pipeline"
	"expunge/pipeline/claim"
	"expunge/pipeline/intake"
	"expunge/testdata/lake"
)

// clock is a clock that tests set.
type clock struct{ passed atomic.Int64 }

func (c *clock) now() time.Time {
	return time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC).Add(time.Duration(c.passed.Load()))
}

func (c *clock) pass(d time.Duration) { c.passed.Add(int64(d)) }

// opened opens a config for a test that calls the program's parts in this process.
func opened(t *testing.T, config string, now func() time.Time) *app {
	t.Helper()
	a, err := open(t.Context(), &flags{config: config, now: now, json: true})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// on puts a program over another work store.
func on(a *app, work connectors.Store) {
	a.work = work
	a.taken = &intake.Requests{Work: work, Keys: a.keys, Now: a.now}
}

// small is a small lake with its requests submitted in a work store of its own.
func small(t *testing.T, dir, work string) (l *lake.Lake, config string) {
	t.Helper()
	l, err := lake.Generate(lake.Options{Seed: 21, Bytes: 64 << 10, Accounts: 2, Requests: 3})
	if err != nil {
		t.Fatal(err)
	}
	place(t, l, dir)
	config = configure(t, l, dir, work)
	if code := expunge(t, "-c", config, "submit", filepath.Join(dir, "requests.jsonl")); code != exitDone {
		t.Fatalf("submit: exit %d", code)
	}
	return l, config
}

func keys(t *testing.T, s connectors.Store, prefix string) []string {
	t.Helper()
	var out []string
	for o, err := range s.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, o.Key)
	}
	return out
}

// TestLeaseIsKept: a lease is renewed while a run works; a run whose lease cannot
// be renewed stops before others may take it, and one that was taken over at once.
func TestLeaseIsKept(t *testing.T) {
	const term = 400 * time.Millisecond
	for _, c := range []struct {
		name string
		plan func(op fault.Op, renewals int) *fault.Fault
		take bool
		want error
	}{
		{"renewed", func(fault.Op, int) *fault.Fault { return nil }, false, nil},
		{"one renewal fails", func(_ fault.Op, n int) *fault.Fault {
			if n == 1 {
				return &fault.Fault{Err: connectors.ErrTemporary}
			}
			return nil
		}, false, nil},
		{"the store is gone", func(fault.Op, int) *fault.Fault { return &fault.Fault{Err: connectors.ErrTemporary} }, false, errLost},
		{"taken over", func(fault.Op, int) *fault.Fault { return nil }, true, claim.ErrFenced},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inner := mem.New("work", mem.Options{})
			store := fault.New(inner)
			renewals := 0
			store.Plan = func(op fault.Op) *fault.Fault {
				if op.Kind != "replace" {
					return nil
				}
				renewals++
				return c.plan(op, renewals)
			}
			lease, err := (&claim.Claims{Store: store, Now: time.Now}).Lease(t.Context(), "run", "me", term)
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			ctx, stop := keep(t.Context(), lease, term, time.Now)
			if c.take { // by one whose clock is ahead
				ahead := func() time.Time { return time.Now().Add(time.Hour) }
				if _, err := (&claim.Claims{Store: inner, Now: ahead}).Lease(t.Context(), "run", "other", term); err != nil {
					t.Fatal(err)
				}
			}
			select {
			case <-ctx.Done():
			case <-time.After(3 * term):
			}
			cause, lasted := context.Cause(ctx), time.Since(began)
			stop()
			if !errors.Is(cause, c.want) || (c.want != nil) != errors.Is(cause, errLost) {
				t.Errorf("the run ended with %v, want %v", cause, c.want)
			}
			if c.want != nil && lasted >= term {
				t.Errorf("the run went on for %s, beyond its lease of %s", lasted, term)
			}
		})
	}
}

// TestClaimingFailsMidway: when the work store fails among the claims, those that
// were taken are given back and the lease is ended: the next run has them all.
func TestClaimingFailsMidway(t *testing.T) {
	dir := t.TempDir()
	_, config := small(t, dir, "work")
	a := opened(t, config, time.Now)
	whole := a.work
	for _, key := range []string{"claims/", "requests/", "runs/"} {
		store := fault.New(whole)
		n := 0
		store.Plan = func(op fault.Op) *fault.Fault {
			if op.Kind != "create" || !strings.HasPrefix(op.Key, key) || strings.HasSuffix(op.Key, "/lease") {
				return nil
			}
			if n++; n == 1 && key != "runs/" {
				return nil
			} else if strings.Contains(op.Key, "claims/") && n > 2 {
				return nil // giving back works
			}
			return &fault.Fault{Err: connectors.ErrDenied}
		}
		on(a, store)
		if err := a.run(t.Context(), &runOptions{workers: 1, lease: time.Minute}); !errors.Is(err, connectors.ErrDenied) {
			t.Fatalf("%s: %v", key, err)
		}
		for e, err := range (&intake.Requests{Work: whole, Keys: a.keys, Now: a.now}).Load(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			ref := e.Request.Ref()
			c, err := (&claim.Claims{Store: whole, Now: a.now}).Take(t.Context(), ref, "probe")
			if err != nil || !e.Open() {
				t.Errorf("%s: %s, %s: %v", key, ref, e.State, err)
				continue
			}
			if err := (&claim.Claims{Store: whole, Now: a.now}).Release(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
	}
	on(a, whole)
	if err := a.run(t.Context(), &runOptions{workers: 1, lease: time.Minute}); err != nil && exitCode(t.Context(), err) != exitIncomplete {
		t.Fatal(err)
	}
}

// TestClaimsAreGivenBack: each claim that a failed claiming took is given back, though
// the run that took it may not have ended its lease.
func TestClaimsAreGivenBack(t *testing.T) {
	dir := t.TempDir()
	_, config := small(t, dir, "work")
	a := opened(t, config, time.Now)
	lease, err := a.lease(t.Context(), "run", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lease.End(context.WithoutCancel(t.Context())) }()
	picked, _, err := a.pick(t.Context(), &runOptions{}, nil)
	if err != nil || len(picked) < 2 {
		t.Fatalf("%d picked: %v", len(picked), err)
	}
	whole := a.work
	store := fault.New(whole)
	var once sync.Once
	store.Plan = func(op fault.Op) (f *fault.Fault) {
		if op.Kind == "create" && strings.HasPrefix(op.Key, "requests/") {
			once.Do(func() { f = &fault.Fault{Err: connectors.ErrDenied} })
		}
		return f
	}
	on(a, store)
	if _, err := a.claim(t.Context(), &runOptions{}, &header{Run: "run"}, picked, nil); !errors.Is(err, connectors.ErrDenied) {
		t.Fatalf("claim: %v", err)
	}
	if _, err := (&claim.Claims{Store: whole, Now: a.now}).Lease(t.Context(), "other", "x", time.Hour); err != nil {
		t.Fatal(err)
	}
	for _, e := range picked {
		if _, err := (&claim.Claims{Store: whole, Now: a.now}).Take(t.Context(), e.Request.Ref(), "other"); err != nil {
			t.Errorf("while the lease is good: %v", err)
		}
	}
}

// TestFencedRunWritesNothing: another run takes one of the requests while this one
// scans, or while it writes its report. This one ends with 4; before its bundles
// it writes none, and in no case an event.
func TestFencedRunWritesNothing(t *testing.T) {
	for _, at := range []string{"catalog.json", "report.json"} {
		dir := t.TempDir()
		l, config := small(t, dir, "work")
		a := opened(t, config, time.Now)
		whole := a.work
		r := l.Requests()[0]
		ref := pipeline.RequestRef{Account: r.Account, ID: r.ID}
		store := fault.New(whole)
		taken := false
		store.Plan = func(op fault.Op) *fault.Fault {
			if op.Kind != "create" || !strings.HasSuffix(op.Key, "/"+at) {
				return nil
			}
			late := &claim.Claims{Store: whole, Now: func() time.Time { return time.Now().Add(time.Hour) }}
			if _, err := late.Take(t.Context(), ref, "other"); err != nil {
				t.Error(err)
			}
			taken = true
			return nil
		}
		on(a, store)
		err := a.run(t.Context(), &runOptions{workers: 2, lease: time.Minute})
		if exitCode(t.Context(), err) != exitRefused || !errors.Is(err, errLost) || !taken {
			t.Fatalf("at %s the run ended with %v", at, err)
		}
		if at == "catalog.json" {
			for _, key := range append(keys(t, whole, "bundles/"), keys(t, whole, "runs/")...) {
				for _, output := range []string{"bundles/", "/manifest", "report", "objects.parquet"} {
					if strings.Contains(key, output) {
						t.Errorf("a fenced run wrote %s", key)
					}
				}
			}
		}
		e, err := a.requests().Entry(t.Context(), ref)
		if err != nil || e.State != pipeline.Claimed {
			t.Errorf("at %s: %s is %s: %v", at, ref, e.State, err)
		}
	}
}

// TestManyClaims: claims are taken side by side, so that thousands of them do not
// take longer than a lease.
func TestManyClaims(t *testing.T) {
	const requests, delay = 200, 5 * time.Millisecond
	dir := t.TempDir()
	_, config := small(t, dir, "work")
	a := opened(t, config, time.Now)
	on(a, mem.New("work", mem.Options{}))
	var list []*intake.Entry
	for i := range requests {
		r := &pipeline.Request{Version: 1, ID: fmt.Sprintf("M-%04d", i), Account: a.cfg.Accounts[0].Name, Received: a.now(),
			Identifiers: []pipeline.Identifier{{Kind: pipeline.Email, Value: pipeline.Secret(fmt.Sprintf("m%d@example.com", i))}}}
		if err := a.requests().Submit(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		list = append(list, &intake.Entry{Request: r, State: pipeline.Received})
	}
	on(a, slow{a.work, delay})
	began := time.Now()
	h := &header{Run: "run"}
	got, err := a.claim(t.Context(), &runOptions{}, h, list, nil)
	if err != nil || len(got) != requests || len(h.Requests) != requests {
		t.Fatalf("%d claimed: %v", len(got), err)
	}
	for i, ref := range h.Requests {
		if ref != list[i].Request.Ref() {
			t.Fatalf("request %d is %s", i, ref)
		}
	}
	// Each takes two creates, one after the other.
	if took := time.Since(began); took > requests*2*delay/3 {
		t.Errorf("%d claims took %s", requests, took)
	}
}

// slow is a store far away.
type slow struct {
	connectors.Store
	delay time.Duration
}

func (s slow) Create(ctx context.Context, key string, body io.ReadSeeker) (connectors.Object, error) {
	time.Sleep(s.delay)
	return s.Store.Create(ctx, key, body)
}
