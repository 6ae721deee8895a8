package verify

import (
	"bytes"

	"expunge/pipeline"
	"expunge/pipeline/identity"
)

// pastSearch searches bytes for needles whose values are not known. Those have no
// literals: they are found as a run finds them, by tokens and digests, but in the
// bytes as they stand, line by line.
type pastSearch struct {
	finder *identity.Finder // nil: there are no such needles
	found  func(needle uint32)
	text   []byte // of lines that are not at their end
}

func (s *Search) newPastSearch(account string, found func(needle uint32)) *pastSearch {
	p := &pastSearch{found: found}
	if s.past {
		p.finder = s.set.Finder(identity.FinderOptions{Search: true, Account: account})
	}
	return p
}

// longLine is how much of a line is waited for.
const longLine = 1 << 16

func (p *pastSearch) add(chunk []byte) {
	if p.finder == nil {
		return
	}
	p.text = append(p.text, chunk...)
	end := bytes.LastIndexByte(p.text, '\n') + 1
	if end == 0 && len(p.text) > longLine {
		end = len(p.text) // what the cut parts is the scanners' alone to find
	}
	p.look(end)
}

func (p *pastSearch) look(n int) {
	if p.finder == nil || n == 0 {
		return
	}
	// Neither lines nor the cells of tables are one text.
	for cell := range bytes.FieldsFuncSeq(p.text[:n], func(r rune) bool { return r == '\n' || r == '\r' || r == '\t' }) {
		for _, m := range p.finder.Find(nil, "", cell) {
			if tier := pipeline.Tier(m.Tier); tier.Automatic() || tier == pipeline.Mention {
				p.found(m.Needle)
			}
		}
	}
	p.text = append(p.text[:0], p.text[n:]...)
}
