package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

func secret(b byte) []byte { return bytes.Repeat([]byte{b}, KeySize) }

func open(t *testing.T, current []byte, old ...[]byte) *Keys {
	t.Helper()
	k, err := Open(current, old...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// expand is HKDF-SHA-256 with no salt, written out from RFC 5869 as an oracle
// that shares no code with crypto/hkdf.
func expand(root []byte, size int, parts ...string) []byte {
	extract := hmac.New(sha256.New, make([]byte, sha256.Size))
	extract.Write(root)
	prk := extract.Sum(nil)
	var info []byte
	for _, p := range parts {
		info = append(binary.BigEndian.AppendUint32(info, uint32(len(p))), p...)
	}
	h := hmac.New(sha256.New, prk)
	h.Write(info)
	h.Write([]byte{1})
	return h.Sum(nil)[:size]
}

func TestDigestAgainstOracle(t *testing.T) {
	k := open(t, secret(7))
	key := expand(secret(7), 32, "expunge/1", "digest", "record", "acme", "key")
	h := hmac.New(sha256.New, key)
	h.Write([]byte("+14045550123"))
	want := hex.EncodeToString(h.Sum(nil)[:16])
	if got := k.Digest("record", "acme", []byte("+14045550123")); got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
	id := hex.EncodeToString(expand(secret(7), 8, "expunge/1", "digest", "record", "acme", "id"))
	if got := k.Derive("record", "acme").ID(); got != id {
		t.Errorf("key id %s, want %s", got, id)
	}
	hasher := k.Derive("record", "acme").Hasher()
	for range 2 { // a hasher starts anew after each digest
		for _, piece := range []string{"+1404", "", "5550123"} {
			_, _ = hasher.Write([]byte(piece))
		}
		if got := hasher.Digest(); got != want {
			t.Errorf("digest in pieces %s, want %s", got, want)
		}
	}
	_, _ = hasher.Write([]byte("left over"))
	hasher.Reset()
	_, _ = hasher.Write([]byte("+14045550123"))
	if sum := hasher.Sum128(); hex.EncodeToString(sum[:]) != want {
		t.Errorf("digest after Reset %x, want %s", sum, want)
	}
}

// TestVectors pins the formats: a change here makes every work store unreadable.
func TestVectors(t *testing.T) {
	k := open(t, secret(7))
	for _, v := range []struct{ what, got, want string }{
		{"digest", k.Digest("record", "acme", []byte("abc")), "09f888ad182366a444d243ef294f1fe0"},
		{"box", hex.EncodeToString(k.Seal("identity", "acme", []byte("abc"))), "012768785691ebb1c53e660ca14070571b2c79d1a2e8a901c55074cc4caadb91f1209579af0127b1"},
		{"mac", k.Authenticate("manifest", []byte("abc")), "ff15650e00f7635a:ae4e0e536fa06d2cfcb437b36cd3a43399936c2b9fb1c764bf221566133e41dc"},
	} {
		if v.got != v.want {
			t.Errorf("%s is %s, want %s", v.what, v.got, v.want)
		}
	}
}

func TestBoxAgainstOracle(t *testing.T) {
	box := open(t, secret(7)).Seal("identity", "acme", []byte("jane@example.com"))
	part := func(p string, size int) []byte {
		return expand(secret(7), size, "expunge/1", "seal", "identity", "acme", p)
	}
	ad := append([]byte{1}, part("id", 8)...)
	for _, s := range []string{"seal", "identity", "acme"} {
		ad = append(binary.BigEndian.AppendUint32(ad, uint32(len(s))), s...)
	}
	h := hmac.New(sha256.New, part("nonce", 32))
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(ad))))
	h.Write(ad)
	h.Write([]byte("jane@example.com"))
	nonce := h.Sum(nil)[:12]
	block, err := aes.NewCipher(part("key", 32))
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	want := append([]byte{1}, part("id", 8)...)
	want = append(want, nonce...)
	want = gcm.Seal(want, nonce, []byte("jane@example.com"), ad)
	if !bytes.Equal(box, want) {
		t.Errorf("box %x\nwant %x", box, want)
	}
}

