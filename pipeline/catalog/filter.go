package catalog

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/engine"
	"expunge/pipeline/seal"
)

const (
	// filterCache is how many bytes of filters are kept for the next round; those
	// that this run has just written are among them.
	filterCache = 64 << 20
	// filterReaders is how many ranges of a filter are read at a time: each is small, and waits for the store.
	filterReaders = 32
)

// Filters reads pools from the work store and counts what that cost. It is safe
// for concurrent use.
type Filters struct {
	Work connectors.Store
	Keys *seal.Keys
	Key  Key

	mu     sync.Mutex
	bytes  int64
	reads  int64
	cached int64
	heads  map[string][]*pipeline.Pool
	kept   map[string][]byte // whole files
	dirs   map[poolAt][]uint32
	bodies map[poolAt][]byte
}

type poolAt struct {
	file string
	off  int64
}

// Bytes is how many bytes of filters have been read.
func (f *Filters) Bytes() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bytes
}

// Reads is how many times something was read.
func (f *Filters) Reads() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reads
}

// Keep remembers a file of pools that was just written, as far as there is room:
// what this process knows need not be read again.
func (f *Filters) Keep(file string, content []byte, pools []*pipeline.Pool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.kept == nil {
		f.kept = map[string][]byte{}
	}
	if f.kept[file] != nil || !f.room(len(content)) {
		return
	}
	f.kept[file] = content
	f.head(file, pools)
}

// room takes n bytes of the cache if there are as many. mu is held.
func (f *Filters) room(n int) bool {
	if f.cached+int64(n) > filterCache {
		return false
	}
	f.cached += int64(n)
	return true
}

func (f *Filters) head(file string, pools []*pipeline.Pool) {
	if f.heads == nil || len(f.heads) >= 1<<10 {
		f.heads = map[string][]*pipeline.Pool{}
	}
	f.heads[file] = pools
}

// pool describes the pool that a segment's filter is in.
func (f *Filters) pool(ctx context.Context, ref pipeline.FilterRef) (*pipeline.Pool, error) {
	if ref.Lone != nil {
		return ref.Lone, nil
	}
	f.mu.Lock()
	pools, ok := f.heads[ref.File]
	f.mu.Unlock()
	if !ok {
		var n int64
		var err error
		pools, n, err = readHead(ctx, f.Work, f.Keys, ref.File)
		f.count(n)
		if err != nil {
			return nil, err
		}
		f.mu.Lock()
		f.head(ref.File, pools)
		f.mu.Unlock()
	}
	if ref.Pool < 0 || ref.Pool >= len(pools) || pools[ref.Pool] == nil {
		return nil, fmt.Errorf("read pools of %s: %w", ref.File, errDamaged)
	}
	return pools[ref.Pool], nil
}

func (f *Filters) count(n int64) {
	f.mu.Lock()
	f.bytes += n
	f.reads++
	f.mu.Unlock()
}

// read reads a range of a file of pools, from memory if it is there.
func (f *Filters) read(ctx context.Context, file string, off, n int64) ([]byte, error) {
	f.mu.Lock()
	whole := f.kept[file]
	f.mu.Unlock()
	if int64(len(whole)) >= off+n && off >= 0 && n >= 0 {
		return whole[off : off+n], nil
	}
	body, err := f.Work.Open(ctx, connectors.Ref{Key: file}, connectors.Range{Off: off, Len: n})
	if err != nil {
		return nil, fmt.Errorf("open filter: %w", err)
	}
	defer body.Close()
	b := make([]byte, n)
	got, err := io.ReadFull(body, b)
	f.count(int64(got))
	if err != nil {
		return nil, fmt.Errorf("read filter %s: %w", file, err)
	}
	return b, nil
}

// probe is one token to look for.
type probe struct {
	bucket, remainder uint64
	account           int
}

// search looks for probes, which it sorts, in a pool and calls found for each
// that may be in it.
func (f *Filters) search(ctx context.Context, file string, p *pipeline.Pool, s shape, probes []probe, found func(account int, segments []uint32)) error {
	slices.SortFunc(probes, func(a, b probe) int {
		switch {
		case a.bucket != b.bucket:
			return compareUint(a.bucket, b.bucket)
		case a.remainder != b.remainder:
			return compareUint(a.remainder, b.remainder)
		}
		return a.account - b.account
	})
	buckets := make([]uint64, 0, len(probes))
	for _, x := range probes {
		if n := len(buckets); n == 0 || buckets[n-1] != x.bucket {
			buckets = append(buckets, x.bucket)
		}
	}
	open, err := f.buckets(ctx, file, p, buckets)
	if err != nil {
		return err
	}
	seal := newSealer(f.Key, file)
	for from := 0; from < len(probes); {
		bucket := probes[from].bucket
		to := from
		for to < len(probes) && probes[to].bucket == bucket {
			to++
		}
		b, err := seal.openBucket(p.Off, bucket, open(bucket))
		if err != nil {
			return fmt.Errorf("read filter %s: %w", file, err)
		}
		if len(b) > 0 {
			err = s.walkBucket(b, p.Segments, func(remainder uint64, list []uint32) {
				for ; from < to && probes[from].remainder <= remainder; from++ {
					if probes[from].remainder == remainder {
						found(probes[from].account, list)
					}
				}
			})
			if err != nil {
				return fmt.Errorf("read filter %s: %w", file, err)
			}
		}
		from = to
	}
	return nil
}

