package scan

import (
	"slices"
	"time"

	"expunge/pipeline"
	"expunge/pipeline/identity"
	"expunge/pipeline/record"
	"expunge/scanners"
)

var _ scanners.Finder = (*timed)(nil)

// span are the bounds of the times of a unit's records.
type span struct {
	from, to int64
	any      bool
	dated    int64 // records that have a time, where each was looked at
}

func (s *span) add(m record.Moment) {
	if !s.any {
		s.from, s.to, s.any = m.From, m.To, true
		return
	}
	s.from, s.to = min(s.from, m.From), max(s.to, m.To)
}

// tell writes the bounds into a result. every says that each record was looked at:
// only then is it known that all have a time.
func (s *span) tell(res *pipeline.UnitResult, every bool) {
	if !s.any {
		return
	}
	res.From, res.To = s.from, s.to
	if s.from == 0 && s.to == 0 {
		res.To = 1 // two zeros mean that nothing is known
	}
	res.Dated = every && s.dated == res.Records
}

// timed is a Finder that notes the values of the field that dates records. Scanners
// hand over all values of a declared field, and perhaps others: the bounds may be
// too wide and never too narrow.
type timed struct {
	*identity.Finder
	span   *span
	zone   *time.Location
	fields []string
	last   []byte
}

func newTimed(f *identity.Finder, d *pipeline.Dataset, s *span) *timed {
	return &timed{Finder: f, span: s, zone: d.Zone, fields: append(slices.Clone(f.Fields()), d.Time)}
}

// Fields implements scanners.Finder.
func (t *timed) Fields() []string { return t.fields }

// ProbeField implements scanners.Finder.
func (t *timed) ProbeField(field int, value []byte) bool {
	if field < len(t.fields)-1 {
		return t.Finder.ProbeField(field, value)
	}
	if len(value) > 0 && string(value) != string(t.last) {
		t.last = append(t.last[:0], value...)
		if m, ok := record.ParseTime(string(value), t.zone); ok {
			t.span.add(m)
		}
	}
	return false
}
