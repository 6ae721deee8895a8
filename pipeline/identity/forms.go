package identity

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"expunge/pipeline"
)

// what says how a form is confirmed once its token was seen.
type what uint8

const (
	asPhone  what = iota // by reading the number
	asEmail              // by reading the address
	asGmail              // by the mailbox
	asText               // as a word, by its text
	asUUID               // by its 32 hex digits
	asGA                 // by both parts
	asIP                 // by reading the address
	asField              // by equality in a declared field of its kind
	asDigest             // by the digest's text
)

// form is one way a needle can be written.
type form struct {
	needle uint32
	what   what
	digest digestForm // asDigest
	off    uint16     // of the token within the form's text: asText, asDigest
	past   uint16     // which of its Past.Forms, of a needle whose value is not known
}

// digestForm says which digest of which writing in which encoding.
type digestForm struct{ of, alg, enc uint8 }

// Digests are made of these writings (Google hashes a phone with its plus and a
// Gmail address without dots, Meta and Snap hash digits alone; who does not bring numbers
// into a form hashes them as they are dialled), by these algorithms, in these encodings.
var (
	phoneWritings = [...]string{"e164", "digits", "national", "trunk"}
	emailWritings = [...]string{"lower", "dotless", "untagged"}
	algorithms    = [...]string{"sha256", "sha1", "md5"}
)

const (
	encHex = iota
	encBase64
	encURL // base64 of URLs
	encodings
)

// writing is the nth writing that a needle's digests are made of; "" if it is
// none of its own.
func writing(c Canon, of uint8) string {
	v := c.Value.Reveal()
	switch c.Kind {
	case pipeline.Phone:
		switch of {
		case 0:
			return "+" + v
		case 1:
			return v
		}
		national, trunk := nationalOf(v)
		if of == 3 {
			if trunk == "" || trunk+national == v {
				return ""
			}
			return trunk + national
		}
		if national == v {
			return ""
		}
		return national
	case pipeline.Email:
		local, dom, _ := strings.Cut(v, "@")
		gmail := isGmail([]byte(dom))
		dotless := strings.ReplaceAll(local, ".", "")
		untagged, _, _ := strings.Cut(dotless, "+")
		switch {
		case of == 0:
			return v
		case of == 1 && gmail && dotless != local:
			return dotless + "@" + dom
		case of == 2 && gmail && untagged != dotless && untagged != "":
			return untagged + "@" + dom
		}
	}
	return ""
}

// meant reports whether people of region who dial a writing of a number in national form
// get that number: to others the same digits are another one, or none.
func meant(c Canon, of uint8, writing, region string) bool {
	if c.Kind != pipeline.Phone || of < 2 {
		return true
	}
	rs := readPhone(writing, false, region)
	return len(rs) > 0 && rs[0].sure && rs[0].e164 == c.Value.Reveal()
}

// text is the digest of s as it stands in a lake.
func (d digestForm) text(s string) string {
	var sum []byte
	switch d.alg {
	case 0:
		h := sha256.Sum256([]byte(s))
		sum = h[:]
	case 1:
		h := sha1.Sum([]byte(s))
		sum = h[:]
	default:
		h := md5.Sum([]byte(s))
		sum = h[:]
	}
	return d.encode(sum)
}

// encode writes the bytes of a digest.
func (d digestForm) encode(sum []byte) string {
	switch d.enc {
	case encHex:
		return hex.EncodeToString(sum)
	case encURL:
		return base64.RawURLEncoding.EncodeToString(sum)
	}
	return strings.TrimRight(base64.StdEncoding.EncodeToString(sum), "=")
}

// rule names the form for the chain of evidence: "sha256.e164".
func (d digestForm) rule(kind pipeline.Kind) string {
	of := emailWritings[:]
	if kind == pipeline.Phone {
		of = phoneWritings[:]
	}
	return algorithms[d.alg] + "." + of[d.of]
}

