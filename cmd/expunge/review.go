package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"

	"github.com/spf13/cobra"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/decision"
	"expunge/pipeline/manifest"
)

type reviewOptions struct {
	requests []string
	why      bool
	decide   string // file of decisions; "": list
	by       string
	reason   string // of lines that give none
}

func reviewCommand(f *flags) *cobra.Command {
	o := &reviewOptions{}
	c := &cobra.Command{
		Use:   "review RUN",
		Short: "List what a run has found that a person has to decide on; --decide takes the decisions",
		Long: "Without --decide: the list, each record with what was decided on it. --json prints it as lines that become\n" +
			"decisions once \"decision\" (include or exclude) and \"reason\" are filled in.\n\n" +
			"--decide FILE (- is stdin) takes JSON lines, or CSV with a header, with the fields decision, reason, and tombstone\n" +
			"or request, object_id and record. Lines without a decision stay undecided. An included record is treated as any\n" +
			"other that was found; an excluded one is neither asked for again nor touched. The next run acts on it.",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if args[0] != path.Base(args[0]) {
				return usage("%q is no run", args[0])
			}
			a, err := open(c.Context(), f)
			if err != nil {
				return err
			}
			if o.decide != "" {
				return a.decide(c.Context(), args[0], o)
			}
			return a.review(c.Context(), args[0], o)
		},
	}
	c.Flags().StringArrayVar(&o.requests, "request", nil, "only of this ACCOUNT/ID (repeatable)")
	c.Flags().BoolVar(&o.why, "why", false, "show the chain of evidence of each record")
	c.Flags().StringVar(&o.decide, "decide", "", "take the decisions in this file")
	c.Flags().StringVar(&o.by, "by", "", "who decides")
	c.Flags().StringVar(&o.reason, "reason", "", "of decisions that give none in the file")
	return c
}

// only is which requests the options name; empty for all.
func (o *reviewOptions) only() (map[string]bool, error) {
	only := map[string]bool{}
	for _, s := range o.requests {
		ref, err := pipeline.ParseRequestRef(s)
		if err != nil {
			return nil, usage("--request: %w", err)
		}
		only[ref.String()] = true
	}
	return only, nil
}

// reviewed is the review list of a run, checked to be the one that the run wrote.
func (a *app) reviewed(ctx context.Context, run string) (*manifest.Manifest, error) {
	m, err := manifest.Read(ctx, a.work, a.keys, run)
	if errors.Is(err, connectors.ErrNotFound) {
		return nil, a.noManifest(ctx, run, "list of review hits")
	}
	return m, err
}

// line is a row of the review list as --json has it, to be filled in and decided by.
type line struct {
	manifest.Row
	Verdict pipeline.Verdict `json:"decision"`
	Reason  string           `json:"reason"`
	By      string           `json:"decided_by,omitempty"`
}

// review lists.
func (a *app) review(ctx context.Context, run string, o *reviewOptions) error {
	only, err := o.only()
	if err != nil {
		return err
	}
	m, err := a.reviewed(ctx, run)
	if err != nil {
		return err
	}
	latest, err := a.decisions().Latest(ctx)
	if err != nil {
		return err
	}
	set := &decisions{app: a, latest: latest, of: map[string]*decision.Set{}}
	out := json.NewEncoder(os.Stdout)
	for row, err := range m.ReviewList(ctx, a.work) {
		if err != nil {
			return err
		}
		if len(only) > 0 && !only[row.Request] {
			continue
		}
		made, err := set.row(ctx, row)
		if err != nil {
			return err
		}
		if a.flags.json {
			l := line{Row: *row}
			if made != nil {
				l.Verdict, l.Reason, l.By = made.Verdict, made.Reason, made.By
			}
			err = out.Encode(l)
		} else {
			if err = a.printRow(row, o.why); err == nil && made != nil {
				fmt.Printf("    decided: %s, by %s: %s\n", made.Verdict, made.By, made.Reason)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// decisions are those that stand on the requests of a review list, read as they are met.
type decisions struct {
	*app
	latest map[pipeline.RequestRef]int
	of     map[string]*decision.Set
}

func (d *decisions) row(ctx context.Context, r *manifest.Row) (*decision.Made, error) {
	ref, err := pipeline.ParseRequestRef(r.Request)
	if err != nil {
		return nil, err
	}
	set, err := d.set(ctx, ref)
	if err != nil {
		return nil, err
	}
	return set.Row(ref, r), nil
}

func (d *decisions) set(ctx context.Context, ref pipeline.RequestRef) (*decision.Set, error) {
	set, ok := d.of[ref.String()]
	if !ok {
		which := map[pipeline.RequestRef]int{}
		if n := d.latest[ref]; n > 0 {
			which[ref] = n
		}
		var err error
		if set, err = d.app.decisions().Read(ctx, which); err != nil {
			return nil, err
		}
		d.of[ref.String()] = set
	}
	return set, nil
}

// decisions are kept in the work store.
func (a *app) decisions() *decision.Decisions {
	return &decision.Decisions{Work: a.work, Keys: a.keys}
}

// readDecisions reads what was decided on a run's requests before it began.
func (a *app) readDecisions(ctx context.Context, h *header) (*decision.Set, error) {
	latest := map[pipeline.RequestRef]int{}
	for name, n := range h.Decided {
		ref, err := pipeline.ParseRequestRef(name)
		if err != nil {
			return nil, fmt.Errorf("run %s: %w", h.Run, err)
		}
		latest[ref] = n
	}
	return a.decisions().Read(ctx, latest)
}
