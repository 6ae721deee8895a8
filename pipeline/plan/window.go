package plan

import (
	"context"
	"iter"
	"maps"
	"slices"

	"expunge/pipeline"
	"expunge/pipeline/catalog"
)

// narrowed yields what judged does, and prunes the objects of which the catalog
// knows that all their records are dated before every window that is asked for.
// The catalog is read only if a window could gain by it.
func (p *Plan) narrowed(ctx context.Context) iter.Seq2[pipeline.Object, error] {
	windows := slices.ContainsFunc(slices.Collect(maps.Values(p.Demands)), func(d Demand) bool { return !d.Deletes && !d.Since.IsZero() })
	if p.Known == nil || !windows {
		return p.judged(ctx)
	}
	return func(yield func(pipeline.Object, error) bool) {
		for j, err := range catalog.Join(p.judged(ctx), p.Known(ctx)) {
			if err == nil && p.past(&j) {
				j.Object.Outcome, j.Object.Code, j.Object.Reason = pipeline.Pruned, Window, "every record of it is dated before every window that is asked for"
			}
			if !yield(j.Object, err) || err != nil {
				return
			}
		}
	}
}

// past reports whether all of an object lies before what its accounts ask for.
// Records without a time belong in every window, so one of them keeps an object in
// the plan, as does a request that has no window or is for more than to know.
func (p *Plan) past(j *catalog.Joined) bool {
	o, e := &j.Object, j.Entry
	if o.Outcome != "" || e == nil || !e.Dated || e.Unattributed+e.Misattributed > 0 || !e.Valid(o, p.Basis(o.Dataset)) {
		return false
	}
	accounts := []string{o.Account}
	if o.Account == "" {
		accounts = slices.Collect(maps.Keys(e.Rows))
	}
	if len(accounts) == 0 || e.From == 0 && e.To == 0 {
		return false
	}
	asked := false
	for _, account := range accounts {
		d, open := p.Demands[account]
		if open && (d.Deletes || d.Since.IsZero() || e.To >= d.Since.UnixMilli()) {
			return false
		}
		asked = asked || open
	}
	return asked
}
