// Package closure grows the identities of requests over link ids, round by round:
// a call id in a consumer's call leads to its recording, the recording's id to the
// audio, and so on until a round brings nothing new. It never leaves an account.
//
// A link id that stands beside a direct identifier of somebody else (a phone, an
// address, a user id) is shared: a household's landline, a switchboard, a browser that
// two people use. The walk stops there, and what only it leads to is for review.
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

// Options say what a closure knows of the world.
type Options struct {
	Limits
	Digest func(account string, link pipeline.Link) string // names a link id in evidence

	// Cutoff is up to when records are a deletion's, in Unix milliseconds; pipeline.NoTime
	// for a request that has none. What is dated later leads to nothing that is erased.
	Cutoff func(pipeline.RequestRef) int64

	// Business reports whether a direct identifier is the account's own in a record of a
	// time, in Unix milliseconds.
	Business func(account string, direct pipeline.Link, at int64) bool

	// Periods are those in which a phone number was the account's own.
	Periods func(account string, canon identity.Canon) []pipeline.Period

	// DataPoints says how many data points have to confirm who a request is of before
	// anything is done for it without being asked, and how many have, in earlier runs.
	// nil: none have to.
	DataPoints func(pipeline.RequestRef) (needed, known int)
}

// Closure is what each request asks for so far.
type Closure struct {
	o        Options
	needles  []identity.Needle // of the current round
	asks     [][]pipeline.Ask
	index    map[identity.Needle]int
	known    map[asked]bool // whether it is known only through what is dated after the cut-off
	seeds    map[pipeline.RequestRef][]identity.Canon
	named    map[pipeline.RequestRef][]identity.Needle // direct identifiers that requests name, or named in earlier runs
	past     map[pipeline.RequestRef][]identity.Needle // direct identifiers that earlier runs knew, without their values
	own      map[asked]struct{}                        // direct identifiers of the consumers
	beside   []Beside                                  // the same, but those that are asked for
	others   map[through]map[asked]pipeline.Link       // direct identifiers that nobody knows as the consumer's, by the link ids beside them
	digests  digests
	shared   map[through]struct{}
	sharing  map[pipeline.RequestRef][]identity.Needle // link ids that an earlier run knew as shared
	agents   map[pipeline.RequestRef]bool              // requests of agents
	given    map[pipeline.RequestRef][]asDigest
	revealed map[pipeline.RequestRef]map[pipeline.Link]asDigest // in this round: what was given as digests, in clear
	points   map[pipeline.RequestRef]int                        // the most data points in one record
	fresh    map[pipeline.RequestRef]*smallest                  // found in this round
	depth    int
	Limited  []Limited
	LinksAll int // link ids followed, over all requests
}

// asDigest is one of a request's own identifiers that is given as a digest.
type asDigest struct {
	needle identity.Needle
	ask    pipeline.Ask
}

// through is a link id of a request, by its digest in evidence.
type through struct {
	request pipeline.RequestRef
	via     string
}

