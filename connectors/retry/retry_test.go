package retry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"expunge/connectors"
	"expunge/connectors/fault"
	"expunge/connectors/mem"
	"expunge/connectors/retry"
	"expunge/connectors/storetest"
)

// policy does not sleep; it notes for how long it would.
func policy(slept *[]time.Duration) retry.Policy {
	return retry.Policy{
		Sleep: func(ctx context.Context, d time.Duration) error {
			if slept != nil {
				*slept = append(*slept, d)
			}
			return ctx.Err()
		},
		Rand: func() float64 { return 0.5 },
	}
}

func TestLaws(t *testing.T) {
	var m *mem.Store
	begin := func(_ connectors.Store, key string, part []byte) (string, error) {
		return m.Begin(key, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), part).ID, nil
	}
	t.Run("over mem", func(t *testing.T) {
		open := func(*testing.T) connectors.Store {
			m = mem.New("lake", mem.Options{Versions: true})
			return retry.New(m, policy(nil))
		}
		storetest.Run(t, open, storetest.Options{Versions: true, Begin: begin})
	})
	// Every third operation fails, half of them after their effect; every other body
	// is cut. Left alone are reads that name no version, which cannot be resumed, and
	// deletions: one that finds nothing after a failure counts as done.
	t.Run("over faults", func(t *testing.T) {
		for _, versions := range []bool{false, true} {
			open := func(*testing.T) connectors.Store {
				m = mem.New("lake", mem.Options{Versions: versions})
				f := fault.New(m)
				f.PageSize = 500
				r := rand.New(rand.NewPCG(1, 2))
				f.Plan = func(op fault.Op) *fault.Fault {
					if op.Kind == "delete" || op.Kind == "abort" || r.IntN(3) > 0 {
						return nil
					}
					after := r.IntN(2) == 0
					return &fault.Fault{After: after, Err: connectors.ErrTemporary}
				}
				f.Cuts = func(op fault.Op) *fault.Cut {
					if op.Ref.ETag == "" || r.IntN(2) == 0 {
						return nil
					}
					return &fault.Cut{After: r.Int64N(1 << 20)}
				}
				p := policy(nil)
				p.Tries = 40
				return retry.New(f.View(), p)
			}
			storetest.Run(t, open, storetest.Options{Versions: versions, Many: 1100, Begin: begin})
		}
	})
}

func TestResume(t *testing.T) {
	inner := mem.New("lake", mem.Options{})
	want := bytes.Repeat([]byte("0123456789"), 100)
	o := inner.Overwrite("k", want)
	for _, rng := range []connectors.Range{connectors.All, {Off: 0, Len: 1000}, {Off: 17, Len: 500}, {Off: 900, Len: 500}} {
		for _, silent := range []bool{false, true} {
			if silent && rng.Len < 0 {
				continue // nobody knows how long it was to be
			}
			f := fault.New(inner)
			f.Cuts = func(op fault.Op) *fault.Cut { return &fault.Cut{After: 99, Silent: silent} }
			var slept []time.Duration
			s := retry.New(f.View(), policy(&slept))
			body, err := s.Open(t.Context(), o.Ref, rng)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(body)
			to := len(want)
			if rng.Len >= 0 {
				to = min(to, int(rng.Off+rng.Len))
			}
			if err != nil || !bytes.Equal(got, want[rng.Off:to]) {
				t.Errorf("%v, silent %t: %d bytes, %v\n%s", rng, silent, len(got), err, strings.Join(f.Lines(), "\n"))
			}
		}
	}
}

func TestResumeStaysOneVersion(t *testing.T) {
	inner := mem.New("lake", mem.Options{})
	for _, pinned := range []bool{true, false} {
		o := inner.Overwrite("k", []byte("aaaaaaaaaa"))
		f := fault.New(inner)
		f.Cuts = func(op fault.Op) *fault.Cut { return &fault.Cut{After: 4} }
		ref, want := o.Ref, connectors.ErrChanged
		if !pinned {
			ref, want = connectors.Ref{Key: "k"}, io.ErrUnexpectedEOF
		}
		body, err := retry.New(f.View(), policy(nil)).Open(t.Context(), ref, connectors.Range{Len: 10})
		if err != nil {
			t.Fatal(err)
		}
		inner.Overwrite("k", []byte("bbbbbbbbbb"))
		if got, err := io.ReadAll(body); !errors.Is(err, want) || string(got) != "aaaa" {
			t.Errorf("pinned %t: %q, %v; want %v", pinned, got, err, want)
		}
	}
}

func TestGivesUp(t *testing.T) {
	var slept []time.Duration
	f := fault.New(mem.New("lake", mem.Options{}))
	f.Plan = func(fault.Op) *fault.Fault { return &fault.Fault{Err: connectors.ErrTemporary} }
	p := policy(&slept)
	p.Max = 500 * time.Millisecond
	_, err := retry.New(f.View(), p).Create(t.Context(), "k", strings.NewReader("x"))
	if !errors.Is(err, connectors.ErrTemporary) || f.Ops() != 6 {
		t.Errorf("%d tries, %v", f.Ops(), err)
	}
	if got := fmt.Sprint(slept); got != "[50ms 100ms 200ms 250ms 250ms]" {
		t.Errorf("slept %s", got)
	}
}

func TestDoesNotRetry(t *testing.T) {
	for _, e := range []error{connectors.ErrDenied, connectors.ErrHeld, fault.ErrStopped, context.Canceled} {
		f := fault.New(mem.New("lake", mem.Options{}))
		f.Plan = func(fault.Op) *fault.Fault { return &fault.Fault{Err: e} }
		_, err := retry.New(f.View(), policy(nil)).Create(t.Context(), "k", strings.NewReader("x"))
		if !errors.Is(err, e) || f.Ops() != 1 {
			t.Errorf("%v: %d tries, %v", e, f.Ops(), err)
		}
	}
}

