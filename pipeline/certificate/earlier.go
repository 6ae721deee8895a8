package certificate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"expunge/connectors"
	"expunge/pipeline"
)

// Earlier is a certificate of the same request that was issued before: of what an
// earlier run did, and this certificate does not repeat.
type Earlier struct {
	File         string           `json:"file"` // in the work store
	Run          string           `json:"run,omitempty"`
	Issued       string           `json:"issued,omitempty"`
	Complete     bool             `json:"complete,omitempty"`
	Dispositions map[string]int64 `json:"dispositions,omitempty"`
	Record       tlog.Hash        `json:"record"`           // RFC 6962 hash of its body, as its leaf of the log has it
	Signer       string           `json:"signer,omitempty"` // name of the key, where it is another than that of this certificate: what it says is left to who holds that one

	place int64 // in the log
}

// earlier lists the certificates that a request has, in the order of the log. One is in
// memory at a time.
func earlier(ctx context.Context, work connectors.Store, ref pipeline.RequestRef, v *Verifier) ([]Earlier, error) {
	names := []string{key(ref)}
	for o, err := range work.List(ctx, folder(ref)) {
		if err != nil {
			return nil, fmt.Errorf("list certificates of %s: %w", ref, err)
		}
		names = append(names, o.Key)
	}
	var out []Earlier
	for _, name := range names {
		raw, err := connectors.ReadAll(ctx, work, name)
		if errors.Is(err, connectors.ErrNotFound) {
			continue // the complete one may come last
		}
		if err != nil {
			return nil, err
		}
		e, err := summary(name, raw, v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w; put back what was issued, or move the file away", name, err)
		}
		if e.Signer == "" && e.request != ref.String() {
			return nil, fmt.Errorf("%s: %w: it is of another request; move the file away", name, ErrInvalid)
		}
		out = append(out, e.Earlier)
	}
	slices.SortFunc(out, func(a, b Earlier) int {
		return cmp.Or(cmp.Compare(a.place, b.place), strings.Compare(a.File, b.File))
	})
	return out, nil
}

type summarised struct {
	Earlier
	request string
}

// summary says in short what a certificate says. What another key has signed is not
// repeated: it cannot be checked here.
func summary(name string, raw []byte, v *Verifier) (summarised, error) {
	c, b, err := Parse(raw)
	if err != nil {
		return summarised{}, err
	}
	e := summarised{Earlier{File: name, Record: c.Record(), place: c.Log.N}, b.Request}
	if name, hash := c.signer(); name != v.Name() || hash != v.KeyHash() {
		e.Signer = fmt.Sprintf("%s+%08x", name, hash) // as notes name keys
		return e, nil
	}
	if _, _, err := Verify(raw, v); err != nil {
		return e, err
	}
	e.Run, e.Issued, e.Complete, e.Dispositions = b.Run, b.Issued, b.Complete, b.Dispositions
	return e, nil
}

// CheckEarlier reports whether the certificates that b names as earlier ones are in the
// work store as they were.
func CheckEarlier(ctx context.Context, work connectors.Store, b *Body) error {
	for _, e := range b.Earlier {
		raw, err := connectors.ReadAll(ctx, work, e.File)
		if errors.Is(err, connectors.ErrNotFound) {
			return fmt.Errorf("%w: the earlier one, %s, is missing", ErrInvalid, e.File)
		}
		if err != nil {
			return err
		}
		c, _, err := Parse(raw)
		if err != nil || c.Record() != e.Record {
			return fmt.Errorf("%w: the earlier one, %s, is not what it was", ErrInvalid, e.File)
		}
	}
	return nil
}