// forms lists the tokens of all writings of a needle, and what each is for.
// Tokens that only say that a declared field holds the value come last, with
// asField: they are probes of the catalog only if there are no others.
func (c *compiler) forms(needle uint32, n Needle) []ref {
	var refs []ref
	add := func(s span, f form) {
		f.needle = needle
		c.all = append(c.all, f)
		refs = append(refs, ref{s.token, uint32(len(c.all) - 1), s.bucket()})
	}
	h, v := c.h, n.Canon.Value.Reveal()
	if n.Canon.Hashed() {
		for enc := range uint8(encodings) {
			d := digestForm{enc: enc}
			if s, ok := c.trigger(n.digestText(d)); ok {
				add(s, form{what: asDigest, digest: d, off: uint16(s.lo)})
			}
		}
		return refs
	}
	switch n.Canon.Kind {
	case pipeline.Phone:
		for _, s := range phoneTokens(h, v) {
			add(s, form{what: asPhone})
		}
	case pipeline.Email:
		if s, ok := c.trigger(v); ok {
			add(s, form{what: asEmail})
		}
		if local, dom, _ := strings.Cut(v, "@"); isGmail([]byte(dom)) {
			add(span{token: h.text(seedGmail, appendMailbox(nil, []byte(local))), class: gmailToken}, form{what: asGmail})
		}
	case pipeline.Name:
		// a name alone never makes a candidate
	default:
		if s, ok := c.trigger(v); ok {
			f := form{what: asText, off: uint16(s.lo)}
			switch s.class {
			case uuidToken:
				if _, plain := hex32(v); plain {
					f.what = asUUID
				}
			case gaToken:
				if _, ga := gaID(v); ga {
					f.what = asGA
				}
			case ipToken:
				if n.Canon.Kind == pipeline.IP {
					f.what = asIP
				}
			}
			add(s, f)
		}
	}
	if n.Canon.Kind == pipeline.Phone || n.Canon.Kind == pipeline.Email {
		for of := range uint8(len(phoneWritings)) {
			s := writing(n.Canon, of)
			if s == "" || !meant(n.Canon, of, s, c.region) {
				continue
			}
			for alg := range uint8(len(algorithms)) {
				for enc := range uint8(encodings) {
					d := digestForm{of, alg, enc}
					if s, ok := c.trigger(d.text(s)); ok {
						add(s, form{what: asDigest, digest: d, off: uint16(s.lo)})
					}
				}
			}
		}
		return refs
	}
	add(span{token: h.exact(seedKind, string(n.Canon.Kind), []byte(v)), class: wordToken}, form{what: asField})
	return refs
}

// of lists the tokens of a needle, whether its value is known or not.
func (c *compiler) of(needle uint32, n Needle) []ref {
	if n.Past != nil {
		return c.remembered(needle, &n)
	}
	return c.forms(needle, n)
}

