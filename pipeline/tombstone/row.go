// Package tombstone is the step that turns the hits of deletion requests into a
// sealed manifest: what would be erased, where, for whom and why. It writes only
// to the work store. A manifest is digested whole and per account, so that it can
// be approved in parts, and authenticated under a key that who can write to the
// work store does not have.
package tombstone

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"expunge/pipeline"
	"expunge/pipeline/identity"
	"expunge/pipeline/manifest"
	"expunge/pipeline/naming"
	"expunge/pipeline/seal"
	"expunge/scanners"
)

// Maker makes rows.
type Maker struct {
	Names      *naming.Names
	Datasets   []pipeline.Dataset
	Keys       *seal.Keys
	Exceptions map[string][]pipeline.Exception // by account
}

// Make makes the row of a hit.
func (m *Maker) Make(h *pipeline.Hit, o *pipeline.Object) (*manifest.Row, error) {
	ref := m.Names.Ref(o)
	d := &m.Datasets[o.Dataset]
	key := m.Keys.Derive("record", h.Request.Account)
	chain := h.Why
	if h.Decided != nil {
		chain = append(slices.Clone(chain), pipeline.Evidence{Path: pipeline.ByReview, Rule: "decided by " + h.Decided.By, Tier: h.Tier})
	}
	why, err := json.Marshal(chain)
	if err != nil {
		return nil, fmt.Errorf("write evidence: %w", err)
	}
	r := &manifest.Row{
		Request: h.Request.String(), Account: h.Request.Account, Dataset: d.Name,
		Object: ref.Shown, ObjectSealed: text(m.Names.Sealed(&ref)), ObjectID: ref.ID, Version: text(ref.Version), ETag: ref.ETag, Size: ref.Size,
		KeyID: key.ID(), Tier: string(h.Tier), Disposition: string(pipeline.Planned), Why: string(why),
		Fields: []string{}, KeptFields: []string{},
	}
	for _, e := range h.Why {
		r.Kinds = append(r.Kinds, string(e.Kind))
		r.MatchedFields = append(r.MatchedFields, e.Path)
	}
	slices.Sort(r.Kinds)
	slices.Sort(r.MatchedFields)
	r.Kinds, r.MatchedFields = slices.Compact(r.Kinds), slices.Compact(r.MatchedFields)
	switch {
	case o.Noncurrent:
		r.Action = string(pipeline.DeleteVersion)
	case h.Record < 0:
		r.Action = string(pipeline.EraseObject)
	default:
		r.Action = string(d.Erase.Action)
		if h.Mentions() {
			r.Action = string(pipeline.RedactMention)
		}
	}
	if h.Record >= 0 {
		r.Digest = text(h.Digest) // of a noncurrent version, too: it says what goes with it on purpose
	}
	if h.Record >= 0 && !o.Noncurrent {
		r.Record = &h.Record
		if h.Group >= 0 {
			group := int32(h.Group)
			r.RowGroup = &group
		}
		if h.Offset >= 0 {
			r.Offset, r.Length = &h.Offset, &h.Length
		}
		switch pipeline.Action(r.Action) {
		case pipeline.Deidentify:
			r.KeptFields, r.Instruction = slices.Clone(d.Erase.Keep), text(d.Erase.Commitment)
		case pipeline.Redact:
			r.KeptFields = slices.Clone(d.Erase.Keep)
		}
	}
	m.except(r, h.Request.Account, d)
	r.Tombstone = m.Keys.Digest("tombstone", h.Request.Account, []byte(r.Request+"\x00"+r.ObjectID+"\x00"+ref.Version+"\x00"+strconv.FormatInt(h.Record, 10)))
	return r, nil
}

// except keeps what an exception of the account keeps.
func (m *Maker) except(r *manifest.Row, account string, d *pipeline.Dataset) {
	x := m.exception(account, d)
	if x == nil {
		return
	}
	r.Disposition, r.Exception, r.Instruction = string(pipeline.Excepted), text(x.Code), text(x.Instruction)
	r.KeptFields = slices.Clone(x.Fields)
	if x.ReviewBy != nil {
		r.ReviewBy = text(x.ReviewBy.Format("2006-01-02"))
	}
}

// exception is the first that covers records of a dataset, nil if none does.
func (m *Maker) exception(account string, d *pipeline.Dataset) *pipeline.Exception {
	for _, x := range slices.Concat(m.Exceptions[account], d.Exceptions) {
		if x.Dataset == d.Name {
			return &x
		}
	}
	return nil
}

// Keeps reports whether an exception or a redaction keeps a field of a record.
func (m *Maker) Keeps(account string, d *pipeline.Dataset, path string) bool {
	if x := m.exception(account, d); x != nil {
		return len(x.Fields) == 0 || path == identity.KeyPath || (&scanners.Edit{Keep: x.Fields}).Keeps(path)
	}
	return d.Erase.Action == pipeline.Redact && (&scanners.Edit{Keep: d.Erase.Keep}).Keeps(path)
}

func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// careful applies the most careful action to all rows of one place: EXCEPTED before
// redact before erase. What any exception or redaction keeps, all keep; an exception
// that names no fields keeps the whole record. A mention is left one: it is cut out of
// what the others leave.
func careful(rows []*manifest.Row) {
	if len(rows) < 2 {
		return
	}
	var excepted, redact *manifest.Row
	var kept []string
	whole := false
	for _, r := range rows {
		switch {
		case r.Disposition == string(pipeline.Excepted):
			if excepted == nil {
				excepted = r
			}
			whole = whole || len(r.KeptFields) == 0
		case r.Action == string(pipeline.Redact), r.Action == string(pipeline.Deidentify):
			if redact == nil {
				redact = r
			}
		default:
			continue
		}
		kept = append(kept, r.KeptFields...)
	}
	slices.Sort(kept)
	kept = slices.Compact(kept)
	if whole {
		kept = nil
	}
	for _, r := range rows {
		switch {
		case excepted != nil:
			r.Disposition, r.Exception, r.Instruction, r.ReviewBy = excepted.Disposition, excepted.Exception, excepted.Instruction, excepted.ReviewBy
			r.KeptFields = append([]string{}, kept...)
		case redact != nil && r.Action != string(pipeline.RedactMention):
			r.Action, r.KeptFields = redact.Action, append([]string{}, kept...)
		}
	}
}