// A lost reply is told apart from a conflict.
func TestLostReply(t *testing.T) {
	type store = connectors.Store
	create := func(s store, _ connectors.Object) error {
		_, err := s.Create(t.Context(), "new", strings.NewReader("ours"))
		return err
	}
	replace := func(s store, o connectors.Object) error {
		_, err := s.Replace(t.Context(), o.Ref, connectors.Patch{Pieces: []connectors.Piece{{Off: 4, Len: 6}, {Spool: true, Len: 1}, {Off: 0, Len: 2}}, Spool: strings.NewReader("!")})
		return err
	}
	remove := func(s store, o connectors.Object) error {
		return s.Delete(t.Context(), connectors.Ref{Key: o.Key, ETag: o.ETag})
	}
	for _, c := range []struct {
		name    string
		do      func(store, connectors.Object) error
		after   bool // the first try took effect
		foreign string
		want    error
	}{
		{"create, lost", create, true, "", nil},
		{"create, not done", create, false, "", nil},
		{"create, not done, foreign", create, false, "new=other", connectors.ErrExists},
		{"create, not done, foreign of that size", create, false, "new=0urs", connectors.ErrExists},
		{"replace, lost", replace, true, "", nil},
		{"replace, not done", replace, false, "", nil},
		{"replace, not done, foreign", replace, false, "k=something else", connectors.ErrChanged},
		{"replace, not done, foreign of that size", replace, false, "k=456789!0?", connectors.ErrChanged},
		{"replace, lost, foreign over it", replace, true, "k=something else", connectors.ErrChanged},
		{"delete, lost", remove, true, "", nil},
		{"delete, not done, foreign", remove, false, "k=something else", connectors.ErrChanged},
	} {
		for _, versions := range []bool{false, true} {
			inner := mem.New("lake", mem.Options{Versions: versions})
			o := inner.Overwrite("k", []byte("0123456789"))
			f := fault.New(inner)
			done := false
			f.Plan = func(op fault.Op) *fault.Fault {
				if done || op.Kind == "open" {
					return nil
				}
				done = true
				return &fault.Fault{After: c.after, Err: connectors.ErrTemporary}
			}
			p := policy(nil)
			p.Sleep = func(context.Context, time.Duration) error {
				if key, body, ok := strings.Cut(c.foreign, "="); ok {
					inner.Overwrite(key, []byte(body))
				}
				return nil
			}
			if err := c.do(retry.New(f.View(), p), o); !errors.Is(err, c.want) {
				t.Errorf("%s (versions %t): %v, want %v\n%s", c.name, versions, err, c.want, strings.Join(f.Lines(), "\n"))
			}
		}
	}
}

// A conflict without a failure before it is never taken for success.
func TestConflictStands(t *testing.T) {
	inner := mem.New("lake", mem.Options{})
	inner.Overwrite("k", []byte("ours"))
	_, err := retry.New(inner, policy(nil)).Create(t.Context(), "k", strings.NewReader("ours"))
	if !errors.Is(err, connectors.ErrExists) {
		t.Errorf("create over equal bytes: %v", err)
	}
}

func TestListResumes(t *testing.T) {
	inner := mem.New("lake", mem.Options{Versions: true})
	for i := range 20 {
		inner.Overwrite(fmt.Sprintf("k%02d", i/2), []byte("x"))
	}
	f := fault.New(inner)
	f.PageSize = 3
	f.Plan = func(op fault.Op) *fault.Fault {
		if op.N != 3 && op.N != 6 && op.N != 9 {
			return nil
		}
		return &fault.Fault{Err: connectors.ErrTemporary}
	}
	s := retry.New(f.View(), policy(nil)).(connectors.Versioner)
	got, want := "", ""
	for o, err := range s.List(t.Context(), "k") {
		got += fmt.Sprintln(o.Ref, err)
	}
	for v, err := range s.Versions(t.Context(), "k") {
		got += fmt.Sprintln(v.Ref, err)
	}
	for o, err := range inner.List(t.Context(), "k") {
		want += fmt.Sprintln(o.Ref, err)
	}
	for v, err := range inner.Versions(t.Context(), "k") {
		want += fmt.Sprintln(v.Ref, err)
	}
	if got != want || f.Ops() < 4 {
		t.Errorf("after %d operations:\n%s\nwant\n%s", f.Ops(), got, want)
	}
}

// TestDo repeats what fails for a time, gives up in the end, and repeats nothing else.
func TestDo(t *testing.T) {
	for _, c := range []struct {
		fails int
		with  error
		tries int
		ok    bool
	}{{0, nil, 1, true}, {2, connectors.ErrTemporary, 3, true}, {100, connectors.ErrTemporary, 6, false}, {1, connectors.ErrDenied, 1, false}} {
		tried := 0
		err := retry.Do(t.Context(), policy(nil), func() error {
			if tried++; tried <= c.fails {
				return c.with
			}
			return nil
		})
		if (err == nil) != c.ok || !c.ok && !errors.Is(err, c.with) || tried != c.tries {
			t.Errorf("%d failures with %v: %v after %d tries", c.fails, c.with, err, tried)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	tried := 0
	err := retry.Do(ctx, policy(nil), func() error { tried++; cancel(); return connectors.ErrTemporary })
	if !errors.Is(err, context.Canceled) || tried != 1 {
		t.Errorf("ended context: %v after %d tries", err, tried)
	}
}
