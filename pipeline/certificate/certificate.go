// Package certificate makes and checks the proof that a request was carried out:
// what was erased, excepted or deferred, what could not be examined, and the state of
// every object before and after. It holds keyed ids, counts and digests, no value.
//
// A certificate is signed with Ed25519 as a note (golang.org/x/mod/sumdb/note), and
// its digest stands in a log of all certificates (sumdb/tlog, the Merkle tree of
// RFC 6962), with a proof of that inside. So a third party that has the public key
// checks it offline, and one changed byte fails.
//
//	certificates/<account>/<request>.json               {"certificate": …, "signature": …, "log": …}
//	certificates/<account>/<request>/partial-<n>.json   the same, of a part; follow-up-<n>.json of what was delivered again
//	certificate-log/<n>.json                            leaf n of the log, create-only
//
// Each certificate covers what one run did, and names those that its request had before.
package certificate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"expunge/connectors"
	"expunge/pipeline"
)

// ErrInvalid says that a certificate is not what was signed or logged.
var ErrInvalid = errors.New("certificate is not valid")

// Body is what is signed.
type Body struct {
	Version      int              `json:"version"`
	Request      string           `json:"request"` // ACCOUNT/ID
	Account      string           `json:"account"`
	Instruction  string           `json:"instruction,omitempty"`
	Run          string           `json:"run"`
	Manifest     string           `json:"manifest"`  // digest of the account's part of the manifest
	Approvals    []int            `json:"approvals"` // that cover it, by number
	Received     string           `json:"received"`
	Cutoff       string           `json:"cutoff"` // records dated later were not touched
	Issued       string           `json:"issued"`
	FollowUp     bool             `json:"follow_up,omitempty"` // of what was delivered again after the request was answered
	Complete     bool             `json:"complete"`            // nothing is open: every object that could hold something was examined, or a person waived it (NotExamined)
	Dispositions map[string]int64 `json:"dispositions"`
	Redacted     int64            `json:"redacted,omitempty"` // of the erased: records that stay, without what was to go of them
	Objects      []Object         `json:"objects"`
	Exceptions   []Exception      `json:"exceptions"`
	Deidentified []Deidentified   `json:"deidentified,omitempty"`
	Decided      *Decided         `json:"decided,omitempty"`         // what a person decided on records in review
	Open         []Open           `json:"open"`                      // asked for and not done: conflicts, holds, versions that are blocked
	NotExamined  []NotExamined    `json:"not_examined"`              // refused objects that may hold more
	NotCovered   []string         `json:"not_covered"`               // in words: replicas, versions that policy keeps
	Uploads      int64            `json:"uploads_aborted,omitempty"` // unfinished uploads of the objects that were given up
	HoldsRemoved []HoldRemoved    `json:"holds_removed,omitempty"`   // legal holds that kept some of this, and were removed since the run began
	VersionsLost []Lost           `json:"versions_lost,omitempty"`   // records of others that went with old versions, and stood nowhere else
	Verified     Verified         `json:"verified"`
	Earlier      []Earlier        `json:"earlier,omitempty"` // certificates that the request had before; Issue fills it in

	lastKey string // while it is made: the key whose uploads were added last
}

// Object is one object version that was erased from.
type Object struct {
	Dataset       string               `json:"dataset"`
	Object        string               `json:"object"`
	ObjectID      string               `json:"object_id"`
	Act           string               `json:"act"`
	VersionBefore string               `json:"version_before,omitempty"`
	ETagBefore    string               `json:"etag_before"`
	VersionAfter  string               `json:"version_after,omitempty"`
	ETagAfter     string               `json:"etag_after,omitempty"`
	ObjectAfter   string               `json:"object_after,omitempty"` // moved: under which key what stayed of it is now; object itself is gone
	SHA256After   string               `json:"sha256_after,omitempty"`
	RecordsBefore int64                `json:"records_before"`
	RecordsAfter  int64                `json:"records_after"`
	Survivors     string               `json:"survivors,omitempty"` // digest over the records that stayed
	Tombstones    int64                `json:"tombstones"`          // of this request
	Disposition   pipeline.Disposition `json:"disposition"`
	Reason        string               `json:"reason,omitempty"`
}

// Lost is how many records of other people went with an old version of an object,
// although they stood nowhere else.
type Lost struct {
	Object   string `json:"object"`
	ObjectID string `json:"object_id"`
	Version  string `json:"version"`
	Records  int64  `json:"records"`
	Approval int    `json:"approval"` // that let them go, by number
}

