package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// A box is
//
//	version (1 byte, 1) · key id (8) · nonce (12) · AES-256-GCM ciphertext and tag (16)
//
// The nonce is synthetic, in the manner of SIV (RFC 5297, RFC 8452): the first 96
// bits of HMAC-SHA-256, under a key of its own, over the associated data and the
// plaintext. The associated data are version, key id, purpose, account and place:
// the words (a request's id; a file and the number of a frame in it) that say
// where the box belongs, so that who can write there cannot move it elsewhere.
//
// Equal plaintexts of one purpose, account and place give equal boxes. That is wanted,
// so that equal runs give equal bytes; it also means that whoever sees boxes can
// tell which of them hold the same, and how long it is. Nothing else leaks.
//
// Its limit: two different plaintexts of one key that share a nonce would break
// GCM for both. With 2^32 boxes of one purpose and account the chance of that is
// 2^-33. Give whatever seals more than that an account or purpose of its own.
//
// Unseal also computes the nonce again from what it opened, so that a box opens
// under one key only (GCM alone does not commit to its key).
const (
	boxVersion = 1
	nonceSize  = 12
	tagSize    = 16
	headerSize = 1 + idSize + nonceSize

	// Overhead is the number of bytes by which a box is longer than its content.
	Overhead = headerSize + tagSize
)

// Seal returns a box of plain that only Unseal with the same purpose, account and
// place opens. Equal input gives equal boxes.
func (k *Keys) Seal(purpose, account string, plain []byte, place ...string) []byte {
	n := name{useSeal, purpose, account}
	return k.all(n.use, purpose, account)[0].seal(n, plain, place...)
}

// Unseal opens a box with the key that it names, current or old. A box that was
// changed, moved or made with another key is ErrForged.
func (k *Keys) Unseal(purpose, account string, box []byte, place ...string) ([]byte, error) {
	return k.unseal(name{useSeal, purpose, account}, box, place...)
}

// WrapKey seals a random key (the catalog's, say) under the work key, so that it
// can lie in the work store and need not change when the work key does.
func (k *Keys) WrapKey(purpose string, key []byte) []byte {
	n := name{useWrap, purpose, ""}
	return k.all(n.use, n.purpose, n.account)[0].seal(n, key)
}

// UnwrapKey opens what WrapKey made.
func (k *Keys) UnwrapKey(purpose string, box []byte) ([]byte, error) {
	return k.unseal(name{useWrap, purpose, ""}, box)
}

// Current reports whether box was made under the current work key; one that was
// not should be made anew before the old key is dropped.
func (k *Keys) Current(purpose, account string, box []byte) bool {
	key := k.all(useSeal, purpose, account)[0]
	return len(box) >= Overhead && box[0] == boxVersion && string(box[1:1+idSize]) == string(key.id[:])
}

// CurrentWrap is Current for what WrapKey made.
func (k *Keys) CurrentWrap(purpose string, box []byte) bool {
	key := k.all(useWrap, purpose, "")[0]
	return len(box) >= Overhead && box[0] == boxVersion && string(box[1:1+idSize]) == string(key.id[:])
}

func (k *Key) aead() cipher.AEAD {
	block, err := aes.NewCipher(k.secret)
	if err != nil {
		panic(err) // only for a wrong key size
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // only for a wrong block size
	}
	return gcm
}

// associated is what a box is bound to: its version and key id, and its place.
func associated(n name, header []byte, place []string) []byte {
	ad := append([]byte(nil), header[:1+idSize]...)
	for _, s := range append([]string{string(n.use), n.purpose, n.account}, place...) {
		ad = binary.BigEndian.AppendUint32(ad, uint32(len(s)))
		ad = append(ad, s...)
	}
	return ad
}

