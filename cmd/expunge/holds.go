package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"expunge/pipeline"
	"expunge/pipeline/config"
	"expunge/pipeline/hold"
	"expunge/pipeline/identity"
	"expunge/pipeline/intake"
	"expunge/pipeline/manifest"
	"expunge/pipeline/naming"
)

func holdCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "hold",
		Short: "Legal holds: what must not be erased for now",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return usage("say hold add, hold remove or hold list") },
	}
	c.AddCommand(holdAddCommand(f), holdRemoveCommand(f), holdListCommand(f))
	return c
}

type holdOptions struct {
	hold                hold.Hold
	request             string
	phones, emails, ids []string
}

func holdAddCommand(f *flags) *cobra.Command {
	o := &holdOptions{}
	c := &cobra.Command{
		Use:   "add",
		Short: "Hold an account, or within it a request, a consumer or objects; all that is named must agree",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			a, err := open(c.Context(), f)
			if err != nil {
				return err
			}
			return a.holdAdd(c.Context(), o)
		},
	}
	fl := c.Flags()
	fl.StringVar(&o.hold.Account, "account", "", "whose data is held")
	fl.StringVar(&o.request, "request", "", "only what this ACCOUNT/ID would erase")
	fl.StringVar(&o.hold.Object, "object", "", "only objects with this URL or STORE/KEY, as the store has it or as outputs show it; * within a segment, ** for anything")
	fl.StringArrayVar(&o.phones, "phone", nil, "only what a request with this phone would erase (repeatable)")
	fl.StringArrayVar(&o.emails, "email", nil, "or with this e-mail address (repeatable)")
	fl.StringArrayVar(&o.ids, "id", nil, "or with this kind=value (repeatable)")
	fl.IntVar(&o.hold.N, "in-place-of", 0, "set the hold of this number again, whose file is missing")
	fl.StringVar(&o.hold.Reason, "reason", "", "the subpoena, claim or case")
	fl.StringVar(&o.hold.By, "by", "", "who holds it")
	return c
}

func (a *app) holds() *hold.Holds { return &hold.Holds{Work: a.work, Keys: a.keys} }

// allHolds reads the holds, and refuses where one is missing or is not authentic; known
// is the highest number that is noted.
func (a *app) allHolds(ctx context.Context, known int) ([]*hold.Hold, error) {
	all, err := a.holds().All(ctx, known)
	return all, holdError(err)
}

// knownHolds is the highest number of a hold that a request, a run or an approval notes.
func (a *app) knownHolds(ctx context.Context) (int, error) {
	known := 0
	for e, err := range a.requests().Load(ctx) {
		if err != nil {
			return 0, err
		}
		known = max(known, e.Last.Holds)
	}
	for o, err := range a.work.List(ctx, "runs/") {
		if err != nil {
			return 0, err
		}
		run, rest, _ := strings.Cut(strings.TrimPrefix(o.Key, "runs/"), "/")
		var noted struct {
			Holds int `json:"holds"`
		}
		switch {
		case rest == "run.json":
			err = a.readDocument(ctx, "run", headerKey(run), &noted)
		case strings.HasPrefix(rest, "manifest/approvals/"):
			err = readJSON(ctx, a.work, o.Key, &noted) // unproved: a higher number than there was asks for a look, and lets nothing go
		}
		if err != nil {
			return 0, err
		}
		known = max(known, noted.Holds)
	}
	return known, nil
}

// isThere refuses a request that was never submitted, and names the nearest.
func (a *app) isThere(ctx context.Context, ref pipeline.RequestRef) error {
	known, err := a.requests().Known(ctx, ref)
	if err != nil || known {
		return err
	}
	var ids []string
	for e, err := range a.requests().Load(ctx) {
		if err != nil {
			return err
		}
		if e.Request.Account == ref.Account {
			ids = append(ids, e.Request.ID)
		}
	}
	near := ""
	if id := config.Nearest(ref.ID, ids); id != "" {
		near = fmt.Sprintf("; did you mean %s/%s?", ref.Account, id)
	}
	return usage("--request: there is no request %s%s", ref, near)
}

