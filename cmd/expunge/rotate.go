package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/bundle"
	"expunge/pipeline/catalog"
	"expunge/pipeline/closure"
	"expunge/pipeline/decision"
	"expunge/pipeline/hold"
	"expunge/pipeline/intake"
	"expunge/pipeline/journal"
	"expunge/pipeline/ledger"
	"expunge/pipeline/manifest"
	"expunge/pipeline/rotate"
	"expunge/pipeline/seal"
	"expunge/pipeline/spool"
	"expunge/pipeline/waive"
)

// kinds are the files of the work store that need the work key. Claims, reports,
// certificates and the catalog's filters need none; its tokens are gone with their run.
func kinds() []rotate.Kind {
	kind := func(name, files, why string, renew func(*seal.Rotation, string, io.Reader, io.Writer) (seal.Outcome, error)) rotate.Kind {
		return rotate.Kind{Name: name, Files: regexp.MustCompile(`^(?:` + files + `)$`), Why: why, Renew: renew}
	}
	long := func(k rotate.Kind) rotate.Kind {
		k.Long = true
		return k
	}
	const unread = "nobody reads them once their run has ended; purge removes them (policy.verify_period)"
	return []rotate.Kind{
		kind("requests", `requests/[^/]+/[^/]+(?:/[0-9]+)?\.json`, "", intake.Renew),
		kind("decisions", `decisions/[^/]+/[^/]+/[0-9]+\.json`, "", decision.Renew),
		kind("holds", `holds/.+\.json`, "", hold.Renew),
		kind("waivers", `waivers/.+\.json`, "", waive.Renew),
		long(kind("ledger", `ledger/.+`, "", ledger.Renew)),
		long(kind("catalog", `catalog/(?:key|[0-9]+\.json|index/.+|pools/.+\.head)`, "", catalog.Renew)),
		kind("runs", `runs/[^/]+/(?:run|recalled|catalog)\.json`, "", renewRun),
		kind("identities", `runs/[^/]+/identities`, "", closure.Renew),
		kind("plans", `runs/[^/]+/plan/[0-9]+`, unread, spool.Leave("plan")),
		kind("rounds", `runs/[^/]+/rounds/.+`, unread, spool.Leave("results")),
		kind("manifests", `runs/[^/]+/manifest/manifest\.json`, "their digests are what was approved and certified; what opens them is kept for good", manifest.Renew),
		kind("approvals", `runs/[^/]+/manifest/approvals/[0-9]+\.json`, "", manifest.Renew),
		kind("journals", `runs/[^/]+/(?:journal|versions-lost)/.+`, "their segments are chained; that they are authentic is kept for good", journal.Renew),
		kind("bundles", `bundles/[^/]+/[^/]+/(?:supplements/[^/]+/)?bundle\.json`, "their files stay under keys of their own, which are kept; purge removes them (bundles.keep)", bundle.Renew),
	}
}

// renewRun writes what a run notes of itself to dst under the current work key, if it
// is under an older one.
func renewRun(r *seal.Rotation, file string, src io.Reader, dst io.Writer) (seal.Outcome, error) {
	b, err := io.ReadAll(src)
	if err != nil {
		return seal.Outcome{}, fmt.Errorf("read %s: %w", file, err)
	}
	b, again, err := r.Document(seal.Document{Purpose: "run", File: file}, b)
	if err != nil || !again {
		return seal.Outcome{}, err
	}
	_, err = dst.Write(b)
	return seal.Outcome{Again: true}, err
}

func rotateCommand(f *flags) *cobra.Command {
	var dry bool
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Bring the work store under a new work key, so that the old one can be taken out of the config",
		Long: "The new key is that of work.key_env, the old one is named in work.old_key_envs. All that is sealed or authenticated\n" +
			"under the old one is made again under the new one, and what has to be kept of the old one is sealed under the new\n" +
			"one. It may be stopped at any moment and repeated. Runs that have begun under the old key, and erasures, have to end\n" +
			"first; none can begin under it after.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			a, err := open(c.Context(), f)
			if err != nil {
				return err
			}
			return a.rotate(c.Context(), dry)
		},
	}
	c.Flags().BoolVar(&dry, "dry-run", false, "say what would be sealed again; change nothing")
	return c
}

// rotated is what `keys rotate` prints.
type rotated struct {
	KeyID  string `json:"key_id"` // of the work key that all is under now
	DryRun bool   `json:"dry_run"`
	*rotate.Result
	Working []string `json:"working"`      // runs that work meanwhile
	Older   []string `json:"old_key_envs"` // of the config
	Needed  bool     `json:"old_keys_needed"`
}

