package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/bundle"
	"expunge/pipeline/catalog"
	"expunge/pipeline/intake"
	"expunge/pipeline/manifest"
	"expunge/pipeline/report"
	"expunge/pipeline/results"
	"expunge/pipeline/spool"
	"expunge/pipeline/tombstone"
)

// gathered are the hits of all rounds, sorted by account, request, dataset,
// object and record, each record once per request.
type gathered struct {
	sorter *spool.Sorter
	spans  map[pipeline.RequestRef]*tally
}

// tally counts the hits of a request.
type tally struct{ records, review int64 }

// gather merges the rounds. A record found in two rounds is one hit with the
// evidence of both.
func (j *job) gather(ctx context.Context) (*gathered, error) {
	bases, err := j.results.Bases(ctx)
	if err != nil {
		return nil, err
	}
	g := &gathered{sorter: spool.NewSorter(), spans: map[pipeline.RequestRef]*tally{}}
	var value []byte
	for round := 1; round <= len(j.rounds); round++ {
		for f, err := range j.results.Hits(ctx, round, bases) {
			if err != nil {
				return nil, err
			}
			f.Links, f.Base = nil, 0
			if value, err = appendFound(value[:0], f); err != nil {
				return nil, err
			}
			if err := g.sorter.Add(gatherKey(f), value); err != nil {
				return nil, err
			}
		}
	}
	return g, nil
}

func gatherKey(f *results.Found) []byte {
	key := append([]byte(f.Request.Account), 0)
	key = append(append(key, f.Request.ID...), 0)
	key = append(append(key, f.Dataset...), 0)
	key = binary.BigEndian.AppendUint64(key, uint64(f.Object))
	return binary.BigEndian.AppendUint64(key, uint64(f.Record+1))
}

func appendFound(dst []byte, f *results.Found) ([]byte, error) {
	head, err := json.Marshal(&f.Hit)
	if err != nil {
		return nil, fmt.Errorf("sort hits: %w", err)
	}
	dst = append(binary.AppendUvarint(dst, uint64(len(head))), head...)
	dst = append(binary.AppendUvarint(dst, uint64(len(f.Schema))), f.Schema...)
	return append(dst, f.Doc...), nil
}

func readFound(b []byte) (*results.Found, error) {
	f := new(results.Found)
	n, k := binary.Uvarint(b)
	if err := json.Unmarshal(b[k:k+int(n)], &f.Hit); err != nil {
		return nil, fmt.Errorf("sort hits: %w", err)
	}
	b = b[k+int(n):]
	n, k = binary.Uvarint(b)
	if n > 0 {
		f.Schema = bytes.Clone(b[k : k+int(n)])
	}
	if doc := b[k+int(n):]; len(doc) > 0 {
		f.Doc = bytes.Clone(doc)
	}
	return f, nil
}

