package verify

import (
	"context"
	"errors"

	"expunge/connectors"
	"expunge/pipeline/manifest"
)

// uploads looks for unfinished uploads of a key. What is in them nobody can read: one
// that should be gone is residue.
func (v *Verify) uploads(ctx context.Context, t *manifest.Target, out *Result) error {
	u, takes := v.Stores[t.Store].(connectors.Uploader)
	if !takes || v.Uploads(t.ID) {
		return nil // nothing is kept, or the erasure lists the key as open
	}
	trace := Trace{Object: t.Shown, ObjectID: t.ID, Record: -1, Code: Upload}
	all, err := u.Uploads(ctx, t.Key)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, connectors.ErrUnsupported):
		trace.Reason = "the store cannot tell which unfinished uploads it keeps"
		out.Staying = append(out.Staying, trace)
	case err != nil:
		trace.Reason = "its unfinished uploads could not be examined: " + cause(err).Error()
		out.Residue = append(out.Residue, trace)
	}
	for _, up := range all {
		if up.Idle().After(v.Idle) {
			trace.Reason = "an unfinished upload may still be written, or is later than the search"
			out.Staying = append(out.Staying, trace)
			continue
		}
		trace.Reason = "an unfinished upload of before is left"
		out.Residue = append(out.Residue, trace)
	}
	return nil
}
