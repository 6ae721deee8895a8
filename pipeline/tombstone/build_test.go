package tombstone

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"expunge/connectors"
	"expunge/connectors/fault"
	"expunge/connectors/mem"
	"expunge/pipeline"
	"expunge/pipeline/manifest"
	"expunge/pipeline/naming"
	"expunge/pipeline/output"
	"expunge/pipeline/results"
	"expunge/pipeline/seal"
)

var cutoff = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func maker(t *testing.T) *Maker {
	t.Helper()
	keys, err := seal.Open(bytes.Repeat([]byte{1}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	datasets := []pipeline.Dataset{{Name: "calls", Erase: pipeline.Erasure{Action: pipeline.EraseRecord}}}
	return &Maker{Names: &naming.Names{URLs: map[string]string{"lake": "file:///lake"}, Datasets: datasets, Keys: keys}, Datasets: datasets, Keys: keys}
}

// ref is a request's name.
func ref(id string) pipeline.RequestRef { return pipeline.RequestRef{Account: "acme", ID: id} }

func found(id string, object, record int64, tier pipeline.Tier, at int64) *results.Found {
	return &results.Found{
		Hit: pipeline.Hit{Request: ref(id), Dataset: "calls", Object: object, Record: record, Group: -1, Offset: 10 * record, Length: 9, Digest: "d", Tier: tier, Time: at,
			Why: []pipeline.Evidence{{Path: "phone", Kind: pipeline.Phone, Tier: tier}}},
		At: &pipeline.Object{N: object, Object: connectors.Object{Ref: connectors.Ref{Store: "lake", Key: fmt.Sprintf("calls/%d.jsonl", object), ETag: "e"}, Size: 100}},
	}
}

func input(hits ...*results.Found) Input {
	return Input{
		Run: "run-1", Settings: map[string]string{"calls": "digest"}, Limits: manifest.Limits{Fraction: 1, MinRecords: 10},
		Total:   func(string, string) int64 { return 100 },
		Deletes: map[pipeline.RequestRef]time.Time{ref("R-1"): cutoff, ref("R-2"): {}},
		Hits: func() iter.Seq2[*results.Found, error] {
			return func(yield func(*results.Found, error) bool) {
				for _, f := range hits {
					if !yield(f, nil) {
						return
					}
				}
			}
		}(),
	}
}

// hits are of every kind: to erase, too late, to review, of a request that erases nothing.
func hits() []*results.Found {
	at := cutoff.UnixMilli()
	return []*results.Found{
		found("R-1", 2, 5, pipeline.Exact, at), found("R-1", 2, 6, pipeline.Exact, at+1), found("R-1", 1, 0, pipeline.Linked, pipeline.NoTime),
		found("R-1", 1, 1, pipeline.Review, at), found("R-2", 2, 6, pipeline.Exact, at+1), found("R-3", 1, 0, pipeline.Exact, at), found("R-3", 1, 2, pipeline.Mention, at),
	}
}

func table(t *testing.T, work connectors.Store, key string) []string {
	t.Helper()
	var out []string
	for r, err := range manifest.Table(t.Context(), work, key) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprint(r.Object, "#", *r.Record, " ", r.Request))
	}
	return out
}

func TestBuildSeparatesWhatIsErasedFromWhatIsReviewed(t *testing.T) {
	work := mem.New("work", mem.Options{})
	m, err := maker(t).Build(t.Context(), work, input(hits()...))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"file:///lake/calls/1.jsonl#0 acme/R-1", "file:///lake/calls/2.jsonl#5 acme/R-1", "file:///lake/calls/2.jsonl#6 acme/R-2"}
	if diff := cmp.Diff(want, table(t, work, "runs/run-1/manifest/tombstones.parquet")); diff != "" || m.Rows != 3 {
		t.Errorf("%d tombstones (-want +got):\n%s", m.Rows, diff)
	}
	want = []string{"file:///lake/calls/1.jsonl#1 acme/R-1", "file:///lake/calls/1.jsonl#2 acme/R-3"}
	if diff := cmp.Diff(want, table(t, work, "runs/run-1/review.parquet")); diff != "" {
		t.Errorf("review (-want +got):\n%s", diff)
	}
}

// What another run has is neither planned nor asked about, nor told of.
func TestBuildLeavesWhatIsTheirs(t *testing.T) {
	work, told := mem.New("work", mem.Options{}), 0
	in := input(hits()...)
	in.Told = func(*manifest.Row, bool) { told++ }
	in.Theirs = func(r *manifest.Row, review bool) bool {
		return r.Request == "acme/R-1" && (review || strings.HasSuffix(r.Object, "/2.jsonl"))
	}
	m, err := maker(t).Build(t.Context(), work, in)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"file:///lake/calls/1.jsonl#0 acme/R-1", "file:///lake/calls/2.jsonl#6 acme/R-2"}
	if diff := cmp.Diff(want, table(t, work, "runs/run-1/manifest/tombstones.parquet")); diff != "" || m.Rows != 2 {
		t.Errorf("%d tombstones (-want +got):\n%s", m.Rows, diff)
	}
	want = []string{"file:///lake/calls/1.jsonl#2 acme/R-3"}
	if diff := cmp.Diff(want, table(t, work, "runs/run-1/review.parquet")); diff != "" || told != 3 {
		t.Errorf("%d rows told, review (-want +got):\n%s", told, diff)
	}
}

