package identity

import (
	"net/netip"

	"expunge/pipeline"
)

// lookalike says what else than a phone number the groups gs of digits may be, which with
// their sign begin at lo: "date", "address", "quantity", or any number at all: "trunkless",
// if people would write the phone with a trunk prefix. It is "" for a phone as people write
// it. never is set where the place leaves no doubt that they are no phone.
func (l *leaf) lookalike(gs []group, lo int, trunkless bool) (as string, never bool) {
	b, phone, ip := l.text, false, false
	if l.field != nil {
		phone, ip = l.field.Kind == pipeline.Phone, l.field.Kind == pipeline.IP
	}
	if b[lo] != '+' {
		if at, ok := dateIn(b, gs); ok && !(phone && at.bare) {
			return "date", !phone && (l.time || moment(b, at))
		}
	}
	switch {
	case phone:
		return "", false
	case b[lo] != '+' && ip && l.inAddress(gs[0]):
		return "address", true
	case b[lo] != '+' && (octets(b, gs) || ip && dotted(b, gs)):
		return "address", false
	case l.quantity(gs, lo):
		return "quantity", l.time
	case trunkless && len(gs) == 1 && lo == gs[0].lo && (l.url || l.plain(gs[0])):
		return "trunkless", l.time
	}
	return "", false
}

// inAddress reports whether the digits of g are part of an IP address of four numbers.
func (l *leaf) inAddress(g group) bool {
	lo, hi := g.lo, g.hi
	for lo > 0 && (isDigit(l.text[lo-1]) || l.text[lo-1] == '.') {
		lo--
	}
	for hi < len(l.text) && (isDigit(l.text[hi]) || l.text[hi] == '.') {
		hi++
	}
	a, err := netip.ParseAddr(string(l.text[lo:hi]))
	return err == nil && a.Is4()
}

// octets reports whether groups of digits are written as an IP address is, or a version: at
// least four numbers up to 255, with dots between. A zero before the first of them is a
// trunk prefix: 01.23.45.67.89, 02.123.45.67.
func octets(b []byte, gs []group) bool {
	if len(gs) < 4 || b[gs[0].lo] == '0' && gs[0].hi-gs[0].lo > 1 || !dotted(b, gs) {
		return false
	}
	for _, g := range gs {
		if g.hi-g.lo > 3 || decimal(b, g.lo, g.hi) > 255 {
			return false
		}
	}
	return true
}

// dotted reports whether single dots stand between groups of digits, and nothing else. It
// is so of one group.
func dotted(b []byte, gs []group) bool {
	for i := 1; i < len(gs); i++ {
		if gs[i].lo-gs[i-1].hi != 1 || b[gs[i-1].hi] != '.' {
			return false
		}
	}
	return true
}
