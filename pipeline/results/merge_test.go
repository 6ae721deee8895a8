package results

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"expunge/connectors"
	"expunge/connectors/mem"
	"expunge/pipeline"
)

// evidence is told apart by its path.
func evidence(path string) []pipeline.Evidence {
	return []pipeline.Evidence{{Path: path, Kind: pipeline.Phone, Tier: pipeline.Exact}}
}

// rounds stores hits, one batch a round.
func rounds(t *testing.T, r *Results, hits ...[]*Found) {
	t.Helper()
	for i, round := range hits {
		w, err := r.NewWriter(i+1, 0, "digest")
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		for _, f := range round {
			if err := w.Hit(f); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Store(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.Expect(i+1, 1)
	}
}

func plan(numbers ...int64) iter.Seq2[pipeline.Object, error] {
	return func(yield func(pipeline.Object, error) bool) {
		for _, n := range numbers {
			o := pipeline.Object{N: n, Object: connectors.Object{Ref: connectors.Ref{Store: "lake", Key: fmt.Sprint("key-", n)}, Size: 100 * n}}
			if !yield(o, nil) {
				return
			}
		}
	}
}

func hit(request string, dataset string, object, record int64, tier pipeline.Tier, path string) *Found {
	account, id, _ := strings.Cut(request, "/")
	return &Found{
		Hit: pipeline.Hit{Request: pipeline.RequestRef{Account: account, ID: id}, Dataset: dataset, Object: object, Record: record, Tier: tier, Why: evidence(path)},
		Doc: fmt.Appendf(nil, `{"object":%d,"record":%d}`, object, record),
	}
}

// shown is a hit as tests compare it.
func shown(f *Found) string {
	var why []string
	for _, e := range f.Why {
		why = append(why, e.Path)
	}
	return fmt.Sprintf("%s %s %s/%d#%d %s %s doc=%s schema=%s", f.Request, f.Dataset, f.At.Key, f.At.Size, f.Record, f.Tier, strings.Join(why, "+"), f.Doc, f.Schema)
}

func TestMergeOrdersAndUnites(t *testing.T) {
	r := &Results{Work: mem.New("work", mem.Options{}), Run: "run", Keys: keys(t)}
	linked := hit("acme/R-2", "calls", 3, 7, pipeline.Linked, "id")
	linked.Links = []pipeline.Link{{Kind: pipeline.Call, Value: "x"}}
	typed := hit("acme/R-1", "events", 5, 0, pipeline.Exact, "phone")
	typed.Schema = []byte("one")
	typed2 := hit("acme/R-1", "events", 5, 1, pipeline.Exact, "phone")
	typed2.Schema = []byte("two")
	whole := hit("acme/R-1", "audio", 2, -1, pipeline.Linked, "(key)")
	whole.Doc = nil
	rounds(t, r,
		[]*Found{
			whole,
			hit("acme/R-2", "calls", 3, 9, pipeline.Review, "note"), hit("acme/R-1", "calls", 3, 0, pipeline.Exact, "phone"),
			typed, typed2,
			hit("acme-2/R-1", "calls", 9, 4, pipeline.Mention, "note"),
		},
		[]*Found{
			linked, hit("acme/R-2", "calls", 3, 9, pipeline.Exact, "phone"),
			hit("acme/R-1", "calls", 9, 1, pipeline.Exact, "phone"),
		},
		[]*Found{
			hit("acme/R-2", "calls", 3, 7, pipeline.Normalised, "to"),
			hit("acme/R-2", "calls", 3, 7, pipeline.Normalised, "to"),
		})
	m, err := r.Merge(t.Context(), 3, plan(1, 2, 3, 4, 5, 9), nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var got []string
	for f, err := range m.All() {
		if err != nil {
			t.Fatal(err)
		}
		if f.Links != nil {
			t.Error("a merged hit has link values")
		}
		got = append(got, shown(f))
	}
	want := []string{
		"acme/R-1 audio key-2/200#-1 linked (key) doc= schema=",
		`acme/R-1 calls key-3/300#0 exact phone doc={"object":3,"record":0} schema=`,
		`acme/R-1 calls key-9/900#1 exact phone doc={"object":9,"record":1} schema=`,
		`acme/R-1 events key-5/500#0 exact phone doc={"object":5,"record":0} schema=one`,
		`acme/R-1 events key-5/500#1 exact phone doc={"object":5,"record":1} schema=two`,
		`acme/R-2 calls key-3/300#7 normalised id+to doc={"object":3,"record":7} schema=`,
		`acme/R-2 calls key-3/300#9 exact note+phone doc={"object":3,"record":9} schema=`,
		`acme-2/R-1 calls key-9/900#4 mention note doc={"object":9,"record":4} schema=`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("hits (-want +got):\n%s", diff)
	}
	var spans []string
	for _, s := range m.Spans() {
		spans = append(spans, fmt.Sprint(s.Request, " ", s.Records, " ", s.Review))
		var own []string
		for f, err := range m.Of(s) {
			if err != nil {
				t.Fatal(err)
			}
			own = append(own, shown(f))
		}
		all := slices.DeleteFunc(slices.Clone(want), func(w string) bool { return !strings.HasPrefix(w, s.Request.String()+" ") })
		if diff := cmp.Diff(all, own); diff != "" {
			t.Errorf("hits of %s (-want +got):\n%s", s.Request, diff)
		}
		if m.Span(s.Request) != s {
			t.Errorf("the span of %s is not the one that is listed", s.Request)
		}
	}
	if diff := cmp.Diff([]string{"acme/R-1 5 0", "acme/R-2 2 0", "acme-2/R-1 0 1"}, spans); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	nothing := m.Span(pipeline.RequestRef{Account: "acme", ID: "R-9"})
	for range m.Of(nothing) {
		t.Error("a hit of a request that has none")
	}
}

// TestMergeLosesNothing: a hit that no object of the plan is for, or that stands
// out of order, is an error and never left out.
func TestMergeLosesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		hits []*Found
		plan []int64
	}{
		"not of the plan":   {[]*Found{hit("acme/R-1", "calls", 3, 0, pipeline.Exact, "phone")}, []int64{1, 2, 4}},
		"beyond the plan":   {[]*Found{hit("acme/R-1", "calls", 3, 0, pipeline.Exact, "phone")}, []int64{1, 2}},
		"not in plan order": {[]*Found{hit("acme/R-1", "calls", 3, 0, pipeline.Exact, "phone"), hit("acme/R-1", "calls", 2, 0, pipeline.Exact, "phone")}, []int64{1, 2, 3, 4}},
	} {
		r := &Results{Work: mem.New("work", mem.Options{}), Run: "run", Keys: keys(t)}
		rounds(t, r, c.hits)
		if m, err := r.Merge(t.Context(), 1, plan(c.plan...), nil, nil, nil); err == nil {
			m.Close()
			t.Errorf("%s: no error", name)
		}
	}
}

func TestMergeOfNothing(t *testing.T) {
	r := &Results{Work: mem.New("work", mem.Options{}), Run: "run", Keys: keys(t)}
	rounds(t, r, nil)
	m, err := r.Merge(t.Context(), 1, plan(1, 2), nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for f, err := range m.All() {
		t.Errorf("%v, %v", f, err)
	}
	if len(m.Spans()) != 0 {
		t.Errorf("spans of nothing: %v", m.Spans())
	}
}

// What is outside of what its request asks for is neither counted nor handed on; others'
// hits in the same object are.
func TestMergeLeavesOut(t *testing.T) {
	r := &Results{Work: mem.New("work", mem.Options{}), Run: "run", Keys: keys(t)}
	rounds(t, r, []*Found{
		hit("acme/R-1", "calls", 1, 0, pipeline.Exact, "phone"),
		hit("acme/R-2", "calls", 1, 0, pipeline.Exact, "phone"),
		hit("acme/R-2", "calls", 1, 1, pipeline.Exact, "phone"),
		hit("acme/R-2", "calls", 1, 2, pipeline.Review, "note"),
	})
	m, err := r.Merge(t.Context(), 1, plan(1), nil, nil, func(h *pipeline.Hit) bool { return h.Request.ID == "R-1" || h.Record == 1 })
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for id, want := range map[string][2]int64{"R-1": {0, 0}, "R-2": {1, 1}} {
		if s := m.Span(pipeline.RequestRef{Account: "acme", ID: id}); s.Records != want[0] || s.Review != want[1] {
			t.Errorf("%s: %d records, %d to review, want %v", id, s.Records, s.Review, want)
		}
	}
	n := 0
	for f, err := range m.All() {
		if err != nil || f.Record == 1 || f.Request.ID != "R-2" {
			t.Errorf("%v %v", f, err)
		}
		n++
	}
	if n != 2 {
		t.Errorf("%d hits are handed on", n)
	}
}
