package erase_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"expunge/connectors"
	"expunge/connectors/fault"
	"expunge/connectors/mem"
	"expunge/pipeline"
	"expunge/pipeline/erase"
	"expunge/pipeline/journal"
	"expunge/pipeline/manifest"
	"expunge/pipeline/seal"
	"expunge/scanners"
	"expunge/scanners/jsonl"
)

// world is a lake, a work store and the tombstones that are to be applied.
type world struct {
	t    *testing.T
	lake *mem.Store
	work *mem.Store
	keys *seal.Keys
	rows []*manifest.Row

	dataset pipeline.Dataset
	account string // that keys name
	scanner scanners.Scanner
	keepOld bool
	lost    int64
	held    erase.Held
	theirs  []*manifest.Row // of other erasures, on old versions
	tries   int

	excluded string // a record that a person has excluded
	workKey  string // that redacted keys are made with
}

func newWorld(t *testing.T, versions bool) *world {
	t.Helper()
	keys, err := seal.Open(bytes.Repeat([]byte{9}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return &world{
		t: t, lake: mem.New("lake", mem.Options{Versions: versions}), work: mem.New("work", mem.Options{}), keys: keys,
		dataset: pipeline.Dataset{Name: "calls", Format: "jsonl", Erase: pipeline.Erasure{Action: pipeline.EraseRecord}}, account: "acme", scanner: jsonl.Scanner{},
	}
}

// allowed is what one approval of the whole says may be lost.
func (w *world) allowed(string) journal.Allowance {
	return journal.Allowance{Approval: 1, Records: w.lost, Shares: func(string) bool { return true }}
}

// searched is when the search of the run began; younger uploads are not ours to end.
var searched = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// put writes an object as a loader would and returns it.
func (w *world) put(key string, lines ...string) connectors.Object {
	w.t.Helper()
	return w.lake.Overwrite(key, []byte(text(lines)))
}

func text(lines []string) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l + "\n")
	}
	return b.String()
}

// rec is a line of a call log.
func rec(id int, who string) string {
	return fmt.Sprintf(`{"id":%d,"email":"%s@example.com"}`, id, who)
}

func (w *world) row(o connectors.Object, request, tombstone string) *manifest.Row {
	r := &manifest.Row{
		Tombstone: tombstone, Request: "acme/" + request, Account: "acme", Dataset: "calls", Object: "mem://lake/" + o.Key, ObjectID: "id of " + o.Key,
		ETag: o.ETag, Size: o.Size, KeyID: w.keys.Derive("record", "acme").ID(), Action: "erase_record", Disposition: "PLANNED",
	}
	if o.Version != "" {
		r.Version = &o.Version
	}
	return r
}

// tomb asks for records of an object.
func (w *world) tomb(o connectors.Object, lines []string, records ...int64) []*manifest.Row {
	var out []*manifest.Row
	for _, n := range records {
		r := w.row(o, "R-1", fmt.Sprintf("t-%s-%s-%d", o.Key, o.Version, n))
		digest := w.keys.Digest("record", "acme", []byte(lines[n]))
		r.Record, r.Digest = &n, &digest
		out = append(out, r)
	}
	w.rows = append(w.rows, out...)
	return out
}

// version asks for a noncurrent version that holds records.
func (w *world) version(o connectors.Object, lines []string, records ...int64) {
	for _, r := range w.tomb(o, lines, records...) {
		r.Record, r.Action = nil, "delete_version"
	}
}

// except has an exception of this erasure keep a record that the first row's version has.
func (w *world) except(line string) {
	r := *w.rows[0]
	digest := w.keys.Digest("record", "acme", []byte(line))
	r.Tombstone, r.Digest, r.Disposition = "t-excepted", &digest, "EXCEPTED"
	w.rows = append(w.rows, &r)
}

// whole asks for an object as a whole.
func (w *world) whole(o connectors.Object) *manifest.Row {
	r := w.row(o, "R-1", "t-"+o.Key)
	r.Action = "erase_object"
	w.rows = append(w.rows, r)
	return r
}

