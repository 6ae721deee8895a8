package spool_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"testing"

	"expunge/pipeline/seal"
	"expunge/pipeline/spool"
)

// sealed is a file of n records under keys.
func sealed(t *testing.T, keys *seal.Keys, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := spool.NewWriter(&b, (&spool.Box{Keys: keys, Purpose: "p"}).File("f"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := w.Write(bytes.Repeat([]byte(fmt.Sprint(i, ",")), 1<<17)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A renewed file is what the new key would have made of its records.
func TestRenew(t *testing.T) {
	key := func(b byte) []byte { return bytes.Repeat([]byte{b}, seal.KeySize) }
	open := func(current []byte, old ...[]byte) *seal.Keys {
		k, err := seal.Open(current, old...)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	during := open(key(2), key(1))
	box := &spool.Box{Keys: during, Purpose: "p"}
	renew := func(key string, b []byte) ([]byte, bool, error) {
		var out bytes.Buffer
		again, err := box.Renew(during.Rotation(), key, bytes.NewReader(b), &out)
		return out.Bytes(), again, err
	}
	for _, n := range []int{0, 1, 30} { // none, one and several frames
		old, want := sealed(t, open(key(1)), n), sealed(t, open(key(2)), n)
		got, again, err := renew("f", old)
		if err != nil || !again || !bytes.Equal(got, want) {
			t.Errorf("%d records: again %v, %d bytes of %d, %v", n, again, len(got), len(want), err)
		}
		if got, again, err := renew("f", want); err != nil || again || len(got) > 0 {
			t.Errorf("%d records under the new key: again %v, %d bytes, %v", n, again, len(got), err)
		}
		for what, b := range map[string][]byte{"old": old, "new": want} {
			if out, err := spool.Leave("p")(during.Rotation(), "f", bytes.NewReader(b), io.Discard); err != nil || out.Again || out.Stays != (what == "old") {
				t.Errorf("%d records under the %s key are left: %+v, %v", n, what, out, err)
			}
		}
	}
	old := sealed(t, open(key(1)), 30)
	if _, _, err := renew("g", old); !errors.Is(err, seal.ErrForged) {
		t.Errorf("a moved file: %v", err)
	}
	if _, _, err := renew("f", old[:len(old)-1]); !errors.Is(err, spool.ErrTruncated) {
		t.Errorf("a cut file: %v", err)
	}
	n, length := binary.Uvarint(old)
	first := length + int(n)
	mixed := append(bytes.Clone(old[:first]), sealed(t, during, 30)[first:]...)
	if _, _, err := renew("f", mixed); !errors.Is(err, seal.ErrForged) {
		t.Errorf("a file of two keys: %v", err)
	}
}
