package identity

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"expunge/pipeline"
	"expunge/scanners"
)

// spokenLines makes records of lines of text; those that begin with "#" are beside what is said.
func spokenLines(text string) (records []*scanners.Record) {
	for _, line := range strings.Split(text, "\n") {
		line, aside := strings.CutPrefix(line, "#")
		records = append(records, &scanners.Record{Raw: []byte(line), Leaves: []scanners.Leaf{{Path: "line", Value: []byte(line)}}, Aside: aside})
	}
	return records
}

// rules are the rules of what was heard, record by record; "" for nothing.
func rules(t *testing.T, of [][]scanners.Match) (rules []string) {
	for _, ms := range of {
		rule := ""
		for _, m := range ms {
			if rule != "" || m.Tier != "review" || m.Kind != "phone" {
				t.Errorf("found %v", ms)
			}
			rule = m.Rule
		}
		rules = append(rules, rule)
	}
	return rules
}

// A number that is said over several lines is found in all lines that have a part of it,
// and in no other.
func TestSpokenOverLines(t *testing.T) {
	const cue = "\n#\n#2\n#00:00:04.500 --> 00:00:08.000\n"
	for _, tt := range []struct {
		name, text string
		lines      []int // in which it is found
	}{
		{"cues in words", "my number is two one four" + cue + "five five five" + cue + "oh one four two", []int{0, 4, 8}},
		{"cues in digits", "my number is (214)" + cue + "555-" + cue + "0142.", []int{0, 4, 8}},
		{"within one", "hello\nit's two one four five five five oh one four two\nthank you", []int{1}},
		{"of one speaker, in tags", "<v Jane>two one four\n<v Bob Miller>I see, what comes then?\n<v Jane>five <i>five</i> five\n<v.loud Jane>oh<00:00:19.000> one four two", []int{0, 2, 3}},
		{"of one speaker, by name", "[00:01] Caller: two one four\n[00:04] Agent: one moment, I write that down.\n[00:09] Caller: five five five\noh one four two", []int{0, 2, 3}},
		{"with a time before each line", "00:01:10 two one four\n00:01:12 five five five\n00:01:19 oh one four two", []int{0, 1, 2}},
		{"repeated by the other", "CUSTOMER: two one four\nAGENT: mhm\nCUSTOMER: five five five\nAGENT: okay\nCUSTOMER: oh one four two", []int{0, 2, 4}},
		{"a label that is none", "Phone number: two one four\narea code two one four: five five five\noh one four two", []int{1, 2}},
		{"a number before it", "one\ntwo one four\nfive five five\noh one four two", []int{1, 2, 3}},
		{"a list", "one\ntwo\nthree\nfour\nfive\nfive\nfive\nzero\none\nfour\ntwo", nil},
		{"other words between", "two one four people came\nfive five five\noh one four two", nil},
		{"prices and dates", "that is two fourteen\ndollars, on five fifty-five\nat oh one forty-two", nil},
		{"another number", "two one four\nfive five five\noh one four three", nil},
		{"of two speakers who say more", "Ann: we have 214 shops\nBob: 555\nBob: 0142", nil},
		{"too far apart", "two one four" + strings.Repeat("\n#", maxHeld) + "\nfive five five oh one four two", nil},
		{"written in one piece", "call me\n214-555-0142", nil}, // that is Find's
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := wanted(t, pipeline.Phone, "+12145550142")[0]
			f := Compile(testKey, "US", []Needle{n}).Finder(FinderOptions{Fields: []pipeline.Field{{Path: "line", Text: true, Spoken: true}}, Search: true, Account: n.Account})
			got := rules(t, hear(t, f, spokenLines(tt.text)...))
			for i, rule := range got {
				want := ""
				if slices.Contains(tt.lines, i) {
					want = spokenOver(len(tt.lines))
				}
				if rule != want {
					t.Errorf("line %d is found by %q, not by %q", i, rule, want)
				}
			}
		})
	}
}