// erase runs one try over the given stores and returns the outcomes by object and act.
func (w *world) erase(lake, work connectors.Store) (map[string]journal.Entry, error) {
	w.t.Helper()
	w.tries++
	log := &journal.Journal{Work: work, Keys: w.keys, Run: "r1"}
	past, err := log.Past(w.t.Context())
	if err != nil {
		return nil, err
	}
	e := &erase.Erase{
		Stores: map[string]connectors.Store{"lake": lake}, Formats: map[string]scanners.Scanner{"jsonl": w.scanner}, Datasets: []pipeline.Dataset{w.dataset},
		Keys: w.keys, Journal: log, Past: past, KeepOld: w.keepOld, Lost: w.allowed, Held: w.held, Idle: searched,
		Theirs: func(_ context.Context, t *manifest.Target, version string) ([]*manifest.Row, error) {
			return slices.DeleteFunc(slices.Clone(w.theirs), func(r *manifest.Row) bool { return r.ObjectID != t.ID || *r.Version != version }), nil
		},
		Region: "US", Redacted: w.redacted,
		Own:      func(_ pipeline.RequestRef, l pipeline.Link) bool { return l.Value == "also-ann@example.com" },
		Cutoff:   func(pipeline.RequestRef) int64 { return searched.UnixMilli() },
		Excluded: func(_ pipeline.RequestRef, _ string, raw []byte) bool { return string(raw) == w.excluded },
	}
	e.Identities, e.Asks = w.identities()
	rows := func(yield func(*manifest.Row, error) bool) {
		for _, r := range w.rows {
			if !yield(r, nil) {
				return
			}
		}
	}
	resolve := func(r *manifest.Row) (manifest.Target, error) {
		return manifest.Target{Store: "lake", Key: strings.TrimPrefix(r.Object, "mem://lake/"), Account: w.account}, nil
	}
	out := map[string]journal.Entry{}
	for win, err := range erase.Windows(fmt.Sprintf("try-%d", w.tries), manifest.Targets(rows, resolve)) {
		if err != nil {
			return nil, err
		}
		done, err := e.Apply(w.t.Context(), win)
		if err != nil {
			return nil, err
		}
		for _, d := range done {
			out[strings.TrimPrefix(d.Object, "id of ")+" "+string(d.Act)+" "+d.Version] = d
		}
	}
	return out, nil
}

func (w *world) mustErase() map[string]journal.Entry {
	w.t.Helper()
	out, err := w.erase(w.lake, w.work)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// state is all that a store holds: every version of every key.
func state(t *testing.T, s *mem.Store) map[string]string {
	t.Helper()
	out := map[string]string{}
	for v, err := range s.Versions(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if v.Deleted {
			out[v.Key+" "+v.Version] = "(marker)"
			continue
		}
		name := v.Key + " " + v.Version
		if v.Current {
			name = v.Key
		}
		out[name] = read(t, s, v.Ref)
	}
	for _, u := range s.Begun() {
		out[u.Key+" upload "+u.ID] = "(unfinished)"
	}
	return out
}

func read(t *testing.T, s connectors.Store, ref connectors.Ref) string {
	t.Helper()
	body, err := s.Open(t.Context(), ref, connectors.All)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func check(t *testing.T, got map[string]string, want map[string]string) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("the lake holds\n%q\nnot\n%q", got, want)
	}
}

func states(t *testing.T, out map[string]journal.Entry, want map[string]journal.State) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if out[name].State != want[name] {
			t.Errorf("%s: %q (%s), want %q", name, out[name].State, out[name].Reason, want[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(out)) {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: %q (%s), want nothing", name, out[name].State, out[name].Reason)
		}
	}
}

func TestRecordsGoAndNothingElse(t *testing.T) {
	w := newWorld(t, false)
	lines := []string{rec(0, "ann"), rec(1, "bob"), rec(2, "ann"), rec(3, "cy")}
	w.tomb(w.put("a.jsonl", lines...), lines, 0, 2)
	all := []string{rec(0, "ann")}
	w.tomb(w.put("all.jsonl", all...), all, 0)
	w.put("other.jsonl", lines...)
	before := state(t, w.lake)["other.jsonl"]
	out := w.mustErase()
	states(t, out, map[string]journal.State{"a.jsonl replace ": journal.Done, "all.jsonl replace ": journal.Done})
	check(t, state(t, w.lake), map[string]string{"a.jsonl": text([]string{rec(1, "bob"), rec(3, "cy")}), "all.jsonl": "", "other.jsonl": before})
	if e := out["a.jsonl replace "]; e.Records != 4 || e.Erased != 2 || e.NewETag == "" {
		t.Errorf("outcome %+v", e)
	}
	after := state(t, w.lake)
	again := w.mustErase() // nothing is left to do
	check(t, state(t, w.lake), after)
	states(t, again, map[string]journal.State{"a.jsonl replace ": journal.Done, "all.jsonl replace ": journal.Done})
}

func TestObjectThatChangedSinceSealing(t *testing.T) {
	lines := []string{rec(0, "ann"), rec(1, "bob"), rec(2, "ann")}
	for _, c := range []struct {
		name  string
		now   []string
		want  []string
		state journal.State
	}{
		{"records moved", []string{rec(7, "new"), rec(1, "bob"), rec(2, "ann"), rec(0, "ann")}, []string{rec(7, "new"), rec(1, "bob")}, journal.Done},
		{"one record is gone", []string{rec(1, "bob"), rec(2, "ann")}, []string{rec(1, "bob")}, journal.Done},
		{"none is left", []string{rec(1, "bob")}, []string{rec(1, "bob")}, journal.Gone},
		{"a surplus copy", []string{rec(0, "ann"), rec(0, "ann"), rec(2, "ann")}, []string{rec(0, "ann"), rec(0, "ann"), rec(2, "ann")}, journal.Conflict},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, false)
			w.tomb(w.put("a.jsonl", lines...), lines, 0, 2)
			w.put("a.jsonl", c.now...)
			states(t, w.mustErase(), map[string]journal.State{"a.jsonl replace ": c.state})
			check(t, state(t, w.lake), map[string]string{"a.jsonl": text(c.want)})
		})
	}
}