// synthetic is the nonce for plain. The length of ad comes first, so that no
// pair of ad and plain runs into another.
func (k *Key) synthetic(ad, plain []byte) []byte {
	mac := hmac.New(sha256.New, k.nonce)
	_, _ = mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(ad))))
	_, _ = mac.Write(ad)
	_, _ = mac.Write(plain)
	return mac.Sum(nil)[:nonceSize]
}

func (k *Key) seal(n name, plain []byte, place ...string) []byte {
	box := make([]byte, 0, len(plain)+Overhead)
	box = append(box, boxVersion)
	box = append(box, k.id[:]...)
	ad := associated(n, box, place)
	nonce := k.synthetic(ad, plain)
	box = append(box, nonce...)
	return k.aead().Seal(box, nonce, plain, ad)
}

func (k *Keys) unseal(n name, box []byte, place ...string) ([]byte, error) {
	what := describe(n)
	if len(box) < Overhead {
		return nil, fmt.Errorf("unseal %s: a box of %d bytes is too short: %w", what, len(box), ErrForged)
	}
	if box[0] != boxVersion {
		return nil, fmt.Errorf("unseal %s: a box of version %d, not %d: %w", what, box[0], boxVersion, ErrForged)
	}
	id := box[1 : 1+idSize]
	for _, key := range k.all(n.use, n.purpose, n.account) {
		if string(key.id[:]) != string(id) {
			continue
		}
		ad, nonce := associated(n, box, place), box[1+idSize:headerSize]
		plain, err := key.aead().Open(nil, nonce, box[headerSize:], ad)
		if err != nil || !hmac.Equal(nonce, key.synthetic(ad, plain)) {
			return nil, fmt.Errorf("unseal %s: the box was changed, or belongs elsewhere: %w", what, ErrForged)
		}
		return plain, nil
	}
	return nil, fmt.Errorf("unseal %s: it was sealed with key %s, which is none of the work keys "+
		"(after a rotation name the old one in work.old_key_envs): %w", what, hex.EncodeToString(id), ErrForged)
}

func describe(n name) string {
	if n.account == "" {
		return fmt.Sprintf("%q", n.purpose)
	}
	return fmt.Sprintf("%q of account %q", n.purpose, n.account)
}

// Authenticate returns a MAC of data for one purpose: "KEYID:64 hex digits". Who
// can write to the work store but has no work key cannot make one.
func (k *Keys) Authenticate(purpose string, data []byte) string {
	return k.authenticate(purpose, "", data)
}

func (k *Keys) authenticate(purpose, account string, data []byte) string {
	key := k.all(useMAC, purpose, account)[0]
	return key.ID() + ":" + hex.EncodeToString(key.mac(data))
}

// Verify checks a MAC that Authenticate made, with the key that it names, current
// or old. Any other is ErrForged.
func (k *Keys) Verify(purpose string, data []byte, mac string) error {
	return k.verify(purpose, "", data, mac)
}

func (k *Keys) verify(purpose, account string, data []byte, mac string) error {
	id, sum, ok := strings.Cut(mac, ":")
	want, err := hex.DecodeString(sum)
	if !ok || err != nil || len(want) != sha256.Size || hex.EncodeToString(want) != sum {
		return fmt.Errorf("verify %q: its MAC is not KEYID:HEX: %w", purpose, ErrForged)
	}
	for _, key := range k.all(useMAC, purpose, account) {
		if key.ID() != id {
			continue
		}
		if !hmac.Equal(want, key.mac(data)) {
			return fmt.Errorf("verify %q: its content does not fit its MAC: %w", purpose, ErrForged)
		}
		return nil
	}
	if k.vouched[vouch(purpose, account, data, mac)] {
		return nil
	}
	return fmt.Errorf("verify %q: its MAC names a key that is none of the work keys "+
		"(after a rotation name the old one in work.old_key_envs): %w", purpose, ErrForged)
}

func (k *Key) mac(data []byte) []byte {
	mac := hmac.New(sha256.New, k.secret)
	_, _ = mac.Write(data)
	return mac.Sum(nil)
}
