package pipeline

import (
	"encoding/binary"

	"expunge/connectors"
	"expunge/scanners"
)

// Object is an object version as the plan sees it.
type Object struct {
	N int64 `json:"n"` // its place in the plan; orders as store, key, version do
	connectors.Object
	Noncurrent bool              `json:"noncurrent,omitempty"` // an older version of its key
	Dataset    int               `json:"dataset"`              // index in the config; -1: no dataset claims it
	Account    string            `json:"account,omitempty"`    // that the key names; "" where only a field can tell
	Captures   map[string]string `json:"captures,omitempty"`   // of the dataset's pattern
	Outcome    Outcome           `json:"outcome,omitempty"`    // where the plan decides it: pruned, skipped (ignored) or refused (undeclared)
	Code       string            `json:"code,omitempty"`       // why
	Reason     string            `json:"reason,omitempty"`     // for people
}

// Unit is what one worker scans at a time: an object version or a part of one.
type Unit struct {
	Object  Object
	Part    scanners.Part
	Catalog bool // whether this is the whole object's first scan: its tokens are kept
}

// Batch is a run of units, in plan order, whose result is stored as one.
type Batch struct {
	Round  int
	N      int // its place in the round
	Units  []Unit
	Digest string // of the units, and of what they are searched for: a stored result of another digest is of other work
}

// UnitResult is what became of a unit.
type UnitResult struct {
	Object        Object           `json:"object"`
	Part          scanners.Part    `json:"part"`
	Outcome       Outcome          `json:"outcome"` // scanned or refused
	Code          string           `json:"code,omitempty"`
	Reason        string           `json:"reason,omitempty"`
	Format        string           `json:"format,omitempty"`
	Records       int64            `json:"records"`
	Malformed     int64            `json:"malformed,omitempty"`
	Rows          map[string]int64 `json:"rows,omitempty"`          // by account
	Unattributed  int64            `json:"unattributed,omitempty"`  // records whose account cannot be told
	Misattributed int64            `json:"misattributed,omitempty"` // records whose key and field disagree
	Strayed       []RequestRef     `json:"strayed,omitempty"`       // requests whose identifiers stand in such records
	From          int64            `json:"from,omitempty"`          // bounds of the records' times, Unix milliseconds; both 0: not known
	To            int64            `json:"to,omitempty"`
	Bytes         int64            `json:"bytes"` // read from the store
	Hits          int64            `json:"hits"`
	Segments      []Segment        `json:"segments,omitempty"` // only where the unit is cataloged
	Cataloged     bool             `json:"cataloged,omitempty"`
	Fresh         bool             `json:"fresh,omitempty"` // the object's first scan: a part counts records from its own start
}

// Segment is a run of records with a filter of the tokens in them.
type Segment struct {
	Part    scanners.Part `json:"part"`
	Records int64         `json:"records"`
	Filter  FilterRef     `json:"filter,omitzero"` // zero: no token at all
}

// FilterRef says where a filter's bytes are in the work store.
type FilterRef struct {
	File   string `json:"file,omitempty"`
	Off    int64  `json:"off,omitempty"`
	Len    int64  `json:"len,omitempty"`
	Digest string `json:"digest,omitempty"` // SHA-256 of the bytes, hex: the work store is not trusted blindly
}

// SortKey orders hits as tables do: by object, record (whole objects first) and request.
func (h *Hit) SortKey(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.Object))
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.Record+1))
	return append(dst, h.Request.String()...)
}
