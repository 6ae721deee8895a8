package ledger_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"

	"expunge/connectors"
	"expunge/connectors/mem"
	"expunge/pipeline"
	"expunge/pipeline/identity"
	"expunge/pipeline/ledger"
	"expunge/pipeline/seal"
)

var (
	tokens = identity.Key{7}
	phone  = identity.Needle{Account: "acme", Canon: identity.Canon{Kind: pipeline.Phone, Value: "14045550123"}}
	call   = identity.Needle{Account: "acme", Canon: identity.Canon{Kind: pipeline.Call, Value: "CAL0123456789"}, Tier: pipeline.Linked}
	who    = pipeline.RequestRef{Account: "acme", ID: "R-1"}
)

func open(t *testing.T) *ledger.Ledger {
	keys, err := seal.Open(bytes.Repeat([]byte{3}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return &ledger.Ledger{Work: mem.New("work", mem.Options{}), Keys: keys}
}

func digests(n int) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for i := range n {
			if !yield(fmt.Sprintf("%032x", i), nil) {
				return
			}
		}
	}
}

// hashed is the digest of a number as advertising exports hold it.
func hashed(v string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(v))) }

// all reads the whole ledger.
func all(t *testing.T, l *ledger.Ledger, key identity.Key) (out []*ledger.Entry, err error) {
	t.Helper()
	names, err := l.Names(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		e, err := l.Read(t.Context(), name, key)
		if err != nil {
			return out, err
		}
		out = append(out, e)
	}
	return out, nil
}

func add(t *testing.T, l *ledger.Ledger, run string, n int) {
	t.Helper()
	h := ledger.Head{Account: "acme", Request: "acme/R-1", Run: run, Cutoff: 1000, Records: int64(n)}
	asks := [][]pipeline.Ask{{{Request: who}}, {{Request: who, Via: "d", Hops: 1}}}
	if err := l.Add(t.Context(), h, tokens, []identity.Needle{phone, call}, asks, nil, digests(n)); err != nil {
		t.Fatal(err)
	}
}

// What was erased is known again by digests, in all its writings; no value is kept,
// and writing twice is writing once.
func TestRemembersWithoutValues(t *testing.T) {
	l := open(t)
	add(t, l, "r1", 3)
	add(t, l, "r1", 3)
	add(t, l, "r2", 1)
	got, err := all(t, l, tokens)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Run != "r1" || len(got[0].Records) != 3 || got[0].Cutoff != 1000 || got[0].Stale || got[1].Run != "r2" {
		t.Fatalf("%+v", got)
	}
	p, c := got[0].Needles[0], got[0].Needles[1]
	if c.Tier != pipeline.Linked || c.Asks[0].Hops != 1 {
		t.Errorf("%+v", c)
	}
	if other := identity.Remember(l.Keys.Derive(ledger.Purpose, "beta"), tokens, "US", phone); other.Value == p.Value {
		t.Error("digests join across accounts")
	}
	text := fmt.Sprintf("%+v", *got[0])
	for _, bad := range []string{"4045550123", "CAL0123456789", hashed("+14045550123")} {
		if strings.Contains(text, bad) {
			t.Errorf("the ledger holds a value")
		}
	}
}

// Tokens of another tokenizer or catalog key find nothing: their entry says so.
func TestStale(t *testing.T) {
	l := open(t)
	add(t, l, "r1", 0)
	got, err := all(t, l, identity.Key{8})
	if err != nil || len(got) != 1 || !got[0].Stale {
		t.Errorf("%+v, %v", got, err)
	}
}

// What was remembered under an older work key is found by its tokens as before, also
// once it was renewed and the key is gone.
func TestRotated(t *testing.T) {
	l := open(t)
	h := ledger.Head{Account: "acme", Request: "acme/R-1", Run: "r1", Records: 1}
	asks := [][]pipeline.Ask{{{Request: who}}, {{Request: who}}}
	if err := l.Add(t.Context(), h, tokens, []identity.Needle{phone, call}, asks, nil, func(yield func(string, error) bool) {
		yield(l.Keys.Digest("record", "acme", []byte("erased")), nil)
	}); err != nil {
		t.Fatal(err)
	}
	key := func(b byte) []byte { return bytes.Repeat([]byte{b}, seal.KeySize) }
	during, err := seal.Open(key(4), key(3))
	if err != nil {
		t.Fatal(err)
	}
	check := func(l *ledger.Ledger) {
		t.Helper()
		p, err := l.Gather(t.Context(), []string{"ledger/acme/R-1/r1-1"}, tokens)
		if err != nil || len(p.Stale) != 0 || len(p.Unread) != 0 || len(p.Needles) != 2 {
			t.Fatalf("%+v, %v", p, err)
		}
		f := identity.Compile(tokens, "US", p.Needles).Finder(identity.FinderOptions{Search: true, Account: "acme"})
		if got := f.Find(nil, "note", []byte("(404) 555-0123")); len(got) != 1 {
			t.Errorf("%+v", got)
		}
		if !p.Covered[who].Erased(l.Keys, "acme", []byte("erased")) {
			t.Error("a record that was erased is not known")
		}
	}
	check(&ledger.Ledger{Work: l.Work, Keys: during})

	var out bytes.Buffer
	body, err := l.Work.Open(t.Context(), connectors.Ref{Key: "ledger/acme/R-1/r1-1"}, connectors.All)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	r := during.Rotation()
	if got, err := ledger.Renew(r, "ledger/acme/R-1/r1-1", body, &out); err != nil || !got.Again {
		t.Fatalf("%+v, %v", got, err)
	}
	kept, err := r.Kept("keys", false)
	if err != nil {
		t.Fatal(err)
	}
	after, err := seal.Open(key(4))
	if err == nil {
		err = after.Recall("keys", kept.Box)
	}
	if err != nil {
		t.Fatal(err)
	}
	renewed := &ledger.Ledger{Work: mem.New("work", mem.Options{}), Keys: after}
	if _, err := renewed.Work.Create(t.Context(), "ledger/acme/R-1/r1-1", bytes.NewReader(out.Bytes())); err != nil {
		t.Fatal(err)
	}
	check(renewed)
}

