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
	erasing := map[pipeline.RequestRef]string{} // the last run that has begun to
	for _, c := range j.claimed {
		erasing[c.Request.Ref()] = c.Last.Erasing
	}
	write := func(ctx context.Context, r *pipeline.Request) (*bundle.Result, error) {
		in := j.bundle(r, hits)
		if after := erasing[r.Ref()]; after != "" {
			kept, err := j.kept(ctx, r.Ref())
			if err != nil {
				return nil, err
			}
			if kept != nil {
				in.After = after
				some, err := anything(in)
				if err != nil {
					return nil, err
				}
				if !some {
					return kept, bundle.Withdraw(ctx, j.work, r.Ref(), after)
				}
			}
		}
		res, err := bundle.Write(ctx, j.work, in)
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

// kept is the bundle of an earlier run from which records were erased since, nil if
// there is none: the lake does not have them any more, so nothing replaces it.
func (j *job) kept(ctx context.Context, ref pipeline.RequestRef) (*bundle.Result, error) {
	earlier, err := bundle.Earlier(ctx, j.work, j.keys, ref)
	if err != nil || earlier == "" || earlier == j.h.Run {
		return nil, err
	}
	j.log.Info("bundle of an earlier run kept: records in it are erased from the lake", "request", ref.String(), "earlier", earlier)
	return &bundle.Result{Dir: bundle.Dir(ref)}, nil
}

// anything reports whether there is anything to hand over.
func anything(in bundle.Input) (bool, error) {
	for _, err := range in.Rows() {
		return err == nil, err
	}
	return false, nil
}

// bundle is what the bundle of a request is made of.
func (j *job) bundle(r *pipeline.Request, hits *results.Merged) bundle.Input {
	found := hits.Span(r.Ref())
	in := bundle.Input{
		Run: j.h.Run, Request: r, Datasets: j.cfg.Datasets, Now: j.h.Started, Zone: j.cfg.Policy.Timezone,
		Keys: j.keys, Sealed: j.cfg.Bundles.Encryption == bundle.SealedParquet,
		Open: func(ctx context.Context, row bundle.Row) (io.ReadCloser, int64, error) {
			return j.openOwn(ctx, row, hits)
		},
		Rows: func() iter.Seq2[bundle.Row, error] { return j.bundleRows(hits.Of(found)) },
	}
	if found.Review > 0 {
		in.Withheld = append(in.Withheld, bundle.Withheld{Code: "REVIEW", Reason: "records that a person has to decide on", Count: found.Review})
	}
	return in
}

// bundleRows are the hits that are handed over, with the names of their objects. Of older
// versions, which are searched where the consumer also asks for erasure, that is what
// stands in no later one with the same bytes. Memory is some 100 bytes for each hit in the
// versions of one key.
func (j *job) bundleRows(hits iter.Seq2[*results.Found, error]) iter.Seq2[bundle.Row, error] {
	return func(yield func(bundle.Row, error) bool) {
		var at *pipeline.Object
		var shown pipeline.ObjectRef
		later := map[string]bool{} // what was handed over of the key
		for f, err := range hits {
			if err != nil {
				yield(bundle.Row{}, err)
				return
			}
			if !f.Automatic() {
				continue
			}
			if f.At != at {
				if at == nil || at.Store != f.At.Store || at.Key != f.At.Key {
					clear(later)
				}
				at, shown = f.At, j.names.Ref(f.At)
			}
			what := f.Digest
			if what == "" {
				what = fmt.Sprintf("%s %d", f.At.ETag, f.Record)
			}
			if f.At.Noncurrent && later[what] {
				continue
			}
			later[what] = true
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
