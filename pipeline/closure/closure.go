// Package closure grows the identities of requests over link ids, round by round:
// a call id in a consumer's call leads to its recording, the recording's id to the
// audio, and so on until a round brings nothing new. It never leaves an account.
package closure

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"

	"expunge/pipeline"
	"expunge/pipeline/identity"
)

// Limits bound the walk, and its memory. What they cut off is reported, never
// silent.
type Limits struct {
	Depth  int // rounds after the first
	FanOut int // new link ids of one request in one round
}

// Closure is what each request asks for so far.
type Closure struct {
	limits   Limits
	digest   func(account string, link pipeline.Link) string // names a link id in evidence
	cutoff   func(pipeline.RequestRef) int64                 // Unix milliseconds; what is dated later leads to nothing that is erased
	needles  []identity.Needle                               // of the current round
	asks     [][]pipeline.Ask
	index    map[identity.Needle]int
	known    map[asked]bool // whether it is known only through what is dated after the cut-off
	seeds    map[pipeline.RequestRef][]identity.Canon
	fresh    map[pipeline.RequestRef]*smallest // found in this round
	depth    int
	Limited  []Limited
	LinksAll int // link ids followed, over all requests
}

// asked is a digest of a request and a link id: what was asked before is kept for
// the whole walk, so it must not take more than a few words.
type asked [16]byte

func newAsked(ref pipeline.RequestRef, link pipeline.Link) asked {
	var b []byte
	for _, s := range []string{ref.Account, ref.ID, string(link.Kind), link.Value} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	sum := sha256.Sum256(b)
	return asked(sum[:16])
}

// Limited is a request whose walk a limit cut short.
type Limited struct {
	Request pipeline.RequestRef
	Round   int
	Found   int // new link ids, at least: those beyond the limit are not kept to be counted
	Kept    int
}

// New returns an empty closure. cutoff is pipeline.NoTime for a request that has none.
func New(l Limits, digest func(account string, link pipeline.Link) string, cutoff func(pipeline.RequestRef) int64) *Closure {
	return &Closure{limits: l, digest: digest, cutoff: cutoff, known: map[asked]bool{}, seeds: map[pipeline.RequestRef][]identity.Canon{}, index: map[identity.Needle]int{}, fresh: map[pipeline.RequestRef]*smallest{}}
}

// Seed adds one of a request's own identifiers to the first round.
func (c *Closure) Seed(r *pipeline.Request, id pipeline.Identifier, canon identity.Canon) {
	c.known[newAsked(r.Ref(), pipeline.Link{Kind: canon.Kind, Value: canon.Value.Reveal()})] = false
	c.seeds[r.Ref()] = append(c.seeds[r.Ref()], canon)
	c.add(identity.Needle{Account: r.Account, Canon: canon, Agent: r.Subject == "agent"}, pipeline.Ask{Request: r.Ref(), From: id.ValidFrom, To: id.ValidTo})
}

// Recall adds what was searched for by earlier runs to the first round, less what
// requests ask for themselves: Seed comes first.
func (c *Closure) Recall(n identity.Needle, asks []pipeline.Ask) {
	for _, ask := range asks {
		if !slices.ContainsFunc(c.seeds[ask.Request], func(own identity.Canon) bool {
			if n.Past != nil {
				return own.Kind == n.Canon.Kind && n.Past.Is(own)
			}
			return own == n.Canon
		}) {
			c.add(n, ask)
		}
	}
}

func (c *Closure) add(n identity.Needle, ask pipeline.Ask) {
	if i, ok := c.index[n]; ok {
		c.asks[i] = append(c.asks[i], ask)
		return
	}
	c.index[n] = len(c.needles)
	c.needles = append(c.needles, n)
	c.asks = append(c.asks, []pipeline.Ask{ask})
}

// Round returns what the current round looks for, and for whom.
func (c *Closure) Round() ([]identity.Needle, [][]pipeline.Ask) { return c.needles, c.asks }

// Hit takes the link ids of a hit of the current round. Of each request it keeps
// the first FanOut in order, whatever the order in which they are found.
func (c *Closure) Hit(h *pipeline.Hit) {
	if len(h.Links) == 0 {
		return
	}
	cutoff := c.cutoff(h.Request)
	after := cutoff != pipeline.NoTime && h.Time != pipeline.NoTime && h.Time > cutoff
	w := way{hops: 1 << 30, late: true}
	for _, e := range h.Why {
		w.hops, w.late = min(w.hops, e.Hops), w.late && (e.Late || after)
	}
	w.hops++
	of := c.fresh[h.Request]
	for _, link := range h.Links {
		if late, old := c.known[newAsked(h.Request, link)]; old && (w.late || !late) {
			continue
		}
		if of == nil {
			of = &smallest{limit: c.limits.FanOut, ways: map[pipeline.Link]way{}}
			c.fresh[h.Request] = of
		}
		of.add(link, w)
	}
}

// Next begins the next round. It reports whether there is anything new to look for.
// Limits apply to sorted sets, so that the outcome does not hang on who found what first.
func (c *Closure) Next() bool {
	c.needles, c.asks, c.index = nil, nil, map[identity.Needle]int{}
	c.depth++
	for _, ref := range slices.SortedFunc(maps.Keys(c.fresh), pipeline.RequestRef.Compare) {
		of := c.fresh[ref]
		kept := of.sorted()
		found := len(kept)
		if of.more {
			found++
		}
		if c.depth > c.limits.Depth {
			kept = nil
		}
		if len(kept) < found {
			c.Limited = append(c.Limited, Limited{Request: ref, Round: c.depth + 1, Found: found, Kept: len(kept)})
		}
		for _, link := range kept {
			c.known[newAsked(ref, link)] = of.ways[link].late
			c.LinksAll++
			ask := pipeline.Ask{Request: ref, Via: c.digest(ref.Account, link), Hops: of.ways[link].hops, Late: of.ways[link].late}
			c.add(identity.Needle{Account: ref.Account, Canon: identity.Canon{Kind: link.Kind, Value: pipeline.Secret(link.Value)}, Tier: pipeline.Linked}, ask)
		}
	}
	c.fresh = map[pipeline.RequestRef]*smallest{}
	return len(c.needles) > 0
}