func TestSealRoundTrip(t *testing.T) {
	k := open(t, secret(1))
	for _, plain := range [][]byte{nil, []byte("a"), []byte("jane@example.com"), bytes.Repeat([]byte("x"), 1<<16)} {
		box := k.Seal("rows", "acme", plain)
		if len(box) != len(plain)+Overhead {
			t.Errorf("a box of %d bytes holds %d", len(box), len(plain))
		}
		if !bytes.Equal(box, open(t, secret(1)).Seal("rows", "acme", plain)) {
			t.Error("equal input gave two boxes")
		}
		got, err := k.Unseal("rows", "acme", box)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("unseal %d bytes: %v", len(plain), err)
		}
	}
	a, b := k.Seal("rows", "acme", []byte("one")), k.Seal("rows", "acme", []byte("two"))
	if bytes.Equal(a[9:21], b[9:21]) {
		t.Error("two plaintexts share a nonce")
	}
}

func TestTamper(t *testing.T) {
	k := open(t, secret(1), secret(2))
	box := k.Seal("rows", "acme", []byte("jane@example.com"))
	wrapped := k.WrapKey("catalog", secret(9))
	mac := k.Authenticate("manifest", []byte("content"))
	for i := range box {
		for _, flip := range []byte{1, 0x80} {
			bad := bytes.Clone(box)
			bad[i] ^= flip
			if _, err := k.Unseal("rows", "acme", bad); !errors.Is(err, ErrForged) {
				t.Errorf("box with byte %d changed: %v", i, err)
			}
		}
		if _, err := k.Unseal("rows", "acme", box[:i]); !errors.Is(err, ErrForged) {
			t.Errorf("box cut at %d: %v", i, err)
		}
	}
	if _, err := k.Unseal("rows", "acme", append(bytes.Clone(box), 0)); !errors.Is(err, ErrForged) {
		t.Errorf("box with a byte more: %v", err)
	}
	for i := range wrapped {
		bad := bytes.Clone(wrapped)
		bad[i] ^= 1
		if _, err := k.UnwrapKey("catalog", bad); !errors.Is(err, ErrForged) {
			t.Errorf("wrapped key with byte %d changed: %v", i, err)
		}
	}
	for i := range mac {
		bad := []byte(mac)
		bad[i] ^= 1
		if err := k.Verify("manifest", []byte("content"), string(bad)); !errors.Is(err, ErrForged) {
			t.Errorf("MAC with byte %d changed: %v", i, err)
		}
	}
	for _, bad := range []string{"", ":", mac + "00", mac[:len(mac)-2], strings.ToUpper(mac), mac[17:]} {
		if err := k.Verify("manifest", []byte("content"), bad); !errors.Is(err, ErrForged) {
			t.Errorf("MAC %q: %v", bad, err)
		}
	}
}

// TestPlaces: what was made for one use, purpose or account is good for no other.
func TestPlaces(t *testing.T) {
	k := open(t, secret(1))
	box := k.Seal("rows", "acme", []byte("x"))
	for _, place := range [][2]string{{"row", "sacme"}, {"rows", "beta"}, {"rows", ""}, {"", "acme"}, {"acme", "rows"}, {"rowsacme", ""}} {
		if _, err := k.Unseal(place[0], place[1], box); !errors.Is(err, ErrForged) {
			t.Errorf("a box of rows/acme opens as %q: %v", place, err)
		}
		if k.Digest(place[0], place[1], []byte("x")) == k.Digest("rows", "acme", []byte("x")) {
			t.Errorf("digests of rows/acme and %q agree", place)
		}
	}
	if _, err := k.UnwrapKey("rows", k.Seal("rows", "", []byte("x"))); !errors.Is(err, ErrForged) {
		t.Errorf("a box opens as a wrapped key: %v", err)
	}
	if err := k.Verify("approval", []byte("x"), k.Authenticate("manifest", []byte("x"))); !errors.Is(err, ErrForged) {
		t.Errorf("a manifest's MAC is good for an approval: %v", err)
	}
	if err := k.Verify("manifest", []byte("y"), k.Authenticate("manifest", []byte("x"))); !errors.Is(err, ErrForged) {
		t.Errorf("a MAC is good for other content: %v", err)
	}
}

