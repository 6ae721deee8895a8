package erase

import (
	"context"
	"slices"

	"expunge/pipeline"
	"expunge/pipeline/manifest"
	"expunge/pipeline/record"
	"expunge/scanners"
)

// named are the requests whose consumer the key of an object names, if that is all why
// the object goes as a whole, and records of others in it are not to go with it. rows
// are those of one version.
func (e *Erase) named(rows []*manifest.Row, t *manifest.Target) []pipeline.RequestRef {
	if !t.Identifying || e.Datasets[t.Dataset].Erase.Action == pipeline.EraseObject {
		return nil
	}
	var out []pipeline.RequestRef
	for _, r := range rows {
		if r.Record != nil || r.Digest != nil || r.Disposition == string(pipeline.Excepted) {
			continue
		}
		ref, err := pipeline.ParseRequestRef(r.Request)
		if err != nil || len(r.Kinds) == 0 || slices.ContainsFunc(r.Kinds, func(k string) bool { return !pipeline.Kind(k).Identifies() }) {
			return nil // by what a call or a recording is called, too: the object is of that alone
		}
		out = append(out, ref)
	}
	return out
}

// others tells which records of an object, whose key names the consumer of requests, are
// not the consumer's to take along, though no tombstone names them: those that name
// somebody by themselves, that are dated after the requests' cut-off, or that a person has
// excluded. That may be the consumer, where it is not sure enough for a tombstone. Records
// that name nobody are the consumer's whom the key names, and so are those that name
// only what is known as the consumer's beside what was asked for.
type others struct {
	e        *Erase
	d        *pipeline.Dataset
	requests []pipeline.RequestRef
	named    *record.Others
	cutoff   int64 // Unix milliseconds
}

func (e *Erase) others(requests []pipeline.RequestRef, t *manifest.Target) *others {
	o := &others{e: e, d: &e.Datasets[t.Dataset], requests: requests}
	o.named = record.NewOthers(o.d, e.Region, func(l pipeline.Link) bool {
		return slices.ContainsFunc(requests, func(ref pipeline.RequestRef) bool { return e.Own(ref, l) })
	})
	for _, ref := range requests {
		o.cutoff = max(o.cutoff, e.Cutoff(ref))
	}
	return o
}

// has reports whether a record that no tombstone names stays.
func (o *others) has(r *scanners.Record) bool {
	if when := record.Time(r, o.d); when.Known() && when.From > o.cutoff {
		return true
	}
	if o.e.Excluded != nil && !slices.ContainsFunc(o.requests, func(ref pipeline.RequestRef) bool { return !o.e.Excluded(ref, o.d.Name, r.Raw) }) {
		return true
	}
	return o.named.Name(r)
}

// outlive is what happens to the records of an object that goes since its key names the
// consumer of requests: the edits that leave what stays of it. It reports whether
// anything does. Memory is some hundred bytes for each record that goes.
func (e *Erase) outlive(ctx context.Context, t *manifest.Target, src *source, v verdict, requests []pipeline.RequestRef) (verdict, bool, error) {
	in := e.input(t, src.size, src.open)
	s, err := e.scanner(ctx, t, in)
	if err != nil {
		return v, false, err
	}
	erasure, stays, o := &e.Datasets[t.Dataset].Erase, v.keeps(), e.others(requests, t)
	v.keyed = map[int64]bool{}
	theirs := slices.DeleteFunc(slices.Clone(v.edits), func(e scanners.Edit) bool { return v.stay[e.Record] })
	_, err = each(ctx, s, in, func(r seen) error {
		switch {
		case v.digest[r.index] != nil && !v.stay[r.index]:
			return nil
		case o.has(r.rec):
			stays = true
			if i, ok := slices.BinarySearchFunc(v.edits, scanners.Edit{Record: r.index}, byRecord); ok {
				theirs = append(theirs, v.edits[i]) // a mention
			}
			return nil
		}
		edit := scanners.Edit{Record: r.index}
		if erasure.Action == pipeline.Redact || erasure.Action == pipeline.Deidentify {
			edit.Redact, edit.Keep, stays = true, erasure.Keep, true
		}
		if erasure.Action == pipeline.Deidentify {
			v.mentions[r.index] = append(v.mentions[r.index], requests...)
		}
		v.keyed[r.index], v.stay[r.index] = true, false
		theirs = append(theirs, edit)
		return nil
	})
	slices.SortFunc(theirs, byRecord)
	v.edits = theirs
	return v, stays, err
}
