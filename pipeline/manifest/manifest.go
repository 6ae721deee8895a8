// Package manifest is the sealed list of what an erasure would do: its rows, the
// digests that seal it whole and per account, and the approvals that name those
// digests. It is authenticated under a key that who can write to the work store does
// not have, so that what is applied is what was seen and approved.
//
// It makes no row and applies none: the steps tombstone and erase do.
package manifest

import (
	"crypto/sha256"
	"encoding/json"
	"hash"
	"slices"

	"expunge/pipeline"
)

// Manifest is manifest.json.
type Manifest struct {
	Version  int                 `json:"version"`
	Run      string              `json:"run"`
	Settings map[string]string   `json:"settings"` // digest of each dataset's settings
	Rows     int64               `json:"rows"`
	Files    []File              `json:"files"`
	Accounts map[string]*Account `json:"accounts"`
	Radius   []Radius            `json:"blast_radius"`
	Review   []File              `json:"review"` // files of the run's review list: what is decided on is what was found
	MAC      string              `json:"mac,omitempty"`
}

// Names reports whether the manifest has a tombstone of a request.
func (m *Manifest) Names(ref pipeline.RequestRef) bool {
	part := m.Accounts[ref.Account]
	if part == nil {
		return false
	}
	_, found := slices.BinarySearch(part.Requests, ref.String())
	return found
}

// File is one Parquet file of the manifest.
type File struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	Rows   int64  `json:"rows"`
}

// Account is the part of a manifest that belongs to one account. SHA256 is over
// its rows as JSON lines, in the order of the files.
type Account struct {
	Rows     int64    `json:"rows"`
	SHA256   string   `json:"sha256"`
	Requests []string `json:"requests"`
}

// Radius is how much of an account's records in a dataset would go.
type Radius struct {
	Account  string  `json:"account"`
	Dataset  string  `json:"dataset"`
	Records  int64   `json:"records"`            // to be erased or redacted one by one
	Mentions int64   `json:"mentions,omitempty"` // of these, records of which only mentions are cut out
	Objects  int64   `json:"objects"`            // that go whole, old versions among them
	Versions int64   `json:"versions,omitempty"` // of these, the old versions
	Of       int64   `json:"of"`                 // records of the account in the dataset, as far as scanned
	Part     float64 `json:"fraction"`           // of the records; those that were found in whole objects are in it, and those in old versions: it may be more than 1
	Limit    bool    `json:"beyond_limit"`
}

// Seal digests and authenticates a manifest: whole, and per account.
type Seal struct {
	Review   []File // of the review list
	accounts map[string]*sealed
}

type sealed struct {
	rows     int64
	sum      hash.Hash
	requests map[string]bool
	records  map[string]*counted // by dataset
}

// counted is what the rows of a dataset come to.
type counted struct {
	records  int64  // that go one by one
	mentions int64  // of these, those that stay but for mentions
	whole    int64  // rows of objects and versions that go whole
	objects  int64  // those objects and versions
	versions int64  // of these, the versions
	last     string // of them, so that each counts once: rows come sorted by object
}

// NewSeal returns an empty Seal.
func NewSeal() *Seal { return &Seal{accounts: map[string]*sealed{}} }

// Row takes a row in the order of the files.
func (s *Seal) Row(r *Row) {
	a := s.accounts[r.Account]
	if a == nil {
		a = &sealed{sum: sha256.New(), requests: map[string]bool{}, records: map[string]*counted{}}
		s.accounts[r.Account] = a
	}
	a.rows++
	a.requests[r.Request] = true
	a.count(r)
	b, _ := json.Marshal(r) // plain strings and numbers
	a.sum.Write(append(b, '\n'))
}

func (a *sealed) count(r *Row) {
	c := a.records[r.Dataset]
	if c == nil {
		c = &counted{}
		a.records[r.Dataset] = c
	}
	if r.Action != string(pipeline.EraseObject) && r.Action != string(pipeline.DeleteVersion) {
		c.records++
		if r.Action == string(pipeline.RedactMention) {
			c.mentions++
		}
		return
	}
	c.whole++
	version := ""
	if r.Version != nil {
		version = *r.Version
	}
	if name := r.ObjectID + "\x00" + version; name != c.last {
		c.objects, c.last = c.objects+1, name
		if r.Action == string(pipeline.DeleteVersion) {
			c.versions++
		}
	}
}
