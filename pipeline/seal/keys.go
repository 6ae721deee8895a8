// Package seal derives keys from the work key and uses them: it seals bytes that
// must not lie in clear in the work store, digests values so that equal ones can
// be told to be equal, and authenticates what others could have written.
//
// One secret, the work key, is given from outside. Everything else is derived
// from it with HKDF-SHA-256 (RFC 5869) for one use, one purpose and one account,
// so that no digest joins across accounts and no box can be moved to another
// place. Every derived key has a public id; outputs name it, and after a rotation
// the right old key is found by it.
//
// The package stores no key anywhere, reads no environment by itself and never
// prints a key: Keys and Key show as redacted under every verb.
package seal

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

// KeySize is the size of the work key and of every derived key, in bytes.
const KeySize = 32

const idSize = 8 // bytes of a key id

// ErrForged says that bytes were not made with the keys at hand, for this purpose
// and account: they were changed, moved, or made with a key that is not here.
var ErrForged = errors.New("not authentic")

// use keeps the keys of the package's own functions apart, whatever purposes
// callers choose.
type use string

const (
	useDigest use = "digest"
	useSeal   use = "seal"
	useWrap   use = "wrap"
	useMAC    use = "mac"
)

// Keys holds the work key and, while it is being rotated, older ones. What is
// made is made with the current key; what is read may be of any. Keys is safe for
// concurrent use.
type Keys struct {
	roots   [][]byte // the current one first
	derived sync.Map // name → []*Key: of roots, then those that are kept

	kept    map[name][]*Key // of older keys that are no roots any more: see Recall
	vouched map[voucher]bool
}

type name struct {
	use              use
	purpose, account string
}

// Open makes Keys of the current work key and older ones, KeySize bytes each.
func Open(current []byte, old ...[]byte) (*Keys, error) {
	k := &Keys{}
	for i, secret := range append([][]byte{current}, old...) {
		if len(secret) != KeySize {
			return nil, fmt.Errorf("open work key %d: it has %d bytes, not %d", i, len(secret), KeySize)
		}
		for j, other := range k.roots {
			if hmac.Equal(other, secret) {
				return nil, fmt.Errorf("open work key %d: it is the same as key %d", i, j)
			}
		}
		k.roots = append(k.roots, append([]byte(nil), secret...))
	}
	return k, nil
}

// Derive returns the current key for digests of one purpose and account. An empty
// account stands for what belongs to no account.
func (k *Keys) Derive(purpose, account string) *Key {
	return k.all(useDigest, purpose, account)[0]
}

// All returns the keys for digests of one purpose and account, the current one
// first: whoever looks for a digest made before a rotation tries each.
func (k *Keys) All(purpose, account string) []*Key {
	return append([]*Key(nil), k.all(useDigest, purpose, account)...)
}

// ByID returns the key for digests whose id is id, current or old.
func (k *Keys) ByID(purpose, account, id string) (*Key, bool) {
	for _, key := range k.all(useDigest, purpose, account) {
		if key.ID() == id {
			return key, true
		}
	}
	return nil, false
}

// Digest is the keyed digest of data under the current key: see Key.Digest.
func (k *Keys) Digest(purpose, account string, data []byte) string {
	return k.Derive(purpose, account).Digest(data)
}

// current is the key that things are made with.
func (k *Keys) current(u use, purpose, account string) *Key { return k.all(u, purpose, account)[0] }

func (k *Keys) all(u use, purpose, account string) []*Key {
	n := name{u, purpose, account}
	if v, ok := k.derived.Load(n); ok {
		return v.([]*Key)
	}
	keys := make([]*Key, len(k.roots))
	for i, root := range k.roots {
		keys[i] = derive(root, n)
	}
	for _, key := range k.kept[n] {
		if !slices.ContainsFunc(keys, func(have *Key) bool { return have.id == key.id }) {
			keys = append(keys, key)
		}
	}
	v, _ := k.derived.LoadOrStore(n, keys)
	return v.([]*Key)
}

// derive expands a root key. The info is a list of length-prefixed strings, so
// that ("ab", "c") and ("a", "bc") differ.
func derive(root []byte, n name) *Key {
	expand := func(part string, size int) []byte {
		var info []byte
		for _, s := range []string{"expunge/1", string(n.use), n.purpose, n.account, part} {
			info = binary.BigEndian.AppendUint32(info, uint32(len(s)))
			info = append(info, s...)
		}
		out, err := hkdf.Key(sha256.New, root, nil, string(info), size)
		if err != nil {
			panic(err) // only for sizes beyond 8160 bytes, or a short key in FIPS mode
		}
		return out
	}
	key := &Key{secret: expand("key", KeySize), nonce: expand("nonce", KeySize)}
	copy(key.id[:], expand("id", idSize))
	key.pool.New = func() any { return key.Hasher() }
	return key
}

// Key is a derived key. It is safe for concurrent use.
type Key struct {
	id     [idSize]byte
	secret []byte
	nonce  []byte // for synthetic nonces only
	pool   sync.Pool
}

// ID names the key in outputs: 16 hex digits that say nothing of the key itself.
func (k *Key) ID() string { return hex.EncodeToString(k.id[:]) }

// names reports whether a MAC names the key as the one it was made with.
func (k *Key) names(mac string) bool {
	id, _, _ := strings.Cut(mac, ":")
	return id == k.ID()
}

// Bytes returns a copy of the secret, for what works with a key of its own.
func (k *Key) Bytes() []byte { return append([]byte(nil), k.secret...) }

// Digest is HMAC-SHA-256 of data, cut to 128 bits, in 32 hex digits. 128 bits
// are enough: at 2^40 records of one account two of them collide with a chance
// of 2^-49, and without the key nobody can look for a collision. Columns of
// digests do not compress, so that the other half would double their size.
func (k *Key) Digest(data []byte) string {
	h := k.pool.Get().(*Hasher)
	_, _ = h.Write(data)
	s := h.Digest()
	k.pool.Put(h)
	return s
}

// Hasher returns a hasher for digests of what comes in pieces.
func (k *Key) Hasher() *Hasher { return &Hasher{mac: hmac.New(sha256.New, k.secret)} }

// Hasher takes bytes in pieces and gives the same digests as Key.Digest. It is
// for one goroutine at a time.
type Hasher struct {
	mac hash.Hash
	sum [sha256.Size]byte
}

// Write adds p. It never fails.
func (h *Hasher) Write(p []byte) (int, error) { return h.mac.Write(p) }

// Digest returns the digest of what was written and starts anew.
func (h *Hasher) Digest() string {
	sum := h.Sum128()
	return hex.EncodeToString(sum[:])
}

// Sum128 is Digest in bytes.
func (h *Hasher) Sum128() [16]byte {
	h.mac.Sum(h.sum[:0])
	h.mac.Reset()
	return [16]byte(h.sum[:16])
}

// Reset forgets what was written.
func (h *Hasher) Reset() { h.mac.Reset() }

const redacted = "[key redacted]"

// Format, LogValue and MarshalText keep keys out of everything that prints.
func (k *Keys) Format(f fmt.State, _ rune)   { _, _ = io.WriteString(f, redacted) }
func (k *Keys) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (k *Keys) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (k *Key) Format(f fmt.State, _ rune)    { _, _ = io.WriteString(f, redacted) }
func (k *Key) LogValue() slog.Value          { return slog.StringValue(redacted) }
func (k *Key) MarshalText() ([]byte, error)  { return []byte(redacted), nil }
func (h *Hasher) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }
