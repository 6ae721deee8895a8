package identity

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"expunge/pipeline"
	"expunge/scanners"
)

// RuleName is that of a name in a field of names. By itself it finds nobody; it confirms.
const RuleName = "name.folded"

// found is how one needle was found in one leaf.
type found struct {
	tier   pipeline.Tier
	rule   string
	lo, hi int // where, in the text of the leaf
}

// Find implements scanners.Finder.
func (f *Finder) Find(dst []scanners.Match, path string, value []byte) []scanners.Match {
	d, asked := f.asked(path)
	if !asked {
		return dst
	}
	return f.find(dst, d, path, value)
}

// leaf is a decoded value, as the confirming rules look at it.
type leaf struct {
	field *pipeline.Field // nil: undeclared
	path  string
	value []byte // as the scanner gave it
	text  []byte // decoded further, as tokens see it
	put   int    // before which byte of text a backslash was put back; 0: none was
	url   bool   // a URL, a path or a query, as a whole
	time  bool   // the field that dates the record
	third bool   // a field that by its name is another party's
}

// unescaped is the leaf as the token s reads it: where s begins with a letter that
// the decoder took for part of an escape, backslash and letter are put back.
func (l *leaf) unescaped(s *span) *leaf {
	c := escLetter(l.text[s.lo])
	if c == 0 {
		return l
	}
	m := *l
	m.text = slices.Concat(l.text[:s.lo], []byte{'\\', c}, l.text[s.lo+1:])
	s.lo, s.hi = s.lo+1, s.hi+1
	m.put = s.lo
	return &m
}

// decoded is a place in the text, as it was decoded: before backslashes were put back.
func (l *leaf) decoded(i int) int {
	if l.put > 0 && i >= l.put {
		return i - 1
	}
	return i
}

// spot is where in a leaf something was found, and how sure that place makes it.
type spot struct {
	lo, hi int
	doubt  bool // its surroundings leave doubt
}

func (f *Finder) find(dst []scanners.Match, d *pipeline.Field, path string, value []byte) []scanners.Match {
	if len(value) == 0 {
		return dst
	}
	text := f.d.decode(value)
	f.t.hits = f.t.hits[:0]
	f.t.scan(text, f.d.marks)
	agent := false
	if d != nil && (!f.o.EveryParty || path == KeyPath) {
		switch d.Party {
		case pipeline.Consumer:
		case pipeline.Agent:
			agent = true
			if !f.o.Agents {
				return dst
			}
		default:
			return dst
		}
	}
	clear(f.best)
	f.order = f.order[:0]
	l := &leaf{field: d, path: path, value: value, text: text, url: isURL(value), time: path != "" && path == f.o.Time, third: thirdParty(path)}
	if d != nil && d.Kind != "" && len(f.s.needles) > 0 {
		f.declared(l, agent)
	}
	for _, s := range f.t.hits {
		here := l.unescaped(&s)
		for _, r := range f.s.table.find(s.token) {
			fm := f.s.forms[r.form]
			n := &f.s.needles[fm.needle]
			if n.Agent != agent || f.o.Account != "" && n.Account != f.o.Account {
				continue
			}
			confirm := f.confirm
			switch {
			case s.hashed && (fm.what != asDigest || n.Past != nil || !n.Canon.Hashed()):
				continue // its own writings tell
			case s.hashed:
				confirm = func(l *leaf, s span, _ form, n *Needle) (found, bool) { return f.confirmGiven(l, s, n) }
			case n.Past != nil:
				confirm = f.confirmPast
			}
			if hit, ok := confirm(here, s, fm, n); ok {
				f.note(fm.needle, n, hit)
				if f.spot != nil {
					f.spot(fm.needle, scanners.Span{Start: f.d.source(here.decoded(hit.lo)), End: f.d.source(here.decoded(hit.hi))})
				}
			}
		}
	}
	for _, i := range f.order {
		hit := f.best[i]
		dst = append(dst, scanners.Match{
			Needle: i, Path: path, Kind: string(f.s.needles[i].Canon.Kind), Rule: hit.rule, Tier: string(hit.tier),
		})
	}
	return dst
}

