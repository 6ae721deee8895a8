package seal

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

type note struct {
	Version int    `json:"version"`
	Text    string `json:"text"`
}

// TestDocument: a document reads back, by others as well, and its MAC is what an
// oracle that shares no code makes of it.
func TestDocument(t *testing.T) {
	k := open(t, secret(7))
	d := Document{"request", "acme", "requests/acme/R-1.json"}
	b, err := k.Write(d, note{1, "a \"mac\": \"x\" in it"})
	if err != nil {
		t.Fatal(err)
	}
	var got note
	if err := k.Read(d, b, &got); err != nil || got.Text != "a \"mac\": \"x\" in it" {
		t.Errorf("read back %+v: %v", got, err)
	}
	var fields struct{ MAC string }
	if err := json.Unmarshal(b, &fields); err != nil {
		t.Fatal(err)
	}
	head := b[:bytes.LastIndex(b, []byte(",\n  \"mac\""))]
	h := hmac.New(sha256.New, expand(secret(7), 32, "expunge/1", "mac", "request", "acme", "key"))
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(d.File))))
	h.Write([]byte(d.File))
	h.Write(head)
	if _, sum, _ := strings.Cut(fields.MAC, ":"); sum != hex.EncodeToString(h.Sum(nil)) {
		t.Errorf("the MAC %s is not that of the oracle", fields.MAC)
	}
	if _, err := k.Write(d, struct{}{}); err == nil {
		t.Error("an object without fields is written")
	}
}

// TestForgedDocument: no other byte, no other name, purpose, account or key.
func TestForgedDocument(t *testing.T) {
	k := open(t, secret(1))
	d := Document{"request", "acme", "requests/acme/R-1.json"}
	b, err := k.Write(d, note{1, "x"})
	if err != nil {
		t.Fatal(err)
	}
	var got note
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 1
		if err := k.Read(d, bad, &got); !errors.Is(err, ErrForged) {
			t.Errorf("byte %d changed: %v", i, err)
		}
		if err := k.Read(d, b[:i], &got); !errors.Is(err, ErrForged) {
			t.Errorf("cut at %d: %v", i, err)
		}
	}
	for _, bad := range [][]byte{nil, []byte("{}"), append(bytes.Clone(b), ' '), append(bytes.Clone(b), b...)} {
		if err := k.Read(d, bad, &got); !errors.Is(err, ErrForged) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, other := range []Document{
		{"run", "acme", d.File}, {"request", "beta", d.File}, {"request", "", d.File}, {"request", "acme", "requests/acme/R-2.json"},
	} {
		if err := k.Read(other, b, &got); !errors.Is(err, ErrForged) {
			t.Errorf("as %+v: %v", other, err)
		}
	}
	err = open(t, secret(2)).Read(d, b, &got)
	if !errors.Is(err, ErrForged) || !strings.Contains(err.Error(), d.File) || !strings.Contains(err.Error(), "work.old_key_envs") {
		t.Errorf("with another key: %v", err)
	}
	if err := open(t, secret(2), secret(1)).Read(d, b, &got); err != nil {
		t.Errorf("while rotating: %v", err)
	}
}

// TestPlaceOfABox: a box opens only at its place, and places do not run together.
func TestPlaceOfABox(t *testing.T) {
	k := open(t, secret(1))
	box := k.Seal("results", "", []byte("x"), "file", "1")
	if got, err := k.Unseal("results", "", box, "file", "1"); err != nil || string(got) != "x" {
		t.Errorf("at its place: %v", err)
	}
	for _, place := range [][]string{nil, {"file"}, {"file", "2"}, {"file1"}, {"file", "1", ""}, {"", "file", "1"}, {"fil", "e1"}} {
		if _, err := k.Unseal("results", "", box, place...); !errors.Is(err, ErrForged) {
			t.Errorf("at %q: %v", place, err)
		}
	}
}
