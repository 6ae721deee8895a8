package verify

import (
	"slices"

	"expunge/pipeline"
	"expunge/pipeline/identity"
	"expunge/pipeline/record"
	"expunge/scanners"
)

// Search is what is searched for: the identities of requests.
type Search struct {
	set      *identity.Set
	asks     [][]pipeline.Ask
	agents   []bool // by needle: whether it is of a request whose subject is an agent
	literals *literals
	named    map[pipeline.RequestRef][]identity.Needle // direct identifiers of the requests themselves, but for agents
	past     bool                                      // some needles are known by digests alone, or were given so
}

// NewSearch compiles needles. Unlike a run's, the search looks into fields of other
// parties, too: what stands there is nobody's residue, but it explains raw bytes.
func NewSearch(key identity.Key, region string, needles []identity.Needle, asks [][]pipeline.Ask) *Search {
	s := &Search{asks: asks, literals: newLiterals(needles), named: map[pipeline.RequestRef][]identity.Needle{}}
	for i, n := range needles {
		for _, ask := range asks[i] {
			if ask.Via == "" && !n.Agent && identity.Direct(n.Canon.Kind) {
				s.named[ask.Request] = append(s.named[ask.Request], n)
			}
		}
	}
	plain := slices.Clone(needles)
	for i := range plain {
		s.agents = append(s.agents, plain[i].Agent)
		plain[i].Agent = false
		s.past = s.past || plain[i].Past != nil || plain[i].Canon.Hashed()
	}
	s.set = identity.Compile(key, region, plain)
	return s
}

// finder searches objects of a dataset, in fields of every party.
func (s *Search) finder(d *pipeline.Dataset, account string) *identity.Finder {
	return s.set.Finder(identity.FinderOptions{Fields: d.Fields, Objects: d.Object, Time: d.Time, Search: d.Search, Account: account, EveryParty: true})
}

// household reports whether a record is perhaps another person's, who shares the phone or
// the address of a request's consumer: then it was left to a person.
func (s *Search) household(ref pipeline.RequestRef, f *identity.Finder, r *scanners.Record, judge *record.Judge) bool {
	found := func(kind pipeline.Kind) bool { // in whatever writing
		return slices.ContainsFunc(r.Matches, func(m scanners.Match) bool {
			return m.Kind == string(kind) && pipeline.Tier(m.Tier).Automatic() &&
				slices.ContainsFunc(s.asks[m.Needle], func(ask pipeline.Ask) bool { return ask.Request == ref && ask.Via == "" })
		})
	}
	var direct []pipeline.Link
	for _, leaf := range r.Leaves {
		if judge.Of(f.Declared(leaf.Path)) == record.Other {
			continue
		}
		for _, l := range f.Direct(nil, leaf.Path, leaf.Value) {
			if !found(l.Kind) {
				direct = append(direct, pipeline.Link{Kind: l.Kind, Value: l.Value.Reveal()})
			}
		}
	}
	return identity.Household(s.named[ref], direct)
}

// thirdParty reports whether a match stands in a field of a party that its needle
// is not asked of.
func (s *Search) thirdParty(f *identity.Finder, m scanners.Match) bool {
	party := pipeline.Consumer
	if field := f.Declared(m.Path); field != nil {
		party = field.Party
	}
	if s.agents[m.Needle] {
		return party != pipeline.Agent
	}
	return party != pipeline.Consumer
}
