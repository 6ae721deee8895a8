package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/decision"
	"expunge/pipeline/intake"
	"expunge/pipeline/manifest"
)

// wanted is one line of a file of decisions.
type wanted struct {
	Tombstone string           `json:"tombstone"`
	Request   string           `json:"request"`
	ObjectID  string           `json:"object_id"`
	Record    *int64           `json:"record"`
	Verdict   pipeline.Verdict `json:"decision"`
	Reason    string           `json:"reason"`

	line int
	met  bool // a row of the review list is it
}

// spot names a record where a line gives no tombstone.
type spot struct {
	request, object string
	record          int64 // -1: the whole object, or an old version
}

func (w *wanted) spot() spot {
	s := spot{w.Request, w.ObjectID, -1}
	if w.Record != nil {
		s.record = *w.Record
	}
	return s
}

// readDecided reads a file of decisions. Lines without a decision are left out: the
// lines of `review --json` need not all be filled in.
func readDecided(r io.Reader, reason string) ([]*wanted, error) {
	all, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	all = bytes.TrimPrefix(all, []byte("\ufeff")) // as spreadsheets write CSV
	read := readDecidedCSV
	if trimmed := bytes.TrimSpace(all); len(trimmed) == 0 || trimmed[0] == '{' {
		read = readDecidedJSON
	}
	lines, err := read(all)
	if err != nil {
		return nil, err
	}
	lines = slices.DeleteFunc(lines, func(w *wanted) bool { return w.Verdict == "" })
	for _, w := range lines {
		w.Reason = cmp.Or(strings.TrimSpace(w.Reason), strings.TrimSpace(reason))
		switch {
		case w.Verdict != pipeline.Include && w.Verdict != pipeline.Exclude:
			return nil, fmt.Errorf("line %d: a decision is include or exclude", w.line)
		case w.Tombstone == "" && (w.Request == "" || w.ObjectID == ""):
			return nil, fmt.Errorf("line %d: it names no record: give tombstone, or request, object_id and record, as `expunge review RUN --json` prints them", w.line)
		case w.Reason == "":
			return nil, fmt.Errorf("line %d: the reason is missing: write it there, or give --reason for all lines", w.line)
		}
	}
	return lines, nil
}

func readDecidedJSON(all []byte) ([]*wanted, error) {
	var out []*wanted
	in := bufio.NewScanner(bytes.NewReader(all))
	in.Buffer(nil, 16<<20)
	for n := 1; in.Scan(); n++ {
		if len(bytes.TrimSpace(in.Bytes())) == 0 {
			continue
		}
		w := &wanted{line: n}
		if err := json.Unmarshal(in.Bytes(), w); err != nil {
			return nil, fmt.Errorf("line %d: it is no JSON object with a decision", n)
		}
		out = append(out, w)
	}
	return out, in.Err()
}

func readDecidedCSV(all []byte) ([]*wanted, error) {
	r := csv.NewReader(bytes.NewReader(all))
	head, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if !slices.Contains(head, "decision") {
		return nil, errors.New("line 1: it is no header with a column decision, and no JSON either")
	}
	var out []*wanted
	for {
		row, err := r.Read()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		w := &wanted{}
		w.line, _ = r.FieldPos(0)
		for i, name := range head {
			switch value := strings.TrimSpace(row[i]); name {
			case "tombstone":
				w.Tombstone = value
			case "request":
				w.Request = value
			case "object_id":
				w.ObjectID = value
			case "decision":
				w.Verdict = pipeline.Verdict(value)
			case "reason":
				w.Reason = value
			case "record":
				if value == "" {
					continue
				}
				n, err := strconv.ParseInt(value, 10, 64)
				if err != nil {
					return nil, fmt.Errorf("line %d: the record is no number", w.line)
				}
				w.Record = &n
			}
		}
		out = append(out, w)
	}
}

// deciding is one use of review --decide.
type deciding struct {
	*app
	m     *manifest.Manifest
	run   string
	set   *decisions
	items map[pipeline.RequestRef][]decision.Item
}

// decidedRequest is what --decide says of a request.
type decidedRequest struct {
	Request  string `json:"request"`
	Included int    `json:"included"`
	Excluded int    `json:"excluded"`
	Left     int64  `json:"undecided"`
	State    string `json:"state"`
}

// decide takes decisions: all of them, or none where one cannot be taken.
func (a *app) decide(ctx context.Context, run string, o *reviewOptions) error {
	if strings.TrimSpace(o.by) == "" {
		return usage("--by NAME is missing: a decision records who made it")
	}
	only, err := o.only()
	if err != nil {
		return err
	}
	from := io.Reader(os.Stdin)
	if o.decide != "-" {
		f, err := os.Open(o.decide)
		if err != nil {
			return usage("--decide: %w", err)
		}
		defer f.Close()
		from = f
	}
	lines, err := readDecided(from, o.reason)
	if err != nil {
		return usage("--decide %s: %w; nothing was recorded", o.decide, err)
	}
	d := &deciding{app: a, run: run, items: map[pipeline.RequestRef][]decision.Item{}}
	if d.m, err = a.reviewed(ctx, run); err != nil {
		return err
	}
	latest, err := a.decisions().Latest(ctx)
	if err != nil {
		return err
	}
	d.set = &decisions{app: a, latest: latest, of: map[string]*decision.Set{}}
	if err := d.match(ctx, lines, only); err != nil {
		return err
	}
	for _, ref := range d.refs() {
		if err := d.decidable(ctx, ref); err != nil {
			return err
		}
	}
	return d.record(ctx, o.by)
}

