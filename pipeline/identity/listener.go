package identity

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

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
	f     *Finder
	found func(needle uint32, parts []part) // is told of a number, and of the groups that it was said in

	digits  []byte
	parts   []part // the groups of digits
	heard   int    // words: digits, or others between
	fillers int
	plus    bool
	times   int  // "double", "triple"
	tens    byte // "twenty", while a digit may follow
}

// part is one group of digits of what is said.
type part struct {
	start  int // among the digits
	words  int // that were heard before it
	turn   int // in which it was said
	record int // in which that stands, counted as hearing counts them
	path   string
}

func (l *listener) reset() {
	l.digits, l.parts = l.digits[:0], l.parts[:0]
	l.heard, l.fillers, l.plus, l.times, l.tens = 0, 0, false, 1, 0
}

// forget drops the groups that were said in records before one.
func (l *listener) forget(record int) {
	for len(l.parts) > 0 && l.parts[0].record < record {
		l.drop()
	}
}

// drop drops the first group.
func (l *listener) drop() {
	n := len(l.digits)
	if len(l.parts) > 1 {
		n = l.parts[1].start
	}
	l.digits = append(l.digits[:0], l.digits[n:]...)
	l.parts, l.plus = append(l.parts[:0], l.parts[1:]...), false
	for k := range l.parts {
		l.parts[k].start -= n
	}
}

// hear goes on with a turn.
func (l *listener) hear(t *turn) {
	text := t.text
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		switch {
		case isDigit(byte(r)) && n == 1:
			for n < len(text) && isDigit(text[n]) {
				n++
			}
			l.settle(t)
			l.group(text[:n], t, l.heard)
		case unicode.IsLetter(r):
			n = len(text) - len(strings.TrimLeftFunc(text, func(r rune) bool { return unicode.IsLetter(r) || r == '\'' || r == '’' }))
			l.word(strings.ToLower(strings.ReplaceAll(text[:n], "’", "'")), t)
		case r == '+':
			l.settle(t)
			l.reset()
			l.plus = true
		}
		text = text[n:]
	}
	l.settle(t)
}

// settle adds tens that no digit followed.
func (l *listener) settle(t *turn) {
	if l.tens != 0 {
		g := string([]byte{l.tens, '0'})
		l.tens = 0
		l.group(g, t, l.heard-1)
	}
}

func (l *listener) word(w string, t *turn) {
	if d, is := digitWords[w]; is {
		l.heard++
		if l.tens != 0 && len(d) == 1 && d != "0" {
			d = string([]byte{l.tens, d[0]})
			l.tens = 0
		}
		l.settle(t)
		l.group(d, t, l.heard-1)
		return
	}
	l.settle(t)
	switch d, is := tens[w]; {
	case is:
		l.heard++
		l.tens = d
	case w == "double" || w == "triple":
		l.times = map[string]int{"double": 2, "triple": 3}[w]
	case w == "hundred" && len(l.digits) > 0:
		l.heard++
		l.group("00", t, l.heard-1)
	case w == "thousand" && len(l.digits) > 0:
		l.heard++
		l.group("000", t, l.heard-1)
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

// group takes a group of digits into account, before which so many words were heard.
func (l *listener) group(d string, t *turn, words int) {
	if l.times > 1 {
		d = strings.Repeat(d[:1], l.times-1) + d
		l.times = 1
	}
	l.fillers = 0
	l.parts = append(l.parts, part{len(l.digits), words, t.n, t.record, t.path})
	l.digits = append(l.digits, d...)
	for len(l.digits) > maxRead && len(l.parts) > 1 {
		l.drop()
	}
	if len(l.digits) < 10 || len(l.digits) > maxRead {
		return
	}
	v := uint64(0)
	for _, c := range l.digits[len(l.digits)-10:] {
		v = v*10 + uint64(c-'0')
	}
	k := &l.f.t
	k.hits = k.hits[:0]
	k.emit(k.h.number(seedPhone, v), phoneToken, 0, 0)
	k.flush()
	for _, s := range k.hits {
		for _, r := range l.f.s.table.find(s.token) {
			if fm := l.f.s.forms[r.form]; fm.what == asPhone {
				l.confirm(fm.needle, t)
			}
		}
	}
}

// confirm compares the number that was heard, from the beginning of any group on: of
// the last ones first, so that what was said before it is no part of it.
func (l *listener) confirm(needle uint32, t *turn) {
	f, n := l.f, &l.f.s.needles[needle]
	if n.Agent || f.o.Account != "" && n.Account != f.o.Account || n.Canon.Ext != "" || n.Past != nil && n.Past.Ext != "" {
		return
	}
	for k := len(l.parts) - 1; k >= 0; k-- {
		digits := string(l.digits[l.parts[k].start:])
		if len(digits) < 10 || !slices.ContainsFunc(f.readings(digits, l.plus && k == 0), func(r reading) bool { return n.is(r.e164) }) {
			continue
		}
		if p := l.parts[k]; p.turn != t.n || p.words != l.heard { // else it is written in one piece: that is for Find
			l.found(needle, l.parts[k:])
		}
		return
	}
}
