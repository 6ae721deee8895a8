// Package engine runs a step over many items. It knows no step: any function
// from plain data to plain data will do, so that the same functions run here in
// one process and could run in a cluster's array job.
package engine

import (
	"context"
	"iter"

	"golang.org/x/sync/errgroup"
)

// Stage is a step: plain data in, plain data out, safe to run again.
type Stage[In, Out any] func(context.Context, In) (Out, error)

// Map runs run over items with at most workers at a time and hands each result to
// done, one after another, in the order of completion. The first error (of items,
// run or done) stops everything and is returned. Memory is bounded by workers
// items and results.
func Map[In, Out any](ctx context.Context, workers int, items iter.Seq2[In, error], run Stage[In, Out], done func(In, Out) error) error {
	type result struct {
		in  In
		out Out
	}
	if workers < 1 {
		workers = 1
	}
	group, ctx := errgroup.WithContext(ctx)
	queue := make(chan In)
	results := make(chan result)
	group.Go(func() error {
		defer close(queue)
		for item, err := range items {
			if err != nil {
				return err
			}
			select {
			case queue <- item:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	running := make(chan struct{}, workers)
	for range workers {
		group.Go(func() error {
			defer func() { running <- struct{}{} }()
			for item := range queue {
				out, err := run(ctx, item)
				if err != nil {
					return err
				}
				select {
				case results <- result{item, out}:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
	}
	group.Go(func() error {
		for range workers {
			<-running
		}
		close(results)
		return nil
	})
	group.Go(func() error {
		for r := range results {
			if err := done(r.in, r.out); err != nil {
				return err
			}
		}
		return nil
	})
	return group.Wait()
}

// Each runs run for 0 to n-1 with at most workers at a time. The first error stops
// what has not begun, and is returned; so is that of a context that ends.
func Each(ctx context.Context, workers, n int, run func(ctx context.Context, i int) error) error {
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(max(workers, 1))
	for i := range n {
		if inner.Err() != nil {
			break
		}
		group.Go(func() error {
			if inner.Err() != nil {
				return nil // the error that ended it is returned
			}
			return run(inner, i)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}
