package scan

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// However many units ask, one at a time holds large records; who asks for none waits
// for nobody, and who asks twice not for itself.
func TestRoom(t *testing.T) {
	var s Scan
	var inside, most atomic.Int32
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			r := &room{large: &s.large}
			defer r.giveBack()
			for range 2 {
				if err := r.take(); err != nil {
					t.Error(err)
				}
			}
			most.Store(max(most.Load(), inside.Add(1)))
			time.Sleep(time.Millisecond)
			inside.Add(-1)
		})
	}
	(&room{large: &s.large}).giveBack()
	group.Wait()
	if most.Load() != 1 || !s.large.TryLock() {
		t.Errorf("%d at once, or one has not given back", most.Load())
	}
}
