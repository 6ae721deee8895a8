package main

import (
	"context"
	"fmt"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/certificate"
	"expunge/pipeline/journal"
	"expunge/pipeline/manifest"
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
		n := certificate.NotExamined{Object: x.Object, ObjectID: x.ObjectID, Version: x.Version, Code: x.Code, Reason: reason}
		if x.Code == scan.Archived {
			n.Trigger = "restore it from its archive class: the next run searches it, and what is found is erased"
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

// refused is an object version that the run could not examine.
type refused struct {
	code   string
	waiver *report.Waiver // nil: nobody had waived it
}

// readRefused notes which versions of the keys that the journal is about the run could not
// examine, and what a person had waived of them when it began.
func (e *erasure) readRefused(ctx context.Context, past *journal.Past) error {
	if err := e.readReport(ctx); err != nil {
		return err
	}
	var h header
	if err := e.readDocument(ctx, "run", headerKey(e.m.Run), &h); err != nil {
		return err
	}
	waived, err := e.app.waived(ctx, h.Started)
	if err != nil {
		return err
	}
	touched := map[string]bool{}
	for o := range past.Outcomes {
		touched[o.Object] = true
	}
	e.refused = map[journal.Place]refused{}
	of := map[string][]journal.Place{} // by object
	for x, err := range e.report.AllRefusals(ctx, e.work) {
		if err != nil {
			return err
		}
		if touched[x.ObjectID] {
			at := journal.Place{Object: x.ObjectID, Version: x.Version, ETag: x.ETag}
			e.refused[at], of[at.Object] = refused{code: x.Code}, append(of[at.Object], at)
		}
	}
	if len(of) == 0 {
		return nil
	}
	for t, err := range manifest.Targets(e.placed(ctx), e.resolve) {
		if err != nil {
			return err
		}
		for _, at := range of[t.ID] {
			code := e.refused[at].code
			o := pipeline.Object{Object: connectors.Object{Ref: connectors.Ref{Store: t.Store, Key: t.Key}}}
			e.refused[at] = refused{code, waived(&o, t.Shown, code)}
		}
	}
	return nil
}

// notRead reports whether the run is known not to have examined a version: certificates
// name it.
func (e *erasure) notRead(objectID, version, etag string) bool {
	_, ok := e.refused[journal.Place{Object: objectID, Version: version, ETag: etag}]
	return ok
}

// waiver is what a person has waived of a version that could not be erased from with a
// code, since it cannot be read: it was refused the run for the same.
func (e *erasure) waiver(at journal.Place, code string) (certificate.Waiver, bool) {
	x := e.refused[at]
	if x.waiver == nil || x.code != code {
		return certificate.Waiver{}, false
	}
	w := x.waiver
	return certificate.Waiver{Instruction: fmt.Sprintf("waiver %d by %s until %s: %s", w.N, w.By, w.Until, w.Reason), Until: w.Until}, true
}

// setApart counts what could not be erased and is waived apart.
func (e *erasure) setApart(states map[string]int64) {
	for _, o := range e.unread {
		if _, ok := e.waiver(journal.Place{Object: o.Object, Version: o.Version, ETag: o.ETag}, o.Code); ok {
			states[string(journal.Refused)]--
			states[certificate.Waived]++
		}
	}
}
