package main

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"expunge/pipeline"
	"expunge/pipeline/closure"
	"expunge/pipeline/identity"
	"expunge/pipeline/journal"
	"expunge/pipeline/ledger"
	"expunge/pipeline/manifest"
	"expunge/pipeline/spool"
)

// memory is what a run gives to the ledger: identities without their values, and
// the digests of the records and whole objects that it erased.
type memory struct {
	*rememberer
	past   *journal.Past
	sorter *spool.Sorter
	counts map[string]int64 // by request
	next   func() (spool.Pair, error, bool)
	stop   func()
	peeked *spool.Pair
}

func newMemory(r *rememberer, past *journal.Past) *memory {
	return &memory{rememberer: r, past: past, sorter: spool.NewSorter(), counts: map[string]int64{}}
}

func (m *memory) close() {
	if m.stop != nil {
		m.stop()
	}
	m.sorter.Close()
}

// add takes a tombstone, if its record went, or all of its object did.
func (m *memory) add(r *manifest.Row) error {
	if r.Disposition == string(pipeline.Excepted) {
		return nil
	}
	version := ""
	if r.Version != nil {
		version = *r.Version
	}
	done, open := m.past.Of(r.ObjectID, version, r.ETag)
	if done == nil || open != nil {
		return nil
	}
	digest := done.Content
	if r.Digest != nil {
		digest = *r.Digest
	}
	if digest == "" {
		return nil // gone by another hand, or nobody could read it
	}
	m.counts[r.Request]++
	return m.sorter.Add([]byte(r.Request+"\x00"+digest), nil)
}

// records yields the digests of one request. Requests are asked for in their order.
func (m *memory) records(request string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if m.next == nil {
			m.next, m.stop = iter.Pull2(m.sorter.Sorted())
		}
		for {
			if m.peeked == nil {
				p, err, ok := m.next()
				if err != nil {
					yield("", err)
					return
				}
				if !ok {
					return
				}
				m.peeked = &p
			}
			of, digest, _ := strings.Cut(string(m.peeked.Key), "\x00")
			if of > request {
				return
			}
			m.peeked = nil
			if of == request && !yield(digest, nil) {
				return
			}
		}
	}
}

// rememberer hands over the identities that a run has kept sealed, request by request,
// to the ledger. The file is read once.
type rememberer struct {
	*app
	run     string
	needles []identity.Needle
	asks    [][]pipeline.Ask
	of      map[pipeline.RequestRef][]int // needles
	beside  map[pipeline.RequestRef][]pipeline.Link
}

func (a *app) rememberer(run string) *rememberer { return &rememberer{app: a, run: run} }

func (r *rememberer) read(ctx context.Context) (err error) {
	if r.of != nil {
		return nil
	}
	identities := &closure.Store{Work: r.work, Keys: r.keys, Run: r.run}
	var beside []closure.Beside
	if r.needles, r.asks, beside, err = identities.ReadAll(ctx, func(pipeline.RequestRef) bool { return true }); err != nil {
		return err
	}
	r.beside = map[pipeline.RequestRef][]pipeline.Link{}
	for _, b := range beside {
		r.beside[b.Request] = append(r.beside[b.Request], b.Direct)
	}
	r.of = map[pipeline.RequestRef][]int{}
	for i, asks := range r.asks {
		for _, ask := range asks {
			if of := r.of[ask.Request]; len(of) == 0 || of[len(of)-1] != i {
				r.of[ask.Request] = append(of, i)
			}
		}
	}
	return nil
}

// remember writes the ledger's part of what a run certifies of a request.
func (r *rememberer) remember(ctx context.Context, ref pipeline.RequestRef, cutoff, count int64, records iter.Seq2[string, error]) error {
	if err := r.read(ctx); err != nil {
		return err
	}
	key, err := r.catalogKey(ctx)
	if err != nil {
		return err
	}
	if len(r.of[ref]) == 0 {
		return fmt.Errorf("write ledger of %s: run %s has kept no identity of it", ref, r.run)
	}
	var needles []identity.Needle
	var asks [][]pipeline.Ask
	for _, i := range r.of[ref] {
		of := slices.DeleteFunc(slices.Clone(r.asks[i]), func(a pipeline.Ask) bool { return a.Request != ref || a.Late })
		if len(of) > 0 {
			needles, asks = append(needles, r.needles[i]), append(asks, of)
		}
	}
	h := ledger.Head{Account: ref.Account, Request: ref.String(), Run: r.run, Cutoff: cutoff, Records: count}
	return r.ledger().Add(ctx, h, key, needles, asks, r.beside[ref], records)
}