// Beside is a direct identifier that stands beside a consumer's own. It is not
// searched for, but it is known as the consumer's.
type Beside struct {
	Request pipeline.RequestRef
	Direct  pipeline.Link
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

// New returns an empty closure.
func New(o Options) *Closure {
	return &Closure{
		o: o, known: map[asked]bool{}, seeds: map[pipeline.RequestRef][]identity.Canon{}, named: map[pipeline.RequestRef][]identity.Needle{}, past: map[pipeline.RequestRef][]identity.Needle{},
		own: map[asked]struct{}{}, others: map[through]map[asked]pipeline.Link{}, shared: map[through]struct{}{}, sharing: map[pipeline.RequestRef][]identity.Needle{}, agents: map[pipeline.RequestRef]bool{},
		points: map[pipeline.RequestRef]int{}, index: map[identity.Needle]int{}, fresh: map[pipeline.RequestRef]*smallest{},
		digests: newDigests(), given: map[pipeline.RequestRef][]asDigest{}, revealed: map[pipeline.RequestRef]map[pipeline.Link]asDigest{},
	}
}

// Seed adds one of a request's own identifiers to the first round.
func (c *Closure) Seed(r *pipeline.Request, id pipeline.Identifier, canon identity.Canon) {
	c.known[newAsked(r.Ref(), pipeline.Link{Kind: canon.Kind, Value: canon.Value.Reveal()})] = false
	c.seeds[r.Ref()] = append(c.seeds[r.Ref()], canon)
	c.agents[r.Ref()] = r.Subject == "agent"
	c.own[sameDirect(r.Ref(), pipeline.Link{Kind: canon.Kind, Value: canon.Value.Reveal()})] = struct{}{}
	c.digests.add(r.Ref(), canon, true)
	n, ask := identity.Needle{Account: r.Account, Canon: canon, Agent: r.Subject == "agent"}, pipeline.Ask{Request: r.Ref(), From: id.ValidFrom, To: id.ValidTo, Business: c.o.Periods(r.Account, canon)}
	c.name(r.Ref(), n)
	if canon.Hashed() {
		c.given[r.Ref()] = append(c.given[r.Ref()], asDigest{n, ask})
	}
	c.add(n, ask)
}

// name takes down a direct identifier that a request names.
func (c *Closure) name(ref pipeline.RequestRef, n identity.Needle) {
	if identity.Direct(n.Canon.Kind) {
		c.named[ref] = append(c.named[ref], n)
	}
}

// reveal takes a direct identifier whose digest its request has given for what it is: the
// request's own. The next round looks for it in all its writings.
func (c *Closure) reveal(ref pipeline.RequestRef, d pipeline.Link) {
	for _, g := range c.given[ref] {
		if !g.needle.Canon.Covers(identity.Canon{Kind: d.Kind, Value: pipeline.Secret(d.Value)}) {
			continue
		}
		c.own[sameDirect(ref, d)] = struct{}{}
		id := newAsked(ref, d)
		if _, old := c.known[id]; old {
			return
		}
		c.known[id] = false
		if c.revealed[ref] == nil {
			c.revealed[ref] = map[pipeline.Link]asDigest{}
		}
		c.revealed[ref][d] = g
		return
	}
}

// seedRevealed begins the next round with what was revealed.
func (c *Closure) seedRevealed() {
	for _, ref := range slices.SortedFunc(maps.Keys(c.revealed), pipeline.RequestRef.Compare) {
		of := c.revealed[ref]
		for _, d := range slices.SortedFunc(maps.Keys(of), compare) {
			n := of[d].needle
			canon, err := identity.Normalise(d.Kind, pipeline.Secret(plus(d)), "")
			if err != nil {
				continue // it was found as it is: it is in canonical form
			}
			n.Canon, n.Tier = canon, pipeline.Hashed
			c.add(n, of[d].ask)
		}
	}
	clear(c.revealed)
}

// plus is a direct identifier as Normalise reads it without a region.
func plus(d pipeline.Link) string {
	if d.Kind == pipeline.Phone {
		return "+" + d.Value
	}
	return d.Value
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
		if ask.Shared { // for good: that the other person's records are gone makes it nobody's own
			c.shared[through{ask.Request, ask.Via}] = struct{}{}
			if n.Past != nil { // under another work key, the same link id has another digest
				c.sharing[ask.Request] = append(c.sharing[ask.Request], n)
			}
		}
		c.agents[ask.Request] = c.agents[ask.Request] || n.Agent
		if ask.Via == "" && n.Past != nil {
			c.name(ask.Request, n)
			c.past[ask.Request] = append(c.past[ask.Request], n)
		}
	}
}

// Known adds a direct identifier that an earlier run knew as the consumer's, without
// its value. It is not searched for.
func (c *Closure) Known(ref pipeline.RequestRef, n identity.Needle) {
	c.past[ref] = append(c.past[ref], n)
}

