package identity

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"expunge/pipeline"
)

// group is a run of digits in a number.
type group struct{ lo, hi int }

// maxRead bounds how many digits before the token's end are looked at.
const maxRead = 24

// groupsBefore collects, from the left, the groups that may belong to the number
// that ends at end.
func groupsBefore(b []byte, end int) []group {
	var gs []group
	total := 0
	for hi := end; ; {
		lo := hi
		for lo > 0 && isDigit(b[lo-1]) {
			lo--
		}
		total += hi - lo
		if letterBefore(b, lo) || total > maxRead {
			break
		}
		gs = append(gs, group{lo, hi})
		k := lo
		for k > 0 && lo-k < maxGap && classes[b[k-1]]&phsep != 0 {
			k--
		}
		if k == lo || k == 0 || !isDigit(b[k-1]) {
			break
		}
		hi = k
	}
	for i, j := 0, len(gs)-1; i < j; i, j = i+1, j-1 {
		gs[i], gs[j] = gs[j], gs[i]
	}
	return gs
}

// nextGroup is the group after end, if separators alone stand between.
func nextGroup(b []byte, end int) (group, bool) {
	k := end
	for k < len(b) && k-end < maxGap && classes[b[k]]&phsep != 0 {
		k++
	}
	if k == end || k == len(b) || !isDigit(b[k]) {
		return group{}, false
	}
	hi := k
	for hi < len(b) && isDigit(b[hi]) {
		hi++
	}
	return group{k, hi}, true
}

// extension is what says that the digits behind it are one.
var extension = regexp.MustCompile(`(?i)^[ ,;]{0,2}(?:(?:ext(?:n|ension)?|x|#)[.: ]{0,2}|;ext=)(\d{1,7})(?:[^0-9A-Za-z]|$)`)

// digitsOf joins the digits of groups.
func digitsOf(b []byte, gs []group) string {
	var out []byte
	for _, g := range gs {
		out = append(out, b[g.lo:g.hi]...)
	}
	return string(out)
}

// plusBefore reports whether a plus stands before the group, perhaps with a
// parenthesis or a space between, and where.
func plusBefore(b []byte, g group) (int, bool) {
	for k := g.lo; k > 0 && g.lo-k < 3; k-- {
		switch b[k-1] {
		case '+':
			return k - 1, true
		case ' ', '(':
		default:
			return 0, false
		}
	}
	return 0, false
}

// confirmPhone reads the number that ends at the token and compares it.
func (f *Finder) confirmPhone(l *leaf, s span, n *Needle) (found, bool) {
	b, want := l.text, n.Canon.Value.Reveal()
	if digits := keypad(b[s.lo:s.hi]); digits != "" {
		same := slices.ContainsFunc(f.readings(digits, false), func(r reading) bool { return r.e164 == want })
		if !same || !apart(b, s.lo, s.hi) || n.Canon.Ext != "" {
			return found{}, false
		}
		return l.judge(spot{lo: s.lo, hi: s.hi}, pipeline.Phone, pipeline.Normalised, "phone.vanity")
	}
	ext, after := "", s.hi
	if m := extension.FindSubmatchIndex(b[s.hi:]); m != nil {
		ext, after = string(b[s.hi+m[2]:s.hi+m[3]]), s.hi+m[3]
	} else if letterAfter(b, s.hi) {
		return found{}, false
	}
	if has := n.Canon.Ext.Reveal(); has != "" && ext != "" && has != ext {
		return found{}, false
	}
	gs := groupsBefore(b, s.hi)
	if len(gs) == 0 {
		return found{}, false
	}
	// a service code before the number is no part of it
	if g := gs[0]; g.lo > 0 && b[g.lo-1] == '*' && g.hi-g.lo >= 2 {
		if gs[0].lo += 2; gs[0].lo == gs[0].hi {
			gs = gs[1:]
		}
	}
	sp, rule, ok := spot{}, "", false
	like, never := "", false
	trunkless := false
	longer := false // perhaps this is the end of a longer number without its plus
	for i := range gs {
		at, plus := plusBefore(b, gs[i])
		spaced := plus && l.url // perhaps a space, form-encoded
		digits := digitsOf(b, gs[i:])
		if len(digits) < 7 {
			break
		}
		if sentinel(digits) {
			return found{}, false
		}
		readings := f.readings(digits, plus)
		if spaced && (len(readings) == 0 || !readings[0].valid) {
			readings = append(readings, f.readings(digits, false)...)
		}
		other := false
		for k, r := range readings {
			if r.e164 == want && !(r.contested && nationally(gs[i:])) {
				sp = spot{lo: gs[i].lo, hi: after, doubt: !r.sure && k > 0}
				trunkless = r.trunkless
				if plus {
					sp.lo = at
				}
				rule, ok = phoneRule(b[sp.lo:s.hi], digits, want, plus), true
				break
			}
			other = other || r.sure && (r.valid || plus && !spaced)
		}
		if ok {
			if other {
				sp.doubt = true
			}
			if i > 0 && (glued(b, gs[i-1].hi, sp.lo) || f.runsOn(b, gs[:i], gs[i-1].hi, gs[i].lo)) {
				sp.doubt = true
			}
			if like, never = l.lookalike(gs[i:], sp.lo, trunkless); never {
				return found{}, false
			}
			if len(gs)-i > maxGroups || like != "" {
				sp.doubt = true
			}
			break
		}
		if other {
			return found{}, false // a longer number, and another one
		}
		longer = longer || plus && !spaced
		for _, r := range readings {
			if r.valid {
				longer = true
			}
		}
	}
	if !ok {
		return found{}, false
	}
	sp.doubt = sp.doubt || longer
	if g, more := nextGroup(b, s.hi); more && ext == "" {
		if digits := digitsOf(b, append(gs[firstAt(gs, sp.lo):], g)); len(digits) <= maxPhone+2 {
			for _, r := range f.readings(digits, rule == "phone.e164" || rule == "phone.international") {
				if r.valid && r.sure && r.e164 != want {
					return found{}, false // the number goes on
				}
			}
		}
		if glued(b, s.hi, g.lo) || f.runsOn(b, groupsAfter(b, s.hi), s.hi, g.lo) {
			sp.doubt = true
		}
	}
	if like != "" {
		rule += "." + like
	}
	if ext != "" {
		rule += ".ext"
	} else if n.Canon.Ext != "" {
		sp.doubt = true // the switchboard, not the person's extension
	}
	tier := pipeline.Normalised
	if l.isExact(want) || l.isExact("+"+want) {
		tier = pipeline.Exact
	}
	return l.judge(sp, pipeline.Phone, tier, rule)
}

