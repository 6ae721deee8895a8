// Package plan is the step that lists the stores and decides, before anything is
// opened, what each object is: of which dataset and account, and whether any open
// request could touch it. The plan is kept in the work store in shards, in the
// order of store, key and version, so that a resumed run works on the same plan
// and memory does not grow with the number of objects.
//
//	runs/<run>/plan/<shard>     objects, sealed: keys may hold identifiers
//	runs/<run>/plan/plan.json   summary, authenticated; written last
package plan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/catalog"
	"expunge/pipeline/seal"
	"expunge/pipeline/spool"
)

// Codes of objects that are not scanned.
const (
	Undeclared = "UNDECLARED"         // no dataset claims it: the run is INCOMPLETE
	Ignored    = "IGNORED"            // the config says why
	Folder     = "FOLDER"             // an empty object that stands for a folder
	NoRequest  = "NO_REQUEST"         // its account has no open request
	Window     = "WINDOW"             // dated outside what every request of its account asks for
	Noncurrent = "NONCURRENT_IGNORED" // an older version that no deletion asks for
)

// Claim is what the config says of a key.
type Claim struct {
	Dataset  int // -1: none
	Captures map[string]string
	Ignore   string // the reason, where the config ignores it
}

// Source is a store to list.
type Source struct {
	Name     string
	Store    connectors.Store
	Versions bool // older versions, too
}

// Demand is what the open requests of an account ask for, as far as a plan can use it.
type Demand struct {
	Since   time.Time // the earliest day that any of them asks for; zero: everything
	Deletes bool      // whether one asks for more than know or access
}

// Plan makes plans.
type Plan struct {
	Sources  []Source // sorted by name
	Claim    func(store, key string) (Claim, error)
	Datasets []pipeline.Dataset
	Accounts map[string]string // names and ids to names
	Demands  map[string]Demand // by account, for those that have open requests

	// Known are the entries of the catalog, in its order, and Basis what their validity
	// hangs on: they tell of more objects that no window reaches. nil: nothing is known.
	Known    func(context.Context) iter.Seq2[*catalog.Entry, error]
	Basis    func(dataset int) string
	Progress func(objects int64) // told now and then how many were listed; nil: nobody

	Work connectors.Store
	Run  string
	Keys *seal.Keys
}

// Summary is what a plan comes to.
type Summary struct {
	Version    int              `json:"version"`
	Objects    int64            `json:"objects"`
	Bytes      int64            `json:"bytes"`
	Scan       int64            `json:"scan"`       // objects that may have to be opened
	ScanBytes  int64            `json:"scan_bytes"` // their size
	Pruned     map[string]int64 `json:"pruned"`     // by code
	Undeclared map[string]int64 `json:"undeclared"` // by first segment below the store, as outputs show it
	ByDataset  map[string]int64 `json:"datasets"`   // objects
	ByClass    map[string]int64 `json:"classes"`    // bytes to scan, by storage class
	Unmatched  []string         `json:"unmatched"`  // datasets that no object matches
	Shards     int              `json:"shards"`
}

// Make lists the stores and writes the plan. A plan that is already whole is kept.
func (p *Plan) Make(ctx context.Context) (*Summary, error) {
	if s, err := p.Summary(ctx); !errors.Is(err, connectors.ErrNotFound) {
		return s, err
	}
	s := newSummary()
	var shard *shard
	for o, err := range p.List(ctx, s) {
		if err != nil {
			return nil, err
		}
		if shard == nil {
			if shard, err = newShard(p.file(s.Shards)); err != nil {
				return nil, err
			}
		}
		if err := shard.add(&o); err != nil {
			return nil, err
		}
		if shard.n == shardObjects {
			if err := shard.store(ctx, p.Work, p.key(s.Shards)); err != nil {
				return nil, err
			}
			s.Shards, shard = s.Shards+1, nil
		}
	}
	if shard != nil {
		if err := shard.store(ctx, p.Work, p.key(s.Shards)); err != nil {
			return nil, err
		}
		s.Shards++
	}
	p.end(s)
	b, err := p.Keys.Write(p.document(), s)
	if err != nil {
		return nil, fmt.Errorf("write plan: %w", err)
	}
	if _, err := p.Work.Create(ctx, p.document().File, bytes.NewReader(b)); err != nil {
		return nil, fmt.Errorf("write plan: %w", err)
	}
	return s, nil
}

func newSummary() *Summary {
	return &Summary{Version: 1, Pruned: map[string]int64{}, Undeclared: map[string]int64{}, ByDataset: map[string]int64{}, ByClass: map[string]int64{}}
}

func (p *Plan) dir() string          { return "runs/" + p.Run + "/plan/" }
func (p *Plan) key(shard int) string { return fmt.Sprintf("%s%06d", p.dir(), shard) }

func (p *Plan) file(shard int) *spool.File {
	return (&spool.Box{Keys: p.Keys, Purpose: "plan"}).File(p.key(shard))
}

func (p *Plan) document() seal.Document {
	return seal.Document{Purpose: "plan", File: p.dir() + "plan.json"}
}

// Summary reads the summary of a plan that is whole, else ErrNotFound.
func (p *Plan) Summary(ctx context.Context) (*Summary, error) {
	b, err := connectors.ReadAll(ctx, p.Work, p.document().File)
	if err != nil {
		return nil, err
	}
	s := new(Summary)
	if err := p.Keys.Read(p.document(), b, s); err != nil {
		return nil, err
	}
	return s, nil
}

// Estimate lists the stores and sums up, and writes nothing: a dry run.
func (p *Plan) Estimate(ctx context.Context) (*Summary, error) {
	s := newSummary()
	for _, err := range p.List(ctx, s) {
		if err != nil {
			return nil, err
		}
	}
	p.end(s)
	return s, nil
}

// end notes what can be said only after the last object. A pattern that matches
// nothing is no failure: a lake may not have that dataset yet. One that is mistaken
// leaves its objects undeclared, which is.
func (p *Plan) end(s *Summary) {
	s.Unmatched = []string{}
	for i := range p.Datasets {
		if name := p.Datasets[i].Name; s.ByDataset[name] == 0 {
			s.Unmatched = append(s.Unmatched, name)
		}
	}
}
