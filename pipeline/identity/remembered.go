package identity

import (
	"bytes"
	"math"
	"net/netip"
	"strings"

	"expunge/pipeline"
)

// Digester makes keyed digests; ID names its key.
type Digester interface {
	ID() string
	Digest(data []byte) string
}

// Remembered is what is kept of a needle whose value is not: keyed digests by which
// its writings are known again, and the tokens that say where to look for them. Other
// addresses of the same Gmail mailbox are not known again: to tell them takes the
// value.
type Remembered struct {
	Value string           `json:"v"`           // digest of the canonical value
	Ext   string           `json:"x,omitempty"` // digest of the extension of a phone, if it had one
	Forms []RememberedForm `json:"f,omitempty"`

	digests Digester
}

// RememberedForm is one way to write a remembered needle.
type RememberedForm struct {
	Token  uint64 `json:"t"`
	Bucket uint8  `json:"b"`
	What   uint8  `json:"w"`
	Off    uint16 `json:"o,omitempty"` // of the token within the text
	Len    int    `json:"l"`           // of the text that is compared, in bytes
	Text   string `json:"h,omitempty"` // digest of that text; "": it is the canonical value
}

// Remember is what to keep of a needle. Tokens are under key and TokenizerVersion; region
// is that of Compile.
func Remember(digests Digester, key Key, region string, n Needle) Remembered {
	canon := n.Canon.Value.Reveal()
	out := RememberValue(digests, n.Canon.Kind, canon)
	if ext := n.Canon.Ext.Reveal(); ext != "" {
		out.Ext = valueDigest(digests, "extension of "+n.Canon.Kind, ext)
	}
	if n.Canon.Kind == pipeline.Name {
		return out // it never makes a candidate
	}
	c := &compiler{h: key.hasher(), region: region}
	c.t.h = c.h
	for _, r := range c.forms(0, n) {
		f := c.all[r.form]
		text, hashed := canon, false
		switch f.what {
		case asDigest:
			text, hashed = n.digestText(f.digest), true
		case asText: // as the decoder shows it
			text = string(c.d.decode([]byte(canon)))
		}
		w := RememberedForm{Token: r.token, Bucket: r.bucket, What: uint8(f.what), Off: f.off, Len: len(text)}
		if hashed || text != canon {
			w.Text = textDigest(digests, hashed, text)
		}
		out.Forms = append(out.Forms, w)
	}
	return out
}

// Is reports whether r remembers a value.
func (r *Remembered) Is(c Canon) bool {
	return r.Value == valueDigest(r.digests, c.Kind, c.Value.Reveal())
}

// KeyID names the key of the digests of a needle's Remembered.
func (r *Remembered) KeyID() string { return r.digests.ID() }

// RememberValue is what to keep of a value that is not searched for, but is to be
// known.
func RememberValue(digests Digester, kind pipeline.Kind, canon string) Remembered {
	return Remembered{Value: valueDigest(digests, kind, canon)}
}

// Needle is a needle that finds what r remembers, by digests made as they were.
func (r Remembered) Needle(account string, kind pipeline.Kind, digests Digester) Needle {
	r.digests = digests
	return Needle{Account: account, Canon: Canon{Kind: kind}, Past: &r}
}

func valueDigest(d Digester, kind pipeline.Kind, canon string) string {
	return d.Digest([]byte("value\x00" + string(kind) + "\x00" + canon))
}

func textDigest(d Digester, hashed bool, text string) string {
	if hashed {
		return d.Digest([]byte("hashed\x00" + text))
	}
	return d.Digest([]byte("text\x00" + text))
}

// is reports whether canon is the needle's value.
func (n *Needle) is(canon string) bool {
	if n.Past != nil {
		return n.Past.Is(Canon{Kind: n.Canon.Kind, Value: pipeline.Secret(canon)})
	}
	return n.Canon.Value.Reveal() == canon
}

// remembered lists the tokens of a needle without its value, as compiler.forms gives them.
func (c *compiler) remembered(needle uint32, n *Needle) []ref {
	var refs []ref
	for i := range n.Past.Forms {
		w := &n.Past.Forms[i]
		if what(w.What) == asGmail || i > math.MaxUint16 {
			continue
		}
		c.all = append(c.all, form{needle: needle, what: what(w.What), off: w.Off, past: uint16(i)})
		refs = append(refs, ref{w.Token, uint32(len(c.all) - 1), w.Bucket})
	}
	return refs
}

