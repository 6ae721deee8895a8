package catalog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/seal"
	"expunge/pipeline/spool"
)

const (
	// loneTokens is how many tokens make a pool of a segment alone: it is large
	// enough to be asked by itself, and need not be sorted again.
	loneTokens = 1 << 16
	// tokenBytes is what is kept of a token, and tokenMask which bits these are.
	tokenBytes = 6
	tokenMask  = 1<<64 - 1<<(64-8*tokenBytes)
)

// TokenDir is where the tokens of small segments wait for the index of a run.
func TokenDir(run string) string { return "catalog/tokens/" + run + "/" }

// TokenFile is where those of one batch do; digest is the batch's.
func TokenFile(run string, batch int, digest string) string {
	return fmt.Sprintf("%s%08d-%s", TokenDir(run), batch, digest)
}

func tokenFile(keys *seal.Keys, name string) *spool.File {
	return (&spool.Box{Keys: keys, Purpose: "tokens"}).File(name)
}

// Sink takes what the scans of one batch teach the catalog: pools of large
// segments, which are final, and the tokens of small ones, which the next index
// gathers in pools of one account each.
type Sink struct {
	key    Key
	file   string // of pools
	out    io.Writer
	off    *int64
	keys   *seal.Keys
	name   string // of tokens
	spool  *os.File
	tokens *spool.Writer
	n      int
	rec    []byte
}

// NewSink returns a sink for one batch. Pools are appended to out, whose name in
// the work store is file; off counts its bytes. tokens is a TokenFile.
func NewSink(key Key, keys *seal.Keys, file string, out io.Writer, off *int64, tokens string) *Sink {
	return &Sink{key: key, keys: keys, file: file, out: out, off: off, name: tokens}
}

// Close removes the spool.
func (s *Sink) Close() {
	if s.spool != nil {
		s.spool.Close()
	}
}

// segment takes the distinct tokens of one segment, in order, and says where they are.
func (s *Sink) segment(tokens []uint64) (pipeline.FilterRef, error) {
	if len(tokens) >= loneTokens {
		pairs := make([]pair, len(tokens))
		for i, t := range tokens {
			pairs[i] = newPair(t, 0)
		}
		b, pool := appendPool(nil, *s.off, s.key, s.file, pairs, 1)
		n, err := s.out.Write(b)
		*s.off += int64(n)
		if err != nil {
			return pipeline.FilterRef{}, fmt.Errorf("write filter: %w", err)
		}
		return pipeline.FilterRef{File: s.file, Lone: pool}, nil
	}
	if s.tokens == nil {
		var err error
		if s.spool, err = spool.Temp(); err != nil {
			return pipeline.FilterRef{}, err
		}
		if s.tokens, err = spool.NewWriter(s.spool, tokenFile(s.keys, s.name)); err != nil {
			return pipeline.FilterRef{}, err
		}
	}
	s.rec = s.rec[:0]
	for _, t := range tokens {
		s.rec = binary.BigEndian.AppendUint64(s.rec, t)[:len(s.rec)+tokenBytes]
	}
	ref := pipeline.FilterRef{File: s.name, Segment: s.n}
	s.n++
	return ref, s.tokens.Write(s.rec)
}

// Store puts the tokens into the work store, before the batch's result. What an
// earlier try of the batch put there is as good.
func (s *Sink) Store(ctx context.Context, work connectors.Store) error {
	if s.tokens == nil {
		return nil
	}
	if err := s.tokens.Close(); err != nil {
		return err
	}
	if _, err := work.Create(ctx, s.name, s.spool); err != nil && !errors.Is(err, connectors.ErrExists) {
		return fmt.Errorf("store tokens: %w", err)
	}
	return nil
}

// tokenReader reads tokens back, in the order in which they were written.
type tokenReader struct {
	work connectors.Store
	keys *seal.Keys
	name string
	body io.ReadCloser
	r    *spool.Reader
	next int
}

// read returns the tokens that ref names; they are the caller's until the next call.
func (t *tokenReader) read(ctx context.Context, ref pipeline.FilterRef) ([]byte, error) {
	if t.r == nil || t.name != ref.File || ref.Segment < t.next {
		if err := t.open(ctx, ref.File); err != nil {
			return nil, err
		}
	}
	for {
		rec, err := t.r.Next()
		if err != nil {
			return nil, fmt.Errorf("read tokens %s: %w", ref.File, err)
		}
		t.next++
		if t.next > ref.Segment {
			if len(rec)%tokenBytes != 0 {
				return nil, errDamaged
			}
			return rec, nil
		}
	}
}

func (t *tokenReader) open(ctx context.Context, name string) error {
	t.close()
	body, err := t.work.Open(ctx, connectors.Ref{Key: name}, connectors.All)
	if err != nil {
		return fmt.Errorf("open tokens %s: %w", name, err)
	}
	r, err := spool.NewReader(body, tokenFile(t.keys, name))
	if err != nil {
		body.Close()
		return err
	}
	t.body, t.r, t.name, t.next = body, r, name, 0
	return nil
}

func (t *tokenReader) close() {
	if t.r != nil {
		t.r.Close()
		t.body.Close()
		t.r = nil
	}
}

// tokenAt is the token whose first bytes b begins with.
func tokenAt(b []byte) uint64 {
	return uint64(binary.BigEndian.Uint32(b))<<32 | uint64(binary.BigEndian.Uint16(b[4:]))<<16
}

// Forget removes the tokens of a run whose index is written.
func Forget(ctx context.Context, work connectors.Store, run string) error {
	for o, err := range work.List(ctx, TokenDir(run)) {
		if err == nil {
			err = work.Delete(ctx, o.Ref)
		}
		if err != nil && !errors.Is(err, connectors.ErrNotFound) {
			return fmt.Errorf("remove tokens: %w", err)
		}
	}
	return nil
}
