package journal_test

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"expunge/connectors"
	"expunge/connectors/mem"
	"expunge/pipeline/journal"
	"expunge/pipeline/seal"
)

// Processes at once take no more than what is approved, together; each version counts
// once, however often it is tried; and what nobody loses needs no approval.
func TestSpend(t *testing.T) {
	keys, err := seal.Open(bytes.Repeat([]byte{4}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	work := mem.New("work", mem.Options{})
	const approved = 10
	var taken, refused atomic.Int64
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			j := &journal.Journal{Work: work, Keys: keys, Run: "r"}
			for range 2 { // again, as after a crash
				ok, err := j.Spend(t.Context(), "object", fmt.Sprint(i), 3, approved)
				switch {
				case err != nil:
					t.Error(err)
				case ok:
					taken.Add(3)
				default:
					refused.Add(1)
				}
			}
		})
	}
	group.Wait()
	if taken.Load() != 2*9 || refused.Load() != 2*13 {
		t.Errorf("%d taken, %d refused", taken.Load(), refused.Load())
	}
	j := &journal.Journal{Work: work, Keys: keys, Run: "r"}
	for _, c := range []struct {
		records, approved int64
		want              bool
	}{{0, 0, true}, {2, approved, false}, {1, approved, true}, {1, approved, true}, {5, 14, false}} {
		if ok, err := j.Spend(t.Context(), "other", fmt.Sprint(c.records), c.records, c.approved); err != nil || ok != c.want {
			t.Errorf("%+v: %v, %v", c, ok, err)
		}
	}

	// Who writes into the work store without the key cannot make room.
	key := "runs/r/versions-lost/1.json"
	body, err := connectors.ReadAll(t.Context(), work, key)
	if err != nil {
		t.Fatal(err)
	}
	for o, err := range work.List(t.Context(), key) {
		if err == nil {
			err = work.Delete(t.Context(), o.Ref)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := work.Create(t.Context(), key, bytes.NewReader(bytes.Replace(body, []byte(`: 3`), []byte(`: 0`), 1))); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Spend(t.Context(), "new", "v", 3, approved); err == nil {
		t.Error("a forged count is believed")
	}
}
