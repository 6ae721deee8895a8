package catalog

import (
	"expunge/pipeline"
	"expunge/scanners"
)

const (
	// segmentTokens is how many distinct tokens close a segment. A scan reports
	// boundaries between blocks, so a segment holds this and one block's at most.
	segmentTokens = 1 << 20
	// slackTokens is how many fewer will do, so that a segment which sees nothing new
	// is not counted at each boundary.
	slackTokens = segmentTokens / 8
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
	full := b.tokens.waiting() >= segmentTokens && b.tokens.atLeast(segmentTokens-slackTokens)
	if full || group > b.part.Group && b.tokens.atLeast(groupTokens) {
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
	if tokens := b.tokens.list(); len(tokens) > 0 {
		seg.Filter, b.err = b.sink.segment(tokens)
	}
	b.done = append(b.done, seg)
	b.tokens.reset()
	b.part = scanners.Part{Off: b.last.off, Group: b.last.group}
	b.records = b.last.records
}
