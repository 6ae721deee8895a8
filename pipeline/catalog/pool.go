package catalog

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/bits"
	"slices"

	"expunge/pipeline"
)

// A pool is a filter over the segments of one account: it tells which of them may
// hold a token. A fuse filter per segment would have to be read for every segment
// that is asked, and whole; of a pool only the places are read that the asked
// tokens fall into, once for all its segments.
//
// Tokens are random, so they are cut into buckets by their value, and a bucket
// holds, in order, the remainders of its tokens, each with the segments that it is
// in. It errs falseBits bits deep towards yes and never towards no. A directory
// of the buckets' lengths stands before them; its digest is in the pool's
// description, which is sealed. Each bucket ends in a keyed digest of it and its
// place: who can write where pools lie cannot make one say no.
const (
	falseBits = 20 // a token that is in no segment is taken for one that is in one of them 2^-20 times
	macLen    = 4  // a forger has one try per bucket and run, and a failure costs us a look, not a miss
	dirSumLen = 16
)

// bucketTokens is how many tokens share a bucket: few where pools are small and
// much is asked of them, more where a directory would outgrow what is asked.
func bucketTokens(tokens int) int {
	switch {
	case tokens < 1<<19:
		return 8
	case tokens < 1<<21:
		return 16
	}
	return 32
}

// Key keys the digests of buckets. It hangs on the catalog key alone, so that
// pools outlive the rotation of work keys.
type Key [32]byte

// NewKey derives the key from the catalog key.
func NewKey(catalogKey []byte) Key {
	h := hmac.New(sha256.New, catalogKey)
	h.Write([]byte("expunge catalog pools 2"))
	return Key(h.Sum(nil))
}

// pair is a token of a segment: the first bytes of the one, and the ordinal of the
// other in the rest. Sorted pairs are sorted by token, then by segment.
type pair uint64

// poolSegments is how many segments a pool has at most.
const poolSegments = 1 << (64 - 8*tokenBytes)

func newPair(token uint64, segment int) pair { return pair(token&tokenMask | uint64(segment)) }

func (p pair) token() uint64   { return uint64(p) & tokenMask }
func (p pair) segment() uint32 { return uint32(uint64(p) &^ tokenMask) }

// shape is how a pool is laid out.
type shape struct {
	buckets   uint64
	remainder uint // bits of a token that a bucket keeps
	rice      uint
	ordinal   uint // bits of a segment's ordinal; 0 where there is one segment
}

func shapeOf(p *pipeline.Pool) (shape, error) {
	if p.Buckets < 1 || p.PerBucket < 1 || p.PerBucket > 1<<10 || p.Segments < 1 || p.Dir < 1 || p.Len < 0 || p.Off < 0 {
		return shape{}, errors.New("a filter is described wrongly")
	}
	log := uint(bits.Len(uint(p.PerBucket - 1)))
	return shape{
		buckets: uint64(p.Buckets), remainder: falseBits + log, rice: falseBits,
		ordinal: uint(bits.Len(uint(p.Segments - 1))),
	}, nil
}

// place says in which bucket a token is, and what is kept of it there. It looks at
// no more of a token than Tokens keep.
func (s shape) place(token uint64) (bucket, remainder uint64) {
	hi, lo := bits.Mul64(token&tokenMask, s.buckets)
	return hi, lo >> (64 - s.remainder)
}

// sealer makes the digests of the buckets of one file: the first bytes of SHA-256 of
// a key of this file, which nothing else is hashed with, the place and the bucket.
// That is one block mostly, where HMAC would take four; what is cut off keeps anyone
// from hashing on.
type sealer struct {
	buf []byte // the file's key, and room
	sum [sha256.Size]byte
}

const sealKey = 16

func newSealer(key Key, file string) *sealer {
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte(file))
	return &sealer{buf: mac.Sum(nil)[:sealKey]}
}

func (s *sealer) digest(pool int64, bucket uint64, body []byte) []byte {
	b := binary.AppendUvarint(s.buf[:sealKey], uint64(pool))
	b = append(binary.AppendUvarint(b, bucket), body...)
	s.buf, s.sum = b, sha256.Sum256(b)
	return s.sum[:macLen]
}