func compareUint(a, b uint64) int {
	if a < b {
		return -1
	}
	return 1
}

// buckets reads some buckets of a pool, given in order: the directory first, then
// only the ranges where they lie, or the whole where that is hardly more.
func (f *Filters) buckets(ctx context.Context, file string, p *pipeline.Pool, wanted []uint64) (func(bucket uint64) []byte, error) {
	at := poolAt{file, p.Off}
	f.mu.Lock()
	ends, body := f.dirs[at], f.bodies[at]
	f.mu.Unlock()
	most := func(n int64) bool { return n*2 >= p.Len } // then one read is better than many
	if ends == nil {
		n := p.Dir
		whole := most(int64(len(wanted))*p.Len/p.Buckets) || p.Len+p.Dir <= 1<<10
		if whole {
			n += p.Len
		}
		b, err := f.read(ctx, file, p.Off, n)
		if err != nil {
			return nil, err
		}
		if ends, err = directory(p, b[:p.Dir]); err != nil {
			return nil, fmt.Errorf("read filter %s: %w", file, err)
		}
		f.remember(at, ends, nil)
		if whole {
			body = b[p.Dir:]
			f.remember(at, nil, body)
		}
	}
	span := func(bucket uint64) (lo, hi int64) {
		if bucket > 0 {
			lo = int64(ends[bucket-1])
		}
		return lo, int64(ends[bucket])
	}
	if body == nil {
		var need int64
		for _, b := range wanted {
			lo, hi := span(b)
			need += hi - lo
		}
		if most(need) {
			var err error
			if body, err = f.read(ctx, file, p.Off+p.Dir, p.Len); err != nil {
				return nil, err
			}
			f.remember(at, nil, body)
		}
	}
	if body != nil {
		return func(bucket uint64) []byte {
			lo, hi := span(bucket)
			return body[lo:hi]
		}, nil
	}
	var parts []part
	for _, b := range wanted {
		if lo, hi := span(b); hi > lo {
			parts = append(parts, part{lo: lo, hi: hi})
		}
	}
	parts = join(parts, p.Len/joinShare)
	err := engine.Map(ctx, filterReaders, func(yield func(int, error) bool) {
		for i := range parts {
			if !yield(i, nil) {
				return
			}
		}
	}, func(ctx context.Context, i int) ([]byte, error) {
		return f.read(ctx, file, p.Off+p.Dir+parts[i].lo, parts[i].hi-parts[i].lo)
	}, func(i int, b []byte) error {
		parts[i].b = b
		return nil
	})
	if err != nil {
		return nil, err
	}
	i := 0
	return func(bucket uint64) []byte { // buckets are asked for in order
		lo, hi := span(bucket)
		if hi == lo {
			return nil
		}
		for parts[i].hi < hi {
			i++
		}
		return parts[i].b[lo-parts[i].lo : hi-parts[i].lo]
	}, nil
}

// remember keeps what was read of a pool, as far as there is room.
func (f *Filters) remember(at poolAt, ends []uint32, body []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dirs == nil {
		f.dirs, f.bodies = map[poolAt][]uint32{}, map[poolAt][]byte{}
	}
	if ends != nil && f.room(4*len(ends)) {
		f.dirs[at] = ends
	}
	if body != nil && f.room(len(body)) {
		f.bodies[at] = body
	}
}

// part is a range of a pool's buckets.
type part struct {
	lo, hi int64
	b      []byte
}

// joinShare is which part of a pool may be read only to join ranges: a request to
// a store costs more than a few bytes.
const joinShare = 256

// join joins neighbouring ranges, the nearest first, while what lies between them
// is not more than spare in all.
func join(parts []part, spare int64) []part {
	gaps := make([]int64, 0, len(parts))
	for i := 1; i < len(parts); i++ {
		gaps = append(gaps, parts[i].lo-parts[i-1].hi)
	}
	slices.Sort(gaps)
	widest := int64(0)
	for _, gap := range gaps {
		if spare -= gap; spare < 0 {
			break
		}
		widest = gap
	}
	out := parts[:0]
	for _, p := range parts {
		if n := len(out); n > 0 && p.lo-out[n-1].hi <= widest {
			out[n-1].hi = p.hi
			continue
		}
		out = append(out, p)
	}
	return out
}
