package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"expunge/connectors"
	"expunge/pipeline/seal"
)

// Spent is runs/<run>/versions-lost/<n>.json: records that go with an old version although
// they stand nowhere else. The files are created in order, so that several processes at
// once count as one. A version that costs more than was counted for it has several.
type Spent struct {
	Version       int    `json:"version"` // of this file
	Object        string `json:"object"`  // ObjectID
	ObjectVersion string `json:"object_version"`
	Records       int64  `json:"records"`
	Account       string `json:"account,omitempty"`  // whose object it is; "": the key does not say
	Approval      int    `json:"approval,omitempty"` // the number of the one that it was taken from; 0: of a time that did not note it
}

// Allowance is how many records one approval lets go with old versions.
type Allowance struct {
	Approval int // its number; 0: there is none
	Records  int64
	Shares   func(account string) bool // whether it is the approval that an account's losses are taken from
}

// counts reports whether what was spent was taken from a.
func (a *Allowance) counts(s *Spent) bool {
	return s.Approval == 0 || s.Approval == a.Approval || a.Shares != nil && a.Shares(s.Account)
}

const spentPurpose = "versions-lost"

// Spend takes the records of want from what is approved, by all processes and tries of
// the run together, and reports whether that many were left. What was counted for the
// version before is taken once, as long as a still covers it.
func (j *Journal) Spend(ctx context.Context, want Spent, a Allowance) (bool, error) {
	if want.Records == 0 {
		return true, nil
	}
	var sum, had int64
	covered := true
	for {
		n := 0
		for s, err := range j.spent(ctx) {
			if err != nil {
				return false, err
			}
			n++
			counts := a.counts(s)
			if counts {
				sum += s.Records
			}
			if s.Object == want.Object && s.ObjectVersion == want.ObjectVersion {
				had, covered = had+s.Records, counts && sum <= a.Records
			}
		}
		more := want.Records - had
		if more <= 0 {
			return covered, nil
		}
		if more > a.Records-sum {
			return false, nil
		}
		doc := spentFile(j.Run, n+1)
		b, err := j.Keys.Write(doc, Spent{1, want.Object, want.ObjectVersion, more, want.Account, a.Approval})
		if err == nil {
			_, err = j.Work.Create(ctx, doc.File, bytes.NewReader(b))
		}
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, connectors.ErrExists) {
			return false, fmt.Errorf("count what is lost with old versions: %w", err)
		}
		sum, had, covered = 0, 0, true // another process was faster: what it took counts
	}
}

// Counted is how many records were counted as lost with an old version, and the approval
// that the last of them were taken from.
func (j *Journal) Counted(ctx context.Context, object, version string) (records int64, approval int, err error) {
	for s, err := range j.spent(ctx) {
		if err != nil {
			return 0, 0, err
		}
		if s.Object == object && s.ObjectVersion == version {
			records, approval = records+s.Records, s.Approval
		}
	}
	return records, approval, nil
}

func spentFile(run string, n int) seal.Document {
	return seal.Document{Purpose: spentPurpose, File: fmt.Sprintf("runs/%s/versions-lost/%d.json", run, n)}
}

// spent yields what was counted, in order.
func (j *Journal) spent(ctx context.Context) iter.Seq2[*Spent, error] {
	return func(yield func(*Spent, error) bool) {
		for n := 1; ; n++ {
			doc := spentFile(j.Run, n)
			raw, err := connectors.ReadAll(ctx, j.Work, doc.File)
			if errors.Is(err, connectors.ErrNotFound) {
				return
			}
			var s Spent
			if err == nil {
				err = j.Keys.Read(doc, raw, &s)
			}
			if err != nil {
				yield(nil, fmt.Errorf("count what is lost with old versions: %w", err))
				return
			}
			if !yield(&s, nil) {
				return
			}
		}
	}
}
