package verify

import (
	"slices"

	"expunge/pipeline"
	"expunge/pipeline/identity"
	"expunge/scanners"
)

// Search is what is searched for: the identities of requests.
type Search struct {
	set      *identity.Set
	asks     [][]pipeline.Ask
	agents   []bool // by needle: whether it is of a request whose subject is an agent
	literals *literals
	past     bool // some needles are known by digests alone, or were given so
}

// NewSearch compiles needles. Unlike a run's, the search looks into fields of other
// parties, too: what stands there is nobody's residue, but it explains raw bytes.
func NewSearch(key identity.Key, region string, needles []identity.Needle, asks [][]pipeline.Ask) *Search {
	s := &Search{asks: asks, literals: newLiterals(needles)}
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