func TestRotation(t *testing.T) {
	before, during, after := open(t, secret(1)), open(t, secret(2), secret(1)), open(t, secret(2))
	box := before.Seal("rows", "acme", []byte("x"))
	if got, err := during.Unseal("rows", "acme", box); err != nil || string(got) != "x" {
		t.Errorf("while rotating an old box does not open: %v", err)
	}
	if during.Current("rows", "acme", box) || !before.Current("rows", "acme", box) {
		t.Error("Current does not tell old boxes from new ones")
	}
	if !after.Current("rows", "acme", during.Seal("rows", "acme", []byte("x"))) {
		t.Error("while rotating boxes are not made with the new key")
	}
	_, err := after.Unseal("rows", "acme", box)
	if !errors.Is(err, ErrForged) || !strings.Contains(err.Error(), "work.old_key_envs") {
		t.Errorf("after the rotation an old box gives %v", err)
	}
	mac := before.Authenticate("manifest", []byte("x"))
	if err := during.Verify("manifest", []byte("x"), mac); err != nil {
		t.Error(err)
	}
	if err := after.Verify("manifest", []byte("x"), mac); !errors.Is(err, ErrForged) {
		t.Error(err)
	}
	wrapped := before.WrapKey("catalog", secret(9))
	key, err := during.UnwrapKey("catalog", wrapped)
	if err != nil || !bytes.Equal(key, secret(9)) {
		t.Errorf("unwrap with an old key: %v", err)
	}
	if during.CurrentWrap("catalog", wrapped) || !during.CurrentWrap("catalog", during.WrapKey("catalog", key)) {
		t.Error("CurrentWrap does not tell old from new")
	}
	old := before.Derive("ledger", "acme")
	found, ok := during.ByID("ledger", "acme", old.ID())
	if !ok || found.Digest([]byte("x")) != old.Digest([]byte("x")) {
		t.Error("an old digest key is not found by its id")
	}
	if _, ok := after.ByID("ledger", "acme", old.ID()); ok {
		t.Error("a dropped key is found")
	}
	if all := during.All("ledger", "acme"); len(all) != 2 || all[1].ID() != old.ID() || all[0].ID() == old.ID() {
		t.Error("All is not the current key and then the old one")
	}
}

