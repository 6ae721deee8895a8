package identity

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// Classes of bytes.
const (
	digit  = 1 << iota // 0-9
	hexlet             // a-f A-F
	letter             // g-z G-Z
	hyphen             // -
	under              // _
	phsep              // may stand between the digits of a phone number
	mailch             // may stand in the local part of an address, beside the above
	high               // a byte of a character beyond ASCII
)

const (
	alnum  = digit | hexlet | letter
	word   = alnum | hyphen | under
	local  = word | mailch | high
	domain = alnum | hyphen | high // and the dot
)

var classes = func() (t [256]uint8) {
	for c := range t {
		b := byte(c)
		switch {
		case isDigit(b):
			t[c] = digit
		case b|0x20 >= 'a' && b|0x20 <= 'f':
			t[c] = hexlet
		case b|0x20 >= 'g' && b|0x20 <= 'z':
			t[c] = letter
		case b >= 0x80:
			t[c] = high
		}
	}
	for _, b := range []byte(" -.()+/\n\r\t") {
		t[b] |= phsep
	}
	for b := byte(escB); b <= escT; b++ {
		t[b] |= phsep
	}
	t['-'] |= hyphen
	t['_'] |= under
	t['.'] |= mailch
	t['+'] |= mailch
	return t
}()

// Bounds of tokens.
const (
	maxGap   = 4   // separators between two groups of a phone number
	maxPhone = 15  // digits of a group that may belong to one
	minWord  = 8   // bytes of a word
	maxWord  = 512 // longer runs are no ids but data
	maxMail  = 128 // bytes on either side of the @
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
	seen    int // tokens so far

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
	t.seen++
	if t.collect != nil {
		if r := &t.recent[token&1023]; *r != token {
			*r = token
			t.collect(token)
		}
	}
	if t.table == nil || t.table.has(token) {
		t.hits = append(t.hits, span{token, c, lo, hi})
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

// digits feeds the groups of digits in b[i:hi], a word from its first digit on, to the reader of phone numbers. It reports whether a group is too
// long for one.
func (t *tokenizer) digits(b []byte, i, hi int, all uint8) (long bool) {
	for i < hi {
		p, v := i, uint64(0)
		for i < hi && isDigit(b[i]) {
			if i-p < maxPhone {
				v = v*10 + uint64(b[i]-'0')
			}
			i++
		}
		if i-p > maxPhone {
			long = true
			t.end, t.count = -maxGap-1, 0
		} else {
			t.group(b, p, i, v)
		}
		if all&(hyphen|under) == 0 && i < hi {
			// what other digits there are in this word stand between letters
			t.end = -maxGap - 1
			return long
		}
		for i < hi && !isDigit(b[i]) {
			i++
		}
	}
	return long
}

// pow10 holds powers of ten.
var pow10 = [...]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10}

// group takes the digits b[p:q], of value v, into account.
func (t *tokenizer) group(b []byte, p, q int, v uint64) {
	n := q - p
	joined := p-t.end <= maxGap
	if joined {
		for _, c := range b[t.end:p] {
			if classes[c]&phsep == 0 {
				joined = false
				break
			}
		}
	}
	if !joined {
		if p > 0 && classes[b[p-1]]&(hexlet|letter) != 0 {
			t.end, t.count = -maxGap-1, 0 // glued to letters: no number begins here
			return
		}
		t.count, t.value, t.groups, t.dots, t.lastLen = 0, 0, 0, 0, 0
	}
	dotted := joined && p-t.end == 1 && b[p-1] == '.'
	t.starts[t.groups%len(t.starts)] = t.count
	t.groups++
	if n >= 10 {
		t.value = v % 1e10
	} else {
		t.value = (t.value*pow10[n] + v) % 1e10
	}
	t.count += n
	t.end = q

	// four small numbers with dots between
	if !dotted {
		t.dots = 0
	}
	if n <= 3 && v <= 255 {
		t.quad = t.quad<<8 | v
		t.dots++
		if t.dots >= 4 {
			t.emit(t.h.number(seedIP, t.quad&0xffffffff), ipToken, p, q)
		}
	} else {
		t.dots = 0
	}
	if dotted && n == 10 && t.lastLen >= 5 && t.lastLen <= 10 {
		t.emit(t.h.pair(seedGA, t.last, v), gaToken, p-1-t.lastLen, q)
	}
	t.last, t.lastLen = v, n

	if t.count < 7 || q < len(b) && !endsNumber(b[q]) {
		return
	}
	if t.count >= 10 {
		t.emit(t.h.number(seedPhone, t.value), phoneToken, p, q)
	}
	for g := max(0, t.groups-len(t.starts)); g < t.groups; g++ {
		if k := t.count - t.starts[g%len(t.starts)]; k >= 7 && k <= 9 {
			t.emit(t.h.pair(seedShort, t.value%pow10[k], uint64(k)), shortToken, p, q)
		}
	}
}

// endsNumber reports whether c may follow the last digit of a phone number: no
// letter, but those that begin an extension, a pause or an exponent.
func endsNumber(c byte) bool {
	switch c | 0x20 {
	case 'x', 'e', 'p', 'w':
		return true
	}
	return classes[c]&(hexlet|letter) == 0
}

// word emits the tokens of the word b[lo:hi], which has a digit or the first
// byte that an escape may have taken from it.
func (t *tokenizer) word(b []byte, lo, hi int, all uint8) {
	w := b[lo:hi]
	if all&(hyphen|under) == 0 {
		t.piece(b, lo, hi, all)
		return
	}
	if len(w) >= 36 {
		if len(w) == 36 && t.uuid(b, lo) {
			return
		}
		for i := 8; i+28 <= len(w); i++ {
			if w[i] == '-' && len(w) != 36 && t.uuid(b, lo+i-8) {
				i += 27
			}
		}
	}
	t.emit(t.h.text(seedWord, w), wordToken, lo, hi)
	// pieces between underscores, and those of letters and digits alone
	us, un := lo, uint8(0) // since the last underscore
	ps, pn := lo, uint8(0) // since the last separator
	for i := lo; i <= hi; i++ {
		c := uint8(under)
		if i < hi {
			c = classes[b[i]]
		}
		if c&(hyphen|under) != 0 {
			if i-ps >= minWord && pn&digit != 0 {
				t.piece(b, ps, i, pn)
			}
			ps, pn = i+1, 0
		}
		if c&under != 0 {
			if i-us >= minWord && un&digit != 0 && un&hyphen != 0 && i-us < hi-lo && !(i-us == 36 && isUUID(b[us:i])) {
				t.emit(t.h.text(seedWord, b[us:i]), wordToken, us, i)
			}
			us, un = i+1, 0
			continue
		}
		pn |= c
		un |= c
	}
}

// piece emits the token of letters and digits alone.
func (t *tokenizer) piece(b []byte, lo, hi int, all uint8) {
	switch {
	case all&alnum == digit && hi-lo <= maxPhone:
	case hi-lo == 32 && all&letter == 0:
		w := b[lo:hi]
		t.emit(t.quadOf(w[:8], w[8:16], w[16:24], w[24:32]), uuidToken, lo, hi)
	default:
		t.emit(t.h.text(seedWord, b[lo:hi]), wordToken, lo, hi)
	}
}

func (t *tokenizer) quadOf(a, b, c, d []byte) uint64 {
	return t.h.quad(seedUUID,
		binary.LittleEndian.Uint64(a)|lower8, binary.LittleEndian.Uint64(b)|lower8,
		binary.LittleEndian.Uint64(c)|lower8, binary.LittleEndian.Uint64(d)|lower8)
}

// uuid emits the UUID at b[i:], if there is one.
func (t *tokenizer) uuid(b []byte, i int) bool {
	if i+36 > len(b) || !isUUID(b[i:i+36]) {
		return false
	}
	u := b[i : i+36]
	var m [16]byte
	copy(m[:], u[9:13])
	copy(m[4:], u[14:18])
	copy(m[8:], u[19:23])
	copy(m[12:], u[24:28])
	t.emit(t.quadOf(u[:8], m[:8], m[8:], u[28:]), uuidToken, i, i+36)
	return true
}

// isUUID reports whether b, 36 bytes, is 8-4-4-4-12 hex digits.
func isUUID(b []byte) bool {
	if b[8] != '-' || b[13] != '-' || b[18] != '-' || b[23] != '-' {
		return false
	}
	for i, c := range b[:36] {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			continue
		}
		if classes[c]&(digit|hexlet) == 0 {
			return false
		}
	}
	return true
}

