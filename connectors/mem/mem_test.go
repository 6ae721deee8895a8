package mem_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"expunge/connectors"
	"expunge/connectors/mem"
	"expunge/connectors/storetest"
)

func TestLaws(t *testing.T) {
	for _, c := range []struct {
		name string
		opt  mem.Options
	}{
		{"plain", mem.Options{}},
		{"versions", mem.Options{Versions: true}},
		{"plain ETags", mem.Options{Versions: true, PlainETags: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s *mem.Store
			open := func(*testing.T) connectors.Store { s = mem.New("lake", c.opt); return s }
			storetest.Run(t, open, storetest.Options{Versions: c.opt.Versions, Begin: func(_ connectors.Store, key string, part []byte) (string, error) {
				return s.Begin(key, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), part).ID, nil
			}, Dress: func(_ connectors.Store, key string) (func(key string) (string, error), error) {
				s.SetMeta(key, map[string]string{"owner": "loader", "class": "cold"})
				return func(key string) (string, error) { return fmt.Sprint(s.Meta(key)), nil }, nil
			}})
		})
	}
}

// What a key's ETags, ids and times are does not depend on other keys.
func TestDeterministic(t *testing.T) {
	write := func(s *mem.Store, key string) {
		o, err := s.Create(t.Context(), key, strings.NewReader(key))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Replace(t.Context(), o.Ref, connectors.Patch{}); err != nil {
			t.Fatal(err)
		}
	}
	show := func(s *mem.Store) (out string) {
		for v, err := range s.Versions(t.Context(), "") {
			out += fmt.Sprintln(v, err)
		}
		return out
	}
	a, b := mem.New("lake", mem.Options{Versions: true}), mem.New("lake", mem.Options{Versions: true})
	write(a, "one")
	write(a, "two")
	write(b, "two")
	write(b, "one")
	if show(a) != show(b) {
		t.Errorf("the order of writes to other keys shows:\n%s\n%s", show(a), show(b))
	}
}

func TestWorld(t *testing.T) {
	s := mem.New("lake", mem.Options{})
	o, err := s.Create(t.Context(), "k", strings.NewReader("ours"))
	if err != nil {
		t.Fatal(err)
	}
	s.Hold("k", true)
	if err := s.Delete(t.Context(), o.Ref); !errors.Is(err, connectors.ErrHeld) {
		t.Errorf("delete under a hold: %v", err)
	}
	s.Hold("k", false)
	s.Archive("k", true)
	if _, err := s.Open(t.Context(), o.Ref, connectors.All); !errors.Is(err, connectors.ErrArchived) {
		t.Errorf("open what is archived: %v", err)
	}
	s.Archive("k", false)
	s.Overwrite("k", []byte("theirs"))
	if err := s.Delete(t.Context(), o.Ref); !errors.Is(err, connectors.ErrChanged) {
		t.Errorf("delete after a foreign write: %v", err)
	}
}

func TestReadEndsWithContext(t *testing.T) {
	s := mem.New("lake", mem.Options{})
	o := s.Overwrite("k", []byte("some bytes"))
	ctx, cancel := context.WithCancel(t.Context())
	body, err := s.Open(ctx, o.Ref, connectors.All)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.ReadAll(body); !errors.Is(err, context.Canceled) {
		t.Errorf("read under a cancelled context: %v", err)
	}
}
