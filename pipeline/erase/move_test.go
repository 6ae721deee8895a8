package erase_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"expunge/connectors"
	"expunge/connectors/fault"
	"expunge/pipeline"
	"expunge/pipeline/erase"
	"expunge/pipeline/journal"
	"expunge/pipeline/manifest"
)

// annsKey names Ann.
const annsKey = "threads/ann@example.com.jsonl"

// nobodys is a record that names nobody.
const nobodys = `{"id":7}`

// named asks for an object since its key names Ann.
func (w *world) named(o connectors.Object) *manifest.Row {
	r := w.row(o, "R-1", "t-key-"+o.Key+o.Version)
	sealed := "sealed"
	r.Action, r.ObjectSealed, r.Kinds, r.MatchedFields = "erase_object", &sealed, []string{"email"}, []string{"(key)"}
	w.rows = append(w.rows, r)
	return r
}

// namedVersion is the same of an older version.
func (w *world) namedVersion(o connectors.Object) {
	w.named(o).Action = "delete_version"
}

// keyed is a world whose records say by their field "email" whose they are.
func keyed(t *testing.T, versions bool) *world {
	w := newWorld(t, versions)
	w.dataset.Fields = []pipeline.Field{{Path: "email", Kind: pipeline.Email}}
	w.dataset.Time = "at"
	return w
}

// redacted stands in for the names of the lake: a key for each content.
func (w *world) redacted(t *manifest.Target, content string) (key, url, id string, err error) {
	if strings.Contains(t.Key, "unnameable") {
		return "", "", "", erase.ErrNoKey
	}
	key = "threads/redacted" + w.workKey + content[:8] + ".jsonl"
	return key, "mem://lake/" + key, "id of " + key, nil
}

// to is where what stays of lines moves.
func to(t *testing.T, lines ...string) string {
	w := keyed(t, false)
	w.named(w.put(annsKey, append(lines, nobodys)...))
	return w.mustErase()[annsKey+" move "].To
}

func TestWhatStaysMoves(t *testing.T) {
	lines := []string{rec(0, "ann"), rec(1, "bob"), nobodys, rec(3, "cy")}
	stays := []string{rec(1, "bob"), rec(3, "cy")}
	for _, versions := range []bool{false, true} {
		w := keyed(t, versions)
		o := w.put(annsKey, lines...)
		w.lake.SetMeta(annsKey, map[string]string{"owner": "loader"})
		w.named(o)
		w.tomb(o, lines, 0)[0].ObjectSealed = w.rows[0].ObjectSealed
		w.put(annsKey+".bak", "sibling")
		out := w.mustErase()
		e := out[annsKey+" move "+o.Version]
		check(t, state(t, w.lake), map[string]string{e.To: text(stays), annsKey + ".bak": "sibling\n"})
		if e.State != journal.Done || e.Records != 4 || e.Erased != 2 || e.NewETag == "" || e.ToObject != "mem://lake/"+e.To || e.ToID != "id of "+e.To {
			t.Errorf("outcome %+v", e)
		}
		if got := w.lake.Meta(e.To); !maps.Equal(got, map[string]string{"owner": "loader"}) {
			t.Errorf("beside it stands %q", got)
		}
		again := w.mustErase()
		if !maps.Equal(finals(again), finals(out)) {
			t.Errorf("again: %q, not %q", finals(again), finals(out))
		}
		for name, e := range again {
			if !e.State.Final() {
				t.Errorf("%s: %s %s", name, e.State, e.Reason)
			}
		}
		check(t, state(t, w.lake), map[string]string{e.To: text(stays), annsKey + ".bak": "sibling\n"})
	}
}

