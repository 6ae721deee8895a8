package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/dustin/go-humanize"

	"expunge/pipeline"
	"expunge/pipeline/intake"
	"expunge/pipeline/plan"
)

// dry is what --dry-run says with --json.
type dry struct {
	Requests int      `json:"requests"`          // of consumers
	Answered int      `json:"answered"`          // deletions that were carried out before, if not all of each, of which what was delivered again is looked for
	Lists    int64    `json:"list_calls"`        // of the lake, LIST requests of a thousand keys
	Gets     int64    `json:"get_calls"`         // at least, of the lake, less what the catalog rules out
	Digests  []string `json:"digests,omitempty"` // accounts with requests that give digests: the catalog rules out nothing of theirs
	*plan.Summary
}

// dryRun says what a run would read. It lists, and writes nothing.
func (a *app) dryRun(ctx context.Context, picked []*intake.Entry, ended map[pipeline.RequestRef]*intake.Entry) error {
	stores, err := a.stores(ctx)
	if err != nil {
		return err
	}
	p, err := a.planner(stores, picked, ended, "")
	if err != nil {
		return err
	}
	p.Progress = a.listing()
	s, err := p.Estimate(ctx)
	if err != nil {
		return err
	}
	d := dry{Requests: len(picked), Answered: len(ended), Gets: s.Scan, Summary: s}
	accounts := map[string]bool{}
	for _, e := range picked {
		if slices.ContainsFunc(e.Request.Identifiers, func(id pipeline.Identifier) bool { return id.Hash != "" }) {
			accounts[e.Request.Account] = true
		}
	}
	d.Digests = slices.Sorted(maps.Keys(accounts))
	for name, calls := range a.calls {
		if name != workCalls {
			d.Lists += calls.Counts().Pages
		}
	}
	if a.flags.json {
		return printJSON(d)
	}
	d.print(os.Stdout)
	return nil
}

// shownPlaces is how many places of undeclared objects are printed; --json has more.
const shownPlaces = 20

func (d *dry) print(w io.Writer) {
	fmt.Fprintf(w, "requests      %s, and %s carried out before\n", humanize.Comma(int64(d.Requests)), humanize.Comma(int64(d.Answered)))
	fmt.Fprintf(w, "objects       %s (%s)\n", humanize.Comma(d.Objects), humanize.IBytes(uint64(d.Bytes)))
	fmt.Fprintf(w, "may be opened %s (%s), less what the catalog rules out\n", humanize.Comma(d.Scan), humanize.IBytes(uint64(d.ScanBytes)))
	if n := int64(len(d.Digests)); n > 0 {
		fmt.Fprintf(w, "digests       %s requests that give these alone: the catalog rules out nothing of theirs\n", pipeline.Count(n, "account has", "accounts have"))
	}
	for _, class := range slices.Sorted(maps.Keys(d.ByClass)) {
		fmt.Fprintf(w, "  %-11s %s\n", class, humanize.IBytes(uint64(d.ByClass[class])))
	}
	fmt.Fprintf(w, "store calls   %s LIST, at least %s GET\n", humanize.Comma(d.Lists), humanize.Comma(d.Gets))
	for _, code := range slices.Sorted(maps.Keys(d.Pruned)) {
		fmt.Fprintf(w, "not opened    %s: %s\n", humanize.Comma(d.Pruned[code]), code)
	}
	places := slices.Sorted(maps.Keys(d.Undeclared))
	slices.SortStableFunc(places, func(x, y string) int { return cmp.Compare(d.Undeclared[y], d.Undeclared[x]) })
	for _, where := range places[:min(len(places), shownPlaces)] {
		fmt.Fprintf(w, "UNDECLARED    %s below %s\n", humanize.Comma(d.Undeclared[where]), where)
	}
	if more := len(places) - shownPlaces; more > 0 {
		fmt.Fprintf(w, "UNDECLARED    objects below %s places more\n", humanize.Comma(int64(more)))
	}
	for _, name := range d.Unmatched {
		fmt.Fprintf(w, "no object     matches the pattern of dataset %s; mend it, or drop the dataset\n", name)
	}
}
