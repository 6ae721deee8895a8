package main

import (
	"testing"
	"time"

	"expunge/connectors"
	"expunge/pipeline"
)

// A version that the store locks is deferred, with its date; the current object is
// rewritten all the same, and the erasure goes on under the same approval.
func TestLockedVersion(t *testing.T) {
	for name, c := range map[string]struct {
		lock  connectors.LockError
		words []string
	}{
		"retention": {connectors.LockError{Mode: "COMPLIANCE", Until: time.Date(2033, 1, 2, 3, 4, 5, 0, time.UTC)},
			[]string{"COMPLIANCE retention until 2033-01-02T03:04:05Z", `"until":"2033-01-02T03:04:05Z"`, `"trigger":"when the retention has ended`}},
		"hold": {connectors.LockError{Hold: true}, []string{"a legal hold", `"trigger":"when the store's hold is lifted`}},
	} {
		t.Run(name, func(t *testing.T) {
			p := play(t, true)
			old := p.lake.Overwrite("calls/account=acme/1.jsonl", []byte(playedLine))
			p.lake.Lock(old.Key, &c.lock)
			run, _ := p.run()
			for range 2 { // a second try is as good as the first
				if code := p.erase(run); code != exitIncomplete {
					t.Fatalf("erase: exit %d", code)
				}
				p.wants(pipeline.Blocked, c.words[0], "expunge erase "+run)
			}
			p.certificate("R-1/partial-1.json", append(c.words, `"complete":false`, `"BACKUP_DEFERRED":1`, `"state":"LOCKED"`, `"residue":0`)...)
			if got := p.holds(old.Key); got != playedLine[len(playedLine)/2:] {
				t.Errorf("the current object holds %q", got)
			}
			if err := p.app().run(t.Context(), &runOptions{workers: 2, lease: time.Minute}); err != nil {
				t.Error(err)
			}
			p.wants(pipeline.Blocked)

			p.lake.Lock(old.Key, nil)
			if code := p.erase(run); code != exitDone {
				t.Fatalf("erase after the lock: exit %d", code)
			}
			p.wants(pipeline.Completed)
			p.certificate("R-1.json", `"complete":true`, `"ERASED":1`)
			for v, err := range p.lake.Versions(t.Context(), old.Key) {
				if err != nil || v.Version == old.Version {
					t.Errorf("the locked version is still there, %v", err)
				}
			}
		})
	}
}
