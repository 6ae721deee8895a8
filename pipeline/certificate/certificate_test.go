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
	if _, err := certificate.Issue(t.Context(), &certificate.Log{Work: work}, body(n), s); err != nil {
		t.Fatal(err)
	}
	raw, err := certificate.Read(t.Context(), work, pipeline.RequestRef{Account: "acme", ID: fmt.Sprintf("R-%d", n)})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// part issues a partial certificate of what a run erased, and returns its name.
func part(t *testing.T, work connectors.Store, n int, erased int64, s *certificate.Signer) string {
	t.Helper()
	b := body(n)
	b.Complete, b.Dispositions["ERASED"] = false, erased
	name, err := certificate.Issue(t.Context(), &certificate.Log{Work: work}, b, s)
	if err != nil {
		t.Fatal(err)
	}
	return name
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
		c, b, err := certificate.Verify(raw, v)
		if err != nil || b.Request != fmt.Sprintf("acme/R-%d", n) || c.Log.N != int64(n) {
			t.Fatalf("certificate %d: %v", n, err)
		}
		if err := log.Check(t.Context(), c.Log); err != nil {
			t.Errorf("certificate %d in the log: %v", n, err)
		}
	}
}

func TestOneChangedByteFails(t *testing.T) {
	s, v := pair(t, 1, "nightly")
	work := mem.New("work", mem.Options{})
	issue(t, work, 1, s)
	part(t, work, 2, 5, s)
	raw := issue(t, work, 2, s)
	if !bytes.Contains(raw, []byte(`"earlier":[{"file":"certificates/acme/R-2/partial-1.json"`)) {
		t.Fatal("it does not name the earlier one")
	}
	for i := range raw {
		for _, flip := range []byte{1, 2, 32} {
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

// A certificate names those that its request had before, in the order in which they
// were issued, and no others; each says what they say.
func TestEarlier(t *testing.T) {
	s, v := pair(t, 1, "nightly")
	work := mem.New("work", mem.Options{})
	read := func(name string) (*certificate.Certificate, *certificate.Body) {
		t.Helper()
		raw, err := connectors.ReadAll(t.Context(), work, name)
		if err != nil {
			t.Fatal(err)
		}
		c, b, err := certificate.Verify(raw, v)
		if err != nil {
			t.Fatal(err)
		}
		return c, b
	}
	again := func(erased int64) string {
		t.Helper()
		b := body(1)
		b.FollowUp, b.Dispositions["ERASED"] = true, erased
		name, err := certificate.Issue(t.Context(), &certificate.Log{Work: work}, b, s)
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	issue(t, work, 11, s) // of another request, whose id begins so
	names := []string{part(t, work, 1, 5, s), part(t, work, 1, 4, s)}
	if same := part(t, work, 1, 5, s); same != names[0] {
		t.Errorf("what says the same became %s", same)
	}
	issue(t, work, 1, s)
	names = append(names, "certificates/acme/R-1.json", again(2), again(1))
	for i, name := range names {
		_, b := read(name)
		if len(b.Earlier) != i {
			t.Fatalf("%s names %d earlier ones, not %d", name, len(b.Earlier), i)
		}
		for j, e := range b.Earlier {
			c, was := read(names[j])
			if e.File != names[j] || e.Record != c.Record() || e.Run != was.Run || e.Issued != was.Issued || e.Complete != was.Complete || e.Dispositions["ERASED"] != was.Dispositions["ERASED"] || e.Signer != "" {
				t.Errorf("%s says of %s: %+v", name, names[j], e)
			}
		}
		if err := certificate.CheckEarlier(t.Context(), work, b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What was put in the place of an earlier certificate is not vouched for.
func TestEarlierThatIsForged(t *testing.T) {
	const name = "certificates/acme/R-1/partial-1.json"
	s, _ := pair(t, 1, "nightly")
	theirs, _ := pair(t, 2, "nightly")
	issued := func(n int, by *certificate.Signer) []byte {
		work := mem.New("work", mem.Options{})
		raw, err := connectors.ReadAll(t.Context(), work, part(t, work, n, 5, by))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	mine := issued(1, s)
	for what, raw := range map[string][]byte{
		"another number of records": bytes.Replace(mine, []byte(`"ERASED":5`), []byte(`"ERASED":7`), 1),
		"another request's":         issued(2, s),
		"nothing":                   nil,
	} {
		work := mem.New("work", mem.Options{})
		if _, err := work.Create(t.Context(), name, bytes.NewReader(raw)); err != nil {
			t.Fatal(err)
		}
		if _, err := certificate.Issue(t.Context(), &certificate.Log{Work: work}, body(1), s); !errors.Is(err, certificate.ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}

	// Under another key, such as that of before, it is named, and nothing that it says is repeated.
	work := mem.New("work", mem.Options{})
	if _, err := work.Create(t.Context(), name, bytes.NewReader(issued(1, theirs))); err != nil {
		t.Fatal(err)
	}
	raw := issue(t, work, 1, s)
	_, b, err := certificate.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if e := b.Earlier[0]; e.File != name || e.Signer == "" || e.Run != "" || e.Dispositions != nil {
		t.Errorf("of a certificate under another key it says %+v", e)
	}
}

// An earlier certificate that was changed or taken away since is missed.
func TestEarlierThatIsGone(t *testing.T) {
	s, _ := pair(t, 1, "nightly")
	work := mem.New("work", mem.Options{})
	name := part(t, work, 1, 5, s)
	_, b, err := certificate.Parse(issue(t, work, 1, s))
	if err != nil {
		t.Fatal(err)
	}
	other := mem.New("other", mem.Options{})
	if err := certificate.CheckEarlier(t.Context(), other, b); !errors.Is(err, certificate.ErrInvalid) {
		t.Errorf("gone: %v", err)
	}
	if got := part(t, other, 1, 6, s); got != name {
		t.Fatal(got)
	}
	if err := certificate.CheckEarlier(t.Context(), other, b); !errors.Is(err, certificate.ErrInvalid) {
		t.Errorf("another one: %v", err)
	}
}

func TestLogThatWasTamperedWith(t *testing.T) {
	s, v := pair(t, 1, "nightly")
	work := mem.New("work", mem.Options{})
	var last []byte
	for n := range 5 {
		last = issue(t, work, n, s)
	}
	c, _, err := certificate.Verify(last, v)
	if err != nil {
		t.Fatal(err)
	}
	log := certificate.Log{Work: work}
	other := mem.New("other", mem.Options{})
	for n := range 5 {
		issue(t, other, 10+n, s)
	}
	if err := (&certificate.Log{Work: other}).Check(t.Context(), c.Log); !errors.Is(err, certificate.ErrInvalid) {
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
	if err := log.Check(t.Context(), c.Log); !errors.Is(err, certificate.ErrInvalid) {
		t.Errorf("a leaf is missing: %v", err)
	}
}

func TestWritersTakePlacesOfTheirOwn(t *testing.T) {
	s, v := pair(t, 1, "nightly")
	work := mem.New("work", mem.Options{})
	var wait sync.WaitGroup
	for n := range 20 {
		wait.Go(func() {
			if _, err := certificate.Issue(t.Context(), &certificate.Log{Work: work}, body(n), s); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	places := map[int64]bool{}
	for n := range 20 {
		c, _, err := certificate.Verify(issue(t, work, n, s), v)
		if err != nil {
			t.Fatal(err)
		}
		if places[c.Log.N] {
			t.Errorf("two certificates at place %d", c.Log.N)
		}
		places[c.Log.N] = true
	}
}