// TestNothingPrintsKeys prints all there is in every way and looks for the key.
func TestNothingPrintsKeys(t *testing.T) {
	root := []byte("0123456789abcdef0123456789ABCDEF")
	k := open(t, root)
	key := k.Derive("p", "a")
	var out strings.Builder
	for _, v := range []any{k, key, key.Hasher(), struct{ K *Keys }{k}, []*Key{key}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		b, err := json.Marshal(v)
		out.Write(b)
		if err != nil {
			t.Fatal(err)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("m", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "v", v)
	}
	_, err := k.Unseal("p", "a", []byte("short"))
	fmt.Fprint(&out, err)
	_, err = FromEnv(func(string) string { return base64.StdEncoding.EncodeToString(root[:31]) }, "EXPUNGE_KEY")
	fmt.Fprint(&out, err)
	_, err = ParseKey("EXPUNGE_KEY", string(root)+"!")
	fmt.Fprint(&out, err)
	for _, b := range [][]byte{root, root[:31], key.secret, key.nonce} {
		for _, form := range []string{string(b), hex.EncodeToString(b), base64.StdEncoding.EncodeToString(b), strings.Trim(fmt.Sprint(b), "[]")} {
			if strings.Contains(strings.ToLower(out.String()), strings.ToLower(form)) {
				t.Errorf("a key is printed as %s", form)
			}
		}
	}
}

func TestFromEnv(t *testing.T) {
	line := base64.StdEncoding.EncodeToString
	vars := map[string]string{
		"GOOD": line(secret(1)) + "\n", "OLD": base64.RawURLEncoding.EncodeToString(secret(0xff)),
		"SHORT": line(secret(1)[:31]), "TEXT": "not base64!", "SAME": line(secret(1)),
	}
	env := func(v string) string { return vars[v] }
	k, err := FromEnv(env, "GOOD", "OLD")
	if err != nil || k.Digest("p", "a", nil) != open(t, secret(1)).Digest("p", "a", nil) || len(k.roots) != 2 {
		t.Errorf("good keys: %v", err)
	}
	for _, c := range []struct{ current, old, want string }{
		{"MISSING", "", "read work key: environment variable MISSING is not set: it takes 32 bytes in base64, as `expunge keys new` prints"},
		{"SHORT", "", "read work key: environment variable SHORT holds 31 bytes, not 32, in base64: use a line that `expunge keys new` prints"},
		{"TEXT", "", "read work key: environment variable TEXT is not base64: it takes 32 bytes in base64, as `expunge keys new` prints"},
		{"GOOD", "SAME", "read work key: GOOD and SAME hold the same key; name an old key once, and only while rotating"},
	} {
		var old []string
		if c.old != "" {
			old = []string{c.old}
		}
		if _, err := FromEnv(env, c.current, old...); err == nil || err.Error() != c.want {
			t.Errorf("%s, %s: %v\nwant %s", c.current, c.old, err, c.want)
		}
	}
	if _, err := Open(secret(1)[:16]); err == nil {
		t.Error("a key of 16 bytes is taken")
	}
}

func TestNewKeyLineAndSigner(t *testing.T) {
	l, err := NewKeyLine(bytes.NewReader(secret(5)))
	if err != nil || strings.ContainsAny(l, "\n ") {
		t.Fatalf("%q, %v", l, err)
	}
	if b, err := ParseKey("X", l); err != nil || !bytes.Equal(b, secret(5)) {
		t.Errorf("a new key does not read back: %v", err)
	}
	if _, err := NewKeyLine(bytes.NewReader(secret(5)[:31])); err == nil {
		t.Error("a key of too little randomness is made")
	}
	signer, err := ParseSigner("X", l)
	if err != nil {
		t.Fatal(err)
	}
	public, err := ParsePublic(PublicLine(signer.Public().(ed25519.PublicKey)))
	if err != nil || !ed25519.Verify(public, []byte("m"), ed25519.Sign(signer, []byte("m"))) {
		t.Errorf("a public key does not read back: %v", err)
	}
	if _, err := ParsePublic("AAAA"); err == nil {
		t.Error("a short public key is taken")
	}
}

func TestConcurrentUse(t *testing.T) {
	k, want := open(t, secret(1)), open(t, secret(1)).Digest("p", "a7", []byte("x"))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				k.Seal("p", fmt.Sprint("a", i%9), []byte("x"))
				if got := k.Digest("p", "a7", []byte("x")); got != want {
					t.Errorf("digest %s, want %s", got, want)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkDigest(b *testing.B) {
	k, err := Open(secret(1))
	if err != nil {
		b.Fatal(err)
	}
	key, data := k.Derive("p", "a"), make([]byte, 200)
	b.SetBytes(200)
	b.ReportAllocs()
	for b.Loop() {
		key.Digest(data)
	}
}

// FuzzUnseal: no bytes panic it or open, but a box itself.
func FuzzUnseal(f *testing.F) {
	k, err := Open(secret(1))
	if err != nil {
		f.Fatal(err)
	}
	box := k.Seal("p", "a", []byte("x"))
	f.Add(box)
	f.Add([]byte{})
	f.Add(box[:20])
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := k.Unseal("p", "a", b); err == nil && !bytes.Equal(b, k.Seal("p", "a", []byte("x"))) {
			t.Error("a box nobody made opens")
		}
	})
}
