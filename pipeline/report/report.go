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
	Next       []Step                     `json:"next"`          // what a person can do now, what presses first
	Notes      []string                   `json:"notes"`         // what is no failure, but may be a mistake
	Started    time.Time                  `json:"started"`
	Finished   time.Time                  `json:"finished"`
	Seconds    float64                    `json:"seconds"`
	Requests   []Request                  `json:"requests"`
	Objects    map[pipeline.Outcome]int64 `json:"objects"`
	Datasets   []DatasetTotals            `json:"datasets"`
	Refused    int64                      `json:"refused"` // without what is undeclared
	Codes      map[string]int64           `json:"refused_by_code"`
	Refusals   []Refusal                  `json:"refusals"` // the first of them
	Waivers    int64                      `json:"waived_count"`
	Waived     []Waived                   `json:"waived"` // the first of the objects that a person has waived
	Undeclared map[string]int64           `json:"undeclared"`
	Pruned     map[string]int64           `json:"pruned"`            // by code
	Strayed    map[string]int64           `json:"strayed,omitempty"` // objects by request: its identifiers stand in records of nobody
	Rounds     []Round                    `json:"rounds"`
	Limits     []string                   `json:"limits"` // that were reached, and what was left undone
	Radius     []Radius                   `json:"blast_radius"`
	Bytes      Bytes                      `json:"bytes"`
	Malformed  int64                      `json:"malformed"`
	Untimed    map[string]int64           `json:"unread_times,omitempty"` // found records by dataset, once per request, whose time cannot be read
	Files      int64                      `json:"files_written"`          // to the work store, until this report was written
	Lists      int64                      `json:"list_calls"`             // of all stores, until then
	Stores     []Store                    `json:"stores"`
	Phases     []Phase                    `json:"phases"`
	PeakMemory int64                      `json:"peak_memory"` // bytes of this process; 0: not known
	Tombstones int64                      `json:"tombstones"`
	Review     int64                      `json:"review"`                         // hits that a person has to decide
	Answered   int64                      `json:"answered"`                       // deletions that were carried out before, if not all of each: of these was looked for what was delivered again
	Again      int64                      `json:"again"`                          // of these, with something that was
	Missing    int64                      `json:"missing_from_bundles,omitempty"` // whole objects that could not be read any more
}

