package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/bundle"
	"expunge/pipeline/config"
	"expunge/pipeline/erase"
	"expunge/pipeline/hold"
	"expunge/pipeline/intake"
	"expunge/pipeline/manifest"
	"expunge/pipeline/naming"
)

// open reads the manifest and its approvals, of which those by approvers count, and decides
// what may be applied.
func (e *erasure) open(ctx context.Context, run string, accounts []string, approvers map[string]ed25519.PublicKey) error {
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
	if e.approved, err = manifest.Approvals(ctx, e.work, e.keys, approvers, e.m, 0); err != nil {
		return err
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
		MaxRecords: e.cfg.Policy.MaxRunRecords, Settings: e.settings(),
		Limits: manifest.Limits{Fraction: e.cfg.Policy.MaxEraseFraction, MinRecords: e.cfg.Policy.MinRecords}, Begun: e.begun,
	}, e.now(), accounts)
	if e.stores, err = e.app.stores(ctx); err != nil {
		return err
	}
	matcher, err := e.cfg.Matcher()
	if err != nil {
		return &coded{exitUsage, err}
	}
	e.matcher, e.heldRecords = matcher, &heldRecords{e: e}
	e.names = e.app.names(e.stores)
	e.resolve = func(r *manifest.Row) (manifest.Target, error) {
		store, key, err := e.names.Resolve(r.Object, r.ObjectSealed)
		if err != nil {
			return manifest.Target{}, err
		}
		dataset, captures, err := matcher.Find(store, key)
		if err != nil {
			return manifest.Target{}, err
		}
		if dataset < 0 || e.cfg.Datasets[dataset].Name != r.Dataset {
			return manifest.Target{}, fmt.Errorf("object %s: %w", r.Object, errUnclaimed)
		}
		account, _ := e.cfg.AccountOf(captures["account"])
		return manifest.Target{Store: store, Key: key, Dataset: dataset, Account: account}, nil
	}
	e.redacted = func(t *manifest.Target, content string) (key, url, id string, err error) {
		return redactedKey(e.names, matcher, t, content)
	}
	return nil
}

// settings are the digests of the datasets' settings now.
func (a *app) settings() map[string]string {
	out := map[string]string{}
	for _, d := range a.cfg.Datasets {
		out[d.Name] = d.Settings
	}
	return out
}

// errUnclaimed says that a tombstone's dataset does not claim its object any more.
var errUnclaimed = errors.New("the dataset does not claim it any more")

// misplaced reports whether the config has no place any more for a tombstone's object.
func misplaced(err error) bool {
	return errors.Is(err, errUnclaimed) || errors.Is(err, naming.ErrNoStore)
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
	e.known, e.since = h.Holds, h.Started
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
			if entry.Last.Run == e.m.Run {
				if err := e.approved.Missing(e.m.Run, entry.Last.Approvals); err != nil {
					return err
				}
			}
			if why := e.notOurs(entry); why != "" {
				out.LeftAlone = append(out.LeftAlone, leftAlone{Request: ref.String(), Reason: why})
				continue
			}
			if why := e.app.unsearchable(entry.Request); why != "" && !e.begun {
				out.LeftAlone = append(out.LeftAlone, leftAlone{Request: ref.String(), unsafe: true, Reason: "the config does not take it any more: " + why})
				continue
			}
			if entry.WantsBundle() && entry.Last.Before == nil && entry.Last.Erasing != e.m.Run && !entry.State.Ended() { // nothing is erased yet, or copies alone are, of what was handed over
				if err := e.handedOver(ctx, ref); err != nil { // access comes before deletion
					if ctx.Err() != nil {
						return ctx.Err()
					}
					left := leftAlone{Request: ref.String(), unsafe: true, Reason: fmt.Sprintf("its bundle cannot be read back, and nothing is erased before it was handed over: %v; put back what was there, or remove %s and erase again: the next run then writes it anew", err, bundle.Dir(ref))}
					if missing, err := e.unbundled(ctx, ref); err != nil {
						return err
					} else if missing {
						left.Reason = "its bundle is gone, and nothing is erased before it was handed over: the next run writes it anew"
						e.gone = append(e.gone, entry)
					}
					out.LeftAlone = append(out.LeftAlone, left)
					continue
				}
			}
			e.requests[ref] = entry
		}
	}
	slices.SortFunc(out.LeftAlone, func(a, b leftAlone) int { return strings.Compare(a.Request, b.Request) })
	var err error
	if e.holdsNow, err = e.allHolds(ctx, e.known); err != nil {
		return err
	}
	if err := e.split(ctx); err != nil {
		return err
	}
	return e.findHeld(ctx)
}

// split tells in which stores something is applied now, of which requests, and of which
// something never can be.
func (e *erasure) split(ctx context.Context) error {
	parts := map[pipeline.RequestRef]map[string]bool{} // datasets
	e.touched, e.applies, e.stale = map[string]bool{}, map[pipeline.RequestRef]bool{}, map[pipeline.RequestRef][]string{}
	for r, err := range e.tombstones(ctx) {
		if err != nil {
			return err
		}
		ref, err := pipeline.ParseRequestRef(r.Request)
		if err != nil {
			return err
		}
		if e.requests[ref] == nil {
			continue
		}
		if parts[ref] == nil {
			parts[ref] = map[string]bool{}
		}
		parts[ref][r.Dataset] = true
		if !e.permit.Allows(r.Account, r.Dataset) {
			continue
		}
		t, err := e.resolve(r)
		switch {
		case misplaced(err):
			e.permit.Hold(r.Account, r.Dataset, erase.Settings, err.Error()+erase.Again)
		case err != nil:
			return err
		default:
			e.touched[t.Store] = true
		}
	}
	for ref, datasets := range parts {
		done := e.requests[ref].State.Ended() || e.requests[ref].State == pipeline.InReview // with this manifest
		for _, d := range slices.Sorted(maps.Keys(datasets)) {
			e.applies[ref] = e.applies[ref] || e.permit.Allows(ref.Account, d)
			if !done && e.permit.Stale(ref.Account, d) {
				e.stale[ref] = append(e.stale[ref], d)
			}
		}
	}
	return nil
}

// waits reports whether a part of the manifest that is held back keeps a request open: what
// is stale does so until the next run has its requests.
func (e *erasure) waits(h erase.HeldBack) bool {
	if h.Code != erase.Settings {
		return true
	}
	for ref, datasets := range e.stale {
		if ref.Account == h.Account && slices.Contains(datasets, h.Dataset) {
			return true
		}
	}
	return false
}

// unbundled reports whether nothing is left of a request's bundle.
func (e *erasure) unbundled(ctx context.Context, ref pipeline.RequestRef) (bool, error) {
	for _, err := range e.work.List(ctx, bundle.Dir(ref)) {
		return false, err
	}
	return true, nil
}

// reopen leaves the requests to the next run whose bundle is gone.
func (e *erasure) reopen(ctx context.Context) error {
	for _, entry := range e.gone {
		err := e.note(ctx, entry.Request.Ref(), entry, intake.Event{State: pipeline.Received, Run: e.m.Run, Left: entry.Last.Left, Reason: "its bundle is gone, and nothing was erased"})
		if err != nil {
			return err
		}
	}
	return nil
}

// handedOver checks that what the manifest has of a request is in its bundle.
func (e *erasure) handedOver(ctx context.Context, ref pipeline.RequestRef) error {
	return bundle.Check(ctx, e.work, e.keys, ref, e.m.Run)
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
// asks for that, too, and so does a record in which a held identifier stands.
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
			if held == nil {
				held = e.keptRecords[r.Tombstone]
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
