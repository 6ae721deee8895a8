package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/certificate"
	"expunge/pipeline/closure"
	"expunge/pipeline/config"
	"expunge/pipeline/engine"
	"expunge/pipeline/erase"
	"expunge/pipeline/journal"
	"expunge/pipeline/manifest"
	"expunge/pipeline/verify"
	"expunge/scanners"
	"expunge/scanners/compress"
)

func verifyCommand(f *flags) *cobra.Command {
	var publicKey string
	var workers int
	c := &cobra.Command{
		Use:   "verify RUN|CERTIFICATE",
		Short: "Read back what an erasure touched and search it again; or check a certificate offline",
		Long: "CERTIFICATE is a file, or one in the work store: ACCOUNT/ID, or certificates/… as erase names it. A file is\n" +
			"checked offline: signature and proof of being logged, against --public-key or the config's signing key.",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkWorkers(workers); err != nil {
				return err
			}
			ctx := c.Context()
			raw, missing := os.ReadFile(args[0])
			if missing == nil {
				return verifyFile(ctx, f, raw, publicKey)
			}
			stored := strings.HasPrefix(args[0], certificate.Root)
			if publicKey != "" || strings.HasSuffix(args[0], ".json") && !stored {
				return usage("no such file: %w", missing)
			}
			a, err := open(ctx, f)
			if err != nil {
				return err
			}
			if stored {
				return a.verifyStored(ctx, args[0])
			}
			if ref, err := pipeline.ParseRequestRef(args[0]); err == nil {
				return a.verifyCertificate(ctx, ref)
			}
			e := &erasure{app: a, workers: workers}
			if err := e.open(ctx, args[0], nil, nil); err != nil { // what was erased was approved then, whose approvals count by now or not
				return err
			}
			var out erased
			if err := e.load(ctx, &out); err != nil {
				return err
			}
			for _, h := range e.permit.Held {
				if h.Code == erase.Settings {
					a.flags.log().Warn("not verified", "account", h.Account, "dataset", h.Dataset, "reason", h.Reason)
				}
			}
			past, err := e.journal().Past(ctx)
			if err != nil {
				return err
			}
			proof, err := e.verify(ctx, past, e.unfinished)
			if err != nil {
				return err
			}
			proof.NotVerified = out.LeftAlone
			if err := proof.print(f.json); err != nil {
				return err
			}
			return proof.code()
		},
	}
	c.Flags().StringVar(&publicKey, "public-key", "", "what expunge keys prints where the certificate was made; needs no config")
	c.Flags().IntVar(&workers, "workers", 4, "how many objects are read at once")
	return c
}

// proof is what verification came to.
type proof struct {
	Objects     int64              `json:"objects"` // versions that were read
	Records     int64              `json:"records"`
	Residue     []verify.Trace     `json:"residue"`
	Expected    map[string]int64   `json:"expected"`               // traces that stay on purpose, by request
	Open        map[string]int64   `json:"open"`                   // traces in what could not be erased, or is not yet, by request
	Beside      []verify.Trace     `json:"beside"`                 // forms of identifiers beside the bytes of objects, which certificates name as not covered
	Staying     []verify.Trace     `json:"staying"`                // what certificates name as open or not examined
	NotVerified []leftAlone        `json:"not_verified,omitempty"` // requests whose records were not looked for
	Since       int64              `json:"since,omitempty"`        // of Residue: traces of requests that were certified in full, and have come since
	residue     map[string]int64   // by request
	places      map[[2]string]bool // requests, and ids of the objects in which they have residue
}

// add counts a trace that nothing explains for requests. One that is no one's in particular
// is of those that have tombstones in the object, and of no others.
func (p *proof) add(t verify.Trace, of []string) {
	p.Residue = append(p.Residue, t)
	for _, r := range of {
		p.residue[r]++
		p.places[[2]string{r, t.ObjectID}] = true
	}
}

// left reports whether a request has residue in an object.
func (p *proof) left(request, objectID string) bool { return p.places[[2]string{request, objectID}] }