// Equal records are a multiset: two that were sealed are two that go, of two or of
// one that is left; a third is not ours to take.
func TestEqualRecords(t *testing.T) {
	lines := []string{rec(0, "ann"), rec(0, "ann"), rec(1, "bob")}
	for copies, want := range map[int]journal.State{0: journal.Gone, 1: journal.Done, 2: journal.Done, 3: journal.Conflict} {
		w := newWorld(t, false)
		w.tomb(w.put("a.jsonl", lines...), lines, 0, 1)
		now := []string{rec(5, "new")}
		for range copies {
			now = append(now, rec(0, "ann"))
		}
		w.put("a.jsonl", now...)
		states(t, w.mustErase(), map[string]journal.State{"a.jsonl replace ": want})
	}
}

func TestRecordThatIsNotTheSealedOne(t *testing.T) {
	w := newWorld(t, false)
	lines := []string{rec(0, "ann"), rec(1, "bob")}
	o := w.put("a.jsonl", lines...)
	w.tomb(o, []string{rec(0, "eve"), rec(1, "bob")}, 0) // a forged ordinal, say
	states(t, w.mustErase(), map[string]journal.State{"a.jsonl replace ": journal.Conflict})
	check(t, state(t, w.lake), map[string]string{"a.jsonl": text(lines)})
}

func TestObjectThatIsGone(t *testing.T) {
	w := newWorld(t, false)
	lines := []string{rec(0, "ann")}
	o := w.put("a.jsonl", lines...)
	w.tomb(o, lines, 0)
	w.put("a.jsonl.bak", lines...) // a sibling that its key is a prefix of
	if err := w.lake.Delete(t.Context(), o.Ref); err != nil {
		t.Fatal(err)
	}
	states(t, w.mustErase(), map[string]journal.State{"a.jsonl replace ": journal.Gone})
	check(t, state(t, w.lake), map[string]string{"a.jsonl.bak": text(lines)})
}

func TestVersions(t *testing.T) {
	w := newWorld(t, true)
	v1 := []string{rec(0, "ann"), rec(1, "bob")}
	v2 := []string{rec(0, "ann"), rec(1, "bob"), rec(9, "old")} // 9 stands nowhere else
	v3 := []string{rec(0, "ann"), rec(1, "bob"), rec(2, "cy")}
	w.version(w.put("a.jsonl", v1...), v1, 0)
	old := w.put("a.jsonl", v2...)
	w.version(old, v2, 0)
	now := w.put("a.jsonl", v3...)
	w.tomb(now, v3, 0)
	out := w.mustErase()
	if e := out["a.jsonl delete_version "+old.Version]; e.State != journal.Blocked || e.Lost != 1 {
		t.Errorf("a version with a survivor of its own: %+v", e)
	}
	kept := []string{rec(1, "bob"), rec(2, "cy")}
	check(t, state(t, w.lake), map[string]string{"a.jsonl": text(kept), "a.jsonl " + old.Version: text(v2)})

	w.lost = 1 // approved by number
	if e := w.mustErase()["a.jsonl delete_version "+old.Version]; e.State != journal.Done || e.Lost != 1 || e.LostBy != 1 {
		t.Errorf("a version whose survivor may go: %+v", e)
	}
	check(t, state(t, w.lake), map[string]string{"a.jsonl": text(kept)})
}

// What a version costs more than was counted for it, when it is deleted at last, is
// taken in addition, or the version stays; and it stays if less is approved since.
func TestVersionThatCostsMoreThanWasApproved(t *testing.T) {
	lines := []string{rec(0, "ann"), rec(1, "bob"), rec(2, "cy"), rec(3, "di")}
	for name, c := range map[string]struct {
		then int64 // approved in the end
		now  []string
		lost int64
		want journal.State
	}{
		"as before":               {1, lines[2:], 1, journal.Done},
		"more than is approved":   {1, lines[3:], 2, journal.Blocked},
		"more, and more approved": {2, lines[3:], 2, journal.Done},
		"nothing any more":        {1, lines[1:], 0, journal.Done},
		"taken back":              {0, lines[2:], 1, journal.Blocked},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, true)
			old := w.put("a.jsonl", lines...)
			w.version(old, lines, 0)
			w.put("a.jsonl", lines[2:]...)
			w.lost = 1
			lake := fault.New(w.lake)
			lake.Plan = func(op fault.Op) *fault.Fault {
				if op.Kind == "delete" {
					return &fault.Fault{Err: &connectors.LockError{}}
				}
				return nil
			}
			if out, err := w.erase(lake.View(), w.work); err != nil || out["a.jsonl delete_version "+old.Version].State != journal.Locked {
				t.Fatal(out, err)
			}
			w.put("a.jsonl", c.now...)
			w.lost = c.then
			if e := w.mustErase()["a.jsonl delete_version "+old.Version]; e.State != c.want || e.Lost != c.lost {
				t.Errorf("%s (%s), %d lost; want %s, %d", e.State, e.Reason, e.Lost, c.want, c.lost)
			}
		})
	}
}

