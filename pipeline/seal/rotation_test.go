package seal

import (
	"bytes"
	"encoding/base64"
	"errors"
	"testing"
)

// TestRenewed: what is made again is what the new key would have made of the same,
// and what is under the new key already stays.
func TestRenewed(t *testing.T) {
	before, during, after := open(t, secret(1)), open(t, secret(2), secret(1)), open(t, secret(2))
	r := during.Rotation()
	d := Document{"request", "acme", "requests/acme/R-1.json"}
	old, err := before.Write(d, note{1, "x"})
	if err != nil {
		t.Fatal(err)
	}
	was := bytes.Clone(old)
	want, err := after.Write(d, note{1, "x"})
	if err != nil {
		t.Fatal(err)
	}
	got, again, err := r.Document(d, old)
	if err != nil || !again || !bytes.Equal(got, want) || !bytes.Equal(old, was) {
		t.Errorf("a document is renewed as %s: again %v, %v", got, again, err)
	}
	if got, again, err := r.Document(d, want); err != nil || again || !bytes.Equal(got, want) {
		t.Errorf("a document of the new key: again %v, %v", again, err)
	}
	if _, _, err := r.Document(Document{"request", "acme", "requests/acme/R-2.json"}, old); !errors.Is(err, ErrForged) {
		t.Errorf("a document of another place: %v", err)
	}

	box, next := before.Seal("rows", "acme", []byte("x"), "1"), after.Seal("rows", "acme", []byte("x"), "1")
	if got, again, err := r.Box("rows", "acme", box, "1"); err != nil || !again || !bytes.Equal(got, next) {
		t.Errorf("a box: again %v, %v", again, err)
	}
	if _, again, err := r.Box("rows", "acme", next, "1"); err != nil || again {
		t.Errorf("a box of the new key: again %v, %v", again, err)
	}
	if _, _, err := r.Box("rows", "acme", box, "2"); !errors.Is(err, ErrForged) {
		t.Errorf("a box of another place: %v", err)
	}
	text := base64.StdEncoding.EncodeToString
	if got, again, err := r.Text("rows", "acme", text(box), "1"); err != nil || !again || got != text(next) {
		t.Errorf("a box in base64: again %v, %v", again, err)
	}
	if got, again, err := r.WrappedKey("catalog", before.WrapKey("catalog", secret(9))); err != nil || !again || !bytes.Equal(got, after.WrapKey("catalog", secret(9))) {
		t.Errorf("a wrapped key: again %v, %v", again, err)
	}
	if got, again, err := r.MAC("approval", []byte("x"), before.Authenticate("approval", []byte("x"))); err != nil || !again || got != after.Authenticate("approval", []byte("x")) {
		t.Errorf("a MAC: again %v, %v", again, err)
	}
	if _, _, err := r.MAC("approval", []byte("y"), before.Authenticate("approval", []byte("x"))); !errors.Is(err, ErrForged) {
		t.Errorf("a MAC of other content: %v", err)
	}
}

