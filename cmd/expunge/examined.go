package main

import (
	"context"
	"fmt"
	"strings"

	"expunge/pipeline"
	"expunge/pipeline/certificate"
	"expunge/pipeline/report"
	"expunge/pipeline/scan"
)

// notExamined fills in what the run could not read of what may concern the
// certificate's account, waived or not: a certificate says what nobody looked into.
func (e *erasure) notExamined(ctx context.Context, b *certificate.Body) error {
	if err := e.readReport(ctx); err != nil {
		return err
	}
	add := func(x *report.Refusal, reason string) {
		if x.Account != "" && x.Account != b.Account {
			return
		}
		n := certificate.NotExamined{Object: x.Object, Code: x.Code, Reason: reason}
		if x.Code == scan.Archived {
			n.Trigger = "restore it from its archive class: the next run searches it, and what is found is erased"
		}
		if !strings.Contains(x.Object, "{") { // shown in full: its id is that of its name
			n.ObjectID = e.keys.Digest("object", "", []byte(x.Object))
		}
		b.NotExamined = append(b.NotExamined, n)
	}
	r := e.report
	for i := range r.Refusals {
		add(&r.Refusals[i], r.Refusals[i].Reason)
	}
	for i := range r.Waived {
		w := &r.Waived[i].Waiver
		add(&r.Waived[i].Refusal, fmt.Sprintf("waived by %s until %s: %s", w.By, w.Until, w.Reason))
	}
	if more := r.Refused + r.Waivers - int64(len(r.Refusals)+len(r.Waived)); more > 0 {
		b.NotCovered = append(b.NotCovered, fmt.Sprintf("%s, of any account: objects.parquet of run %s names them", pipeline.Count(more, "more refused object", "more refused objects"), e.m.Run))
	}
	return nil
}

// readReport reads the run's report, once.
func (e *erasure) readReport(ctx context.Context) error {
	if e.report != nil {
		return nil
	}
	r := new(report.Report)
	if err := readJSON(ctx, e.work, "runs/"+e.m.Run+"/report.json", r); err != nil {
		return err
	}
	e.report = r
	return nil
}

// archived are the objects that the run could not examine since they are archived, as
// outputs show them: a certificate names them.
func (e *erasure) archived(ctx context.Context) (map[string]bool, error) {
	if err := e.readReport(ctx); err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for i := range e.report.Refusals {
		if r := &e.report.Refusals[i]; r.Code == scan.Archived {
			out[r.Object] = true
		}
	}
	for i := range e.report.Waived {
		if r := &e.report.Waived[i].Refusal; r.Code == scan.Archived {
			out[r.Object] = true
		}
	}
	return out, nil
}
