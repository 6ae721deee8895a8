package seal

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// When a work key was rotated, two things are still asked of the older one, and are
// kept in a box under the current key, so that the older one can be forgotten:
//
//   - keys derived from it, for digests of which nobody has the plain text any more,
//     and for boxes in files that cannot be made again. They compare and open;
//     nothing is made with them;
//   - that a MAC was good, for content of which a digest was approved or is chained.
//     No key for MACs is kept: who has the older key can forge nothing with it.

// keptKey is a derived key in the box.
type keptKey struct {
	Use     use    `json:"use"`
	Purpose string `json:"purpose"`
	Account string `json:"account,omitempty"`
	ID      []byte `json:"id"`
	Secret  []byte `json:"secret"`
	Nonce   []byte `json:"nonce"`
}

func (k *keptKey) name() name { return name{k.Use, k.Purpose, k.Account} }

// keptBox is what is in the box.
type keptBox struct {
	Version int       `json:"version"`
	Keys    []keptKey `json:"keys"`
	Vouched [][]byte  `json:"vouched"`
}

const keptPurpose = "kept"

// voucher is a digest of a MAC and what it was found good for.
type voucher [sha256.Size]byte

func vouch(purpose, account string, data []byte, mac string) voucher {
	sum := sha256.New()
	for _, s := range []string{purpose, account, mac} {
		_, _ = sum.Write(binary.BigEndian.AppendUint32(nil, uint32(len(s))))
		_, _ = sum.Write([]byte(s))
	}
	_, _ = sum.Write(data)
	return voucher(sum.Sum(nil))
}

// Kept is what a rotation has to keep of older work keys.
type Kept struct {
	Box     []byte // for the file that it is bound to; nil where nothing is kept
	Keys    int    // derived keys
	Vouched int    // MACs
}

// Kept seals what was gathered for a file of the work store. With all, what Recall
// brought is kept, too: for a rotation that has not seen every file.
func (r *Rotation) Kept(file string, all bool) (Kept, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	names, vouched := maps.Clone(r.kept), maps.Clone(r.vouched)
	if all {
		for n := range r.keys.kept {
			names[n] = true
		}
		maps.Copy(vouched, r.keys.vouched)
	}
	content := keptBox{Version: 1}
	for _, n := range slices.SortedFunc(maps.Keys(names), name.compare) {
		for _, key := range r.keys.all(n.use, n.purpose, n.account)[1:] {
			content.Keys = append(content.Keys, keptKey{n.use, n.purpose, n.account, key.id[:], key.secret, key.nonce})
		}
	}
	for _, v := range slices.SortedFunc(maps.Keys(vouched), func(a, b voucher) int { return slices.Compare(a[:], b[:]) }) {
		content.Vouched = append(content.Vouched, v[:])
	}
	out := Kept{Keys: len(content.Keys), Vouched: len(content.Vouched)}
	if out.Keys+out.Vouched == 0 {
		return out, nil
	}
	b, err := json.Marshal(content)
	if err != nil {
		return out, fmt.Errorf("keep older keys: %w", err)
	}
	out.Box = r.keys.Seal(keptPurpose, "", b, file)
	return out, nil
}

// Recall opens what Kept sealed for a file, with whichever work key is at hand. It
// is for once, before the keys are used. A box that is not authentic is ErrForged.
func (k *Keys) Recall(file string, box []byte) error {
	b, err := k.Unseal(keptPurpose, "", box, file)
	if err != nil {
		return fmt.Errorf("recall older keys of %s: %w", file, err)
	}
	var content keptBox
	if err := json.Unmarshal(b, &content); err != nil {
		return fmt.Errorf("recall older keys of %s: %w", file, err)
	}
	if content.Version != 1 {
		return fmt.Errorf("recall older keys: %s is of version %d; this program reads 1", file, content.Version)
	}
	for i := range content.Keys {
		x := &content.Keys[i]
		if len(x.ID) != idSize || len(x.Secret) != KeySize || len(x.Nonce) != KeySize || x.Use != useDigest && x.Use != useSeal {
			return fmt.Errorf("recall older keys: key %d of %s is none: %w", i, file, ErrForged)
		}
		key := &Key{id: [idSize]byte(x.ID), secret: x.Secret, nonce: x.Nonce}
		key.pool.New = func() any { return key.Hasher() }
		if k.kept == nil {
			k.kept = map[name][]*Key{}
		}
		k.kept[x.name()] = append(k.kept[x.name()], key)
	}
	for i, v := range content.Vouched {
		if len(v) != sha256.Size {
			return fmt.Errorf("recall older keys: MAC %d of %s is none: %w", i, file, ErrForged)
		}
		if k.vouched == nil {
			k.vouched = map[voucher]bool{}
		}
		k.vouched[voucher(v)] = true
	}
	k.derived.Clear()
	return nil
}

func (n name) compare(o name) int {
	return cmp.Or(cmp.Compare(n.use, o.use), cmp.Compare(n.purpose, o.purpose), cmp.Compare(n.account, o.account))
}
