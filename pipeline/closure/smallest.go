package closure

import (
	"cmp"
	"container/heap"
	"slices"

	"expunge/pipeline"
)

// smallest keeps the first limit link ids, in their order, of any number that are
// added, and how each was reached. A link id that was pushed out stays
// out, since those that are kept only get smaller: so what is kept does not hang on
// the order of adding.
type smallest struct {
	limit int
	more  bool // some were pushed out, or never taken
	ways  map[pipeline.Link]way
	heap  links // of the keys of ways: the last one in order on top
}

// way is how a link id was reached.
type way struct {
	hops int
	late bool // only through what is dated after the request's cut-off
}

func (s *smallest) add(link pipeline.Link, w way) {
	if old, ok := s.ways[link]; ok {
		s.ways[link] = way{min(old.hops, w.hops), old.late && w.late}
		return
	}
	if len(s.heap) >= s.limit {
		s.more = true
		if s.limit == 0 || compare(link, s.heap[0]) > 0 {
			return
		}
		delete(s.ways, s.heap[0])
		s.ways[link] = w
		s.heap[0] = link
		heap.Fix(&s.heap, 0)
		return
	}
	s.ways[link] = w
	heap.Push(&s.heap, link)
}

// sorted returns what was kept, in order. Nothing may be added after it.
func (s *smallest) sorted() []pipeline.Link {
	slices.SortFunc(s.heap, compare)
	return s.heap
}

func compare(a, b pipeline.Link) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Value, b.Value))
}

// links is a heap with the greatest on top.
type links []pipeline.Link

func (l links) Len() int           { return len(l) }
func (l links) Less(i, j int) bool { return compare(l[i], l[j]) > 0 }
func (l links) Swap(i, j int)      { l[i], l[j] = l[j], l[i] }
func (l *links) Push(x any)        { *l = append(*l, x.(pipeline.Link)) }
func (l *links) Pop() any {
	last := (*l)[len(*l)-1]
	*l = (*l)[:len(*l)-1]
	return last
}
