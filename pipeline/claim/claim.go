// Package claim lets runs share the open requests without a coordinator: a run
// holds a lease and claims requests under it.
//
// A claim is a create-only object claims/<account>/<id>/<n> that names a run; n
// is its fence, and the highest n is the claim that counts. A claim is good while
// its run's lease, runs/<run>/lease, is good. Leases are the only objects of
// expunge that are ever renewed, and only with the ETag that was last seen, so that
// a run that was taken over learns it at its next renewal. Each process that erases
// has one of its own, runs/<run>/erasing/<owner>.
//
// Claims keep runs from doing the same work twice. They are no part of the lake's
// safety, which rests on conditional writes: a clock that is off by more than a
// lease costs work, never data.
package claim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"expunge/connectors"
	"expunge/pipeline"
)

// Errors that callers tell apart.
var (
	// ErrClaimed says that another run has the request: see Claimed.
	ErrClaimed = errors.New("request is claimed by another run")
	// ErrFenced says that this run's lease was taken over, or has ended: it must
	// stop writing.
	ErrFenced = errors.New("the run's lease was taken over")
	// ErrLeased says that somebody runs this run.
	ErrLeased = errors.New("the run is leased by another process")
)

// Claimed is the ErrClaimed that says by whom.
type Claimed struct {
	Request pipeline.RequestRef
	Run     string
	Until   time.Time // is that run's lease good, unless it is renewed
}

func (c *Claimed) Error() string {
	return fmt.Sprintf("claim %s: %v: %s, whose lease is good until %s", c.Request, ErrClaimed, c.Run, c.Until.UTC().Format(time.RFC3339))
}

// Unwrap makes a Claimed an ErrClaimed.
func (c *Claimed) Unwrap() error { return ErrClaimed }

// Claim is a request that a run has.
type Claim struct {
	Request pipeline.RequestRef
	Run     string
	Fence   int // grows with every claim of the request
}

type claimFile struct {
	Version  int    `json:"version"`
	Account  string `json:"account"`
	ID       string `json:"id"`
	Run      string `json:"run"`
	Fence    int    `json:"n"`
	At       string `json:"at"`
	Released bool   `json:"released,omitempty"`
}

// Claims takes and gives back claims in a work store. Now is the clock.
type Claims struct {
	Store connectors.Store
	Now   func() time.Time

	fences map[pipeline.RequestRef]int // as Survey saw them; nil: it was not asked
}

// Survey lists the claims of all requests at once, so that Take need not list those
// of each. What changes after it is found out all the same, since claims are
// create-only. It must not run beside Take.
func (c *Claims) Survey(ctx context.Context) error {
	fences := map[pipeline.RequestRef]int{}
	for o, err := range c.Store.List(ctx, root) {
		if err != nil {
			return fmt.Errorf("list claims: %w", err)
		}
		parts := strings.Split(strings.TrimPrefix(o.Key, root), "/")
		if len(parts) != 3 {
			continue
		}
		if n, err := strconv.Atoi(parts[2]); err == nil {
			ref := pipeline.RequestRef{Account: parts[0], ID: parts[1]}
			fences[ref] = max(fences[ref], n)
		}
	}
	c.fences = fences
	return nil
}

const tries = 64 // of a create that loses to others; each loss is another run's success

// Take claims a request for run, which must hold its lease. A request that run
// has already is given again, with the same fence. It fails with a *Claimed while
// another run with a good lease has it.
func (c *Claims) Take(ctx context.Context, ref pipeline.RequestRef, run string) (Claim, error) {
	for try := range tries {
		last, err := c.last(ctx, ref, try == 0)
		if err != nil {
			return Claim{}, err
		}
		if last.Fence > 0 && !last.Released {
			if last.Run == run {
				return Claim{ref, run, last.Fence}, nil
			}
			until, err := c.alive(ctx, leaseKey(last.Run), last.Run)
			if err != nil {
				return Claim{}, fmt.Errorf("claim %s: %w", ref, err)
			}
			if !until.IsZero() {
				return Claim{}, &Claimed{ref, last.Run, until}
			}
		}
		n := last.Fence + 1
		err = c.create(ctx, ref, claimFile{Run: run, Fence: n})
		if err == nil {
			return Claim{ref, run, n}, nil
		}
		if !errors.Is(err, connectors.ErrExists) {
			return Claim{}, fmt.Errorf("claim %s: %w", ref, err)
		}
	}
	return Claim{}, fmt.Errorf("claim %s: lost %d times in a row: %w", ref, tries, ErrClaimed)
}

// Release gives a claim back, by a further create-only object. One that was taken
// over meanwhile is ErrFenced.
func (c *Claims) Release(ctx context.Context, claim Claim) error {
	err := c.create(ctx, claim.Request, claimFile{Run: claim.Run, Fence: claim.Fence + 1, Released: true})
	if errors.Is(err, connectors.ErrExists) {
		var next claimFile
		if next, err = c.file(ctx, claim.Request, claim.Fence+1); err == nil {
			err = ErrFenced
			if next.Run == claim.Run && next.Released { // by an earlier try
				err = c.unfenced(ctx, claim.Request, next.Fence)
			}
		}
	}
	if err != nil {
		return fmt.Errorf("release %s: %w", claim.Request, err)
	}
	return nil
}

// Check fails with ErrFenced unless claim, which was taken, is the one that counts:
// claims are numbered without gaps, so it does while there is none after it.
func (c *Claims) Check(ctx context.Context, claim Claim) error {
	if err := c.unfenced(ctx, claim.Request, claim.Fence); err != nil {
		return fmt.Errorf("check claim of %s: %w", claim.Request, err)
	}
	return nil
}

