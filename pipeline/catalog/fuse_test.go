package catalog

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/FastFilter/xorfilter"

	"expunge/connectors/mem"
	"expunge/pipeline"
)

// TestPoolsAgainstFuse compares what it takes to ask 300 objects of an account for
// 100 tokens: a pool, and a binary fuse filter for each, which has to be read
// whole. Both deny nothing; the fuse is smaller, and read more.
func TestPoolsAgainstFuse(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 1))
	work := mem.New("work", mem.Options{})
	p := &pooler{work: work, keys: testKeys(t), run: "r", limit: poolPairs, of: map[string]int{}}
	var segments [][]uint64
	var refs []pipeline.FilterRef
	var fuses []*xorfilter.BinaryFuse[uint16]
	var fuseBytes int64
	for range 300 {
		tokens := make([]uint64, 1+rng.IntN(1000))
		var raw []byte
		for i := range tokens {
			tokens[i] = rng.Uint64()
			for k := range tokenBytes {
				raw = append(raw, byte(tokens[i]>>(56-8*k)))
			}
		}
		ref, err := p.add(t.Context(), "a", raw)
		if err != nil {
			t.Fatal(err)
		}
		fuse, err := xorfilter.NewBinaryFuse[uint16](tokens)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := fuse.Save(&b); err != nil {
			t.Fatal(err)
		}
		fuseBytes += int64(b.Len())
		segments, refs, fuses = append(segments, tokens), append(refs, ref), append(fuses, fuse)
	}
	if err := p.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var asked []uint64
	for i := range 100 {
		asked = append(asked, rng.Uint64())
		if i < 30 {
			asked[i] = segments[i*7][0]
		}
	}
	filters := &Filters{Work: work, Keys: testKeys(t)}
	asking := filters.Ask(func(string) []uint64 { return asked })
	var differ int
	for i, ref := range refs {
		may, err := asking.MayHold(t.Context(), ref, []string{"a"})
		if err != nil {
			t.Fatal(err)
		}
		fuse := false
		for _, token := range asked {
			fuse = fuse || fuses[i].Contains(token)
		}
		if may != fuse {
			differ++
		}
	}
	if differ > 3 { // the fuse takes 1.5e-5 · 100 · 300 = half a segment for one that holds something
		t.Errorf("%d segments are told otherwise by their fuse filters", differ)
	}
	read := filters.Bytes()
	t.Logf("pool: %d bytes read in %d reads; fuse filters: %d bytes", read, filters.Reads(), fuseBytes)
	if read*10 > fuseBytes {
		t.Errorf("%d bytes of a pool were read; fuse filters take %d", read, fuseBytes)
	}
}