// note keeps the surest way in which a needle was found in the leaf.
func (f *Finder) note(i uint32, n *Needle, hit found) {
	if n.Canon.Doubt {
		hit.tier = pipeline.Review
	}
	if n.Tier == pipeline.Linked && hit.tier.Automatic() {
		hit.tier = pipeline.Linked
	}
	if n.Tier == pipeline.Hashed && hit.tier.Surer(pipeline.Hashed) {
		hit.tier = pipeline.Hashed
	}
	old, ok := f.best[i]
	if !ok {
		f.order = append(f.order, i)
	} else if !hit.tier.Surer(old.tier) {
		return
	}
	f.best[i] = hit
}

// declared looks for needles of the field's own kind by equality.
func (f *Finder) declared(l *leaf, agent bool) {
	kind := l.field.Kind
	look := func(i uint32, hit found) {
		n := &f.s.needles[i]
		if n.Agent == agent && (f.o.Account == "" || n.Account == f.o.Account) {
			f.note(i, n, hit)
			if f.spot != nil {
				f.spot(i, idSpan(l.field, l.value))
			}
		}
	}
	if kind == pipeline.Name {
		for _, i := range f.s.names[foldName(string(l.value))] {
			look(i, found{tier: pipeline.Review, rule: RuleName})
		}
		return
	}
	if !idKind(kind) || !f.s.kinds[kind] {
		return
	}
	id := extract(l.field, l.value)
	if id == "" {
		return
	}
	hit := found{tier: pipeline.Exact, rule: string(kind) + ".exact"}
	switch {
	case kind == pipeline.IP:
		hit = found{tier: pipeline.Review, rule: "ip"} // shared and dynamic: never the only ground
	case l.field.Text:
		hit = found{tier: pipeline.Mention, rule: string(kind) + ".text"}
	case l.field.Pattern == nil && string(l.value) != id:
		hit = found{tier: pipeline.Normalised, rule: string(kind) + ".normalised"}
	}
	for _, r := range f.s.table.find(f.s.h.exact(seedKind, string(kind), []byte(id))) {
		fm := f.s.forms[r.form]
		if n := &f.s.needles[fm.needle]; fm.what == asField && n.Canon.Kind == kind && n.is(id) {
			look(fm.needle, hit)
		}
	}
}

// confirm decides whether the token at s really is the form of a needle.
func (f *Finder) confirm(l *leaf, s span, fm form, n *Needle) (found, bool) {
	switch fm.what {
	case asPhone:
		return f.confirmPhone(l, s, n)
	case asEmail:
		return confirmEmail(l, s, n)
	case asGmail:
		return confirmGmail(l, s, n)
	case asText:
		return l.confirmText(s, int(fm.off), f.want(n), n)
	case asUUID:
		if h, ok := hex32(string(l.text[s.lo:s.hi])); !ok || h != n.Canon.Value.Reveal() || !apart(l.text, s.lo, s.hi) {
			return found{}, false
		}
		tier := pipeline.Normalised
		if l.isExact(n.Canon.Value.Reveal()) {
			tier = pipeline.Exact
		}
		return l.judgeID(spot{lo: s.lo, hi: s.hi}, n.Canon.Kind, tier, "uuid")
	case asGA:
		return confirmGA(l, s, n)
	case asIP:
		return confirmIP(l, s, n)
	case asDigest:
		return l.confirmDigest(s, int(fm.off), n.digestText(fm.digest), fm.digest.enc, n.digestRule(fm.digest), n)
	}
	return found{}, false
}

// confirmDigest confirms a digest by its text, as a whole word.
func (l *leaf) confirmDigest(s span, off int, want string, enc uint8, rule string, n *Needle) (found, bool) {
	lo := s.lo - off
	hi := lo + len(want)
	if lo < 0 || hi > len(l.text) || !apart(l.text, lo, hi) {
		return found{}, false
	}
	got := l.text[lo:hi]
	if enc == encHex && !bytes.EqualFold(got, []byte(want)) || enc != encHex && string(got) != want {
		return found{}, false
	}
	for hi < len(l.text) && l.text[hi] == '=' {
		hi++
	}
	return l.judge(spot{lo: lo, hi: hi}, n.Canon.Kind, pipeline.Hashed, rule)
}

