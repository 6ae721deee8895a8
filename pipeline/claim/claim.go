// Package claim lets runs share the open requests without a coordinator: a run
// holds a lease and claims requests under it.
//
// A claim is a create-only object claims/<account>/<id>/<n> that names a run; n
// is its fence, and the highest n is the claim that counts. A claim is good while
// its run's lease, runs/<run>/lease, is good. The lease is the only object of
// expunge that is ever renewed, and only with the ETag that was last seen, so that
// a run that was taken over learns it at its next renewal.
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
}

func (c *Claimed) Error() string {
	return fmt.Sprintf("claim %s: %v: %s", c.Request, ErrClaimed, c.Run)
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
}

const tries = 64 // of a create that loses to others; each loss is another run's success

// Take claims a request for run, which must hold its lease. A request that run
// has already is given again, with the same fence. It fails with a *Claimed while
// another run with a good lease has it.
func (c *Claims) Take(ctx context.Context, ref pipeline.RequestRef, run string) (Claim, error) {
	for range tries {
		last, err := c.last(ctx, ref)
		if err != nil {
			return Claim{}, err
		}
		if last.Fence > 0 && !last.Released {
			if last.Run == run {
				return Claim{ref, run, last.Fence}, nil
			}
			alive, err := c.alive(ctx, last.Run)
			if err != nil {
				return Claim{}, fmt.Errorf("claim %s: %w", ref, err)
			}
			if alive {
				return Claim{}, &Claimed{ref, last.Run}
			}
		}
		n := last.Fence + 1
		err = c.put(ctx, ref, claimFile{Run: run, Fence: n})
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
	last, err := c.last(ctx, claim.Request)
	if err != nil {
		return err
	}
	if last.Run == claim.Run && last.Released && last.Fence == claim.Fence+1 {
		return nil // by an earlier try
	}
	if last.Run != claim.Run || last.Fence != claim.Fence {
		return fmt.Errorf("release %s: %w", claim.Request, ErrFenced)
	}
	err = c.put(ctx, claim.Request, claimFile{Run: claim.Run, Fence: claim.Fence + 1, Released: true})
	if errors.Is(err, connectors.ErrExists) {
		return fmt.Errorf("release %s: %w", claim.Request, ErrFenced)
	}
	if err != nil {
		return fmt.Errorf("release %s: %w", claim.Request, err)
	}
	return nil
}

// Check fails with ErrFenced unless claim is the one that counts.
func (c *Claims) Check(ctx context.Context, claim Claim) error {
	last, err := c.last(ctx, claim.Request)
	if err != nil {
		return err
	}
	if last.Run != claim.Run || last.Fence != claim.Fence || last.Released {
		return fmt.Errorf("check claim of %s: %w", claim.Request, ErrFenced)
	}
	return nil
}

func prefix(ref pipeline.RequestRef) string { return "claims/" + ref.Account + "/" + ref.ID + "/" }

func (c *Claims) put(ctx context.Context, ref pipeline.RequestRef, f claimFile) error {
	f.Version, f.Account, f.ID, f.At = 1, ref.Account, ref.ID, c.Now().UTC().Format(time.RFC3339Nano)
	return create(ctx, c.Store, prefix(ref)+strconv.Itoa(f.Fence), f)
}

// last returns the claim that counts; one with Fence 0 if there is none.
func (c *Claims) last(ctx context.Context, ref pipeline.RequestRef) (claimFile, error) {
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
	var f claimFile
	if _, err := read(ctx, c.Store, prefix(ref)+strconv.Itoa(n), &f); err != nil {
		return f, fmt.Errorf("read claim %d of %s: %w", n, ref, err)
	}
	if f.Fence != n || f.Account != ref.Account || f.ID != ref.ID {
		return f, fmt.Errorf("read claim %d of %s: it is another's", n, ref)
	}
	return f, nil
}

// alive reports whether a run's lease is good. One that was never taken is not.
func (c *Claims) alive(ctx context.Context, run string) (bool, error) {
	var f leaseFile
	_, err := read(ctx, c.Store, leaseKey(run), &f)
	if errors.Is(err, connectors.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read lease of run %s: %w", run, err)
	}
	return !f.Ended && c.Now().Before(f.Expires), nil
}

// create writes v as JSON. A store or its wrapper may report ErrExists for a
// write of ours whose reply was lost; then the object reads back as ours.
func create(ctx context.Context, s connectors.Store, key string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = s.Create(ctx, key, bytes.NewReader(b))
	if errors.Is(err, connectors.ErrExists) {
		if back, _, rerr := fetch(ctx, s, key); rerr == nil && bytes.Equal(back, b) {
			return nil
		}
	}
	return err
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
