package plan

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/naming"
)

// List yields every object version of the stores with what the plan decides of
// it, and counts it in s.
func (p *Plan) List(ctx context.Context, s *Summary) iter.Seq2[pipeline.Object, error] {
	return func(yield func(pipeline.Object, error) bool) {
		var n int64
		for o, err := range p.narrowed(ctx) {
			if err != nil {
				yield(pipeline.Object{}, err)
				return
			}
			o.N = n
			n++
			p.count(s, &o)
			if p.Progress != nil && n%progressObjects == 0 {
				p.Progress(n)
			}
			if !yield(o, nil) {
				return
			}
		}
	}
}

// judged yields every object version with what its key and the requests decide.
func (p *Plan) judged(ctx context.Context) iter.Seq2[pipeline.Object, error] {
	return func(yield func(pipeline.Object, error) bool) {
		for _, src := range p.Sources {
			for o, err := range versions(ctx, src) {
				switch {
				case err != nil:
					err = fmt.Errorf("list store %q: %w", src.Name, masked{err})
				default:
					if err = p.judge(&o); err != nil {
						err = fmt.Errorf("list store %q: an object below %q: %w", src.Name, naming.First(o.Store, o.Key), err)
					}
				}
				if err != nil {
					yield(pipeline.Object{}, err)
					return
				}
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
	case claim.Dataset < 0 && o.Size == 0 && strings.HasSuffix(o.Key, "/") && naming.Mask(o.Key) == o.Key:
		// Consoles make such objects, so that a folder is seen: none holds anything. One
		// that may be named after somebody is asked about all the same.
		o.Outcome, o.Code, o.Reason = pipeline.Skipped, Folder, "an empty object that stands for a folder"
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
	var day pipeline.Date
	if err := day.UnmarshalText([]byte(claim.Captures["date"])); err == nil && !demand.Deletes && !demand.Since.IsZero() {
		if day.End(d.Zone).Add(d.DateSlack).Before(demand.Since) {
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
		naming.Tally(s.Undeclared, o.Store, o.Key)
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

// progressObjects is after how many objects Progress is told.
const progressObjects = 10_000

// masked is an error of a store, which may name keys, and keys may hold what
// identifies a person.
type masked struct{ err error }

func (m masked) Error() string { return naming.Mask(m.err.Error()) }
func (m masked) Unwrap() error { return m.err }

// SortSources puts sources in the order of plans.
func SortSources(sources []Source) {
	slices.SortFunc(sources, func(a, b Source) int { return strings.Compare(a.Name, b.Name) })
}