// What another erasure takes out of the same version is no survivor, as often as that
// asks for it, but for what it is to keep.
func TestWhatOtherErasuresTake(t *testing.T) {
	lines := []string{rec(0, "ann"), rec(1, "bob"), rec(1, "bob"), rec(2, "cy")}
	for name, c := range map[string]struct {
		theirs []int64
		change func(w *world)
		lost   int64
	}{
		"nothing":            {nil, nil, 3},
		"one of two equal":   {[]int64{1}, nil, 2},
		"both":               {[]int64{1, 2}, nil, 1},
		"all":                {[]int64{1, 2, 3}, nil, 0},
		"one that is kept":   {[]int64{1, 2, 3}, func(w *world) { w.theirs[2].Disposition = "EXCEPTED" }, 1},
		"one that both keep": {[]int64{1, 2, 3}, func(w *world) { w.except(lines[3]) }, 1},
		"of another version": {[]int64{1, 2, 3}, func(w *world) {
			for _, r := range w.theirs {
				another := "another"
				r.Version = &another
			}
		}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, true)
			old := w.put("a.jsonl", lines...)
			w.put("a.jsonl", rec(7, "new"))
			w.version(old, lines, c.theirs...)
			w.theirs, w.rows = w.rows, nil
			w.version(old, lines, 0)
			if c.change != nil {
				c.change(w)
			}
			e := w.mustErase()["a.jsonl delete_version "+old.Version]
			want := journal.Blocked
			if c.lost == 0 {
				want = journal.Done
			}
			if e.State != want || e.Lost != c.lost {
				t.Errorf("%s (%s), %d records would be lost, not %d", e.State, e.Reason, e.Lost, c.lost)
			}
		})
	}
}

// Another writer has put an object in the place of the sealed one, without its records:
// that version is none of ours, also when it is not the current one any more.
func TestVersionOfAnotherWriterStays(t *testing.T) {
	w := newWorld(t, true)
	lines, theirs := []string{rec(0, "ann"), rec(1, "bob")}, []string{rec(5, "eve")}
	sealed := w.put("a.jsonl", lines...)
	w.tomb(sealed, lines, 0)
	w.lost = 100 // whatever stands nowhere else
	other := w.put("a.jsonl", theirs...)
	out := w.mustErase()
	if e := out["a.jsonl delete_version "+sealed.Version]; e.State != journal.Done {
		t.Errorf("the sealed version: %+v", e)
	}
	if e, planned := out["a.jsonl delete_version "+other.Version]; planned {
		t.Errorf("the other's version: %+v", e)
	}
	w.put("a.jsonl", rec(6, "fay"))
	w.mustErase()
	check(t, state(t, w.lake), map[string]string{"a.jsonl": text([]string{rec(6, "fay")}), "a.jsonl " + other.Version: text(theirs)})
}

// A race that is lost says so, and the next try leaves nothing open: a version has one
// place in the journal, whatever stands at its key by then.
func TestRaceIsSettledByTheNextTry(t *testing.T) {
	w := newWorld(t, true)
	lines := []string{rec(0, "ann"), rec(1, "bob")}
	sealed := w.put("a.jsonl", lines...)
	w.tomb(sealed, lines, 0)
	w.lost = 100
	lake := fault.New(w.lake)
	lake.Plan = func(op fault.Op) *fault.Fault {
		if op.Kind == "replace" {
			w.put("a.jsonl", rec(5, "eve"))
		}
		return nil
	}
	out, err := w.erase(lake.View(), w.work)
	if err != nil {
		t.Fatal(err)
	}
	states(t, out, map[string]journal.State{"a.jsonl replace " + sealed.Version: journal.Conflict, "a.jsonl delete_version " + sealed.Version: journal.Blocked})
	w.mustErase()
	past, err := (&journal.Journal{Work: w.work, Keys: w.keys, Run: "r1"}).Past(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for o := range past.Outcomes {
		if !o.State.Final() {
			t.Errorf("left open: %+v", o)
		}
	}
	check(t, state(t, w.lake), map[string]string{"a.jsonl": text([]string{rec(5, "eve")})})
}

func TestPolicyKeepsOldVersions(t *testing.T) {
	w := newWorld(t, true)
	lines := []string{rec(0, "ann"), rec(1, "bob")}
	o := w.put("a.jsonl", lines...)
	w.tomb(o, lines, 0)
	w.keepOld = true
	states(t, w.mustErase(), map[string]journal.State{"a.jsonl replace " + o.Version: journal.Done, "a.jsonl delete_version " + o.Version: journal.Kept})
}

func TestWholeObjects(t *testing.T) {
	w := newWorld(t, true)
	o := w.put("rec/+14045550123.mp3", "sound")
	row := w.whole(o)
	sealed := "sealed"
	row.ObjectSealed = &sealed
	plain := w.put("rec/b.mp3", "sound")
	w.whole(plain)
	w.put("rec/b.mp3.txt", "sibling")
	w.mustErase()
	got := state(t, w.lake)
	for name := range got {
		if strings.Contains(name, "+1404") {
			t.Errorf("%q is left of a key that identifies", name)
		}
	}
	if got["rec/b.mp3.txt"] == "" || got["rec/b.mp3"] != "" {
		t.Errorf("the lake holds %q", got)
	}
	again := w.mustErase()
	for name, e := range again {
		if !e.State.Final() {
			t.Errorf("%s: %s", name, e.State)
		}
	}
}

// What goes as a whole is remembered by its content, older versions too; what nobody can
// read goes all the same.
func TestContentOfWholeObjects(t *testing.T) {
	w := newWorld(t, true)
	content := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return w.keys.Digest("record", "acme", sum[:])
	}
	old := w.put("rec/a.mp3", "first take")
	row := w.whole(old)
	row.Action, row.Tombstone = "delete_version", "t-old"
	o := w.put("rec/a.mp3", "second take")
	w.whole(o)
	lines := []string{rec(0, "ann")}
	w.tomb(w.put("a.jsonl", lines...), lines, 0)
	want := map[string]string{"rec/a.mp3 delete " + o.Version: content("second take\n"), "rec/a.mp3 delete_version " + old.Version: content("first take\n")}
	if got := remembered(w.mustErase()); !maps.Equal(got, want) {
		t.Errorf("remembered are\n%q\nnot\n%q", got, want)
	}

	for fails, state := range map[error]journal.State{connectors.ErrArchived: journal.Done, connectors.ErrDenied: journal.Done, connectors.ErrTemporary: journal.Failed} {
		w := newWorld(t, false)
		w.whole(w.put("rec/a.mp3", "sound"))
		lake := fault.New(w.lake)
		lake.Plan = func(op fault.Op) *fault.Fault {
			if op.Kind == "open" {
				return &fault.Fault{Err: fails}
			}
			return nil
		}
		out, err := w.erase(lake.View(), w.work)
		if e := out["rec/a.mp3 delete "]; err != nil || e.State != state || e.Content != "" {
			t.Errorf("%v: %+v, %v", fails, e, err)
		}
	}
}