// Exception is what an exception kept, a legal hold, or a waiver.
type Exception struct {
	Dataset     string   `json:"dataset"`
	Code        string   `json:"code"`
	Instruction string   `json:"instruction,omitempty"`
	Fields      []string `json:"fields"`
	ReviewBy    string   `json:"review_by,omitempty"`
	Records     int64    `json:"records"`
}

// Deidentified is what stays of records as deidentified data (Civ. Code 1798.140(m)).
type Deidentified struct {
	Dataset    string   `json:"dataset"`
	Fields     []string `json:"fields"`     // that stay
	Commitment string   `json:"commitment"` // where the business has committed itself not to reidentify
	Records    int64    `json:"records"`
}

// Decided counts records that a person had to decide on.
type Decided struct {
	Included int64 `json:"included"` // the request's: erased like others
	Excluded int64 `json:"excluded"` // not the request's: they stay
}

// HoldRemoved is a legal hold that is over. Why it stood, and why no longer, is in the
// work store: a certificate goes to others.
type HoldRemoved struct {
	N         int    `json:"n"`
	Set       string `json:"set"`
	By        string `json:"by"`
	Removed   string `json:"removed"`
	RemovedBy string `json:"removed_by"`
}

// Open is what was asked for and is not done.
type Open struct {
	Object   string `json:"object"`
	ObjectID string `json:"object_id"`
	Version  string `json:"version,omitempty"`
	Act      string `json:"act,omitempty"` // where it is not the records but the key's unfinished uploads
	State    string `json:"state"`
	Code     string `json:"code,omitempty"` // REFUSED: NULL_VERSION, MFA_DELETE, DENIED of versions; else why it cannot be read or rewritten, such as TRUNCATED; HELD: LEGAL_HOLD, if it is one of ours
	Reason   string `json:"reason"`
	Until    string `json:"until,omitempty"`   // LOCKED: when the retention ends
	Trigger  string `json:"trigger,omitempty"` // what brings it to its end, where that is not in our hands
}

// NotExamined is an object that could not be read.
type NotExamined struct {
	Object   string `json:"object"`
	ObjectID string `json:"object_id"`
	Version  string `json:"version,omitempty"`
	Code     string `json:"code"`
	Reason   string `json:"reason,omitempty"`
	Trigger  string `json:"trigger,omitempty"` // ARCHIVED: what brings it back
}

// Verified is what reading back and scanning again came to.
type Verified struct {
	At       string `json:"at"`
	Objects  int64  `json:"objects"`  // object versions read
	Records  int64  `json:"records"`  // in them
	Residue  int64  `json:"residue"`  // traces that nothing explains
	Expected int64  `json:"expected"` // traces that stay on purpose: excepted, held, deferred, open for review
}

// Certificate is a whole certificate.
type Certificate struct {
	Body      json.RawMessage `json:"certificate"` // a Body, as it was signed
	Signature string          `json:"signature"`   // the signature lines of a note whose text is the body and a newline
	Log       Proof           `json:"log"`
}

// Root is where certificates are in the work store.
const Root = "certificates/"

func key(ref pipeline.RequestRef) string {
	return Root + ref.Account + "/" + ref.ID + ".json"
}

// folder is where the certificates of parts are, and those of follow-ups.
func folder(ref pipeline.RequestRef) string {
	return Root + ref.Account + "/" + ref.ID + "/"
}

// Read reads the certificate of a request, connectors.ErrNotFound if there is none.
func Read(ctx context.Context, work connectors.Store, ref pipeline.RequestRef) ([]byte, error) {
	return connectors.ReadAll(ctx, work, key(ref))
}

// Parse reads a certificate. Any byte that Issue would not have written is an error.
func Parse(raw []byte) (*Certificate, *Body, error) {
	c, b := new(Certificate), new(Body)
	if err := json.Unmarshal(raw, c); err != nil {
		return nil, nil, fmt.Errorf("read certificate: %w: it is not JSON", ErrInvalid)
	}
	again, err := c.bytes()
	if err != nil || !bytes.Equal(again, raw) {
		return nil, nil, fmt.Errorf("read certificate: %w: it was written in another form", ErrInvalid)
	}
	if err := json.Unmarshal(c.Body, b); err != nil {
		return nil, nil, fmt.Errorf("read certificate: %w: its body is none", ErrInvalid)
	}
	return c, b, nil
}

// Record is the hash of the body, as its leaf of the log and later certificates have it.
func (c *Certificate) Record() tlog.Hash { return tlog.RecordHash(c.Body) }

func (c *Certificate) bytes() ([]byte, error) {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	err := e.Encode(c)
	return buf.Bytes(), err
}
