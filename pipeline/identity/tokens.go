package identity

import "math/bits"

// class says what a token was made of.
type class uint8

const (
	phoneToken class = iota // last ten digits
	shortToken              // seven to nine digits, whole
	mailToken
	gmailToken // the mailbox at Gmail, without dots and tag
	wordToken
	uuidToken
	gaToken
	ipToken
)

// span is a token that is wanted: where it stands in the decoded text.
type span struct {
	token  uint64
	class  class
	lo, hi int
}

// tokenizer extracts tokens of decoded text and probes a table with them.
type tokenizer struct {
	h       hasher
	table   *table             // nil: every token is a hit
	collect func(token uint64) // nil: none
	recent  [1024]uint64       // tokens that were collected lately
	hits    []span
	seen    int  // tokens so far
	numbers bool // raw bytes: numbers may have exponents, which decoded leaves do not have

	layout layout // of the text that is being read

	digitbuf [maxNumber + 64]byte

	// Tokens wait here until there are some: looked up in one go, they wait for
	// memory together and not each for itself.
	pending [64]span
	n       int

	buf []byte
}

func (t *tokenizer) emit(token uint64, c class, lo, hi int) {
	if t.n == len(t.pending) {
		t.flush()
	}
	t.pending[t.n] = span{token, c, lo, hi}
	t.n++
}

// flush looks up what was emitted.
func (t *tokenizer) flush() {
	pending := t.pending[:t.n]
	t.seen += t.n
	t.n = 0
	if t.table == nil {
		t.hits = append(t.hits, pending...)
	} else {
		for i := range pending {
			if s := &pending[i]; t.table.has(s.token, s.bucket()) {
				t.hits = append(t.hits, *s)
			}
		}
	}
	if t.collect == nil {
		return
	}
	for i := range pending {
		token := pending[i].token
		if r := &t.recent[token&1023]; *r != token {
			*r = token
			t.collect(token)
		}
	}
}

// scan tokenizes b, which was decoded with the marks and is written to for a moment
// where they tell of an escape.
//
// Bytes are looked at sixty-four at a time: a word or a number is met where its
// shortest length is reached, which most runs never do.
func (t *tokenizer) scan(b []byte, marks []mark) {
	l := &t.layout
	l.of(b)
	var words, numbers runs
	before := uint64(0) // digits of the block before
	for k, digits := range l.digit[:(len(b)+63)/64] {
		for e := words.reach8(l.word[k]); e != 0; e &= e - 1 {
			t.word(b, k*64+bits.TrailingZeros64(e)-7)
		}
		for e := numbers.reach7(l.number[k]); e != 0; e &= e - 1 {
			t.number(b, k*64+bits.TrailingZeros64(e)-6)
		}
		for e := l.at[k]; e != 0; e &= e - 1 {
			t.mail(b, k*64+bits.TrailingZeros64(e), len(marks) > 0)
		}
		if t.numbers {
			for e := l.exp[k] & (digits<<1 | before>>63) & (l.number[k]>>1 | l.number[k+1]<<63); e != 0; e &= e - 1 {
				t.mantissa(b, k*64+bits.TrailingZeros64(e))
			}
		}
		before = digits
	}
	for _, m := range marks {
		t.escaped(b, m.to-1)
	}
	t.flush()
}

// runs finds runs of ones of some length in words that come one after another.
type runs struct{ x1, x2, x4, xn uint64 }

// reach8 has a one where a run becomes eight long.
func (r *runs) reach8(x uint64) uint64 {
	x2 := x & (x<<1 | r.x1>>63)
	x4 := x2 & (x2<<2 | r.x2>>62)
	x8 := x4 & (x4<<4 | r.x4>>60)
	reached := x8 &^ (x8<<1 | r.xn>>63)
	*r = runs{x, x2, x4, x8}
	return reached
}

// reach7 has a one where a run becomes seven long.
func (r *runs) reach7(x uint64) uint64 {
	x2 := x & (x<<1 | r.x1>>63)
	x4 := x2 & (x2<<2 | r.x2>>62)
	x7 := x4 & (x4<<3 | r.x4>>61)
	reached := x7 &^ (x7<<1 | r.xn>>63)
	*r = runs{x, x2, x4, x7}
	return reached
}
