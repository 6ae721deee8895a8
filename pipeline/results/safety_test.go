package results

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"expunge/connectors"
	"expunge/connectors/mem"
	"expunge/pipeline"
	"expunge/pipeline/seal"
)

// store stores a batch with some hits.
func store(t *testing.T, r *Results, round, batch int, digest string, hits ...string) {
	t.Helper()
	w, err := r.NewWriter(round, batch, digest)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for i, h := range hits {
		if err := w.Hit(&Found{Hit: pipeline.Hit{Record: int64(i), Digest: h}, Doc: []byte(`{}`)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Unit(&pipeline.UnitResult{Object: pipeline.Object{N: int64(batch)}, Hits: int64(len(hits))}); err != nil {
		t.Fatal(err)
	}
	if err := w.Store(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// all reads every hit and unit of a round.
func all(t *testing.T, r *Results, round int) (hits []string, units int, err error) {
	t.Helper()
	for f, err := range r.Hits(t.Context(), round, nil) {
		if err != nil {
			return hits, units, err
		}
		hits = append(hits, f.Digest)
	}
	for _, err := range r.Units(t.Context(), round) {
		if err != nil {
			return hits, units, err
		}
		units++
	}
	return hits, units, nil
}

func files(t *testing.T, s connectors.Store) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for o, err := range s.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		body, err := s.Open(t.Context(), o.Ref, connectors.All)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(body)
		body.Close()
		if err != nil {
			t.Fatal(err)
		}
		out[o.Key] = b
	}
	return out
}

func from(t *testing.T, files map[string][]byte) connectors.Store {
	t.Helper()
	s := mem.New("work", mem.Options{})
	for key, b := range files {
		if _, err := s.Create(t.Context(), key, bytes.NewReader(b)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// TestNobodyMovesResults: who can write to the work store, without the key, puts
// results of another run, round, batch or kind in the place of others, or takes
// some away. Each is noticed.
func TestNobodyMovesResults(t *testing.T) {
	work := mem.New("work", mem.Options{})
	for _, run := range []string{"a", "b"} {
		r := &Results{Work: work, Run: run, Keys: keys(t)}
		for round := 1; round <= 2; round++ {
			for batch := range 3 {
				store(t, r, round, batch, "d", fmt.Sprint(run, round, batch), "more")
			}
		}
	}
	whole := files(t, work)
	names := map[string]string{} // short to long
	for key := range whole {
		short, rest, _ := strings.Cut(key, "-")
		if rest != "" {
			short += ".hits"
		}
		names[short] = key
	}
	read := func(files map[string][]byte) error {
		r := &Results{Work: from(t, files), Run: "a", Keys: keys(t)}
		r.Expect(1, 3)
		hits, units, err := all(t, r, 1)
		if err == nil && (len(hits) != 6 || units != 3) {
			t.Errorf("%d hits, %d units and no error", len(hits), units)
		}
		return err
	}
	if err := read(whole); err != nil {
		t.Fatal(err)
	}
	for into, from := range map[string]string{
		"runs/a/rounds/1/00000001.units": "runs/b/rounds/1/00000001.units", // another run's
		"runs/a/rounds/1/00000002.units": "runs/a/rounds/2/00000002.units", // another round's
		"runs/a/rounds/1/00000000.units": "runs/a/rounds/1/00000001.units", // another batch's
		"runs/a/rounds/1/00000001.hits":  "runs/b/rounds/1/00000001.hits",
		"runs/a/rounds/1/00000000.hits":  "runs/a/rounds/1/00000002.hits",
		"runs/a/rounds/1/00000002.hits":  "runs/a/rounds/1/00000002.units", // another kind
		"runs/a/rounds/1/00000003.units": "runs/a/rounds/1/00000002.units", // one more
		"runs/a/rounds/1/00000002.gone":  "",                               // takes units away
		"runs/a/rounds/1/00000000.gone":  "",
		"runs/a/rounds/1/00000001.lost":  "", // takes hits away
	} {
		forged := map[string][]byte{}
		for key, b := range whole {
			forged[key] = b
		}
		switch base, gone := strings.CutSuffix(into, ".gone"); {
		case gone:
			delete(forged, base+".units")
		case strings.HasSuffix(into, ".lost"):
			delete(forged, names[strings.TrimSuffix(into, ".lost")+".hits"])
		case names[into] != "":
			forged[names[into]] = whole[names[from]]
		default:
			forged[into] = whole[from]
		}
		if err := read(forged); !errors.Is(err, seal.ErrForged) && !errors.Is(err, ErrOther) && !errors.Is(err, connectors.ErrNotFound) {
			t.Errorf("%s made of %s: %v", into, from, err)
		}
	}
}

// TestDone: what is stored is known by its digest, not by its number alone.
func TestDone(t *testing.T) {
	r := &Results{Work: mem.New("work", mem.Options{}), Run: "a", Keys: keys(t)}
	for batch := range 40 {
		store(t, r, 1, batch, fmt.Sprint("digest ", batch))
	}
	done, err := r.Done(t.Context(), 1)
	if err != nil || len(done) != 40 {
		t.Fatalf("%d batches: %v", len(done), err)
	}
	for n, digest := range done {
		if digest != fmt.Sprint("digest ", n) {
			t.Errorf("batch %d is %q", n, digest)
		}
	}
}

// TestKilledTry: the first try of a batch is killed after its hits are stored, and
// the second finds others, since the lake has changed. The second's count, alone.
func TestKilledTry(t *testing.T) {
	first := &Results{Work: mem.New("work", mem.Options{}), Run: "a", Keys: keys(t)}
	store(t, first, 1, 0, "d", "old", "older")
	left := files(t, first.Work)
	delete(left, "runs/a/rounds/1/00000000.units")
	second := &Results{Work: from(t, left), Run: "a", Keys: keys(t)}
	store(t, second, 1, 0, "d", "new")
	second.Expect(1, 1)
	hits, units, err := all(t, second, 1)
	if err != nil || units != 1 || len(hits) != 1 || hits[0] != "new" {
		t.Errorf("hits %q of %d units: %v", hits, units, err)
	}
}
