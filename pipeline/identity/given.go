package identity

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers/v2"

	"expunge/pipeline"
)

// Errors of Identify, of identifiers that are given as a digest.
var (
	ErrHash       = errors.New("hash is not known: sha256 is the only one")
	ErrHashedKind = errors.New("only phones and e-mail addresses can be given as a digest")
	ErrDigest     = errors.New("is no SHA-256, which has 64 hex digits")
	ErrNobody     = errors.New("is the digest of nothing, or of what stands for a withheld caller id")
)

// given begins the canonical value of an identifier that is given as a digest. No number
// and no address begins so.
const given = "sha256:"

// Identify brings an identifier of a request into its canonical form. One that is given
// as a digest has that for its value: it is looked for as it stands, and in clear
// wherever a number or an address has this digest in one of the writings that digests
// are made of.
func Identify(id pipeline.Identifier, region string) (Canon, error) {
	if id.Hash == "" {
		return Normalise(id.Kind, id.Value, region)
	}
	v := strings.ToLower(strings.TrimSpace(id.Value.Reveal()))
	sum, err := hex.DecodeString(v)
	switch {
	case id.Hash != "sha256":
		return Canon{}, ErrHash
	case id.Kind != pipeline.Phone && id.Kind != pipeline.Email:
		return Canon{}, ErrHashedKind
	case err != nil || len(sum) != sha256.Size:
		return Canon{}, ErrDigest
	}
	for _, nobody := range []string{"", "null", "none", "anonymous", "restricted", "blocked", "unknown", "unavailable", "private", "withheld",
		"266696687", "+266696687", "7378742833", "17378742833", "+17378742833", "2562533", "+2562533", "8656696", "+8656696", "86282452253", "+86282452253"} {
		if v == sha256Of(nobody) {
			return Canon{}, ErrNobody
		}
	}
	return Canon{Kind: id.Kind, Value: pipeline.Secret(given + v)}, nil
}

