package verify

import (
	"bytes"
	"context"
	"slices"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/manifest"
	"expunge/scanners"
)

// Unpacker is a Scanner that hides bytes from a plain reader: it hands over all that
// is in an object once what it packs is unpacked.
type Unpacker interface {
	Unpack(ctx context.Context, in scanners.Input, do func([]byte) error) error
}

// raw searches the bytes of a version. Only needles that may be asked of the object,
// and that no record explains, are looked for.
func (v *Verify) raw(ctx context.Context, t *manifest.Target, ver *connectors.Version, in scanners.Input, s scanners.Scanner, explained map[uint32]bool, out *Result, unread func(error) error) error {
	touched := v.touched(t)
	if _, done := v.Done(t.ID, ver.Version); !done {
		return nil // it is listed as open
	}
	if len(touched) == 0 {
		return nil
	}
	wanted := func(needle uint32) bool {
		return slices.ContainsFunc(v.Search.asks[needle], func(a pipeline.Ask) bool { return touched[a.Request.String()] && !v.waits(a.Request) })
	}
	found := map[uint32]bool{} // needles that were met: whether they are wanted
	meet := func(needle uint32) {
		if !explained[needle] {
			found[needle] = wanted(needle)
		}
	}
	past := v.Search.newPastSearch(t.Account, meet)
	literal := &reading{
		literals: v.Search.literals, found: meet,
		done: func(needle uint32) bool { _, met := found[needle]; return met || explained[needle] },
	}
	search := func(chunk []byte) error {
		past.add(chunk)
		literal.add(chunk)
		return nil
	}
	var err error
	if u, ok := s.(Unpacker); ok {
		err = u.Unpack(ctx, in, search)
	} else {
		err = v.Plain(ctx, in, search)
	}
	if err != nil {
		return unread(err)
	}
	literal.end()
	past.look(len(past.text))
	for i, ok := range found {
		if !ok {
			continue
		}
		for _, ask := range v.Search.asks[i] {
			if touched[ask.Request.String()] && !v.waits(ask.Request) {
				out.Residue = append(out.Residue, v.trace(t, ver, Trace{Request: ask.Request.String(), Record: -1, Code: InBytes, Reason: "its bytes hold a form of an identifier that no record explains"}))
			}
		}
	}
	return nil
}

// reading looks for literals in bytes that come in chunks. It holds a chunk and the end
// of the one before.
type reading struct {
	literals *literals
	done     func(needle uint32) bool // see literals.find
	found    func(needle uint32)
	text     []byte
	from     int // what begins before was judged already
}

// add searches a chunk. What is cut by the border of two is found since the end of what
// was searched is searched again with what follows. It is kept as it stands, so that no
// character is lowered in halves. What begins in its first bytes was judged before, by
// bytes that are no longer there.
func (r *reading) add(chunk []byte) {
	r.text = append(r.text, chunk...)
	r.look(false)
	if n := len(r.text) - r.literals.longest - 2*margin; n > 0 {
		r.text, r.from = append(r.text[:0], r.text[n:]...), margin
	}
}

// end searches what waited for bytes behind it.
func (r *reading) end() { r.look(true) }

func (r *reading) look(last bool) {
	r.literals.find(bytes.ToLower(r.text), r.from, last, r.done, r.found)
}

// touched are the requests that have tombstones in an object by which something was to go.
func (v *Verify) touched(t *manifest.Target) map[string]bool {
	out := map[string]bool{}
	for i := range t.Versions {
		for _, r := range t.Versions[i].Rows {
			if v.Applied(r) && r.Disposition != string(pipeline.Excepted) {
				out[r.Request] = true
			}
		}
	}
	return out
}
