package erase_test

import (
	"strings"
	"testing"
	"time"

	"expunge/connectors"
	"expunge/connectors/fault"
	"expunge/pipeline/journal"
)

const uploadsOf = "a.jsonl abort_uploads "

func uploadWorld(t *testing.T) *world {
	w := newWorld(t, false)
	lines := []string{rec(0, "ann"), rec(1, "bob")}
	w.tomb(w.put("a.jsonl", lines...), lines, 0)
	w.put("z.jsonl", lines...) // no tombstone names it
	return w
}

func TestUnfinishedUploadsGo(t *testing.T) {
	w := uploadWorld(t)
	before := searched.Add(-time.Hour)
	w.lake.Begin("a.jsonl", before, []byte("x"))
	w.lake.Begin("a.jsonl", before)
	for _, other := range []string{"a.jsonl.bak", "a.json", "z.jsonl"} {
		w.lake.Begin(other, before)
	}
	out := w.mustErase()
	states(t, out, map[string]journal.State{"a.jsonl replace ": journal.Done, uploadsOf: journal.Done})
	if n := out[uploadsOf].Uploads; n != 2 {
		t.Errorf("%d uploads are given up, not 2", n)
	}
	if all := w.lake.Begun(); len(all) != 3 || all[0].Key == "a.jsonl" || all[1].Key == "a.jsonl" || all[2].Key == "a.jsonl" {
		t.Errorf("left: %v", all)
	}
	if n := w.mustErase()[uploadsOf].Uploads; n != 2 {
		t.Errorf("a second try says that %d were given up", n)
	}
}

// What is younger than the search, or has got a part since, is new data.
func TestUploadsThatMayBeWrittenStay(t *testing.T) {
	w := uploadWorld(t)
	w.lake.Begin("a.jsonl", searched.Add(-time.Hour))
	w.lake.Begin("a.jsonl", searched.Add(time.Second))
	w.lake.Begin("a.jsonl", searched.Add(-time.Second), []byte("1"), []byte("2"))
	out := w.mustErase()
	states(t, out, map[string]journal.State{"a.jsonl replace ": journal.Done, uploadsOf: journal.Kept})
	if e := out[uploadsOf]; e.Uploads != 1 || !strings.HasSuffix(e.Reason, "left: 2") || len(w.lake.Begun()) != 2 {
		t.Errorf("%+v, left %v", e, w.lake.Begun())
	}
}

// Somebody goes on with an upload between the look at it and its end.
func TestUploadThatIsGoneOnWith(t *testing.T) {
	w := uploadWorld(t)
	u := w.lake.Begin("a.jsonl", searched.Add(-time.Hour))
	lake := fault.New(w.lake)
	lake.Plan = func(op fault.Op) *fault.Fault {
		if op.Kind == "replace" {
			w.lake.Write(u, searched.Add(time.Hour))
		}
		return nil
	}
	out, err := w.erase(lake.View(), w.work)
	if err != nil {
		t.Fatal(err)
	}
	if e := out[uploadsOf]; e.State != journal.Kept || e.Uploads != 0 || len(w.lake.Begun()) != 1 {
		t.Errorf("%+v, left %v", e, w.lake.Begun())
	}
}

func TestUploadsThatCannotBeListed(t *testing.T) {
	for fails, want := range map[error]journal.State{
		connectors.ErrDenied: journal.Refused, connectors.ErrUnsupported: journal.Kept, connectors.ErrTemporary: journal.Failed,
	} {
		w := uploadWorld(t)
		w.lake.Begin("a.jsonl", searched.Add(-time.Hour))
		lake := fault.New(w.lake)
		lake.Plan = func(op fault.Op) *fault.Fault {
			if op.Kind == "uploads" {
				return &fault.Fault{Err: fails}
			}
			return nil
		}
		out, err := w.erase(lake.View(), w.work)
		if err != nil {
			t.Fatal(err)
		}
		states(t, out, map[string]journal.State{"a.jsonl replace ": journal.Done, uploadsOf: want})
		states(t, w.mustErase(), map[string]journal.State{"a.jsonl replace ": journal.Done, uploadsOf: journal.Done}) // allowed by now
	}
}

// An object that could not be erased keeps its uploads: they are of one piece.
func TestUploadsWaitForTheirObject(t *testing.T) {
	w := newWorld(t, false)
	w.whole(w.put("a.jsonl", "x"))
	w.lake.Hold("a.jsonl", true)
	w.lake.Begin("a.jsonl", searched.Add(-time.Hour))
	states(t, w.mustErase(), map[string]journal.State{"a.jsonl delete ": journal.Held, uploadsOf: journal.Blocked})
	w.lake.Hold("a.jsonl", false)
	states(t, w.mustErase(), map[string]journal.State{"a.jsonl delete ": journal.Done, uploadsOf: journal.Done})
	if all := w.lake.Begun(); len(all) != 0 {
		t.Errorf("left: %v", all)
	}
}
