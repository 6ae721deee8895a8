package report

import (
	"fmt"
	"strings"
	"time"

	"expunge/pipeline"
)

// Step is something that a person can do now.
type Step struct {
	What    string `json:"what"`
	Do      string `json:"do"`
	Command string `json:"command,omitempty"`
}

// soon is when a deadline presses.
const soon = 10 * 24 * time.Hour

// advise lists what to do next: what keeps requests open first, then what waits for
// a person, then what is ready.
func (r *Report) advise() []Step {
	var steps []Step
	add := func(what, do, command string) { steps = append(steps, Step{what, do, command}) }
	late, near := r.deadlines()
	if late > 0 {
		add(pipeline.Count(late, "request is", "requests are")+" overdue", "Answer first what is late; who asked must be told why.", "expunge status")
	}
	if near > 0 {
		add(pipeline.Count(near, "request is", "requests are")+" due within 10 days", "Answer, or extend once, and tell who asked before the date.", "expunge extend ACCOUNT/ID --reason …")
	}
	if r.Refused > 0 {
		add(pipeline.Count(r.Refused, "object was", "objects were")+" refused", "Requests that they might touch stay open. See Refused for what helps; then run again. What can never be read, a person waives.", "expunge waive OBJECT --reason … --by … --until …")
	}
	var undeclared int64
	for _, n := range r.Undeclared {
		undeclared += n
	}
	if undeclared > 0 {
		add(pipeline.Count(undeclared, "object belongs", "objects belong")+" to no dataset", "Declare them in the config, or name them under ignore with a reason; then run again.", "expunge check")
	}
	var nobody int64
	for i := range r.Datasets {
		nobody += r.Datasets[i].Unattributed + r.Datasets[i].Misattributed
	}
	if nobody > 0 {
		add(pipeline.Count(nobody, "record names", "records name")+" no account, or two", "Add the missing ids to accounts in the config, or have the loader mend the records; then run again.", "")
	}
	if len(r.Limits) > 0 {
		add("A limit cut a search short", "See Limits reached: such requests are not answered in full.", "")
	}
	if r.Review > 0 {
		add(pipeline.Count(r.Review, "record waits", "records wait")+" for review", "A person decides whose they are; until then they are neither handed over nor erased.", "expunge review "+r.Run+" --decide FILE --by NAME")
	}
	var over []string
	for _, x := range r.Radius {
		if x.Limit {
			over = append(over, x.Account+"/"+x.Dataset)
		}
	}
	if len(over) > 0 {
		add("More would be erased than policy allows", fmt.Sprintf("Held back: %s. Look whether the identifiers are right before the limit is raised.", some(over)), "expunge inspect runs/"+r.Run+"/manifest/tombstones.parquet")
	}
	if r.Tombstones > 0 {
		add(pipeline.Count(r.Tombstones, "tombstone waits", "tombstones wait")+" for approval", "Nothing was erased yet. Look at the manifest, and approve it whole or by account.", "expunge approve "+r.Run+" --by NAME")
	}
	var bundles int64
	for _, q := range r.Requests {
		if q.Bundle != "" {
			bundles++
		}
	}
	if bundles > 0 {
		add(pipeline.Count(bundles, "bundle is", "bundles are")+" ready", "Hand over to who asked.", "expunge release ACCOUNT/ID --to DIR --by NAME")
	}
	return steps
}

// some names the first few of many.
func some(names []string) string {
	const few = 5
	if len(names) > few {
		return strings.Join(names[:few], ", ") + fmt.Sprintf(" and %d more", len(names)-few)
	}
	return strings.Join(names, ", ")
}

// deadlines counts the open requests that are late, and those that soon will be.
func (r *Report) deadlines() (late, near int64) {
	for i := range r.Requests {
		switch d, open := r.Requests[i].left(r.Finished); {
		case !open:
		case d < 0:
			late++
		case d < soon:
			near++
		}
	}
	return late, near
}

// left is how long an open request may still take.
func (q *Request) left(now time.Time) (d time.Duration, open bool) {
	due, err := time.Parse(time.DateOnly, q.Due)
	if err != nil || q.State == "COMPLETED" || q.State == "DENIED" || q.State == "CANCELLED" {
		return 0, false
	}
	return due.AddDate(0, 0, 1).Sub(now), true // the day itself is within
}

// remedy is what a code of refusal means, and what helps.
type remedy struct{ Means, Helps string }

// remedies are by code.
func remedies() map[string]remedy {
	return map[string]remedy{
		"VANISHED":       {"listed, but gone when it was opened", "Run again: what is gone needs no look, what was moved is found."},
		"CHANGED":        {"replaced while the run read it", "Run again, best when no loader writes."},
		"DENIED":         {"the store does not let us read it", "Give the role read access, and to the key it is encrypted with; then run again."},
		"ARCHIVED":       {"in an archive class", "Restore it; then run again."},
		"UNREADABLE":     {"its bytes could not be had", "See the reason; run again once the store gives it."},
		"TRUNCATED":      {"ends before it should", "Have it delivered anew; then run again."},
		"CORRUPT":        {"a checksum, a count or its structure is wrong", "Have it delivered anew; then run again."},
		"MALFORMED":      {"a record that may hold something asked for cannot be parsed", "What was found in it is under review. Have it mended; then run again."},
		"UNSUPPORTED":    {"in a codec, encoding or version that is not read", "Have it written in another way, or read its format by hand and waive it."},
		"TOO_LARGE":      {"has a single record beyond the bound", "Have it written in smaller records, or examine it by hand and waive it."},
		"CRASHED":        {"a decoder broke on it", "Please report it with the object's writer and version; examine it by hand and waive it."},
		"UNKNOWN_FORMAT": {"of no format that is known", "Name its format in its dataset, or name it under ignore with a reason."},
		"NOT_SCANNED":    {"nothing vouches for it", "Run again; if it comes again, please report it."},
	}
}
