package plan

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"

	"expunge/connectors"
	"expunge/connectors/mem"
	"expunge/pipeline"
)

// planned is a plan over keys of one store; keys below calls/ are of a dataset.
func planned(t *testing.T, keys iter.Seq[string]) *Plan {
	t.Helper()
	lake := mem.New("lake", mem.Options{})
	for key := range keys {
		put(t, lake, key, []byte("x"))
	}
	return &Plan{
		Sources: []Source{{Name: "lake", Store: lake}},
		Claim: func(_, key string) (Claim, error) {
			if strings.HasPrefix(key, "calls/") {
				return Claim{Dataset: 0}, nil
			}
			return Claim{Dataset: -1}, nil
		},
		Datasets: []pipeline.Dataset{{Name: "calls"}, {Name: "texts"}},
	}
}

func TestUndeclaredKeysShowNobody(t *testing.T) {
	p := planned(t, slices.Values([]string{"calls/a", "+14045550123/x", "jane@example.com", "drop/+14045550123"}))
	s, err := p.Estimate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{"lake/{phone}": 1, "lake/{email}": 1, "lake/drop": 1}
	if !maps.Equal(s.Undeclared, want) {
		t.Errorf("undeclared are %v, want %v", s.Undeclared, want)
	}
	if !slices.Equal(s.Unmatched, []string{"texts"}) {
		t.Errorf("datasets that nothing matches are %v", s.Unmatched)
	}
}

// An empty object whose key ends in a slash stands for a folder, and is asked about only
// where the folder may be named after somebody, or there is something in it.
func TestFolderMarkers(t *testing.T) {
	p := planned(t, slices.Values([]string{"full/"}))
	for _, key := range []string{"calls/", "empty/", "empty/deeper/", "+14045550123/", "jane@example.com/", "empty/none"} {
		put(t, p.Sources[0].Store, key, nil)
	}
	s, err := p.Estimate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{"lake/full": 1, "lake/{phone}": 1, "lake/{email}": 1, "lake/empty": 1}
	if !maps.Equal(s.Undeclared, want) || s.Pruned[Folder] != 2 || s.ByDataset["calls"] != 1 {
		t.Errorf("undeclared are %v, want %v; folders: %d; of calls: %d", s.Undeclared, want, s.Pruned[Folder], s.ByDataset["calls"])
	}
}

func TestUndeclaredKeysAreCountedToABound(t *testing.T) {
	const n = 10_050
	p := planned(t, func(yield func(string) bool) {
		for i := range n {
			if !yield(fmt.Sprintf("f%06d/x", i)) {
				return
			}
		}
	})
	s, err := p.Estimate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	for _, k := range s.Undeclared {
		sum += k
	}
	if len(s.Undeclared) != 10_001 || s.Undeclared["lake/ (others)"] != 50 || sum != n {
		t.Errorf("%d segments, %d others, %d in all", len(s.Undeclared), s.Undeclared["lake/ (others)"], sum)
	}
}

// listless is a store whose listing fails and names a key.
type listless struct{ connectors.Store }

func (listless) List(context.Context, string) iter.Seq2[connectors.Object, error] {
	return func(yield func(connectors.Object, error) bool) {
		yield(connectors.Object{}, fmt.Errorf(`list "calls/+14045550123/jane@example.com": %w`, connectors.ErrDenied))
	}
}

func TestErrorsShowNobody(t *testing.T) {
	p := planned(t, slices.Values([]string{"+14045550123/x"}))
	twice := errors.New("two datasets claim one object")
	p.Claim = func(string, string) (Claim, error) { return Claim{}, twice }
	_, err := p.Estimate(t.Context())
	if want := `list store "lake": an object below "lake/{phone}": two datasets claim one object`; !errors.Is(err, twice) || err.Error() != want {
		t.Errorf("the error is %q", err)
	}
	p.Sources[0].Store = listless{}
	_, err = p.Estimate(t.Context())
	if want := `list store "lake": list "calls/{phone}/{email}": access denied`; !errors.Is(err, connectors.ErrDenied) || err.Error() != want {
		t.Errorf("the error is %q", err)
	}
}
