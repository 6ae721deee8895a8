package ledger

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/engine"
	"expunge/pipeline/identity"
	"expunge/pipeline/seal"
)

// readers of the ledger read at a time: it has thousands of small files.
const readers = 32

// Past is what the ledger remembers of some requests, to be searched for again.
type Past struct {
	Needles []identity.Needle // each once
	Asks    [][]pipeline.Ask  // by needle
	Covered map[pipeline.RequestRef]*Coverage
	Beside  map[pipeline.RequestRef][]identity.Needle // direct identifiers that are the consumer's, and not searched for
	Stale   []Stale
	Unread  []string // files that are none of the ledger, or not as they were written
}

// Stale is a file whose tokens are of another tokenizer or catalog key: what it
// remembers is not found again by it.
type Stale struct {
	Request pipeline.RequestRef
	Run     string
}

// Coverage is what the deletion of a request reaches.
type Coverage struct {
	Cutoff int64 // Unix milliseconds: what is dated later is new
	Copies bool  // only what has the bytes of something erased is the deletion's, dated or not: the consumer was given that, and is still to be given the rest
	erased map[[16]byte]struct{}
}

// Erased reports whether raw is a record that was erased, or the Content of an object that
// went as a whole, by its digest under the work key or an older one: the same bytes have
// come again. nil is nothing.
func (c *Coverage) Erased(keys *seal.Keys, account string, raw []byte) bool {
	if raw == nil {
		return false
	}
	for _, key := range keys.All("record", account) {
		b, err := hex.DecodeString(key.Digest(raw))
		if err != nil || len(b) != 16 {
			continue
		}
		if _, ok := c.erased[[16]byte(b)]; ok {
			return true
		}
	}
	return false
}

// Gather reads files of the ledger, in their order.
func (l *Ledger) Gather(ctx context.Context, names []string, key identity.Key) (*Past, error) {
	p := &Past{Covered: map[pipeline.RequestRef]*Coverage{}, Beside: map[pipeline.RequestRef][]identity.Needle{}}
	type same struct {
		account, digest, keyID string
		kind                   pipeline.Kind
		tier                   pipeline.Tier
		agent, doubt           bool
		ext                    string
	}
	index := map[same]int{}
	for lo := 0; lo < len(names); lo += readers {
		some := names[lo:min(lo+readers, len(names))]
		entries := make([]*Entry, len(some))
		err := engine.Each(ctx, readers, len(some), func(ctx context.Context, i int) (err error) {
			entries[i], err = l.Read(ctx, some[i], key)
			if err != nil && ctx.Err() == nil && !errors.Is(err, connectors.ErrTemporary) {
				return nil // the others are as good as they were
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		for i, e := range entries {
			if e == nil {
				p.Unread = append(p.Unread, some[i])
				continue
			}
			ref, err := pipeline.ParseRequestRef(e.Request)
			if err != nil {
				return nil, fmt.Errorf("read ledger: %s: %w", some[i], err)
			}
			of := p.Covered[ref]
			if of == nil {
				of = &Coverage{erased: map[[16]byte]struct{}{}}
				p.Covered[ref] = of
			}
			of.Cutoff = max(of.Cutoff, e.Cutoff)
			for _, d := range e.Records {
				of.erased[d] = struct{}{}
			}
			digests, ok := l.Keys.ByID(Purpose, e.Account, e.KeyID)
			if !ok {
				return nil, fmt.Errorf("read ledger: %s: its digests are of work key %s, which is not given: name it in old_key_envs", some[i], e.KeyID)
			}
			for _, n := range e.Needles {
				if n.Beside {
					p.Beside[ref] = append(p.Beside[ref], n.Remembered.Needle(e.Account, n.Kind, digests))
				}
			}
			if e.Stale {
				p.Stale = append(p.Stale, Stale{ref, e.Run})
				continue
			}
			for _, n := range e.Needles {
				if n.Beside {
					continue
				}
				id := same{e.Account, n.Value, e.KeyID, n.Kind, n.Tier, n.Agent, n.Doubt, n.Ext}
				k, known := index[id]
				if !known {
					k = len(p.Needles)
					index[id] = k
					needle := n.Remembered.Needle(e.Account, n.Kind, digests)
					needle.Tier, needle.Agent = n.Tier, n.Agent
					needle.Canon.Doubt = n.Doubt
					p.Needles, p.Asks = append(p.Needles, needle), append(p.Asks, nil)
				}
				p.Asks[k] = append(p.Asks[k], n.Asks...)
			}
		}
	}
	return p, nil
}
