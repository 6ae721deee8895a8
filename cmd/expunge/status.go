package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"expunge/connectors"
	"expunge/pipeline"
)

type statusRequest struct {
	Account  string           `json:"account"`
	ID       string           `json:"id"`
	State    pipeline.State   `json:"state"`
	Rights   []pipeline.Right `json:"rights"`
	Received time.Time        `json:"received"`
	Due      string           `json:"due"`
	DaysLeft int              `json:"days_left"`
	Extended bool             `json:"extended,omitempty"`
	FollowUp bool             `json:"follow_up,omitempty"` // it was answered; what it is open for was delivered again
	Run      string           `json:"run,omitempty"`       // the last that had it
	Reason   string           `json:"reason,omitempty"`    // and what to do next

	Verification pipeline.Verification `json:"verification,omitzero"` // as the account submitted it
}

type statusRun struct {
	Run   string `json:"run"`
	State string `json:"state"`
}

func statusCommand(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Requests with their states and days left, and runs",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx := c.Context()
			a, err := open(ctx, f)
			if err != nil {
				return err
			}
			out := struct {
				Requests []statusRequest `json:"requests"`
				Runs     []statusRun     `json:"runs"`
			}{[]statusRequest{}, []statusRun{}}
			holds, err := a.allHolds(ctx, 0)
			if err != nil {
				return err
			}
			runs, approved := []string{}, map[string]bool{}
			for o, err := range a.work.List(ctx, "runs/") {
				if err != nil {
					return err
				}
				switch run, rest, _ := strings.Cut(strings.TrimPrefix(o.Key, "runs/"), "/"); {
				case rest == "run.json":
					runs = append(runs, run)
				case strings.HasPrefix(rest, "manifest/approvals/"):
					approved[run] = a.cfg.Policy.Approval == "automatic" // then it is of all accounts
				}
			}
			for e, err := range a.requests().Load(ctx) {
				if err != nil {
					return err
				}
				r := e.Request
				out.Requests = append(out.Requests, statusRequest{
					r.Account, r.ID, e.State, r.Rights, r.Received, e.Due().Format(time.DateOnly), e.DaysLeft(a.now()), e.Extended(), e.FollowUp(), e.Last.Run,
					a.why(e, holds, approved[e.Last.Run]), r.Verification,
				})
			}
			for _, run := range runs {
				state := "RUNNING"
				var r struct{ State string }
				switch err := readJSON(ctx, a.work, "runs/"+run+"/report.json", &r); {
				case err == nil:
					state = r.State
				case !errors.Is(err, connectors.ErrNotFound):
					return err
				}
				out.Runs = append(out.Runs, statusRun{run, state})
			}
			if f.json {
				return printJSON(out)
			}
			w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "REQUEST\tSTATE\tRIGHTS\tDUE\tDAYS LEFT\tWHY")
			for _, r := range out.Requests {
				left := strconv.Itoa(r.DaysLeft)
				if r.FollowUp || r.State.Ended() {
					left = "-" // no deadline runs
				}
				fmt.Fprintf(w, "%s/%s\t%s\t%v\t%s\t%s\t%s\n", r.Account, r.ID, r.State, r.Rights, due(r), left, r.Reason)
			}
			fmt.Fprintln(w, "\nRUN\tSTATE")
			for _, r := range out.Runs {
				fmt.Fprintf(w, "%s\t%s\n", r.Run, r.State)
			}
			return w.Flush()
		},
	}
}

// due is the day, with a mark where it is the one of an extension.
func due(r statusRequest) string {
	if r.FollowUp {
		return "answered"
	}
	if r.Extended {
		return r.Due + " (extended)"
	}
	return r.Due
}
