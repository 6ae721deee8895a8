package decision

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"expunge/connectors"
	"expunge/connectors/mem"
	"expunge/pipeline"
	"expunge/pipeline/manifest"
	"expunge/pipeline/seal"
)

var ref = pipeline.RequestRef{Account: "acme", ID: "R-1"}

func keys(t *testing.T, roots ...byte) *seal.Keys {
	t.Helper()
	var all [][]byte
	for _, b := range roots {
		all = append(all, bytes.Repeat([]byte{b}, seal.KeySize))
	}
	k, err := seal.Open(all[0], all[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func ids(k *seal.Keys, url string) func() []string {
	return func() []string {
		var out []string
		for _, key := range k.All("object", "") {
			out = append(out, key.Digest([]byte(url)))
		}
		return out
	}
}

// row is a record of a review list (or with raw "" a whole object) under a key.
func row(k *seal.Keys, url, raw string) *manifest.Row {
	r := &manifest.Row{Tombstone: "t-" + url + raw, Request: ref.String(), Account: ref.Account, Dataset: "calls", ObjectID: ids(k, url)()[0], Tier: "mention"}
	if raw != "" {
		d := k.Digest("record", ref.Account, []byte(raw))
		r.Digest = &d
	}
	return r
}

func hit(k *seal.Keys, r pipeline.RequestRef, dataset, raw string) *pipeline.Hit {
	h := &pipeline.Hit{Request: r, Dataset: dataset, Record: -1}
	if raw != "" {
		h.Record, h.Digest = 7, k.Digest("record", r.Account, []byte(raw))
	}
	return h
}

func decide(t *testing.T, d *Decisions, by string, items ...Item) *Set {
	t.Helper()
	s, err := d.Of(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Add(t.Context(), s, ref, &File{Run: "run-1", By: by, At: time.Unix(0, 0).UTC(), Items: items}); err != nil {
		t.Fatal(err)
	}
	return s
}

// A decision is found by what survives another run, and by nothing less: not for
// another request, account or dataset, nor for another record. That holds when the work
// key was rotated since.
func TestDecisionsAreFoundAgain(t *testing.T) {
	first := keys(t, 1)
	work := mem.New("work", mem.Options{})
	decide(t, &Decisions{work, first}, "jo", On(row(first, "s3://lake/a", "one"), pipeline.Include, "his"), On(row(first, "s3://lake/b", "two"), pipeline.Exclude, "not his"),
		On(row(first, "s3://lake/c", ""), pipeline.Exclude, "not his"))
	for _, now := range []*seal.Keys{first, keys(t, 2, 1)} {
		s, err := (&Decisions{work, now}).Of(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			what         string
			ref          pipeline.RequestRef
			dataset, raw string
			url          string
			want         pipeline.Verdict
		}{
			{"the record", ref, "calls", "one", "s3://lake/a", pipeline.Include},
			{"the record in another object", ref, "calls", "one", "s3://lake/z", pipeline.Include},
			{"the other record", ref, "calls", "two", "s3://lake/b", pipeline.Exclude},
			{"the whole object", ref, "calls", "", "s3://lake/c", pipeline.Exclude},
			{"another record", ref, "calls", "three", "s3://lake/a", ""},
			{"another whole object", ref, "calls", "", "s3://lake/a", ""},
			{"another dataset", ref, "forms", "one", "s3://lake/a", ""},
			{"another request", pipeline.RequestRef{Account: "acme", ID: "R-2"}, "calls", "one", "s3://lake/a", ""},
			{"another account", pipeline.RequestRef{Account: "globex", ID: "R-1"}, "calls", "one", "s3://lake/a", ""},
		} {
			got := s.Hit(hit(now, c.ref, c.dataset, c.raw), []byte(c.raw), "e1", ids(now, c.url))
			if (got == nil) != (c.want == "") || got != nil && (got.Verdict != c.want || got.By != "jo") {
				t.Errorf("%s: %v, not %q", c.what, got, c.want)
			}
			if c.raw != "" && s.Excluded(c.ref, c.dataset, []byte(c.raw)) != (c.want == pipeline.Exclude) {
				t.Errorf("%s: Excluded is wrong", c.what)
			}
		}
	}
}

// Later decisions count, a run reads those that it began with, and what stands already
// is not written again.
func TestLaterDecisionsCount(t *testing.T) {
	k := keys(t, 1)
	d := &Decisions{mem.New("work", mem.Options{}), k}
	r := row(k, "s3://lake/a", "one")
	decide(t, d, "jo", On(r, pipeline.Include, "his"))
	decide(t, d, "ann", On(r, pipeline.Include, "his, too"))
	if latest, err := d.Latest(t.Context()); err != nil || latest[ref] != 1 {
		t.Fatalf("the same decision was stored again: %v, %v", latest, err)
	}
	if made := decide(t, d, "ann", On(r, pipeline.Exclude, "not his")).Row(ref, r); made.Verdict != pipeline.Exclude || made.By != "ann" || made.Reason != "not his" {
		t.Errorf("%+v", made)
	}
	for n, want := range map[int]pipeline.Verdict{1: pipeline.Include, 2: pipeline.Exclude} {
		s, err := d.Read(t.Context(), map[pipeline.RequestRef]int{ref: n})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Row(ref, r); got.Verdict != want {
			t.Errorf("of %d files: %s, not %s", n, got.Verdict, want)
		}
	}
}

// Two who decide at the same time do not overwrite each other.
func TestDecidingAtOnce(t *testing.T) {
	k := keys(t, 1)
	d := &Decisions{mem.New("work", mem.Options{}), k}
	mine, err := d.Of(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	r := row(k, "s3://lake/a", "one")
	decide(t, d, "ann", On(r, pipeline.Exclude, "not his"))
	if err := d.Add(t.Context(), mine, ref, &File{By: "jo", Items: []Item{On(r, pipeline.Include, "his")}}); !errors.Is(err, connectors.ErrExists) {
		t.Errorf("%v", err)
	}
}

// Who can write to the work store can neither make, change, move nor take away a decision.
func TestForgedDecisions(t *testing.T) {
	k := keys(t, 1)
	r := row(k, "s3://lake/a", "one")
	made := func() (*mem.Store, *Decisions) {
		work := mem.New("work", mem.Options{})
		d := &Decisions{work, k}
		decide(t, d, "jo", On(r, pipeline.Include, "his"))
		decide(t, d, "jo", On(r, pipeline.Exclude, "not his"))
		return work, d
	}
	content := func(work *mem.Store, key string) []byte {
		body, err := work.Open(t.Context(), connectors.Ref{Key: key}, connectors.All)
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		var b bytes.Buffer
		if _, err := b.ReadFrom(body); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	replace := func(work *mem.Store, key string, b []byte) {
		remove(t, work, key)
		if b != nil {
			if _, err := work.Create(t.Context(), key, bytes.NewReader(b)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for what, forge := range map[string]func(work *mem.Store){
		"changed": func(w *mem.Store) {
			replace(w, name(ref, 1), bytes.Replace(content(w, name(ref, 1)), []byte("include"), []byte("exclude"), 1))
		},
		"moved":      func(w *mem.Store) { replace(w, name(ref, 2), content(w, name(ref, 1))) },
		"taken away": func(w *mem.Store) { replace(w, name(ref, 1), nil) },
		"made up":    func(w *mem.Store) { replace(w, name(ref, 2), []byte(`{"version":1,"n":2,"decisions":[]}`)) },
	} {
		work, d := made()
		forge(work)
		if _, err := d.Of(t.Context(), ref); !errors.Is(err, seal.ErrForged) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// The last one cannot be missed by itself; a run that knew of it does.
	work, d := made()
	remove(t, work, name(ref, 2))
	if _, err := d.Read(t.Context(), map[pipeline.RequestRef]int{ref: 2}); !errors.Is(err, seal.ErrForged) {
		t.Errorf("the last taken away: %v", err)
	}
}

func remove(t *testing.T, work connectors.Store, key string) {
	t.Helper()
	for o, err := range work.List(context.Background(), key) {
		if err != nil {
			t.Fatal(err)
		}
		if o.Key == key {
			if err := work.Delete(t.Context(), o.Ref); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// To include a whole object is to include what it holds: what is written under its name
// later is asked for again. To exclude it holds for its name.
func TestWholeObjects(t *testing.T) {
	now := keys(t, 1)
	d := &Decisions{mem.New("work", mem.Options{}), now}
	in, out := row(now, "s3://lake/in", ""), row(now, "s3://lake/out", "")
	in.ETag, out.ETag = "e1", "e1"
	decide(t, d, "jo", On(in, pipeline.Include, "his"), On(out, pipeline.Exclude, "not his"))
	s, err := d.Of(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		url, etag string
		want      pipeline.Verdict
	}{{"s3://lake/in", "e1", pipeline.Include}, {"s3://lake/in", "e2", ""}, {"s3://lake/out", "e1", pipeline.Exclude}, {"s3://lake/out", "e2", pipeline.Exclude}} {
		got := s.Hit(hit(now, ref, "calls", ""), nil, c.etag, ids(now, c.url))
		if (got == nil) != (c.want == "") || got != nil && got.Verdict != c.want {
			t.Errorf("%s with %s: %v, not %q", c.url, c.etag, got, c.want)
		}
	}
	in.ETag = "e2"
	if s.Row(ref, in) != nil {
		t.Error("what was included once stands for what is there now")
	}
	again := decide(t, d, "ann", On(in, pipeline.Include, "this, too"))
	if made := again.Row(ref, in); made == nil || made.By != "ann" {
		t.Errorf("decided again: %+v", made)
	}
}