// unfinished reports whether a request has yet to be erased, all of it or a part.
func (e *erasure) unfinished(ref pipeline.RequestRef) bool {
	entry := e.requests[ref]
	return entry != nil && (entry.State == pipeline.AwaitingApproval || entry.State == pipeline.Erasing || waitsForHold(entry))
}

// verify reads back every key that tombstones were applied to. What is left of requests that
// wait is open; nil: none does.
func (e *erasure) verify(ctx context.Context, past *journal.Past, waits func(pipeline.RequestRef) bool) (*proof, error) {
	identities := &closure.Store{Work: e.work, Keys: e.keys, Run: e.m.Run}
	needles, asks, err := identities.Read(ctx, func(r pipeline.RequestRef) bool { return e.requests[r] != nil })
	if errors.Is(err, connectors.ErrNotFound) {
		return nil, &coded{exitIncomplete, fmt.Errorf("the identities of run %s are not there any more (`purge` removes them when policy.verify_period has passed): what it erased cannot be searched for again; its certificates stay", e.m.Run)}
	}
	if err != nil {
		return nil, err
	}
	key, err := e.catalogKey(ctx)
	if err != nil {
		return nil, err
	}
	cutoff, err := e.cutoffs(ctx)
	if err != nil {
		return nil, err
	}
	var h header
	if err := e.readDocument(ctx, "run", headerKey(e.m.Run), &h); err != nil {
		return nil, err
	}
	decided, err := e.readDecisions(ctx, &h)
	if err != nil {
		return nil, err
	}
	before, err := e.coverage(ctx)
	if err != nil {
		return nil, err
	}
	if err := e.readRefused(ctx, past); err != nil {
		return nil, err
	}
	unfinished, counts := settled(past)
	step := &verify.Verify{
		Stores: e.stores, Formats: formats(), Detect: detectFormat, Datasets: e.cfg.Datasets, Accounts: e.cfg.AccountIDs(), Keys: e.keys,
		Search: verify.NewSearch(key, e.cfg.Policy.DefaultRegion, needles, asks), Plain: unpacked,
		Cutoff: cutoff, Past: before, Keeps: e.maker(nil).Keeps, Policy: h.Review, KeepOld: e.cfg.Policy.Noncurrent == "keep", Current: e.currentOnly, Applied: e.applied, Stays: decided.Excluded, Waits: waits,
		Done: func(object, version string) (verify.Counts, bool) {
			if unfinished[[2]string{object, ""}] || unfinished[[2]string{object, version}] {
				return verify.Counts{}, false
			}
			return counts[object], true
		},
		Idle: e.idle, NotRead: e.notRead,
		Uploads: func(object string) bool {
			u := past.Uploads(object)
			return u != nil && !u.State.Final() && u.State != journal.Kept
		},
	}
	matcher, err := e.cfg.Matcher()
	if err != nil {
		return nil, err
	}
	out := &proof{Residue: []verify.Trace{}, Beside: []verify.Trace{}, Staying: []verify.Trace{}, Expected: map[string]int64{}, Open: map[string]int64{}, residue: map[string]int64{}, places: map[[2]string]bool{}}
	targets := func(yield func(*manifest.Target, error) bool) {
		for t, err := range manifest.Targets(e.placed(ctx), e.resolve) {
			if err == nil && !e.asked(t) {
				continue
			}
			if !yield(t, err) || err != nil {
				return
			}
			if to := movedTo(past, t); to != nil && !yield(to, nil) {
				return
			}
		}
	}
	say := tell(e.now, e.flags.log(), "verifying")
	err = engine.Map(ctx, e.workers, targets,
		func(ctx context.Context, t *manifest.Target) (*verify.Result, error) {
			_, captures, err := matcher.Find(t.Store, t.Key)
			if err != nil {
				return nil, err
			}
			return step.Key(ctx, t, captures)
		},
		func(t *manifest.Target, r *verify.Result) error {
			out.Objects += r.Versions
			out.Records += r.Records
			for ref, n := range r.Expected {
				out.Expected[ref.String()] += n
			}
			for ref, n := range r.Open {
				out.Open[ref.String()] += n
			}
			if len(r.Residue) > 0 {
				concerned := e.concerned(t)
				for _, trace := range r.Residue {
					of := concerned
					if trace.Request != "" {
						of = []string{trace.Request}
					}
					out.add(trace, of)
					if e.certified(of) {
						out.Since++
					}
				}
			}
			out.Beside = append(out.Beside, r.Beside...)
			out.Staying = append(out.Staying, r.Staying...)
			say("versions", out.Objects, "records", out.Records, "residue", len(out.Residue))
			return nil
		})
	slices.SortFunc(out.Residue, verify.Trace.Compare)
	slices.SortFunc(out.Beside, verify.Trace.Compare)
	slices.SortFunc(out.Staying, verify.Trace.Compare)
	if err != nil {
		return nil, err
	}
	e.flags.log().Info("verified", "versions", out.Objects, "records", out.Records, "residue", len(out.Residue))
	return out, nil
}