// Which records go with a key that names the consumer, and what becomes of the object.
func TestWhatGoesWithTheKey(t *testing.T) {
	late, early := `{"id":9,"at":"2026-06-01T00:00:00Z"}`, `{"id":9,"at":"2025-06-01T00:00:00Z"}`
	for name, c := range map[string]struct {
		lines []string
		rows  []int64
		set   func(w *world)
		stays []string // nil: all goes
	}{
		"nobody else's":              {lines: []string{rec(0, "ann"), nobodys}, rows: []int64{0}},
		"nothing":                    {},
		"all are asked for":          {lines: []string{rec(0, "ann"), rec(1, "bob")}, rows: []int64{0, 1}},
		"another's":                  {lines: []string{nobodys, rec(1, "bob")}, stays: []string{rec(1, "bob")}},
		"hers, after the cut-off":    {lines: []string{early, late}, stays: []string{late}},
		"what a person excluded":     {lines: []string{nobodys, `{"id":8}`}, set: func(w *world) { w.excluded = nobodys }, stays: []string{nobodys}},
		"hers by what stands beside": {lines: []string{rec(1, "also-ann")}},
		"another's beside hers": {lines: []string{`{"id":1,"email":"also-ann@example.com","user":"u-77"}`}, set: func(w *world) {
			w.dataset.Fields = append(w.dataset.Fields, pipeline.Field{Path: "user", Kind: pipeline.User})
		}, stays: []string{`{"id":1,"email":"also-ann@example.com","user":"u-77"}`}},
		"another's in no such field":   {lines: []string{`{"id":1,"note":"bob@example.com"}`}},
		"the other side's":             {lines: []string{`{"email":"jo@example.com","from":"us"}`}, set: byRole},
		"one side's or the other's":    {lines: []string{nobodys, `{"email":"jo@example.com"}`}, set: byRole, stays: []string{`{"email":"jo@example.com"}`}},
		"redacted, and redacted alone": {lines: []string{nobodys, rec(1, "bob")}, set: func(w *world) { w.dataset.Erase = pipeline.Erasure{Action: pipeline.Redact} }, stays: []string{`{"id":null}`, rec(1, "bob")}},
		"the object is the consumer's": {lines: []string{rec(1, "bob")}, set: func(w *world) { w.dataset.Erase.Action = pipeline.EraseObject }},
		"a call is named beside her":   {lines: []string{rec(1, "bob")}, set: func(w *world) { w.rows[0].Kinds = []string{"call_id", "email"} }},
		"a call is named, too": {lines: []string{rec(1, "bob")}, set: func(w *world) {
			r := *w.rows[0]
			r.Tombstone, r.Kinds = "t-2", []string{"call_id"}
			w.rows = append(w.rows, &r)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := keyed(t, true)
			o := w.put(annsKey, c.lines...)
			w.named(o)
			w.tomb(o, c.lines, c.rows...)
			for _, r := range w.rows {
				r.ObjectSealed = w.rows[0].ObjectSealed
			}
			if c.set != nil {
				c.set(w)
			}
			out := w.mustErase()
			want := map[string]string{}
			if c.stays != nil {
				want[out[annsKey+" move "+o.Version].To] = text(c.stays)
			}
			check(t, state(t, w.lake), want)
		})
	}
}

// byRole lets the field "from" say whether an address is the consumer's.
func byRole(w *world) {
	w.dataset.Fields[0].When = &pipeline.When{Field: "from", Is: []string{"them"}, IsNot: []string{"us"}}
}

