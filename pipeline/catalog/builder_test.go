package catalog

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"expunge/connectors/mem"
	"expunge/pipeline"
	"expunge/scanners"
)

func newSink(t *testing.T) (*Sink, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	s := NewSink(Key{}, testKeys(t), "catalog/filters/f", &out, new(int64), TokenFile("r", 0, "d"))
	t.Cleanup(s.Close)
	return s, &out
}

func collect(b *Builder, rng *rand.Rand, n int) {
	for range n {
		b.Collect(rng.Uint64())
	}
}

// TestRowGroupsAreSegments: row groups with enough tokens are segments of their
// own, so that only those that may hold something are opened; poor ones join.
func TestRowGroupsAreSegments(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	sink, _ := newSink(t)
	b := NewBuilder(sink, scanners.Part{Group: 2, Groups: 5})
	for i, tokens := range []int{groupTokens, groupTokens / 2, groupTokens, 0, 3} {
		collect(b, rng, tokens)
		b.Boundary(0, 3+i, int64(10*(i+1)))
	}
	got, err := b.Finish(50, 0, true)
	if err != nil {
		t.Fatal(err)
	}
	want := []pipeline.Segment{
		{Part: scanners.Part{Group: 2, Groups: 1}, Records: 10},
		{Part: scanners.Part{Group: 3, Groups: 2, Record: 10}, Records: 20},
		{Part: scanners.Part{Group: 5, Groups: 2, Record: 30}, Records: 20},
	}
	for i := range got {
		got[i].Filter = pipeline.FilterRef{}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestSegmentsAreBounded: a large object of lines is cut in segments of bounded
// tokens, whose parts follow one another; where it cannot be entered in the
// middle, each opens the whole.
func TestSegmentsAreBounded(t *testing.T) {
	for _, splits := range []bool{true, false} {
		rng := rand.New(rand.NewPCG(1, 1))
		sink, out := newSink(t)
		b := NewBuilder(sink, scanners.Part{Off: 1000})
		const block = 100_000
		for i := range int64(30) {
			collect(b, rng, block)
			b.Boundary(1000+(i+1)*500, 0, (i+1)*7)
		}
		got, err := b.Finish(210, 16000, splits)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 3 || out.Len() == 0 {
			t.Fatalf("%d segments, %d bytes of filters", len(got), out.Len())
		}
		off, records := int64(1000), int64(0)
		for _, s := range got {
			if s.Filter.Lone == nil {
				t.Error("a large segment has no pool of its own")
			}
			if s.Part != (scanners.Part{}) != splits {
				t.Errorf("splits %v: part %+v", splits, s.Part)
			}
			if splits && (s.Part.Off != off || s.Part.Record != records) {
				t.Errorf("%+v begins elsewhere than at byte %d, record %d", s.Part, off, records)
			}
			off, records = off+s.Part.Len, records+s.Records
		}
		if splits && (off != 16000 || records != 210) {
			t.Errorf("segments end at byte %d, record %d", off, records)
		}
	}
}

// TestSplitsOnlyWhereBytesAreBytes: if the last boundary does not lie at the end
// of the stored object, the boundaries count other bytes than those stored.
func TestSplitsOnlyWhereBytesAreBytes(t *testing.T) {
	sink, _ := newSink(t)
	b := NewBuilder(sink, scanners.Part{})
	b.Collect(1)
	b.Boundary(5000, 0, 3)
	got, err := b.Finish(3, 700, true)
	if err != nil || len(got) != 1 || !got[0].Part.Whole() {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestSegmentWithoutTokens: it has no filter, and nothing is ever in it.
func TestSegmentWithoutTokens(t *testing.T) {
	sink, _ := newSink(t)
	got, err := NewBuilder(sink, scanners.Part{}).Finish(4, 0, false)
	if err != nil || len(got) != 1 || got[0].Filter != (pipeline.FilterRef{}) || got[0].Records != 4 {
		t.Fatalf("%+v, %v", got, err)
	}
	f := &Filters{Work: mem.New("work", mem.Options{}), Keys: testKeys(t)}
	may, err := f.Ask(func(string) []uint64 { return []uint64{1} }).MayHold(t.Context(), got[0].Filter, []string{"a"})
	if may || err != nil {
		t.Errorf("%v, %v", may, err)
	}
}

// TestTokenSet against a map.
func TestTokenSet(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	var s tokenSet
	for _, spread := range []uint64{1, 0x9e3779b97f4a7c15, 1, 1 << 46} {
		want := map[uint64]bool{}
		for range 20_000 {
			token := rng.Uint64N(8000) * spread
			s.add(token)
			want[token] = true
		}
		got := s.list()
		if len(got) != len(want) || !want[0] || !slices.IsSorted(got) {
			t.Fatalf("%d tokens listed, want %d", len(got), len(want))
		}
		for _, token := range got {
			if !want[token] {
				t.Fatalf("%d was never added", token)
			}
		}
		s.reset()
	}
}
