package journal_test

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"expunge/connectors"
	"expunge/connectors/mem"
	"expunge/pipeline/journal"
	"expunge/pipeline/seal"
)

// allow is one approval that all accounts take from.
func allow(n int64) journal.Allowance {
	return journal.Allowance{Approval: 1, Records: n, Shares: func(string) bool { return true }}
}

// lose is what a version of an object costs.
func lose(object, version string, records int64) journal.Spent {
	return journal.Spent{Object: object, ObjectVersion: version, Records: records}
}

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
				ok, err := j.Spend(t.Context(), lose("object", fmt.Sprint(i), 3), allow(approved))
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
		if ok, err := j.Spend(t.Context(), lose("other", fmt.Sprint(c.records), c.records), allow(c.approved)); err != nil || ok != c.want {
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
	if _, err := j.Spend(t.Context(), lose("new", "v", 3), allow(approved)); err == nil {
		t.Error("a forged count is believed")
	}
}

// What an approval lets go is taken by the accounts that it covers, and by nobody else; a
// version that costs more than before takes the rest in addition; and a later approval
// counts what the account has lost, but not what others have.
func TestSpendByAccount(t *testing.T) {
	keys, err := seal.Open(bytes.Repeat([]byte{4}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	j := &journal.Journal{Work: mem.New("work", mem.Options{}), Keys: keys, Run: "r"}
	by := func(approval int, records int64, accounts ...string) journal.Allowance {
		return journal.Allowance{Approval: approval, Records: records, Shares: func(account string) bool { return slices.Contains(accounts, account) }}
	}
	for i, c := range []struct {
		account, version string
		records          int64
		a                journal.Allowance
		want             bool
	}{
		{"acme", "1", 1, journal.Allowance{}, false}, // nothing is approved
		{"acme", "1", 2, by(1, 3, "acme", "globex"), true},
		{"globex", "2", 2, by(1, 3, "acme", "globex"), false}, // one is left
		{"globex", "2", 1, by(1, 3, "acme", "globex"), true},
		{"acme", "1", 3, by(1, 3, "acme", "globex"), false}, // it costs more by now
		{"acme", "1", 3, by(2, 3, "acme"), true},
		{"acme", "3", 1, by(2, 3, "acme"), false},
		{"globex", "4", 1, by(1, 4, "globex"), true}, // two of acme's were taken from approval 1
		{"globex", "5", 1, by(1, 4, "globex"), false},
		{"acme", "1", 3, by(3, 2, "acme"), false}, // lowered
		{"acme", "1", 1, by(3, 2, "acme"), false}, // and taken already
		{"acme", "1", 0, by(3, 0, "acme"), true},  // nothing is lost
		{"globex", "2", 1, by(1, 4, "globex"), true},
		{"globex", "2", 1, journal.Allowance{}, false}, // who took the approval away
	} {
		want := lose("object", c.version, c.records)
		want.Account = c.account
		if ok, err := j.Spend(t.Context(), want, c.a); err != nil || ok != c.want {
			t.Errorf("%d: %v, %v", i, ok, err)
		}
	}
	if n, approval, err := j.Counted(t.Context(), "object", "1"); n != 3 || approval != 2 || err != nil {
		t.Errorf("%d records, approval %d: %v", n, approval, err)
	}
}