func TestMovesThatCannotBe(t *testing.T) {
	lines := []string{nobodys, rec(1, "bob")}
	t.Run("no key", func(t *testing.T) {
		w := keyed(t, false)
		w.named(w.put("unnameable.jsonl", lines...))
		out := w.mustErase()
		if e := out["unnameable.jsonl move "]; e.State != journal.Refused || !strings.Contains(e.Reason, "erase_object") {
			t.Errorf("outcome %+v", e)
		}
		check(t, state(t, w.lake), map[string]string{"unnameable.jsonl": text(lines)})
	})
	t.Run("an exception inside", func(t *testing.T) {
		w := keyed(t, false)
		o := w.put(annsKey, lines...)
		w.named(o)
		w.tomb(o, lines, 1)[0].Disposition = "EXCEPTED"
		states(t, w.mustErase(), map[string]journal.State{annsKey + " delete ": journal.Refused, annsKey + " delete_markers ": journal.Blocked})
		check(t, state(t, w.lake), map[string]string{annsKey: text(lines)})
	})
	t.Run("another object is there", func(t *testing.T) {
		there := to(t, rec(1, "bob"))
		w := keyed(t, true)
		w.put(there, "theirs")
		o := w.put(annsKey, lines...)
		w.named(o)
		out := w.mustErase()
		if e := out[annsKey+" move "+o.Version]; e.State != journal.Conflict || !strings.Contains(e.Reason, "mem://lake/"+there) {
			t.Errorf("outcome %+v", e)
		}
		check(t, state(t, w.lake), map[string]string{there: "theirs\n", annsKey: text(lines)})
	})
	t.Run("another object of that size is there", func(t *testing.T) {
		there := to(t, rec(1, "bob"))
		w := keyed(t, true)
		w.put(there, rec(1, "eve"))
		o := w.put(annsKey, lines...)
		w.named(o)
		if e := w.mustErase()[annsKey+" move "+o.Version]; e.State != journal.Conflict {
			t.Errorf("outcome %+v", e)
		}
		check(t, state(t, w.lake), map[string]string{there: text([]string{rec(1, "eve")}), annsKey: text(lines)})
	})
	t.Run("the same bytes are there", func(t *testing.T) {
		there := to(t, rec(1, "bob"))
		w := keyed(t, true)
		w.put(there, rec(1, "bob"))
		w.named(w.put(annsKey, lines...))
		w.mustErase()
		check(t, state(t, w.lake), map[string]string{there: text([]string{rec(1, "bob")})})
	})
	t.Run("a hold of the store", func(t *testing.T) {
		w := keyed(t, false)
		w.named(w.put(annsKey, lines...))
		w.lake.Hold(annsKey, true)
		states(t, w.mustErase(), map[string]journal.State{annsKey + " move ": journal.Held, annsKey + " delete_markers ": journal.Blocked})
		check(t, state(t, w.lake), map[string]string{annsKey: text(lines)})
		w.lake.Hold(annsKey, false)
		out := w.mustErase()
		check(t, state(t, w.lake), map[string]string{out[annsKey+" move "].To: text(lines[1:])})
	})
}

// Records that are gone from a key that names somebody else may have moved with what
// stayed of it, by another run: they are not known to be gone. That the object itself is
// gone is enough for whom it names.
func TestRecordsThatMayHaveMoved(t *testing.T) {
	lines := []string{rec(0, "ann"), rec(1, "bob")}
	for _, now := range [][]string{nil, {rec(2, "cy")}} {
		for object, want := range map[string]journal.State{"user": journal.Conflict, "": journal.Gone} {
			w := keyed(t, false)
			if object != "" {
				w.dataset.Object = map[string]pipeline.Field{object: {Kind: pipeline.Email}}
			}
			o := w.put(annsKey, lines...)
			sealed := "sealed"
			w.tomb(o, lines, 1)[0].ObjectSealed = &sealed
			if now != nil {
				w.put(annsKey, now...)
			} else if err := w.lake.Delete(t.Context(), o.Ref); err != nil {
				t.Fatal(err)
			}
			if e := w.mustErase()[annsKey+" replace "]; e.State != want {
				t.Errorf("%q, keys declared %q: %s %s, want %s", now, object, e.State, e.Reason, want)
			}
		}
	}
	w := keyed(t, false)
	w.dataset.Object = map[string]pipeline.Field{"user": {Kind: pipeline.Email}}
	o := w.put(annsKey, lines...)
	w.named(o)
	w.tomb(o, lines, 0)[0].ObjectSealed = w.rows[0].ObjectSealed
	if err := w.lake.Delete(t.Context(), o.Ref); err != nil {
		t.Fatal(err)
	}
	if e := w.mustErase()[annsKey+" delete "]; e.State != journal.Gone {
		t.Errorf("the object is gone: %+v", e)
	}
}