// mail emits the tokens of the address around the @ at b[at].
func (t *tokenizer) mail(b []byte, at int, scratch bool) {
	lo, lall := at, uint8(0)
	for lo > 0 && at-lo < maxMail && classes[b[lo-1]]&local != 0 {
		lo--
		lall |= classes[b[lo]]
	}
	hi, hall, dots := at+1, uint8(0), 0
	for hi < len(b) && hi-at <= maxMail {
		c := b[hi]
		if c == '.' {
			dots++
		} else if classes[c]&domain == 0 {
			break
		}
		hall |= classes[c]
		hi++
	}
	if lo == at || dots == 0 {
		return
	}
	if lo > 0 && scratch {
		if c := escLetter(b[lo-1]); c != 0 {
			sep := b[lo-1]
			b[lo-1] = c
			t.addresses(b, lo-1, at, hi, lall, hall)
			b[lo-1] = sep
		}
	}
	t.addresses(b, lo, at, hi, lall, hall)
}

// addresses emits the addresses that may be meant by b[lo:hi]: with what may
// have stood before the local part taken off, and likewise behind the domain.
func (t *tokenizer) addresses(b []byte, lo, at, hi int, lall, hall uint8) {
	t.domains(b, lo, at, hi, lall|hall, hall)
	if lo < at && strings.IndexByte(".-_+", b[lo]) >= 0 {
		for lo < at && strings.IndexByte(".-_+", b[lo]) >= 0 {
			lo++
		}
		if lo == at {
			return
		}
		t.domains(b, lo, at, hi, lall|hall, hall)
	}
	if k := bytes.LastIndexByte(b[lo:at], '+'); k >= 0 && lo+k+1 < at {
		t.domains(b, lo+k+1, at, hi, lall|hall, hall)
	}
	if lall&high != 0 {
		k := at
		for k > lo && b[k-1] < 0x80 {
			k--
		}
		if k < at && k > lo {
			t.domains(b, k, at, hi, hall, hall)
		}
	}
}

