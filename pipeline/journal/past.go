package journal

import (
	"context"
	"iter"
	"slices"
)

// Past is what earlier tries did and meant to do.
type Past struct {
	final   map[Place]*Entry
	intents map[Place][]*Entry
	last    map[Place]*Entry // outcomes that are not final
}

// Past reads the whole journal. It takes a few hundred bytes of memory for each
// object version that was touched.
func (j *Journal) Past(ctx context.Context) (*Past, error) {
	p := &Past{final: map[Place]*Entry{}, intents: map[Place][]*Entry{}, last: map[Place]*Entry{}}
	for e, err := range j.Entries(ctx) {
		if err != nil {
			return nil, err
		}
		at := e.Place()
		switch {
		case e.Kind == Intent:
			p.intents[at] = append(p.intents[at], e)
		case e.State.Final():
			if old := p.final[at]; old == nil || old.State != Done { // what one process has done is gone for another
				p.final[at] = e
			}
		default:
			p.last[at] = e
		}
	}
	return p, nil
}

// Final is the outcome after which nothing is left to do at a place, or nil.
func (p *Past) Final(at Place) *Entry { return p.final[at] }

// Intents are what was meant to be done at a place, oldest first within a writer.
// Any of them may have been carried out by a worker that was killed before it could
// say so.
func (p *Past) Intents(at Place) []*Entry { return p.intents[at] }

// Outcomes yields the last word on every place.
func (p *Past) Outcomes(yield func(*Entry) bool) {
	for _, e := range p.final {
		if !yield(e) {
			return
		}
	}
	for at, e := range p.last {
		if p.final[at] == nil && !yield(e) {
			return
		}
	}
}

// Of is the last word on one version of an object: of the act that its records
// called for and, where the store keeps versions, of the version itself, which goes
// after it was replaced, and of the one that was replaced in its stead. open is the
// first of these that is not final, or nil; done is nil where nothing was called for.
// A version that policy keeps, once it was replaced, is not open: see Keeps.
func (p *Past) Of(object, version, etag string) (done, open *Entry) {
	for _, at := range p.places(object, version, etag) {
		if e := p.final[at]; e != nil {
			if done == nil || done.State == Gone && e.State == Done && e.ofCurrent() {
				done = e
			}
		} else if e := p.last[at]; e != nil && open == nil && (e.State != Kept || done == nil) {
			open = e
		}
	}
	return done, open
}

// ofCurrent reports whether an entry is about the current object.
func (e *Entry) ofCurrent() bool { return e.Act == Replace || e.Act == Delete || e.Act == Move }

// Vanished reports whether the records of an entry were gone from the current object before
// the erasure came to it.
func (e *Entry) Vanished() bool { return e.State == Gone && e.ofCurrent() }

// Took reports whether an entry has taken records out of the current object, or all of it.
func (e *Entry) Took() bool { return e.State == Done && e.ofCurrent() }

// Keeps reports whether policy keeps a version after it was replaced, or the one that
// was replaced in its stead.
func (p *Past) Keeps(object, version, etag string) bool {
	return slices.ContainsFunc(p.places(object, version, etag), func(at Place) bool {
		e := p.last[at]
		return at.Act == DeleteVersion && p.final[at] == nil && e != nil && e.State == Kept
	})
}

// Lost yields the older versions that went for the sake of one version of an object, or
// are that version, and took records with them that stood nowhere else.
func (p *Past) Lost(object, version, etag string) iter.Seq[*Entry] {
	return func(yield func(*Entry) bool) {
		for _, at := range p.places(object, version, etag) {
			if e := p.final[at]; e != nil && e.Lost > 0 && !yield(e) {
				return
			}
		}
	}
}

// places are those of all acts on one version of an object, in their order.
func (p *Past) places(object, version, etag string) []Place {
	out := []Place{{object, version, etag, Replace}, {object, version, etag, Delete}, {object, version, etag, Move}}
	versions := []Place{{object, version, etag, DeleteVersion}}
	if version != "" { // of what was replaced the id alone is known, which is immutable
		versions = append(versions, Place{object, version, "", DeleteVersion})
	}
	for _, at := range out {
		if e := p.final[at]; e != nil && e.Base != "" && e.Base != version {
			versions = append(versions, Place{object, e.Base, "", DeleteVersion})
		}
	}
	return append(append(out, versions...), Place{object, "", MarkersETag, DeleteMarkers})
}

// Uploads is the last word on the unfinished uploads of a key, or nil.
func (p *Past) Uploads(object string) *Entry {
	at := Place{Object: object, ETag: UploadsETag, Act: AbortUploads}
	if e := p.final[at]; e != nil {
		return e
	}
	return p.last[at]
}
