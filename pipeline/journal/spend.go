package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"expunge/connectors"
	"expunge/pipeline/seal"
)

// Spent is runs/<run>/versions-lost/<n>.json: an old version that goes although
// records in it stand nowhere else. The files are created in order, so that several
// processes at once count as one.
type Spent struct {
	Version       int    `json:"version"` // of this file
	Object        string `json:"object"`  // ObjectID
	ObjectVersion string `json:"object_version"`
	Records       int64  `json:"records"`
}

const spentPurpose = "versions-lost"

// Spend takes records of an old version from the number whose loss is approved for the
// run, by all processes and tries together, and reports whether that many were left. A
// version that was counted before is counted once.
func (j *Journal) Spend(ctx context.Context, object, version string, records, approved int64) (bool, error) {
	if records == 0 {
		return true, nil
	}
	var sum int64
	for n := 1; ; n++ {
		doc := seal.Document{Purpose: spentPurpose, File: fmt.Sprintf("runs/%s/versions-lost/%d.json", j.Run, n)}
		raw, err := connectors.ReadAll(ctx, j.Work, doc.File)
		if errors.Is(err, connectors.ErrNotFound) {
			if records > approved-sum {
				return false, nil
			}
			b, err := j.Keys.Write(doc, Spent{1, object, version, records})
			if err == nil {
				_, err = j.Work.Create(ctx, doc.File, bytes.NewReader(b))
			}
			if err == nil {
				return true, nil
			}
			if !errors.Is(err, connectors.ErrExists) {
				return false, fmt.Errorf("count what is lost with old versions: %w", err)
			}
			n-- // another process was faster: what it took counts
			continue
		}
		var s Spent
		if err == nil {
			err = j.Keys.Read(doc, raw, &s)
		}
		if err != nil {
			return false, fmt.Errorf("count what is lost with old versions: %w", err)
		}
		if s.Object == object && s.ObjectVersion == version {
			return true, nil
		}
		sum += s.Records
	}
}
