package hold

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"expunge/connectors"
	"expunge/connectors/mem"
	"expunge/pipeline"
	"expunge/pipeline/naming"
	"expunge/pipeline/output"
	"expunge/pipeline/seal"
)

func holds(t *testing.T, b byte) *Holds {
	t.Helper()
	keys, err := seal.Open(bytes.Repeat([]byte{b}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return &Holds{Work: mem.New("work", mem.Options{}), Keys: keys}
}

func TestCovers(t *testing.T) {
	s := Subject{Account: "acme", Request: "R-1", Object: naming.Written{"s3://lake/calls/a.jsonl"}, Digests: []string{"d1", "d2"}}
	for _, c := range []struct {
		name string
		hold Hold
		want bool
	}{
		{"the account", Hold{Account: "acme"}, true},
		{"another account", Hold{Account: "globex"}, false},
		{"the request", Hold{Account: "acme", Request: "R-1"}, true},
		{"another request", Hold{Account: "acme", Request: "R-2"}, false},
		{"the same id of another account", Hold{Account: "globex", Request: "R-1"}, false},
		{"the object", Hold{Account: "acme", Object: "s3://lake/calls/*"}, true},
		{"another object", Hold{Account: "acme", Object: "s3://lake/forms/*"}, false},
		{"an identifier", Hold{Account: "acme", Digests: []string{"d0", "d2"}}, true},
		{"another's identifier", Hold{Account: "acme", Digests: []string{"d0"}}, false},
		{"the identifier elsewhere", Hold{Account: "acme", Digests: []string{"d2"}, Object: "s3://lake/forms/*"}, false},
		{"removed", Hold{Account: "acme", Removed: &Removal{}}, false},
	} {
		if got := c.hold.Covers(s); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// A hold by an identifier that was set under an old work key holds after a rotation.
func TestHoldOutlivesRotation(t *testing.T) {
	older, newer := bytes.Repeat([]byte{1}, seal.KeySize), bytes.Repeat([]byte{2}, seal.KeySize)
	before, err := seal.Open(older)
	if err != nil {
		t.Fatal(err)
	}
	after, err := seal.Open(newer, older)
	if err != nil {
		t.Fatal(err)
	}
	value := pipeline.Secret("14045550123")
	h := Hold{Account: "acme", Digests: []string{Digest(before, "acme", pipeline.Phone, value)}}
	if !h.Covers(Subject{Account: "acme", Digests: Digests(after, "acme", pipeline.Phone, value)}) {
		t.Error("the hold was lost with the rotation")
	}
	if h.Covers(Subject{Account: "acme", Digests: Digests(after, "acme", pipeline.Phone, "14045550124")}) {
		t.Error("the hold covers somebody else")
	}
}

func TestAddAndRemove(t *testing.T) {
	s := holds(t, 1)
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for want := 1; want <= 11; want++ {
		h, err := s.Add(t.Context(), Hold{Account: "acme", Reason: "subpoena", By: "jo", At: at}, 0)
		if err != nil || h.N != want {
			t.Fatalf("hold %d: %v, %v", want, h, err)
		}
	}
	if err := s.Remove(t.Context(), Removal{N: 2, Reason: "withdrawn", By: "jo", At: at}); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(t.Context(), Removal{N: 2, Reason: "again", By: "jo", At: at}); !errors.Is(err, ErrRemoved) {
		t.Errorf("removed twice: %v", err)
	}
	if err := s.Remove(t.Context(), Removal{N: 12}); !errors.Is(err, ErrUnknown) {
		t.Errorf("removed what is not there: %v", err)
	}
	all, err := s.All(t.Context(), 0)
	if err != nil || len(all) != 11 || all[10].N != 11 {
		t.Fatalf("%v, %v", all, err)
	}
	for _, h := range all {
		if (h.Removed != nil) != (h.N == 2) {
			t.Errorf("hold %d: removed %v", h.N, h.Removed)
		}
	}
	other := holds(t, 2)
	other.Work = s.Work
	if _, err := other.All(t.Context(), 0); !errors.Is(err, ErrForged) {
		t.Errorf("read with another key: %v", err)
	}
	// Who can write to the work store can neither add nor remove one.
	for _, key := range []string{"holds/12.json", "holds/1/removed.json"} {
		s := holds(t, 1)
		if _, err := s.Add(t.Context(), Hold{Account: "acme"}, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Work.Create(t.Context(), key, strings.NewReader(`{"version":1,"n":1}`)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.All(t.Context(), 0); !errors.Is(err, ErrForged) {
			t.Errorf("%s was put there by another: %v", key, err)
		}
	}
}

func TestDigestsDoNotJoin(t *testing.T) {
	s := holds(t, 1)
	a := Digest(s.Keys, "acme", pipeline.Phone, "+14045550123")
	if a != Digest(s.Keys, "acme", pipeline.Phone, "+14045550123") || a == Digest(s.Keys, "globex", pipeline.Phone, "+14045550123") || a == Digest(s.Keys, "acme", pipeline.User, "+14045550123") {
		t.Error("digests of one identifier must be equal within an account and kind, and nowhere else")
	}
}

// TestAMissingHoldIsTold: whichever file of a hold is taken away, it is missed by name,
// the last one by who knows how many there were; unless it was removed. Until it is
// back no other is set.
func TestAMissingHoldIsTold(t *testing.T) {
	const holding = 3
	for n := 1; n <= holding; n++ {
		for known := range holding + 1 {
			for _, over := range []bool{false, true} {
				s := holds(t, 1)
				for range holding {
					if _, err := s.Add(t.Context(), Hold{Account: "acme", Reason: "claim", By: "jo"}, 0); err != nil {
						t.Fatal(err)
					}
				}
				if over {
					if err := s.Remove(t.Context(), Removal{N: n, Reason: "closed", By: "jo"}); err != nil {
						t.Fatal(err)
					}
				}
				ref, err := output.Find(t.Context(), s.Work, name(n))
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Work.Delete(t.Context(), ref); err != nil {
					t.Fatal(err)
				}
				all, err := s.All(t.Context(), known)
				if told := !over && (n < holding || known == holding); told != errors.Is(err, ErrMissing) || told != strings.Contains(fmt.Sprint(err), name(n)+": ") {
					t.Errorf("hold %d of %d is gone, removed %v, known %d: %d are left, %v", n, holding, over, known, len(all), err)
				}
				// Nobody else's hold takes its number; it may be set again in its place.
				other, err := s.Add(t.Context(), Hold{Account: "globex", Reason: "claim", By: "jo"}, known)
				switch told := !over && (n < holding || known == holding); {
				case told && !errors.Is(err, ErrMissing):
					t.Errorf("hold %d of %d is gone, known %d: another one is set: %+v, %v", n, holding, known, other, err)
				case told:
					if again, err := s.Add(t.Context(), Hold{N: n, Account: "acme", Reason: "claim", By: "jo"}, known); err != nil || again.N != n {
						t.Errorf("set again: %+v, %v, want number %d", again, err, n)
					}
					if _, err := s.Add(t.Context(), Hold{N: n, Account: "globex"}, known); !errors.Is(err, ErrThere) {
						t.Errorf("set in the place of one that is there: %v", err)
					}
				case over && (err != nil || other.N != holding+1):
					t.Errorf("a number of a hold that is over was given away: %+v, %v", other, err)
				case !over && (err != nil || other.N != n): // nobody knows of the last one
					t.Errorf("%+v, %v", other, err)
				}
				if all, err = s.All(t.Context(), known); err != nil || len(all) != holding {
					t.Errorf("%d holds, %v", len(all), err)
				}
			}
		}
	}
}

// The identifiers of a hold are kept sealed, each in its place, and whoever takes one
// away, moves it or changes it is told.
func TestIdentifiersOfAHold(t *testing.T) {
	keys, err := seal.Open(bytes.Repeat([]byte{1}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	ids := []pipeline.Identifier{{Kind: pipeline.Phone, Value: "+14045550199"}, {Kind: pipeline.Email, Value: "jane@example.com"}}
	h := Hold{Account: "acme", Kinds: []pipeline.Kind{pipeline.Phone, pipeline.Email}, Digests: []string{"a", "b"}, Reason: "claim", By: "jo"}
	for name, c := range map[string]struct {
		change func(content string) string
		ok     bool
	}{
		"untouched":    {func(s string) string { return s }, true},
		"gone":         {nil, false},
		"one less":     {func(s string) string { return s[:strings.LastIndex(s, ",\n    {")] + "\n  ]\n}\n" }, false},
		"other hold's": {func(s string) string { return strings.Replace(s, `"n": 1`, `"n": 2`, 1) }, false},
		"other kind":   {func(s string) string { return strings.Replace(s, `"email"`, `"phone"`, 1) }, false},
		"changed":      {func(s string) string { return strings.Replace(s, `"value_sealed": "`, `"value_sealed": "AAAA`, 1) }, false},
		"no JSON":      {func(string) string { return "" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			work := mem.New("work", mem.Options{})
			s := &Holds{Work: work, Keys: keys}
			set, err := s.Add(t.Context(), h, 0, ids...)
			if err != nil {
				t.Fatal(err)
			}
			b, err := connectors.ReadAll(t.Context(), work, IdentifiersFile(1))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(b), "4045550199") || strings.Contains(string(b), "jane") {
				t.Errorf("they are readable: %s", b)
			}
			for o, err := range work.List(t.Context(), IdentifiersFile(1)) {
				if err == nil {
					err = work.Delete(t.Context(), o.Ref)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if c.change != nil {
				if _, err := work.Create(t.Context(), IdentifiersFile(1), strings.NewReader(c.change(string(b)))); err != nil {
					t.Fatal(err)
				}
			}
			got, err := s.Identifiers(t.Context(), set)
			if c.ok && (err != nil || !slices.EqualFunc(got, ids, func(a, b pipeline.Identifier) bool { return a.Kind == b.Kind && a.Value == b.Value })) {
				t.Errorf("%d identifiers: %v", len(got), err)
			}
			if !c.ok && !errors.Is(err, ErrNoIdentifiers) {
				t.Errorf("%d identifiers: %v", len(got), err)
			}
		})
	}
}