// certified reports whether all of some requests were certified in full.
func (e *erasure) certified(requests []string) bool {
	return !slices.ContainsFunc(requests, func(name string) bool {
		ref, err := pipeline.ParseRequestRef(name)
		return err != nil || e.requests[ref] == nil || e.requests[ref].State != pipeline.Completed
	})
}

// movedTo is the object that holds what stays of one whose key identifies, nil if it has
// not moved.
func movedTo(past *journal.Past, t *manifest.Target) *manifest.Target {
	v := &t.Versions[0]
	done, _ := past.Of(t.ID, v.Version, v.ETag)
	if done == nil || done.Act != journal.Move || done.State != journal.Done {
		return nil
	}
	to := *t
	to.Key, to.ID, to.Shown, to.Identifying = done.To, done.ToID, done.ToObject, false
	return &to
}

// currentOnly reports whether older versions of a store are passed over.
func (e *erasure) currentOnly(store string) bool {
	return slices.ContainsFunc(e.cfg.Stores, func(s config.Store) bool { return s.Name == store && !s.Versions })
}

// applied reports whether a tombstone was to be applied.
func (e *erasure) applied(r *manifest.Row) bool {
	ref, err := pipeline.ParseRequestRef(r.Request)
	return err == nil && e.requests[ref] != nil && e.permit.Allows(r.Account, r.Dataset)
}