func (a *app) holdAdd(ctx context.Context, o *holdOptions) error {
	h := o.hold
	if o.request != "" {
		ref, err := pipeline.ParseRequestRef(o.request)
		if err != nil {
			return usage("--request: %w", err)
		}
		if h.Account != "" && h.Account != ref.Account {
			return usage("--request is of account %s, and --account is %s", ref.Account, h.Account)
		}
		h.Account, h.Request = ref.Account, ref.ID
	}
	if h.N < 0 {
		return usage("--in-place-of must be the number of a hold")
	}
	switch _, known := a.cfg.Account(h.Account); {
	case h.Account == "":
		return usage("--account or --request is missing: a hold is of one account")
	case !known:
		near := ""
		if name := config.Nearest(h.Account, a.accountNames()); name != "" {
			near = "; did you mean " + name + "?"
		}
		return usage("account %q is not in the config%s", h.Account, near)
	case strings.TrimSpace(h.Reason) == "":
		return usage("--reason is missing: name the subpoena, claim or case")
	case strings.TrimSpace(h.By) == "":
		return usage("--by NAME is missing: a hold records who set it")
	}
	ids, err := identifiers(o.phones, o.emails, o.ids)
	if err != nil {
		return err
	}
	for i, id := range ids {
		canon, err := identity.Normalise(id.Kind, id.Value, a.cfg.Policy.DefaultRegion)
		if err != nil {
			return usage("identifier %d of kind %s: %w", i+1, id.Kind, err)
		}
		h.Kinds = append(h.Kinds, id.Kind)
		h.Digests = append(h.Digests, hold.Digest(a.keys, h.Account, canon.Kind, canon.Value))
		for _, d := range canon.Digests() { // a request may give these alone
			h.Digests = append(h.Digests, hold.Digest(a.keys, h.Account, d.Kind, d.Value))
		}
	}
	if h.Request != "" {
		if err := a.isThere(ctx, pipeline.RequestRef{Account: h.Account, ID: h.Request}); err != nil {
			return err
		}
	}
	var object *objectPattern
	if h.Object != "" {
		if object, err = a.objectPattern(ctx, "--object", h.Object); err != nil {
			return err
		}
		h.Object, h.ObjectSealed = object.shown, naming.SealPattern(a.keys, object.full, object.shown)
	}
	h.At = a.now().UTC()
	if err := a.beginWork(ctx); err != nil {
		return err
	}
	known, err := a.knownHolds(ctx)
	if err != nil {
		return err
	}
	got, err := a.holds().Add(ctx, h, known, ids...)
	if err != nil {
		return holdError(err)
	}
	var covers *fit
	if object != nil {
		if covers, err = a.fits(ctx, object, h.Account, heldListed); err != nil {
			return fmt.Errorf("hold %d stands, but what it covers cannot be listed: %w", got.N, err)
		}
		if covers.declared == 0 {
			a.flags.log().Warn("the hold covers no object that is there: if one is meant, remove the hold and write the name as the store has it, or as `inspect` shows it", "hold", got.N, "objects", covers.at())
		}
	}
	if a.flags.json {
		row := struct {
			*hold.Hold
			Covers *int `json:"covers,omitempty"`
		}{Hold: got}
		if covers != nil {
			row.Covers = &covers.declared
		}
		return printJSON(row)
	}
	fmt.Printf("hold %d: %s\n", got.N, held(got))
	if covers != nil {
		of := ""
		if covers.more || covers.declared == 0 {
			of = ", of " + covers.at()
		}
		fmt.Printf("  covers %s now%s\n", pipeline.Count(covers.declared, "object", "objects"), of)
	}
	return nil
}

// heldListed is how many objects are listed to see what a hold covers: some hundred calls.
const heldListed = 100_000

