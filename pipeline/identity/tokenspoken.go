package identity

import (
	"bytes"
	"strings"
)

// spokenDot is what a transcript has for the dot of an address. No address is without.
var spokenDot = []byte(" dot ")

// connectors are what a transcript has within the local part of an address.
var connectors = []struct{ said, meant string }{{" dot ", "."}, {" underscore ", "_"}, {" dash ", "-"}, {" hyphen ", "-"}, {" plus ", "+"}}

// spoken emits the tokens of addresses in words: jane dot doe at example dot com.
func (t *tokenizer) spoken(b []byte) {
	for from := 0; ; {
		i := bytes.Index(b[from:], spokenDot)
		if i < 0 {
			return
		}
		from += i + len(spokenDot) - 1 // the blank may begin another
		lo, hi, ok := spokenAround(b, from+1)
		if !ok {
			continue
		}
		t.buf = appendSpoken(t.buf[:0], b[lo:hi])
		at := bytes.IndexByte(t.buf, '@')
		t.emit(t.h.text(seedEmail, t.buf), mailToken, lo, hi)
		if dom := t.buf[at+1:]; isGmail(dom) {
			mailbox := appendMailbox(nil, t.buf[:at])
			t.emit(t.h.text(seedGmail, mailbox), gmailToken, lo, hi)
		}
	}
}

// spokenAround is where the address in words lies whose last label begins at last,
// behind a dot. ok is false where there is none, or last is not its last label.
func spokenAround(b []byte, last int) (lo, hi int, ok bool) {
	hi = saidEnd(b, last)
	for hi > last && strings.IndexByte("._-", b[hi-1]) >= 0 {
		hi--
	}
	if hi == last || bytes.HasPrefix(b[hi:], spokenDot) && saidEnd(b, hi+len(spokenDot)) > hi+len(spokenDot) {
		return 0, 0, false
	}
	lo = last
	for bytes.HasSuffix(b[:lo], spokenDot) { // the labels before it
		end := lo - len(spokenDot)
		if lo = saidBegin(b, end); lo == end || hi-lo > maxMail {
			return 0, 0, false
		}
	}
	const at = " at "
	if !bytes.HasSuffix(b[:lo], []byte(at)) {
		return 0, 0, false
	}
	end := lo - len(at)
	if lo = saidBegin(b, end); lo == end {
		return 0, 0, false
	}
	for {
		next := lo
		for _, c := range connectors {
			if bytes.HasSuffix(b[:lo], []byte(c.said)) {
				end := lo - len(c.said)
				if begin := saidBegin(b, end); begin < end {
					next = begin
				}
				break
			}
		}
		if next == lo || hi-next > maxMail {
			break
		}
		lo = next
	}
	for lo < hi && strings.IndexByte("._-", b[lo]) >= 0 {
		lo++
	}
	return lo, hi, hi-lo <= maxMail && isAlnum(b[lo])
}

// said reports whether c may stand in a word of a spoken address.
func said(c byte) bool { return isAlnum(c) || c == '.' || c == '_' || c == '-' }

func saidBegin(b []byte, i int) int {
	for i > 0 && said(b[i-1]) {
		i--
	}
	return i
}

func saidEnd(b []byte, i int) int {
	for i < len(b) && said(b[i]) {
		i++
	}
	return i
}

// appendSpoken appends the address that b, which spokenAround has found, is in words.
func appendSpoken(dst, b []byte) []byte {
	local, domain, _ := strings.Cut(strings.ToLower(string(b)), " at ")
	for _, c := range connectors {
		local = strings.ReplaceAll(local, c.said, c.meant)
	}
	return append(append(append(dst, local...), '@'), strings.ReplaceAll(domain, " dot ", ".")...)
}

// Letters of a number are keys of a telephone: 1-800-FLOWERS.
const keys = "22233344455566677778889999"

// keypad is the national or international number, of ten digits or of eleven, that w
// is in letters from behind its area code on; "" if it is none.
func keypad(w []byte) string {
	var out []byte
	letters := 0
	for _, c := range w {
		switch {
		case c == '-':
		case isDigit(c):
			out = append(out, c)
		case isAlnum(c):
			if n := len(out); n < 3 || n < 4 && out[0] == '1' {
				return "" // no area code
			}
			letters++
			out = append(out, keys[c|0x20-'a'])
		default:
			return ""
		}
	}
	if letters < 3 || len(out) != 10 && (len(out) != 11 || out[0] != '1') {
		return ""
	}
	return string(out)
}

const minVanity, maxVanity = 11, 16 // bytes of 800-FLOWERS and 1-800-FLO-WE-RS

// vanity emits the token of a number in letters, if the word b[lo:hi] with hyphens is one.
func (t *tokenizer) vanity(b []byte, lo, hi int) {
	if n := hi - lo; n < minVanity || n > maxVanity || !isDigit(b[lo]) || lo > 0 && b[lo-1] == '.' {
		return
	}
	number := keypad(b[lo:hi])
	if number == "" {
		return
	}
	v := uint64(0)
	for _, c := range []byte(number[len(number)-10:]) {
		v = v*10 + uint64(c-'0')
	}
	t.emit(t.h.number(seedPhone, v), phoneToken, lo, hi)
}