// sameDirect is one for all writings of a direct identifier.
func sameDirect(ref pipeline.RequestRef, l pipeline.Link) asked {
	if l.Kind == pipeline.Email {
		l.Value = identity.Mailbox(l.Value)
	}
	l.Kind += " direct"
	return newAsked(ref, l)
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

// Meet takes the direct identifiers and digests of a hit of the current round, and what it confirms of
// the consumer. All hits of a round are met before the first is given to Hit.
//
// What stands beside an identifier of the consumer's own is taken for the consumer's,
// too, unless the request itself names one of that kind, or it is an agent's, whose
// records are of all that they talk to; what is dated after the cut-off, or not dated
// where that matters, tells nothing of the consumer, nor does what does not say whose it is.
func (c *Closure) Meet(h *pipeline.Hit) {
	c.confirm(h)
	if len(h.Direct) == 0 && len(h.Digests) == 0 || !h.Automatic() {
		return
	}
	direct := c.isDirect(h)
	tells := direct && !c.household(h) && h.Decided == nil && !h.Unsure && !c.agents[h.Request] && !c.after(h) && !slices.ContainsFunc(h.Why, func(e pipeline.Evidence) bool { return e.Undated || e.Late })
	for _, d := range h.Direct {
		c.reveal(h.Request, d)
		is := sameDirect(h.Request, d)
		if c.knows(h.Request, d) || c.o.Business(h.Request.Account, d, h.Time) {
			continue
		}
		if tells && !c.names(h.Request, d.Kind) {
			c.own[is] = struct{}{}
			c.beside = append(c.beside, Beside{h.Request, d})
			c.digests.add(h.Request, identity.Canon{Kind: d.Kind, Value: pipeline.Secret(d.Value)}, false)
			continue
		}
		if direct {
			continue // the record is the consumer's, whoever else is in it
		}
		for _, e := range h.Why {
			if e.Via == "" || !e.Tier.Automatic() {
				continue
			}
			t := through{h.Request, e.Via}
			if c.others[t] == nil {
				c.others[t] = map[asked]pipeline.Link{}
			}
			c.others[t][is] = d
		}
	}
	c.meetDigests(h, direct, tells)
}

// confirm counts the data points of a hit: the kinds of the request's own identifiers
// that stand together in the record, names too, so that they are one person's, and each
// without a doubt. What is dated after the cut-off may be another's by now.
func (c *Closure) confirm(h *pipeline.Hit) {
	if c.o.DataPoints == nil || h.Excluded() || c.after(h) {
		return
	}
	var kinds []pipeline.Kind
	for _, e := range h.Why {
		if e.Via == "" && !e.Undated && (e.Tier.Automatic() || e.Rule == identity.RuleName) && !slices.Contains(kinds, e.Kind) {
			kinds = append(kinds, e.Kind)
		}
	}
	c.points[h.Request] = max(c.points[h.Request], len(kinds))
}

// DataPoints is how many data points confirm who a request is of, as far as hits were
// met and earlier runs know.
func (c *Closure) DataPoints(ref pipeline.RequestRef) int {
	if c.o.DataPoints == nil {
		return 0
	}
	_, known := c.o.DataPoints(ref)
	return max(known, c.points[ref])
}

// unconfirmed reports whether too few data points confirm who a request is of.
func (c *Closure) unconfirmed(ref pipeline.RequestRef) bool {
	if c.o.DataPoints == nil {
		return false
	}
	needed, _ := c.o.DataPoints(ref)
	return c.DataPoints(ref) < needed
}

// isDirect reports whether a hit was found by a phone, an address or a user id of the
// request, and not only by an id of something; or a person has said whose it is.
func (c *Closure) isDirect(h *pipeline.Hit) bool {
	return h.Decided != nil || slices.ContainsFunc(h.Why, func(e pipeline.Evidence) bool {
		return e.Via == "" && e.Tier.Automatic() && identity.Direct(e.Kind)
	})
}

// household reports whether a hit is perhaps in the record of another person who shares
// the consumer's phone or address. An agent's records are of all that they talk to.
func (c *Closure) household(h *pipeline.Hit) bool {
	if h.Decided != nil || c.agents[h.Request] || len(h.Direct) == 0 {
		return false
	}
	direct := slices.DeleteFunc(slices.Clone(h.Direct), func(d pipeline.Link) bool {
		return c.o.Business(h.Request.Account, d, h.Time) || slices.ContainsFunc(h.Why, func(e pipeline.Evidence) bool {
			return e.Via == "" && e.Kind == d.Kind && e.Tier.Automatic() // hers was found, in whatever writing
		})
	})
	return identity.Household(c.named[h.Request], direct)
}

// after reports whether a hit is dated after the cut-off of its request.
func (c *Closure) after(h *pipeline.Hit) bool {
	cutoff := c.o.Cutoff(h.Request)
	return cutoff != pipeline.NoTime && h.Time != pipeline.NoTime && h.Time > cutoff
}

// names reports whether a request names an identifier of a kind itself.
func (c *Closure) names(ref pipeline.RequestRef, kind pipeline.Kind) bool {
	return slices.ContainsFunc(c.seeds[ref], func(own identity.Canon) bool { return own.Kind == kind })
}

// knows reports whether a direct identifier is the consumer's.
func (c *Closure) knows(ref pipeline.RequestRef, d pipeline.Link) bool {
	if _, own := c.own[sameDirect(ref, d)]; own {
		return true
	}
	return slices.ContainsFunc(c.past[ref], func(n identity.Needle) bool { return is(n, d) })
}

// is reports whether a needle of the past is a link.
func is(n identity.Needle, l pipeline.Link) bool {
	return n.Canon.Kind == l.Kind && n.Past.Is(identity.Canon{Kind: l.Kind, Value: pipeline.Secret(l.Value)})
}

// Met ends the hits that are met: what stands beside somebody else is shared.
func (c *Closure) Met() {
	for t, others := range c.others {
		for _, d := range others {
			if !c.knows(t.request, d) {
				c.shared[t] = struct{}{}
				break
			}
		}
	}
	clear(c.others)
	c.shareDigests()
	for i := range c.asks {
		for k := range c.asks[i] {
			ask := &c.asks[i][k]
			_, ask.Shared = c.shared[through{ask.Request, ask.Via}]
			ask.Unconfirmed = c.unconfirmed(ask.Request)
		}
	}
}

// Beside are the direct identifiers that are known as consumers' without being asked
// for, in the order in which they were met.
func (c *Closure) Beside() []Beside { return c.beside }

// Judge leaves to a person what only shared link ids lead to, what stands in a record with
// somebody else's identifier in the place of the consumer's, what is not dated where that
// matters, and all of a request that too few data points confirm.
func (c *Closure) Judge(h *pipeline.Hit) {
	h.Tier = pipeline.Review
	unconfirmed, household := c.unconfirmed(h.Request), c.household(h)
	for i := range h.Why {
		e := &h.Why[i]
		if _, shared := c.shared[through{h.Request, e.Via}]; shared && e.Tier.Automatic() {
			e.Tier, e.Rule = pipeline.Review, e.Rule+".shared"
		}
		if household && e.Tier.Automatic() {
			e.Tier, e.Rule = pipeline.Review, e.Rule+".household"
		}
		if e.Undated && e.Tier.Automatic() {
			e.Tier, e.Rule = pipeline.Review, e.Rule+".undated"
		}
		if unconfirmed && e.Tier.Automatic() {
			e.Tier, e.Rule = pipeline.Review, e.Rule+".unconfirmed"
		}
		if e.Tier.Surer(h.Tier) {
			h.Tier = e.Tier
		}
	}
}

// Hit takes the link ids of a hit of the current round. Of each request it keeps
// the first FanOut in order, whatever the order in which they are found.
func (c *Closure) Hit(h *pipeline.Hit) {
	if len(h.Links) == 0 {
		return
	}
	if c.Judge(h); !h.Automatic() {
		return
	}
	if !c.isDirect(h) && (c.foreignDigest(h) || slices.ContainsFunc(h.Direct, func(d pipeline.Link) bool {
		return !c.knows(h.Request, d) && !c.o.Business(h.Request.Account, d, h.Time)
	})) {
		return // an id of something that the request names, in the record of somebody else
	}
	after := c.after(h)
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
			of = &smallest{limit: c.o.FanOut, ways: map[pipeline.Link]way{}}
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
	c.seedRevealed()
	for _, ref := range slices.SortedFunc(maps.Keys(c.fresh), pipeline.RequestRef.Compare) {
		of := c.fresh[ref]
		kept := of.sorted()
		found := len(kept)
		if of.more {
			found++
		}
		if c.depth > c.o.Depth {
			kept = nil
		}
		if len(kept) < found {
			c.Limited = append(c.Limited, Limited{Request: ref, Round: c.depth + 1, Found: found, Kept: len(kept)})
		}
		for _, link := range kept {
			c.known[newAsked(ref, link)] = of.ways[link].late
			c.LinksAll++
			if slices.ContainsFunc(c.sharing[ref], func(n identity.Needle) bool { return is(n, link) }) {
				c.shared[through{ref, c.o.Digest(ref.Account, link)}] = struct{}{}
			}
			canon := identity.Canon{Kind: link.Kind, Value: pipeline.Secret(link.Value)}
			ask := pipeline.Ask{Request: ref, Via: c.o.Digest(ref.Account, link), Hops: of.ways[link].hops, Late: of.ways[link].late, Business: c.o.Periods(ref.Account, canon)}
			c.add(identity.Needle{Account: ref.Account, Canon: canon, Tier: pipeline.Linked}, ask)
		}
	}
	c.fresh = map[pipeline.RequestRef]*smallest{}
	return len(c.needles) > 0
}
