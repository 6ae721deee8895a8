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
	Parts   int  // of the object, where it was cut for its first scan
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
	Parts         int              `json:"parts,omitempty"` // of the object, where it was cut for its first scan
	Outcome       Outcome          `json:"outcome"`         // scanned or refused
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
	Dated         bool             `json:"dated,omitempty"` // every record has a time within these bounds
	Bytes         int64            `json:"bytes"`           // read from the store
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

// FilterRef says where a segment's filter is: a pool, which is a filter over
// several segments, and the segment's place in it.
type FilterRef struct {
	File    string `json:"file,omitempty"` // of pools; in a unit's result perhaps of tokens, whose segment it is
	Pool    int    `json:"pool,omitempty"` // its place in the file
	Segment int    `json:"n,omitempty"`
	Lone    *Pool  `json:"lone,omitempty"` // the pool itself, where it is of this segment alone
}

// Pool says where a filter's bytes are in its file, and how they are laid out.
type Pool struct {
	Off       int64  `json:"off"`      // of the directory
	Dir       int64  `json:"dir"`      // bytes of the directory; the buckets follow it
	Len       int64  `json:"len"`      // bytes of the buckets
	Buckets   int64  `json:"buckets"`  //
	PerBucket int    `json:"per"`      // tokens, about
	Segments  int    `json:"segments"` //
	Sum       string `json:"sum"`      // SHA-256 of the directory, cut: the work store is not trusted blindly
}

// SortKey orders hits as tables do: by object, record (whole objects first) and request.
func (h *Hit) SortKey(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.Object))
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.Record+1))
	return append(dst, h.Request.String()...)
}
