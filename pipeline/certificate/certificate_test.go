package certificate_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"testing"

	"expunge/connectors"
	"expunge/connectors/mem"
	"expunge/pipeline"
	"expunge/pipeline/certificate"
)

func pair(t *testing.T, seed byte, name string) (*certificate.Signer, *certificate.Verifier) {
	t.Helper()
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	s, err := certificate.NewSigner(name, key)
	if err != nil {
		t.Fatal(err)
	}
	v, err := certificate.NewVerifier(name, key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return s, v
}

func body(n int) *certificate.Body {
	return &certificate.Body{
		Version: 1, Request: fmt.Sprintf("acme/R-%d", n), Account: "acme", Run: "r1", Approvals: []int{1},
		Dispositions: map[string]int64{"ERASED": 3}, Complete: true,
		Objects: []certificate.Object{{Dataset: "calls", Object: "file:///lake/a<b>.jsonl", ObjectID: "1", Act: "replace", ETagBefore: "e", RecordsBefore: 9, RecordsAfter: 6, Tombstones: 3, Disposition: pipeline.Erased}},
	}
}

func issue(t *testing.T, work connectors.Store, n int, s *certificate.Signer) []byte {
	t.Helper()
	if _, err := certificate.Issue(t.Context(), work, body(n), s); err != nil {
		t.Fatal(err)
	}
	raw, err := certificate.Read(t.Context(), work, pipeline.RequestRef{Account: "acme", ID: fmt.Sprintf("R-%d", n)})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Certificates verify offline, and against the log as it grows.
func TestVerify(t *testing.T) {
	s, v := pair(t, 1, "nightly run+1") // a name that notes do not allow as it is
	work := mem.New("work", mem.Options{})
	log := certificate.Log{Work: work}
	var all [][]byte
	for n := range 13 {
		all = append(all, issue(t, work, n, s))
	}
	for n, raw := range all {
		b, p, err := certificate.Verify(raw, v)
		if err != nil || b.Request != fmt.Sprintf("acme/R-%d", n) || p.N != int64(n) {
			t.Fatalf("certificate %d: %v", n, err)
		}
		if err := log.Check(t.Context(), *p); err != nil {
			t.Errorf("certificate %d in the log: %v", n, err)
		}
	}
}

func TestOneChangedByteFails(t *testing.T) {
	s, v := pair(t, 1, "nightly")
	work := mem.New("work", mem.Options{})
	issue(t, work, 1, s)
	raw := issue(t, work, 2, s)
	for i := range raw {
		for _, flip := range []byte{1, 32} {
			bad := bytes.Clone(raw)
			bad[i] ^= flip
			if _, _, err := certificate.Verify(bad, v); !errors.Is(err, certificate.ErrInvalid) {
				t.Fatalf("byte %d of %d, %q in the place of %q: %v", i, len(raw), bad[i], raw[i], err)
			}
		}
	}
	for _, bad := range [][]byte{nil, raw[:len(raw)-1], append(bytes.Clone(raw), '\n'), append([]byte(" "), raw...)} {
		if _, _, err := certificate.Verify(bad, v); !errors.Is(err, certificate.ErrInvalid) {
			t.Errorf("%d bytes: %v", len(bad), err)
		}
	}
}

func TestAnotherKeyOrNameFails(t *testing.T) {
	s, _ := pair(t, 1, "nightly")
	raw := issue(t, mem.New("work", mem.Options{}), 1, s)
	_, otherKey := pair(t, 2, "nightly")
	_, otherName := pair(t, 1, "weekly")
	for _, v := range []*certificate.Verifier{otherKey, otherName} {
		if _, _, err := certificate.Verify(raw, v); !errors.Is(err, certificate.ErrInvalid) {
			t.Errorf("verified by %s: %v", v.Name(), err)
		}
	}
}

// Issuing again, as after a kill, changes nothing: not when the certificate is
// there, and not when only its leaf is.
func TestIssueAgain(t *testing.T) {
	s, _ := pair(t, 1, "nightly")
	work := mem.New("work", mem.Options{})
	issue(t, work, 1, s)
	first := issue(t, work, 2, s)
	issue(t, work, 3, s)
	again := issue(t, work, 2, s)
	if !bytes.Equal(first, again) {
		t.Error("a certificate was written anew")
	}
	for o, err := range work.List(t.Context(), "certificates/acme/R-2.json") {
		if err != nil {
			t.Fatal(err)
		}
		if err := work.Delete(t.Context(), o.Ref); err != nil {
			t.Fatal(err)
		}
	}
	if again = issue(t, work, 2, s); !bytes.Equal(first, again) {
		t.Error("a certificate whose leaf was there came out another")
	}
}

func TestLogThatWasTamperedWith(t *testing.T) {
	s, v := pair(t, 1, "nightly")
	work := mem.New("work", mem.Options{})
	var last []byte
	for n := range 5 {
		last = issue(t, work, n, s)
	}
	_, p, err := certificate.Verify(last, v)
	if err != nil {
		t.Fatal(err)
	}
	log := certificate.Log{Work: work}
	other := mem.New("other", mem.Options{})
	for n := range 5 {
		issue(t, other, 10+n, s)
	}
	if err := (&certificate.Log{Work: other}).Check(t.Context(), *p); !errors.Is(err, certificate.ErrInvalid) {
		t.Errorf("another log: %v", err)
	}
	for o, err := range work.List(t.Context(), "certificate-log/2.json") {
		if err != nil {
			t.Fatal(err)
		}
		if err := work.Delete(t.Context(), o.Ref); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Check(t.Context(), *p); !errors.Is(err, certificate.ErrInvalid) {
		t.Errorf("a leaf is missing: %v", err)
	}
}

func TestWritersTakePlacesOfTheirOwn(t *testing.T) {
	s, v := pair(t, 1, "nightly")
	work := mem.New("work", mem.Options{})
	var wait sync.WaitGroup
	for n := range 20 {
		wait.Go(func() {
			if _, err := certificate.Issue(t.Context(), work, body(n), s); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	places := map[int64]bool{}
	for n := range 20 {
		_, p, err := certificate.Verify(issue(t, work, n, s), v)
		if err != nil {
			t.Fatal(err)
		}
		if places[p.N] {
			t.Errorf("two certificates at place %d", p.N)
		}
		places[p.N] = true
	}
}
