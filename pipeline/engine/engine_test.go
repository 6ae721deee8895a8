package engine

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

func numbers(n int, fail error) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i, nil) {
				return
			}
		}
		if fail != nil {
			yield(0, fail)
		}
	}
}

func TestMapRunsEachItemOnceWithinItsBound(t *testing.T) {
	for _, workers := range []int{1, 3, 16} {
		var now, most atomic.Int32
		seen := map[int]int{}
		err := Map(t.Context(), workers, numbers(200, nil), func(_ context.Context, i int) (int, error) {
			n := now.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			runtime.Gosched()
			now.Add(-1)
			return i * i, nil
		}, func(i, square int) error {
			if square != i*i {
				t.Errorf("item %d came back with the result of another", i)
			}
			seen[i]++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(seen) != 200 {
			t.Errorf("%d workers: %d of 200 items done", workers, len(seen))
		}
		for i, n := range seen {
			if n != 1 {
				t.Errorf("item %d done %d times", i, n)
			}
		}
		if int(most.Load()) > workers {
			t.Errorf("%d at a time, %d allowed", most.Load(), workers)
		}
	}
}

func TestMapStopsAtTheFirstError(t *testing.T) {
	boom := errors.New("boom")
	ok := func(_ context.Context, i int) (int, error) { return i, nil }
	cases := map[string]func() error{
		"items": func() error {
			return Map(t.Context(), 4, numbers(10, boom), ok, func(int, int) error { return nil })
		},
		"run": func() error {
			return Map(t.Context(), 4, numbers(1000, nil), func(_ context.Context, i int) (int, error) {
				if i == 7 {
					return 0, boom
				}
				return i, nil
			}, func(int, int) error { return nil })
		},
		"done": func() error {
			return Map(t.Context(), 4, numbers(1000, nil), ok, func(i, _ int) error {
				if i == 7 {
					return boom
				}
				return nil
			})
		},
	}
	for name, run := range cases {
		finished := make(chan error, 1)
		go func() { finished <- run() }()
		select {
		case err := <-finished:
			if !errors.Is(err, boom) {
				t.Errorf("%s: error %v, want boom", name, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: hangs after an error", name)
		}
	}
}

func TestEachRunsEachOnceWithinItsBound(t *testing.T) {
	for _, workers := range []int{0, 1, 3, 300} {
		var now, most atomic.Int32
		done := make([]int, 200)
		err := Each(t.Context(), workers, len(done), func(_ context.Context, i int) error {
			n := now.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			runtime.Gosched()
			now.Add(-1)
			done[i]++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, n := range done {
			if n != 1 {
				t.Errorf("%d workers: %d done %d times", workers, i, n)
			}
		}
		if int(most.Load()) > max(workers, 1) {
			t.Errorf("%d at a time, %d allowed", most.Load(), workers)
		}
	}
}

func TestEachStops(t *testing.T) {
	broken := errors.New("broken")
	var ran atomic.Int32
	err := Each(t.Context(), 2, 1_000_000, func(ctx context.Context, i int) error {
		if ran.Add(1); i == 5 {
			return broken
		}
		return nil
	})
	if !errors.Is(err, broken) || ran.Load() > 1000 {
		t.Errorf("%v after %d", err, ran.Load())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Each(ctx, 2, 3, func(context.Context, int) error { t.Error("ran"); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("under a context that has ended: %v", err)
	}
}
