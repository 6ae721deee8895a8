package identity

import (
	"slices"

	"expunge/pipeline"
)

// Household reports whether a record that one of a request's own identifiers leads to is
// perhaps that of another person with the same landline or mailbox: own, which are the
// phones, addresses and user ids that the request names, has some of a kind of which the
// record holds others, and none of these. direct are those that stand in the record.
func Household(own []Needle, direct []pipeline.Link) bool {
	mine := func(d pipeline.Link) bool {
		return slices.ContainsFunc(own, func(n Needle) bool { return n.names(d) })
	}
	return slices.ContainsFunc(direct, func(d pipeline.Link) bool {
		return slices.ContainsFunc(own, func(n Needle) bool { return n.Canon.Kind == d.Kind }) &&
			!slices.ContainsFunc(direct, func(e pipeline.Link) bool { return e.Kind == d.Kind && mine(e) })
	})
}

// names reports whether d is a needle's identifier, or another writing of its mailbox.
func (n *Needle) names(d pipeline.Link) bool {
	c := Canon{Kind: d.Kind, Value: pipeline.Secret(d.Value)}
	switch {
	case n.Canon.Kind != d.Kind:
		return false
	case n.Past != nil:
		return n.Past.Is(c)
	case n.Canon.Hashed():
		return n.Canon.Covers(c)
	case d.Kind == pipeline.Email:
		return Mailbox(n.Canon.Value.Reveal()) == Mailbox(d.Value)
	}
	return n.Canon.Value.Reveal() == d.Value
}
