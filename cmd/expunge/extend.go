package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"expunge/pipeline/intake"
)

func extendCommand(f *flags) *cobra.Command {
	var by, reason string
	c := &cobra.Command{
		Use:   "extend ACCOUNT/ID",
		Short: "Note the one extension of a request's time, from 45 to 90 days",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			a, e, err := request(c, f, args[0])
			if err != nil {
				return err
			}
			if strings.TrimSpace(reason) == "" {
				return usage("--reason is missing: the consumer has to be told why it takes longer")
			}
			ref := e.Request.Ref()
			if e.State.Ended() {
				return usage("request %s is %s: there is nothing to extend", ref, e.State)
			}
			due, err := a.requests().Extend(c.Context(), e.Request, by, reason)
			if errors.Is(err, intake.ErrExtended) || errors.Is(err, intake.ErrWithdrawn) {
				return &coded{exitUsage, err}
			}
			if err != nil {
				return err
			}
			if f.json {
				return printJSON(map[string]string{"request": ref.String(), "due": due.Format(time.DateOnly)})
			}
			fmt.Printf("%s extended, due %s\n", ref, due.Format(time.DateOnly))
			if late := intake.Due(e.Request); a.now().After(late) {
				fmt.Printf("its 45 days ended on %s: the consumer has to have been told before that\n", late.Format(time.DateOnly))
			}
			return nil
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why it takes longer")
	c.Flags().StringVar(&by, "by", "", "who extends it")
	return c
}