func TestWholeObjectsThatMustStay(t *testing.T) {
	lines := []string{rec(0, "ann"), rec(1, "bob")}
	t.Run("of several accounts", func(t *testing.T) {
		w := newWorld(t, false)
		w.account = ""
		w.tomb(w.put("a.jsonl", lines...), lines, 0)[0].Action = "erase_object"
		states(t, w.mustErase(), map[string]journal.State{"a.jsonl delete ": journal.Refused})
		check(t, state(t, w.lake), map[string]string{"a.jsonl": text(lines)})
	})
	t.Run("with an exception inside", func(t *testing.T) {
		w := newWorld(t, false)
		rows := w.tomb(w.put("a.jsonl", lines...), lines, 0, 1)
		rows[0].Action, rows[1].Disposition = "erase_object", "EXCEPTED"
		states(t, w.mustErase(), map[string]journal.State{"a.jsonl delete ": journal.Refused})
		check(t, state(t, w.lake), map[string]string{"a.jsonl": text(lines)})
	})
	t.Run("that changed", func(t *testing.T) {
		w := newWorld(t, false)
		w.whole(w.put("a.mp3", "sound"))
		w.put("a.mp3", "other")
		states(t, w.mustErase(), map[string]journal.State{"a.mp3 delete ": journal.Conflict})
		check(t, state(t, w.lake), map[string]string{"a.mp3": "other\n"})
	})
}

func TestExceptionsAndRedaction(t *testing.T) {
	w := newWorld(t, false)
	lines := []string{rec(0, "ann"), rec(1, "ann"), rec(2, "ann"), rec(3, "bob")}
	rows := w.tomb(w.put("a.jsonl", lines...), lines, 0, 1, 2)
	rows[0].Disposition = "EXCEPTED"
	rows[1].Disposition, rows[1].KeptFields = "EXCEPTED", []string{"id"}
	rows[2].Action, rows[2].KeptFields = "redact", []string{"email"}
	states(t, w.mustErase(), map[string]journal.State{"a.jsonl replace ": journal.Done})
	check(t, state(t, w.lake), map[string]string{"a.jsonl": text([]string{
		lines[0], `{"id":1,"email":null}`, `{"id":null,"email":"ann@example.com"}`, lines[3],
	})})
}

func TestHolds(t *testing.T) {
	for name, hold := range map[string]func(w *world){
		"of the store": func(w *world) { w.lake.Hold("a.jsonl", true) },
		"of ours": func(w *world) {
			w.held = func(context.Context, *manifest.Target, *connectors.Object, bool) error {
				return fmt.Errorf("hold 3: %w", connectors.ErrHeld)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, false)
			w.whole(w.put("a.jsonl", "x"))
			hold(w)
			states(t, w.mustErase(), map[string]journal.State{"a.jsonl delete ": journal.Held})
			check(t, state(t, w.lake), map[string]string{"a.jsonl": "x\n"})
			w.lake.Hold("a.jsonl", false)
			w.held = nil
			states(t, w.mustErase(), map[string]journal.State{"a.jsonl delete ": journal.Done})
		})
	}
}

