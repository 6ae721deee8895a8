package results

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"iter"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/spool"
)

// Units yields what became of each unit of a round, in plan order.
func (r *Results) Units(ctx context.Context, round int) iter.Seq2[*pipeline.UnitResult, error] {
	return func(yield func(*pipeline.UnitResult, error) bool) {
		for n, err := range r.list(ctx, round) {
			if err != nil {
				yield(nil, err)
				return
			}
			if !r.unitsOf(ctx, r.units(round, n), yield) {
				return
			}
		}
	}
}

func (r *Results) unitsOf(ctx context.Context, key string, yield func(*pipeline.UnitResult, error) bool) bool {
	var h *head
	for rec, err := range r.records(ctx, key) {
		if err == nil && h == nil {
			if h, err = readHead(rec, key); err == nil {
				continue
			}
		}
		u := new(pipeline.UnitResult)
		if err == nil {
			err = json.Unmarshal(rec, u)
		}
		if err != nil {
			yield(nil, err)
			return false
		}
		if !yield(u, nil) {
			return false
		}
	}
	return true
}

// records yields the records of a file that is sealed under its key.
func (r *Results) records(ctx context.Context, key string) iter.Seq2[[]byte, error] {
	return r.read(ctx, key, r.file(key), "")
}

// read yields the records of a file; it is an error at its end if it has not the
// digest sum ("": any).
func (r *Results) read(ctx context.Context, key string, file *spool.File, sum string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		body, err := r.Work.Open(ctx, connectors.Ref{Key: key}, connectors.All)
		if err != nil {
			yield(nil, fmt.Errorf("open result %s: %w", key, err))
			return
		}
		defer body.Close()
		digest := sha256.New()
		var in io.Reader = body
		if sum != "" {
			in = io.TeeReader(body, digest)
		}
		records, err := spool.NewReader(in, file)
		if err != nil {
			yield(nil, err)
			return
		}
		defer records.Close()
		for {
			rec, err := records.Next()
			if err == io.EOF && sum == "" {
				return
			}
			if err == io.EOF {
				if _, err = io.Copy(io.Discard, in); err == nil {
					if hex.EncodeToString(digest.Sum(nil)) == sum {
						return
					}
					err = ErrOther
				}
			}
			if err != nil {
				yield(nil, fmt.Errorf("read result %s: %w", key, err))
				return
			}
			if !yield(rec, nil) {
				return
			}
		}
	}
}

// Hits yields the hits of a round, in plan order. Ordinals are absolute: bases
// says where the parts of split objects begin. Doc and Schema are the caller's
// only until the next step.
func (r *Results) Hits(ctx context.Context, round int, bases Bases) iter.Seq2[*Found, error] {
	return func(yield func(*Found, error) bool) {
		for n, err := range r.list(ctx, round) {
			var h *head
			if err == nil {
				h, err = r.head(ctx, round, n)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if h.Hits > 0 && !r.hitsOf(ctx, round, n, h, bases, yield) {
				return
			}
		}
	}
}

func (r *Results) hitsOf(ctx context.Context, round, batch int, head *head, bases Bases, yield func(*Found, error) bool) bool {
	var schema []byte
	var read int64
	for rec, err := range r.read(ctx, head.File, r.file(r.units(round, batch)+"/hits"), head.SHA256) {
		if err != nil {
			yield(nil, err)
			return false
		}
		switch {
		case len(rec) > 0 && rec[0] == 's':
			schema = append([]byte(nil), rec[1:]...)
		case len(rec) > 0 && rec[0] == 'h':
			read++
			n, k := binary.Uvarint(rec[1:])
			f := &Found{Schema: schema}
			if err := json.Unmarshal(rec[1+k:1+k+int(n)], &f.Hit); err != nil {
				yield(nil, fmt.Errorf("read hit: %w", err))
				return false
			}
			f.Doc = rec[1+k+int(n):]
			if len(f.Schema) == 0 {
				f.Schema = nil
			}
			var known bool
			if f.Record, known = bases.absolute(&f.Hit); !known {
				continue
			}
			if !yield(f, nil) {
				return false
			}
		}
	}
	if read != head.Hits {
		yield(nil, fmt.Errorf("read result %s: %d hits, not %d: %w", head.File, read, head.Hits, ErrOther))
		return false
	}
	return true
}
