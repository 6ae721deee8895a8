package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"expunge/pipeline"
	"expunge/pipeline/config"
	"expunge/pipeline/engine"
	"expunge/pipeline/intake"
)

type submitOptions struct {
	account, id, instruction, subject, received, level, attestedBy string
	rights, phones, emails, ids                                    []string
	urgent                                                         bool
}

func submitCommand(f *flags) *cobra.Command {
	o := &submitOptions{}
	c := &cobra.Command{
		Use:   "submit [FILE…|-]",
		Short: "Take in requests: JSON, an array or JSON lines; or one by flags",
		Args:  cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, files []string) error {
			a, err := open(c.Context(), f)
			if err != nil {
				return err
			}
			return a.submit(c.Context(), o, files)
		},
	}
	fl := c.Flags()
	fl.StringVar(&o.account, "account", "", "the business customer")
	fl.StringVar(&o.id, "request-id", "", "the request's id; made up from the time if absent")
	fl.StringVar(&o.instruction, "instruction", "", "the account's instruction, such as a ticket")
	fl.StringVar(&o.subject, "subject", "", "consumer (default) or agent")
	fl.StringVar(&o.received, "received", "", "when the account received it (RFC 3339 or a date)")
	fl.StringVar(&o.level, "level", "", "verification level: none, reasonable or reasonably_high")
	fl.StringVar(&o.attestedBy, "attested-by", "", "who of the account vouches for that level")
	fl.StringArrayVar(&o.rights, "right", nil, "access, know, delete, opt_out or correct (repeatable)")
	fl.StringArrayVar(&o.phones, "phone", nil, "a phone number (repeatable)")
	fl.StringArrayVar(&o.emails, "email", nil, "an e-mail address (repeatable)")
	fl.StringArrayVar(&o.ids, "id", nil, "kind=value (repeatable)")
	fl.BoolVar(&o.urgent, "urgent", false, "to be run on demand")
	return c
}

// submit takes all requests in, or none: what is wrong with any is said first.
func (a *app) submit(ctx context.Context, o *submitOptions, files []string) error {
	check := intake.Check{
		Now:         a.now(),
		Account:     func(name string) bool { _, ok := a.cfg.Account(name); return ok },
		NearAccount: func(name string) string { return config.Nearest(name, a.accountNames()) },
		Kind:        func(kind pipeline.Kind) bool { return slices.Contains(a.cfg.Kinds, kind) },
		Nearest:     func(kind pipeline.Kind) string { return config.Nearest(string(kind), a.kindNames()) },
		Identifier:  a.check,
	}
	if err := a.readPool(ctx); err != nil {
		return err
	}
	var all []*pipeline.Request
	var problems []error
	if o.account != "" {
		r, err := o.request(a.now())
		if err != nil {
			return &coded{exitUsage, err}
		}
		for _, err := range intake.Validate(r, check) {
			problems = append(problems, fmt.Errorf("request %s: %w", r.Ref(), err))
		}
		all = append(all, r)
	} else if len(o.rights)+len(o.phones)+len(o.emails)+len(o.ids) > 0 {
		return usage("--account is missing: say for which business customer the request is")
	} else if o.id+o.instruction+o.subject+o.received+o.level+o.attestedBy != "" || o.urgent {
		return usage("--request-id, --instruction, --subject, --received, --level, --attested-by and --urgent are of a request that --account makes: they change none of a file")
	} else if len(files) == 0 {
		return usage("name a file of requests, - for standard input, or --account and the rest")
	}
	for _, name := range files {
		data, err := readFile(name)
		if err == nil {
			var some []*pipeline.Request
			some, err = intake.Parse(name, data, check)
			all = append(all, some...)
		}
		if err != nil {
			problems = append(problems, err)
		}
	}
	store := a.requests()
	seen := map[pipeline.RequestRef]bool{}
	known := make([]bool, len(all))
	err := engine.Each(ctx, claimers, len(all), func(ctx context.Context, i int) (err error) {
		known[i], err = store.Known(ctx, all[i].Ref())
		return err
	})
	if err != nil {
		return err
	}
	for i, r := range all {
		if known[i] || seen[r.Ref()] {
			problems = append(problems, fmt.Errorf("request %s: %w; nothing was taken in", r.Ref(), intake.ErrDuplicate))
		}
		seen[r.Ref()] = true
	}
	if len(problems) > 0 {
		return &coded{exitUsage, errors.Join(problems...)}
	}
	if err := a.beginWork(ctx); err != nil {
		return err
	}
	err = engine.Each(ctx, claimers, len(all), func(ctx context.Context, i int) error { return store.Submit(ctx, all[i]) })
	if errors.Is(err, intake.ErrDuplicate) {
		return &coded{exitUsage, err}
	}
	if err != nil {
		return err
	}
	for _, r := range all {
		if !a.flags.json {
			fmt.Printf("%s taken in, due %s%s\n", r.Ref(), intake.Due(r).Format(time.DateOnly), a.tooFew(r))
		}
	}
	if a.flags.json {
		return printJSON(map[string]int{"submitted": len(all)})
	}
	return nil
}

// tooFew says that a request names too few kinds of identifiers to be confirmed, "" if
// it does not.
func (a *app) tooFew(r *pipeline.Request) string {
	kinds := map[pipeline.Kind]bool{}
	for _, id := range r.Identifiers {
		kinds[id.Kind] = true
	}
	needed, right := a.cfg.DataPoints(r.Account, r.Rights)
	if len(kinds) >= needed {
		return ""
	}
	return fmt.Sprintf("; all that is found will wait for review: it has %s of identifiers, and data_points asks for %d to %s", pipeline.Count(len(kinds), "kind", "kinds"), needed, right)
}

func (a *app) accountNames() []string {
	names := make([]string, len(a.cfg.Accounts))
	for i := range a.cfg.Accounts {
		names[i] = a.cfg.Accounts[i].Name
	}
	return names
}

func (a *app) kindNames() []string {
	names := make([]string, len(a.cfg.Kinds))
	for i, k := range a.cfg.Kinds {
		names[i] = string(k)
	}
	return names
}

func readFile(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(name)
}

// request makes a request of flags.
func (o *submitOptions) request(now time.Time) (*pipeline.Request, error) {
	r := &pipeline.Request{
		Version: 1, ID: o.id, Account: o.account, Instruction: o.instruction, Subject: o.subject, Urgent: o.urgent, Received: now.UTC(),
		Verification: pipeline.Verification{Level: o.level, AttestedBy: o.attestedBy},
	}
	if r.ID == "" {
		r.ID = "R-" + now.UTC().Format("20060102T150405.000")
	}
	if o.received != "" {
		t, err := time.Parse(time.RFC3339, o.received)
		if err != nil {
			if t, err = time.Parse(time.DateOnly, o.received); err != nil {
				return nil, errors.New("--received must be a time like 2026-11-20T09:00:00Z or a date like 2026-11-20")
			}
		}
		r.Received = t
	}
	for _, right := range o.rights {
		r.Rights = append(r.Rights, pipeline.Right(right))
	}
	add := func(kind pipeline.Kind, value string) {
		r.Identifiers = append(r.Identifiers, pipeline.Identifier{Kind: kind, Value: pipeline.Secret(value)})
	}
	for _, v := range o.phones {
		add(pipeline.Phone, v)
	}
	for _, v := range o.emails {
		add(pipeline.Email, v)
	}
	for _, v := range o.ids {
		kind, value, ok := strings.Cut(v, "=")
		if !ok {
			return nil, errors.New("--id must be kind=value")
		}
		add(pipeline.Kind(kind), value)
	}
	return r, nil
}
