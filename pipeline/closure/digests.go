package closure

import (
	"slices"

	"expunge/pipeline"
	"expunge/pipeline/identity"
)

// digests is what is known of digests in fields that are declared to hold phones or
// addresses. That one is nobody's known proves little: of a salted one, or of another
// writing, the consumer's own are unknown, too. So it is somebody else's only in a field
// that holds the consumer's own in the same form in other records.
type digests struct {
	own    map[asked]bool                             // the consumers'; true: of what requests name themselves
	fields map[asked]struct{}                         // fields in which one of them stands, by form
	others map[through]map[pipeline.Digested]struct{} // those that nobody knows as the consumer's, by the link ids beside them; Field names the dataset, too
}

func newDigests() digests {
	return digests{own: map[asked]bool{}, fields: map[asked]struct{}{}, others: map[through]map[pipeline.Digested]struct{}{}}
}

func digestAsked(ref pipeline.RequestRef, kind pipeline.Kind, sum string) asked {
	return newAsked(ref, pipeline.Link{Kind: kind + " digest", Value: sum})
}

func fieldAsked(ref pipeline.RequestRef, d pipeline.Digested) asked {
	return newAsked(ref, pipeline.Link{Kind: d.Kind + " field", Value: d.Field + "\x00" + d.Form})
}

// add knows the digests of an identifier as the consumer's.
func (d *digests) add(ref pipeline.RequestRef, canon identity.Canon, named bool) {
	for _, sum := range canon.Sums() {
		d.know(digestAsked(ref, canon.Kind, sum), named)
	}
}

func (d *digests) know(is asked, named bool) { d.own[is] = d.own[is] || named }

// knows reports whether a digest is known as the consumer's.
func (d *digests) knows(ref pipeline.RequestRef, x pipeline.Digested) bool {
	_, own := d.own[digestAsked(ref, x.Kind, x.Value)]
	return own
}

// foreign reports whether a digest is somebody else's, as far as fields are known.
func (d *digests) foreign(ref pipeline.RequestRef, x pipeline.Digested) bool {
	_, speaks := d.fields[fieldAsked(ref, x)]
	return speaks && !d.knows(ref, x)
}

// judged are the digests of a hit by which it may be told whose it is: not where the
// consumer's own of that kind are known by digests alone.
func (c *Closure) judged(h *pipeline.Hit) []pipeline.Digested {
	var out []pipeline.Digested
	for _, d := range h.Digests {
		if slices.ContainsFunc(c.seeds[h.Request], func(own identity.Canon) bool { return own.Kind == d.Kind && own.Hashed() }) ||
			slices.ContainsFunc(c.past[h.Request], func(n identity.Needle) bool { return n.Canon.Kind == d.Kind }) {
			continue
		}
		d.Field = h.Dataset + "\x00" + d.Field
		out = append(out, d)
	}
	return out
}

// meetDigests takes the digests of a hit as Meet takes direct identifiers.
func (c *Closure) meetDigests(h *pipeline.Hit, direct, tells bool) {
	for _, d := range c.judged(h) {
		is := digestAsked(h.Request, d.Kind, d.Value)
		switch beside := tells && !c.names(h.Request, d.Kind); {
		case beside:
			c.digests.know(is, false)
			fallthrough
		case c.digests.own[is]: // of the others it hangs on the order of hits whether they are known by now
			c.digests.fields[fieldAsked(h.Request, d)] = struct{}{}
			continue
		case direct:
			continue // the record is the consumer's, whoever else is in it
		}
		for _, e := range h.Why {
			if e.Via == "" || !e.Tier.Automatic() {
				continue
			}
			t := through{h.Request, e.Via}
			if c.digests.others[t] == nil {
				c.digests.others[t] = map[pipeline.Digested]struct{}{}
			}
			c.digests.others[t][d] = struct{}{}
		}
	}
}

// foreignDigest reports whether a hit holds a digest of somebody else's.
func (c *Closure) foreignDigest(h *pipeline.Hit) bool {
	return slices.ContainsFunc(c.judged(h), func(d pipeline.Digested) bool { return c.digests.foreign(h.Request, d) })
}

// shareDigests ends the hits that are met.
func (c *Closure) shareDigests() {
	for t, others := range c.digests.others {
		for d := range others {
			if c.digests.foreign(t.request, d) {
				c.shared[t] = struct{}{}
				break
			}
		}
	}
	clear(c.digests.others)
}
