package identity

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"expunge/pipeline"
	"expunge/scanners"
)

// RuleSpoken is that of matches of Spoken: they stand in no one place that Spans could give.
const RuleSpoken = "phone.spoken"

// Spoken appends the phone numbers that people said in a record's fields of that sort:
// digits in words or in pieces, over several turns, by one speaker or by all. What is
// found goes to review. No token of it stands in raw bytes, so every record has to be
// handed over; tokens are collected as those of Find are.
func (f *Finder) Spoken(dst []scanners.Match, leaves []scanners.Leaf) []scanners.Match {
	if f.heard == nil {
		return dst
	}
	turns := f.turns(leaves)
	l := &listener{f: f, dst: dst}
	l.hear(turns)
	var speakers []string
	for _, t := range turns {
		if !slices.Contains(speakers, t.speaker) {
			speakers = append(speakers, t.speaker)
		}
	}
	if len(speakers) > 1 && len(speakers) <= maxSpeakers {
		for _, who := range speakers {
			var own []turn
			for _, t := range turns {
				if t.speaker == who {
					own = append(own, t)
				}
			}
			l.hear(own)
		}
	}
	return l.dst
}

// maxSpeakers bounds how often a record is gone through: more are no conversation.
const maxSpeakers = 8

// turn is what one speaker said at a time.
type turn struct{ path, speaker, text string }

// turns are those of a record. Who speaks is told by a field beside the text.
func (f *Finder) turns(leaves []scanners.Leaf) []turn {
	var turns []turn
	seen, speaker, last := map[string]bool{}, "", -1 // of the list's element at hand
	for _, leaf := range leaves {
		if !f.heard[parentOf(leaf.Path)] || len(leaf.Value) == 0 {
			continue
		}
		if seen[leaf.Path] { // the next element
			clear(seen)
			speaker, last = "", -1
		}
		seen[leaf.Path] = true
		if tellsSpeaker(leaf.Path) {
			if speaker = string(leaf.Value); last >= 0 {
				turns[last].speaker = speaker
			}
		}
		if d := f.field(leaf.Path); d != nil && d.Spoken {
			turns = append(turns, turn{leaf.Path, speaker, string(leaf.Value)})
			last = len(turns) - 1
		}
	}
	return turns
}

func parentOf(path string) string {
	return path[:max(0, strings.LastIndexByte(path, '.'))]
}

// tellsSpeaker reports whether a field's name says that it tells who speaks.
func tellsSpeaker(path string) bool {
	name := strings.ToLower(path[strings.LastIndexByte(path, '.')+1:])
	name = strings.NewReplacer("_", "", "-", "").Replace(name)
	return slices.Contains([]string{"speaker", "speakerid", "speakerlabel", "speakername", "participant", "participantid", "participantrole", "role", "channel", "party"}, name)
}

