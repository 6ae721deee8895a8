package report

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/parquet-go/parquet-go"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/spool"
)

// AllRefusals yields all objects that the run refused, waived or not, undeclared ones apart:
// of those that the report does not list without a reason.
func (r *Report) AllRefusals(ctx context.Context, work connectors.Store) iter.Seq2[*Refusal, error] {
	return func(yield func(*Refusal, error) bool) {
		if r.Refused+r.Waivers > int64(len(r.Refusals)+len(r.Waived)) {
			if err := refusedRows(ctx, work, r.Run, func(x *Refusal) bool { return yield(x, nil) }); err != nil {
				yield(nil, fmt.Errorf("read objects of run %s: %w", r.Run, err))
			}
			return
		}
		for i := range r.Refusals {
			if !yield(&r.Refusals[i], nil) {
				return
			}
		}
		for i := range r.Waived {
			if !yield(&r.Waived[i].Refusal, nil) {
				return
			}
		}
	}
}

// refusedRows reads objects.parquet, all files of it.
func refusedRows(ctx context.Context, work connectors.Store, run string, yield func(*Refusal) bool) error {
	for o, err := range work.List(ctx, "runs/"+run+"/objects") {
		if err != nil {
			return err
		}
		if more, err := refusedIn(ctx, work, o.Key, yield); err != nil || !more {
			return err
		}
	}
	return nil
}

func refusedIn(ctx context.Context, work connectors.Store, key string, yield func(*Refusal) bool) (more bool, err error) {
	body, err := work.Open(ctx, connectors.Ref{Key: key}, connectors.All)
	if err != nil {
		return false, err
	}
	defer body.Close()
	f, err := spool.Temp()
	if err != nil {
		return false, err
	}
	defer f.Close()
	size, err := io.Copy(f, body)
	if err != nil {
		return false, err
	}
	file, err := parquet.OpenFile(f, size)
	if err != nil {
		return false, err
	}
	rows := parquet.NewGenericReader[Row](file)
	defer rows.Close()
	batch := make([]Row, batchRows)
	for {
		n, err := rows.Read(batch)
		for i := range batch[:n] {
			row := &batch[i]
			code := row.Reason
			if end := strings.IndexAny(code, ": "); end >= 0 {
				code = code[:end]
			}
			if row.Outcome != string(pipeline.Refused) || code == Undeclared {
				continue
			}
			x := Refusal{Object: row.Object, ObjectID: row.ObjectID, ETag: row.ETag, Code: code}
			if row.Version != nil {
				x.Version = *row.Version
			}
			if !yield(&x) {
				return false, nil
			}
		}
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
}