// Records that say who speaks are turns, and those of one call go on over each other.
func TestSpokenOverRecords(t *testing.T) {
	turn := func(call, who, what string) *scanners.Record {
		return &scanners.Record{Leaves: []scanners.Leaf{{Path: "call", Value: []byte(call)}, {Path: "text", Value: []byte(what)}, {Path: "speaker", Value: []byte(who)}}}
	}
	number := func(second string) []*scanners.Record {
		return []*scanners.Record{turn("c-1", "caller", "two one four"), turn("c-1", "agent", "I see"), turn(second, "caller", "five five five oh one four two")}
	}
	call, text, speaker := pipeline.Field{Path: "call", Kind: pipeline.Call, Link: true}, pipeline.Field{Path: "text", Text: true, Spoken: true}, pipeline.Field{Path: "speaker"}
	for _, tt := range []struct {
		name    string
		fields  []pipeline.Field
		records []*scanners.Record
		want    []string
	}{
		{"of one call", []pipeline.Field{call, text, speaker}, number("c-1"), []string{"phone.spoken.2", "", "phone.spoken.2"}},
		{"of two calls", []pipeline.Field{call, text, speaker}, number("c-2"), []string{"", "", ""}},
		{"whose calls nobody declared", []pipeline.Field{text, speaker}, number("c-2"), []string{"phone.spoken.2", "", "phone.spoken.2"}},
		{"which may be no turns", []pipeline.Field{call, text}, number("c-1"), []string{"", "", ""}},
		{"with a long text", []pipeline.Field{call, text, speaker}, func() []*scanners.Record {
			rs := number("c-1")
			rs[1].Raw = make([]byte, maxTurn+1)
			return rs
		}(), []string{"", "", ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := wanted(t, pipeline.Phone, "+12145550142")[0]
			f := Compile(testKey, "US", []Needle{n}).Finder(FinderOptions{Fields: tt.fields, Search: true, Account: n.Account})
			if got := rules(t, hear(t, f, tt.records...)); !slices.Equal(got, tt.want) {
				t.Errorf("found by %q, not by %q", got, tt.want)
			}
			if over := tt.name != "which may be no turns"; GoesOn(tt.fields) != over {
				t.Errorf("GoesOn is %v", !over)
			}
		})
	}
}

// What tells who speaks stands beside the text or beside a list that the text stands in,
// before it or behind it.
func TestSpokenWords(t *testing.T) {
	words := []string{"two", "one", "four", "five", "five", "five", "oh", "one", "four", "two"}
	leaves := func(each func(add func(path, value string), word, who string)) (out []scanners.Leaf) {
		add := func(path, value string) { out = append(out, scanners.Leaf{Path: path, Value: []byte(value)}) }
		for _, w := range words {
			each(add, w, "spk_0")
			if w == "four" {
				each(add, "sure thing", "spk_1")
			}
		}
		return out
	}
	for _, tt := range []struct {
		name, path string
		leaves     []scanners.Leaf
	}{
		{"Transcribe", "results.items[].alternatives[].content", leaves(func(add func(path, value string), word, who string) {
			add("results.items[].start_time", "12.5")
			add("results.items[].alternatives[].confidence", "0.9")
			add("results.items[].alternatives[].content", word)
			add("results.items[].type", "pronunciation")
			add("results.items[].speaker_label", who)
			add("results.items[].alternatives[].confidence", "0.0") // punctuation has no time
			add("results.items[].alternatives[].content", ",")
			add("results.items[].type", "punctuation")
			add("results.items[].speaker_label", who)
		})},
		{"Deepgram", "results.channels[].alternatives[].words[].word", leaves(func(add func(path, value string), word, who string) {
			add("results.channels[].alternatives[].words[].word", word)
			add("results.channels[].alternatives[].words[].speaker", strings.TrimPrefix(who, "spk_"))
		})},
		{"segments of words", "segments[].words[].text", leaves(func(add func(path, value string), word, who string) {
			add("segments[].speaker", who)
			for _, w := range strings.Fields(word) {
				add("segments[].words[].text", w)
			}
		})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := wanted(t, pipeline.Phone, "+12145550142")[0]
			f := Compile(testKey, "US", []Needle{n}).Finder(FinderOptions{Fields: []pipeline.Field{{Path: tt.path, Text: true, Spoken: true}}, Search: true, Account: n.Account})
			if got := rules(t, hear(t, f, &scanners.Record{Leaves: tt.leaves})); got[0] != "phone.spoken.10" {
				t.Errorf("found by %q", got)
			}
		})
	}
}