// TestKept: what is kept of an old key opens and compares as it did, is found again
// after a second rotation, and is good for nothing else.
func TestKept(t *testing.T) {
	before, during := open(t, secret(1)), open(t, secret(2), secret(1))
	box := before.Seal("url", "", []byte("x"))
	mac := before.Authenticate("manifest", []byte("x"))
	digests := before.Derive("ledger", "acme")

	r := during.Rotation()
	r.KeepDigests("ledger", "acme")
	r.KeepBoxes("url", "")
	if stays, err := r.Vouch("manifest", []byte("x"), mac); err != nil || !stays {
		t.Fatalf("an old MAC stays: %v, %v", stays, err)
	}
	if stays, err := r.Vouch("manifest", []byte("y"), during.Authenticate("manifest", []byte("y"))); err != nil || stays {
		t.Errorf("a MAC of the new key stays: %v, %v", stays, err)
	}
	if _, err := r.Vouch("manifest", []byte("z"), mac); !errors.Is(err, ErrForged) {
		t.Errorf("what was changed is vouched for: %v", err)
	}
	kept, err := r.Kept("keys/2", false)
	if err != nil || kept.Keys != 2 || kept.Vouched != 1 {
		t.Fatalf("%+v, %v", kept, err)
	}
	if again, err := r.Kept("keys/2", false); err != nil || !bytes.Equal(again.Box, kept.Box) {
		t.Errorf("kept twice is not kept once: %v", err)
	}

	after := open(t, secret(2))
	after.Derive("ledger", "acme") // before it is recalled: nothing of it may stay
	if err := after.Recall("keys/2", kept.Box); err != nil {
		t.Fatal(err)
	}
	hold := func(t *testing.T, k *Keys) {
		t.Helper()
		if got, err := k.Unseal("url", "", box); err != nil || string(got) != "x" {
			t.Errorf("a box that is kept does not open: %v", err)
		}
		if found, ok := k.ByID("ledger", "acme", digests.ID()); !ok || found.Digest([]byte("x")) != digests.Digest([]byte("x")) {
			t.Error("a key of digests is not found")
		}
		if err := k.Verify("manifest", []byte("x"), mac); err != nil {
			t.Error(err)
		}
		for what, err := range map[string]error{
			"other content":             k.Verify("manifest", []byte("y"), before.Authenticate("manifest", []byte("y"))),
			"another purpose":           k.Verify("approval", []byte("x"), before.Authenticate("approval", []byte("x"))),
			"its MAC for other content": k.Verify("manifest", []byte("y"), mac),
			"a box of another purpose":  second(k.Unseal("rows", "", before.Seal("rows", "", []byte("x")))),
			"a box of another account":  second(k.Unseal("url", "acme", before.Seal("url", "acme", []byte("x")))),
		} {
			if !errors.Is(err, ErrForged) {
				t.Errorf("%s made with the old key: %v", what, err)
			}
		}
		if len(k.All("record", "acme")) != 1 {
			t.Error("a key that was not kept is found")
		}
	}
	hold(t, after)
	fresh := open(t, secret(2))
	if after.Derive("ledger", "acme").ID() != fresh.Derive("ledger", "acme").ID() || !bytes.Equal(after.Seal("url", "", []byte("x")), fresh.Seal("url", "", []byte("x"))) {
		t.Error("something is made with what is kept")
	}

	second := open(t, secret(3), secret(2))
	if err := second.Recall("keys/2", kept.Box); err != nil {
		t.Fatal(err)
	}
	blind, err := second.Rotation().Kept("keys/3", true)
	if err != nil || blind.Keys != 4 || blind.Vouched != 1 {
		t.Errorf("what was recalled is not kept: %+v, %v", blind, err)
	}
	if none, err := second.Rotation().Kept("keys/3", false); err != nil || none.Box != nil {
		t.Errorf("nothing asks for it, and it is kept: %+v, %v", none, err)
	}
	last := open(t, secret(3))
	if err := last.Recall("keys/3", blind.Box); err != nil {
		t.Fatal(err)
	}
	hold(t, last)

	for what, err := range map[string]error{
		"of another file": open(t, secret(2)).Recall("keys/3", kept.Box),
		"of another key":  open(t, secret(3)).Recall("keys/2", kept.Box),
		"changed":         open(t, secret(2)).Recall("keys/2", append(bytes.Clone(kept.Box[:len(kept.Box)-1]), kept.Box[len(kept.Box)-1]^1)),
		"not of Kept":     open(t, secret(2)).Recall("keys/2", open(t, secret(2)).Seal(keptPurpose, "", []byte(`{"version":1,"keys":[{"use":"mac","id":"AAAAAAAAAAA=","secret":"AAAA","nonce":"AAAA"}]}`), "keys/2")),
	} {
		if !errors.Is(err, ErrForged) {
			t.Errorf("a box %s: %v", what, err)
		}
	}
}

func second(_ []byte, err error) error { return err }