// What was begun under an older work key is ended under the key that it has then.
func TestMoveGoesOnUnderANewWorkKey(t *testing.T) {
	w := keyed(t, true)
	o := w.put(annsKey, nobodys, rec(1, "bob"))
	w.named(o)
	lake := fault.New(w.lake)
	lake.Plan = func(op fault.Op) *fault.Fault {
		if op.Kind == "delete" {
			return &fault.Fault{Stop: true}
		}
		return nil
	}
	if _, err := w.erase(lake.View(), w.work); err == nil {
		t.Fatal("nothing was deleted, and nothing is wrong")
	}
	begun := to(t, rec(1, "bob"))
	w.workKey = "new"
	if e := w.mustErase()[annsKey+" move "+o.Version]; e.State != journal.Done || e.To != begun {
		t.Errorf("outcome %+v", e)
	}
	check(t, state(t, w.lake), map[string]string{begun: text([]string{rec(1, "bob")})})
}

// Older versions of the key go, but not with records of others that stand nowhere else;
// the markers go once no version is left.
func TestOldVersionsOfAKeyThatNames(t *testing.T) {
	w := keyed(t, true)
	v1 := []string{nobodys, rec(1, "bob")}
	v2 := []string{nobodys, rec(1, "bob"), rec(2, "eve")} // Eve stands nowhere else
	v3 := []string{rec(0, "ann"), rec(1, "bob")}
	w.namedVersion(w.put(annsKey, v1...))
	old := w.put(annsKey, v2...)
	w.namedVersion(old)
	o := w.put(annsKey, v3...)
	w.named(o)
	w.tomb(o, v3, 0)[0].ObjectSealed = w.rows[0].ObjectSealed
	out := w.mustErase()
	if e := out[annsKey+" delete_version "+old.Version]; e.State != journal.Blocked || e.Lost != 1 {
		t.Errorf("a version with a survivor of its own: %+v", e)
	}
	if e := out[annsKey+" delete_markers "]; e.State != journal.Blocked {
		t.Errorf("markers: %+v", e)
	}
	moved := out[annsKey+" move "+o.Version].To
	got := state(t, w.lake)
	if got[moved] != text(v3[1:]) || got[annsKey+" "+old.Version] != text(v2) || len(got) != 3 {
		t.Errorf("the lake holds %q", got)
	}
	w.lost = 1
	for name, e := range w.mustErase() {
		if !e.State.Final() {
			t.Errorf("%s: %s %s", name, e.State, e.Reason)
		}
	}
	check(t, state(t, w.lake), map[string]string{moved: text(v3[1:])})
}

// A key that names somebody, of which older versions alone are left, keeps no marker
// either; where versions are left that nobody asked for, it stays as it is.
func TestMarkersOfAKeyThatIsGone(t *testing.T) {
	for _, others := range []bool{false, true} {
		w := keyed(t, true)
		lines := []string{rec(0, "ann")}
		var first connectors.Object
		if others {
			first = w.put(annsKey, rec(5, "eve"))
		}
		o := w.put(annsKey, lines...)
		if err := w.lake.Delete(t.Context(), connectors.Ref{Key: annsKey, ETag: o.ETag}); err != nil {
			t.Fatal(err)
		}
		w.version(o, lines, 0)
		sealed := "sealed"
		w.rows[0].ObjectSealed = &sealed
		out := w.mustErase()
		got := slices.Sorted(maps.Keys(state(t, w.lake)))
		if others {
			if e := out[annsKey+" delete_markers "]; e.State != journal.Kept || len(got) != 2 || got[0] != annsKey+" "+first.Version {
				t.Errorf("markers: %+v; left: %q", e, got)
			}
		} else if len(got) > 0 {
			t.Errorf("left: %q", got)
		}
	}
}

func TestPolicyKeepsOldVersionsOfAKeyThatNames(t *testing.T) {
	w := keyed(t, true)
	o := w.put(annsKey, nobodys, rec(1, "bob"))
	w.named(o)
	w.keepOld = true
	states(t, w.mustErase(), map[string]journal.State{annsKey + " move " + o.Version: journal.Done, annsKey + " delete_version " + o.Version: journal.Kept, annsKey + " delete_markers ": journal.Kept})
}

