package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/bundle"
	"expunge/pipeline/engine"
	"expunge/pipeline/results"
)

// bundles writes the bundle of every request that asks for one, as many at a time
// as there are workers: what is in them does not hang on that.
func (j *job) bundles(ctx context.Context, hits *results.Merged) (map[pipeline.RequestRef]*bundle.Result, error) {
	wanted := func(yield func(*pipeline.Request, error) bool) {
		for _, c := range j.claimed {
			if c.WantsBundle() && !yield(c.Request, nil) {
				return
			}
		}
	}
	out := map[pipeline.RequestRef]*bundle.Result{}
	erasing := map[pipeline.RequestRef]bool{}
	for _, c := range j.claimed {
		erasing[c.Request.Ref()] = c.Last.Erasing != ""
	}
	write := func(ctx context.Context, r *pipeline.Request) (*bundle.Result, error) {
		if erasing[r.Ref()] {
			if kept, err := j.keptBundle(ctx, r, hits); kept != nil || err != nil {
				return kept, err
			}
		}
		res, err := bundle.Write(ctx, j.work, j.bundle(r, hits))
		if err != nil {
			return nil, fmt.Errorf("write bundle of %s: %w", r.Ref(), err)
		}
		return res, nil
	}
	err := engine.Map(ctx, j.workers, wanted, write, func(r *pipeline.Request, res *bundle.Result) error {
		out[r.Ref()] = res
		if res.Superseded != "" {
			j.log.Info("bundle of an earlier run replaced", "request", r.Ref().String(), "earlier", res.Superseded)
		}
		return nil
	})
	return out, err
}

// keptBundle keeps the bundle of an earlier run from which records were erased since:
// the lake does not have them any more. What was found beside it waits until that
// bundle is handed over and gone; nil: there is none.
func (j *job) keptBundle(ctx context.Context, r *pipeline.Request, hits *results.Merged) (*bundle.Result, error) {
	earlier, err := bundle.Earlier(ctx, j.work, j.keys, r.Ref())
	if err != nil || earlier == "" || earlier == j.h.Run {
		return nil, err
	}
	dir := "bundles/" + r.Account + "/" + r.ID
	res := &bundle.Result{Missing: hits.Span(r.Ref()).Records}
	if res.Missing > 0 {
		res.Why = fmt.Sprintf("found after records of it were erased: release the bundle of run %s, remove %s, and run again", earlier, dir)
	}
	j.log.Info("bundle of an earlier run kept: records in it are erased from the lake", "request", r.Ref().String(), "earlier", earlier)
	return res, nil
}

// bundle is what the bundle of a request is made of.
func (j *job) bundle(r *pipeline.Request, hits *results.Merged) bundle.Input {
	found := hits.Span(r.Ref())
	in := bundle.Input{
		Run: j.h.Run, Request: r, Datasets: j.cfg.Datasets, Now: j.h.Started, Zone: j.cfg.Policy.Timezone,
		Open: func(ctx context.Context, row bundle.Row) (io.ReadCloser, error) {
			o := row.Found.At
			return j.stores[o.Store].Open(ctx, o.Ref, connectors.All)
		},
		Rows: func() iter.Seq2[bundle.Row, error] { return j.bundleRows(hits.Of(found)) },
	}
	if j.cfg.Bundles.Encryption == bundle.SealedParquet {
		in.Keys = j.keys
	}
	if found.Review > 0 {
		in.Withheld = append(in.Withheld, bundle.Withheld{Code: "REVIEW", Reason: "records that a person has to decide on", Count: found.Review})
	}
	return in
}

// bundleRows are the hits that are handed over, with the names of their objects.
func (j *job) bundleRows(hits iter.Seq2[*results.Found, error]) iter.Seq2[bundle.Row, error] {
	return func(yield func(bundle.Row, error) bool) {
		var at *pipeline.Object
		var shown pipeline.ObjectRef
		for f, err := range hits {
			if err != nil {
				yield(bundle.Row{}, err)
				return
			}
			if !f.Automatic() || f.At.Noncurrent {
				continue
			}
			if f.At != at {
				at, shown = f.At, j.names.Ref(f.At)
			}
			if !yield(bundle.Row{Found: f, Object: shown}, nil) {
				return
			}
		}
	}
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