// However a conversation is cut in lines, the number is found in just those that the
// oracle names: it writes all of it out in digits, a line by each, and looks for it there.
func TestSpokenLaw(t *testing.T) {
	const number = "2145550142"
	n := wanted(t, pipeline.Phone, "+1"+number)[0]
	fields := []pipeline.Field{{Path: "line", Text: true, Spoken: true}}
	names := strings.Fields("zero one two three four five six seven eight nine")
	found := 0
	for seed := range int64(3000) {
		r := rand.New(rand.NewSource(seed))
		var lines []string
		var digits []byte // of what is said; a blank where something else is
		var at []int      // the lines of these
		line := ""
		say := func(word, shown string) {
			line += " " + word
			for range shown {
				at = append(at, len(lines))
			}
			digits = append(digits, shown...)
			if r.Intn(3) == 0 {
				lines, line = append(lines, line), ""
				for r.Intn(4) == 0 {
					lines = append(lines, "#")
				}
			}
		}
		fillers := 0
		for range 3 {
			for range r.Intn(3) {
				say(names[r.Intn(10)], "?") // some other digit, which no number follows
				say("perhaps", " ")
			}
			spoken := number
			if r.Intn(3) == 0 {
				spoken = number[:9] + "3"
			}
			for i := 0; i < len(spoken); {
				k := min(len(spoken), i+1+r.Intn(2))
				switch word := names[spoken[i]-'0']; {
				case r.Intn(12) == 0:
					say("people", " ")
					fillers = 0
				case r.Intn(5) == 0 && fillers < maxFillers:
					say("uh", "")
					fillers++
				case r.Intn(2) == 0:
					say(spoken[i:k], spoken[i:k])
					i, fillers = k, 0
				default:
					say(word, spoken[i:i+1])
					i++
					fillers = 0
				}
			}
			say("thanks", " ")
		}
		lines = append(lines, line)

		want := make([]bool, len(lines))
		for i := 0; i+len(number) <= len(digits); i++ {
			if string(digits[i:i+len(number)]) != number || at[i] == at[i+len(number)-1] && strings.Contains(lines[at[i]], number) {
				continue
			}
			for _, line := range at[i : i+len(number)] {
				want[line] = true
			}
		}
		f := Compile(testKey, "US", []Needle{n}).Finder(FinderOptions{Fields: fields, Search: true, Account: n.Account})
		got := hear(t, f, spokenLines(strings.Join(lines, "\n"))...)
		for i := range want {
			if (len(got[i]) > 0) != want[i] {
				t.Fatalf("seed %d: line %d is found: %v, should be: %v\n%s", seed, i, !want[i], want[i], strings.Join(lines, "\n"))
			}
			if want[i] {
				found++
			}
		}
	}
	if found < 1000 {
		t.Errorf("only %d lines were to be found", found)
	}
}

// A later scan must not begin where a number goes on.
func TestSpokenBoundary(t *testing.T) {
	n := wanted(t, pipeline.Phone, "+12145550142")[0]
	var told []int64
	f := Compile(testKey, "US", []Needle{n}).Finder(FinderOptions{Fields: []pipeline.Field{{Path: "line", Text: true, Spoken: true}}, Search: true, Account: n.Account,
		Boundary: func(_ int64, _ int, record int64) { told = append(told, record) }})
	h := f.Hearing(func(*scanners.Record) error { return nil })
	for i, r := range spokenLines("hello\ntwo one four\nmhm\nfive five five oh one four two\nbye\nit is two one four") {
		if err := h.Record(r); err != nil {
			t.Fatal(err)
		}
		f.Boundary(0, 0, int64(i+1))
	}
	if err := h.End(); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(told) != "[1 5 6]" {
		t.Errorf("boundaries before records %v", told)
	}
}

func TestTellsSpeaker(t *testing.T) {
	for path, tells := range map[string]bool{
		"speaker": true, "Transcript[].ParticipantId": true, "results.items[].speaker_label": true, "turns[].participant-role": true, "CHANNEL": true,
		"speak": false, "speakers": false, "speaker.id": false, "role2": false, "": false,
	} {
		if tellsSpeaker(path) != tells {
			t.Errorf("%q: %v", path, !tells)
		}
	}
}

// A conversation in one record, and captions, of whose lines a third is said.
func BenchmarkSpoken(b *testing.B) {
	n := Needle{Account: "acme", Canon: Canon{Kind: pipeline.Phone, Value: "12145550142"}}
	leaf := func(path, value string) scanners.Leaf { return scanners.Leaf{Path: path, Value: []byte(value)} }
	const sentence = "I would like to know whether the two rooms that we have seen on the 14th are still free, and what they cost?"
	talk := &scanners.Record{}
	for i := range 40 {
		talk.Leaves = append(talk.Leaves, leaf("Transcript[].Content", sentence), leaf("Transcript[].ParticipantId", []string{"AGENT", "CUSTOMER"}[i%2]))
	}
	captions := spokenLines(strings.Repeat("#17\n#00:00:04.000 --> 00:00:08.000\n<v Jane Doe>"+sentence+"\n", 40))
	for _, bench := range []struct {
		name, path string
		records    []*scanners.Record
	}{{"turns", "Transcript[].Content", []*scanners.Record{talk}}, {"lines", "line", captions}} {
		b.Run(bench.name, func(b *testing.B) {
			f := Compile(testKey, "US", []Needle{n}).Finder(FinderOptions{Account: "acme", Search: true, Fields: []pipeline.Field{{Path: bench.path, Text: true, Spoken: true}}})
			h := f.Hearing(func(*scanners.Record) error { return nil })
			b.SetBytes(int64(40 * len(sentence)))
			b.ReportAllocs()
			for b.Loop() {
				for _, r := range bench.records {
					if err := h.Record(r); err != nil {
						b.Fatal(err)
					}
				}
				if err := h.End(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