// Another writer comes between the copy and the deletion. Nothing of its is lost, and
// no record stands twice if it stands under the old key all the same.
func TestAnotherWriterDuringAMove(t *testing.T) {
	lines := []string{rec(0, "ann"), rec(1, "bob")}
	moved := to(t, rec(1, "bob"))
	for name, c := range map[string]struct {
		kind string // of the operation that it comes before
		now  []string
		want map[string]string
		last journal.State // of the next try
	}{
		"it adds a record":           {"delete", []string{rec(0, "ann"), rec(1, "bob"), rec(2, "cy")}, map[string]string{annsKey: text([]string{rec(0, "ann"), rec(1, "bob"), rec(2, "cy")})}, journal.Conflict},
		"it takes bob out":           {"delete", []string{rec(0, "ann")}, map[string]string{annsKey: text(lines[:1]), moved: text(lines[1:])}, journal.Conflict},
		"it comes before the copy":   {"create", []string{rec(5, "eve")}, map[string]string{annsKey: text([]string{rec(5, "eve")})}, journal.Conflict},
		"it deletes the object":      {"delete", nil, map[string]string{moved: text(lines[1:])}, journal.Done},
		"it deletes before the copy": {"create", nil, map[string]string{}, journal.Gone},
	} {
		for _, versions := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				w := keyed(t, versions)
				o := w.put(annsKey, lines...)
				w.named(o)
				w.tomb(o, lines, 0)[0].ObjectSealed = w.rows[0].ObjectSealed
				lake := fault.New(w.lake)
				lake.Plan = func(op fault.Op) *fault.Fault {
					if op.Kind == c.kind && (op.Key == annsKey || op.Key == moved) && w.tries == 1 {
						lake.Plan = nil
						if c.now != nil {
							w.put(annsKey, c.now...)
						} else if err := w.lake.Delete(t.Context(), connectors.Ref{Key: annsKey, ETag: o.ETag}); err != nil {
							t.Error(err)
						}
					}
					return nil
				}
				if _, err := w.erase(lake.View(), w.work); err != nil {
					t.Fatal(err)
				}
				w.lost = 100
				out := w.mustErase()
				got := finals(out)
				if got[annsKey+" move "+o.Version] != c.last && got[annsKey+" delete "+o.Version] != c.last {
					t.Errorf("outcomes %q", got)
				}
				now := state(t, w.lake)
				maps.DeleteFunc(now, func(name, _ string) bool { return strings.Contains(name, " ") }) // what is current
				check(t, now, c.want)
			})
		}
	}
}

// What a killed try has written under the redacted key is looked at again before the old
// key goes: a directory keeps no version that could be gone back to.
func TestWhatWasBegunIsTakenAway(t *testing.T) {
	w := keyed(t, false)
	lines := []string{nobodys, rec(1, "bob")}
	w.named(w.put(annsKey, lines...))
	moved := to(t, rec(1, "bob"))
	for _, kill := range []bool{true, false} {
		lake, looks := fault.New(w.lake), 0
		lake.Plan = func(op fault.Op) *fault.Fault {
			if kill && op.Kind == "delete" {
				return &fault.Fault{Stop: true}
			}
			if op.Text == "list "+moved {
				if looks++; !kill && looks == 2 { // after it was read, and before the old key goes
					w.lake.Overwrite(moved, []byte("theirs"))
				}
			}
			return nil
		}
		if _, err := w.erase(lake.View(), w.work); (err != nil) != kill {
			t.Fatal(err)
		}
		if !kill && looks < 2 {
			t.Fatal("nobody has looked: the test proves nothing")
		}
	}
	check(t, state(t, w.lake), map[string]string{annsKey: text(lines), moved: "theirs"})
}