// An entry that was moved or cut is refused.
func TestForged(t *testing.T) {
	for name, forge := range map[string]func(key string, b []byte) (string, []byte){
		"moved":   func(_ string, b []byte) (string, []byte) { return "ledger/acme/R-2/r1-2", b },
		"cut":     func(key string, b []byte) (string, []byte) { return key, b[:len(b)-3] },
		"changed": func(key string, b []byte) (string, []byte) { b[9] ^= 1; return key, b },
	} {
		from, to := open(t), open(t)
		add(t, from, "r1", 2)
		for o := range from.Work.List(t.Context(), "ledger/") {
			body, err := from.Work.Open(t.Context(), connectors.Ref{Key: o.Key}, connectors.All)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(body)
			key, b := forge(o.Key, b)
			if _, err := to.Work.Create(t.Context(), key, bytes.NewReader(b)); err != nil {
				t.Fatal(err)
			}
		}
		_, got := all(t, to, tokens)
		if got == nil || name != "cut" && !errors.Is(got, seal.ErrForged) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// What does not add up, or is another account's, is not written.
func TestAddRefuses(t *testing.T) {
	l := open(t)
	other := phone
	other.Account = "beta"
	asks := [][]pipeline.Ask{{{Request: who}}}
	for name, err := range map[string]error{
		"count":   l.Add(t.Context(), ledger.Head{Account: "acme", Request: "acme/R-1", Run: "r", Records: 2}, tokens, nil, nil, nil, digests(1)),
		"account": l.Add(t.Context(), ledger.Head{Account: "acme", Request: "acme/R-1", Run: "r"}, tokens, []identity.Needle{other}, asks, nil, digests(0)),
		"request": l.Add(t.Context(), ledger.Head{Account: "acme", Request: "beta/R-1", Run: "r"}, tokens, nil, nil, nil, digests(0)),
	} {
		if err == nil {
			t.Errorf("%s: written", name)
		}
	}
	for range l.Work.List(t.Context(), "ledger/") {
		t.Error("something was written")
	}
}

// What several files remember is united: each identifier once, for all who ask, and
// the latest cut-off of a request.
func TestGather(t *testing.T) {
	l := open(t)
	add(t, l, "r1", 2)
	h := ledger.Head{Account: "acme", Request: "acme/R-1", Run: "r2", Cutoff: 5000, Records: 1}
	if err := l.Add(t.Context(), h, tokens, []identity.Needle{phone}, [][]pipeline.Ask{{{Request: who}}}, nil, func(yield func(string, error) bool) {
		yield(l.Keys.Digest("record", "acme", []byte("erased")), nil)
	}); err != nil {
		t.Fatal(err)
	}
	names, err := l.Names(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p, err := l.Gather(t.Context(), names, tokens)
	if err != nil || len(p.Needles) != 2 || len(p.Asks[0]) != 2 || len(p.Asks[1]) != 1 || len(p.Stale) != 0 {
		t.Fatalf("%+v, %v", p, err)
	}
	c := p.Covered[who]
	for raw, want := range map[string]bool{"erased": true, "another": false} {
		if c.Erased(l.Keys, "acme", []byte(raw)) != want || c.Erased(l.Keys, "beta", []byte(raw)) {
			t.Errorf("%q: %v", raw, !want)
		}
	}
	if c.Erased(l.Keys, "acme", nil) {
		t.Error("a whole object is no record")
	}
	if c.Cutoff != 5000 {
		t.Errorf("cut-off %d", c.Cutoff)
	}
	f := identity.Compile(tokens, "US", p.Needles).Finder(identity.FinderOptions{Search: true, Account: "acme"})
	if got := f.Find(nil, "note", []byte("(404) 555-0123")); len(got) != 1 || got[0].Tier != "normalised" {
		t.Errorf("%+v", got)
	}
	if got := f.Find(nil, "note", []byte("(404) 555-0124")); len(got) != 0 {
		t.Errorf("somebody else: %+v", got)
	}

	// What was remembered under another catalog key covers as much, and is not found by tokens.
	p, err = l.Gather(t.Context(), names, identity.Key{8})
	if err != nil || len(p.Needles) != 0 || len(p.Stale) != 2 || p.Covered[who] == nil {
		t.Errorf("%+v, %v", p, err)
	}
}
