package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"expunge/connectors"
	"expunge/pipeline/tombstone"
)

func approveCommand(f *flags) *cobra.Command {
	var by, notBefore string
	var accounts []string
	c := &cobra.Command{
		Use:   "approve RUN",
		Short: "Approve a sealed manifest, or the parts of it that belong to accounts",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if by == "" {
				return usage("--by NAME is missing: an approval records who gave it")
			}
			if notBefore != "" {
				if _, err := time.Parse(time.RFC3339, notBefore); err != nil {
					return usage("--not-before must be a time like 2026-11-20T09:00:00Z")
				}
			}
			ctx := c.Context()
			a, err := open(ctx, f)
			if err != nil {
				return err
			}
			if len(a.cfg.Approvers) > 0 {
				return &coded{exitRefused, errors.New("the config names approvers, so approvals must be signed, which this version cannot do")}
			}
			m, err := tombstone.Read(ctx, a.work, a.keys, args[0])
			if errors.Is(err, connectors.ErrNotFound) {
				return usage("run %s has no sealed manifest", args[0])
			}
			if err != nil {
				return err
			}
			got, err := tombstone.Approve(ctx, a.work, a.keys, m, tombstone.Approval{By: by, At: a.now().UTC().Format(time.RFC3339), NotBefore: notBefore}, accounts)
			if errors.Is(err, tombstone.ErrNoPart) {
				return &coded{exitUsage, err}
			}
			if err != nil {
				return err
			}
			if f.json {
				return printJSON(got)
			}
			fmt.Printf("approval %d of run %s by %s\n", got.N, m.Run, by)
			for _, r := range m.Radius {
				if _, named := got.Accounts[r.Account]; !named && got.Manifest == "" {
					continue
				}
				note := ""
				if r.Limit {
					note = "  beyond max_erase_fraction: will be held back"
				}
				fmt.Printf("  %-20s %-24s %8d of %d records (%.2f %%)%s\n", r.Account, r.Dataset, r.Records, r.Of, 100*r.Part, note)
			}
			return nil
		},
	}
	c.Flags().StringVar(&by, "by", "", "who approves")
	c.Flags().StringVar(&notBefore, "not-before", "", "when erasing may begin")
	c.Flags().StringArrayVar(&accounts, "account", nil, "only the part of this account (repeatable)")
	return c
}