func sha256Of(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// Hashed reports whether an identifier is given as a digest.
func (c Canon) Hashed() bool { return strings.HasPrefix(c.Value.Reveal(), given) }

// Digests are the identifiers as which a number or an address may be given, where its
// value is not.
func (c Canon) Digests() []Canon {
	if c.Kind != pipeline.Phone && c.Kind != pipeline.Email || c.Hashed() {
		return nil
	}
	var out []Canon
	for of := range uint8(len(phoneWritings)) {
		if s := writing(c, of); s != "" {
			out = append(out, Canon{Kind: c.Kind, Value: pipeline.Secret(given + sha256Of(s))})
		}
	}
	return out
}

// Covers reports whether c is a digest of another identifier's value.
func (c Canon) Covers(o Canon) bool {
	return c.Hashed() && slices.ContainsFunc(o.Digests(), func(d Canon) bool { return d.Kind == c.Kind && d.Value == c.Value })
}

// digestText is the digest of a needle as it stands in a lake.
func (n *Needle) digestText(d digestForm) string {
	if n.Canon.Hashed() {
		sum, _ := hex.DecodeString(strings.TrimPrefix(n.Canon.Value.Reveal(), given)) // Identify has seen to it
		return d.encode(sum)
	}
	return d.text(writing(n.Canon, d.of))
}

// digestRule names a digest for the chain of evidence: nobody knows what was hashed where
// the digest alone is given.
func (n *Needle) digestRule(d digestForm) string {
	if n.Canon.Hashed() {
		return algorithms[d.alg] + ".given"
	}
	return d.rule(n.Canon.Kind)
}

// givens says which kinds have needles that are given as digests.
type givens struct {
	phones, mails bool
	country       string // calling code of national numbers …
	trunk         string // … and what stands before these, if not that code itself
	seen          []uint64
}

// maxSeen is how many numbers and addresses that nobody asks for are remembered.
const maxSeen = 1 << 12

func (g *givens) add(n *Needle, region string) {
	if n.Past != nil || !n.Canon.Hashed() {
		return // what is remembered of one that is given has its clear values beside it
	}
	g.phones = g.phones || n.Canon.Kind == pipeline.Phone
	g.mails = g.mails || n.Canon.Kind == pipeline.Email
	g.country = fmt.Sprint(phonenumbers.GetCountryCodeForRegion(region))
	if g.trunk = phonenumbers.GetNddPrefixForRegion(region, true); g.trunk == g.country {
		g.trunk = ""
	}
}

// begin makes what one tokenizer needs.
func (g givens) begin() givens {
	if g.phones || g.mails {
		g.seen = make([]uint64, maxSeen)
	}
	return g
}

// news reports whether something is seen for the first time in a while.
func (g *givens) news(token uint64) bool {
	at := &g.seen[token%maxSeen]
	was := *at
	*at = token
	return was != token
}

// digest looks up the digest of a writing of what stands in b[lo:hi].
func (t *tokenizer) digest(writing []byte, c class, lo, hi int) bool {
	sum := sha256.Sum256(writing)
	var text [2 * sha256.Size]byte
	hex.Encode(text[:], sum[:])
	token := t.h.text(seedWord, text[:])
	if !t.table.has(token, wordBuckets-1) {
		return false
	}
	t.hits = append(t.hits, span{token: token, class: c, lo: lo, hi: hi, hashed: true})
	return true
}

// hashedNumber looks up the digests of the numbers that end with the digits b[p:q].
func (t *tokenizer) hashedNumber(b []byte, s *phone, p, q int) {
	var buf [maxPhone + len("011")]byte
	i := len(buf)
	for k := q; k > 0 && i > 0 && len(buf)-i < s.count; k-- {
		if !isDigit(b[k-1]) {
			continue
		}
		i--
		buf[i] = b[k-1]
		if n := len(buf) - i; n >= 7 && (n == s.count || k == 1 || !isDigit(b[k-2])) { // a group begins here
			_, plus := plusBefore(b, group{k - 1, k - 1})
			t.hashedDigits(buf[i:], plus, p, q)
		}
	}
}

// hashedDigits looks up the digests of all numbers that digits may be meant as, as people
// of the region dial them: see readPhone.
func (t *tokenizer) hashedDigits(digits []byte, plus bool, lo, hi int) {
	n, country := len(digits), t.given.country
	if plus {
		t.hashedE164("", digits, lo, hi)
		for i := 1; i <= 3; i++ { // +44 (0)20
			if digits[i] == '0' {
				var rest [maxPhone + len("011")]byte
				t.hashedE164("", append(append(rest[:0], digits[:i]...), digits[i+1:]...), lo, hi)
			}
		}
	}
	switch {
	case country == "1":
		switch {
		case n == 10:
			t.hashedE164("1", digits, lo, hi)
			return
		case n == 12: // behind a service code
			t.hashedE164("1", digits[2:], lo, hi)
		}
	case digits[0] == '0':
		t.hashedE164(country, digits[1:], lo, hi)
	default:
		t.hashedE164(country, digits, lo, hi)
	}
	if digits[0] != '0' {
		if n >= 8 && !plus {
			t.hashedE164("", digits, lo, hi)
		}
		return
	}
	for _, idd := range []string{"00", "011"} {
		if string(digits[:len(idd)]) == idd {
			t.hashedE164("", digits[len(idd):], lo, hi)
		}
	}
}

// hashedE164 looks up the digests of one number, whose digits follow before.
func (t *tokenizer) hashedE164(before string, digits []byte, lo, hi int) {
	if len(before)+len(digits) > maxPhone || len(digits) < 5 {
		return
	}
	var buf [1 + maxPhone]byte
	number := append(append(append(buf[:0], '+'), before...), digits...)
	var v uint64
	for _, c := range number[1:] {
		v = v*10 + uint64(c-'0')
	}
	seen := t.h.number(seedPhone, v)
	if !t.given.news(seen) {
		return
	}
	found := t.digest(number, phoneToken, lo, hi)
	found = t.digest(number[1:], phoneToken, lo, hi) || found
	if c := t.given.country; string(number[1:1+len(c)]) == c {
		national := number[1+len(c):]
		found = t.digest(national, phoneToken, lo, hi) || found
		if trunk := t.given.trunk; trunk != "" {
			var buf [1 + maxPhone]byte
			found = t.digest(append(append(buf[:0], trunk...), national...), phoneToken, lo, hi) || found
		}
	}
	if found {
		t.given.seen[seen%maxSeen] = 0 // it is news wherever it stands
	}
}

// hashedMail looks up the digests of the address b[lo:hi], in lower case; token is of that.
func (t *tokenizer) hashedMail(token uint64, address []byte, lo, hi int) {
	if !t.given.news(token) {
		return
	}
	found := t.digest(address, mailToken, lo, hi)
	if at := bytes.IndexByte(address, '@'); isGmail(address[at+1:]) {
		c := Canon{Kind: pipeline.Email, Value: pipeline.Secret(address)}
		for of := uint8(1); of < 3; of++ {
			if s := writing(c, of); s != "" {
				found = t.digest([]byte(s), mailToken, lo, hi) || found
			}
		}
	}
	if found {
		t.given.seen[token%maxSeen] = 0
	}
}

// wider is where the address begins whose local part goes on before b[lo], with
// characters that seldom stand in one: o'brien@example.com.
func wider(b []byte, lo int) int {
	for k := lo; k > 0 && lo-k < maxMail; k-- {
		if classes[b[k-1]]&local == 0 && strings.IndexByte("!#$%*^`{}~'", b[k-1]) < 0 {
			return k
		}
	}
	return max(0, lo-maxMail)
}

// confirmGiven reads what stands at the token s in clear, and confirms it if its digest is
// the one that the needle was given as.
func (f *Finder) confirmGiven(l *leaf, s span, n *Needle) (found, bool) {
	for _, r := range f.revealed(l, s, n) {
		known := *n
		known.Canon = r.canon
		hit, ok := found{}, false
		if n.Canon.Kind == pipeline.Phone {
			hit, ok = f.confirmPhone(l, s, &known)
		} else if r.of == 0 {
			hit, ok = confirmEmail(l, s, &known)
		} else {
			hit, ok = confirmGmail(l, s, &known)
		}
		if !ok {
			continue
		}
		if r.canon.Doubt {
			hit.tier = pipeline.Review
		}
		if hit.tier == pipeline.Exact || hit.tier == pipeline.Normalised {
			hit.tier = pipeline.Hashed
		}
		hit.rule = digestForm{of: r.of}.rule(n.Canon.Kind) + ".clear"
		return hit, true
	}
	return found{}, false
}

// revealed is a value in clear that has the digest of a needle.
type revealed struct {
	canon Canon
	of    uint8 // which writing has it
}

// revealed lists what may stand at the token s and has the digest that n was given as. Of
// several addresses with one mailbox the canonical value is what was hashed.
func (f *Finder) revealed(l *leaf, s span, n *Needle) []revealed {
	var out []revealed
	want := strings.TrimPrefix(n.Canon.Value.Reveal(), given)
	try := func(c Canon) {
		for of := range uint8(len(phoneWritings)) {
			w := writing(c, of)
			if w == "" || sha256Of(w) != want {
				continue
			}
			r := revealed{c, of}
			switch {
			case c.Kind == pipeline.Email && of > 0:
				r.canon.Value = pipeline.Secret(w)
			case !meant(c, of, w, f.s.region):
				continue // the same digits are another number here
			}
			out = append(out, r)
			return
		}
	}
	switch {
	case n.Canon.Kind == pipeline.Phone && s.class == phoneToken:
		for _, e164 := range f.numbersAt(l, s) {
			if c, err := normalisePhone("+"+e164, f.s.region); err == nil {
				try(c)
			}
		}
	case n.Canon.Kind == pipeline.Email && s.class == mailToken:
		for _, lo := range []int{s.lo, wider(l.text, s.lo)} {
			local, domain, ok := strings.Cut(string(l.text[lo:s.hi]), "@")
			if a, valid := foldAddress([]byte(local), []byte(domain)); ok && valid {
				try(Canon{Kind: pipeline.Email, Value: pipeline.Secret(a)})
			}
		}
	}
	return out
}

// reveal appends the values in clear of a leaf whose digests needles were given as.
func (f *Finder) reveal(dst []Link, path string, value []byte) []Link {
	text := f.d.decode(value)
	f.t.hits = f.t.hits[:0]
	f.t.scan(text, f.d.marks)
	l := &leaf{field: f.field(path), path: path, value: value, text: text, url: isURL(value)}
	for _, s := range f.t.hits {
		if !s.hashed {
			continue
		}
		here := l.unescaped(&s)
		for _, r := range f.s.table.find(s.token) {
			n := &f.s.needles[f.s.forms[r.form].needle]
			if n.Past != nil || !n.Canon.Hashed() || f.o.Account != "" && n.Account != f.o.Account {
				continue
			}
			for _, r := range f.revealed(here, s, n) {
				if n.Canon.Kind == pipeline.Phone || r.of == 0 {
					dst = append(dst, Link{r.canon.Kind, r.canon.Value})
				}
			}
		}
	}
	return dst
}