// phoneTokens are the tokens of all national and international writings of a
// number.
func phoneTokens(h hasher, e164 string) []span {
	national, trunk := nationalOf(e164)
	writings := []string{e164, "00" + e164, "011" + e164}
	if national != "" {
		writings = append(writings, national, trunk+national)
	}
	if w := atHome(e164); w != "" {
		writings = append(writings, w)
	}
	var out []span
	for _, w := range writings {
		var v uint64
		for i := max(0, len(w)-10); i < len(w); i++ {
			v = v*10 + uint64(w[i]-'0')
		}
		s := span{token: h.number(seedPhone, v), class: phoneToken}
		switch {
		case len(w) < 7:
			continue
		case len(w) < 10:
			s = span{token: h.pair(seedShort, v, uint64(len(w))), class: shortToken}
		}
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// trigger is the token of text that says most: every record that holds the text
// as a whole has it.
func (c *compiler) trigger(text string) (span, bool) {
	t := &c.t
	t.hits = t.hits[:0]
	b := c.d.decode([]byte(text))
	t.scan(b, nil)
	best := -1
	for i, s := range t.hits {
		if s.class == gmailToken {
			continue
		}
		if best < 0 || weight(s) > weight(t.hits[best]) {
			best = i
		}
	}
	if best < 0 {
		return span{}, false
	}
	return t.hits[best], true
}

// weight ranks tokens by how much they say.
func weight(s span) int {
	n := s.hi - s.lo
	switch s.class {
	case mailToken:
		return 4000 + n
	case uuidToken, gaToken:
		return 3000 + n
	case ipToken, wordToken:
		return 2000 + n
	case packedToken: // a piece of it is found in longer text, too
		return 1500 + n
	case phoneToken:
		return 1000 + n
	}
	return n
}

// compiler builds a Set.
type compiler struct {
	h      hasher
	region string
	t      tokenizer
	d      decoder
	all    []form
}

// Set is what is looked for: needles, their forms and the tokens of these. It is
// safe for concurrent use.
type Set struct {
	h       hasher
	region  string
	needles []Needle
	forms   []form
	table   *table
	probes  map[string][]uint64    // by account
	unseen  map[pipeline.Kind]bool // kinds with a needle that leaves no token in raw bytes
	kinds   map[pipeline.Kind]bool
	names   map[string][]uint32 // needles by folded name
	given   givens
	whole   map[string]bool // accounts with needles that are given as digests
	agents  bool
}

// usualForms is about how many forms a number or an address has; others have few.
const usualForms = 24

// Compile makes a Set of needles. A needle's index is what Match.Needle says.
// region is the country of national phone numbers in what is searched.
func Compile(key Key, region string, needles []Needle) *Set {
	s := &Set{
		h: key.hasher(), region: region, needles: slices.Clone(needles),
		probes: map[string][]uint64{}, unseen: map[pipeline.Kind]bool{}, kinds: map[pipeline.Kind]bool{}, names: map[string][]uint32{}, whole: map[string]bool{},
	}
	c := &compiler{h: s.h, region: region}
	c.t.h = s.h
	refs := make([]ref, 0, usualForms*len(needles))
	c.all = make([]form, 0, usualForms*len(needles))
	for i, n := range s.needles {
		s.kinds[n.Canon.Kind] = true
		s.agents = s.agents || n.Agent
		if n.Canon.Hashed() {
			s.given.add(&n, region)
			s.whole[n.Account] = true
		}
		if n.Canon.Kind == pipeline.Name {
			if n.Past == nil { // a name that is forgotten confirms nothing
				s.names[n.Canon.Value.Reveal()] = append(s.names[n.Canon.Value.Reveal()], uint32(i))
			}
			continue
		}
		own := c.of(uint32(i), n)
		refs = append(refs, own...)
		if len(own) > 1 && c.all[own[len(own)-1].form].what == asField {
			own = own[:len(own)-1]
		} else if len(own) == 1 {
			s.unseen[n.Canon.Kind] = true
		}
		for _, r := range own {
			s.probes[n.Account] = append(s.probes[n.Account], r.token)
		}
	}
	for account, tokens := range s.probes {
		slices.Sort(tokens)
		s.probes[account] = slices.Compact(tokens)
	}
	s.forms, s.table = c.all, newTable(refs)
	return s
}

// Format shows how much a Set holds and none of it, whatever the verb.
func (s *Set) Format(w fmt.State, _ rune) {
	_, _ = fmt.Fprintf(w, "set of %d identifiers", len(s.needles))
}

// Len is the number of needles.
func (s *Set) Len() int { return len(s.needles) }

// Needle is the needle that Match.Needle names.
func (s *Set) Needle(i uint32) Needle { return s.needles[i] }

// Tokens lists every token that any writing of the account's needles can leave in
// a filter, ascending: an object whose filters hold none of them holds none of the
// needles, unless they are Unfiltered. The caller must not change it.
func (s *Set) Tokens(account string) []uint64 { return s.probes[account] }

// Unfiltered reports whether an account has needles that filters do not know in all
// writings: of what is given as a digest the clear value may stand anywhere.
func (s *Set) Unfiltered(account string) bool { return s.whole[account] }
