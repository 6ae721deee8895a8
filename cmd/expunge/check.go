package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/identity"
	"expunge/pipeline/plan"
	"expunge/scanners"
)

// sampleRecords is how many records of one object per dataset check looks at.
const sampleRecords = 200

func checkCommand(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Read the config strictly, reach every store, sample every dataset; say what does not fit",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			a, err := open(c.Context(), f)
			if err != nil {
				return err
			}
			return a.checkAll(c.Context())
		},
	}
}

type finding struct {
	Where string `json:"where"`
	What  string `json:"what"`
}

type checked struct {
	Objects    int64            `json:"objects"`
	Bytes      int64            `json:"bytes"`
	Datasets   map[string]int64 `json:"datasets"`
	Undeclared map[string]int64 `json:"undeclared"`
	Findings   []finding        `json:"findings"`
}

func (a *app) checkAll(ctx context.Context) error {
	stores, err := a.stores(ctx)
	if err != nil {
		return err
	}
	p, err := a.planner(stores, nil, "")
	if err != nil {
		return err
	}
	out := checked{Datasets: map[string]int64{}, Findings: []finding{}}
	for _, w := range a.cfg.Warnings {
		out.Findings = append(out.Findings, finding{"config", w.String()})
	}
	sum := &plan.Summary{Pruned: map[string]int64{}, Undeclared: map[string]int64{}, ByDataset: out.Datasets, ByClass: map[string]int64{}}
	samples := map[int]pipeline.Object{}
	unknown := map[string]int64{}
	for o, err := range p.List(ctx, sum) {
		if err != nil {
			return err
		}
		if o.Dataset < 0 {
			continue
		}
		if _, ok := samples[o.Dataset]; !ok && o.Size > 0 && !o.Noncurrent {
			samples[o.Dataset] = o
		}
		if _, named := o.Captures["account"]; named && o.Account == "" {
			unknown[a.cfg.Datasets[o.Dataset].Name]++
		}
	}
	out.Objects, out.Bytes, out.Undeclared = sum.Objects, sum.Bytes, sum.Undeclared
	names := a.names(stores)
	for i := range a.cfg.Datasets {
		d := &a.cfg.Datasets[i]
		o, found := samples[i]
		if !found {
			out.Findings = append(out.Findings, finding{d.Name, fmt.Sprintf("no object matches %q; mend the pattern, or drop the dataset", d.At)})
			continue
		}
		out.Findings = append(out.Findings, a.sample(ctx, stores, d, &o, names.Shown(&o))...)
		if n := unknown[d.Name]; n > 0 {
			out.Findings = append(out.Findings, finding{d.Name, fmt.Sprintf("%d objects name an account that the config does not know: their records are UNATTRIBUTED", n)})
		}
	}
	for _, where := range slices.Sorted(maps.Keys(out.Undeclared)) {
		out.Findings = append(out.Findings, finding{where, fmt.Sprintf("%d objects that no dataset claims (UNDECLARED): every run is INCOMPLETE until they are declared or ignored", out.Undeclared[where])})
	}
	if a.flags.json {
		return printJSON(out)
	}
	fmt.Printf("config   %s: %d stores, %d accounts, %d datasets\n", a.cfg.Path, len(a.cfg.Stores), len(a.cfg.Accounts), len(a.cfg.Datasets))
	fmt.Printf("work     %s\n", a.work.URL())
	fmt.Printf("objects  %s (%s)\n", humanize.Comma(out.Objects), humanize.IBytes(uint64(out.Bytes)))
	for _, d := range a.cfg.Datasets {
		fmt.Printf("  %-24s %8s objects\n", d.Name, humanize.Comma(out.Datasets[d.Name]))
	}
	for _, x := range out.Findings {
		fmt.Printf("! %s: %s\n", x.Where, x.What)
	}
	if len(out.Findings) == 0 {
		fmt.Println("everything fits")
	}
	return nil
}

// enough ends a sample.
type enough struct{}

func (enough) Error() string { return "sampled" }

// sample reads some records of an object and says which declared fields none of
// them has.
func (a *app) sample(ctx context.Context, stores map[string]connectors.Store, d *pipeline.Dataset, o *pipeline.Object, shown string) []finding {
	in := scanners.Input{
		Name: shown, Size: o.Size, Every: true,
		Layout: scanners.Layout{Header: d.CSV.Header, Delimiter: d.CSV.Delimiter, Columns: d.CSV.Columns},
		Open:   openObject(stores[o.Store], o.Ref),
	}
	format := d.Format
	if format == "auto" {
		var err error
		if format, err = detectFormat(ctx, in); err != nil {
			return []finding{{d.Name, err.Error()}}
		}
	}
	scanner := formats()[format]
	if scanner == nil {
		return []finding{{d.Name, fmt.Sprintf("%s: format %q is not read: such objects will be refused", shown, format)}}
	}
	if format == "media" || format == "text" {
		return nil
	}
	seen := map[string]bool{}
	records := 0
	finder := identity.Compile(identity.Key{}, a.cfg.Policy.DefaultRegion, nil).Finder(identity.FinderOptions{Fields: d.Fields})
	_, err := scanner.Scan(ctx, in, finder, func(r *scanners.Record) error {
		for _, leaf := range r.Leaves {
			seen[leaf.Path] = true
		}
		if records++; records == sampleRecords {
			return enough{}
		}
		return nil
	})
	if err != nil && err != error(enough{}) {
		return []finding{{d.Name, err.Error()}}
	}
	var out []finding
	if d.Time != "" && !seen[d.Time] && records > 0 {
		out = append(out, finding{d.Name, fmt.Sprintf("time field %q is in none of %d records of %s", d.Time, records, shown)})
	}
	return out
}
