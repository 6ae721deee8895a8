package seal

import (
	"encoding/base64"
	"sync"
)

// Outcome is what a rotation of the work key makes of one file.
type Outcome struct {
	Again bool // it was made under an older key, and is made again under the current one
	Stays bool // it holds what cannot be made again: what that needs of the older key is kept
}

// Rotation makes again, under the current work key, what older ones made, and
// gathers what has to be kept of these: see Kept. It is safe for concurrent use.
type Rotation struct {
	keys *Keys

	mu      sync.Mutex
	kept    map[name]bool
	vouched map[voucher]bool
}

// Rotation begins a rotation.
func (k *Keys) Rotation() *Rotation {
	return &Rotation{keys: k, kept: map[name]bool{}, vouched: map[voucher]bool{}}
}

// Keys are those of the rotation.
func (r *Rotation) Keys() *Keys { return r.keys }

// Document gives a document under the current key, byte for byte but for its MAC,
// and reports whether it was under an older one. One that is not authentic is ErrForged.
func (r *Rotation) Document(d Document, b []byte) (out []byte, again bool, err error) {
	head, mac, err := r.keys.open(d, b)
	if err != nil || r.keys.current(useMAC, d.Purpose, d.Account).names(mac) {
		return b, false, err
	}
	return r.keys.close(d, append([]byte(nil), head...)), true, nil
}

// Box gives a box under the current key, and reports whether it was under an older one.
func (r *Rotation) Box(purpose, account string, box []byte, place ...string) (out []byte, again bool, err error) {
	if r.keys.Current(purpose, account, box) {
		return box, false, nil
	}
	plain, err := r.keys.Unseal(purpose, account, box, place...)
	if err != nil {
		return nil, false, err
	}
	return r.keys.Seal(purpose, account, plain, place...), true, nil
}

// Text is Box for a box in base64.
func (r *Rotation) Text(purpose, account, text string, place ...string) (out string, again bool, err error) {
	box, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", false, err
	}
	box, again, err = r.Box(purpose, account, box, place...)
	return base64.StdEncoding.EncodeToString(box), again, err
}

// WrappedKey is Box for what WrapKey made.
func (r *Rotation) WrappedKey(purpose string, box []byte) (out []byte, again bool, err error) {
	if r.keys.CurrentWrap(purpose, box) {
		return box, false, nil
	}
	key, err := r.keys.UnwrapKey(purpose, box)
	if err != nil {
		return nil, false, err
	}
	return r.keys.WrapKey(purpose, key), true, nil
}

// MAC checks a MAC of Authenticate, gives that of the current key, and reports
// whether it was of an older one.
func (r *Rotation) MAC(purpose string, data []byte, mac string) (out string, again bool, err error) {
	if err := r.keys.Verify(purpose, data, mac); err != nil {
		return "", false, err
	}
	if r.keys.current(useMAC, purpose, "").names(mac) {
		return mac, false, nil
	}
	return r.keys.Authenticate(purpose, data), true, nil
}

// Vouch checks a MAC that has to stay as it is, since a digest over it was approved
// or stands in a chain. That of an older key is kept as good for this very content,
// and reported.
func (r *Rotation) Vouch(purpose string, data []byte, mac string) (stays bool, err error) {
	if err := r.keys.Verify(purpose, data, mac); err != nil {
		return false, err
	}
	if r.keys.current(useMAC, purpose, "").names(mac) {
		return false, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.vouched[vouch(purpose, "", data, mac)] = true
	return true, nil
}

// KeepDigests keeps the older keys for digests of a purpose and account: what they
// were made of is known nowhere, so that they cannot be made again.
func (r *Rotation) KeepDigests(purpose, account string) { r.keep(name{useDigest, purpose, account}) }

// KeepBoxes keeps the older keys for boxes of a purpose and account that cannot be
// made again.
func (r *Rotation) KeepBoxes(purpose, account string) { r.keep(name{useSeal, purpose, account}) }

func (r *Rotation) keep(n name) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept[n] = true
}
