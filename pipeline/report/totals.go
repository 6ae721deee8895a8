// Package report is the step that says of every object how it ended, and of the
// run what it came to: objects.parquet for queries, report.json for machines and
// report.html for people. It opens no object of the lake, decides nothing about
// requests and writes no value that an identifier has.
package report

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"expunge/pipeline"
	"expunge/pipeline/catalog"
	"expunge/pipeline/naming"
)

// Codes of outcomes that are told here first.
const (
	Undeclared = "UNDECLARED"  // as the plan calls objects that no dataset claims
	Cataloged  = "CATALOG"     // the catalog says that nothing asked for is in it
	NotScanned = "NOT_SCANNED" // nothing vouches for it: neither a scan nor the catalog
	NoRequest  = "NO_REQUEST"  // as the plan calls objects that nobody asks for
)

const (
	listedRefusals = 1_000 // refusals named in a report; all are in objects.parquet
)

// Source is what a run knows of its objects. Its sequences are walked once, in
// step, and in plan order.
type Source struct {
	Joined   func() iter.Seq2[catalog.Joined, error]                // all objects of the plan, with what the catalog knew
	Units    func(round int) iter.Seq2[*pipeline.UnitResult, error] // of a round, from 1; several per object possible
	Rounds   int
	Names    *naming.Names
	Datasets []pipeline.Dataset
	// Waived returns the waiver that stands for an object that was refused with a code;
	// nil for none. It may be nil.
	Waived func(o *pipeline.Object, shown, code string) *Waiver
}

// Waiver is a person's word that an object need not be examined for a while.
type Waiver struct {
	N      int    `json:"n"`
	Reason string `json:"reason"`
	By     string `json:"by"`
	Until  string `json:"until"` // the last day
}

// Totals is what the objects of a run come to. Its size hangs on accounts and
// datasets, not on objects.
type Totals struct {
	Objects    map[pipeline.Outcome]int64
	Pruned     map[string]int64 // objects that the plan or the catalog left out, by code
	Undeclared map[string]int64 // by store and first segment; the same objects count as refused
	Datasets   []DatasetTotals  // sorted by name
	// Rows is how many records an account has in a dataset, {account, dataset}, as
	// far as they are known. What was refused is not in it, nor are copies in older
	// versions: a blast radius is never made to look smaller by records that
	// nobody counted, or by counting one record many times.
	Rows map[[2]string]int64
	// Refusals names the first of them; undeclared objects are not among them.
	Refusals     []Refusal
	RefusedCount int64
	// Waived names the first of the refused objects that a person has waived; they
	// are none of Refusals, and keep no request open.
	Waived      []Waived
	WaivedCount int64
	waived      []int64 // places of all of them in the plan, ascending
	// RefusedAccounts counts refused objects by the account whose records they may
	// hold; "" is any account. Undeclared objects are not counted.
	RefusedAccounts map[string]int64
	Strayed         map[pipeline.RequestRef]int64 // objects in which a request's identifiers stand in records of nobody
	ListedBytes     int64                         // sizes of all objects
	OpenedBytes     int64                         // read by units
	// OpenedWithoutHit are those of OpenedBytes whose unit had no hit.
	OpenedWithoutHit int64
	PassBytes        int64            // sizes of the objects that a request may touch: one pass
	FirstBytes       int64            // those of OpenedBytes that first scans read, which fill the catalog
	AgainWithoutHit  int64            // those of OpenedWithoutHit that no first scan read: the catalog said that they may hold something
	RefusedCodes     map[string]int64 // RefusedCount by code
	Files            int              // of objects.parquet
}

// DatasetTotals is what the objects of one dataset come to.
type DatasetTotals struct {
	Name          string                     `json:"name"`
	Objects       map[pipeline.Outcome]int64 `json:"objects"`
	Rows          int64                      `json:"rows"`
	Malformed     int64                      `json:"malformed"`
	Unattributed  int64                      `json:"unattributed"`
	Misattributed int64                      `json:"misattributed"`
	Hits          int64                      `json:"hits"`
	Bytes         int64                      `json:"bytes"` // read
}

// Refusal is an object that nobody could vouch for.
type Refusal struct {
	Object   string `json:"object"` // as outputs show it
	ObjectID string `json:"object_id"`
	Version  string `json:"version,omitempty"`
	ETag     string `json:"etag"`
	Dataset  string `json:"dataset,omitempty"`
	Account  string `json:"account,omitempty"` // whose key it is; "" where only a field tells
	Code     string `json:"code"`
	Reason   string `json:"reason,omitempty"`
}

// Waived is a refusal that a person has waived.
type Waived struct {
	Refusal
	Waiver Waiver `json:"waiver"`
}

// IsWaived reports whether a person has waived the object at a place in the plan, which was
// refused.
func (t *Totals) IsWaived(n int64) bool {
	_, found := slices.BinarySearch(t.waived, n)
	return found
}

func newTotals() *Totals {
	return &Totals{
		Objects: map[pipeline.Outcome]int64{}, Pruned: map[string]int64{}, Undeclared: map[string]int64{},
		Rows: map[[2]string]int64{}, RefusedAccounts: map[string]int64{}, Strayed: map[pipeline.RequestRef]int64{},
		RefusedCodes: map[string]int64{},
	}
}

