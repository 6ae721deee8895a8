package journal_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"expunge/connectors"
	"expunge/connectors/mem"
	"expunge/pipeline/journal"
	"expunge/pipeline/seal"
)

func open(t *testing.T) (*journal.Journal, *mem.Store) {
	t.Helper()
	keys, err := seal.Open(bytes.Repeat([]byte{7}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	work := mem.New("work", mem.Options{})
	return &journal.Journal{Work: work, Keys: keys, Run: "r1"}, work
}

func entry(kind journal.Kind, object string, state journal.State) journal.Entry {
	return journal.Entry{Kind: kind, Object: object, ETag: "e", Act: journal.Replace, State: state}
}

func write(t *testing.T, j *journal.Journal, name string, segments ...[]journal.Entry) *journal.Writer {
	t.Helper()
	w := j.Writer(name)
	for _, s := range segments {
		if err := w.Append(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func TestEntriesComeBackInOrder(t *testing.T) {
	j, _ := open(t)
	a := write(t, j, "b", []journal.Entry{entry(journal.Intent, "1", ""), entry(journal.Intent, "2", "")}, []journal.Entry{entry(journal.Outcome, "1", journal.Done)})
	write(t, j, "a", []journal.Entry{entry(journal.Intent, "3", "")}) // killed: no root
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []string
	for e, err := range j.Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(e.Kind)+" "+e.Object)
	}
	want := []string{"intent 3", "intent 1", "intent 2", "outcome 1"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPast(t *testing.T) {
	j, _ := open(t)
	write(t, j, "a",
		[]journal.Entry{entry(journal.Intent, "1", ""), entry(journal.Intent, "2", ""), entry(journal.Intent, "3", "")},
		[]journal.Entry{entry(journal.Outcome, "1", journal.Done), entry(journal.Outcome, "2", journal.Conflict)})
	write(t, j, "b", []journal.Entry{entry(journal.Outcome, "2", journal.Gone)})
	p, err := j.Past(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	place := func(object string) journal.Place {
		return journal.Place{Object: object, ETag: "e", Act: journal.Replace}
	}
	if e := p.Final(place("1")); e == nil || e.State != journal.Done {
		t.Errorf("1: %+v", e)
	}
	if e := p.Final(place("2")); e == nil || e.State != journal.Gone {
		t.Errorf("2: a later try's last word does not count: %+v", e)
	}
	if p.Final(place("3")) != nil || len(p.Intents(place("3"))) != 1 {
		t.Error("3: an intent without outcome is not one")
	}
	n := 0
	for range p.Outcomes {
		n++
	}
	if n != 2 {
		t.Errorf("%d outcomes, want 2: one for each place", n)
	}
}

// Whoever can write to the work store can neither change, move, add nor hide a
// segment of a closed writer; nor one within an open one.
func TestForgery(t *testing.T) {
	attacks := map[string]func(t *testing.T, j *journal.Journal, work *mem.Store){
		"a changed byte": func(t *testing.T, _ *journal.Journal, work *mem.Store) {
			put(t, work, "runs/r1/journal/a/1.jsonl", bytes.Replace(get(t, work, "runs/r1/journal/a/1.jsonl"), []byte("DONE"), []byte("GONE"), 1))
		},
		"a segment of another run": func(t *testing.T, j *journal.Journal, work *mem.Store) {
			other := *j
			other.Run = "r2"
			write(t, &other, "a", []journal.Entry{entry(journal.Outcome, "9", journal.Done)})
			put(t, work, "runs/r1/journal/c/0.jsonl", get(t, work, "runs/r2/journal/a/0.jsonl"))
		},
		"a segment of another writer": func(t *testing.T, _ *journal.Journal, work *mem.Store) {
			put(t, work, "runs/r1/journal/c/0.jsonl", get(t, work, "runs/r1/journal/a/0.jsonl"))
		},
		"a segment twice": func(t *testing.T, _ *journal.Journal, work *mem.Store) {
			put(t, work, "runs/r1/journal/a/2.jsonl", get(t, work, "runs/r1/journal/a/1.jsonl"))
		},
		"no first segment": func(t *testing.T, _ *journal.Journal, work *mem.Store) { remove(t, work, "runs/r1/journal/a/0.jsonl") },
		"no last segment of a closed writer": func(t *testing.T, _ *journal.Journal, work *mem.Store) {
			remove(t, work, "runs/r1/journal/a/1.jsonl")
		},
		"a cut segment": func(t *testing.T, _ *journal.Journal, work *mem.Store) {
			b := get(t, work, "runs/r1/journal/a/1.jsonl")
			put(t, work, "runs/r1/journal/a/1.jsonl", b[:len(b)/2])
		},
		"a foreign file": func(t *testing.T, _ *journal.Journal, work *mem.Store) {
			put(t, work, "runs/r1/journal/a/x.jsonl", []byte("{}"))
		},
	}
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			j, work := open(t)
			w := write(t, j, "a", []journal.Entry{entry(journal.Intent, "1", "")}, []journal.Entry{entry(journal.Outcome, "1", journal.Done)})
			if err := w.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := j.Past(t.Context()); err != nil {
				t.Fatalf("before: %v", err)
			}
			attack(t, j, work)
			if _, err := j.Past(t.Context()); !errors.Is(err, journal.ErrForged) {
				t.Errorf("after: %v", err)
			}
		})
	}
}

func find(t *testing.T, s *mem.Store, key string) connectors.Ref {
	t.Helper()
	for o, err := range s.List(t.Context(), key) {
		if err != nil {
			t.Fatal(err)
		}
		if o.Key == key {
			return o.Ref
		}
	}
	return connectors.Ref{}
}

func get(t *testing.T, s *mem.Store, key string) []byte {
	t.Helper()
	body, err := s.Open(t.Context(), connectors.Ref{Key: key}, connectors.All)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func remove(t *testing.T, s *mem.Store, key string) {
	t.Helper()
	if err := s.Delete(t.Context(), find(t, s, key)); err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, s *mem.Store, key string, b []byte) {
	t.Helper()
	if ref := find(t, s, key); ref.Key != "" {
		remove(t, s, key)
	}
	if _, err := s.Create(t.Context(), key, bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
}

// What was replaced is known by its id alone: that it could not be deleted is not lost.
func TestOfWhatWasReplaced(t *testing.T) {
	for name, c := range map[string]struct {
		version string // that goes
		state   journal.State
		open    bool
		keeps   bool
	}{
		"gone":                   {"v1", journal.Done, false, false},
		"locked":                 {"v1", journal.Locked, true, false},
		"another one, locked":    {"v2", journal.Locked, true, false},
		"policy keeps it":        {"v1", journal.Kept, false, true},
		"policy keeps the other": {"v2", journal.Kept, false, true},
		"a stranger":             {"v3", journal.Locked, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			j, _ := open(t)
			base := c.version
			if base == "v3" {
				base = "v1"
			}
			write(t, j, "a", []journal.Entry{
				{Kind: journal.Outcome, Object: "o", Version: "v1", ETag: "e", Act: journal.Replace, Base: base, State: journal.Done},
				{Kind: journal.Outcome, Object: "o", Version: c.version, Act: journal.DeleteVersion, State: c.state},
			})
			p, err := j.Past(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			done, left := p.Of("o", "v1", "e")
			if done == nil || done.Act != journal.Replace || (left != nil) != c.open || p.Keeps("o", "v1", "e") != c.keeps {
				t.Errorf("done %+v, open %+v, kept %t", done, left, p.Keeps("o", "v1", "e"))
			}
		})
	}
}