// confirmPast reads at the token s what a remembered needle's form would be there, and
// confirms it if its digest is the one that was kept.
func (f *Finder) confirmPast(l *leaf, s span, fm form, n *Needle) (found, bool) {
	known, past := *n, &n.Past.Forms[fm.past] // known is with the value that stands here
	with := func(canon string) bool {
		if !n.is(canon) {
			return false
		}
		known.Canon.Value = pipeline.Secret(canon)
		return true
	}
	switch fm.what {
	case asPhone:
		for _, e164 := range f.numbersAt(l, s) {
			if with(e164) {
				known.Canon.Ext = n.Past.extension(l.text[s.hi:])
				return f.confirmPhone(l, s, &known)
			}
		}
	case asEmail:
		if said := l.text[s.lo:s.hi]; bytes.IndexByte(said, '@') < 0 {
			if with(string(appendSpoken(nil, said))) {
				return confirmEmail(l, s, &known)
			}
			break
		}
		if lo := s.hi - past.Len; lo >= 0 && with(strings.ToLower(string(l.text[lo:s.hi]))) {
			return confirmEmail(l, s, &known)
		}
		if local, domain, ok := strings.Cut(string(l.text[s.lo:s.hi]), "@"); ok {
			if a, valid := foldAddress([]byte(local), []byte(domain)); valid && with(string(a)) {
				return confirmEmail(l, s, &known)
			}
		}
	case asText, asDigest:
		text, ok := l.at(s.lo-int(fm.off), past.Len)
		switch {
		case !ok:
		case fm.what == asText && past.Text == "":
			if with(text) {
				return l.confirmText(s, int(fm.off), text, &known)
			}
		case fm.what == asText:
			if past.Text == textDigest(n.Past.digests, false, text) {
				return l.confirmText(s, int(fm.off), text, n)
			}
		default:
			d, ok := digestOfLen(past.Len)
			want := text
			if d.enc == encHex {
				want = strings.ToLower(text)
			}
			if ok && past.Text == textDigest(n.Past.digests, true, want) {
				return l.confirmDigest(s, int(fm.off), want, d.enc, algorithms[d.alg], n)
			}
		}
	case asUUID:
		if h, ok := hex32(string(l.text[s.lo:s.hi])); ok && with(h) {
			return f.confirm(l, s, fm, &known)
		}
	case asGA:
		if with(string(l.text[s.lo:s.hi])) {
			return confirmGA(l, s, &known)
		}
	case asIP:
		if a, err := netip.ParseAddr(string(l.text[ipStart(l.text, s.hi):s.hi])); err == nil && with(a.String()) {
			return confirmIP(l, s, &known)
		}
	}
	return found{}, false
}

// extension is that of a remembered number, as far as what stands behind the number
// tells: "" if it has none, else the one that stands there, if it is that, or one that no
// number has.
func (r *Remembered) extension(behind []byte) pipeline.Secret {
	const other = pipeline.Secret("another")
	if r.Ext == "" {
		return ""
	}
	if m := extension.FindSubmatch(behind); m != nil && valueDigest(r.digests, "extension of "+pipeline.Phone, string(m[1])) == r.Ext {
		return pipeline.Secret(m[1])
	}
	return other
}

// at is the text of n bytes at lo.
func (l *leaf) at(lo, n int) (string, bool) {
	if lo < 0 || lo+n > len(l.text) {
		return "", false
	}
	return string(l.text[lo : lo+n]), true
}

// digestOfLen tells a digest's algorithm and encoding by its length.
func digestOfLen(n int) (digestForm, bool) {
	for alg, size := range []int{32, 20, 16} {
		if n == 2*size {
			return digestForm{alg: uint8(alg), enc: encHex}, true
		}
		if n == (4*size+2)/3 { // without padding
			return digestForm{alg: uint8(alg), enc: encBase64}, true
		}
	}
	return digestForm{}, false
}

// numbersAt are all numbers, in E.164, that the digits which end at the token may be
// read as.
func (f *Finder) numbersAt(l *leaf, s span) []string {
	var out []string
	if digits := keypad(l.text[s.lo:s.hi]); digits != "" {
		for _, r := range f.readings(digits, false) {
			out = append(out, r.e164)
		}
		return out
	}
	gs := groupsBefore(l.text, s.hi)
	for i := range gs {
		if g := &gs[i]; i == 0 && g.lo > 0 && l.text[g.lo-1] == '*' && g.hi-g.lo > 2 {
			g.lo += 2 // a service code
		}
		_, plus := plusBefore(l.text, gs[i])
		digits := digitsOf(l.text, gs[i:])
		readings := f.readings(digits, plus)
		if plus && l.url {
			readings = append(readings, f.readings(digits, false)...)
		}
		for _, r := range readings {
			out = append(out, r.e164)
		}
	}
	return out
}