// Digits as people say them. What stands between is passed over while it is no more
// than maxFillers words that say nothing.
var (
	units      = []string{"one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}
	digitWords = func() map[string]string {
		m := map[string]string{"zero": "0", "oh": "0", "o": "0", "nought": "0", "naught": "0"}
		for i, w := range units {
			m[w] = string(rune('1' + i))
		}
		for i, w := range []string{"ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"} {
			m[w] = "1" + string(rune('0'+i))
		}
		return m
	}()
	tens = map[string]byte{"twenty": '2', "thirty": '3', "forty": '4', "fourty": '4', "fifty": '5', "sixty": '6', "seventy": '7', "eighty": '8', "ninety": '9'}

	fillers = func() map[string]bool {
		m := map[string]bool{}
		for _, w := range strings.Fields("uh um er ah hm hmm mhm mm huh and a the is it it's its that that's thats so my your number phone area code then next dash hyphen space dot point " +
			"okay ok yes yeah yep yup right correct got alright sure please go ahead sorry") {
			m[w] = true
		}
		return m
	}()
)

const maxFillers = 6

// listener puts together what is said.
type listener struct {
	f   *Finder
	dst []scanners.Match

	digits  []byte
	starts  []int // of the groups among them
	turns   []int // in which turn each group was said
	words   []int // how many words were heard up to each group: digits, or others between
	heard   int
	fillers int
	plus    bool
	times   int  // "double", "triple"
	tens    byte // "twenty", while a digit may follow
}

func (l *listener) reset() {
	l.digits, l.starts, l.turns, l.words = l.digits[:0], l.starts[:0], l.turns[:0], l.words[:0]
	l.heard, l.fillers, l.plus, l.times, l.tens = 0, 0, false, 1, 0
}

// hear goes through turns, one after the other.
func (l *listener) hear(turns []turn) {
	l.reset()
	for i, t := range turns {
		text := string(l.f.d.decode([]byte(t.text)))
		for len(text) > 0 {
			r, n := utf8.DecodeRuneInString(text)
			switch {
			case isDigit(byte(r)) && n == 1:
				for n < len(text) && isDigit(text[n]) {
					n++
				}
				l.settle(i, t.path)
				l.group(text[:n], i, t.path)
			case unicode.IsLetter(r):
				n = len(text) - len(strings.TrimLeftFunc(text, func(r rune) bool { return unicode.IsLetter(r) || r == '\'' || r == '’' }))
				l.word(strings.ToLower(strings.ReplaceAll(text[:n], "’", "'")), i, t.path)
			case r == '+':
				l.settle(i, t.path)
				l.reset()
				l.plus = true
			}
			text = text[n:]
		}
		l.settle(i, t.path)
	}
}

// settle adds tens that no digit followed.
func (l *listener) settle(i int, path string) {
	if l.tens != 0 {
		g := string([]byte{l.tens, '0'})
		l.tens = 0
		l.group(g, i, path)
	}
}

func (l *listener) word(w string, i int, path string) {
	if d, is := digitWords[w]; is {
		l.heard++
		if l.tens != 0 && len(d) == 1 && d != "0" {
			d = string([]byte{l.tens, d[0]})
			l.tens = 0
		}
		l.settle(i, path)
		l.group(d, i, path)
		return
	}
	l.settle(i, path)
	switch d, is := tens[w]; {
	case is:
		l.heard++
		l.tens = d
	case w == "double" || w == "triple":
		l.times = map[string]int{"double": 2, "triple": 3}[w]
	case w == "hundred" && len(l.digits) > 0:
		l.heard++
		l.group("00", i, path)
	case w == "thousand" && len(l.digits) > 0:
		l.heard++
		l.group("000", i, path)
	case w == "plus":
		l.reset()
		l.plus = true
	case fillers[w]:
		l.heard++
		if l.fillers++; l.fillers > maxFillers {
			l.reset()
		}
	default:
		l.reset()
	}
}

// group takes a group of digits into account.
func (l *listener) group(d string, i int, path string) {
	if l.times > 1 {
		d = strings.Repeat(d[:1], l.times-1) + d
		l.times = 1
	}
	l.fillers = 0
	l.starts, l.turns, l.words = append(l.starts, len(l.digits)), append(l.turns, i), append(l.words, l.heard)
	l.digits = append(l.digits, d...)
	for len(l.digits) > maxRead && len(l.starts) > 1 {
		n := l.starts[1]
		l.digits = append(l.digits[:0], l.digits[n:]...)
		l.starts, l.turns, l.words, l.plus = l.starts[1:], l.turns[1:], l.words[1:], false
		for k := range l.starts {
			l.starts[k] -= n
		}
	}
	if len(l.digits) < 10 || len(l.digits) > maxRead {
		return
	}
	v := uint64(0)
	for _, c := range l.digits[len(l.digits)-10:] {
		v = v*10 + uint64(c-'0')
	}
	t := &l.f.t
	t.hits = t.hits[:0]
	t.emit(t.h.number(seedPhone, v), phoneToken, 0, 0)
	t.flush()
	for _, s := range t.hits {
		for _, r := range l.f.s.table.find(s.token) {
			if fm := l.f.s.forms[r.form]; fm.what == asPhone {
				l.confirm(fm.needle, i, path)
			}
		}
	}
}

// confirm compares the number that was heard, from the beginning of any group on.
func (l *listener) confirm(needle uint32, i int, path string) {
	f, n := l.f, &l.f.s.needles[needle]
	if n.Agent || f.o.Account != "" && n.Account != f.o.Account || n.Canon.Ext != "" || n.Past != nil && n.Past.Ext != "" {
		return
	}
	for k, start := range l.starts {
		digits := string(l.digits[start:])
		if len(digits) < 10 {
			return
		}
		if l.turns[k] == i && l.words[k] == l.heard {
			return // written in one piece: that is for Find
		}
		if slices.ContainsFunc(f.readings(digits, l.plus && k == 0), func(r reading) bool { return n.is(r.e164) }) {
			m := scanners.Match{Needle: needle, Path: path, Kind: string(pipeline.Phone), Rule: RuleSpoken, Tier: string(pipeline.Review)}
			if !slices.Contains(l.dst, m) {
				l.dst = append(l.dst, m)
			}
			return
		}
	}
}
