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
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"
	"time"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/seal"
	"expunge/pipeline/spool"
)

// shardObjects is how many objects one shard of the plan holds.
const shardObjects = 50_000

// Codes of objects that are not scanned.
const (
	Undeclared = "UNDECLARED"         // no dataset claims it: the run is INCOMPLETE
	Ignored    = "IGNORED"            // the config says why
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
	Undeclared map[string]int64 `json:"undeclared"` // by first segment below the store
	ByDataset  map[string]int64 `json:"datasets"`   // objects
	ByClass    map[string]int64 `json:"classes"`    // bytes to scan, by storage class
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
	body, err := p.Work.Open(ctx, connectors.Ref{Key: p.document().File}, connectors.All)
	if err != nil {
		return nil, fmt.Errorf("open plan: %w", err)
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		return nil, fmt.Errorf("read plan of run %s: %w", p.Run, err)
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
	return s, nil
}

// List yields every object version of the stores with what the plan decides of
// it, and counts it in s.
func (p *Plan) List(ctx context.Context, s *Summary) iter.Seq2[pipeline.Object, error] {
	return func(yield func(pipeline.Object, error) bool) {
		var n int64
		for _, src := range p.Sources {
			for o, err := range versions(ctx, src) {
				if err == nil {
					err = p.judge(&o)
				}
				if err != nil {
					yield(o, fmt.Errorf("list store %q: %w", src.Name, err))
					return
				}
				o.N = n
				n++
				p.count(s, &o)
				if !yield(o, nil) {
					return
				}
			}
		}
	}
}

// versions lists a store: current objects, and older versions where asked for.
func versions(ctx context.Context, src Source) iter.Seq2[pipeline.Object, error] {
	return func(yield func(pipeline.Object, error) bool) {
		v, ok := src.Store.(connectors.Versioner)
		if !src.Versions || !ok {
			for o, err := range src.Store.List(ctx, "") {
				o.Store = src.Name
				if !yield(pipeline.Object{Object: o}, err) || err != nil {
					return
				}
			}
			return
		}
		for x, err := range v.Versions(ctx, "") {
			if err == nil && x.Deleted {
				continue // holds no bytes; its key goes last when the key itself identifies
			}
			x.Store = src.Name
			if !yield(pipeline.Object{Object: x.Object, Noncurrent: !x.Current}, err) || err != nil {
				return
			}
		}
	}
}

// judge decides what can be decided without opening the object.
func (p *Plan) judge(o *pipeline.Object) error {
	claim, err := p.Claim(o.Store, o.Key)
	if err != nil {
		return err
	}
	o.Dataset, o.Captures = claim.Dataset, claim.Captures
	switch {
	case claim.Ignore != "":
		o.Dataset = -1
		o.Outcome, o.Code, o.Reason = pipeline.Skipped, Ignored, claim.Ignore
		return nil
	case claim.Dataset < 0:
		o.Outcome, o.Code = pipeline.Refused, Undeclared
		o.Reason = "no dataset claims it; declare one, or ignore it with a reason"
		return nil
	}
	d := &p.Datasets[claim.Dataset]
	capture, named := claim.Captures["account"]
	if named {
		o.Account = p.Accounts[capture]
	}
	if o.Noncurrent && !p.deletes(o.Account) {
		o.Outcome, o.Code, o.Reason = pipeline.Pruned, Noncurrent, "an older version, and no open request of its account asks for erasure"
		return nil
	}
	if o.Account == "" {
		return nil // a field tells, or nothing does: its records have to be read
	}
	demand, open := p.Demands[o.Account]
	if !open {
		o.Outcome, o.Code, o.Reason = pipeline.Pruned, NoRequest, "its account has no open request"
		return nil
	}
	if day, err := time.Parse(time.DateOnly, claim.Captures["date"]); err == nil && !demand.Deletes && !demand.Since.IsZero() {
		if day.Add(24 * time.Hour).Add(d.DateSlack).Before(demand.Since) {
			o.Outcome, o.Code, o.Reason = pipeline.Pruned, Window, "dated before every window that is asked for"
		}
	}
	return nil
}

func (p *Plan) deletes(account string) bool {
	if account != "" {
		return p.Demands[account].Deletes
	}
	for _, d := range p.Demands {
		if d.Deletes {
			return true
		}
	}
	return false
}

func (p *Plan) count(s *Summary, o *pipeline.Object) {
	s.Objects++
	s.Bytes += o.Size
	if o.Dataset >= 0 {
		s.ByDataset[p.Datasets[o.Dataset].Name]++
	}
	switch {
	case o.Code == Undeclared:
		first, _, _ := strings.Cut(o.Key, "/")
		s.Undeclared[o.Store+"/"+first]++
	case o.Outcome == "":
		s.Scan++
		s.ScanBytes += o.Size
		class := o.Class
		if class == "" {
			class = "STANDARD"
		}
		s.ByClass[class] += o.Size
	default:
		s.Pruned[o.Code]++
	}
}

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
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return true
		}
		var o pipeline.Object
		if err == nil {
			err = json.Unmarshal(rec, &o)
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
	f *os.File
	w *spool.Writer
	n int
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
	b, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	s.n++
	return s.w.Write(b)
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

// SortSources puts sources in the order of plans.
func SortSources(sources []Source) {
	slices.SortFunc(sources, func(a, b Source) int { return strings.Compare(a.Name, b.Name) })
}