// A hold is asked about each object that goes, as a whole or not, right before: what it
// names in a version or whole object keeps that from going, and of others nothing.
func TestHoldsAreAskedOfWhatGoes(t *testing.T) {
	w := newWorld(t, true)
	lines := []string{rec(0, "ann"), rec(1, "bob")}
	old := w.put("a.jsonl", lines...)
	w.version(old, lines, 0)
	now := w.put("a.jsonl", append(slices.Clone(lines), rec(2, "cy"))...)
	w.tomb(now, lines, 0)
	b, c := w.put("b.jsonl", lines[1]), w.put("c.jsonl", lines[0])
	w.whole(b)
	w.whole(c)
	holds := true
	w.held = func(_ context.Context, _ *manifest.Target, at *connectors.Object, whole bool) error {
		if holds && whole && at != nil && strings.Contains(read(t, w.lake, at.Ref), "bob") {
			return fmt.Errorf("hold 3: %w", connectors.ErrHeld)
		}
		return nil
	}
	out := w.mustErase()
	replaced := "a.jsonl delete_version " + now.Version
	states(t, out, map[string]journal.State{
		"a.jsonl replace " + now.Version: journal.Done, replaced: journal.Held, "a.jsonl delete_version " + old.Version: journal.Held,
		"b.jsonl delete " + b.Version: journal.Held, "b.jsonl delete_version " + b.Version: journal.Blocked,
		"c.jsonl delete " + c.Version: journal.Done, "c.jsonl delete_version " + c.Version: journal.Done,
	})
	if e := out[replaced]; e.Code != journal.LegalHold {
		t.Errorf("it is held under code %q", e.Code)
	}
	check(t, state(t, w.lake), map[string]string{
		"a.jsonl": text([]string{lines[1], rec(2, "cy")}), "a.jsonl " + now.Version: text([]string{lines[0], lines[1], rec(2, "cy")}), "a.jsonl " + old.Version: text(lines),
		"b.jsonl": text(lines[1:]), "c.jsonl " + marker(t, w.lake, "c.jsonl"): "(marker)",
	})
	holds = false
	for name, e := range w.mustErase() {
		if !e.State.Final() {
			t.Errorf("the hold is removed, and %s is %s", name, e.State)
		}
	}
}

// marker is the version of a key's delete marker.
func marker(t *testing.T, s *mem.Store, key string) string {
	t.Helper()
	for v, err := range s.Versions(t.Context(), key) {
		if err == nil && v.Key == key && v.Deleted {
			return v.Version
		}
	}
	return ""
}

// A hold on one record keeps that record and nothing else; when it is removed, the
// same manifest erases it, too.
func TestHoldOnOneRecord(t *testing.T) {
	w := newWorld(t, true)
	lines := []string{rec(0, "ann"), rec(1, "bob"), rec(2, "ann")}
	old := w.put("a.jsonl", lines...)
	w.version(old, lines, 2)
	w.rows[0].Disposition = "EXCEPTED"
	rows := w.tomb(w.put("a.jsonl", lines...), lines, 0, 2)
	rows[1].Disposition = "EXCEPTED"
	w.mustErase()
	check(t, state(t, w.lake), map[string]string{"a.jsonl": text(lines[1:]), "a.jsonl " + old.Version: text(lines)})
	w.rows[0].Disposition, rows[1].Disposition = "PLANNED", "PLANNED"
	w.mustErase()
	check(t, state(t, w.lake), map[string]string{"a.jsonl": text(lines[1:2]), "a.jsonl " + old.Version: text(lines)})
	w.lost = 1 // record 0 stands in the old version, too, and no tombstone names it there
	w.mustErase()
	check(t, state(t, w.lake), map[string]string{"a.jsonl": text(lines[1:2])})
}

// stubborn is a Rewriter of a format that has no form for an object without records.
type stubborn struct{ jsonl.Scanner }

func (s stubborn) Rewrite(ctx context.Context, in scanners.Input, edits []scanners.Edit, spool io.Writer, check func(*scanners.Record) error) (scanners.Rewritten, error) {
	got, err := s.Scanner.Rewrite(ctx, in, edits, spool, check)
	if err == nil && got.Erased == got.Records {
		err = &scanners.Refusal{Code: scanners.Unsupported, Name: in.Name, Err: errors.New("nothing would be left")}
	}
	return got, err
}

// An object that goes since none of its records is left does not take others' records
// in its old versions with it.
func TestObjectThatIsEmptyNowHadOthersRecords(t *testing.T) {
	w := newWorld(t, true)
	w.scanner = stubborn{}
	lines := []string{rec(0, "ann"), rec(1, "bob")}
	sealed := w.put("a.jsonl", lines...)
	w.tomb(sealed, lines, 0)
	w.put("a.jsonl", lines[0]) // another writer has taken bob out since
	out := w.mustErase()
	if e := out["a.jsonl delete_version "+sealed.Version]; e.State != journal.Blocked || e.Lost != 1 {
		t.Errorf("the version that holds bob: %+v", e)
	}
	if got := state(t, w.lake)["a.jsonl "+sealed.Version]; got != text(lines) {
		t.Errorf("it holds %q", got)
	}
}

// liar is a Rewriter that does more than it was asked to.
type liar struct {
	jsonl.Scanner
	lie func(scanners.Rewritten) scanners.Rewritten
}

func (l liar) Rewrite(ctx context.Context, in scanners.Input, edits []scanners.Edit, spool io.Writer, check func(*scanners.Record) error) (scanners.Rewritten, error) {
	got, err := l.Scanner.Rewrite(ctx, in, edits, spool, check)
	if err != nil {
		return got, err
	}
	return l.lie(got), nil
}

