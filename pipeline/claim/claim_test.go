package claim

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"expunge/connectors/count"
	"expunge/connectors/mem"
	"expunge/pipeline"
)

// clock is a hand-set clock.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time     { return time.Unix(c.at.Load(), 0) }
func (c *clock) pass(seconds int64) { c.at.Add(seconds) }
func newClock() *clock              { c := &clock{}; c.at.Store(1_780_000_000); return c }
func ref(i int) pipeline.RequestRef {
	return pipeline.RequestRef{Account: "acme", ID: fmt.Sprint("R-", i)}
}
func claims(c *clock) *Claims { return &Claims{Store: mem.New("work", mem.Options{}), Now: c.now} }
func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestOneRunWinsEachRequest(t *testing.T) {
	const runs, requests = 8, 25
	c := claims(newClock())
	var wg sync.WaitGroup
	var mu sync.Mutex
	winners := map[int][]string{}
	for r := range runs {
		run := fmt.Sprint("run", r)
		must(c.Lease(t.Context(), run, run, time.Minute))(t)
		wg.Go(func() {
			for i := range requests {
				got, err := c.Take(t.Context(), ref(i), run)
				if err != nil {
					if !errors.Is(err, ErrClaimed) {
						t.Errorf("take: %v", err)
					}
					continue
				}
				if got.Fence != 1 {
					t.Errorf("fence %d of a first claim", got.Fence)
				}
				mu.Lock()
				winners[i] = append(winners[i], run)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for i := range requests {
		if len(winners[i]) != 1 {
			t.Errorf("request %d was won by %v", i, winners[i])
		}
	}
}

func TestClaimLifecycle(t *testing.T) {
	at := newClock()
	c := claims(at)
	ctx := t.Context()
	a := must(c.Lease(ctx, "a", "pid1", time.Minute))(t)
	must(c.Lease(ctx, "b", "pid2", time.Minute))(t)
	first := must(c.Take(ctx, ref(1), "a"))(t)
	if again := must(c.Take(ctx, ref(1), "a"))(t); again != first {
		t.Errorf("a second take gave %v, not %v", again, first)
	}
	var claimed *Claimed
	if _, err := c.Take(ctx, ref(1), "b"); !errors.As(err, &claimed) || claimed.Run != "a" || claimed.Until.Sub(at.now()) != time.Minute || !errors.Is(err, ErrClaimed) {
		t.Fatalf("take of another's: %v", err)
	}
	at.pass(50)
	if err := a.Renew(ctx); err != nil {
		t.Fatal(err)
	}
	at.pass(50) // b's lease has expired, a's has not
	if _, err := c.Take(ctx, ref(1), "b"); !errors.Is(err, ErrClaimed) {
		t.Errorf("take after a renewal: %v", err)
	}
	if err := c.Release(ctx, first); err != nil {
		t.Fatal(err)
	}
	if err := c.Release(ctx, first); err != nil {
		t.Errorf("a repeated release: %v", err)
	}
	second := must(c.Take(ctx, ref(1), "b"))(t)
	if second.Fence != 3 || c.Check(ctx, second) != nil || !errors.Is(c.Check(ctx, first), ErrFenced) {
		t.Errorf("claim after a release: %v", second)
	}
	if err := c.Release(ctx, first); !errors.Is(err, ErrFenced) {
		t.Errorf("release of what another has: %v", err)
	}
	third := must(c.Take(ctx, ref(2), "a"))(t)
	if err := a.End(ctx); err != nil {
		t.Fatal(err)
	}
	if got := must(c.Take(ctx, ref(2), "b"))(t); got.Fence != third.Fence+1 {
		t.Errorf("claim of an ended run's: %v", got)
	}
	if err := a.Renew(ctx); !errors.Is(err, ErrFenced) {
		t.Errorf("renewal of an ended lease: %v", err)
	}
}

func TestExpiredLeaseIsTakenOverOnce(t *testing.T) {
	at := newClock()
	c := claims(at)
	old := must(c.Lease(t.Context(), "run", "first", time.Minute))(t)
	if _, err := c.Lease(t.Context(), "run", "second", time.Minute); !errors.Is(err, ErrLeased) {
		t.Fatalf("a good lease was given twice: %v", err)
	}
	at.pass(61)
	var won atomic.Int32
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			_, err := c.Lease(t.Context(), "run", fmt.Sprint("taker", i), time.Minute)
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, ErrLeased):
				t.Errorf("take over: %v", err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d took the lease over", won.Load())
	}
	if err := old.Renew(t.Context()); !errors.Is(err, ErrFenced) {
		t.Errorf("the old owner's renewal: %v", err)
	}
}

// TestManyFences: the tenth claim counts, though "10" sorts before "9".
func TestManyFences(t *testing.T) {
	c := claims(newClock())
	must(c.Lease(t.Context(), "a", "x", time.Minute))(t)
	for i := range 7 {
		got := must(c.Take(t.Context(), ref(1), "a"))(t)
		if got.Fence != 2*i+1 {
			t.Fatalf("fence %d, want %d", got.Fence, 2*i+1)
		}
		if err := c.Release(t.Context(), got); err != nil {
			t.Fatal(err)
		}
	}
}

// A night claims its requests by one listing and a write each, checks them by a read
// and gives them back by a write.
func TestCallsOfANight(t *testing.T) {
	var calls count.Calls
	store := mem.New("work", mem.Options{})
	at := newClock()
	others := &Claims{Store: store, Now: at.now}
	must(others.Lease(t.Context(), "other", "x", time.Minute))(t)
	const n = 40
	must(others.Take(t.Context(), ref(0), "other"))(t)
	released := must(others.Take(t.Context(), ref(1), "other"))(t)
	if err := others.Release(t.Context(), released); err != nil {
		t.Fatal(err)
	}
	c := &Claims{Store: count.New(store, &calls), Now: at.now}
	must(c.Lease(t.Context(), "run", "y", time.Minute))(t)
	before := calls.Counts()
	if err := c.Survey(t.Context()); err != nil {
		t.Fatal(err)
	}
	must(others.Take(t.Context(), ref(2), "other"))(t) // since the survey
	var ours []Claim
	for i := range n {
		switch got, err := c.Take(t.Context(), ref(i), "run"); {
		case errors.Is(err, ErrClaimed):
			if i != 0 && i != 2 {
				t.Errorf("request %d: %v", i, err)
			}
		case err != nil:
			t.Fatal(err)
		default:
			ours = append(ours, got)
		}
	}
	if len(ours) != n-2 {
		t.Errorf("%d requests claimed", len(ours))
	}
	for _, claim := range ours {
		if err := errors.Join(c.Check(t.Context(), claim), c.Release(t.Context(), claim)); err != nil {
			t.Error(err)
		}
		if err := c.Check(t.Context(), claim); !errors.Is(err, ErrFenced) {
			t.Errorf("after its release: %v", err)
		}
	}
	after := calls.Counts()
	if lists := after.Lists - before.Lists; lists > 5 { // of all; for the one that was taken since; for the leases of others
		t.Errorf("%d listings", lists)
	}
	if writes := after.Creates - before.Creates; writes != 2*(n-2) {
		t.Errorf("%d writes", writes)
	}
}
