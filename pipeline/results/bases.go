package results

import (
	"context"

	"expunge/pipeline"
	"expunge/pipeline/catalog"
)

// lost marks parts that come after one that was refused: where they begin is not
// known, so what was found in them names no record. Their object is refused.
const lost = -1

// Bases maps split objects to the first ordinals of their parts.
type Bases map[int64][]base

type base struct {
	part   int64 // its catalog.Place
	record int64
}

// Bases reads where the parts of the objects that round 1 split begin. Memory is
// a few words per part.
func (r *Results) Bases(ctx context.Context) (Bases, error) {
	b := Bases{}
	var last int64 = -1
	var next int64
	for u, err := range r.Units(ctx, 1) {
		if err != nil {
			return nil, err
		}
		if !u.Fresh || u.Part.Whole() {
			continue
		}
		if u.Object.N != last {
			last, next = u.Object.N, 0
		}
		b[last] = append(b[last], base{catalog.Place(u.Part), next})
		switch {
		case u.Outcome == pipeline.Refused:
			next = lost // nobody knows how many records the part has
		case next != lost:
			next += u.Records
		}
	}
	return b, nil
}

// Of returns the ordinal of the first record of the part of object n that begins
// at place.
func (b Bases) Of(n, place int64) int64 {
	for _, x := range b[n] {
		if x.part == place {
			return x.record
		}
	}
	return 0
}

// absolute makes a hit's ordinal absolute, where it is known.
func (b Bases) absolute(h *pipeline.Hit) (record int64, known bool) {
	if b == nil || h.Record < 0 || h.Base == 0 {
		return h.Record, true
	}
	first := b.Of(h.Object, h.Base-1)
	return h.Record + first, first != lost
}