// unfenced fails with ErrFenced if a claim comes after the nth.
func (c *Claims) unfenced(ctx context.Context, ref pipeline.RequestRef, n int) error {
	_, err := c.file(ctx, ref, n+1)
	switch {
	case errors.Is(err, connectors.ErrNotFound):
		return nil
	case err == nil:
		err = ErrFenced
	}
	return err
}

const root = "claims/"

func prefix(ref pipeline.RequestRef) string { return root + ref.Account + "/" + ref.ID + "/" }

// create writes a claim.
func (c *Claims) create(ctx context.Context, ref pipeline.RequestRef, f claimFile) error {
	f.Version, f.Account, f.ID, f.At = 1, ref.Account, ref.ID, c.Now().UTC().Format(time.RFC3339Nano)
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	_, err = c.Store.Create(ctx, prefix(ref)+strconv.Itoa(f.Fence), bytes.NewReader(b))
	return err
}

// last returns the claim that counts, or that did when Survey looked; one with
// Fence 0 if there is none.
func (c *Claims) last(ctx context.Context, ref pipeline.RequestRef, surveyed bool) (claimFile, error) {
	if surveyed && c.fences != nil {
		if c.fences[ref] == 0 {
			return claimFile{}, nil
		}
		return c.file(ctx, ref, c.fences[ref])
	}
	n := 0
	for o, err := range c.Store.List(ctx, prefix(ref)) {
		if err != nil {
			return claimFile{}, fmt.Errorf("list claims of %s: %w", ref, err)
		}
		i, err := strconv.Atoi(strings.TrimPrefix(o.Key, prefix(ref)))
		if err == nil {
			n = max(n, i)
		}
	}
	if n == 0 {
		return claimFile{}, nil
	}
	return c.file(ctx, ref, n)
}

// file reads the nth claim of a request. It is never changed, so that it can be read
// without having been listed.
func (c *Claims) file(ctx context.Context, ref pipeline.RequestRef, n int) (claimFile, error) {
	var f claimFile
	body, err := c.Store.Open(ctx, connectors.Ref{Key: prefix(ref) + strconv.Itoa(n)}, connectors.All)
	var b []byte
	if err == nil {
		b, err = io.ReadAll(io.LimitReader(body, maxFile))
		err = errors.Join(err, body.Close())
	}
	if err == nil {
		err = json.Unmarshal(b, &f)
	}
	if err != nil {
		return f, fmt.Errorf("read claim %d of %s: %w", n, ref, err)
	}
	if f.Fence != n || f.Account != ref.Account || f.ID != ref.ID {
		return f, fmt.Errorf("read claim %d of %s: it is another's", n, ref)
	}
	return f, nil
}

// Alive reports whether a run's lease is good. One that was never taken is not.
func (c *Claims) Alive(ctx context.Context, run string) (bool, error) {
	until, err := c.alive(ctx, leaseKey(run), run)
	return !until.IsZero(), err
}

// Joined is until when the lease is good that a process has joined the erasure of run
// with; the zero time if it is not.
func (c *Claims) Joined(ctx context.Context, run, owner string) (time.Time, error) {
	return c.alive(ctx, joinedKey(run, owner), run)
}

// Busy reports whether a process is at work on the erasure of run: whether a lease that
// one has joined it with is good.
func (c *Claims) Busy(ctx context.Context, run string) (bool, error) {
	for o, err := range c.Store.List(ctx, joinedKey(run, "")) {
		if err != nil {
			return false, fmt.Errorf("list leases of run %s: %w", run, err)
		}
		until, err := c.alive(ctx, o.Key, run)
		if err != nil || !until.IsZero() {
			return err == nil, err
		}
	}
	return false, nil
}

func (c *Claims) alive(ctx context.Context, key, run string) (until time.Time, err error) {
	var f leaseFile
	_, err = read(ctx, c.Store, key, &f)
	switch {
	case errors.Is(err, connectors.ErrNotFound):
		return until, nil
	case err != nil:
		return until, fmt.Errorf("read lease of run %s: %w", run, err)
	case f.Ended || !c.Now().Before(f.Expires):
		return until, nil
	}
	return f.Expires, nil
}

const maxFile = 1 << 16 // bytes of a claim or lease; more is none of ours

func fetch(ctx context.Context, s connectors.Store, key string) ([]byte, connectors.Object, error) {
	var found connectors.Object
	for o, err := range s.List(ctx, key) {
		if err != nil {
			return nil, found, err
		}
		if o.Key == key {
			found = o
		}
		break // the key itself comes first of all it is a prefix of
	}
	if found.Key != key {
		return nil, found, connectors.ErrNotFound
	}
	r, err := s.Open(ctx, found.Ref, connectors.All)
	if err != nil {
		return nil, found, err
	}
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	if err == nil && len(b) > maxFile {
		err = errors.New("larger than any of ours")
	}
	return b, found, err
}

// read decodes the object's content, of one version. An object that changed
// between listing and reading is read again.
func read(ctx context.Context, s connectors.Store, key string, v any) (connectors.Object, error) {
	for try := 0; ; try++ {
		b, o, err := fetch(ctx, s, key)
		if errors.Is(err, connectors.ErrChanged) && try < tries {
			continue
		}
		if err != nil {
			return o, err
		}
		return o, json.Unmarshal(b, v)
	}
}
