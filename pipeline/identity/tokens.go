package identity

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

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

	digitbuf [maxNumber + 64]byte

	// Tokens wait here until there are some: looked up in one go, they wait for
	// memory together and not each for itself.
	pending [64]span
	n       int

	// state of the phone number that is being read
	end     int    // of the last group of digits
	count   int    // digits so far
	value   uint64 // of the last ten
	starts  [5]int // digits before each of the last groups
	groups  int
	last    uint64 // value of the last group …
	lastLen int    // … and its digits
	quad    uint64 // values of the last groups that single dots join, eight bits each
	dots    int    // how many groups that are

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

// scan tokenizes b. scratch says that b may be written to for a moment.
func (t *tokenizer) scan(b []byte, scratch bool) {
	t.end, t.count = -maxGap-1, 0
	for i := nextDigit(b, 0); i < len(b); i = nextDigit(b, i) {
		i = t.run(b, i, scratch)
	}
	for i := bytes.IndexByte(b, '@'); i >= 0; {
		t.mail(b, i, scratch)
		k := bytes.IndexByte(b[i+1:], '@')
		if k < 0 {
			break
		}
		i += 1 + k
	}
	t.flush()
}

// nextDigit is the offset of the first digit at or after i, or len(b).
func nextDigit(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		// in every byte: below 0x80, at least '0', at most '9'
		low := x &^ highs
		if m := (low + (0x80-'0')*ones) &^ (low + (0x7f-'9')*ones) &^ x & highs; m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for ; i < len(b); i++ {
		if isDigit(b[i]) {
			return i
		}
	}
	return len(b)
}

// run reads the word around the digit at i and returns the offset behind it.
// Digits before i were read already or are not in this word.
func (t *tokenizer) run(b []byte, i int, scratch bool) int {
	lo := i
	for lo > 0 && classes[b[lo-1]]&word != 0 {
		lo--
	}
	hi, all := i, uint8(0)
	for k := lo; k < i; k++ {
		all |= classes[b[k]]
	}
	for hi < len(b) {
		c := classes[b[hi]]
		if c&word == 0 {
			break
		}
		all |= c
		hi++
	}
	long := t.digits(b, i, hi, all)
	if all&(hexlet|letter|under) == 0 && !long {
		return hi // digits and hyphens: what phone tokens are for
	}
	if n := hi - lo; n >= minWord && n <= maxWord {
		t.word(b, lo, hi, all)
	}
	if lo > 0 && scratch {
		if c := escLetter(b[lo-1]); c != 0 && hi-lo+1 >= minWord && hi-lo < maxWord {
			sep := b[lo-1]
			b[lo-1] = c
			t.word(b, lo-1, hi, all|classes[c])
			b[lo-1] = sep
		}
	}
	return hi
}