// hits yields the merged hits in order.
func (g *gathered) hits() iter.Seq2[*results.Found, error] {
	return func(yield func(*results.Found, error) bool) {
		var last *results.Found
		var key []byte
		for p, err := range g.sorter.Sorted() {
			var f *results.Found
			if err == nil {
				f, err = readFound(p.Value)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if last != nil && bytes.Equal(p.Key, key) {
				merge(last, f)
				continue
			}
			if last != nil && !yield(last, nil) {
				return
			}
			last, key = f, append(key[:0], p.Key...)
		}
		if last != nil {
			yield(last, nil)
		}
	}
}

func merge(into, f *results.Found) {
	for _, e := range f.Why {
		known := false
		for _, x := range into.Why {
			known = known || x == e
		}
		if !known {
			into.Why = append(into.Why, e)
		}
	}
	if f.Tier.Surer(into.Tier) {
		into.Tier = f.Tier
	}
	if into.Doc == nil {
		into.Doc, into.Schema = f.Doc, f.Schema
	}
	if into.Digest == "" {
		into.Digest = f.Digest
	}
}

// finish turns hits into bundles, a manifest, a review list and the report, and
// says where each request stands now.
func (j *job) finish(ctx context.Context) (bool, error) {
	j.watch.begin("gather")
	g, err := j.gather(ctx)
	if err != nil {
		return false, err
	}
	defer g.sorter.Close()
	objects, err := j.objects(ctx, g)
	if err != nil {
		return false, err
	}
	waived, err := j.waived(ctx, j.now())
	if err != nil {
		return false, err
	}
	j.watch.begin("objects")
	totals, err := report.Objects(ctx, j.work, j.h.Run, report.Source{
		Joined: func() iter.Seq2[catalog.Joined, error] { return j.joined(ctx) },
		Units:  func(round int) iter.Seq2[*pipeline.UnitResult, error] { return j.results.Units(ctx, round) },
		Rounds: len(j.rounds), Names: j.names, Datasets: j.cfg.Datasets, Waived: waived,
	})
	if err != nil {
		return false, err
	}
	j.watch.begin("bundles")
	bundles, err := j.bundles(ctx, g, objects)
	if err != nil {
		return false, err
	}
	j.watch.begin("manifest")
	manifest, err := j.manifest(ctx, g, objects, totals)
	if err != nil {
		return false, err
	}
	return j.report(ctx, g, totals, bundles, manifest)
}

// objects are the objects that hold hits, by their place in the plan. Their
// number is bounded by that of hits; each takes a few hundred bytes.
func (j *job) objects(ctx context.Context, g *gathered) (map[int64]pipeline.Object, error) {
	out := map[int64]pipeline.Object{}
	for f, err := range g.hits() {
		if err != nil {
			return nil, err
		}
		out[f.Object] = pipeline.Object{}
		t := g.spans[f.Request]
		if t == nil {
			t = &tally{}
			g.spans[f.Request] = t
		}
		if f.Tier.Automatic() {
			t.records++
		} else {
			t.review++
		}
	}
	for o, err := range j.plan.Objects(ctx, j.summary) {
		if err != nil {
			return nil, err
		}
		if _, ok := out[o.N]; ok {
			out[o.N] = o
		}
	}
	return out, nil
}

// bundles writes the bundle of every request that asks for one, one at a time.
func (j *job) bundles(ctx context.Context, g *gathered, objects map[int64]pipeline.Object) (map[pipeline.RequestRef]*bundle.Result, error) {
	wanted := map[pipeline.RequestRef]*pipeline.Request{}
	for _, c := range j.claimed {
		if c.Request.WantsBundle() {
			wanted[c.Request.Ref()] = c.Request
		}
	}
	out := map[pipeline.RequestRef]*bundle.Result{}
	write := func(ref pipeline.RequestRef, hits *hitSpool) error {
		res, err := j.bundle(ctx, wanted[ref], hits, g.spans[ref], objects)
		if err != nil {
			return fmt.Errorf("write bundle of %s: %w", ref, err)
		}
		out[ref] = res
		return nil
	}
	var ref pipeline.RequestRef
	var hits *hitSpool
	flush := func() error {
		if hits == nil {
			return nil
		}
		defer hits.f.Close()
		if err := hits.w.Close(); err != nil {
			return err
		}
		err := write(ref, hits)
		hits = nil
		return err
	}
	for f, err := range g.hits() {
		if err != nil {
			return nil, err
		}
		if f.Request != ref {
			if err := flush(); err != nil {
				return nil, err
			}
			ref = f.Request
		}
		if wanted[ref] == nil || !f.Tier.Automatic() || objects[f.Object].Noncurrent {
			continue
		}
		if hits == nil {
			if hits, err = newHitSpool(); err != nil {
				return nil, err
			}
		}
		if err := hits.add(f); err != nil {
			return nil, err
		}
	}
	if err := flush(); err != nil {
		return nil, err
	}
	for ref := range wanted { // those of whom nothing was found
		if out[ref] == nil {
			if err := write(ref, nil); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func (j *job) bundle(ctx context.Context, r *pipeline.Request, hits *hitSpool, t *tally, objects map[int64]pipeline.Object) (*bundle.Result, error) {
	refs := map[int64]pipeline.ObjectRef{}
	in := bundle.Input{
		Request: r, Datasets: j.cfg.Datasets, Now: j.h.Started,
		Open: func(ctx context.Context, row bundle.Row) (io.ReadCloser, error) {
			o := objects[row.Found.Object]
			body, err := j.stores[o.Store].Open(ctx, o.Ref, connectors.All)
			if err != nil {
				return nil, fmt.Errorf("open %s: %w", row.Object.Shown, cause(err))
			}
			return body, nil
		},
		Rows: func() iter.Seq2[bundle.Row, error] {
			return func(yield func(bundle.Row, error) bool) {
				if hits == nil {
					return
				}
				for f, err := range hits.all() {
					if err != nil {
						yield(bundle.Row{}, err)
						return
					}
					shown, ok := refs[f.Object]
					if !ok {
						o := objects[f.Object]
						shown = j.names.Ref(&o)
						refs[f.Object] = shown
					}
					if !yield(bundle.Row{Found: f, Object: shown}, nil) {
						return
					}
				}
			}
		},
	}
	if t != nil && t.review > 0 {
		in.Withheld = append(in.Withheld, bundle.Withheld{Code: "REVIEW", Reason: "records that a person has to decide on", Count: t.review})
	}
	return bundle.Write(ctx, j.work, in)
}

// cause is what went wrong with an object, without the store's own words: they
// name the key, which may hold an identifier.
func cause(err error) error {
	for _, known := range []error{
		context.Canceled, context.DeadlineExceeded, connectors.ErrNotFound, connectors.ErrChanged, connectors.ErrDenied,
		connectors.ErrArchived, connectors.ErrTemporary, connectors.ErrNoStore,
	} {
		if errors.Is(err, known) {
			return known
		}
	}
	return errors.New("the store does not give it")
}

// hitSpool keeps the hits of one request, for the passes that a bundle needs.
type hitSpool struct {
	f   *os.File
	w   *spool.Writer
	rec []byte
}

func newHitSpool() (*hitSpool, error) {
	f, err := spool.Temp()
	if err != nil {
		return nil, err
	}
	w, err := spool.NewWriter(f, nil)
	if err != nil {
		f.Close()
		return nil, err
	}
	return &hitSpool{f: f, w: w}, nil
}

func (s *hitSpool) add(f *results.Found) error {
	var err error
	if s.rec, err = appendFound(s.rec[:0], f); err != nil {
		return err
	}
	return s.w.Write(s.rec)
}

func (s *hitSpool) all() iter.Seq2[*results.Found, error] {
	return func(yield func(*results.Found, error) bool) {
		st, err := s.f.Stat()
		if err != nil {
			yield(nil, err)
			return
		}
		r, err := spool.NewReader(io.NewSectionReader(s.f, 0, st.Size()), nil)
		if err != nil {
			yield(nil, err)
			return
		}
		defer r.Close()
		for {
			rec, err := r.Next()
			if err == io.EOF {
				return
			}
			var f *results.Found
			if err == nil {
				f, err = readFound(rec)
			}
			if !yield(f, err) || err != nil {
				return
			}
		}
	}
}

// manifest writes the tombstones of deletion requests and the review list.
func (j *job) manifest(ctx context.Context, g *gathered, objects map[int64]pipeline.Object, totals *report.Totals) (*manifest.Manifest, error) {
	maker := &tombstone.Maker{Names: j.names, Datasets: j.cfg.Datasets, Keys: j.keys, Exceptions: map[string][]pipeline.Exception{}}
	for _, a := range j.cfg.Accounts {
		maker.Exceptions[a.Name] = a.Exceptions
	}
	deletes := map[pipeline.RequestRef]bool{}
	for _, c := range j.claimed {
		deletes[c.Request.Ref()] = c.Request.Has(pipeline.Delete)
	}
	rows, review := tombstone.NewWriter(), tombstone.NewWriter()
	defer rows.Close()
	defer review.Close()
	for f, err := range g.hits() {
		if err != nil {
			return nil, err
		}
		o := objects[f.Object]
		row, err := maker.Make(&f.Hit, &o)
		if err != nil {
			return nil, err
		}
		switch {
		case !f.Tier.Automatic():
			err = review.Add(row)
		case deletes[f.Request] && (j.cfg.Policy.Cutoff != "run" || f.Time <= j.h.Started.UnixMilli()):
			err = rows.Add(row)
		}
		if err != nil {
			return nil, err
		}
	}
	dir := "runs/" + j.h.Run + "/"
	if _, err := review.Write(ctx, j.work, dir, "review", nil); err != nil {
		return nil, err
	}
	seal := manifest.NewSeal()
	files, err := rows.Write(ctx, j.work, dir+"manifest/", "tombstones", seal.Row)
	if err != nil {
		return nil, err
	}
	settings := map[string]string{}
	for _, d := range j.cfg.Datasets {
		settings[d.Name] = d.Digest
	}
	m, err := seal.Finish(j.h.Run, files, settings,
		func(account, dataset string) int64 { return totals.Rows[[2]string{account, dataset}] },
		manifest.Limits{Fraction: j.cfg.Policy.MaxEraseFraction, MinRecords: j.cfg.Policy.MinRecords}, j.keys)
	if err != nil {
		return nil, err
	}
	return m, m.Write(ctx, j.work)
}

// report says what was done and where each request stands.
func (j *job) report(ctx context.Context, g *gathered, totals *report.Totals, bundles map[pipeline.RequestRef]*bundle.Result, m *manifest.Manifest) (bool, error) {
	r := report.New(j.h.Run, j.h.Started, j.now().UTC(), totals)
	r.Rounds, r.Tombstones = j.rounds, m.Rows
	r.Bytes.Filters = j.filters.Bytes()
	for _, x := range m.Radius {
		r.Radius = append(r.Radius, report.Radius(x))
	}
	for _, l := range j.closure.Limited {
		r.Limits = append(r.Limits, fmt.Sprintf("%s, round %d: at least %d link ids found, %d followed", l.Request, l.Round, l.Found, l.Kept))
	}
	for _, b := range j.h.Blocked {
		r.Requests = append(r.Requests, report.Request{Request: b.Request.String(), State: string(pipeline.Blocked), Reason: b.Reason})
		r.Limits = append(r.Limits, fmt.Sprintf("%s was not searched for: %s", b.Request, b.Reason))
	}
	var events []intake.Event
	for _, c := range j.claimed {
		ref := c.Request.Ref()
		state, reason, left := j.standing(c.Request, g.spans[ref], totals)
		t := g.spans[ref]
		if t == nil {
			t = &tally{}
		}
		q := report.Request{Request: ref.String(), State: string(state), Reason: reason, Records: t.records, Review: t.review, Due: c.Due().Format("2006-01-02")}
		for _, right := range c.Request.Rights {
			q.Rights = append(q.Rights, string(right))
		}
		r.Review += t.review
		if bundles[ref] != nil {
			q.Bundle = "bundles/" + ref.Account + "/" + ref.ID + "/index.html"
		}
		r.Requests = append(r.Requests, q)
		events = append(events, intake.Event{State: state, Reason: reason, Left: left})
	}
	r.Judge()
	j.figures(r)
	if err := r.Write(ctx, j.work); err != nil {
		return false, err
	}
	if err := j.conclude(ctx, events); err != nil { // last: a run that is killed before can be resumed
		return false, err
	}
	if j.flags.json {
		return r.State == report.Complete, printJSON(r)
	}
	r.Print(os.Stdout)
	return r.State == report.Complete, nil
}

// standing is where a request stands after the run, why, and what is left to do
// for it once what the state waits for is done.
func (j *job) standing(r *pipeline.Request, t *tally, totals *report.Totals) (pipeline.State, string, []intake.Left) {
	ref := r.Ref()
	var open []string
	var left []intake.Left
	if n := totals.RefusedAccounts[ref.Account] + totals.RefusedAccounts[""]; n > 0 {
		open = append(open, fmt.Sprintf("%d objects that may concern it were refused", n))
		left = append(left, intake.Left{Code: intake.LeftRefused, Count: n})
	}
	if n := totals.Strayed[ref]; n > 0 {
		open = append(open, fmt.Sprintf("%d objects hold its identifiers in records that belong to no account", n))
		left = append(left, intake.Left{Code: intake.LeftStrayed, Count: n})
	}
	for _, l := range j.closure.Limited {
		if l.Request == ref {
			open = append(open, "a limit on links was reached")
			left = append(left, intake.Left{Code: intake.LeftLimit})
			break
		}
	}
	review := t != nil && t.review > 0
	if review {
		open = append(open, fmt.Sprintf("%d records wait for review", t.review))
		left = append(left, intake.Left{Code: intake.LeftReview, Count: t.review})
	}
	if r.Has(pipeline.OptOut) || r.Has(pipeline.Correct) {
		open = append(open, "opt_out and correct are not carried out")
		left = append(left, intake.Left{Code: intake.LeftRight})
	}
	reason := strings.Join(open, "; ")
	switch {
	case r.Has(pipeline.Delete):
		return pipeline.AwaitingApproval, reason, left
	case review:
		return pipeline.InReview, reason, left
	case len(open) > 0:
		return pipeline.Received, reason, left
	}
	return pipeline.Completed, "", nil
}
