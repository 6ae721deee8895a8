package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/manifest"
)

// labels searches what stands beside the bytes of a version, as raw searches these. No
// erasure reaches it, since a rewritten object keeps it: so it is no residue, but it is
// named for the requests whose consumer it names.
func (v *Verify) labels(ctx context.Context, t *manifest.Target, ver *connectors.Version, out *Result) error {
	l, can := v.Stores[t.Store].(connectors.Labeller)
	touched := v.touched(t)
	if _, done := v.Done(t.ID, ver.Version); !can || !done || len(touched) == 0 {
		return nil
	}
	all, err := l.Labels(ctx, ver.Ref)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, connectors.ErrUnsupported), errors.Is(err, connectors.ErrNotFound):
		return nil
	case err != nil:
		reason := "what stands beside its bytes was not searched: " + cause(err).Error()
		if denied := (*connectors.DeniedError)(nil); errors.As(err, &denied) {
			reason += ": allow " + strings.Join(denied.Allow, ", ")
		}
		for request := range touched {
			out.Beside = append(out.Beside, v.trace(t, ver, Trace{Request: request, Record: -1, Code: Beside, Reason: reason}))
		}
		return nil
	}
	for _, label := range all {
		named := map[string]bool{}
		meet := func(needle uint32) {
			for _, ask := range v.Search.asks[needle] {
				named[ask.Request.String()] = true
			}
		}
		past := v.Search.newPastSearch(t.Account, meet)
		literal := &reading{literals: v.Search.literals, found: meet, done: func(uint32) bool { return false }}
		past.add([]byte(label.Text))
		past.look(len(past.text))
		literal.add([]byte(label.Text))
		literal.end()
		for request := range named {
			same := func(x Trace) bool { return x.Request == request && x.Version == ver.Version && x.Field == label.Kind }
			ref, err := pipeline.ParseRequestRef(request)
			if err != nil {
				return err
			}
			if touched[request] && !v.waits(ref) && !slices.ContainsFunc(out.Beside, same) {
				out.Beside = append(out.Beside, v.trace(t, ver, Trace{Request: request, Record: -1, Field: label.Kind, Code: Beside,
					Reason: fmt.Sprintf("its %s holds a form of an identifier, which no erasure reaches: change it by hand", label.Kind)}))
			}
		}
	}
	return nil
}