// underHold counts the tombstones of a manifest that legal holds cover, by request.
func (a *app) underHold(ctx context.Context, m *manifest.Manifest, requests map[pipeline.RequestRef]*intake.Entry, holds []*hold.Hold) (map[string]int64, error) {
	out := map[string]int64{}
	if !slices.ContainsFunc(holds, func(h *hold.Hold) bool { return h.Removed == nil && m.Accounts[h.Account] != nil }) {
		return out, nil
	}
	stores, err := a.stores(ctx)
	if err != nil {
		return nil, err
	}
	e := &erasure{app: a, m: m, requests: requests, holdsNow: holds, names: a.names(stores)}
	for r, err := range e.tombstones(ctx) {
		if err != nil {
			return nil, err
		}
		if r.Exception != nil && *r.Exception == hold.Code {
			out[r.Request]++
		}
	}
	return out, nil
}

// held says what a hold covers, without any value.
func held(h *hold.Hold) string {
	out := "account " + h.Account
	if h.Request != "" {
		out = "request " + h.Account + "/" + h.Request
	}
	if len(h.Kinds) > 0 {
		names := make([]string, len(h.Kinds))
		for i, k := range h.Kinds {
			names[i] = string(k)
		}
		out += ", requests with the held " + strings.Join(names, " or ")
		if h.Sealed && h.Request == "" {
			out += ", and records in which it stands"
		}
	}
	if h.Object != "" {
		out += ", objects " + h.Object
	}
	return out
}

func holdError(err error) error {
	switch {
	case errors.Is(err, hold.ErrForged), errors.Is(err, hold.ErrMissing), errors.Is(err, hold.ErrNoIdentifiers):
		return &coded{exitRefused, err}
	case errors.Is(err, hold.ErrUnknown), errors.Is(err, hold.ErrRemoved), errors.Is(err, hold.ErrThere):
		return &coded{exitUsage, err}
	}
	return err
}

func holdRemoveCommand(f *flags) *cobra.Command {
	var r hold.Removal
	c := &cobra.Command{
		Use:   "remove N",
		Short: "End a hold; what it held can be erased again",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			a, err := open(c.Context(), f)
			if err != nil {
				return err
			}
			if r.N, err = strconv.Atoi(args[0]); err != nil {
				return usage("%q is not the number of a hold: hold list shows them", args[0])
			}
			switch {
			case strings.TrimSpace(r.Reason) == "":
				return usage("--reason is missing")
			case strings.TrimSpace(r.By) == "":
				return usage("--by NAME is missing")
			}
			r.At = a.now().UTC()
			if err := a.holds().Remove(c.Context(), r); err != nil {
				return holdError(err)
			}
			if f.json {
				return printJSON(map[string]int{"removed": r.N})
			}
			fmt.Printf("hold %d is removed\n", r.N)
			return nil
		},
	}
	c.Flags().StringVar(&r.Reason, "reason", "", "why it is over")
	c.Flags().StringVar(&r.By, "by", "", "who removes it")
	return c
}

func holdListCommand(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "All holds, those that were removed among them",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			a, err := open(c.Context(), f)
			if err != nil {
				return err
			}
			known, err := a.knownHolds(c.Context())
			if err != nil {
				return err
			}
			all, missing := a.allHolds(c.Context(), known)
			if missing != nil && !errors.Is(missing, hold.ErrMissing) {
				return missing
			}
			if f.json {
				type row struct {
					*hold.Hold
					Removed *hold.Removal `json:"removed,omitempty"`
				}
				rows := []row{}
				for _, h := range all {
					rows = append(rows, row{h, h.Removed})
				}
				if err := printJSON(rows); err != nil {
					return err
				}
				return missing
			}
			w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "N\tSTATE\tHOLDS\tSINCE\tBY\tREASON")
			for _, h := range all {
				state, over := "stands", ""
				if r := h.Removed; r != nil {
					state, over = "removed", fmt.Sprintf(" (removed by %s: %s)", r.By, r.Reason)
				}
				fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s%s\n", h.N, state, held(h), h.At.Format(time.DateOnly), h.By, h.Reason, over)
			}
			if err := w.Flush(); err != nil {
				return err
			}
			return missing
		},
	}
}
