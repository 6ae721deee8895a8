package identity

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

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
	if cut := domainEnd(b[at+1 : hi]); at+1+cut < hi {
		t.address(b, lo, at, at+1+cut, all)
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
		token := t.h.text(seedEmail, a)
		t.emit(token, mailToken, lo, hi)
		if t.given.mails {
			t.hashedMail(token, a, lo, hi)
		}
		return
	}
	token := t.h.text(seedEmail, b[lo:hi])
	t.emit(token, mailToken, lo, hi)
	if t.given.mails {
		t.hashedMail(token, t.lower(b[lo:hi]), lo, hi)
		if k := wider(b, lo); k < lo && b[lo-1] < 0x80 && classes[b[lo-1]]&local == 0 {
			t.hashedMail(t.h.text(seedEmail, b[k:hi]), t.lower(b[k:hi]), lo, hi)
		}
	}
	if isGmail(dom) {
		t.buf = appendMailbox(t.buf[:0], b[lo:at])
		t.emit(t.h.text(seedGmail, t.buf), gmailToken, lo, hi)
	}
}

// lower is b with its ASCII letters in lower case, until the next address is read.
func (t *tokenizer) lower(b []byte) []byte {
	t.buf = append(t.buf[:0], b...)
	for i, c := range t.buf {
		if c >= 'A' && c <= 'Z' {
			t.buf[i] = c | 0x20
		}
	}
	return t.buf
}

// domainEnd is where a domain ends that something is glued to by a hyphen, as keys of
// two parts are: jane@example.com-826724. No last label has one, but those in punycode.
// It is len(dom) where nothing is glued.
func domainEnd(dom []byte) int {
	dot := bytes.LastIndexByte(dom, '.')
	if label := dom[dot+1:]; dot > 0 && !punycode(label) {
		if k := bytes.IndexByte(label, '-'); k > 0 {
			return dot + 1 + k
		}
	}
	return len(dom)
}

func punycode(label []byte) bool {
	return len(label) >= 4 && bytes.EqualFold(label[:4], []byte("xn--"))
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
