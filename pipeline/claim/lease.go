package claim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"expunge/connectors"
)

// Lease is a process's right to run a run, or the sign that it works on one. It is
// for one goroutine at a time.
type Lease struct {
	claims *Claims
	key    string
	run    string
	owner  string
	term   time.Duration
	ref    connectors.Ref // as last written by us
	until  time.Time
}

type leaseFile struct {
	Version int       `json:"version"`
	Run     string    `json:"run"`
	Owner   string    `json:"owner"` // tells processes that run the same run apart
	Epoch   int       `json:"epoch"` // grows with every write, so that no two leases have one ETag
	Expires time.Time `json:"expires"`
	Ended   bool      `json:"ended,omitempty"`
}

func leaseKey(run string) string { return "runs/" + run + "/lease" }

func joinedKey(run, owner string) string { return "runs/" + run + "/erasing/" + owner }

// Join takes a lease on the erasure of run for term, beside those of other processes:
// it keeps nobody out, since erasing rests on the lake's conditions alone, and tells
// who would take something away from under it, such as a work key, that somebody is at
// work. A process whose lease has expired must stop.
func (c *Claims) Join(ctx context.Context, run, owner string, term time.Duration) (*Lease, error) {
	return c.take(ctx, joinedKey(run, owner), run, owner, term)
}

// Lease takes the lease of run for term. owner is a random id of the process. A
// lease that has expired or ended is taken over, by exactly one taker; one that
// is good is ErrLeased.
func (c *Claims) Lease(ctx context.Context, run, owner string, term time.Duration) (*Lease, error) {
	return c.take(ctx, leaseKey(run), run, owner, term)
}

func (c *Claims) take(ctx context.Context, key, run, owner string, term time.Duration) (*Lease, error) {
	l := &Lease{claims: c, key: key, run: run, owner: owner, term: term}
	var f leaseFile
	o, err := read(ctx, c.Store, key, &f)
	switch {
	case errors.Is(err, connectors.ErrNotFound):
		next := l.next(leaseFile{}, false)
		b, err := json.Marshal(next)
		if err != nil {
			return nil, err
		}
		o, err := c.Store.Create(ctx, key, bytes.NewReader(b))
		if errors.Is(err, connectors.ErrExists) {
			if o, ours := l.readBack(ctx, next); ours {
				l.ref, l.until = o.Ref, next.Expires
				return l, nil
			}
			return nil, fmt.Errorf("lease run %s: %w", run, ErrLeased)
		}
		if err != nil {
			return nil, fmt.Errorf("lease run %s: %w", run, err)
		}
		l.ref, l.until = o.Ref, next.Expires
		return l, nil
	case err != nil:
		return nil, fmt.Errorf("read lease of run %s: %w", run, err)
	case !f.Ended && c.Now().Before(f.Expires):
		return nil, fmt.Errorf("lease run %s: good until %s: %w", run, f.Expires.UTC().Format(time.RFC3339), ErrLeased)
	}
	l.ref = o.Ref
	if err := l.write(ctx, l.next(f, false)); err != nil {
		if errors.Is(err, ErrFenced) {
			err = ErrLeased // somebody else was first
		}
		return nil, fmt.Errorf("lease run %s: %w", run, err)
	}
	return l, nil
}

// Until is when the lease expires unless it is renewed.
func (l *Lease) Until() time.Time { return l.until }

// Renew extends the lease by its term from now. ErrFenced: it was taken over, and
// nothing may be written any more. After another error the lease is good until
// Until, and Renew may be tried again.
func (l *Lease) Renew(ctx context.Context) error {
	if err := l.turn(ctx, false); err != nil {
		return fmt.Errorf("renew lease of run %s: %w", l.run, err)
	}
	return nil
}

// End gives the lease back: the run's claims are free for others.
func (l *Lease) End(ctx context.Context) error {
	if err := l.turn(ctx, true); err != nil {
		return fmt.Errorf("end lease of run %s: %w", l.run, err)
	}
	return nil
}

func (l *Lease) turn(ctx context.Context, end bool) error {
	var f leaseFile
	o, err := read(ctx, l.claims.Store, l.key, &f)
	if errors.Is(err, connectors.ErrNotFound) {
		return ErrFenced
	}
	if err != nil {
		return err
	}
	if f.Owner != l.owner || f.Ended {
		return ErrFenced
	}
	// A renewal of ours whose reply was lost shows as our own lease with an ETag
	// that we have not seen.
	l.ref = o.Ref
	return l.write(ctx, l.next(f, end))
}

func (l *Lease) next(last leaseFile, end bool) leaseFile {
	return leaseFile{Version: 1, Run: l.run, Owner: l.owner, Epoch: last.Epoch + 1,
		Expires: l.claims.Now().Add(l.term).UTC(), Ended: end}
}

func (l *Lease) write(ctx context.Context, f leaseFile) error {
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	p := connectors.Patch{Pieces: []connectors.Piece{{Spool: true, Len: int64(len(b))}}, Spool: bytes.NewReader(b)}
	o, err := l.claims.Store.Replace(ctx, l.ref, p)
	if errors.Is(err, connectors.ErrChanged) || errors.Is(err, connectors.ErrNotFound) {
		var ours bool
		if o, ours = l.readBack(ctx, f); !ours {
			return ErrFenced
		}
		err = nil
	}
	if err != nil {
		return err
	}
	l.ref, l.until = o.Ref, f.Expires
	return nil
}

// readBack tells a write of ours whose reply was lost from a conflict.
func (l *Lease) readBack(ctx context.Context, f leaseFile) (connectors.Object, bool) {
	var back leaseFile
	o, err := read(ctx, l.claims.Store, l.key, &back)
	return o, err == nil && back.Owner == f.Owner && back.Epoch == f.Epoch && back.Ended == f.Ended && back.Expires.Equal(f.Expires)
}
