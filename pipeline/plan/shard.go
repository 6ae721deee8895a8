package plan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/spool"
)

// shardObjects is how many objects one shard of the plan holds.
const shardObjects = 50_000

// Objects yields the objects of a plan that is whole, in order.
func (p *Plan) Objects(ctx context.Context, s *Summary) iter.Seq2[pipeline.Object, error] {
	return func(yield func(pipeline.Object, error) bool) {
		for shard := range s.Shards {
			if !p.shard(ctx, p.file(shard), p.key(shard), yield) {
				return
			}
		}
	}
}

func (p *Plan) shard(ctx context.Context, file *spool.File, key string, yield func(pipeline.Object, error) bool) bool {
	fail := func(err error) bool {
		yield(pipeline.Object{}, fmt.Errorf("read plan %s: %w", key, err))
		return false
	}
	body, err := p.Work.Open(ctx, connectors.Ref{Key: key}, connectors.All)
	if err != nil {
		return fail(err)
	}
	defer body.Close()
	r, err := spool.NewReader(body, file)
	if err != nil {
		return fail(err)
	}
	defer r.Close()
	words := words{}
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return true
		}
		var o pipeline.Object
		if err == nil {
			err = words.decode(rec, &o)
		}
		if err != nil {
			return fail(err)
		}
		if !yield(o, nil) {
			return false
		}
	}
}

type shard struct {
	f   *os.File
	w   *spool.Writer
	n   int
	rec []byte
}

func newShard(file *spool.File) (*shard, error) {
	f, err := spool.Temp()
	if err != nil {
		return nil, err
	}
	w, err := spool.NewWriter(f, file)
	if err != nil {
		f.Close()
		return nil, err
	}
	return &shard{f: f, w: w}, nil
}

func (s *shard) add(o *pipeline.Object) error {
	s.n++
	s.rec = encode(s.rec[:0], o)
	return s.w.Write(s.rec)
}

// store puts the shard into the work store. One of an earlier try, whose plan did
// not become whole, is replaced: the lake may have changed since.
func (s *shard) store(ctx context.Context, work connectors.Store, key string) error {
	defer s.f.Close()
	if err := s.w.Close(); err != nil {
		return err
	}
	_, err := work.Create(ctx, key, s.f)
	if errors.Is(err, connectors.ErrExists) {
		err = replace(ctx, work, key, s.f)
	}
	if err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	return nil
}

func replace(ctx context.Context, work connectors.Store, key string, f *os.File) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	for o, err := range work.List(ctx, key) {
		if err != nil {
			return err
		}
		if o.Key == key {
			_, err = work.Replace(ctx, o.Ref, connectors.Patch{Pieces: []connectors.Piece{{Spool: true, Len: st.Size()}}, Spool: f})
			return err
		}
	}
	return fmt.Errorf("replace %s: %w", key, connectors.ErrNotFound)
}
