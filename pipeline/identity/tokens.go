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
	packedToken // a digest in base64 that is no word with a digit
)

// span is a token that is wanted: where it stands in the decoded text.
type span struct {
	token  uint64
	class  class
	hashed bool // the token is that of a digest of what stands there
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

	given givens // of needles that are given as digests

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
	t.pending[t.n] = span{token: token, class: c, lo: lo, hi: hi}
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
// Bytes are looked at sixty-four at a time: a word or a number is met where it ends, if
// it is long enough and holds what makes it one, which is so of few.
func (t *tokenizer) scan(b []byte, marks []mark) {
	l := &t.layout
	l.of(b)
	var digits, letters, numbers runs // with a digit, with more than digits and hyphens; of numbers
	var long8, long7 length
	var inWords, inPacked digestRuns
	before := uint64(0) // digits of the block before
	for k := range len(b)/64 + 1 {
		d, w, n := l.digit[k], l.word[k], l.number[k]
		withDigit := digits.with(w, d)
		words := withDigit & letters.with(w, w&^d&^l.hyphen[k]) & long8.reached(w, 8)
		for ; words != 0; words &= words - 1 {
			t.word(b, k*64+bits.TrailingZeros64(words))
		}
		for e := numbers.with(n, d) & long7.reached(n, 7); e != 0; e &= e - 1 {
			t.number(b, k*64+bits.TrailingZeros64(e))
		}
		for e := inWords.behind(w)&^withDigit | inPacked.behind(w|l.join[k]); e != 0; e &= e - 1 {
			t.packed(b, k*64+bits.TrailingZeros64(e))
		}
		for e := l.at[k]; e != 0; e &= e - 1 {
			t.mail(b, k*64+bits.TrailingZeros64(e), len(marks) > 0)
		}
		if t.numbers {
			for e := l.hexlet[k] & (d<<1 | before>>63) & (n>>1 | l.number[k+1]<<63); e != 0; e &= e - 1 {
				if i := k*64 + bits.TrailingZeros64(e); b[i]|0x20 == 'e' {
					t.mantissa(b, i)
				}
			}
		}
		before = d
	}
	for _, m := range marks {
		t.escaped(b, m.to-1)
	}
	t.spoken(b)
	t.flush()
}

// runs finds runs of ones in words that come one after another.
type runs struct{ carry uint64 }

// with has a one behind each run of x that has one of y, which are among x: there a
// carry begins, and the run hands it on to its end.
func (r *runs) with(x, y uint64) uint64 {
	var sum uint64
	sum, r.carry = bits.Add64(x, y, r.carry)
	return sum &^ x
}

// digestRuns knows where runs of ones, in words that come one after another, are as long
// as a digest in base64.
type digestRuns struct{ x, starts uint64 }

// behind has a one behind each run of x of such a length, and behind few others.
func (r *digestRuns) behind(x uint64) uint64 {
	before := x<<1 | r.x>>63
	starts := x &^ before
	long := before &^ x & (x<<8 | r.x>>56) & (x<<15 | r.x>>49)
	ends := long & (starts<<22 | r.starts>>42 | starts<<27 | r.starts>>37 | starts<<maxPacked | r.starts>>(64-maxPacked))
	*r = digestRuns{x, starts}
	return ends
}

// length knows how long runs of ones are in words that come one after another.
type length struct{ x1, x2, x4, xn uint64 }

// reached has a one behind each place of x where a run of ones is n long and more, which
// is four to eight.
func (r *length) reached(x uint64, n int) uint64 {
	x2 := x & (x<<1 | r.x1>>63)
	x4 := x2 & (x2<<2 | r.x2>>62)
	xn := x4 & (x4<<(n-4) | r.x4>>(68-n))
	behind := xn<<1 | r.xn>>63
	*r = length{x, x2, x4, xn}
	return behind
}
