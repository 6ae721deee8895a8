package count_test

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"expunge/connectors"
	"expunge/connectors/count"
	"expunge/connectors/mem"
	"expunge/connectors/storetest"
)

func TestLaws(t *testing.T) {
	for _, versions := range []bool{false, true} {
		t.Run(fmt.Sprint("versions ", versions), func(t *testing.T) {
			var m *mem.Store
			open := func(*testing.T) connectors.Store {
				m = mem.New("lake", mem.Options{Versions: versions})
				return count.New(m, new(count.Calls))
			}
			storetest.Run(t, open, storetest.Options{Versions: versions, Begin: func(_ connectors.Store, key string, part []byte) (string, error) {
				return m.Begin(key, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), part).ID, nil
			}})
		})
	}
}

func TestVersionerOnlyOfOne(t *testing.T) {
	for _, versions := range []bool{false, true} {
		inner := connectors.Store(mem.New("lake", mem.Options{Versions: versions}))
		_, want := inner.(connectors.Versioner)
		if _, got := count.New(inner, new(count.Calls)).(connectors.Versioner); got != want {
			t.Errorf("versions %v: a Versioner: %v, the inner store: %v", versions, got, want)
		}
	}
	if _, ok := count.New(plain{mem.New("lake", mem.Options{})}, new(count.Calls)).(connectors.Versioner); ok {
		t.Error("a store without versions became a Versioner")
	}
}

// plain hides what its store can do more.
type plain struct{ connectors.Store }

func TestCounts(t *testing.T) {
	ctx := t.Context()
	var calls count.Calls
	s := count.New(mem.New("lake", mem.Options{}), &calls)
	for i := range 2001 {
		if _, err := s.Create(ctx, fmt.Sprintf("a/%04d", i), strings.NewReader("ten bytes.")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Create(ctx, "a/0000", strings.NewReader("again")); err == nil {
		t.Fatal("created twice")
	}
	var last connectors.Object
	for o, err := range s.List(ctx, "a/") {
		if err != nil {
			t.Fatal(err)
		}
		last = o
	}
	for range s.List(ctx, "none/") {
		t.Fatal("listed what is not there")
	}
	for range s.List(ctx, "a/") {
		break
	}
	for _, rng := range []connectors.Range{connectors.All, {Off: 2, Len: 3}} {
		body, err := s.Open(ctx, last.Ref, rng)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, body); err != nil {
			t.Fatal(err)
		}
		body.Close()
	}
	if _, err := s.Open(ctx, connectors.Ref{Key: "none"}, connectors.All); err == nil {
		t.Fatal("opened what is not there")
	}
	next, err := s.Replace(ctx, last.Ref, connectors.Patch{Pieces: []connectors.Piece{{Off: 0, Len: 9}, {Spool: true, Len: 1}}, Spool: strings.NewReader("!")})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(ctx, next.Ref); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(ctx, next.Ref); err == nil {
		t.Fatal("deleted twice")
	}
	want := count.Counts{Lists: 3, Pages: 5, Listed: 2002, Opens: 3, Read: 13, Creates: 2001, Replaces: 1, Deletes: 1, Written: 20011}
	if got := calls.Counts(); got != want {
		t.Errorf("counts are %+v, want %+v", got, want)
	}
}