func stored(t *testing.T, work connectors.Store) map[string]string {
	t.Helper()
	out := map[string]string{}
	for o, err := range work.List(t.Context(), "runs/") {
		if err != nil {
			t.Fatal(err)
		}
		body, err := work.Open(t.Context(), o.Ref, connectors.All)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		body.Close()
		out[o.Key] = string(b)
	}
	return out
}

// TestBuildDoneAgain dies at each operation on the work store and is done again:
// all is as if it had been undisturbed.
func TestBuildDoneAgain(t *testing.T) {
	calm := mem.New("work", mem.Options{})
	if _, err := maker(t).Build(t.Context(), calm, input(hits()...)); err != nil {
		t.Fatal(err)
	}
	want := stored(t, calm)
	for n := 1; ; n++ {
		work := mem.New("work", mem.Options{})
		dying := fault.New(work)
		dying.Plan = fault.At(n, fault.Fault{Stop: true, After: n%2 == 0})
		_, err := maker(t).Build(t.Context(), dying, input(hits()...))
		for range 2 {
			if _, err := maker(t).Build(t.Context(), work, input(hits()...)); err != nil {
				t.Fatalf("killed at %d, and done again: %v", n, err)
			}
		}
		if diff := cmp.Diff(want, stored(t, work)); diff != "" {
			t.Errorf("killed at %d, and done again: other files", n)
		}
		if err == nil {
			if n < 5 {
				t.Errorf("only %d operations", n-1)
			}
			return
		}
	}
}

// TestBuildTrustsNothingThatIsThere: what stands under a name of this run's outputs
// and is not what the run would write is named, kept, and never taken for its own.
func TestBuildTrustsNothingThatIsThere(t *testing.T) {
	other := mem.New("work", mem.Options{}) // an authentic manifest of fewer hits
	if _, err := maker(t).Build(t.Context(), other, input(hits()[:1]...)); err != nil {
		t.Fatal(err)
	}
	smaller := stored(t, other)
	const dir = "runs/run-1/"
	for _, c := range []struct {
		name, file string
		change     func(b string) string
		want       error
		says       string
	}{
		{"a forged review list", "review.parquet", func(b string) string { return b + " " }, output.ErrDiffers, "begin a new run"},
		{"forged tombstones", "manifest/tombstones.parquet", func(string) string { return "PAR1" }, output.ErrDiffers, "begin a new run"},
		{"authentic tombstones of other hits", "manifest/tombstones.parquet", func(string) string { return smaller[dir+"manifest/tombstones.parquet"] }, output.ErrDiffers, "begin a new run"},
		{"a forged manifest", "manifest/manifest.json", func(b string) string { return strings.Replace(b, `"rows": 3`, `"rows": 2`, 1) }, manifest.ErrForged, "begin a new run"},
		{"a manifest of other files", "manifest/manifest.json", func(string) string { return smaller[dir+"manifest/manifest.json"] }, manifest.ErrForged, "begin a new run"},
	} {
		work := mem.New("work", mem.Options{})
		if _, err := maker(t).Build(t.Context(), work, input(hits()...)); err != nil {
			t.Fatal(err)
		}
		before := stored(t, work)[dir+c.file]
		changed := c.change(before)
		if changed == before {
			t.Fatalf("%s: nothing changed", c.name)
		}
		work.Overwrite(dir+c.file, []byte(changed))
		_, err := maker(t).Build(t.Context(), work, input(hits()...))
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.file) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if stored(t, work)[dir+c.file] != changed {
			t.Errorf("%s was overwritten", c.name)
		}
	}
	// An authentic manifest of the very same files that says something else.
	work := mem.New("work", mem.Options{})
	in := input(hits()...)
	in.Limits.Fraction = 0.01
	in.Limits.MinRecords = 1
	if _, err := maker(t).Build(t.Context(), work, in); err != nil {
		t.Fatal(err)
	}
	if _, err := maker(t).Build(t.Context(), work, input(hits()...)); err == nil || !strings.Contains(err.Error(), "manifest.json") || !strings.Contains(err.Error(), "begin a new run") {
		t.Errorf("a manifest with other limits: %v", err)
	}
}

// TestRowsOfManyRows: rows that are handed over in batches stay in order and whole.
func TestRowsOfManyRows(t *testing.T) {
	var all []*results.Found
	for i := range 1000 {
		all = append(all, found("R-2", int64(i%7), int64(i), pipeline.Exact, pipeline.NoTime))
	}
	work := mem.New("work", mem.Options{})
	m, err := maker(t).Build(t.Context(), work, input(all...))
	if err != nil {
		t.Fatal(err)
	}
	got := 0
	var last string
	for r, err := range m.Tombstones(t.Context(), work) {
		if err != nil {
			t.Fatal(err)
		}
		key := string(r.SortKey())
		if key < last {
			t.Fatalf("row %d stands too late", got)
		}
		last = key
		got++
	}
	if got != 1000 || m.Rows != 1000 || !slices.Equal(m.Accounts["acme"].Requests, []string{"acme/R-2"}) {
		t.Errorf("%d rows read, %d sealed", got, m.Rows)
	}
}