// summer adds up ended objects.
type summer struct {
	s        *Source
	t        *Totals
	datasets []DatasetTotals // as in the config
}

func newSummer(s *Source) *summer {
	sum := &summer{s: s, t: newTotals(), datasets: make([]DatasetTotals, len(s.Datasets))}
	for i := range s.Datasets {
		sum.datasets[i] = DatasetTotals{Name: s.Datasets[i].Name, Objects: map[pipeline.Outcome]int64{}}
	}
	return sum
}

// add counts an object and returns its row.
func (s *summer) add(e *ended) *Row {
	t, o := s.t, &e.object
	ref := s.s.Names.Ref(o)
	t.Objects[e.outcome]++
	t.ListedBytes += o.Size
	t.OpenedBytes += e.bytes
	t.OpenedWithoutHit += e.withoutHit
	t.FirstBytes += e.first
	t.AgainWithoutHit += e.againWithoutHit
	if o.Outcome == "" {
		t.PassBytes += o.Size
	}
	for _, r := range e.strayed {
		t.Strayed[r]++
	}
	row := &Row{
		Object: ref.Shown, ObjectID: ref.ID, ETag: ref.ETag, Size: ref.Size, Outcome: string(e.outcome),
		Rows: e.rows, Malformed: e.malformed, Reason: e.code,
	}
	reason := discreet(s.s.Datasets, o, &ref, e.reason)
	if reason != "" {
		row.Reason = strings.TrimPrefix(e.code+": "+reason, ": ")
	}
	if ref.Version != "" {
		row.Version = &ref.Version
	}
	if o.Dataset >= 0 {
		d := &s.datasets[o.Dataset]
		row.Dataset = &d.Name
		d.Objects[e.outcome]++
		d.Malformed += e.malformed
		d.Unattributed += e.unattributed
		d.Misattributed += e.misattributed
		d.Hits += e.hits
		d.Bytes += e.bytes
		if e.rows != nil {
			d.Rows += *e.rows
		}
		if !o.Noncurrent {
			for account, n := range e.byAccount {
				t.Rows[[2]string{account, d.Name}] += n
			}
		}
	}
	switch {
	case e.code == Undeclared:
		naming.Tally(t.Undeclared, o.Store, o.Key)
	case e.outcome == pipeline.Refused:
		s.refused(e, row, reason)
	case e.outcome == pipeline.Pruned || e.outcome == pipeline.Skipped:
		t.Pruned[e.code]++
	}
	return row
}

func (s *summer) refused(e *ended, row *Row, reason string) {
	r := Refusal{Object: row.Object, ObjectID: row.ObjectID, Version: e.object.Version, ETag: row.ETag, Account: e.object.Account, Code: e.code, Reason: reason}
	if row.Dataset != nil {
		r.Dataset = *row.Dataset
	}
	var w *Waiver
	if s.s.Waived != nil {
		w = s.s.Waived(&e.object, row.Object, e.code)
	}
	if w != nil {
		row.Reason += fmt.Sprintf(" (waived by %s until %s: %s)", w.By, w.Until, w.Reason)
		s.t.waived = append(s.t.waived, e.object.N)
		if s.t.WaivedCount++; len(s.t.Waived) < listedRefusals {
			s.t.Waived = append(s.t.Waived, Waived{r, *w})
		}
		return
	}
	s.t.RefusedAccounts[e.object.Account]++
	s.t.RefusedCodes[e.code]++
	if s.t.RefusedCount++; len(s.t.Refusals) < listedRefusals {
		s.t.Refusals = append(s.t.Refusals, r)
	}
}

// totals are final after the last object.
func (s *summer) totals() *Totals {
	s.t.Datasets = slices.SortedFunc(slices.Values(s.datasets), func(a, b DatasetTotals) int { return strings.Compare(a.Name, b.Name) })
	return s.t
}

// discreet returns a reason without the object's true name, where that identifies
// a person: stores name keys in their errors.
func discreet(datasets []pipeline.Dataset, o *pipeline.Object, ref *pipeline.ObjectRef, reason string) string {
	if !ref.Identifying || reason == "" {
		return reason
	}
	for _, name := range []string{ref.URL, o.Key, naming.Escape(o.Key)} {
		quoted := strings.Trim(strconv.Quote(name), `"`)
		reason = strings.NewReplacer(name, ref.Shown, quoted, ref.Shown).Replace(reason)
	}
	var tells []string
	if o.Dataset >= 0 {
		for name, f := range datasets[o.Dataset].Object {
			if v := o.Captures[name]; v != "" && f.Kind.Identifies() {
				tells = append(tells, v, naming.Escape(v))
			}
		}
	}
	for _, s := range strings.Split(o.Key, "/") {
		if strings.Contains(s, "@") || strings.Contains(strings.ToLower(s), "%40") {
			tells = append(tells, s, naming.Escape(s))
		}
	}
	for _, v := range tells {
		if strings.Contains(reason, v) {
			return "the reason is withheld, since it names the object, whose name identifies a person"
		}
	}
	return reason
}

// sortedKeys are the keys of m in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
