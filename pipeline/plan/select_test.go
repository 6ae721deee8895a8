package plan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"testing"

	"expunge/connectors"
	"expunge/connectors/mem"
	"expunge/pipeline"
	"expunge/pipeline/catalog"
	"expunge/pipeline/seal"
	"expunge/scanners"
)

// token is what stands for an identifier here.
func token(n int) uint64 { return uint64(n)*0x9e3779b97f4a7c15 | 1<<20 }

// cataloged makes the entries of objects whose segments hold these tokens. Parts
// are those of a line file of 100 bytes a segment, or whole.
func cataloged(t *testing.T, work connectors.Store, keys *seal.Keys, whole bool, accounts []string, segments ...[][]int) []catalog.Joined {
	t.Helper()
	var joined []catalog.Joined
	var units []*pipeline.UnitResult
	sink := catalog.NewSink(catalog.Key{}, keys, "catalog/filters/f", new(bytes.Buffer), new(int64), catalog.TokenFile("r", 0, "d"))
	defer sink.Close()
	for i, object := range segments {
		o := pipeline.Object{N: int64(i), Account: accounts[i], Object: connectors.Object{Ref: connectors.Ref{Store: "lake", Key: fmt.Sprint("k", i), ETag: "e"}, Size: int64(100 * len(object))}}
		u := &pipeline.UnitResult{Object: o, Outcome: pipeline.Scanned, Fresh: true, Cataloged: true, Rows: map[string]int64{}}
		if o.Account == "" {
			u.Rows["acme"], u.Rows["other"] = 1, 1
		}
		for k, tokens := range object {
			b := catalog.NewBuilder(sink, scanners.Part{})
			for _, n := range tokens {
				b.Collect(token(n))
			}
			segs, err := b.Finish(1, 0, false)
			if err != nil {
				t.Fatal(err)
			}
			if !whole {
				segs[0].Part = scanners.Part{Off: int64(100 * k), Len: 100, Record: int64(k)}
			}
			u.Segments = append(u.Segments, segs...)
		}
		joined, units = append(joined, catalog.Joined{Object: o}), append(units, u)
	}
	if err := sink.Store(t.Context(), work); err != nil {
		t.Fatal(err)
	}
	m := &catalog.Merger{Work: work, Keys: keys, Run: "r", Basis: basis, First: func(_, _ int64) int64 { return 0 }}
	i := 0
	for e, err := range m.Merge(t.Context(), list(joined), list(units)) {
		if err != nil {
			t.Fatal(err)
		}
		joined[i].Entry = e
		i++
	}
	if i != len(joined) {
		t.Fatalf("%d entries of %d", i, len(joined))
	}
	return joined
}

func basis(int) string { return "b" }

func list[T any](l []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, x := range l {
			if !yield(x, nil) {
				return
			}
		}
	}
}

type world struct {
	work connectors.Store
	keys *seal.Keys
}

