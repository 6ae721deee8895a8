package erase

import (
	"cmp"
	"slices"

	"expunge/pipeline"
	"expunge/pipeline/manifest"
	"expunge/scanners"
)

// bytes is what a target weighs in a window.
func weight(t *manifest.Target) int64 {
	var n int64
	for _, v := range t.Versions {
		n += v.Size
	}
	return n
}

// verdict is what the rows of one version come to.
type verdict struct {
	whole  bool // the object goes
	edits  []scanners.Edit
	digest map[int64]*manifest.Row // one row of each edited record: whose digest it must have
	keyed  map[int64]bool          // edited records that no tombstone names: the key says whose they are
	kept   int                     // places that an exception keeps as they are
	shared bool                    // whole, though the key does not say whose the object is
}

// judge turns the rows of a version into edits. Rows of one place agree on what is
// done: the manifest has applied the most careful action to all of them.
func judge(v *manifest.Version, t *manifest.Target) verdict {
	out := verdict{digest: map[int64]*manifest.Row{}}
	for _, r := range v.Rows {
		excepted := r.Disposition == string(pipeline.Excepted)
		switch {
		case excepted && (r.Record == nil || len(r.KeptFields) == 0):
			out.kept++
			continue
		case r.Record == nil:
			out.whole = true
			continue
		case r.Action == string(pipeline.EraseObject) && !excepted:
			out.whole = true
			out.shared = out.shared || t.Account == ""
			continue
		}
		if out.digest[*r.Record] != nil {
			continue
		}
		out.digest[*r.Record] = r
		e := scanners.Edit{Record: *r.Record}
		if excepted || r.Action == string(pipeline.Redact) {
			e.Redact, e.Keep = true, slices.Clone(r.KeptFields)
		}
		out.edits = append(out.edits, e)
	}
	slices.SortFunc(out.edits, byRecord)
	return out
}

func byRecord(a, b scanners.Edit) int { return cmp.Compare(a.Record, b.Record) }
