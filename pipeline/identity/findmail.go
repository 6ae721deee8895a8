package identity

import (
	"bytes"
	"strings"

	"expunge/pipeline"
)

// confirmEmail confirms an address at the token s, which may be shorter than the
// address where this holds unusual characters.
func confirmEmail(l *leaf, s span, n *Needle) (found, bool) {
	want := n.Canon.Value.Reveal()
	if said := l.text[s.lo:s.hi]; bytes.IndexByte(said, '@') < 0 {
		return found{pipeline.Review, "email.spoken", s.lo, s.hi}, string(appendSpoken(nil, said)) == want && apart(l.text, s.lo, s.hi)
	}
	sp, exact, ok := l.address(s, want)
	if !ok {
		return found{}, false
	}
	rule := "email.lower"
	tier := pipeline.Normalised
	switch {
	case l.isExact(want):
		rule, tier = "email.exact", pipeline.Exact
	case bytes.IndexByte(l.value, '%') >= 0 && bytes.IndexByte(l.text, '%') < 0:
		rule = "email.percent"
	case !exact:
		rule = "email.idn"
	}
	return l.judge(sp, pipeline.Email, tier, rule)
}

// address locates want around the token s, with its surroundings judged. plain
// says that it stands in ASCII.
func (l *leaf) address(s span, want string) (sp spot, plain, ok bool) {
	b := l.text
	lo, hi := s.hi-len(want), s.hi
	plain = lo >= 0 && lo <= s.lo && strings.EqualFold(string(b[lo:hi]), want)
	if !plain {
		lo = s.lo
		at := bytes.IndexByte(b[lo:hi], '@')
		if at < 0 {
			return spot{}, false, false
		}
		a, valid := foldAddress(b[lo:lo+at], b[lo+at+1:hi])
		if !valid || string(a) != want {
			return spot{}, false, false
		}
	}
	sp = spot{lo: lo, hi: hi}
	if hi < len(b) && b[hi] == '@' {
		return spot{}, false, false
	}
	// what else could belong to the domain
	end := hi
	for end < len(b) && (b[end] == '.' || classes[b[end]]&domain != 0) {
		end++
	}
	for end > hi && (b[end-1] == '.' || b[end-1] == '-') {
		end--
	}
	switch dom := bytes.LastIndexByte(b[:hi], '@') + 1; {
	case end == hi:
	case b[hi] == '-' && dom+domainEnd(b[dom:end]) == hi:
		sp.doubt = true
	case b[hi] == '.' || b[hi] == '-':
		return spot{}, false, false
	}
	if letterAfter(b, hi) {
		sp.doubt = true
	}
	if lo == 0 {
		return sp, plain, true
	}
	c := b[lo-1]
	switch {
	case c == '+':
		// a space in a form-encoded text, or the tag of another mailbox
		if !l.url {
			return spot{}, false, false
		}
	case classes[c]&alnum != 0:
		return spot{}, false, false
	case letterBefore(b, lo), strings.IndexByte("._-", c) >= 0:
		sp.doubt = true
	case strings.IndexByte("!#$%*^`{}~'", c) >= 0 && lo > 1 && isAlnum(b[lo-2]):
		sp.doubt = true // perhaps the end of a longer local part: o'brien@
	}
	return sp, plain, true
}

// confirmGmail finds other addresses of the same mailbox at Gmail, which ignores
// dots and tags. Whether they are one person's is the account's to decide.
func confirmGmail(l *leaf, s span, n *Needle) (found, bool) {
	want := n.Canon.Value.Reveal()
	local, _, _ := strings.Cut(want, "@")
	if said := l.text[s.lo:s.hi]; bytes.IndexByte(said, '@') < 0 {
		said = appendSpoken(nil, said)
		mailbox := appendMailbox(nil, said[:bytes.IndexByte(said, '@')])
		return found{pipeline.Review, "email.gmail", s.lo, s.hi}, string(said) != want && string(mailbox) == string(appendMailbox(nil, []byte(local)))
	}
	at := bytes.IndexByte(l.text[s.lo:s.hi], '@')
	if at < 0 || string(appendMailbox(nil, l.text[s.lo:s.lo+at])) != string(appendMailbox(nil, []byte(local))) {
		return found{}, false
	}
	if bytes.EqualFold(l.text[s.lo:s.hi], []byte(want)) {
		return found{}, false // the address itself
	}
	if letterBefore(l.text, s.lo) || letterAfter(l.text, s.hi) {
		return found{}, false
	}
	return found{pipeline.Review, "email.gmail", s.lo, s.hi}, true
}