func newWorld(t *testing.T) world {
	t.Helper()
	keys, err := seal.Open(bytes.Repeat([]byte{1}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return world{mem.New("work", mem.Options{}), keys}
}

// opened are the units of a round that asks for tokens by account, as text.
func (w world) opened(t *testing.T, s *Selection, joined []catalog.Joined, asked map[string][]int) []string {
	t.Helper()
	s.Filters = &catalog.Filters{Work: w.work, Keys: w.keys}
	s.Basis = basis
	s.Target = max(s.Target, 1)
	s.Tokens = func(account string) []uint64 {
		var out []uint64
		for _, n := range asked[account] {
			out = append(out, token(n))
		}
		return out
	}
	s.Accounts = func() []string { return slices.Sorted(maps.Keys(asked)) }
	if s.Split == nil {
		s.Split = func(context.Context, *pipeline.Object, int64) ([]scanners.Part, error) { return nil, nil }
	}
	var got []string
	seen := map[string]bool{}
	for b, err := range s.Batches(t.Context(), list(joined)) {
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range b.Units {
			text := fmt.Sprintf("%s %d+%d@%d", u.Object.Key, u.Part.Off, u.Part.Len, u.Part.Record)
			if u.Catalog {
				text += " new"
			}
			if seen[text] {
				t.Errorf("%s is opened twice in a round", text)
			}
			seen[text] = true
			got = append(got, text)
		}
	}
	return got
}

// TestSegmentsOfARound: a round opens the segments that hold what it asks of the
// accounts an object may belong to, neighbours as one, each once.
func TestSegmentsOfARound(t *testing.T) {
	w := newWorld(t)
	joined := cataloged(t, w.work, w.keys, false, []string{"acme", "other", ""},
		[][]int{{1}, {2, 3}, {4}, nil, {5, 1}},
		[][]int{{1, 9}},
		[][]int{{7}, {1, 6}},
	)
	for _, c := range []struct {
		asked map[string][]int
		want  []string
	}{
		{nil, nil},
		{map[string][]int{"acme": {1}}, []string{"k0 0+100@0", "k0 400+100@4", "k2 100+100@1"}},
		{map[string][]int{"acme": {2, 4}}, []string{"k0 100+200@1"}},
		{map[string][]int{"other": {1}}, []string{"k1 0+100@0", "k2 100+100@1"}},
		{map[string][]int{"acme": {9, 8}, "other": {2, 3, 4, 5}}, nil},
		{map[string][]int{"acme": {7}, "other": {6}}, []string{"k2 0+200@0"}},
		{map[string][]int{"third": {1, 2, 3, 4, 5, 6, 7, 8, 9}}, nil},
	} {
		s := &Selection{Round: 2}
		if got := w.opened(t, s, joined, c.asked); !slices.Equal(got, c.want) {
			t.Errorf("%v: opened %q, want %q", c.asked, got, c.want)
		}
	}
	// Records of nobody may be anybody's.
	joined[2].Entry.Unattributed = 1
	if got := w.opened(t, &Selection{Round: 2}, joined, map[string][]int{"third": {6}}); !slices.Equal(got, []string{"k2 100+100@1"}) {
		t.Errorf("records of no account: opened %q", got)
	}
}

// TestWholeObjectsAreOpenedOnce: all segments of an object that cannot be entered
// in the middle are one unit.
func TestWholeObjectsAreOpenedOnce(t *testing.T) {
	w := newWorld(t)
	joined := cataloged(t, w.work, w.keys, true, []string{"acme"}, [][]int{{1}, {2}, {1, 3}, {1}})
	if got := w.opened(t, &Selection{Round: 2}, joined, map[string][]int{"acme": {1, 3}}); !slices.Equal(got, []string{"k0 0+0@0"}) {
		t.Errorf("opened %q", got)
	}
}

// TestWhatTheCatalogDoesNotKnow is scanned in the first round, whatever is asked,
// and never afterwards: what was refused then stays so.
func TestWhatTheCatalogDoesNotKnow(t *testing.T) {
	w := newWorld(t)
	joined := cataloged(t, w.work, w.keys, false, []string{"acme", "acme", "acme", "acme"}, [][]int{{1}}, [][]int{{1}}, [][]int{{1}}, [][]int{{1}, {1}, {1}})
	joined[0].Entry = nil
	joined[1].Entry.ETag = "another"
	joined[2].Entry.Basis = "another"
	joined[3].Entry.Size++
	s := func(round int) *Selection {
		return &Selection{Round: round, Target: 200, Split: func(_ context.Context, o *pipeline.Object, _ int64) ([]scanners.Part, error) {
			return []scanners.Part{{Len: 140}, {Off: 140, Len: o.Size - 140, Record: 9}}, nil
		}}
	}
	want := []string{"k0 0+0@0 new", "k1 0+0@0 new", "k2 0+0@0 new", "k3 0+140@0 new", "k3 140+160@0 new"}
	if got := w.opened(t, s(1), joined, nil); !slices.Equal(got, want) {
		t.Errorf("round 1: %q, want %q", got, want)
	}
	if got := w.opened(t, s(2), joined, map[string][]int{"acme": {1}}); got != nil {
		t.Errorf("round 2: %q", got)
	}
	cannot := s(1)
	cannot.Split = func(context.Context, *pipeline.Object, int64) ([]scanners.Part, error) {
		return []scanners.Part{{Len: 1}, {Off: 1, Len: 2}}, errors.New("it cannot be read")
	}
	if got := w.opened(t, cannot, joined[3:], nil); !slices.Equal(got, []string{"k3 0+0@0 new"}) {
		t.Errorf("an object that cannot be cut: %q", got)
	}
}
