package s3

import (
	"context"
	"sort"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"golang.org/x/sync/errgroup"

	"expunge/connectors"
)

// How a listing is sharded. The keys below a prefix are cut in spans (after, to],
// each listed flat, one page at a time. Spans partition the keys whatever the
// cuts are, so that cuts are advice: a bad one costs a request, never a key.
//
// It begins with one span. When a worker has nothing to fetch and a span has given
// two full pages and goes on, the worker asks for the folders ahead of it (one LIST
// with delimiter "/", going a level deeper while there are none) and cuts there.
// How many cuts is reckoned from the last full page: with n folders in 1,000 keys,
// the folders ahead make as many spans as fill two pages each, so that tiny folders
// stay together in one flat listing. In a folder without folders the next
// character of the names is cut instead.
//
// Requests that do not bring a full page (looking for folders, the ends of spans)
// are kept below freeCalls plus the number of full pages: a listing never costs
// more than twice the flat one and freeCalls.
const (
	freeCalls    = 32
	spanPages    = 4 // pages that one span may buffer
	pagesPerSlot = 8 // pages that all spans together may buffer, per worker
	maxDepth     = 6 // levels that one look for folders goes down
)

type span struct {
	after, to string // to "" is the end of the prefix
	first     string // first key of the span
	lastFirst string // first key of its last full page
	pages     [][]connectors.Version
	full      int // full pages so far
	cool      int // full pages before the next look for folders
	busy      bool
	looking   bool
	done      bool
	next      *span
}

type listing struct {
	s        *Store
	prefix   string
	versions bool

	mu       sync.Mutex
	cond     *sync.Cond
	head     *span
	buffered int // pages in memory or on their way
	full     int
	extra    int
	stopped  bool
	err      error
}

func (s *Store) sharded(ctx context.Context, prefix string, versions bool, yield func(connectors.Version) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	l := &listing{s: s, prefix: prefix, versions: versions, head: &span{cool: 2}}
	l.cond = sync.NewCond(&l.mu)
	var workers errgroup.Group
	for range s.opt.Concurrency {
		workers.Go(func() error { l.work(ctx); return nil })
	}
	defer func() {
		l.mu.Lock()
		l.stopped = true
		l.cond.Broadcast()
		l.mu.Unlock()
		cancel()
		_ = workers.Wait() // workers leave their errors in l
	}()
	for {
		rows, err := l.take()
		if err != nil || rows == nil {
			return err
		}
		for _, v := range rows {
			if !yield(v) {
				return nil
			}
		}
	}
}

// take waits for the next page in order; nil at the end.
func (l *listing) take() ([]connectors.Version, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch {
		case len(l.head.pages) > 0:
			rows := l.head.pages[0]
			l.head.pages = l.head.pages[1:]
			l.buffered--
			l.cond.Broadcast()
			return rows, nil
		case l.head.done && l.head.next == nil:
			return nil, nil
		case l.head.done:
			l.head = l.head.next
			l.cond.Broadcast()
		case l.err != nil:
			return nil, l.err
		default:
			l.cond.Wait()
		}
	}
}

func (l *listing) work(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.stopped && l.err == nil {
		if sp := l.fetchable(); sp != nil {
			l.fetch(ctx, sp)
		} else if sp := l.splittable(); sp != nil {
			l.split(ctx, sp)
		} else if l.finished() {
			return
		} else {
			l.cond.Wait()
		}
	}
}

func (l *listing) finished() bool {
	for sp := l.head; sp != nil; sp = sp.next {
		if !sp.done {
			return false
		}
	}
	return true
}

func (l *listing) fetchable() *span {
	for sp := l.head; sp != nil; sp = sp.next {
		room := l.buffered < pagesPerSlot*l.s.opt.Concurrency || (sp == l.head && len(sp.pages) == 0)
		if !sp.done && !sp.busy && room && len(sp.pages) < spanPages {
			return sp
		}
	}
	return nil
}

func (l *listing) splittable() *span {
	if l.extra >= freeCalls+l.full {
		return nil
	}
	for sp := l.head; sp != nil; sp = sp.next {
		if !sp.done && !sp.looking && sp.full >= sp.cool {
			return sp
		}
	}
	return nil
}

