package certificate_test

import (
	"fmt"
	"testing"

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
