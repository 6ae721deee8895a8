package report

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"expunge/connectors"
	"expunge/pipeline"
)

// States of a run.
const (
	Complete   = "COMPLETE"
	Incomplete = "INCOMPLETE"
)

// Version of report.json.
const Version = 1

// Report is report.json. Nothing in it is an identifier's value.
type Report struct {
	Version    int                        `json:"version"`
	Run        string                     `json:"run"`
	State      string                     `json:"state"`
	Why        []string                   `json:"why,omitempty"` // it is INCOMPLETE
	Started    time.Time                  `json:"started"`
	Finished   time.Time                  `json:"finished"`
	Seconds    float64                    `json:"seconds"`
	Requests   []Request                  `json:"requests"`
	Objects    map[pipeline.Outcome]int64 `json:"objects"`
	Datasets   []DatasetTotals            `json:"datasets"`
	Refused    int64                      `json:"refused"`  // without what is undeclared
	Refusals   []Refusal                  `json:"refusals"` // the first of them
	Undeclared map[string]int64           `json:"undeclared"`
	Pruned     map[string]int64           `json:"pruned"`            // by code
	Strayed    map[string]int64           `json:"strayed,omitempty"` // objects by request: its identifiers stand in records of nobody
	Rounds     []Round                    `json:"rounds"`
	Limits     []Limit                    `json:"limits"`
	Radius     []Radius                   `json:"blast_radius"`
	Bytes      Bytes                      `json:"bytes"`
	Malformed  int64                      `json:"malformed"`
	Files      int64                      `json:"files_written"`
	Lists      int64                      `json:"list_calls"`
	Tombstones int64                      `json:"tombstones"`
	Review     int64                      `json:"review"` // hits that a person has to decide
}

// Request is where a request stands at the end of a run.
type Request struct {
	Request string    `json:"request"` // ACCOUNT/ID
	State   string    `json:"state"`
	Reason  string    `json:"reason,omitempty"`
	Rights  []string  `json:"rights,omitempty"`
	Records int64     `json:"records"`
	Review  int64     `json:"review"`
	Bundle  string    `json:"bundle,omitempty"` // key in the work store
	Due     time.Time `json:"due,omitzero"`
}

// Round is one pass over what may hold something asked for.
type Round struct {
	Round   int     `json:"round"`
	Needles int     `json:"needles"`
	Batches int     `json:"batches"`
	Units   int64   `json:"units"`
	Bytes   int64   `json:"bytes"`
	Skipped int64   `json:"skipped"` // objects, on the word of the catalog
	Seconds float64 `json:"seconds"`
}

// Limit is a bound that was reached, and what was left undone.
type Limit struct {
	Request string `json:"request,omitempty"`
	Limit   string `json:"limit"`
	Count   int64  `json:"count,omitempty"`
	Detail  string `json:"detail,omitempty"`
}

// Radius is how much of an account's records in a dataset a manifest would take.
type Radius struct {
	Account string  `json:"account"`
	Dataset string  `json:"dataset"`
	Records int64   `json:"records"`
	Of      int64   `json:"of"`
	Part    float64 `json:"fraction"`
	Limit   bool    `json:"beyond_limit"`
}

// Bytes is what a run listed and read.
type Bytes struct {
	Listed     int64   `json:"listed"`
	Read       int64   `json:"read"`
	Filters    int64   `json:"filters"` // of the catalog
	WithoutHit int64   `json:"without_hit"`
	Part       float64 `json:"fraction_without_hit"` // of what was read from objects
}

// Take fills in what the objects of a run come to.
func (r *Report) Take(t *Totals) {
	r.Objects, r.Pruned, r.Undeclared = t.Objects, t.Pruned, t.Undeclared
	r.Datasets, r.Refused, r.Refusals = t.Datasets, t.RefusedCount, t.Refusals
	r.Bytes.Listed, r.Bytes.Read, r.Bytes.WithoutHit = t.ListedBytes, t.OpenedBytes, t.OpenedWithoutHit
	r.Bytes.Part = 0
	if t.OpenedBytes > 0 {
		r.Bytes.Part = float64(t.OpenedWithoutHit) / float64(t.OpenedBytes)
	}
	r.Malformed, r.Strayed = 0, map[string]int64{}
	for i := range t.Datasets {
		r.Malformed += t.Datasets[i].Malformed
	}
	for ref, n := range t.Strayed {
		r.Strayed[ref.String()] = n
	}
}

// Write writes runs/<run>/report.html, then report.json: where the latter is, the
// former is, too. What an earlier try left is replaced.
func (r *Report) Write(ctx context.Context, work connectors.Store) error {
	full := *r
	full.Version = Version
	// Lists are lists, also when they are empty: readers need no special case.
	full.Requests = append([]Request{}, r.Requests...)
	full.Datasets = append([]DatasetTotals{}, r.Datasets...)
	full.Refusals = append([]Refusal{}, r.Refusals...)
	full.Rounds = append([]Round{}, r.Rounds...)
	full.Limits = append([]Limit{}, r.Limits...)
	full.Radius = append([]Radius{}, r.Radius...)
	var page bytes.Buffer
	if err := full.html(&page); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	b, err := json.MarshalIndent(&full, "", "  ")
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	dir := "runs/" + r.Run + "/"
	if err := create(ctx, work, dir+"report.html", bytes.NewReader(page.Bytes()), int64(page.Len())); err != nil {
		return err
	}
	b = append(b, '\n')
	return create(ctx, work, dir+"report.json", bytes.NewReader(b), int64(len(b)))
}