// A rewriter that loses, keeps, moves or changes a record is caught before anything
// in the lake changes.
func TestRewriterThatLies(t *testing.T) {
	lines := []string{rec(0, "ann"), rec(1, "bob"), rec(2, "cys"), rec(3, "dan")}
	n := int64(len(lines[0]) + 1) // all are of one length
	for name, lie := range map[string]func(scanners.Rewritten) scanners.Rewritten{
		"loses a survivor": func(r scanners.Rewritten) scanners.Rewritten {
			r.Pieces = []scanners.Piece{{Off: n, Len: 2 * n}}
			return r
		},
		"keeps what must go": func(r scanners.Rewritten) scanners.Rewritten {
			r.Pieces = []scanners.Piece{{Off: 0, Len: 4 * n}}
			return r
		},
		"keeps another": func(r scanners.Rewritten) scanners.Rewritten {
			r.Pieces = []scanners.Piece{{Off: 0, Len: 3 * n}}
			return r
		},
		"swaps survivors": func(r scanners.Rewritten) scanners.Rewritten {
			r.Pieces = []scanners.Piece{{Off: 2 * n, Len: 2 * n}, {Off: n, Len: n}}
			return r
		},
		"cuts a record": func(r scanners.Rewritten) scanners.Rewritten {
			r.Pieces = []scanners.Piece{{Off: n, Len: 3*n - 3}}
			return r
		},
		"repeats a survivor": func(r scanners.Rewritten) scanners.Rewritten {
			r.Pieces = []scanners.Piece{{Off: n, Len: 3 * n}, {Off: n, Len: n}}
			return r
		},
		"miscounts": func(r scanners.Rewritten) scanners.Rewritten { r.Erased++; return r },
		"reads past the end": func(r scanners.Rewritten) scanners.Rewritten {
			r.Pieces = []scanners.Piece{{Off: n, Len: 4 * n}}
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, false)
			w.scanner = liar{lie: lie}
			w.tomb(w.put("a.jsonl", lines...), lines, 0)
			out, err := w.erase(w.lake, w.work)
			if err == nil && out["a.jsonl replace "].State != journal.Refused {
				t.Errorf("state %q: %s", out["a.jsonl replace "].State, out["a.jsonl replace "].Reason)
			}
			check(t, state(t, w.lake), map[string]string{"a.jsonl": text(lines)})
		})
	}
}

// crashWorld is a lake in which everything happens: records, whole objects, versions,
// drift, redaction, mentions.
func crashWorld(t *testing.T) *world {
	w := newWorld(t, true)
	w.dataset.Search = true
	v1 := []string{rec(0, "ann"), rec(1, "bob")}
	v2 := []string{rec(0, "ann"), rec(1, "bob"), rec(2, "ann")}
	w.version(w.put("a.jsonl", v1...), v1, 0)
	w.tomb(w.put("a.jsonl", v2...), v2, 0, 2)
	gone := []string{rec(0, "ann"), rec(5, "eve")} // 5 stands nowhere else, and may go
	w.version(w.put("a.jsonl.old", gone...), gone, 0)
	w.put("a.jsonl.old", rec(6, "flo"))
	w.lost = 1
	w.whole(w.put("b.jsonl", "x"))
	sealed := "sealed"
	w.whole(w.put("c+14045550123.jsonl", "x")).ObjectSealed = &sealed
	w.tomb(w.put("d.jsonl", v2...), v2, 0, 2)
	w.put("d.jsonl", rec(7, "new"), rec(2, "ann"), rec(1, "bob")) // drift
	w.tomb(w.put("e.jsonl", v2...), v2, 2)[0].Action = "redact"
	w.mention(w.put("f.jsonl", v2...), v2, "R-2", 1)
	w.lake.Begin("a.jsonl", searched.Add(-time.Hour), []byte("x"))
	w.lake.Begin("a.jsonl", searched.Add(-48*time.Hour))
	w.lake.Begin("a.jsonl.bak", searched.Add(-time.Hour))
	w.lake.Begin("e.jsonl", searched.Add(time.Hour))
	return w
}

// finals are the states of outcomes, by what they are about.
func finals(out map[string]journal.Entry) map[string]journal.State {
	states := map[string]journal.State{}
	for name, e := range out {
		states[name] = e.State
	}
	return states
}

// remembered are the contents of the whole objects that went, by what outcomes are about.
func remembered(out map[string]journal.Entry) map[string]string {
	contents := map[string]string{}
	for name, e := range out {
		if e.Content != "" {
			contents[name] = e.Content
		}
	}
	return contents
}

// losses are how many records went with old versions, by an approval.
func losses(out map[string]journal.Entry) int64 {
	var n int64
	for _, e := range out {
		if e.State.Final() && e.LostBy > 0 {
			n += e.Lost
		}
	}
	return n
}

