package catalog

import (
	"math/bits"

	"expunge/pipeline"
	"expunge/scanners"
)

const (
	// segmentTokens is how many distinct tokens close a segment. A scan reports
	// boundaries between blocks, so a segment holds this and one block's at most.
	segmentTokens = 1 << 20
	// groupTokens is how many make a segment of its own of a Parquet row group.
	groupTokens = 1 << 10
)

// Builder makes the segments of one unit while it is scanned. Its memory is
// bounded by segmentTokens: 32 bytes a token, and as much again while a segment
// is closed.
type Builder struct {
	sink    *Sink
	tokens  tokenSet
	part    scanners.Part // of the segment being filled
	records int64         // before it
	last    boundary
	done    []pipeline.Segment
	err     error
}

type boundary struct {
	off     int64
	group   int
	records int64
}

// NewBuilder returns a builder for one unit, whose tokens go to sink.
func NewBuilder(sink *Sink, part scanners.Part) *Builder {
	return &Builder{sink: sink, part: scanners.Part{Off: part.Off, Group: part.Group}, last: boundary{off: part.Off, group: part.Group}}
}

// Collect takes a token.
func (b *Builder) Collect(token uint64) { b.tokens.add(token) }

// Boundary closes a segment where one has become large enough.
func (b *Builder) Boundary(off int64, group int, records int64) {
	b.last = boundary{off, group, records}
	if b.tokens.n >= segmentTokens || group > b.part.Group && b.tokens.n >= groupTokens {
		b.close()
	}
}

// Finish closes the last segment. end is where the unit ends in the stored object.
// An object can be entered in the middle where the format can be split and its
// stored bytes are the scanned ones: only then does the last boundary lie at end.
func (b *Builder) Finish(records, end int64, splits bool) ([]pipeline.Segment, error) {
	b.last.records = records
	can := splits && (b.last.group > 0 || b.last.off == end)
	b.close()
	if b.err != nil {
		return nil, b.err
	}
	if !can {
		for i := range b.done {
			b.done[i].Part = scanners.Part{} // every segment opens the whole
		}
	}
	return b.done, nil
}

func (b *Builder) close() {
	if b.err != nil {
		return
	}
	seg := pipeline.Segment{Part: b.part, Records: b.last.records - b.records}
	seg.Part.Record = b.records
	seg.Part.Len = b.last.off - b.part.Off
	seg.Part.Groups = b.last.group - b.part.Group
	if b.tokens.n > 0 {
		seg.Filter, b.err = b.sink.segment(b.tokens.list())
	}
	b.done = append(b.done, seg)
	b.tokens.reset()
	b.part = scanners.Part{Off: b.last.off, Group: b.last.group}
	b.records = b.last.records
}

// tokenSet is a set of 64-bit hashes by open addressing: tokens are random already.
// A token's place goes by its highest bits, so that tokens lie nearly in order.
type tokenSet struct {
	slots []uint64
	shift uint
	n     int
	zero  bool // whether 0 is in the set
}

func (s *tokenSet) add(t uint64) {
	if t == 0 {
		if !s.zero {
			s.zero, s.n = true, s.n+1
		}
		return
	}
	if 2*s.n >= len(s.slots) {
		s.grow()
	}
	mask := uint64(len(s.slots) - 1)
	for i := t >> s.shift; ; i = (i + 1) & mask {
		switch s.slots[i] {
		case t:
			return
		case 0:
			s.slots[i] = t
			s.n++
			return
		}
	}
}

func (s *tokenSet) grow() {
	old := s.slots
	s.slots = make([]uint64, max(1<<8, 2*len(old))) // many objects are small
	mask := uint64(len(s.slots) - 1)
	s.shift = uint(bits.LeadingZeros64(mask))
	for _, t := range old {
		if t != 0 {
			i := t >> s.shift
			for s.slots[i] != 0 {
				i = (i + 1) & mask
			}
			s.slots[i] = t
		}
	}
}

// list returns the tokens, nearly in order.
func (s *tokenSet) list() []uint64 {
	out := make([]uint64, 0, s.n)
	if s.zero {
		out = append(out, 0)
	}
	for _, t := range s.slots {
		if t != 0 {
			out = append(out, t)
		}
	}
	return out
}

func (s *tokenSet) reset() {
	clear(s.slots)
	s.n, s.zero = 0, false
}