func (d *deciding) refs() []pipeline.RequestRef {
	return slices.SortedFunc(maps.Keys(d.items), pipeline.RequestRef.Compare)
}

// match finds what the lines are about in the review list.
func (d *deciding) match(ctx context.Context, lines []*wanted, only map[string]bool) error {
	byTombstone, bySpot := map[string]*wanted{}, map[spot]*wanted{}
	for _, w := range lines {
		var old *wanted
		if w.Tombstone != "" {
			old, byTombstone[w.Tombstone] = byTombstone[w.Tombstone], w
		} else {
			old, bySpot[w.spot()] = bySpot[w.spot()], w
		}
		if old != nil {
			return usage("--decide: lines %d and %d decide on the same record; nothing was recorded", old.line, w.line)
		}
	}
	chosen := map[decision.Item]*wanted{} // by what is decided, the decision apart: equal records have one
	for row, err := range d.m.ReviewList(ctx, d.work) {
		if err != nil {
			return err
		}
		s := spot{row.Request, row.ObjectID, -1}
		if row.Record != nil {
			s.record = *row.Record
		}
		for _, w := range []*wanted{byTombstone[row.Tombstone], bySpot[s]} {
			if w == nil {
				continue
			}
			w.met = true
			if w.Request != "" && w.Request != row.Request || len(only) > 0 && !only[row.Request] {
				return usage("--decide: line %d is about a record of request %s; nothing was recorded", w.line, row.Request)
			}
			ref, err := pipeline.ParseRequestRef(row.Request)
			if err != nil {
				return err
			}
			item := decision.On(row, w.Verdict, w.Reason)
			same := decision.Item{Tombstone: row.Request, Dataset: item.Dataset, Digest: item.Digest}
			if item.Digest == "" {
				same.ObjectID = item.ObjectID
			}
			if other := chosen[same]; other != nil {
				if other.Verdict != w.Verdict {
					return usage("--decide: lines %d and %d decide differently on equal records; nothing was recorded", other.line, w.line)
				}
				continue
			}
			chosen[same] = w
			d.items[ref] = append(d.items[ref], item)
		}
	}
	for _, w := range lines {
		if !w.met {
			return usage("--decide: line %d: nothing of the review list of run %s is that record; nothing was recorded", w.line, d.run)
		}
	}
	return nil
}

// decidable fails where a decision on a request from this run's list would come to nothing.
func (d *deciding) decidable(ctx context.Context, ref pipeline.RequestRef) error {
	e, err := d.requests().Entry(ctx, ref)
	switch {
	case errors.Is(err, intake.ErrUnknown):
		return &coded{exitUsage, err}
	case err != nil:
		return err
	case e.State.Ended():
		return usage("request %s has ended: it is %s; nothing was recorded", ref, e.State)
	case e.Last.Run != d.run && !e.Last.Interrupts(d.run):
		return usage("request %s: run %s has had it since: decide on what that one lists; nothing was recorded", ref, e.Last.Run)
	case e.State == pipeline.Claimed && e.Last.Run == d.run:
		return usage("request %s: run %[2]s has not come to its end: `expunge run --resume %[2]s`; nothing was recorded", ref, d.run)
	}
	return nil
}

// record stores the decisions, and opens the requests of which nothing is undecided.
func (d *deciding) record(ctx context.Context, by string) error {
	for _, ref := range d.refs() {
		set, err := d.set.set(ctx, ref)
		if err != nil {
			return err
		}
		f := &decision.File{Run: d.run, By: by, At: d.now().UTC(), Items: d.items[ref]}
		err = d.app.decisions().Add(ctx, set, ref, f)
		if errors.Is(err, connectors.ErrExists) {
			return &coded{exitRefused, fmt.Errorf("%w: somebody else has decided on it at the same time; look at the list and decide again", err)}
		}
		if err != nil {
			return err
		}
	}
	all, undecided := map[string]int64{}, map[string]int64{}
	for row, err := range d.m.ReviewList(ctx, d.work) {
		if err != nil {
			return err
		}
		ref, err := pipeline.ParseRequestRef(row.Request)
		if err != nil {
			return err
		}
		if d.items[ref] == nil {
			continue
		}
		made, err := d.set.row(ctx, row)
		if err != nil {
			return err
		}
		if all[row.Request]++; made == nil {
			undecided[row.Request]++
		}
	}
	out := []decidedRequest{}
	for _, ref := range d.refs() {
		q := decidedRequest{Request: ref.String(), Left: undecided[ref.String()]}
		for _, i := range d.items[ref] {
			if i.Verdict == pipeline.Include {
				q.Included++
			} else {
				q.Excluded++
			}
		}
		if q.Left == 0 {
			err := d.requests().Decided(ctx, ref, d.run, by, all[q.Request])
			switch {
			case errors.Is(err, intake.ErrTaken), errors.Is(err, intake.ErrWithdrawn):
				return &coded{exitRefused, fmt.Errorf("%w: the decisions on it are recorded; if its state does not follow from them, decide once more on what the latest run lists", err)}
			case err != nil:
				return err
			}
		}
		e, err := d.requests().Entry(ctx, ref)
		if err != nil {
			return err
		}
		q.State = string(e.State)
		out = append(out, q)
	}
	if d.flags.json {
		return printJSON(out)
	}
	for _, q := range out {
		fmt.Printf("%s %s: %d included, %d excluded, %d undecided\n", q.Request, q.State, q.Included, q.Excluded, q.Left)
	}
	if len(out) == 0 {
		fmt.Println("nothing to do: no line has a decision")
	}
	return nil
}
