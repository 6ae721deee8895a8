package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"expunge/pipeline"
	"expunge/pipeline/intake"
)

func cancelCommand(f *flags) *cobra.Command {
	var by, reason string
	c := &cobra.Command{
		Use:   "cancel ACCOUNT/ID",
		Short: "Withdraw a request, until something of it is erased",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			a, e, err := request(c, f, args[0])
			if err != nil {
				return err
			}
			if strings.TrimSpace(reason) == "" {
				return usage("--reason is missing: the record of a request says why it ended")
			}
			ref := e.Request.Ref()
			if err := a.requests().Cancel(c.Context(), ref, by, reason); err != nil {
				if errors.Is(err, intake.ErrTooLate) || errors.Is(err, intake.ErrWithdrawn) {
					return &coded{exitUsage, err}
				}
				return err
			}
			if f.json {
				return printJSON(map[string]string{"request": ref.String(), "state": string(pipeline.Cancelled)})
			}
			fmt.Printf("%s is CANCELLED\n", ref)
			return nil
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why")
	c.Flags().StringVar(&by, "by", "", "who withdraws it")
	return c
}

// request opens the work store and reads the request that a command names.
func request(c *cobra.Command, f *flags, name string) (*app, *intake.Entry, error) {
	ref, err := pipeline.ParseRequestRef(name)
	if err != nil {
		return nil, nil, &coded{exitUsage, err}
	}
	a, err := open(c.Context(), f)
	if err != nil {
		return nil, nil, err
	}
	e, err := a.requests().Entry(c.Context(), ref)
	if errors.Is(err, intake.ErrUnknown) {
		return nil, nil, &coded{exitUsage, err}
	}
	return a, e, err
}
