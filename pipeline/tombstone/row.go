// Package tombstone is the step that turns the hits of deletion requests into a
// sealed manifest: what would be erased, where, for whom and why. It writes only
// to the work store. A manifest is digested whole and per account, so that it can
// be approved in parts, and authenticated under a key that who can write to the
// work store does not have.
package tombstone

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"expunge/pipeline"
)

// Row is a line of tombstones.parquet and of review.parquet.
type Row struct {
	Tombstone     string   `parquet:"tombstone" json:"tombstone"`
	Request       string   `parquet:"request" json:"request"`
	Account       string   `parquet:"account" json:"account"`
	Dataset       string   `parquet:"dataset" json:"dataset"`
	Object        string   `parquet:"object" json:"object"`
	ObjectSealed  *string  `parquet:"object_sealed,optional" json:"object_sealed"`
	ObjectID      string   `parquet:"object_id" json:"object_id"`
	Version       *string  `parquet:"version,optional" json:"version"`
	ETag          string   `parquet:"etag" json:"etag"`
	Size          int64    `parquet:"size" json:"size"`
	Record        *int64   `parquet:"record,optional" json:"record"`
	RowGroup      *int32   `parquet:"row_group,optional" json:"row_group"`
	Offset        *int64   `parquet:"offset,optional" json:"offset"`
	Length        *int64   `parquet:"length,optional" json:"length"`
	Digest        *string  `parquet:"digest,optional" json:"digest"`
	KeyID         string   `parquet:"key_id" json:"key_id"`
	Action        string   `parquet:"action" json:"action"`
	Fields        []string `parquet:"fields,list" json:"fields"`
	Kinds         []string `parquet:"kinds,list" json:"kinds"`
	MatchedFields []string `parquet:"matched_fields,list" json:"matched_fields"`
	Tier          string   `parquet:"tier" json:"tier"`
	Disposition   string   `parquet:"disposition" json:"disposition"`
	Exception     *string  `parquet:"exception,optional" json:"exception"`
	Instruction   *string  `parquet:"instruction,optional" json:"instruction"`
	KeptFields    []string `parquet:"kept_fields,list" json:"kept_fields"`
	ReviewBy      *string  `parquet:"review_by,optional" json:"review_by"`
	Why           string   `parquet:"why" json:"why"` // the chain of evidence, JSON
}

// sortKey orders rows by object, version, record (null first) and request.
func (r *Row) sortKey() []byte {
	key := append([]byte(r.Object), 0)
	if r.Version != nil {
		key = append(key, 1)
		key = append(key, *r.Version...)
	}
	key = append(key, 0)
	record := uint64(0)
	if r.Record != nil {
		record = uint64(*r.Record) + 1
	}
	key = binary.BigEndian.AppendUint64(key, record)
	key = append(append(key, r.ObjectID...), 0)
	return append(key, r.Request...)
}

// place is what several requests may ask for at once: one record, object or version.
func (r *Row) place() []byte {
	key := r.sortKey()
	return key[:bytes.LastIndexByte(key, 0)]
}

// Make makes the row of a hit.
func (m *Maker) Make(h *pipeline.Hit, o *pipeline.Object) (*Row, error) {
	ref := m.Names.Ref(o)
	d := &m.Datasets[o.Dataset]
	key := m.Keys.Derive("record", h.Request.Account)
	why, err := json.Marshal(h.Why)
	if err != nil {
		return nil, fmt.Errorf("write evidence: %w", err)
	}
	r := &Row{
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
	}
	if h.Record >= 0 && !o.Noncurrent {
		r.Record, r.Digest = &h.Record, text(h.Digest)
		if h.Group >= 0 {
			group := int32(h.Group)
			r.RowGroup = &group
		}
		if h.Offset >= 0 {
			r.Offset, r.Length = &h.Offset, &h.Length
		}
		if r.Action == string(pipeline.Redact) {
			r.KeptFields = slices.Clone(d.Erase.Keep)
		}
	}
	m.except(r, h.Request.Account, d)
	r.Tombstone = m.Keys.Digest("tombstone", h.Request.Account, []byte(r.Request+"\x00"+r.ObjectID+"\x00"+ref.Version+"\x00"+strconv.FormatInt(h.Record, 10)))
	return r, nil
}

// except keeps what an exception of the account keeps.
func (m *Maker) except(r *Row, account string, d *pipeline.Dataset) {
	for _, x := range slices.Concat(m.Exceptions[account], d.Exceptions) {
		if x.Dataset != d.Name {
			continue
		}
		r.Disposition, r.Exception, r.Instruction = string(pipeline.Excepted), text(x.Code), text(x.Instruction)
		r.KeptFields = slices.Clone(x.Fields)
		if x.ReviewBy != nil {
			r.ReviewBy = text(x.ReviewBy.Format("2006-01-02"))
		}
		return
	}
}

func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// careful applies the most careful action to all rows of one place: EXCEPTED
// before redact before erase; what one redaction keeps, all keep.
func careful(rows []*Row) {
	if len(rows) < 2 {
		return
	}
	var excepted, redact *Row
	for _, r := range rows {
		if r.Disposition == string(pipeline.Excepted) && excepted == nil {
			excepted = r
		}
		if r.Action == string(pipeline.Redact) && redact == nil {
			redact = r
		}
	}
	for _, r := range rows {
		switch {
		case excepted != nil:
			r.Disposition, r.Exception, r.Instruction, r.ReviewBy = excepted.Disposition, excepted.Exception, excepted.Instruction, excepted.ReviewBy
			r.KeptFields = excepted.KeptFields
		case redact != nil:
			r.Action, r.KeptFields = redact.Action, redact.KeptFields
		}
	}
}
