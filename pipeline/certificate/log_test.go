package certificate_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"expunge/connectors"
	"expunge/connectors/count"
	"expunge/connectors/mem"
	"expunge/pipeline/certificate"
)

// TestLogIsReadOnce: with one log a certificate costs as many calls as the one before,
// however many there are.
func TestLogIsReadOnce(t *testing.T) {
	s, _ := pair(t, 1, "nightly")
	work := mem.New("work", mem.Options{})
	for n := range 50 {
		issue(t, work, n, s)
	}
	calls := &count.Calls{}
	log := &certificate.Log{Work: count.New(work, calls)}
	var before count.Counts
	for n := range 50 {
		if _, err := certificate.Issue(t.Context(), log, body(50+n), s); err != nil {
			t.Fatal(err)
		}
		now := calls.Counts()
		if lists, reads := now.Lists-before.Lists, now.Opens-before.Opens; n > 0 && (lists > 1 || reads > 2) { // of the request alone
			t.Fatalf("certificate %d took %d lists and %d reads", n, lists, reads)
		}
		before = now
	}
}

// TestLogsOfTwoWriters: two writers that each know what they have read take turns; and
// one meets what the other has added for it meanwhile.
func TestLogsOfTwoWriters(t *testing.T) {
	s, v := pair(t, 1, "nightly")
	work := mem.New("work", mem.Options{})
	logs := []*certificate.Log{{Work: work}, {Work: work}}
	for n := range 30 {
		if _, err := certificate.Issue(t.Context(), logs[n*n%7%2], body(n), s); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 30 {
		c, _, err := certificate.Verify(issue(t, work, n, s), v)
		if err != nil || c.Log.N != int64(n) {
			t.Fatalf("certificate %d is at place %d: %v", n, c.Log.N, err)
		}
		if err := logs[n%2].Check(t.Context(), c.Log); err != nil {
			t.Errorf("certificate %d: %v", n, err)
		}
	}
	for n := range 4 { // each is added by both, the second time by whom does not know of it
		name, text := fmt.Sprintf("certificates/acme/S-%d.json", n), []byte(fmt.Sprint(n))
		one, err := logs[n%2].Append(t.Context(), name, text, s)
		if err != nil {
			t.Fatal(err)
		}
		two, err := logs[1-n%2].Append(t.Context(), name, text, s)
		if err != nil || one.N != two.N || one.Root != two.Root || one.N != int64(30+n) {
			t.Errorf("the same at places %d and %d: %v", one.N, two.N, err)
		}
	}
}

// A log that has read a leaf before still sees that it is gone.
func TestCheckReadsAnew(t *testing.T) {
	s, _ := pair(t, 1, "nightly")
	work := mem.New("work", mem.Options{})
	log := &certificate.Log{Work: work}
	var last certificate.Proof
	for n := range 5 {
		var err error
		if last, err = log.Append(t.Context(), fmt.Sprint(n), []byte(fmt.Sprint(n)), s); err != nil {
			t.Fatal(err)
		}
	}
	for o, err := range work.List(t.Context(), "certificate-log/2.json") {
		if err != nil {
			t.Fatal(err)
		}
		if err := work.Delete(t.Context(), o.Ref); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Check(t.Context(), last); err == nil {
		t.Error("a leaf is missing, and nobody says so")
	}
}

// TestReady: a log from which any one leaf was lost, or whose hashes were changed, is
// either told before a certificate is added, or that certificate is proved as it would be
// by the whole log.
func TestReady(t *testing.T) {
	s, _ := pair(t, 1, "nightly")
	add := func(work connectors.Store, n int) (tlog.Hash, error) {
		_, err := certificate.Issue(t.Context(), &certificate.Log{Work: work}, body(n), s)
		if err != nil {
			return tlog.Hash{}, err
		}
		raw, err := connectors.ReadAll(t.Context(), work, fmt.Sprintf("certificates/%s.json", body(n).Request))
		if err != nil {
			return tlog.Hash{}, err
		}
		c, _, err := certificate.Parse(raw)
		return c.Log.Root, err
	}
	told := 0
	for size := 1; size < 9; size++ {
		build := func() *mem.Store {
			work := mem.New("work", mem.Options{})
			for n := range size {
				if _, err := add(work, n); err != nil {
					t.Fatal(err)
				}
			}
			if err := (&certificate.Log{Work: work}).Ready(t.Context()); err != nil {
				t.Fatalf("%d leaves: %v", size, err)
			}
			return work
		}
		want, err := add(build(), size)
		if err != nil {
			t.Fatal(err)
		}
		for leaf := range size {
			for _, lose := range []bool{true, false} {
				work := build()
				key := fmt.Sprintf("certificate-log/%d.json", leaf)
				raw, err := connectors.ReadAll(t.Context(), work, key)
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
				if lose && leaf == size-1 {
					continue // a shorter log; the certificate that was in its last place tells
				}
				if !lose {
					var f map[string]any
					if err := json.Unmarshal(raw, &f); err != nil {
						t.Fatal(err)
					}
					for i := range f["hashes"].([]any) {
						f["hashes"].([]any)[i] = tlog.RecordHash([]byte("another")).String()
					}
					if raw, err = json.Marshal(f); err != nil {
						t.Fatal(err)
					}
					if _, err := work.Create(t.Context(), key, bytes.NewReader(raw)); err != nil {
						t.Fatal(err)
					}
				}
				if err := (&certificate.Log{Work: work}).Ready(t.Context()); err != nil {
					if !errors.Is(err, certificate.ErrInvalid) {
						t.Errorf("leaf %d of %d: %v", leaf, size, err)
					}
					told++
					continue
				}
				if root, err := add(work, size); err != nil || root != want {
					t.Errorf("leaf %d of %d (lost %t) is not missed, and the next certificate has the root %v, not %v: %v", leaf, size, lose, root, want, err)
				}
			}
		}
	}
	if told == 0 {
		t.Error("nothing was told")
	}
}
