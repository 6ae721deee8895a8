package identity

import (
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
		turns []string // who, what, who, what …
		found bool
	}{
		{"over three turns", p, []string{"AGENT", "214?", "CUSTOMER", "555", "CUSTOMER", "0142"}, true},
		{"one speaker's, with questions between", p, []string{"CUSTOMER", "two one four", "AGENT", "I see, what comes then?", "CUSTOMER", "five five five, oh one four two"}, true},
		{"in words", p, []string{"CUSTOMER", "It's two one four, five five five, zero one four two."}, true},
		{"with its country", p, []string{"CUSTOMER", "plus one two fourteen five fifty-five oh one forty-two"}, true},
		{"as people group it", p, []string{"CUSTOMER", "area code two fourteen, triple five, oh one forty two, thank you"}, true},
		{"hundreds", "+18005550142", []string{"CUSTOMER", "eight hundred five five five oh one four two"}, true},
		{"double", "+12145550144", []string{"CUSTOMER", "214 555 oh one double four"}, true},
		{"tens at the end", "+12145550140", []string{"CUSTOMER", "214 555 oh one forty"}, true},
		{"another number", p, []string{"CUSTOMER", "two one four five five five zero one four three"}, false},
		{"too short", p, []string{"CUSTOMER", "five five five zero one four two"}, false},
		{"with more behind, which may be an extension", p, []string{"CUSTOMER", "two one four five five five zero one four two nine nine"}, true},
		{"other words between", p, []string{"CUSTOMER", "two one four people bought five five five of them on zero one four two"}, false},
		{"two speakers' own digits", p, []string{"AGENT", "we have 214 shops", "CUSTOMER", "555", "CUSTOMER", "0142"}, false},
		{"written in one piece", p, []string{"CUSTOMER", "call 214-555-0142"}, false}, // that is Find's
	} {
		t.Run(tt.name, func(t *testing.T) {
			known := wanted(t, pipeline.Phone, tt.phone)[0]
			leaves := []scanners.Leaf{{Path: "note", Value: []byte("two one four five five five zero one four two")}}
			for i := 0; i < len(tt.turns); i += 2 {
				leaves = append(leaves, scanners.Leaf{Path: "Transcript[].Content", Value: []byte(tt.turns[i+1])}, scanners.Leaf{Path: "Transcript[].ParticipantId", Value: []byte(tt.turns[i])})
			}
			for _, n := range []Needle{known, Remember(digests{}, testKey, known).Needle(known.Account, known.Canon.Kind, digests{})} {
				set := Compile(testKey, "US", []Needle{n})
				var tokens []uint64
				f := set.Finder(FinderOptions{Fields: fields, Search: true, Account: n.Account, Collect: func(token uint64) { tokens = append(tokens, token) }})
				ms := f.Spoken(nil, leaves)
				if (len(ms) > 0) != tt.found {
					t.Fatalf("found %v", ms)
				}
				for _, m := range ms {
					if m.Tier != "review" || m.Rule != "phone.spoken" || m.Path != "Transcript[].Content" {
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
