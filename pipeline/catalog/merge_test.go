package catalog

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"

	"expunge/connectors"
	"expunge/connectors/mem"
	"expunge/pipeline"
	"expunge/scanners"
)

func each[T any](list ...T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, x := range list {
			if !yield(x, nil) {
				return
			}
		}
	}
}

func listed(n int64, key, version string, size int64) pipeline.Object {
	return pipeline.Object{N: n, Account: "acme", Object: connectors.Object{Ref: connectors.Ref{Store: "lake", Key: key, Version: version, ETag: "e-" + version}, Size: size}}
}

// taught is what a first scan of a part of an object comes to. Its tokens are not
// stored: see scanned.
func taught(o pipeline.Object, part scanners.Part, parts int, records int64) *pipeline.UnitResult {
	seg := pipeline.Segment{Part: part, Records: records}
	return &pipeline.UnitResult{
		Object: o, Part: part, Parts: parts, Outcome: pipeline.Scanned, Fresh: true, Cataloged: true, Records: records,
		Rows: map[string]int64{"acme": records}, Segments: []pipeline.Segment{seg}, From: 100 * records, To: 200 * records, Dated: true,
	}
}

func merge(t *testing.T, m *Merger, joined []Joined, units ...*pipeline.UnitResult) []*Entry {
	t.Helper()
	if m.Work == nil {
		m.Work = mem.New("work", mem.Options{})
	}
	m.Keys = testKeys(t)
	m.Basis = func(dataset int) string { return fmt.Sprint("basis-", dataset) }
	m.First = func(object, place int64) int64 { return place }
	var out []*Entry
	for e, err := range m.Merge(t.Context(), each(joined...), each(units...)) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

// TestMergeWantsWholeObjects: an object has an entry only if its parts are all
// there, once, and join.
func TestMergeWantsWholeObjects(t *testing.T) {
	o := listed(3, "k", "1", 90)
	part := func(off, n int64) *pipeline.UnitResult { return taught(o, scanners.Part{Off: off, Len: n}, 3, 10) }
	groups := func(g, n int) *pipeline.UnitResult {
		return taught(o, scanners.Part{Group: g, Groups: n}, 2, 10)
	}
	alone := taught(o, scanners.Part{}, 0, 10)
	refused := *part(30, 30)
	refused.Outcome, refused.Cataloged = pipeline.Refused, false
	stranger := part(60, 30)
	stranger.Parts = 2
	for what, c := range map[string]struct {
		units []*pipeline.UnitResult
		want  bool
	}{
		"whole":           {[]*pipeline.UnitResult{alone}, true},
		"parts":           {[]*pipeline.UnitResult{part(0, 30), part(30, 30), part(60, 30)}, true},
		"row groups":      {[]*pipeline.UnitResult{groups(0, 2), groups(2, 5)}, true},
		"nothing":         {nil, false},
		"a hole":          {[]*pipeline.UnitResult{part(0, 30), part(31, 29), part(60, 30)}, false},
		"overlap":         {[]*pipeline.UnitResult{part(0, 30), part(20, 40), part(60, 30)}, false},
		"no end":          {[]*pipeline.UnitResult{part(0, 30), part(30, 30), part(60, 20)}, false},
		"no beginning":    {[]*pipeline.UnitResult{part(10, 20), part(30, 30), part(60, 30)}, false},
		"two of three":    {[]*pipeline.UnitResult{part(0, 45), part(45, 45)}, false},
		"one twice":       {[]*pipeline.UnitResult{part(0, 30), part(30, 30), part(30, 30), part(60, 30)}, false},
		"another cut":     {[]*pipeline.UnitResult{part(0, 30), part(30, 30), stranger}, false},
		"whole, twice":    {[]*pipeline.UnitResult{alone, alone}, false},
		"a part alone":    {[]*pipeline.UnitResult{taught(o, scanners.Part{Off: 0, Len: 40}, 0, 10)}, false},
		"one refused":     {[]*pipeline.UnitResult{part(0, 30), &refused, part(60, 30)}, false},
		"groups, a hole":  {[]*pipeline.UnitResult{groups(0, 2), groups(3, 5)}, false},
		"groups, missing": {[]*pipeline.UnitResult{groups(0, 2)}, false},
	} {
		got := merge(t, &Merger{}, []Joined{{Object: o}}, c.units...)
		if len(got) == 1 != c.want {
			t.Errorf("%s: %d entries", what, len(got))
		}
		if len(got) == 1 && (got[0].Records != int64(10*len(c.units)) || len(got[0].Segments) != len(c.units) || !got[0].Valid(&o, "basis-0")) {
			t.Errorf("%s: %+v", what, got[0])
		}
	}
}

// TestMergeUnites: what an entry says of an object is the sum of its parts.
func TestMergeUnites(t *testing.T) {
	o := listed(0, "k", "1", 90)
	a, b, c := taught(o, scanners.Part{Len: 30}, 3, 4), taught(o, scanners.Part{Off: 30, Len: 30}, 3, 0), taught(o, scanners.Part{Off: 60, Len: 30}, 3, 2)
	a.Malformed, b.Unattributed, c.Misattributed = 1, 2, 3
	b.From, b.To, b.Dated = 0, 0, false // it has no record
	c.From, c.To, c.Rows = -50, 90, map[string]int64{"acme": 1, "other": 1}
	got := merge(t, &Merger{}, []Joined{{Object: o}}, a, b, c)
	if len(got) != 1 {
		t.Fatalf("%d entries", len(got))
	}
	e := got[0]
	if e.Records != 6 || e.Malformed != 1 || e.Unattributed != 2 || e.Misattributed != 3 || e.From != -50 || e.To != 800 || !e.Dated ||
		!reflect.DeepEqual(e.Rows, map[string]int64{"acme": 5, "other": 1}) {
		t.Errorf("%+v", e)
	}
	if s := e.Segments; s[1].Part.Record != 30 || s[2].Part.Record != 60 {
		t.Errorf("segments begin at records %d, %d", s[1].Part.Record, s[2].Part.Record)
	}
	c.Dated = false
	if e := merge(t, &Merger{}, []Joined{{Object: o}}, a, b, c)[0]; e.Dated {
		t.Error("a part has undated records, and the entry says that all have a time")
	}
}

// TestMergeKeepsWhatHolds: what was known stays while it holds, and no longer.
func TestMergeKeepsWhatHolds(t *testing.T) {
	o := listed(5, "k", "1", 90)
	known := &Entry{Store: "lake", Key: "k", VersionID: "1", ETag: "e-1", Size: 90, Basis: "basis-0", Records: 7}
	other := func(change func(e *Entry)) *Entry {
		e := *known
		change(&e)
		return &e
	}
	asked := &pipeline.UnitResult{Object: o, Outcome: pipeline.Scanned, Hits: 2}
	refused := &pipeline.UnitResult{Object: o, Outcome: pipeline.Refused}
	undeclared := o
	undeclared.Dataset = -1
	for what, c := range map[string]struct {
		entry *Entry
		o     pipeline.Object
		units []*pipeline.UnitResult
		want  int64 // records of the entry; 0: there is none
	}{
		"not opened":        {known, o, nil, 7},
		"opened again":      {known, o, []*pipeline.UnitResult{asked}, 7},
		"refused now":       {known, o, []*pipeline.UnitResult{asked, refused}, 0},
		"scanned anew":      {known, o, []*pipeline.UnitResult{taught(o, scanners.Part{}, 0, 9)}, 9},
		"anew, and refused": {known, o, []*pipeline.UnitResult{{Object: o, Fresh: true, Outcome: pipeline.Refused}}, 0},
		"never seen":        {nil, o, nil, 0},
		"other settings":    {other(func(e *Entry) { e.Basis = "basis-1" }), o, nil, 0},
		"other ETag":        {other(func(e *Entry) { e.ETag = "e-2" }), o, nil, 0},
		"other version":     {other(func(e *Entry) { e.VersionID = "2" }), o, nil, 0},
		"other size":        {other(func(e *Entry) { e.Size = 91 }), o, nil, 0},
		"undeclared":        {known, undeclared, nil, 0},
	} {
		got := merge(t, &Merger{}, []Joined{{Object: listed(4, "j", "1", 1)}, {Object: c.o, Entry: c.entry}}, c.units...)
		switch {
		case c.want == 0 && len(got) != 0:
			t.Errorf("%s: an entry of %d records", what, got[0].Records)
		case c.want > 0 && (len(got) != 1 || got[0].Records != c.want):
			t.Errorf("%s: %d entries", what, len(got))
		}
	}
}

// scanned puts the tokens of units into a store, as the scan of a batch does.
func scanned(t *testing.T, work connectors.Store, name string, units []*pipeline.UnitResult, tokens [][]uint64) {
	t.Helper()
	var out bytes.Buffer
	var off int64
	sink := NewSink(Key{}, testKeys(t), "catalog/filters/x", &out, &off, name)
	defer sink.Close()
	for i, u := range units {
		ref, err := sink.segment(tokens[i])
		if err != nil {
			t.Fatal(err)
		}
		u.Segments[0].Filter = ref
	}
	if err := sink.Store(t.Context(), work); err != nil {
		t.Fatal(err)
	}
	if _, err := work.Create(t.Context(), "catalog/filters/x-"+name, bytes.NewReader(out.Bytes())); err != nil {
		t.Fatal(err)
	}
}

// TestMergePools: tokens of a run's batches end up in pools that answer for each
// segment, and where they are gone or damaged the object is not cataloged.
func TestMergePools(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	var joined []Joined
	var units []*pipeline.UnitResult
	var tokens [][]uint64
	for i := range int64(40) {
		o := listed(i, fmt.Sprintf("k%03d", i), "1", 10)
		o.Account = []string{"acme", "other", ""}[i%3]
		joined = append(joined, Joined{Object: o})
		units = append(units, taught(o, scanners.Part{}, 0, 1))
		tokens = append(tokens, []uint64{rng.Uint64(), rng.Uint64(), rng.Uint64()})
	}
	units[9].Outcome, units[9].Cataloged = pipeline.Refused, false // its tokens are passed over
	first, second := TokenFile("r", 0, "d"), TokenFile("r", 1, "d")
	work := mem.New("work", mem.Options{})
	scanned(t, work, first, units[:25], tokens[:25])
	scanned(t, work, second, units[25:], tokens[25:])
	before := make([]pipeline.FilterRef, len(units))
	for i, u := range units {
		before[i] = u.Segments[0].Filter
	}
	run := func(work connectors.Store, pairs int) []*Entry {
		for i, u := range units {
			u.Segments[0].Filter = before[i]
		}
		return merge(t, &Merger{Work: work, Run: "r", pairs: pairs}, joined, units...)
	}
	for _, pairs := range []int{0, 30, 1} {
		work := copyOf(t, work, "", nil)
		entries := run(work, pairs)
		if len(entries) != len(units)-1 {
			t.Fatalf("%d entries", len(entries))
		}
		filters := &Filters{Work: work, Keys: testKeys(t)}
		for i := range tokens {
			asking := filters.Ask(func(string) []uint64 { return tokens[i][:1] })
			for k, e := range entries {
				got, err := asking.MayHold(t.Context(), e.Segments[0].Filter, []string{"acme"})
				if want := e.Key == units[i].Object.Key; err != nil || got != want {
					t.Fatalf("pools of %d: token of segment %d in segment %d: %v, %v", pairs, i, k, got, err)
				}
			}
		}
		if err := Forget(t.Context(), work, "r"); err != nil {
			t.Fatal(err)
		}
		for o := range work.List(t.Context(), "catalog/tokens/") {
			t.Errorf("%s is left", o.Key)
		}
	}
	if n := len(run(copyOf(t, work, second, nil), 0)); n != 24 {
		t.Errorf("a file of tokens is gone: %d entries, want 24", n)
	}
	b := fileOf(t, work, first)
	b[len(b)/2] ^= 1
	if n := len(run(copyOf(t, work, first, b), 0)); n != 15 {
		t.Errorf("a file of tokens is damaged: %d entries, want 15", n)
	}
	if n := len(run(copyOf(t, work, first, fileOf(t, work, second)), 0)); n != 15 {
		t.Errorf("a file of tokens in the place of another: %d entries, want 15", n)
	}
}

// TestJoinTellsVersionsApart: every version of a key meets its own entry, in
// whatever order the store lists them.
func TestJoinTellsVersionsApart(t *testing.T) {
	entry := func(key, version string) *Entry {
		return &Entry{Store: "lake", Key: key, VersionID: version, ETag: "e-" + version}
	}
	objects := []pipeline.Object{
		listed(0, "a", "1", 1), listed(1, "b", "3", 1), listed(2, "b", "2", 1), listed(3, "b", "1", 1),
		listed(4, "c", "1", 1), listed(5, "e", "2", 1), listed(6, "e", "1", 1),
	}
	entries := []*Entry{entry("a", "9"), entry("b", "1"), entry("b", "3"), entry("b", "4"), entry("d", "1"), entry("e", "1"), entry("e", "2")}
	want := []string{"", "3", "", "1", "", "2", "1"}
	var got []string
	for j, err := range Join(each(objects...), each(entries...)) {
		if err != nil {
			t.Fatal(err)
		}
		v := ""
		if j.Entry != nil {
			v = j.Entry.VersionID
			if j.Entry.Key != j.Object.Key {
				t.Errorf("%s meets the entry of %s", j.Object.Key, j.Entry.Key)
			}
		}
		got = append(got, v)
	}
	if !slices.Equal(got, want) {
		t.Errorf("versions %q, want %q", got, want)
	}
}

// TestJoinNamesAccounts: records are counted under the account's name of today.
func TestJoinNamesAccounts(t *testing.T) {
	for _, c := range []struct {
		account    string
		rows, want map[string]int64
	}{
		{"acme", map[string]int64{"before": 7}, map[string]int64{"acme": 7}},
		{"acme", map[string]int64{"acme": 7}, map[string]int64{"acme": 7}},
		{"", map[string]int64{"before": 7}, map[string]int64{"before": 7}},
		{"acme", nil, nil},
	} {
		o := listed(0, "k", "1", 1)
		o.Account = c.account
		e := &Entry{Store: "lake", Key: "k", VersionID: "1", ETag: "e-1", Rows: c.rows}
		for j, err := range Join(each(o), each(e)) {
			if err != nil || !reflect.DeepEqual(j.Entry.Rows, c.want) {
				t.Errorf("%q, %v: %v, %v", c.account, c.rows, j.Entry.Rows, err)
			}
		}
	}
}

// TestTwoRunsWriteIndexes: runs that end together both get an index of their own,
// whole, under different numbers.
func TestTwoRunsWriteIndexes(t *testing.T) {
	c := &Catalog{Work: mem.New("work", mem.Options{}), Keys: testKeys(t)}
	const runs = 8
	numbers := make([]int, runs)
	arrived := make(chan struct{}, runs)
	release := make(chan struct{})
	var wg sync.WaitGroup
	for i := range runs {
		wg.Go(func() {
			run := fmt.Sprint("run", i)
			n, err := c.Write(context.Background(), run, func(yield func(*Entry, error) bool) {
				if arrived <- struct{}{}; len(arrived) == runs { // all know the same latest index by now
					close(release)
				}
				<-release
				_ = yield(&Entry{Key: run}, nil) && yield(&Entry{Key: run + "/2"}, nil)
				<-arrived
			})
			if err != nil {
				t.Error(err)
			}
			numbers[i] = n
		})
	}
	wg.Wait()
	latest, err := c.Latest(t.Context())
	if err != nil || latest != runs {
		t.Fatalf("latest is %d of %d: %v", latest, runs, err)
	}
	for i, n := range numbers {
		var keys []string
		for e, err := range c.Entries(t.Context(), n) {
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, e.Key)
		}
		if run := fmt.Sprint("run", i); !slices.Equal(keys, []string{run, run + "/2"}) {
			t.Errorf("index %d of %s holds %q", n, run, keys)
		}
	}
}
