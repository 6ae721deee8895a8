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

// Issue signs b, adds it to the log and stores it. A request that has a certificate
// keeps it: then what is stored comes back, and b is not looked at.
func Issue(ctx context.Context, work connectors.Store, b *Body, s *Signer) (*Body, error) {
	ref, err := pipeline.ParseRequestRef(b.Request)
	if err != nil {
		return nil, fmt.Errorf("issue certificate: %w", err)
	}
	if raw, err := Read(ctx, work, ref); err == nil {
		_, old, err := Parse(raw)
		return old, err
	} else if !errors.Is(err, connectors.ErrNotFound) {
		return nil, err
	}
	body, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("issue certificate: %w", err)
	}
	c := Certificate{Body: body}
	if c.Signature, err = s.sign(string(body) + "\n"); err != nil {
		return nil, err
	}
	log := Log{Work: work}
	if c.Log, err = log.Append(ctx, key(ref), body, s); err != nil {
		return nil, err
	}
	out, err := c.bytes()
	if err != nil {
		return nil, fmt.Errorf("issue certificate: %w", err)
	}
	if _, err := work.Create(ctx, key(ref), bytes.NewReader(out)); err != nil && !errors.Is(err, connectors.ErrExists) {
		return nil, fmt.Errorf("issue certificate: %w", err)
	}
	return b, nil
}

// Verify checks a certificate's signature and its proof of being logged, offline,
// and returns what it says.
func Verify(raw []byte, v *Verifier) (*Body, *Proof, error) {
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
	return b, &c.Log, nil
}
