package main

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/naming"
	"expunge/pipeline/plan"
)

func checkCommand(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Read the config strictly, reach every store, sample every dataset; say what does not fit",
		Long:  "Reads only: nothing is written to a store of the lake or to the work store.",
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

// unclaimed are objects that no dataset claims, by their first segment below the
// store, with some of their names as outputs show them.
type unclaimed struct {
	Below    string   `json:"below"`
	Objects  int64    `json:"objects"`
	Examples []string `json:"examples"`
}

type checked struct {
	Work       string           `json:"work"`
	Stores     []checkedStore   `json:"stores"`
	Objects    int64            `json:"objects"`
	Bytes      int64            `json:"bytes"`
	Datasets   map[string]int64 `json:"datasets"` // objects
	Samples    []sample         `json:"samples"`
	Undeclared []*unclaimed     `json:"undeclared"`
	Findings   []finding        `json:"findings"`
}

func (c *checked) find(where, format string, args ...any) {
	c.Findings = append(c.Findings, finding{where, fmt.Sprintf(format, args...)})
}

// Bounds of what check keeps of an object listing, however long it is.
const (
	sampledObjects  = 3    // of a dataset
	unclaimedLabels = 1000 // first segments told apart
	unclaimedNames  = 3    // examples of each
)

func (a *app) checkAll(ctx context.Context) error {
	out := checked{Work: a.work.URL(), Samples: []sample{}, Undeclared: []*unclaimed{}, Findings: []finding{}}
	for _, w := range a.cfg.Warnings {
		out.find("config", "%s", w.String())
	}
	var err error
	if out.Stores, err = a.checkStores(ctx); err != nil {
		return err
	}
	if err := a.checkWork(ctx, &out); err != nil {
		return err
	}
	stores, err := a.stores(ctx)
	if err != nil {
		return err
	}
	if err := a.checkObjects(ctx, stores, &out); err != nil {
		return err
	}
	if err := a.readPool(ctx); err != nil && ctx.Err() == nil {
		out.find("business_numbers", "%v", err)
	}
	if a.flags.json {
		return printJSON(out)
	}
	a.printChecked(&out)
	return nil
}

// checkWork says where the work store would not let go what is kept for a time only.
func (a *app) checkWork(ctx context.Context, out *checked) error {
	store, err := vendor(ctx, a.cfg.Work.Store)
	if err != nil {
		return unreached(a.cfg.Work.Store, err)
	}
	b, ok := store.(bucket)
	if !ok {
		return nil
	}
	set, err := b.Check(ctx)
	if err != nil {
		return unreached(a.cfg.Work.Store, err)
	}
	if r := set.Retention; r != nil {
		out.find("work", "what is written to its bucket is locked by default (%s, %s): runs fail, as they cannot remove what they need for a time only, and purge removes nothing; take a bucket without a default retention", r.Mode, retentionTime(r))
	}
	return nil
}

// checkObjects lists the stores and samples the datasets.
func (a *app) checkObjects(ctx context.Context, stores map[string]connectors.Store, out *checked) error {
	p, err := a.planner(stores, nil, nil, "")
	if err != nil {
		return err
	}
	names := a.names(stores)
	sum := &plan.Summary{Pruned: map[string]int64{}, Undeclared: map[string]int64{}, ByDataset: map[string]int64{}, ByClass: map[string]int64{}}
	samples := map[int][]pipeline.Object{}
	seen, unknown := map[int]int64{}, map[string]int64{}
	for o, err := range p.List(ctx, sum) {
		if err != nil {
			return err
		}
		if o.Code == plan.Undeclared {
			out.unclaimed(names, &o)
		}
		if o.Dataset < 0 {
			continue
		}
		if o.Size > 0 && !o.Noncurrent {
			// The first, and two of those whose place is a power of two: spread over the listing.
			if seen[o.Dataset]++; bits.OnesCount64(uint64(seen[o.Dataset])) == 1 {
				if s := samples[o.Dataset]; len(s) == sampledObjects {
					samples[o.Dataset] = slices.Delete(s, 1, 2)
				}
				samples[o.Dataset] = append(samples[o.Dataset], o)
			}
		}
		if _, named := o.Captures["account"]; named && o.Account == "" {
			unknown[a.cfg.Datasets[o.Dataset].Name]++
		}
	}
	out.Objects, out.Bytes, out.Datasets = sum.Objects, sum.Bytes, sum.ByDataset
	for i := range a.cfg.Datasets {
		d := &a.cfg.Datasets[i]
		if sum.ByDataset[d.Name] == 0 {
			out.find(d.Name, "no object matches %q; mend the pattern, or drop the dataset", d.At)
			continue
		}
		s := a.sample(ctx, stores, names, d, samples[i])
		out.Samples = append(out.Samples, *s)
		out.Findings = append(out.Findings, s.findings(d)...)
		if n := unknown[d.Name]; n > 0 {
			out.find(d.Name, "%s an account that the config does not know: their records are UNATTRIBUTED", pipeline.Count(n, "object names", "objects name"))
		}
	}
	slices.SortFunc(out.Undeclared, func(a, b *unclaimed) int { return strings.Compare(a.Below, b.Below) })
	for _, u := range out.Undeclared {
		out.find(u.Below, "%s that no dataset claims (UNDECLARED), such as %s: every run is INCOMPLETE until they are declared, or ignored with a reason",
			pipeline.Count(u.Objects, "object", "objects"), strings.Join(u.Examples, ", "))
	}
	return ctx.Err()
}

func (c *checked) unclaimed(names *naming.Names, o *pipeline.Object) {
	first, _, deeper := strings.Cut(o.Key, "/")
	label := o.Store + "/" + naming.Mask(first)
	if deeper {
		label += "/"
	}
	i := slices.IndexFunc(c.Undeclared, func(u *unclaimed) bool { return u.Below == label })
	if i < 0 && len(c.Undeclared) >= unclaimedLabels {
		label = o.Store + "/ (others)"
		i = slices.IndexFunc(c.Undeclared, func(u *unclaimed) bool { return u.Below == label })
	}
	if i < 0 {
		i = len(c.Undeclared)
		c.Undeclared = append(c.Undeclared, &unclaimed{Below: label, Examples: []string{}})
	}
	u := c.Undeclared[i]
	u.Objects++
	if len(u.Examples) < unclaimedNames {
		u.Examples = append(u.Examples, names.Shown(o))
	}
}

func (a *app) printChecked(out *checked) {
	fmt.Printf("config   %s: %s, %s, %s\n", a.cfg.Path, pipeline.Count(len(a.cfg.Stores), "store", "stores"),
		pipeline.Count(len(a.cfg.Accounts), "account", "accounts"), pipeline.Count(len(a.cfg.Datasets), "dataset", "datasets"))
	fmt.Printf("work     %s\n", out.Work)
	for _, s := range out.Stores {
		fmt.Printf("store    %-10s %s: %s\n", s.Name, s.URL, s.Summary)
		for _, note := range s.Notes {
			fmt.Printf("         - %s\n", note)
		}
	}
	fmt.Printf("objects  %s (%s)\n", humanize.Comma(out.Objects), humanize.IBytes(uint64(out.Bytes)))
	for _, d := range a.cfg.Datasets {
		fmt.Printf("  %-24s %8s %s\n", d.Name, humanize.Comma(out.Datasets[d.Name]), pipeline.Noun(out.Datasets[d.Name], "object", "objects"))
	}
	for _, x := range out.Findings {
		fmt.Printf("! %s: %s\n", x.Where, x.What)
	}
	if len(out.Findings) == 0 {
		fmt.Println("everything fits")
	}
}

// reach opens every store of the lake and asks each for a listing: what is not
// there, or not allowed, is told before anything is begun.
func (a *app) reach(ctx context.Context) error {
	var problems []error
	for _, c := range a.cfg.Stores {
		store, err := a.openStore(ctx, c.Name, a.vendor, c)
		if err == nil {
			for _, err = range store.List(ctx, "") {
				break
			}
		}
		if err != nil {
			problems = append(problems, unreached(c, err))
		}
	}
	return errors.Join(problems...)
}
