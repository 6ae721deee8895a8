package catalog

import (
	"iter"

	"expunge/pipeline"
	"expunge/scanners"
)

// Merge yields the entries of the next index: for each object, what a scan has
// just taught, else what was known of it. units are the results of the first
// round, in plan order; first gives the ordinal at which a part of a split object
// begins.
func Merge(joined iter.Seq2[Joined, error], units iter.Seq2[*pipeline.UnitResult, error], basis func(dataset int) string, first func(n, place int64) int64) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		next, stop := iter.Pull2(units)
		defer stop()
		u, uerr, more := next()
		for j, err := range joined {
			if err != nil {
				yield(nil, err)
				return
			}
			var e *Entry
			whole := true
			for more && (uerr != nil || u.Object.N <= j.Object.N) {
				if uerr != nil {
					yield(nil, uerr)
					return
				}
				if u.Object.N == j.Object.N {
					if !u.Cataloged {
						whole = whole && u.Outcome == pipeline.Scanned
					} else {
						e = e.with(u, basis, first)
					}
					if u.Outcome == pipeline.Refused {
						whole = false // refused objects are never skipped by the catalog
					}
				}
				u, uerr, more = next()
			}
			switch {
			case !whole:
				continue
			case e == nil && j.Entry != nil && j.Object.Dataset >= 0 && j.Entry.Valid(&j.Object, basis(j.Object.Dataset)):
				e = j.Entry
			case e == nil:
				continue
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// with adds a unit to the entry of its object.
func (e *Entry) with(u *pipeline.UnitResult, basis func(int) string, first func(n, place int64) int64) *Entry {
	o := &u.Object
	if e == nil {
		e = &Entry{
			Store: o.Store, Key: o.Key, VersionID: o.Version, ETag: o.ETag, Size: o.Size, Basis: basis(o.Dataset),
			Format: u.Format, Rows: map[string]int64{}, From: u.From, To: u.To,
		}
	}
	e.Records += u.Records
	e.Malformed += u.Malformed
	e.Unattributed += u.Unattributed
	e.Misattributed += u.Misattributed
	for account, n := range u.Rows {
		e.Rows[account] += n
	}
	base := int64(0)
	if !u.Part.Whole() {
		base = first(o.N, Place(u.Part))
	}
	for _, seg := range u.Segments {
		if !seg.Part.Whole() {
			seg.Part.Record += base
		}
		e.Segments = append(e.Segments, seg)
	}
	return e
}

// Place says where a part begins: its byte offset, or its row group.
func Place(p scanners.Part) int64 {
	if p.Groups > 0 {
		return int64(p.Group)
	}
	return p.Off
}