// confirmText confirms an id by its text, as a whole word.
func (l *leaf) confirmText(s span, off int, want string, n *Needle) (found, bool) {
	lo := s.lo - off
	hi := lo + len(want)
	if lo < 0 || hi > len(l.text) || string(l.text[lo:hi]) != want || !apart(l.text, lo, hi) {
		return found{}, false
	}
	tier := pipeline.Normalised
	if l.isExact(n.Canon.Value.Reveal()) {
		tier = pipeline.Exact
	}
	sp := spot{lo: lo, hi: hi}
	if digits(want) {
		// digits alone say too little outside a field of their kind
		if l.field != nil && l.field.Kind != "" || !l.whole(lo, hi) {
			return found{}, false
		}
		sp.doubt = true
	}
	return l.judgeID(sp, n.Canon.Kind, tier, "word")
}

// want is a needle's text as the decoder shows it.
func (f *Finder) want(n *Needle) string {
	var d decoder
	return string(d.decode([]byte(n.Canon.Value.Reveal())))
}

func confirmGA(l *leaf, s span, n *Needle) (found, bool) {
	want := n.Canon.Value.Reveal()
	b := l.text
	if string(b[s.lo:s.hi]) != want {
		return found{}, false
	}
	lo := s.lo
	rule := "ga.id"
	// a cookie: "GA1.2." before it, and nothing more behind
	if lo > 0 && b[lo-1] == '.' {
		k := lo - 1
		for k > 0 && isDigit(b[k-1]) {
			k--
		}
		if k == lo-1 || k < 4 || b[k-1] != '.' || !isDigit(b[k-2]) || !bytes.EqualFold(b[k-4:k-2], []byte("GA")) {
			return found{}, false
		}
		lo, rule = k-4, "ga.cookie"
	}
	if !apart(b, lo, s.hi) || s.hi+1 < len(b) && b[s.hi] == '.' && isAlnum(b[s.hi+1]) {
		return found{}, false
	}
	tier := pipeline.Normalised
	if l.isExact(want) {
		tier = pipeline.Exact
	}
	return l.judgeID(spot{lo: lo, hi: s.hi}, n.Canon.Kind, tier, rule)
}

// ipStart is where the dotted address that ends at hi begins.
func ipStart(b []byte, hi int) int {
	lo := hi
	for dots := 0; lo > 0 && (isDigit(b[lo-1]) || b[lo-1] == '.' && dots < 3); lo-- {
		if b[lo-1] == '.' {
			dots++
		}
	}
	return lo
}

func confirmIP(l *leaf, s span, n *Needle) (found, bool) {
	b := l.text
	lo := ipStart(b, s.hi)
	a, err := netip.ParseAddr(string(b[lo:s.hi]))
	if err != nil || a.String() != n.Canon.Value.Reveal() {
		return found{}, false
	}
	if lo > 0 && (b[lo-1] == '.' || isAlnum(b[lo-1])) || s.hi+1 < len(b) && b[s.hi] == '.' && isAlnum(b[s.hi+1]) || s.hi < len(b) && isAlnum(b[s.hi]) {
		return found{}, false
	}
	return found{pipeline.Review, "ip", lo, s.hi}, true
}

// judge turns what was found into a tier: sure where the value is the
// identifier, a mention where it stands among other words.
func (l *leaf) judge(s spot, kind pipeline.Kind, tier pipeline.Tier, rule string) (found, bool) {
	switch {
	case s.doubt:
		tier = pipeline.Review
	case l.field != nil && l.field.Text:
		tier = pipeline.Mention
	case l.field == nil && l.third:
		tier, rule = pipeline.Review, rule+".third_party"
	case l.field != nil && l.field.Kind == kind:
	case l.whole(s.lo, s.hi):
	case l.url && l.parameter(s.lo, s.hi):
		rule += ".url"
	default:
		tier = pipeline.Mention
	}
	return found{tier, rule, s.lo, s.hi}, true
}

