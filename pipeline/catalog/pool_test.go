package catalog

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"expunge/connectors"
	"expunge/connectors/mem"
	"expunge/pipeline"
	"expunge/pipeline/seal"
)

func testKeys(t testing.TB) *seal.Keys {
	t.Helper()
	keys, err := seal.Open(bytes.Repeat([]byte{1}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// lakeOf is what a pooler was given, for an oracle.
type lakeOf struct {
	accounts []string
	segments map[string][]map[uint64]bool // by account
	refs     map[string][]pipeline.FilterRef
}

// gather pools random segments of some accounts. Some tokens stand in many
// segments, as an account's own numbers do.
func gather(t testing.TB, rng *rand.Rand, work connectors.Store, limit int) *lakeOf {
	t.Helper()
	l := &lakeOf{segments: map[string][]map[uint64]bool{}, refs: map[string][]pipeline.FilterRef{}}
	for i := range 1 + rng.IntN(4) {
		l.accounts = append(l.accounts, fmt.Sprint("acct-", i))
	}
	p := &pooler{work: work, keys: testKeys(t), key: Key{7}, run: "r", limit: limit, of: map[string]int{}}
	common := map[string][]uint64{}
	for _, a := range l.accounts {
		for range rng.IntN(5) {
			common[a] = append(common[a], rng.Uint64())
		}
	}
	for range rng.IntN(60) {
		a := l.accounts[rng.IntN(len(l.accounts))]
		tokens := map[uint64]bool{}
		for range rng.IntN([]int{1, 3, 40, 3000}[rng.IntN(4)] + 1) {
			tokens[rng.Uint64()] = true
		}
		for _, c := range common[a] {
			tokens[c] = tokens[c] || rng.IntN(3) > 0
		}
		if rng.IntN(4) == 0 { // tokens that a bucket cannot tell apart by their first bits
			base := rng.Uint64() &^ 0xfffff
			for range 40 {
				tokens[base|rng.Uint64N(1<<20)] = true
			}
		}
		for token, in := range tokens {
			if !in {
				delete(tokens, token)
			}
		}
		var raw []byte
		for _, token := range slices.Sorted(func(yield func(uint64) bool) {
			for token := range tokens {
				if !yield(token) {
					return
				}
			}
		}) {
			for i := range tokenBytes {
				raw = append(raw, byte(token>>(56-8*i)))
			}
		}
		ref, err := p.add(t.Context(), a, raw)
		if err != nil {
			t.Fatal(err)
		}
		l.segments[a] = append(l.segments[a], tokens)
		l.refs[a] = append(l.refs[a], ref)
	}
	if err := p.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

// TestPoolsNeverSayNoWrongly asks pools for random sets of tokens. A map is the
// oracle: what is in a segment is found in it, and hardly ever more.
func TestPoolsNeverSayNoWrongly(t *testing.T) {
	asked, extra := 0, 0
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		work := mem.New("work", mem.Options{})
		l := gather(t, rng, work, []int{1, 5000, 1 << 22}[seed%3])
		filters := &Filters{Work: work, Keys: testKeys(t), Key: Key{7}}
		for range 5 { // rounds
			tokens := map[string][]uint64{}
			for _, a := range l.accounts {
				n := []int{0, 1, 30, 2000}[rng.IntN(4)]
				for len(tokens[a]) < n {
					tokens[a] = append(tokens[a], rng.Uint64())
				}
				for _, segment := range l.segments[a] {
					for token := range segment {
						if rng.IntN(len(segment)+5) == 0 {
							tokens[a] = append(tokens[a], token)
						}
					}
				}
			}
			asking := filters.Ask(func(a string) []uint64 { return tokens[a] })
			for _, a := range l.accounts {
				for i, ref := range l.refs[a] {
					ask := []string{a}
					if rng.IntN(3) == 0 {
						ask = l.accounts
					}
					got, err := asking.MayHold(t.Context(), ref, ask)
					if err != nil {
						t.Fatal(err)
					}
					want := false
					for _, by := range ask {
						want = want || slices.ContainsFunc(tokens[by], func(x uint64) bool { return l.segments[a][i][x] })
					}
					if want && !got {
						t.Fatalf("seed %d: a token of segment %d of %s is denied", seed, i, a)
					}
					asked++
					if got && !want {
						extra++
					}
				}
			}
		}
	}
	// Of the tokens of one base that were put in on purpose some share all that is kept.
	if asked < 3000 || extra*200 > asked {
		t.Errorf("%d segments asked, %d opened for nothing", asked, extra)
	}
}

// TestLoneSegments: a large segment has a pool of its own.
func TestLoneSegments(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	work := mem.New("work", mem.Options{})
	var out bytes.Buffer
	var off int64
	sink := NewSink(Key{7}, testKeys(t), "catalog/filters/r-0", &out, &off, "catalog/tokens/r/0")
	var refs []pipeline.FilterRef
	var sets [][]uint64
	for range 2 {
		tokens := make([]uint64, loneTokens+rng.IntN(100))
		for i := range tokens {
			tokens[i] = rng.Uint64()
		}
		ref, err := sink.segment(slices.Clone(tokens))
		if err != nil {
			t.Fatal(err)
		}
		refs, sets = append(refs, ref), append(sets, tokens)
	}
	if _, err := work.Create(t.Context(), "catalog/filters/r-0", bytes.NewReader(out.Bytes())); err != nil {
		t.Fatal(err)
	}
	filters := &Filters{Work: work, Keys: testKeys(t), Key: Key{7}}
	may := func(segment int, tokens ...uint64) bool {
		ok, err := filters.Ask(func(string) []uint64 { return tokens }).MayHold(t.Context(), refs[segment], []string{"a"})
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	before := filters.Bytes()
	if !may(0, sets[0][77]) || !may(1, sets[1][3]) {
		t.Error("a token is denied")
	}
	if read := filters.Bytes() - before; read > int64(out.Len())/4 {
		t.Errorf("%d of %d bytes were read to ask for two tokens", read, out.Len())
	}
	wrong := 0
	for range 1000 {
		if may(0, rng.Uint64()) {
			wrong++
		}
	}
	if wrong > 1 {
		t.Errorf("%d of 1000 tokens are taken for ones of the segment", wrong)
	}
}

// copyOf is a store with the same content, but for one file.
func copyOf(t testing.TB, s connectors.Store, name string, content []byte) connectors.Store {
	t.Helper()
	out := mem.New("work", mem.Options{})
	for o, err := range s.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		b := content
		if o.Key != name {
			b = fileOf(t, s, o.Key)
		}
		if b == nil {
			continue
		}
		if _, err := out.Create(t.Context(), o.Key, bytes.NewReader(b)); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func fileOf(t testing.TB, s connectors.Store, name string) []byte {
	t.Helper()
	body, err := s.Open(context.Background(), connectors.Ref{Key: name}, connectors.All)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestDamagedPoolsSayYes flips, cuts, swaps and removes what pools are made of:
// none of it makes a token of a segment go unseen.
func TestDamagedPoolsSayYes(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	work := mem.New("work", mem.Options{})
	var l *lakeOf
	for l == nil || len(l.accounts) < 2 || len(l.refs[l.accounts[0]]) < 3 || len(l.refs[l.accounts[1]]) < 3 {
		work = mem.New("work", mem.Options{})
		l = gather(t, rng, work, 2000)
	}
	denied := func(work connectors.Store) (n int) {
		for _, a := range l.accounts {
			for i, ref := range l.refs[a] {
				var tokens []uint64
				for token := range l.segments[a][i] {
					if tokens = append(tokens, token); len(tokens) == 2 {
						break
					}
				}
				if len(tokens) == 0 {
					continue
				}
				filters := &Filters{Work: work, Keys: testKeys(t), Key: Key{7}}
				ok, err := filters.Ask(func(string) []uint64 { return tokens }).MayHold(t.Context(), ref, []string{a})
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					n++
				}
			}
		}
		return n
	}
	if n := denied(work); n != 0 {
		t.Fatalf("undamaged: %d segments denied", n)
	}
	var names []string
	for o, err := range work.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, o.Key)
	}
	if len(names) < 4 {
		t.Fatalf("only %d files", len(names))
	}
	for _, name := range names {
		whole := fileOf(t, work, name)
		for range 12 {
			b := bytes.Clone(whole)
			b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
			if n := denied(copyOf(t, work, name, b)); n > 0 {
				t.Errorf("%s: a flipped bit denies %d segments", name, n)
			}
		}
		for what, b := range map[string][]byte{"cut": whole[:len(whole)/2], "removed": nil, "zeros": make([]byte, len(whole))} {
			if n := denied(copyOf(t, work, name, b)); n > 0 {
				t.Errorf("%s: %s: %d segments denied", name, what, n)
			}
		}
		for _, other := range names {
			if other != name && strings.HasSuffix(other, ".head") == strings.HasSuffix(name, ".head") {
				if n := denied(copyOf(t, work, name, fileOf(t, work, other))); n > 0 {
					t.Errorf("%s in the place of %s: %d segments denied", other, name, n)
				}
			}
		}
	}
}

// TestBucketsAreBound: a bucket holds only in its place, in its pool, in its file.
func TestBucketsAreBound(t *testing.T) {
	body := []byte("bucket")
	b := append(bytes.Clone(body), newSealer(Key{7}, "f").digest(40, 2, body)...)
	for _, c := range []struct {
		key    Key
		file   string
		pool   int64
		bucket uint64
		want   bool
	}{{Key{7}, "f", 40, 2, true}, {Key{7}, "g", 40, 2, false}, {Key{7}, "f", 41, 2, false}, {Key{7}, "f", 40, 3, false}, {Key{8}, "f", 40, 2, false}} {
		got, err := newSealer(c.key, c.file).openBucket(c.pool, c.bucket, b)
		if (err == nil) != c.want || c.want && !bytes.Equal(got, body) {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
}

// TestDirectoriesAreBound: who gives a bucket's bytes to its neighbour would make it
// say no without a bucket to check.
func TestDirectoriesAreBound(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 3))
	var pairs []pair
	for range 100 {
		pairs = append(pairs, newPair(rng.Uint64(), rng.IntN(9)))
	}
	b, p := appendPool(nil, 0, Key{7}, "f", pairs, 9)
	dir := b[:p.Dir]
	if ends, err := directory(p, dir); err != nil || len(ends) != int(p.Buckets) {
		t.Fatalf("as written: %d ends, %v", len(ends), err)
	}
	forged := bytes.Clone(dir)
	for i := 1; i < len(forged); i++ {
		if forged[i-1]+forged[i] < 128 && forged[i] > 0 {
			forged[i-1], forged[i] = forged[i-1]+forged[i], 0
			break
		}
	}
	if _, err := directory(p, forged); err == nil || bytes.Equal(dir, forged) {
		t.Errorf("a forged directory: %v", err)
	}
}

// TestPlacesNeedNoMoreThanIsKept: a token that was kept in part is looked for where
// it was put.
func TestPlacesNeedNoMoreThanIsKept(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	s := shape{buckets: 499_979, remainder: 25}
	for range 10_000 {
		token := rng.Uint64()
		b, r := s.place(token)
		if b2, r2 := s.place(token & tokenMask); b != b2 || r != r2 {
			t.Fatalf("%x is put at %d, %d and looked for at %d, %d", token, b2, r2, b, r)
		}
	}
}

func TestKeptPoolsAreNotRead(t *testing.T) {
	work := mem.New("work", mem.Options{})
	filters := &Filters{Work: work, Keys: testKeys(t), Key: Key{7}}
	p := &pooler{work: work, keys: testKeys(t), key: Key{7}, run: "r", limit: 100, of: map[string]int{}, keep: filters.Keep}
	ref, err := p.add(t.Context(), "a", []byte{1, 2, 3, 4, 5, 6})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, f := range []*Filters{filters, {Work: work, Keys: testKeys(t), Key: Key{7}}} {
		for token, want := range map[uint64]bool{0x010203040506ffff: true, 0x910203040506ffff: false} {
			got, err := f.Ask(func(string) []uint64 { return []uint64{token} }).MayHold(t.Context(), ref, []string{"a"})
			if err != nil || got != want {
				t.Errorf("%x: %v, %v", token, got, err)
			}
		}
		if kept := f == filters; kept != (f.Bytes() == 0) {
			t.Errorf("kept %v: %d bytes read", kept, f.Bytes())
		}
	}
}

func TestJoin(t *testing.T) {
	parts := func() []part { return []part{{lo: 0, hi: 10}, {lo: 12, hi: 20}, {lo: 50, hi: 60}, {lo: 61, hi: 70}} }
	for spare, want := range map[int64]string{0: "[0-10 12-20 50-60 61-70]", 1: "[0-10 12-20 50-70]", 3: "[0-20 50-70]", 32: "[0-20 50-70]", 33: "[0-70]"} {
		var got []string
		for _, p := range join(parts(), spare) {
			got = append(got, fmt.Sprintf("%d-%d", p.lo, p.hi))
		}
		if fmt.Sprint(got) != want {
			t.Errorf("spare %d: %v, want %s", spare, got, want)
		}
	}
}

func TestBits(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var w bitWriter
	type op struct {
		kind int
		v    uint64
		n    uint
	}
	var ops []op
	for range 5000 {
		o := op{rng.IntN(3), rng.Uint64(), uint(1 + rng.IntN(40))}
		switch o.kind {
		case 0:
			o.v &= 1<<o.n - 1
			w.put(o.v, o.n)
		case 1:
			o.v = o.v>>(24+rng.IntN(39)) | 1
			w.gamma(o.v)
		case 2:
			o.n = 20
			o.v >>= 40
			w.rice(o.v, o.n)
		}
		ops = append(ops, o)
	}
	r := bitReader{b: w.bytes()}
	for i, o := range ops {
		var got uint64
		switch o.kind {
		case 0:
			got = r.get(o.n)
		case 1:
			got = r.gamma()
		case 2:
			got = r.rice(o.n)
		}
		if got != o.v || r.over {
			t.Fatalf("%d: %d, want %d", i, got, o.v)
		}
	}
	for range 20 {
		r.gamma()
	}
	if !r.over {
		t.Error("reading on beyond the end goes unnoticed")
	}
}
