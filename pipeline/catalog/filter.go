package catalog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"sync"

	"github.com/FastFilter/xorfilter"

	"expunge/connectors"
	"expunge/pipeline"
)

const (
	// maxProbes is how many tokens one segment is asked for. A 16-bit fuse errs
	// 1.55e-5 times a probe: beyond this many, opening the segment is as good.
	maxProbes = 1000
	// filterCache is how many bytes of filters are kept for the next round.
	filterCache = 64 << 20
)

// Filters reads filters from the work store and counts what that cost.
type Filters struct {
	Work connectors.Store

	mu    sync.Mutex
	bytes int64
	size  int64
	cache map[string]*xorfilter.BinaryFuse[uint16]
}

// Bytes is how many bytes of filters have been read.
func (f *Filters) Bytes() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bytes
}

// MayHold reports whether the segment may hold one of tokens. It errs only
// towards yes; a filter that cannot be read or was changed is a yes, too.
func (f *Filters) MayHold(ctx context.Context, seg pipeline.Segment, tokens []uint64) (bool, error) {
	switch {
	case len(tokens) == 0 || seg.Filter.Len == 0:
		return false, nil
	case len(tokens) > maxProbes:
		return true, nil
	}
	fuse, err := f.load(ctx, seg.Filter)
	if err != nil {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		return true, nil
	}
	for _, t := range tokens {
		if fuse.Contains(t) {
			return true, nil
		}
	}
	return false, nil
}

func (f *Filters) load(ctx context.Context, ref pipeline.FilterRef) (*xorfilter.BinaryFuse[uint16], error) {
	f.mu.Lock()
	fuse := f.cache[ref.Digest]
	f.mu.Unlock()
	if fuse != nil {
		return fuse, nil
	}
	body, err := f.Work.Open(ctx, connectors.Ref{Key: ref.File}, connectors.Range{Off: ref.Off, Len: ref.Len})
	if err != nil {
		return nil, fmt.Errorf("open filter: %w", err)
	}
	defer body.Close()
	raw, err := io.ReadAll(io.LimitReader(body, ref.Len))
	if err != nil {
		return nil, fmt.Errorf("read filter %s: %w", ref.File, err)
	}
	if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != ref.Digest {
		return nil, fmt.Errorf("read filter %s: its digest is not the cataloged one", ref.File)
	}
	if fuse, err = xorfilter.LoadBinaryFuse[uint16](bytes.NewReader(raw)); err != nil {
		return nil, fmt.Errorf("read filter %s: %w", ref.File, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bytes += ref.Len
	if f.size+ref.Len <= filterCache {
		if f.cache == nil {
			f.cache = map[string]*xorfilter.BinaryFuse[uint16]{}
		}
		f.cache[ref.Digest] = fuse
		f.size += ref.Len
	}
	return fuse, nil
}
