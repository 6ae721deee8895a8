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

	mentions map[int64][]pipeline.RequestRef // edited records, and whose identities are cut out of what stays of them
	stay     map[int64]bool                  // of these, those that are not redacted otherwise
}

// judge turns the rows of a version into edits. Rows of one place agree on what is
// done: the manifest has applied the most careful action to all of them but for mentions.
// Those are cut out of what the other rows leave.
func judge(v *manifest.Version, t *manifest.Target) verdict {
	out := verdict{digest: map[int64]*manifest.Row{}, mentions: map[int64][]pipeline.RequestRef{}, stay: map[int64]bool{}}
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
		mention, deidentify := r.Action == string(pipeline.RedactMention), r.Action == string(pipeline.Deidentify)
		if ref, err := pipeline.ParseRequestRef(r.Request); (mention || deidentify) && err == nil {
			out.mentions[*r.Record] = append(out.mentions[*r.Record], ref)
		}
		if first := out.digest[*r.Record]; first != nil && (mention || !out.stay[*r.Record]) {
			continue
		}
		out.digest[*r.Record], out.stay[*r.Record] = r, mention
		e := scanners.Edit{Record: *r.Record}
		if mention || excepted || deidentify || r.Action == string(pipeline.Redact) {
			e.Redact, e.Keep = true, slices.Clone(r.KeptFields)
		}
		if n := len(out.edits); n > 0 && out.edits[n-1].Record == e.Record { // rows of one record come together
			out.edits[n-1] = e
			continue
		}
		out.edits = append(out.edits, e)
	}
	slices.SortFunc(out.edits, byRecord)
	return out
}

// keeps reports whether records that would go with the object are to stay redacted. Of
// one that goes as a whole, mentions go, too.
func (v *verdict) keeps() bool {
	return slices.ContainsFunc(v.edits, func(e scanners.Edit) bool { return e.Redact && !v.stay[e.Record] })
}

func byRecord(a, b scanners.Edit) int { return cmp.Compare(a.Record, b.Record) }
