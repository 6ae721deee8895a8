package manifest

import (
	"bytes"
	"encoding/binary"
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

// SortKey orders rows by object, version, record (null first) and request.
func (r *Row) SortKey() []byte {
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

// Place is what several requests may ask for at once: one record, object or version.
func (r *Row) Place() []byte {
	key := r.SortKey()
	return key[:bytes.LastIndexByte(key, 0)]
}