// fetch is called with the lock held and gives it up while it asks the server.
func (l *listing) fetch(ctx context.Context, sp *span) {
	sp.busy = true
	l.buffered++
	after := sp.after
	l.mu.Unlock()
	p, err := l.s.page(ctx, l.prefix, after, l.versions)
	l.mu.Lock()
	sp.busy = false
	defer l.cond.Broadcast()
	if err != nil {
		l.buffered--
		if l.err == nil {
			l.err = err
		}
		return
	}
	rows := p.rows
	if sp.to != "" { // perhaps cut while the page was on its way
		rows = rows[:sort.Search(len(rows), func(i int) bool { return rows[i].Key > sp.to })]
	}
	cut := len(rows) < len(p.rows)
	if sp.done = !p.more || cut || (sp.to != "" && p.last >= sp.to); sp.done {
		l.extra++
	} else {
		l.full++
		sp.full++
	}
	if len(rows) == 0 {
		l.buffered--
		return
	}
	if sp.first == "" {
		sp.first = rows[0].Key
	}
	sp.lastFirst, sp.after = rows[0].Key, p.last
	sp.pages = append(sp.pages, rows)
}

// split looks for folders ahead of a span and cuts it there.
func (l *listing) split(ctx context.Context, sp *span) {
	sp.looking = true
	view := *sp
	l.mu.Unlock()
	cuts, want, calls, err := l.look(ctx, view)
	l.mu.Lock()
	sp.looking = false
	defer l.cond.Broadcast()
	l.extra += calls
	sp.cool = sp.full + 4
	if err != nil {
		if l.err == nil {
			l.err = err
		}
		return
	}
	if sp.done {
		return
	}
	ahead := cuts[:0]
	for _, c := range cuts {
		if c > sp.after && (sp.to == "" || c < sp.to) {
			ahead = append(ahead, c)
		}
	}
	n := min(want, len(ahead), 2*l.s.opt.Concurrency, freeCalls+l.full-l.extra)
	if n <= 0 {
		return
	}
	last, to, next := sp, sp.to, sp.next
	for i := range n {
		at := ahead[i*len(ahead)/n]
		last.to = at
		last.next = &span{after: at, cool: 2}
		last = last.next
	}
	last.to, last.next = to, next
	sp.cool = sp.full + 2
}

// look finds places to cut the rest of a span, in order, and how many of them are
// worth it.
func (l *listing) look(ctx context.Context, sp span) (cuts []string, want, calls int, err error) {
	level := l.prefix
	if sp.to != "" {
		if c := common(sp.after, sp.to); len(c) > len(level) {
			level = c[:max(len(level), strings.LastIndexByte(c, '/')+1)]
		}
	}
	for calls < maxDepth && strings.HasPrefix(sp.after, level) {
		out, err := l.s.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
			Bucket: l.s.bucket(), Prefix: &level, Delimiter: aws.String("/"), StartAfter: &sp.lastFirst,
			EncodingType: types.EncodingTypeUrl, MaxKeys: aws.Int32(pageSize),
		})
		calls++
		if err != nil {
			return nil, 0, calls, err
		}
		seen := 0
		for _, f := range out.CommonPrefixes {
			folder, err := unescape(out.EncodingType, f.Prefix)
			if err != nil {
				return nil, 0, calls, err
			}
			switch {
			case folder <= sp.after:
				seen++
			case sp.to == "" || folder < sp.to:
				cuts = append(cuts, folder)
			}
		}
		if len(cuts) > 0 {
			sort.Strings(cuts)
			if want = len(cuts); seen > 1 {
				want /= 2 * seen
			}
			return cuts, want, calls, nil
		}
		folder, _, ok := strings.Cut(sp.after[len(level):], "/")
		if !ok {
			break
		}
		level += folder + "/"
	}
	return guess(sp, len(level)), 2 * l.s.opt.Concurrency, calls, nil
}

// guess cuts where the names in one folder go on to the next character.
func guess(sp span, level int) []string {
	for pos := len(common(sp.first, sp.after)); pos >= level; pos-- {
		if pos >= len(sp.after) {
			continue
		}
		at := sp.after[pos]
		end := byte(0)
		switch {
		case at >= '0' && at <= '9':
			end = '9'
		case at >= 'a' && at <= 'z':
			end = 'z'
		case at >= 'A' && at <= 'Z':
			end = 'Z'
		}
		var cuts []string
		for c := int(at) + 1; c <= int(end); c++ {
			if cut := sp.after[:pos] + string(rune(c)); sp.to == "" || cut < sp.to {
				cuts = append(cuts, cut)
			}
		}
		if len(cuts) > 0 {
			return cuts
		}
	}
	return nil
}

func common(a, b string) string {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return a[:n]
}
