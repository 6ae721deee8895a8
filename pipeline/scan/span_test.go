package scan

import (
	"testing"

	"expunge/pipeline"
	"expunge/pipeline/record"
)

// TestSpanTells: all records have a time only if each was looked at and had one.
func TestSpanTells(t *testing.T) {
	for _, c := range []struct {
		times    []int64
		dated    int64
		every    bool
		records  int64
		from, to int64
		all      bool
	}{
		{nil, 0, true, 3, 0, 0, false},
		{[]int64{5, -7, 3}, 3, true, 3, -7, 5, true},
		{[]int64{5, -7, 3}, 3, true, 4, -7, 5, false},
		{[]int64{5, -7, 3}, 3, false, 3, -7, 5, false},
		{[]int64{0}, 1, true, 1, 0, 1, true}, // 0 and 0 would mean that nothing is known
		{[]int64{9}, 1, true, 1, 9, 9, true},
	} {
		s := span{dated: c.dated}
		for _, ms := range c.times {
			s.add(record.Moment{From: ms, To: ms})
		}
		res := &pipeline.UnitResult{Records: c.records}
		s.tell(res, c.every)
		if res.From != c.from || res.To != c.to || res.Dated != c.all {
			t.Errorf("%+v: %d to %d, %v", c, res.From, res.To, res.Dated)
		}
	}
}