// Request is where a request stands at the end of a run.
type Request struct {
	Request string   `json:"request"` // ACCOUNT/ID
	State   string   `json:"state"`
	Reason  string   `json:"reason,omitempty"`
	Rights  []string `json:"rights,omitempty"`
	Records int64    `json:"records"`
	Review  int64    `json:"review"`

	Included int64 `json:"included,omitempty"` // of Records: by a person's decision
	Excluded int64 `json:"excluded,omitempty"` // by a person's decision, and in neither; excluded.parquet lists them

	Held int64 `json:"held,omitempty"` // tombstones that a legal hold covers: what they name stays until it is removed

	Bundle string `json:"bundle,omitempty"` // key of its page in the work store; a sealed one ends in .sealed
	Due    string `json:"due,omitempty"`    // day
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

// Radius is how much of an account's records in a dataset a manifest would take.
type Radius struct {
	Account  string  `json:"account"`
	Dataset  string  `json:"dataset"`
	Records  int64   `json:"records"`
	Mentions int64   `json:"mentions,omitempty"` // of them, records of which only mentions are cut out
	Objects  int64   `json:"objects"`            // that go whole
	Versions int64   `json:"versions,omitempty"` // of them, old versions
	Of       int64   `json:"of"`
	Part     float64 `json:"fraction"`
	Limit    bool    `json:"beyond_limit"`
}

// New returns the report of a run with what its objects come to.
func New(run string, started, finished time.Time, t *Totals) *Report {
	r := &Report{
		Version: Version, Run: run, Started: started, Finished: finished, Seconds: finished.Sub(started).Seconds(),
		Objects: t.Objects, Pruned: t.Pruned, Undeclared: t.Undeclared,
		Datasets: t.Datasets, Refused: t.RefusedCount, Refusals: t.Refusals, Waivers: t.WaivedCount, Waived: t.Waived, Strayed: map[string]int64{},
		Codes: t.RefusedCodes,
		Bytes: Bytes{
			Listed: t.ListedBytes, Pass: t.PassBytes, Read: t.OpenedBytes, First: t.FirstBytes,
			WithoutHit: t.OpenedWithoutHit, AgainWithoutHit: t.AgainWithoutHit,
		},
		Files: int64(t.Files),
	}
	for i := range t.Datasets {
		if len(t.Datasets[i].Objects) == 0 {
			r.Notes = append(r.Notes, "dataset "+t.Datasets[i].Name+": no object matches its pattern; mend the pattern, or drop the dataset")
		}
	}
	for i := range t.Datasets {
		r.Malformed += t.Datasets[i].Malformed
	}
	for ref, n := range t.Strayed {
		r.Strayed[ref.String()] = n
	}
	r.Judge()
	return r
}

// Unread tells that of n found records of a dataset the field that dates them cannot be read.
func (r *Report) Unread(dataset, field string, n int64) {
	if r.Untimed == nil {
		r.Untimed = map[string]int64{}
	}
	r.Untimed[dataset] += n
	r.Notes = append(r.Notes, fmt.Sprintf("dataset %s: field %q is declared as the records' time, and in %s that %s found it cannot be read: they count as undated, which neither a deletion's cut-off nor a request's window bounds; name another field, or have it written as a time",
		dataset, field, pipeline.Count(n, "record", "records"), pipeline.Noun(n, "was", "were")))
}

// toldLimits is how many limits are reasons of their own.
const toldLimits = 10

// Judge sets State and Why. A run is COMPLETE if every object that a request
// could touch was vouched for, every record in them has one account, and no limit
// cut an identity short. Whatever is missing is named. It also sums up the bytes
// and says what to do next.
func (r *Report) Judge() {
	r.Bytes.sum()
	var why []string
	if r.Refused > 0 {
		why = append(why, pipeline.Count(r.Refused, "object was", "objects were")+" refused")
	}
	var undeclared int64
	for _, n := range r.Undeclared {
		undeclared += n
	}
	if undeclared > 0 {
		why = append(why, pipeline.Count(undeclared, "object is", "objects are")+" UNDECLARED")
	}
	for i := range r.Datasets {
		d := &r.Datasets[i]
		if d.Unattributed > 0 {
			why = append(why, "dataset "+d.Name+": "+pipeline.Count(d.Unattributed, "record is", "records are")+" UNATTRIBUTED")
		}
		if d.Misattributed > 0 {
			why = append(why, "dataset "+d.Name+": "+pipeline.Count(d.Misattributed, "record is", "records are")+" MISATTRIBUTED")
		}
	}
	if r.Missing > 0 {
		why = append(why, pipeline.Count(r.Missing, "whole object", "whole objects")+" could not be read for a bundle: see withheld in its bundle.json")
	}
	for _, limit := range r.Limits[:min(len(r.Limits), toldLimits)] {
		why = append(why, "a limit was reached: "+limit)
	}
	if more := len(r.Limits) - toldLimits; more > 0 {
		why = append(why, pipeline.Count(more, "more limit was", "more limits were")+" reached")
	}
	// What nobody counted above must not pass for complete.
	if n := r.Objects[pipeline.Refused] - r.Waivers; len(why) == 0 && n > 0 {
		why = append(why, pipeline.Count(n, "object was", "objects were")+" refused")
	}
	if len(why) == 0 && len(r.Strayed) > 0 {
		why = append(why, pipeline.Count(len(r.Strayed), "request's identifiers stand", "requests' identifiers stand")+" in records of nobody")
	}
	r.State, r.Why = Complete, why
	if len(why) > 0 {
		r.State = Incomplete
	}
	r.Next = r.advise()
}

// Write writes runs/<run>/report.html, then report.json: where the latter is, the
// former is, too. What an earlier try left is replaced.
func (r *Report) Write(ctx context.Context, work connectors.Store) error {
	full := *r
	full.Version = Version
	// Lists are lists, also when they are empty: readers need no special case.
	full.Requests = append([]Request{}, r.Requests...)
	full.Datasets = append([]DatasetTotals{}, r.Datasets...)
	full.Next = append([]Step{}, r.Next...)
	full.Notes = append([]string{}, r.Notes...)
	full.Stores = append([]Store{}, r.Stores...)
	full.Phases = append([]Phase{}, r.Phases...)
	full.Refusals = append([]Refusal{}, r.Refusals...)
	full.Waived = append([]Waived{}, r.Waived...)
	full.Rounds = append([]Round{}, r.Rounds...)
	full.Limits = append([]string{}, r.Limits...)
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
