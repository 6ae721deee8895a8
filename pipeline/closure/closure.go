// Package closure grows the identities of requests over link ids, round by round:
// a call id in a consumer's call leads to its recording, the recording's id to the
// audio, and so on until a round brings nothing new. It never leaves an account.
package closure

import (
	"cmp"
	"slices"

	"expunge/pipeline"
	"expunge/pipeline/identity"
)

// Limits bound the walk. What they cut off is reported, never silent.
type Limits struct {
	Depth  int // rounds after the first
	FanOut int // new link ids of one request in one round
}

// Closure is what each request asks for so far.
type Closure struct {
	limits   Limits
	digest   func(account string, link pipeline.Link) string // names a link id in evidence
	needles  []identity.Needle                               // of the current round
	asks     [][]pipeline.Ask
	index    map[identity.Needle]int
	known    map[asked]bool
	fresh    map[pipeline.RequestRef]map[pipeline.Link]int // found in this round, and by how many hops
	depth    int
	Limited  []Limited
	LinksAll int // link ids followed, over all requests
}

type asked struct {
	request pipeline.RequestRef
	link    pipeline.Link
}

// Limited is a request whose walk a limit cut short.
type Limited struct {
	Request pipeline.RequestRef
	Round   int
	Found   int // new link ids
	Kept    int
}

// New returns an empty closure.
func New(l Limits, digest func(account string, link pipeline.Link) string) *Closure {
	return &Closure{limits: l, digest: digest, known: map[asked]bool{}, index: map[identity.Needle]int{}, fresh: map[pipeline.RequestRef]map[pipeline.Link]int{}}
}

// Seed adds one of a request's own identifiers to the first round.
func (c *Closure) Seed(r *pipeline.Request, id pipeline.Identifier, canon identity.Canon) {
	c.known[asked{r.Ref(), pipeline.Link{Kind: canon.Kind, Value: canon.Value.Reveal()}}] = true
	c.add(identity.Needle{Account: r.Account, Canon: canon, Agent: r.Subject == "agent"}, pipeline.Ask{Request: r.Ref(), From: id.ValidFrom, To: id.ValidTo})
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

// Hit takes the link ids of a hit of the current round.
func (c *Closure) Hit(h *pipeline.Hit) {
	if len(h.Links) == 0 {
		return
	}
	hops := 1 << 30
	for _, e := range h.Why {
		hops = min(hops, e.Hops)
	}
	for _, link := range h.Links {
		a := asked{h.Request, link}
		if c.known[a] {
			continue
		}
		of := c.fresh[h.Request]
		if of == nil {
			of = map[pipeline.Link]int{}
			c.fresh[h.Request] = of
		}
		if old, ok := of[link]; !ok || hops+1 < old {
			of[link] = hops + 1
		}
	}
}

// Next begins the next round. It reports whether there is anything new to look for.
// Limits apply to sorted sets, so that the outcome does not hang on who found what first.
func (c *Closure) Next() bool {
	c.needles, c.asks, c.index = nil, nil, map[identity.Needle]int{}
	c.depth++
	refs := make([]pipeline.RequestRef, 0, len(c.fresh))
	for ref := range c.fresh {
		refs = append(refs, ref)
	}
	slices.SortFunc(refs, pipeline.RequestRef.Compare)
	for _, ref := range refs {
		links := make([]pipeline.Link, 0, len(c.fresh[ref]))
		for link := range c.fresh[ref] {
			links = append(links, link)
		}
		slices.SortFunc(links, func(a, b pipeline.Link) int {
			return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Value, b.Value))
		})
		kept := links
		if c.depth > c.limits.Depth {
			kept = nil
		} else if len(links) > c.limits.FanOut {
			kept = links[:c.limits.FanOut]
		}
		if len(kept) < len(links) {
			c.Limited = append(c.Limited, Limited{Request: ref, Round: c.depth + 1, Found: len(links), Kept: len(kept)})
		}
		for _, link := range kept {
			c.known[asked{ref, link}] = true
			c.LinksAll++
			ask := pipeline.Ask{Request: ref, Via: c.digest(ref.Account, link), Hops: c.fresh[ref][link]}
			c.add(identity.Needle{Account: ref.Account, Canon: identity.Canon{Kind: link.Kind, Value: pipeline.Secret(link.Value)}, Tier: pipeline.Linked}, ask)
		}
	}
	c.fresh = map[pipeline.RequestRef]map[pipeline.Link]int{}
	return len(c.needles) > 0
}
