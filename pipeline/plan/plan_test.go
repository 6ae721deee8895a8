package plan

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"expunge/connectors"
	"expunge/connectors/mem"
	"expunge/pipeline"
	"expunge/pipeline/seal"
)

func put(t *testing.T, s connectors.Store, key string, b []byte) {
	t.Helper()
	if _, err := s.Create(t.Context(), key, bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, s connectors.Store, key string) []byte {
	t.Helper()
	body, err := s.Open(t.Context(), connectors.Ref{Key: key}, connectors.All)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestNobodyMovesPlans: who can write to the work store puts the plan of another
// run, which knows fewer objects, in the place of this one's. It is noticed.
func TestNobodyMovesPlans(t *testing.T) {
	keys, err := seal.Open(bytes.Repeat([]byte{1}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	work, lake := mem.New("work", mem.Options{}), mem.New("lake", mem.Options{})
	of := func(work connectors.Store, run string) *Plan {
		return &Plan{
			Sources:  []Source{{Name: "lake", Store: lake}},
			Claim:    func(string, string) (Claim, error) { return Claim{}, nil },
			Datasets: []pipeline.Dataset{{Name: "calls"}}, Work: work, Run: run, Keys: keys,
		}
	}
	read := func(p *Plan) (n int, err error) {
		s, err := p.Summary(t.Context())
		if err != nil {
			return 0, err
		}
		for _, err := range p.Objects(t.Context(), s) {
			if err != nil {
				return n, err
			}
			n++
		}
		return n, nil
	}
	put(t, lake, "a", nil)
	if _, err := of(work, "before").Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	put(t, lake, "b", nil)
	if _, err := of(work, "now").Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := read(of(work, "now")); n != 2 || err != nil {
		t.Fatalf("%d objects: %v", n, err)
	}
	for _, forged := range []map[string]string{
		{"plan.json": "before", "000000": "now"},
		{"plan.json": "now", "000000": "before"},
		{"plan.json": "before", "000000": "before"},
	} {
		other := mem.New("work", mem.Options{})
		for name, run := range forged {
			put(t, other, "runs/now/plan/"+name, get(t, work, "runs/"+run+"/plan/"+name))
		}
		if n, err := read(of(other, "now")); !errors.Is(err, seal.ErrForged) {
			t.Errorf("%v: %d objects: %v", forged, n, err)
		}
	}
}
