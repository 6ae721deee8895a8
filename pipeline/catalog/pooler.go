package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/seal"
)

// poolPairs is how many tokens of segments are gathered before their pools are
// written: 8 bytes each in memory, and about 5 for what is written.
const poolPairs = 1 << 22

// pooler gathers the tokens of small segments in pools of one account each.
// Pools of one file come of neighbours in the plan, so what is gathered hangs on
// the plan alone.
type pooler struct {
	work   connectors.Store
	keys   *seal.Keys
	key    Key
	run    string
	keep   func(file string, content []byte, pools []*pipeline.Pool)
	limit  int
	file   int
	of     map[string]int // the account's pool; "" is of records whose account only a field tells
	pools  []gathering
	gather int
}

type gathering struct {
	pairs    []pair
	segments int
}

func (p *pooler) name() string { return fmt.Sprintf("catalog/pools/%s-%06d", p.run, p.file) }

const poolsPurpose = "pools"

// headOf is the file that describes the pools of a file.
func headOf(file string) string { return file + ".head" }

// add takes the tokens of a segment, tokenBytes each.
func (p *pooler) add(ctx context.Context, account string, tokens []byte) (pipeline.FilterRef, error) {
	n := len(tokens) / tokenBytes
	if i, ok := p.of[account]; p.gather > 0 && p.gather+n > p.limit || ok && p.pools[i].segments == poolSegments {
		if err := p.flush(ctx); err != nil {
			return pipeline.FilterRef{}, err
		}
	}
	i, ok := p.of[account]
	if !ok {
		i = len(p.pools)
		p.of[account] = i
		p.pools = append(p.pools, gathering{})
	}
	g := &p.pools[i]
	for at := 0; at < len(tokens); at += tokenBytes {
		g.pairs = append(g.pairs, newPair(tokenAt(tokens[at:]), g.segments))
	}
	p.gather += n
	g.segments++
	return pipeline.FilterRef{File: p.name(), Pool: i, Segment: g.segments - 1}, nil
}

// flush writes the file of the pools that are gathered: first the pools, then
// what describes them.
func (p *pooler) flush(ctx context.Context) error {
	if len(p.pools) == 0 {
		return nil
	}
	var content []byte
	pools := make([]*pipeline.Pool, len(p.pools))
	for i := range p.pools {
		content, pools[i] = appendPool(content, 0, p.key, p.name(), p.pools[i].pairs, p.pools[i].segments)
		p.pools[i].pairs = nil
	}
	head, err := json.Marshal(pools)
	if err != nil {
		return fmt.Errorf("write pools: %w", err)
	}
	for _, f := range []struct {
		name string
		b    []byte
	}{{p.name(), content}, {headOf(p.name()), p.keys.Seal(poolsPurpose, "", head, headOf(p.name()))}} {
		if _, err := p.work.Create(ctx, f.name, bytes.NewReader(f.b)); err != nil && !errors.Is(err, connectors.ErrExists) {
			return fmt.Errorf("write pools: %w", err)
		}
	}
	if p.keep != nil {
		p.keep(p.name(), content, pools)
	}
	p.file++
	p.of, p.pools, p.gather = map[string]int{}, nil, 0
	return nil
}

// readHead reads what describes the pools of a file, and how many bytes that took.
func readHead(ctx context.Context, work connectors.Store, keys *seal.Keys, file string) ([]*pipeline.Pool, int64, error) {
	box, err := connectors.ReadAll(ctx, work, headOf(file))
	if err != nil {
		return nil, 0, err
	}
	plain, err := keys.Unseal(poolsPurpose, "", box, headOf(file))
	if err != nil {
		return nil, int64(len(box)), fmt.Errorf("read pools of %s: %w", file, err)
	}
	var pools []*pipeline.Pool
	if err := json.Unmarshal(plain, &pools); err != nil {
		return nil, int64(len(box)), fmt.Errorf("read pools of %s: %w", file, err)
	}
	return pools, int64(len(box)), nil
}
