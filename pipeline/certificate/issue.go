package certificate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"expunge/connectors"
	"expunge/pipeline"
)

// Issue signs b, adds it to the log and stores it, and returns where. A request has
// one complete certificate; partial ones, and those of what was delivered again, are
// kept beside it, numbered; each names those before it. One that is there and says the
// same (dates of issue, and what is before it, apart) is kept as it is. Who issues many
// does so with one log.
func Issue(ctx context.Context, log *Log, b *Body, s *Signer) (string, error) {
	work := log.Work
	ref, err := pipeline.ParseRequestRef(b.Request)
	if err != nil {
		return "", fmt.Errorf("issue certificate: %w", err)
	}
	for n := 1; ; n++ {
		name := key(ref)
		switch {
		case !b.Complete:
			name = fmt.Sprintf("%spartial-%d.json", folder(ref), n)
		case b.FollowUp:
			name = fmt.Sprintf("%sfollow-up-%d.json", folder(ref), n)
		}
		raw, err := connectors.ReadAll(ctx, work, name)
		switch {
		case errors.Is(err, connectors.ErrNotFound):
			if b.Earlier, err = earlier(ctx, work, ref, s.own); err != nil {
				return "", fmt.Errorf("issue certificate of %s: %w", ref, err)
			}
			return name, issue(ctx, log, name, b, s)
		case err != nil:
			return "", err
		}
		_, old, err := Parse(raw)
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		if b.Complete && !b.FollowUp || b.same(old) {
			return name, nil
		}
	}
}

// same reports whether two bodies differ in nothing but when they were issued, and after
// which others.
func (b *Body) same(o *Body) bool {
	x, y := *b, *o
	x.Earlier, y.Earlier = nil, nil
	x.Issued, y.Issued, x.Verified.At, y.Verified.At = "", "", "", ""
	p, err1 := json.Marshal(x)
	q, err2 := json.Marshal(y)
	return err1 == nil && err2 == nil && bytes.Equal(p, q)
}

func issue(ctx context.Context, log *Log, name string, b *Body, s *Signer) error {
	body, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("issue certificate: %w", err)
	}
	c := Certificate{Body: body}
	if c.Signature, err = s.sign(string(body) + "\n"); err != nil {
		return err
	}
	if c.Log, err = log.Append(ctx, name, body, s); err != nil {
		return err
	}
	out, err := c.bytes()
	if err != nil {
		return fmt.Errorf("issue certificate: %w", err)
	}
	if _, err := log.Work.Create(ctx, name, bytes.NewReader(out)); err != nil && !errors.Is(err, connectors.ErrExists) {
		return fmt.Errorf("issue certificate: %w", err)
	}
	return nil
}

// Verify checks a certificate's signature and its proof of being logged, offline,
// and returns it with what it says.
func Verify(raw []byte, v *Verifier) (*Certificate, *Body, error) {
	c, b, err := Parse(raw)
	if err != nil {
		return nil, nil, err
	}
	if err := v.verify(string(c.Body)+"\n", c.Signature); err != nil {
		return nil, nil, err
	}
	if err := c.Log.check(c.Body, v); err != nil {
		return nil, nil, err
	}
	return c, b, nil
}
