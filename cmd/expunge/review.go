package main

import (
	"path"
	"strings"

	"github.com/spf13/cobra"

	"expunge/pipeline"
	"expunge/pipeline/manifest"
)

func reviewCommand(f *flags) *cobra.Command {
	var requests []string
	var why bool
	c := &cobra.Command{
		Use:   "review RUN",
		Short: "List what a run has found that a person has to decide on",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			only := map[string]bool{}
			for _, s := range requests {
				ref, err := pipeline.ParseRequestRef(s)
				if err != nil {
					return usage("--request: %w", err)
				}
				only[ref.String()] = true
			}
			run := args[0]
			if run != path.Base(run) {
				return usage("%q is no run", run)
			}
			ctx := c.Context()
			a, err := open(ctx, f)
			if err != nil {
				return err
			}
			found := false
			for o, err := range a.work.List(ctx, "runs/"+run+"/review") {
				if err != nil {
					return err
				}
				if !strings.HasSuffix(o.Key, ".parquet") {
					continue
				}
				found = true
				for row, err := range manifest.Table(ctx, a.work, o.Key) {
					if err != nil {
						return err
					}
					if len(only) > 0 && !only[row.Request] {
						continue
					}
					if err := a.printRow(row, why); err != nil {
						return err
					}
				}
			}
			if !found {
				return usage("run %s has no list of review hits in work store %s", run, a.work.URL())
			}
			return nil
		},
	}
	c.Flags().StringArrayVar(&requests, "request", nil, "only of this ACCOUNT/ID (repeatable)")
	c.Flags().BoolVar(&why, "why", false, "show the chain of evidence of each record")
	return c
}
