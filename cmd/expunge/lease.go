package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"expunge/pipeline"
	"expunge/pipeline/claim"
	"expunge/pipeline/engine"
	"expunge/pipeline/intake"
)

// claimers is how many requests are claimed, checked or concluded at a time: each
// takes a few calls to the work store, and a night has thousands.
const claimers = 32

// errLost says that a run has lost its lease, or a claim: it must write no more.
var errLost = errors.New("the run lost its lease or its requests")

// claimed is a request that this run has.
type claimed struct {
	*intake.Entry
	claim claim.Claim
}

// lease takes the lease of a run.
func (a *app) lease(ctx context.Context, run string, term time.Duration) (*claim.Lease, error) {
	lease, err := a.claims().Lease(ctx, run, newOwner(), term)
	if errors.Is(err, claim.ErrLeased) {
		return nil, &coded{exitRefused, fmt.Errorf("run %s: %w; if that process was killed, its lease ends by itself: resume the run then", run, err)}
	}
	return lease, err
}

// newOwner tells a process from all others.
func newOwner() string {
	var owner [8]byte
	rand.Read(owner[:]) // never fails
	return hex.EncodeToString(owner[:])
}

// keep renews a lease until stop is called. The context that it returns ends with
// errLost when the lease was taken over, or could not be renewed in time: from its
// end on others may take the run's requests, so the run stops a little before.
func keep(ctx context.Context, lease *claim.Lease, term time.Duration, now func() time.Time) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	left := func() time.Duration { return lease.Until().Add(-term / 8).Sub(now()) }
	go func() {
		defer close(done)
		for wait := term / 4; ; {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			err := context.DeadlineExceeded
			if left() > 0 {
				try, end := context.WithTimeout(ctx, left())
				err = lease.Renew(try)
				end()
			}
			switch {
			case err == nil:
				wait = term / 4
			case ctx.Err() != nil:
				return
			case errors.Is(err, claim.ErrFenced):
				cancel(fmt.Errorf("%w: %w", errLost, err))
				return
			case left() <= 0:
				cancel(fmt.Errorf("%w: it could not be renewed before it expired: %w", errLost, err))
				return
			default:
				wait = min(term/16, left())
			}
		}
	}()
	return ctx, func() { cancel(nil); <-done }
}