func (t *tokenizer) domains(b []byte, lo, at, hi int, all, hall uint8) {
	t.address(b, lo, at, hi, all)
	if hall&high != 0 {
		k := at + 1
		for k < hi && b[k] < 0x80 {
			k++
		}
		if k > at+1 {
			t.address(b, lo, at, k, all)
		}
	}
}

// address emits one address, and its mailbox if it is at Gmail.
func (t *tokenizer) address(b []byte, lo, at, hi int, all uint8) {
	for hi > at+1 && (b[hi-1] == '.' || b[hi-1] == '-') {
		hi--
	}
	dom := b[at+1 : hi]
	if bytes.IndexByte(dom, '.') < 0 {
		return
	}
	if all&high != 0 {
		a, ok := foldAddress(b[lo:at], dom)
		if !ok {
			return
		}
		t.emit(t.h.text(seedEmail, a), mailToken, lo, hi)
		return
	}
	t.emit(t.h.text(seedEmail, b[lo:hi]), mailToken, lo, hi)
	if isGmail(dom) {
		t.buf = appendMailbox(t.buf[:0], b[lo:at])
		t.emit(t.h.text(seedGmail, t.buf), gmailToken, lo, hi)
	}
}

func isGmail(dom []byte) bool {
	switch len(dom) {
	case len("gmail.com"):
		return bytes.EqualFold(dom, []byte("gmail.com"))
	case len("googlemail.com"):
		return bytes.EqualFold(dom, []byte("googlemail.com"))
	}
	return false
}

// appendMailbox appends the local part as Gmail reads it: no dots, no tag.
func appendMailbox(dst, local []byte) []byte {
	for _, c := range local {
		if c == '+' {
			break
		}
		if c != '.' {
			if c >= 'A' && c <= 'Z' {
				c |= 0x20
			}
			dst = append(dst, c)
		}
	}
	return dst
}

// foldAddress writes an address in lower case, its domain in punycode.
func foldAddress(local, dom []byte) ([]byte, bool) {
	l := bytes.Map(unicode.ToLower, norm.NFC.Bytes(local))
	if !utf8.Valid(l) || !utf8.Valid(dom) {
		return nil, false
	}
	d, err := idna.Lookup.ToASCII(strings.ToLower(string(dom)))
	if err != nil || !strings.Contains(d, ".") {
		return nil, false
	}
	return slices.Concat(l, []byte{'@'}, []byte(d)), true
}