// The version that was moved goes only while what stays of it stands where it has moved.
func TestWhatHasMovedIsTakenAway(t *testing.T) {
	w := keyed(t, true)
	o := w.put(annsKey, nobodys, rec(1, "bob"))
	w.named(o)
	lake := fault.New(w.lake)
	lake.Plan = func(op fault.Op) *fault.Fault {
		if op.Kind == "delete" && op.Key == annsKey { // ... which comes after the copy
			w.put(to(t, rec(1, "bob")), rec(5, "eve"))
		}
		return nil
	}
	out, err := w.erase(lake.View(), w.work)
	if err != nil {
		t.Fatal(err)
	}
	if e := out[annsKey+" delete_version "+o.Version]; e.State != journal.Blocked || e.Lost != 1 {
		t.Errorf("the version that holds bob: %+v", e)
	}
	if got := state(t, w.lake)[annsKey+" "+o.Version]; got != text([]string{nobodys, rec(1, "bob")}) {
		t.Errorf("it holds %q", got)
	}
}

// crashMoves is a lake of objects whose keys name the consumer.
func crashMoves(t *testing.T) *world {
	w := keyed(t, true)
	v1 := []string{nobodys, rec(1, "bob")}
	v2 := []string{rec(0, "ann"), rec(1, "bob"), rec(2, "ann")}
	w.namedVersion(w.put(annsKey, v1...))
	o := w.put(annsKey, v2...)
	w.named(o)
	w.tomb(o, v2, 0, 2)
	w.named(w.put("all/ann@example.com.jsonl", nobodys))
	w.named(w.put("twice/ann@example.com.jsonl", nobodys, rec(8, "cy"))) // ... and it is there already
	w.put(to(t, rec(8, "cy")), rec(8, "cy"))
	w.lake.Begin(annsKey, searched.Add(-time.Hour), []byte("x"))
	for _, r := range w.rows {
		r.ObjectSealed = w.rows[0].ObjectSealed
	}
	return w
}

// Killed at any operation of either store, or with one that fails, and run again: the
// same end, and no moment without Bob's record.
func TestMoveKilledAnywhere(t *testing.T) {
	calm := crashMoves(t)
	outcomes := finals(calm.mustErase())
	want := state(t, calm.lake)
	for name, s := range outcomes {
		if !s.Final() {
			t.Fatalf("%s: %s", name, s)
		}
	}
	if len(want) != 2 {
		t.Fatalf("the lake holds %q", want)
	}
	tried := 0
	for _, which := range []string{"lake", "work"} {
		for _, f := range []fault.Fault{{Stop: true}, {Stop: true, After: true}, {Err: connectors.ErrTemporary}, {Err: connectors.ErrTemporary, After: true}, {Err: connectors.ErrChanged}, {Err: errors.New("odd"), After: true}} {
			for n := 1; ; n++ {
				w := crashMoves(t)
				lake, work := fault.New(w.lake), fault.New(w.work)
				broken := lake
				if which == "work" {
					broken = work
				}
				broken.Plan = fault.At(n, f)
				_, _ = w.erase(lake.View(), work.View())
				if broken.Ops() < n {
					if n < 5 {
						t.Fatalf("only %d operations on the %s store", n-1, which)
					}
					break
				}
				tried++
				at := broken.Lines()[n-1]
				if held := strings.Join(slices.Collect(maps.Values(state(t, w.lake))), ""); !strings.Contains(held, "bob@") || !strings.Contains(held, "cy@") {
					t.Fatalf("%s, operation %d (%s, %+v): a survivor is lost", which, n, at, f)
				}
				if got := finals(w.mustErase()); f.Stop && !maps.Equal(got, outcomes) {
					t.Errorf("%s, operation %d (%s, %+v): outcomes\n%q\nnot\n%q", which, n, at, f, got, outcomes)
				}
				if got := state(t, w.lake); !maps.Equal(got, want) {
					t.Fatalf("%s, operation %d (%s, %+v): the lake holds\n%q\nnot\n%q", which, n, at, f, got, want)
				}
			}
		}
	}
	t.Logf("%d operations harmed", tried)
}