// judgeID is judge of an id. Counters and names of different things are often alike: in a
// field of another kind it is perhaps something else's.
func (l *leaf) judgeID(s spot, kind pipeline.Kind, tier pipeline.Tier, rule string) (found, bool) {
	if l.field != nil && l.field.Kind != kind && idKind(l.field.Kind) {
		s.doubt, rule = true, rule+".other_kind"
	}
	return l.judge(s, kind, tier, rule)
}

// isExact reports whether the value is the canonical form, byte for byte.
func (l *leaf) isExact(canon string) bool { return string(l.value) == canon }

// apart reports whether b[lo:hi] stands alone: no letter or digit at its sides.
func apart(b []byte, lo, hi int) bool {
	return !letterBefore(b, lo) && !letterAfter(b, hi)
}

func letterBefore(b []byte, i int) bool {
	if i <= 0 {
		return false
	}
	if b[i-1] < 0x80 {
		return isAlnum(b[i-1])
	}
	r, _ := utf8.DecodeLastRune(b[:i])
	return unicode.IsLetter(r) || unicode.IsDigit(r)
}

func letterAfter(b []byte, i int) bool {
	if i >= len(b) {
		return false
	}
	if b[i] < 0x80 {
		return isAlnum(b[i])
	}
	r, _ := utf8.DecodeRune(b[i:])
	return unicode.IsLetter(r) || unicode.IsDigit(r)
}

// whole reports whether b[lo:hi] is all that the value says: beside it there is
// only punctuation, a scheme, or other items of the same sort of list.
func (l *leaf) whole(lo, hi int) bool {
	left := strings.ToLower(strings.TrimSpace(string(l.text[:lo])))
	right := strings.TrimSpace(string(l.text[hi:]))
	for _, s := range schemes {
		if strings.HasSuffix(left, s) && !strings.ContainsAny(strings.TrimSuffix(left, s), "abcdefghijklmnopqrstuvwxyz") {
			left = strings.TrimSuffix(left, s)
			if strings.HasPrefix(s, "sip") || s == "tel:" {
				if strings.HasPrefix(right, "@") || strings.HasPrefix(right, ";") || strings.HasPrefix(right, ":") {
					right = ""
				}
			}
			break
		}
	}
	return items(left) && items(right)
}

// items reports whether what stands beside an identifier is only punctuation,
// numbers and addresses: a list.
func items(v string) bool {
	for _, w := range strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ';' || r == '|' || r <= ' ' }) {
		if strings.IndexByte(w, '@') > 0 {
			continue
		}
		for _, r := range w {
			if unicode.IsLetter(r) {
				return false
			}
		}
	}
	return true
}

// parameter reports whether b[lo:hi] is a path segment or a parameter's value.
func (l *leaf) parameter(lo, hi int) bool {
	b := l.text
	for lo > 0 && strings.IndexByte(" +(", b[lo-1]) >= 0 {
		lo--
	}
	for hi < len(b) && strings.IndexByte(" )=", b[hi]) >= 0 {
		hi++
	}
	return (lo == 0 || strings.IndexByte("/=?&:;,@", b[lo-1]) >= 0) && (hi == len(b) || strings.IndexByte("/?&#;,@.", b[hi]) >= 0)
}

// isURL reports whether a value is, as a whole, a URL, a path or a query.
func isURL(v []byte) bool {
	v = bytes.TrimSpace(v)
	if len(v) == 0 || bytes.ContainsAny(v, " \t\r\n\"<>") {
		return false
	}
	return bytes.Contains(v, []byte("://")) || v[0] == '/' || v[0] == '?' || bytes.IndexByte(v, '=') > 0
}

// thirdParty reports whether a field's name says that it is about someone else
// than the caller: who forwarded a call is not who made it (R34).
func thirdParty(path string) bool {
	name := strings.ToLower(path[strings.LastIndexByte(path, '.')+1:])
	name = strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == '[' || r == ']' {
			return -1
		}
		return r
	}, name)
	return slices.Contains([]string{"forwardedfrom", "calledvia", "transferredto", "transferredfrom", "referredby"}, name)
}