// placed are the tombstones but for those that are not applied and whose object the config
// has no place for any more.
func (e *erasure) placed(ctx context.Context) iter.Seq2[*manifest.Row, error] {
	return func(yield func(*manifest.Row, error) bool) {
		for r, err := range e.tombstones(ctx) {
			if err == nil && !e.applied(r) {
				if _, err := e.resolve(r); misplaced(err) {
					continue
				}
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// asked reports whether anything was to be done to a key.
func (e *erasure) asked(t *manifest.Target) bool {
	for i := range t.Versions {
		if slices.ContainsFunc(t.Versions[i].Rows, e.applied) {
			return true
		}
	}
	return false
}

// concerned are the requests that had tombstones to be applied to a key, each once.
func (e *erasure) concerned(t *manifest.Target) []string {
	var out []string
	for i := range t.Versions {
		for _, r := range t.Versions[i].Rows {
			if e.applied(r) && !slices.Contains(out, r.Request) {
				out = append(out, r.Request)
			}
		}
	}
	return out
}

// settled says which objects and versions are not finished, and what the others
// should hold now.
func settled(past *journal.Past) (unfinished map[[2]string]bool, counts map[string]verify.Counts) {
	unfinished, counts = map[[2]string]bool{}, map[string]verify.Counts{}
	for o := range past.Outcomes {
		switch {
		case o.State.Final():
			said := verify.Counts{ETag: o.NewETag, Records: o.Records - o.Erased}
			if o.Act == journal.Replace && o.NewETag != "" {
				counts[o.Object] = said
			} else if o.Act == journal.Move {
				counts[o.ToID] = said
			}
		case o.Act == journal.AbortUploads, o.Act == journal.DeleteMarkers && o.State == journal.Kept: // says nothing of what is in the object
		case o.Act == journal.DeleteVersion:
			unfinished[[2]string{o.Object, o.Version}] = true
		default:
			unfinished[[2]string{o.Object, ""}] = true
		}
	}
	return unfinished, counts
}

// cutoffs says up to when records of each request are covered.
func (e *erasure) cutoffs(ctx context.Context) (func(pipeline.RequestRef) int64, error) {
	var h header
	if err := e.readDocument(ctx, "run", headerKey(e.m.Run), &h); err != nil {
		return nil, err
	}
	return func(ref pipeline.RequestRef) int64 {
		entry := e.requests[ref]
		if entry != nil && entry.Last.Cutoff != nil {
			return entry.Last.Cutoff.UnixMilli()
		}
		if entry != nil && h.Cutoff == "received" { // as it was when the manifest was sealed
			return entry.Request.Received.UnixMilli()
		}
		return h.Started.UnixMilli()
	}, nil
}

// unpacked hands over the bytes of an object without its compression.
func unpacked(ctx context.Context, in scanners.Input, do func([]byte) error) error {
	body, err := in.Open(ctx, 0, -1)
	if err != nil {
		return err
	}
	defer body.Close()
	stream, _, err := compress.Open(body)
	if err != nil {
		return compress.Refuse(ctx, in.Name, err)
	}
	defer stream.Close()
	for {
		chunk, err := stream.Next()
		if len(chunk) > 0 {
			if err := do(chunk); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return compress.Refuse(ctx, in.Name, err)
		}
	}
}

func (p *proof) print(machine bool) error {
	if machine {
		return printJSON(p)
	}
	fmt.Printf("verified  %s, %s\n", pipeline.Count(p.Objects, "object version", "object versions"), pipeline.Count(p.Records, "record", "records"))
	for _, name := range slices.Sorted(maps.Keys(p.Expected)) {
		fmt.Printf("  stays on purpose  %-24s %s\n", name, pipeline.Count(p.Expected[name], "trace", "traces"))
	}
	for _, name := range slices.Sorted(maps.Keys(p.Open)) {
		fmt.Printf("  not erased        %-24s %s\n", name, pipeline.Count(p.Open[name], "trace", "traces"))
	}
	for _, l := range p.NotVerified {
		fmt.Printf("  not verified      %-24s %s\n", l.Request, l.Reason)
	}
	for _, t := range p.Beside {
		fmt.Printf("  not covered       %-24s %s: %s\n", t.Request, t.Object, t.Reason)
	}
	for _, t := range p.Staying {
		fmt.Printf("  stays     %s %s: %s\n", t.Code, t.Object, t.Reason)
	}
	for _, t := range p.Residue {
		where := t.Object
		if t.Record >= 0 {
			where = fmt.Sprintf("%s record %d %s", t.Object, t.Record, t.Field)
		}
		fmt.Printf("  RESIDUE %s %s %s %s\n", t.Code, t.Request, where, t.Reason)
	}
	return nil
}

func (p *proof) code() error {
	var what []string
	if left := int64(len(p.Residue)) - p.Since; left > 0 {
		what = append(what, pipeline.Count(left, "trace is", "traces are")+" left that nothing explains; their requests stay open")
	}
	if p.Since > 0 {
		what = append(what, pipeline.Count(p.Since, "trace has", "traces have")+" come since the requests were certified: the next `expunge run` looks for what was delivered again")
	}
	switch {
	case len(what) > 0:
	case p.Objects == 0 && len(p.NotVerified) > 0:
		return &coded{exitIncomplete, errors.New("nothing was verified: all requests of the run were left alone")}
	default:
		return nil
	}
	return &coded{exitResidue, errors.New(strings.Join(what, "; "))}
}
