package fault_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"expunge/connectors"
	"expunge/connectors/dir"
	"expunge/connectors/fault"
	"expunge/connectors/mem"
	"expunge/connectors/storetest"
)

func TestLaws(t *testing.T) {
	for _, versions := range []bool{false, true} {
		var m *mem.Store
		open := func(*testing.T) connectors.Store {
			m = mem.New("lake", mem.Options{Versions: versions})
			return fault.New(m).View()
		}
		storetest.Run(t, open, storetest.Options{Versions: versions, Begin: func(_ connectors.Store, key string, part []byte) (string, error) {
			return m.Begin(key, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), part).ID, nil
		}})
	}
}

func TestViewKeepsVersioner(t *testing.T) {
	d, err := dir.New("lake", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := fault.New(d).View().(connectors.Versioner); ok {
		t.Error("a store without versions became a Versioner")
	}
	if _, ok := fault.New(mem.New("lake", mem.Options{})).View().(connectors.Versioner); !ok {
		t.Error("a Versioner is none any more")
	}
}

// work is seven operations; it ends at the first error.
func work(t *testing.T, s connectors.Store) error {
	a, err := s.Create(t.Context(), "a", strings.NewReader("body of a"))
	if err != nil {
		return err
	}
	if _, err := s.Create(t.Context(), "b", strings.NewReader("body of b")); err != nil {
		return err
	}
	for _, err := range s.List(t.Context(), "") {
		if err != nil {
			return err
		}
	}
	body, err := s.Open(t.Context(), a.Ref, connectors.Range{Off: 2, Len: 5})
	if err != nil {
		return err
	}
	if _, err := io.ReadAll(body); err != nil {
		return err
	}
	p := connectors.Patch{Pieces: []connectors.Piece{{Off: 0, Len: 4}, {Spool: true, Off: 1, Len: 2}}, Spool: strings.NewReader("xyz")}
	if a, err = s.Replace(t.Context(), a.Ref, p); err != nil {
		return err
	}
	for _, err := range s.(connectors.Versioner).Versions(t.Context(), "a") {
		if err != nil {
			return err
		}
	}
	return s.Delete(t.Context(), a.Ref)
}

// keys shows what is there, seen past the faults.
func keys(t *testing.T, s connectors.Store) (all string) {
	for o, err := range s.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		body, err := s.Open(t.Context(), o.Ref, connectors.All)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		all += o.Key + "=" + string(b) + " "
	}
	return strings.TrimSpace(all)
}

func TestLines(t *testing.T) {
	s := fault.New(mem.New("lake", mem.Options{}))
	s.PageSize = 1
	if err := work(t, s.View()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"create a", "create b", "list ", "list ", "open a 2-7",
		"replace a: source 0-4, spool 1-3", "versions a", "delete a",
	}
	if diff := cmp.Diff(want, s.Lines()); diff != "" {
		t.Error(diff)
	}
}

// The state after each operation has failed, before or after its effect.
func TestStop(t *testing.T) {
	after := []string{"", "a=body of a", "a=body of a b=body of b", "a=body of a b=body of b", "a=body of a b=body of b", "a=bodyyz b=body of b", "a=bodyyz b=body of b", "b=body of b"}
	for n := 1; n <= 7; n++ {
		for _, lost := range []bool{false, true} {
			inner := mem.New("lake", mem.Options{})
			s := fault.New(inner)
			s.Plan = fault.At(n, fault.Fault{After: lost, Stop: true, Err: connectors.ErrTemporary})
			if err := work(t, s.View()); !errors.Is(err, connectors.ErrTemporary) {
				t.Errorf("stopped at %d: %v", n, err)
			}
			want := after[n-1]
			if lost {
				want = after[n]
			}
			if got := keys(t, inner); got != want {
				t.Errorf("stopped at %d (after: %t): %q, want %q", n, lost, got, want)
			}
			if err := work(t, s.View()); !errors.Is(err, fault.ErrStopped) {
				t.Errorf("after a stop at %d: %v, want %q", n, err, fault.ErrStopped)
			}
			if s.Ops() != n || keys(t, inner) != want {
				t.Errorf("a dead process went on after %d", n)
			}
		}
	}
}

func TestFailOnce(t *testing.T) {
	s := fault.New(mem.New("lake", mem.Options{}))
	s.Plan = fault.At(1, fault.Fault{})
	if err := work(t, s.View()); !errors.Is(err, fault.ErrInjected) {
		t.Errorf("first: %v", err)
	}
	if err := work(t, s.View()); err != nil {
		t.Errorf("second: %v", err)
	}
}

func TestCut(t *testing.T) {
	inner := mem.New("lake", mem.Options{})
	inner.Overwrite("k", []byte("0123456789"))
	mine := errors.New("mine")
	for _, c := range []struct {
		cut  fault.Cut
		want string
		err  error
	}{
		{fault.Cut{After: 4}, "0123", io.ErrUnexpectedEOF},
		{fault.Cut{After: 0}, "", io.ErrUnexpectedEOF},
		{fault.Cut{After: 4, Silent: true}, "0123", nil},
		{fault.Cut{After: 9, Err: mine}, "012345678", mine},
		{fault.Cut{After: 99}, "0123456789", nil},
	} {
		s := fault.New(inner)
		s.Cuts = func(fault.Op) *fault.Cut { return &c.cut }
		body, err := s.Open(t.Context(), connectors.Ref{Key: "k"}, connectors.All)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(body)
		if string(got) != c.want || !errors.Is(err, c.err) {
			t.Errorf("%+v: %q, %v", c.cut, got, err)
		}
	}
}

func TestStopEndsBodies(t *testing.T) {
	inner := mem.New("lake", mem.Options{})
	inner.Overwrite("k", []byte("0123456789"))
	s := fault.New(inner)
	s.Plan = fault.At(2, fault.Fault{Stop: true})
	body, err := s.Open(t.Context(), connectors.Ref{Key: "k"}, connectors.All)
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Delete(t.Context(), connectors.Ref{Key: "k", ETag: "x"})
	if _, err := io.ReadAll(body); !errors.Is(err, fault.ErrStopped) {
		t.Errorf("a dead process reads on: %v", err)
	}
}