// appendPool appends the pool of pairs (which it sorts) to dst, whose first byte
// is at offset base of file, and describes it.
func appendPool(dst []byte, base int64, key Key, file string, pairs []pair, segments int) ([]byte, *pipeline.Pool) {
	insert(pairs)
	per := bucketTokens(len(pairs))
	p := &pipeline.Pool{
		Off: base + int64(len(dst)), Buckets: int64(max(1, (len(pairs)+per-1)/per)), PerBucket: per, Segments: segments, Dir: 1,
	}
	s, _ := shapeOf(p)
	dir, body := make([]byte, 0, s.buckets+s.buckets/8), make([]byte, 0, 4*len(pairs)+len(pairs)/2)
	seal := newSealer(key, file)
	rems := make([]uint64, 0, 4*per) // of the bucket at hand
	at, rem := s.place(0)
	if len(pairs) > 0 {
		at, rem = s.place(pairs[0].token())
	}
	for bucket := uint64(0); bucket < s.buckets; bucket++ {
		n := 0
		rems = rems[:0]
		for n < len(pairs) && at == bucket {
			rems = append(rems, rem)
			if n++; n < len(pairs) {
				at, rem = s.place(pairs[n].token())
			}
		}
		start := len(body)
		if n > 0 {
			body = s.appendBucket(body, rems, pairs[:n])
			body = append(body, seal.digest(p.Off, bucket, body[start:])...)
			pairs = pairs[n:]
		}
		dir = binary.AppendUvarint(dir, uint64(len(body)-start))
	}
	sum := sha256.Sum256(dir)
	p.Dir, p.Len, p.Sum = int64(len(dir)), int64(len(body)), hex.EncodeToString(sum[:dirSumLen])
	return append(append(dst, dir...), body...), p
}

// appendBucket appends a bucket of sorted pairs, whose remainders are rems.
func (s shape) appendBucket(dst []byte, rems []uint64, pairs []pair) []byte {
	w := bitWriter{b: dst}
	distinct, last := uint64(0), ^uint64(0)
	for _, r := range rems {
		if r != last {
			distinct, last = distinct+1, r
		}
	}
	w.gamma(distinct)
	var list []uint32
	for from, next := 0, uint64(0); from < len(rems); {
		r := rems[from]
		first := from
		for from < len(rems) && rems[from] == r {
			from++
		}
		w.rice(r-next, s.rice)
		next = r + 1
		if s.ordinal == 0 {
			continue
		}
		list = list[:0]
		for _, p := range pairs[first:from] { // tokens that share a remainder share their segments
			list = append(list, p.segment())
		}
		slices.Sort(list)
		list = slices.Compact(list)
		w.gamma(uint64(len(list)))
		w.put(uint64(list[0]), s.ordinal)
		for i := 1; i < len(list); i++ {
			w.gamma(uint64(list[i] - list[i-1]))
		}
	}
	return w.bytes()
}

// errDamaged says that a filter is not what was written.
var errDamaged = errors.New("a filter is damaged")

// walkBucket calls each for the segments of every remainder in a bucket, in
// order. The list is each's only until it returns.
func (s shape) walkBucket(b []byte, segments int, each func(remainder uint64, list []uint32)) error {
	r := bitReader{b: b}
	n := r.gamma()
	if n > uint64(len(b))*8 {
		return errDamaged
	}
	list := []uint32{0}
	for next := uint64(0); n > 0 && !r.over; n-- {
		rem := next + r.rice(s.rice)
		next = rem + 1
		if s.ordinal > 0 {
			m := r.gamma()
			if m > uint64(segments) {
				return errDamaged
			}
			at := r.get(s.ordinal)
			list = append(list[:0], uint32(at))
			for ; m > 1 && !r.over; m-- {
				at += r.gamma()
				list = append(list, uint32(at))
			}
			if at >= uint64(segments) {
				return errDamaged
			}
		}
		if r.over {
			break
		}
		each(rem, list)
	}
	if r.over {
		return errDamaged
	}
	return nil
}

// openBucket checks a bucket's digest and returns its body.
func (s *sealer) openBucket(pool int64, bucket uint64, b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, nil // its length stands in the directory, which is checked
	}
	if len(b) <= macLen || !hmac.Equal(s.digest(pool, bucket, b[:len(b)-macLen]), b[len(b)-macLen:]) {
		return nil, errDamaged
	}
	return b[:len(b)-macLen], nil
}

// directory checks a pool's directory and returns where each bucket ends.
func directory(p *pipeline.Pool, dir []byte) ([]uint32, error) {
	sum := sha256.Sum256(dir)
	if hex.EncodeToString(sum[:dirSumLen]) != p.Sum {
		return nil, errDamaged
	}
	ends := make([]uint32, 0, min(p.Buckets, int64(len(dir))))
	var at uint64
	for len(dir) > 0 {
		n, k := binary.Uvarint(dir)
		if k <= 0 {
			return nil, errDamaged
		}
		at += n
		ends = append(ends, uint32(at))
		dir = dir[k:]
	}
	if int64(len(ends)) != p.Buckets || at != uint64(p.Len) || at > 1<<32-1 {
		return nil, errDamaged
	}
	return ends, nil
}
