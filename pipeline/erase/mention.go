package erase

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"expunge/pipeline"
	"expunge/pipeline/identity"
	"expunge/pipeline/manifest"
	"expunge/scanners"
)

var errNothing = errors.New("nothing that names the consumer is found in it, though the search of the run has found it: run the request again")

// cut has the edits of a verdict cut out of records what names consumers: all that the
// sealed identities of their requests find in what else would stay, keys of objects
// included. The manifest holds no places of that, and no values: it is found anew.
func (e *Erase) cut(t *manifest.Target, v *verdict) {
	if len(v.mentions) == 0 {
		return
	}
	d := &e.Datasets[t.Dataset]
	finder := e.Identities.Finder(identity.FinderOptions{Fields: d.Fields, Objects: d.Object, Time: d.Time, Search: d.Search, Account: t.Account, Agents: true})
	for i := range v.edits {
		edit := &v.edits[i]
		requests := v.mentions[edit.Record]
		if !edit.Redact || len(requests) == 0 {
			continue
		}
		if row := v.digest[edit.Record]; row != nil && !v.stay[edit.Record] && row.Disposition == string(pipeline.Excepted) {
			continue // what it keeps stays as it is
		}
		wanted := func(needle uint32) bool {
			return slices.ContainsFunc(e.Asks[needle], func(a pipeline.Ask) bool { return slices.Contains(requests, a.Request) })
		}
		if v.stay[edit.Record] {
			edit.Spans = func(path string, text []byte) ([]scanners.Span, bool) { return finder.Spans(path, text, wanted), true }
			continue
		}
		keep := scanners.Edit{Keep: edit.Keep}
		edit.Keep = nil
		edit.Spans = func(path string, text []byte) ([]scanners.Span, bool) {
			if !keep.Keeps(path) && !strings.HasSuffix(path, "{}") {
				return nil, false
			}
			return finder.Spans(path, text, wanted), true
		}
	}
}

// found checks that there was something to cut out of each record that stays but for
// mentions: the search of the run has found it there.
func (v *verdict) found(was *census) error {
	n := 0
	for _, edit := range v.edits {
		if !edit.Redact {
			continue
		}
		if n < len(was.cut) && len(was.cut[n]) == 0 && v.stay[edit.Record] && len(edit.Keep) == 0 {
			return fmt.Errorf("record %d: %w", edit.Record, errNothing)
		}
		n++
	}
	return nil
}

// part is what an edit leaves of a leaf.
type part int

const (
	nothing part = iota
	some         // all but its spans
	all
)

// partOf says what an edit leaves of a leaf, and what that is.
func partOf(e *scanners.Edit, leaf *scanners.Leaf) (part, []byte) {
	if e.Keeps(leaf.Path) {
		return all, leaf.Value
	}
	if e.Spans == nil {
		return nothing, nil
	}
	spans, ok := e.Spans(leaf.Path, leaf.Value)
	switch {
	case !ok:
		return nothing, nil
	case len(spans) == 0:
		return all, leaf.Value
	}
	var left []byte
	at := 0
	for _, s := range spans {
		left = append(left, leaf.Value[at:s.Start]...)
		at = s.End
	}
	return some, unmarked(append(left, leaf.Value[at:]...))
}

// unmarked is a text without the marks of redactions.
func unmarked(text []byte) []byte { return bytes.ReplaceAll(text, []byte(scanners.Redacted), nil) }