// claim claims what was picked and notes it, then writes the run's header. It
// leaves out what another run has, and notes as blocked what cannot be searched
// for. ended are requests of which what was delivered again is looked for: they are
// not claimed, since the first run that notes something of them has them. When it fails, nothing stays claimed.
func (a *app) claim(ctx context.Context, o *runOptions, h *header, picked []*intake.Entry, ended []pipeline.RequestRef) (out []claimed, err error) {
	taken := make([]claimed, len(picked))
	others := make([]error, len(picked))
	defer func() {
		if err == nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
		defer cancel()
		if o.resume == "" {
			err = &unbegun{errors.Join(err, a.release(ctx, taken))}
		}
	}()
	claims := a.claims()
	if len(picked) > claimers {
		if err := claims.Survey(ctx); err != nil {
			return nil, err
		}
	}
	err = engine.Map(ctx, claimers, indexes(len(picked)), func(ctx context.Context, i int) (error, error) {
		c, err := claims.Take(ctx, picked[i].Request.Ref(), h.Run)
		if errors.Is(err, claim.ErrClaimed) {
			return err, nil
		}
		taken[i] = claimed{picked[i], c}
		return nil, err
	}, func(i int, other error) error {
		others[i] = other
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, other := range others {
		if other == nil {
			continue
		}
		if o.resume != "" || len(o.requests) > 0 {
			return nil, &coded{exitRefused, fmt.Errorf("%w: wait until that run has ended", other)}
		}
		has := &claim.Claimed{Request: picked[i].Request.Ref()}
		errors.As(other, &has)
		a.flags.log().Info("another run has it", "request", has.Request.String(), "run", has.Run, "until", has.Until)
		h.others = has
	}
	reasons := make([]string, len(picked))
	err = engine.Map(ctx, claimers, indexes(len(picked)), func(ctx context.Context, i int) (string, error) {
		if taken[i].Entry == nil {
			return "", nil
		}
		return a.begins(ctx, h, &taken[i])
	}, func(i int, reason string) error {
		reasons[i] = reason
		return nil
	})
	if err != nil {
		return nil, err
	}
	var dropped []claimed
	for i, c := range taken {
		switch {
		case c.Entry == nil:
		case reasons[i] == "":
			out = append(out, c)
		default:
			dropped = append(dropped, c)
		}
		if o.resume == "" && c.Entry != nil && reasons[i] != "" && reasons[i] != changed {
			h.Blocked = append(h.Blocked, blocked{c.Request.Ref(), reasons[i]})
		}
	}
	if o.resume != "" {
		if len(dropped) > 0 {
			return nil, &coded{exitRefused, fmt.Errorf("run %s: its request %s stands elsewhere meanwhile; begin a new run", h.Run, dropped[0].Request.Ref())}
		}
		return out, nil
	}
	if err := a.release(ctx, dropped); err != nil {
		return nil, err
	}
	if len(out)+len(ended) == 0 {
		return nil, nil
	}
	decided, err := a.decisions().Latest(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range out {
		h.Requests = append(h.Requests, c.Request.Ref())
	}
	for _, ref := range slices.Concat(ended, h.Requests) {
		if n := decided[ref]; n > 0 {
			if h.Decided == nil {
				h.Decided = map[string]int{}
			}
			h.Decided[ref.String()] = n
		}
	}
	return out, a.writeDocument(ctx, "run", headerKey(h.Run), h)
}

// changed stands for a request whose state changed since it was picked.
const changed = "changed"

// begins notes that the run has a request, or why it is not searched for.
func (a *app) begins(ctx context.Context, h *header, c *claimed) (reason string, err error) {
	ref := c.Request.Ref()
	err = a.requests().Claim(ctx, ref, h.Run)
	if errors.Is(err, intake.ErrNotOpen) || errors.Is(err, intake.ErrWithdrawn) {
		return changed, nil
	}
	if err != nil {
		return "", err
	}
	if reason = a.unsearchable(c.Request); reason == "" {
		return "", nil
	}
	err = a.requests().Conclude(ctx, ref, h.Run, intake.Event{
		State: pipeline.Blocked, Reason: reason, Left: []intake.Left{{Code: intake.LeftIdentifier, Count: 1}},
	})
	if errors.Is(err, intake.ErrWithdrawn) {
		return changed, nil
	}
	return reason, err
}

// release gives claims back. Those that were taken over are another's.
func (a *app) release(ctx context.Context, list []claimed) error {
	return engine.Map(ctx, claimers, indexes(len(list)), func(ctx context.Context, i int) (struct{}, error) {
		if list[i].claim.Fence == 0 {
			return struct{}{}, nil
		}
		err := a.claims().Release(ctx, list[i].claim)
		if errors.Is(err, claim.ErrFenced) {
			err = nil
		}
		return struct{}{}, err
	}, func(int, struct{}) error { return nil })
}

// fence fails with errLost unless the run has its lease and all its claims. It is
// asked before anything is written that others see.
func (j *job) fence(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return engine.Map(ctx, claimers, indexes(len(j.claimed)), func(ctx context.Context, i int) (struct{}, error) {
		err := j.claims().Check(ctx, j.claimed[i].claim)
		if errors.Is(err, claim.ErrFenced) {
			err = fmt.Errorf("%w: %w", errLost, err)
		}
		return struct{}{}, err
	}, func(int, struct{}) error { return nil })
}

// conclude notes where each request stands, in the order of j.claimed: the last
// thing that a run writes. One that was withdrawn meanwhile stays so.
func (j *job) conclude(ctx context.Context, events []intake.Event) error {
	if err := j.fence(ctx); err != nil {
		return err
	}
	return engine.Map(ctx, claimers, indexes(len(events)), func(ctx context.Context, i int) (struct{}, error) {
		err := j.requests().Conclude(ctx, j.claimed[i].Request.Ref(), j.h.Run, events[i])
		switch {
		case errors.Is(err, intake.ErrWithdrawn):
			err = nil
		case errors.Is(err, intake.ErrTaken):
			err = fmt.Errorf("%w: %w", errLost, err)
		}
		return struct{}{}, err
	}, func(int, struct{}) error { return nil })
}

func indexes(n int) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i, nil) {
				return
			}
		}
	}
}