// nationally reports whether groups of digits are those of a national number: no country's
// code stands first, nor do all digits stand together.
func nationally(gs []group) bool { return len(gs) > 1 && gs[0].hi-gs[0].lo > 2 }

// dialled is what was read of a number.
type dialled struct {
	digits string
	plus   bool
}

// maxRemembered is how many numbers a Finder remembers the readings of.
const maxRemembered = 1 << 10

// readings is readPhone, which is slow: a record has most of its numbers in several
// writings, and its neighbours have them, too.
func (f *Finder) readings(digits string, plus bool) []reading {
	d := dialled{digits, plus}
	if rs, ok := f.dialled[d]; ok {
		return rs
	}
	if f.dialled == nil || len(f.dialled) == maxRemembered {
		f.dialled = make(map[dialled][]reading)
	}
	rs := slices.Clip(readPhone(digits, plus, f.s.region))
	f.dialled[d] = rs
	return rs
}

// firstAt is the index of the first group at or after lo.
func firstAt(gs []group, lo int) int {
	for i, g := range gs {
		if g.lo >= lo {
			return i
		}
	}
	return len(gs) - 1
}

// maxGroups is in how many groups of digits people write a number at most.
const maxGroups = 7

// quantity reports whether the number in the groups gs, which with its sign begins at lo,
// counts or measures something, or is a time: it is written with a decimal point, with a
// currency or percent sign, or below zero, or in digits alone in a field of which no kind
// is declared and whose name says so, or in one of ids that programs number.
func (l *leaf) quantity(gs []group, lo int) bool {
	b, kind := l.text, pipeline.Kind("")
	if l.field != nil {
		kind = l.field.Kind
	}
	if len(gs) == 1 && lo == gs[0].lo && (numbered(kind) || kind == "" && l.plain(gs[0]) && (l.time || measures(l.named(lo)))) {
		return true
	}
	if len(gs) == 2 && gs[1].lo-gs[0].hi == 1 && b[gs[0].hi] == '.' {
		return true
	}
	return lo > 0 && b[lo-1] == '-' && !letterBefore(b, lo-1) || measured(b, lo, gs[len(gs)-1].hi)
}

// measured reports whether a currency or percent sign stands beside b[lo:hi].
func measured(b []byte, lo, hi int) bool {
	before, _ := utf8.DecodeLastRune(bytes.TrimRight(b[:lo], " "))
	after, _ := utf8.DecodeRune(bytes.TrimLeft(b[hi:], " "))
	return unicode.Is(unicode.Sc, before) || unicode.Is(unicode.Sc, after) || after == '%'
}

// plain reports whether the digits of g are all that stands there, but for other items of
// a list: a time is not written with the signs of a phone.
func (l *leaf) plain(g group) bool {
	if l.url && g.lo > 0 && l.text[g.lo-1] == '=' {
		return true
	}
	return !bytes.ContainsFunc(l.text, func(r rune) bool {
		return !unicode.IsDigit(r) && !unicode.IsSpace(r) && !strings.ContainsRune(`,;|"'[]`, r)
	})
}

// runsOn reports whether a number goes on in gs, groups of digits before or behind it,
// over the blanks from one to another: they are few digits, and no number by themselves.
func (f *Finder) runsOn(b []byte, gs []group, from, to int) bool {
	for _, c := range b[from:to] {
		if c != ' ' {
			return false
		}
	}
	for i := range gs {
		for k := i + 1; k <= len(gs); k++ {
			if digits := digitsOf(b, gs[i:k]); len(digits) >= 7 {
				if _, plus := plusBefore(b, gs[i]); slices.ContainsFunc(f.readings(digits, plus), func(r reading) bool { return r.valid }) {
					return false // a list
				}
			}
		}
	}
	return len(gs) > 0
}

// groupsAfter collects the groups that may go on with a number that ends at end.
func groupsAfter(b []byte, end int) []group {
	var gs []group
	for total := 0; total <= maxRead; {
		g, more := nextGroup(b, end)
		if !more {
			break
		}
		total, end = total+g.hi-g.lo, g.hi
		gs = append(gs, g)
	}
	return gs
}

// glued reports whether only a hyphen, a dot or a slash stands between two groups, so
// that they may be one longer number or code.
func glued(b []byte, from, to int) bool {
	return to-from == 1 && (b[from] == '-' || b[from] == '.' || b[from] == '/')
}

func phoneRule(text []byte, digits, want string, plus bool) string {
	bare := true
	for i, c := range text {
		if !isDigit(c) && (i > 0 || c != '+') {
			bare = false
		}
	}
	switch {
	case plus && bare:
		return "phone.e164"
	case plus:
		return "phone.international"
	case digits == want && bare:
		return "phone.digits"
	case len(digits) > len(want) || len(digits) > 2 && digits[:2] == "00":
		return "phone.idd"
	}
	return "phone.national"
}