func (a *app) rotate(ctx context.Context, dry bool) error {
	w, err := a.readWork(ctx)
	if err != nil {
		return err
	}
	if w == nil {
		return usage("nothing was taken into work store %s yet: set the new key, and no old one", a.work.URL())
	}
	working, unfinished, err := a.working(ctx, dry)
	if err != nil {
		return err
	}
	for _, run := range unfinished {
		a.flags.log().Warn("a run that has not come to its end cannot be resumed under another work key: the next one takes its requests", "run", run)
	}
	if !dry {
		if err := a.rotateWork(ctx, w); err != nil {
			return err
		}
		// one that has begun just before it could read that; none does from here on
		if working, _, err = a.working(ctx, dry); err != nil {
			return err
		}
	}
	r := &rotate.Rotation{Work: a.work, Keys: a.keys, Kinds: kinds(), Beside: len(working) > 0, Dry: dry}
	result, err := r.Do(ctx)
	if err != nil {
		return fmt.Errorf("rotate: %w; run it again, it goes on where it was", err)
	}
	out := rotated{KeyID: rotate.ID(a.keys), DryRun: dry, Result: result, Working: working, Older: append([]string{}, a.cfg.Work.OldKeyEnvs...), Needed: dry || !result.Whole()}
	if a.flags.json {
		if err := printJSON(out); err != nil {
			return err
		}
	} else if err := out.print(); err != nil {
		return err
	}
	return out.code()
}

// working lists the runs whose lease is good. One that has begun under an older key
// would find what it relies on under a key that it has not: it has to end first, as
// any erasure has. unfinished are those under an older key that nobody works on.
func (a *app) working(ctx context.Context, dry bool) (alive, unfinished []string, err error) {
	alive = []string{}
	ended := map[string]bool{}
	var leased []string
	for o, err := range a.work.List(ctx, "runs/") {
		if err != nil {
			return nil, nil, fmt.Errorf("list runs: %w", err)
		}
		run, rest, _ := strings.Cut(strings.TrimPrefix(o.Key, "runs/"), "/")
		switch owner, erasing := strings.CutPrefix(rest, "erasing/"); {
		case rest == "lease":
			leased = append(leased, run)
		case rest == "report.json":
			ended[run] = true
		case erasing && !dry:
			until, err := a.claims().Joined(ctx, run, owner)
			if err != nil {
				return nil, nil, err
			}
			if !until.IsZero() {
				return nil, nil, &coded{exitRefused, fmt.Errorf("run %s is being erased: rotate when that has ended; if its process was killed, after %s", run, until.UTC().Format(time.RFC3339))}
			}
		}
	}
	for _, run := range leased {
		good, err := a.claims().Alive(ctx, run)
		if err != nil {
			return nil, nil, err
		}
		if !good && ended[run] {
			continue
		}
		b, err := connectors.ReadAll(ctx, a.work, headerKey(run))
		if err != nil && !errors.Is(err, connectors.ErrNotFound) {
			return nil, nil, err
		}
		old := true
		if err == nil {
			if _, old, err = a.keys.Rotation().Document(seal.Document{Purpose: "run", File: headerKey(run)}, b); err != nil {
				return nil, nil, err
			}
		}
		switch {
		case good && old && !dry:
			return nil, nil, &coded{exitRefused, fmt.Errorf("run %s works under an older work key: rotate when it has ended", run)}
		case good:
			alive = append(alive, run)
		case old && b != nil:
			unfinished = append(unfinished, run)
		}
	}
	return alive, unfinished, nil
}

func (r *rotated) print() error {
	verb := "SEALED AGAIN"
	if r.DryRun {
		verb = "WOULD BE SEALED AGAIN"
	}
	fmt.Printf("work key %s\n", r.KeyID)
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "KIND\t%s\tUNDER THE NEW KEY\tSTAYS\tWAITS\tWHY\n", verb)
	for _, c := range r.Counts {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%s\n", c.Kind, c.Again, c.Current, c.Stays, c.Waits, c.Why)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Printf("kept     %s and %s of older work keys, under the new one\n", pipeline.Count(r.Keys, "derived key", "derived keys"), pipeline.Count(r.MACs, "MAC", "MACs"))
	for _, u := range r.Unread {
		fmt.Printf("unread   %s\n", u.Reason)
	}
	fmt.Println(r.verdict())
	return nil
}

// verdict says whether the config may do without the older keys.
func (r *rotated) verdict() string {
	older := strings.Join(r.Older, ", ")
	switch {
	case r.DryRun:
		return "nothing was changed"
	case len(r.Unread) > 0:
		return "not all could be read: put these files back from a copy of the work store, or name the key that they are under in work.old_key_envs, and repeat"
	case r.Unquiet:
		return "somebody keeps writing under an older key: end what has begun before, and repeat; until then work.old_key_envs has to stay"
	case !r.Whole():
		return fmt.Sprintf("files wait for run %s: repeat when it has ended; until then work.old_key_envs has to stay", strings.Join(r.Working, ", "))
	case older == "":
		return "no older work key is needed"
	}
	return fmt.Sprintf("%s may be taken out of work.old_key_envs: nothing in the work store needs it any more; copies and older versions of the work store do", older)
}

func (r *rotated) code() error {
	switch {
	case len(r.Unread) > 0:
		return &coded{exitRefused, fmt.Errorf("%s of the work store cannot be read: see what is said of them", pipeline.Count(len(r.Unread), "file", "files"))}
	case !r.DryRun && !r.Whole():
		return &coded{exitIncomplete, errors.New("the rotation is not complete: repeat it")}
	}
	return nil
}
