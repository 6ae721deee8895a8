package identity

import (
	"fmt"
	"slices"
	"testing"

	"expunge/pipeline"
	"expunge/scanners"
)

// Case 13, and what else people say.
func TestSpoken(t *testing.T) {
	const p = "+12145550142"
	fields := []pipeline.Field{{Path: "Transcript[].Content", Text: true, Spoken: true}, {Path: "Transcript[].ParticipantId", Party: pipeline.Agent}, {Path: "note", Text: true}}
	for _, tt := range []struct {
		name  string
		phone string
		turns []string // who, what, who, what, …
		over  int      // how many turns it is said in
	}{
		{"over three turns", p, []string{"AGENT", "214?", "CUSTOMER", "555", "CUSTOMER", "0142"}, 3},
		{"one speaker's, with questions between", p, []string{"CUSTOMER", "two one four", "AGENT", "I see, what comes then?", "CUSTOMER", "five five five, oh one four two"}, 2},
		{"in words", p, []string{"CUSTOMER", "It's two one four, five five five, zero one four two."}, 1},
		{"with its country", p, []string{"CUSTOMER", "plus one two fourteen five fifty-five oh one forty-two"}, 1},
		{"as people group it", p, []string{"CUSTOMER", "area code two fourteen, triple five, oh one forty two, thank you"}, 1},
		{"hundreds", "+18005550142", []string{"CUSTOMER", "eight hundred five five five oh one four two"}, 1},
		{"double", "+12145550144", []string{"CUSTOMER", "214 555 oh one double four"}, 1},
		{"tens at the end", "+12145550140", []string{"CUSTOMER", "214 555 oh one forty"}, 1},
		{"another number", p, []string{"CUSTOMER", "two one four five five five zero one four three"}, 0},
		{"too short", p, []string{"CUSTOMER", "five five five zero one four two"}, 0},
		{"with more behind, which may be an extension", p, []string{"CUSTOMER", "two one four five five five zero one four two nine nine"}, 1},
		{"other words between", p, []string{"CUSTOMER", "two one four people bought five five five of them on zero one four two"}, 0},
		{"two speakers' own digits", p, []string{"AGENT", "we have 214 shops", "CUSTOMER", "555", "CUSTOMER", "0142"}, 0},
		{"written in one piece", p, []string{"CUSTOMER", "call 214-555-0142"}, 0}, // that is Find's
	} {
		t.Run(tt.name, func(t *testing.T) {
			known := wanted(t, pipeline.Phone, tt.phone)[0]
			leaves := []scanners.Leaf{{Path: "note", Value: []byte("two one four five five five zero one four two")}}
			for i := 0; i < len(tt.turns); i += 2 {
				leaves = append(leaves, scanners.Leaf{Path: "Transcript[].Content", Value: []byte(tt.turns[i+1])}, scanners.Leaf{Path: "Transcript[].ParticipantId", Value: []byte(tt.turns[i])})
			}
			for _, n := range []Needle{known, Remember(digests{}, testKey, "US", known).Needle(known.Account, known.Canon.Kind, digests{})} {
				set := Compile(testKey, "US", []Needle{n})
				var tokens []uint64
				f := set.Finder(FinderOptions{Fields: fields, Search: true, Account: n.Account, Collect: func(token uint64) { tokens = append(tokens, token) }})
				ms := hear(t, f, &scanners.Record{Leaves: leaves})[0]
				if (len(ms) > 0) != (tt.over > 0) || len(ms) > 1 {
					t.Fatalf("found %v", ms)
				}
				for _, m := range ms {
					if m.Tier != "review" || m.Rule != spokenOver(tt.over) || m.Path != "Transcript[].Content" {
						t.Errorf("found %+v", m)
					}
					if !slices.ContainsFunc(set.Tokens(n.Account), func(x uint64) bool { return slices.Contains(tokens, x) }) {
						t.Error("the catalog is not told of it")
					}
				}
			}
		})
	}
}

// hear is what is heard in records, one after another: matches by record.
func hear(t *testing.T, f *Finder, records ...*scanners.Record) [][]scanners.Match {
	t.Helper()
	var out [][]scanners.Match
	h := f.Hearing(func(r *scanners.Record) error {
		if int(r.Index) != len(out) {
			t.Fatalf("record %d comes after %d others", r.Index, len(out))
		}
		out = append(out, slices.Clone(r.Matches))
		return nil
	})
	for i, r := range records {
		mine := r.Clone() // a scanner's, which is gone when the call returns
		mine.Index = int64(i)
		if err := h.Record(mine); err != nil {
			t.Fatal(err)
		}
		for _, leaf := range mine.Leaves {
			clear(leaf.Value)
		}
		if len(h.held) > maxHeld {
			t.Fatalf("%d records are held back", len(h.held))
		}
	}
	if err := h.End(); err != nil {
		t.Fatal(err)
	}
	if len(out) != len(records) {
		t.Fatalf("of %d records %d are emitted", len(records), len(out))
	}
	return out
}

func spokenOver(turns int) string {
	if turns > 1 {
		return fmt.Sprintf("phone.spoken.%d", turns)
	}
	return "phone.spoken"
}
