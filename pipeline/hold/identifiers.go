package hold

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/seal"
)

// ErrNoIdentifiers says that a hold cannot be searched for.
var ErrNoIdentifiers = errors.New("its identifiers are missing or not authentic, so nobody can say what it keeps: put the file back from a copy of the work store, or remove the hold and set it again")

// sealed is holds/<n>/identifiers.json.
type sealed struct {
	Version     int     `json:"version"`
	Account     string  `json:"account"`
	N           int     `json:"n"`
	Identifiers []value `json:"identifiers"` // in the order of the hold's kinds
}

type value struct {
	Kind   pipeline.Kind `json:"kind"`
	Sealed string        `json:"value_sealed"` // base64
}

// IdentifiersFile is where the identifiers of a hold are kept.
func IdentifiersFile(n int) string { return dir + strconv.Itoa(n) + "/identifiers.json" }

// place binds a box to its hold and kind, and to where it stands among them.
func (s *sealed) place(i int) []string {
	return []string{strconv.Itoa(s.N), strconv.Itoa(i), string(s.Identifiers[i].Kind)}
}

func (s *Holds) seal(h *Hold, ids []pipeline.Identifier) *sealed {
	out := &sealed{Version: 1, Account: h.Account, N: h.N}
	for i, id := range ids {
		out.Identifiers = append(out.Identifiers, value{Kind: id.Kind})
		box := s.Keys.Seal("hold", h.Account, []byte(id.Value.Reveal()), out.place(i)...)
		out.Identifiers[i].Sealed = base64.StdEncoding.EncodeToString(box)
	}
	return out
}

// Identifiers are those that a hold names, as they were given; none where it names none,
// or is of an earlier build. It fails with ErrNoIdentifiers where they are not what was
// stored.
func (s *Holds) Identifiers(ctx context.Context, h *Hold) ([]pipeline.Identifier, error) {
	if !h.Sealed {
		return nil, nil
	}
	wrong := func(err error) error { return fmt.Errorf("%s: %w: %w", IdentifiersFile(h.N), ErrNoIdentifiers, err) }
	b, err := connectors.ReadAll(ctx, s.Work, IdentifiersFile(h.N))
	if errors.Is(err, connectors.ErrNotFound) {
		return nil, wrong(err)
	}
	if err != nil {
		return nil, err
	}
	var kept sealed
	if err := json.Unmarshal(b, &kept); err != nil {
		return nil, wrong(err)
	}
	kinds := make([]pipeline.Kind, len(kept.Identifiers))
	for i := range kinds {
		kinds[i] = kept.Identifiers[i].Kind
	}
	if kept.N != h.N || kept.Account != h.Account || !slices.Equal(kinds, h.Kinds) {
		return nil, wrong(ErrForged)
	}
	var out []pipeline.Identifier
	for i, v := range kept.Identifiers {
		box, err := base64.StdEncoding.DecodeString(v.Sealed)
		if err == nil {
			box, err = s.Keys.Unseal("hold", h.Account, box, kept.place(i)...)
		}
		if err != nil {
			return nil, wrong(err)
		}
		out = append(out, pipeline.Identifier{Kind: v.Kind, Value: pipeline.Secret(box)})
	}
	return out, nil
}

// same checks that the identifiers of a hold that is set again are those that are kept.
func (s *Holds) same(ctx context.Context, h *Hold, ids []pipeline.Identifier) error {
	kept, err := s.Identifiers(ctx, h)
	if err == nil && !slices.EqualFunc(kept, ids, func(a, b pipeline.Identifier) bool { return a.Kind == b.Kind && a.Value == b.Value }) {
		err = fmt.Errorf("%s: %w: they are another hold's", IdentifiersFile(h.N), ErrNoIdentifiers)
	}
	return err
}

// renew seals the identifiers under the current key, and reports whether one was under an
// older one.
func (s *sealed) renew(r *seal.Rotation) (again bool, err error) {
	for i := range s.Identifiers {
		text, older, err := r.Text("hold", s.Account, s.Identifiers[i].Sealed, s.place(i)...)
		if err != nil {
			return false, err
		}
		s.Identifiers[i].Sealed, again = text, again || older
	}
	return again, nil
}
