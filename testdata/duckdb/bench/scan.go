package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"time"

	"expunge/connectors"
	"expunge/connectors/dir"
	"expunge/pipeline"
	"expunge/pipeline/engine"
	"expunge/pipeline/identity"
	"expunge/pipeline/results"
	"expunge/pipeline/scan"
	"expunge/pipeline/seal"
	"expunge/scanners"
	"expunge/scanners/csv"
	"expunge/scanners/jsonl"
	"expunge/scanners/parquet"
)

// outcome is what one run of one engine says.
type outcome struct {
	Seconds float64  `json:"seconds"`
	CPU     float64  `json:"cpu"` // seconds, of all threads
	RSS     int64    `json:"rss"` // peak, bytes
	IDs     []string `json:"ids"` // of the records found, sorted
}

// splitTarget is the size of the units that the plan of a small lake makes.
const splitTarget = 16 << 20

// scanLake runs the scan step as a run's first round does: units of a directory
// store, confirmed hits and the catalog's filters into a work store.
func scanLake(ctx context.Context, p part, f format, threads int, search bool) (outcome, error) {
	var o outcome
	needles := make([]identity.Needle, 0, 2*p.consumers)
	ask := []pipeline.Ask{{Request: pipeline.RequestRef{Account: "acme", ID: "R-1"}}}
	var asks [][]pipeline.Ask
	for i := range p.consumers {
		c := consumerOf(i)
		for kind, value := range map[pipeline.Kind]string{pipeline.Phone: "+1" + c.phone, pipeline.Email: c.email} {
			canon, err := identity.Normalise(kind, pipeline.Secret(value), "US")
			if err != nil {
				return o, fmt.Errorf("normalise consumer %d: %w", i, err)
			}
			needles, asks = append(needles, identity.Needle{Account: "acme", Canon: canon}), append(asks, ask)
		}
	}
	set := identity.Compile(identity.Key{1, 2, 3}, "US", needles)
	tmp, err := os.MkdirTemp(p.dir, "work-")
	if err != nil {
		return o, err
	}
	defer os.RemoveAll(tmp)
	work, err := dir.New("work", tmp)
	if err != nil {
		return o, err
	}
	lake, err := dir.New("lake", filepath.Join(p.dir, f.folder))
	if err != nil {
		return o, err
	}
	keys, err := seal.Open(bytes.Repeat([]byte{7}, seal.KeySize))
	if err != nil {
		return o, err
	}
	found := &results.Results{Work: work, Run: "bench", Keys: keys}
	step := &scan.Scan{
		Stores:  map[string]connectors.Store{"lake": lake},
		Formats: map[string]scanners.Scanner{"jsonl": jsonl.Scanner{}, "csv": csv.New(), "parquet": parquet.New()},
		Datasets: []pipeline.Dataset{{
			Name: "calls", Format: f.ext[1:], Time: "start_time", Search: search,
			Fields: []pipeline.Field{
				{Path: "customer_email", Kind: pipeline.Email},
				{Path: "customer_phone_number", Kind: pipeline.Phone},
			},
		}},
		Keys: keys, Results: found, Name: func(o *pipeline.Object) string { return o.Key }, Set: set, Asks: asks,
	}
	if f.ext == ".jsonl.gz" {
		step.Datasets[0].Format = "jsonl"
	}
	began, cpu := time.Now(), cpuSeconds()
	var refused error
	err = engine.Map(ctx, threads, batches(ctx, lake, step), step.Batch, func(_ pipeline.Batch, units []*pipeline.UnitResult) error {
		for _, u := range units {
			if u.Outcome == pipeline.Refused {
				refused = errors.Join(refused, fmt.Errorf("scan %s: %s", u.Object.Key, u.Reason))
			}
		}
		return nil
	})
	if err = errors.Join(err, refused); err != nil {
		return o, err
	}
	o.Seconds, o.CPU = time.Since(began).Seconds(), cpuSeconds()-cpu
	for h, err := range found.Hits(ctx, 1, nil) {
		if err != nil {
			return o, err
		}
		var doc struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(h.Doc, &doc); err != nil {
			return o, fmt.Errorf("read hit: %w", err)
		}
		o.IDs = append(o.IDs, doc.ID)
	}
	return o, nil
}

// batches yields one unit a batch: whole objects, or parts where they can be cut.
func batches(ctx context.Context, lake connectors.Store, step *scan.Scan) iter.Seq2[pipeline.Batch, error] {
	return func(yield func(pipeline.Batch, error) bool) {
		n, at := 0, int64(0)
		for object, err := range lake.List(ctx, "") {
			if err != nil {
				yield(pipeline.Batch{}, err)
				return
			}
			o := pipeline.Object{N: at, Object: object, Account: "acme"}
			at++
			parts, err := step.Split(ctx, &o, splitTarget)
			if err != nil {
				yield(pipeline.Batch{}, err)
				return
			}
			if parts == nil {
				parts = []scanners.Part{{}}
			}
			for _, part := range parts {
				if !yield(pipeline.Batch{Round: 1, N: n, Units: []pipeline.Unit{{Object: o, Part: part, Catalog: true}}}, nil) {
					return
				}
				n++
			}
		}
	}
}