// Killed at any operation of either store, before or after it took effect, and run
// again: the same end as undisturbed, and nothing half-written in between.
func TestKilledAnywhere(t *testing.T) {
	calm := crashWorld(t)
	all := calm.mustErase()
	outcomes, contents, lost := finals(all), remembered(all), losses(all)
	if lost != 1 {
		t.Fatalf("%d records are lost with old versions", lost)
	}
	want := state(t, calm.lake)
	for _, which := range []string{"lake", "work"} {
		for _, after := range []bool{false, true} {
			for n := 1; ; n++ {
				w := crashWorld(t)
				lake, work := fault.New(w.lake), fault.New(w.work)
				broken := lake
				if which == "work" {
					broken = work
				}
				broken.Plan = fault.At(n, fault.Fault{After: after, Stop: true})
				_, err := w.erase(lake.View(), work.View())
				if !broken.Stopped() {
					if n < 5 {
						t.Fatalf("only %d operations on the %s store", n-1, which)
					}
					break
				}
				if err == nil && broken.Ops() > n {
					t.Errorf("%s, operation %d: the erasure ends without an error", which, n)
				}
				out := w.mustErase()
				if got := finals(out); !maps.Equal(got, outcomes) || losses(out) != lost {
					t.Errorf("%s, killed at operation %d (%s, after %t): outcomes\n%q\nnot\n%q, %d records lost", which, n, broken.Lines()[n-1], after, got, outcomes, losses(out))
				}
				if got := remembered(out); !maps.Equal(got, contents) {
					t.Errorf("%s, killed at operation %d (%s, after %t): remembered are\n%q\nnot\n%q", which, n, broken.Lines()[n-1], after, got, contents)
				}
				if got := state(t, w.lake); !maps.Equal(got, want) {
					t.Fatalf("%s, killed at operation %d (%s, after %t): the lake holds\n%q\nnot\n%q", which, n, broken.Lines()[n-1], after, got, want)
				}
			}
		}
	}
}

// A failure that is no death: the store answers with an error once.
func TestStoreFailsOnce(t *testing.T) {
	calm := crashWorld(t)
	calm.mustErase()
	want := state(t, calm.lake)
	for _, fails := range []error{connectors.ErrTemporary, connectors.ErrChanged, errors.New("odd")} {
		for n := 1; ; n++ {
			w := crashWorld(t)
			lake := fault.New(w.lake)
			lake.Plan = fault.At(n, fault.Fault{Err: fails, After: n%2 == 0})
			_, _ = w.erase(lake.View(), w.work)
			if lake.Ops() < n {
				break
			}
			w.mustErase()
			if got := state(t, w.lake); !maps.Equal(got, want) {
				t.Fatalf("operation %d (%s) fails with %v: the lake holds\n%q\nnot\n%q", n, lake.Lines()[n-1], fails, got, want)
			}
		}
	}
}

// However many versions of a key go, they are listed as often, and what is current is read
// as often.
func TestManyVersionsAreListedOnce(t *testing.T) {
	cost := func(versions int) (listings, reads int) {
		w := newWorld(t, true)
		for i := range versions {
			old := []string{rec(0, "ann"), rec(1, "bob"), rec(10+i, "ann")}
			w.version(w.put("a.jsonl", old...), old, 0, 2)
		}
		now := []string{rec(0, "ann"), rec(1, "bob")}
		w.tomb(w.put("a.jsonl", now...), now, 0)
		lake := fault.New(w.lake)
		current := ""
		lake.Plan = func(op fault.Op) *fault.Fault {
			switch {
			case op.Kind == "versions":
				listings++
				for o, err := range w.lake.List(t.Context(), "a.jsonl") {
					if err != nil {
						t.Fatal(err)
					}
					current = o.Version
				}
			case op.Kind == "open" && op.Ref.Version == current:
				reads++
			}
			return nil
		}
		if _, err := w.erase(lake.View(), w.work); err != nil {
			t.Fatal(err)
		}
		check(t, state(t, w.lake), map[string]string{"a.jsonl": text([]string{rec(1, "bob")})})
		return listings, reads
	}
	few, fewReads := cost(2)
	many, manyReads := cost(30)
	if few == 0 || fewReads == 0 || many != few || manyReads != fewReads {
		t.Errorf("2 versions: %d listings, %d reads; 30 versions: %d and %d", few, fewReads, many, manyReads)
	}
}

// Another writer comes between the deletions of two older versions: the second is held
// against what is current by then.
func TestVersionsAreHeldAgainstWhatIsCurrentThen(t *testing.T) {
	w := newWorld(t, true)
	old := []string{rec(0, "ann"), rec(1, "bob")}
	w.version(w.put("a.jsonl", old...), old, 0)
	w.version(w.put("a.jsonl", old...), old, 0)
	w.put("a.jsonl", old[1])
	lake := fault.New(w.lake)
	deleted := 0
	lake.Plan = func(op fault.Op) *fault.Fault {
		if op.Kind == "delete" {
			if deleted++; deleted == 1 {
				w.put("a.jsonl", rec(2, "cy"))
			}
		}
		return nil
	}
	out, err := w.erase(lake.View(), w.work)
	if err != nil {
		t.Fatal(err)
	}
	blocked := 0
	for _, o := range out {
		if o.State == journal.Blocked && o.Lost == 1 {
			blocked++
		}
	}
	if blocked != 1 || deleted != 1 {
		t.Errorf("%d versions are blocked, %d deleted: %v", blocked, deleted, out)
	}
}
