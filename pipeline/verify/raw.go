package verify

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/identity"
	"expunge/pipeline/manifest"
	"expunge/scanners"
)

// minLiteral is the least length of a literal that is searched raw. Shorter ones
// ("42") stand everywhere and mean nothing outside of their field.
const minLiteral = 7

// margin is how many bytes before a literal say at most whether it is one: an escape
// that is escaped itself, as in "%25252b".
const margin = 16

// literals are the ways in which needles may stand in raw bytes, lower case.
type literals struct{ of [][]literal }

type literal struct {
	text []byte
	mail bool // of an address: dots and hyphens join it with what stands beside it
}

// newLiterals spells out needles. It shares nothing with the tokens and rules of
// identity but the canonical forms.
func newLiterals(needles []identity.Needle) *literals {
	l := &literals{of: make([][]literal, len(needles))}
	for i, n := range needles {
		if n.Past != nil {
			continue // nobody knows how to spell it: see pastSearch
		}
		value := strings.ToLower(n.Canon.Value.Reveal())
		var forms []string
		switch n.Canon.Kind {
		case pipeline.Phone:
			l.of[i] = phones(value)
			forms = hashes("+"+value, value)
		case pipeline.Email:
			forms = append(hashes(value), value, strings.ReplaceAll(value, "@", "%40"), strings.ReplaceAll(value, "@", `\u0040`))
		case pipeline.Name, pipeline.IP:
			continue // they only ever confirm
		default:
			forms = []string{value}
			if plain, err := hex.DecodeString(value); err == nil && len(plain) == 16 { // a UUID
				forms = append(forms, value[:8]+"-"+value[8:12]+"-"+value[12:16]+"-"+value[16:20]+"-"+value[20:])
			}
		}
		for _, f := range forms {
			if len(f) >= minLiteral {
				l.of[i] = append(l.of[i], literal{text: []byte(f), mail: n.Canon.Kind == pipeline.Email && strings.HasSuffix(f, value[strings.IndexByte(value, '@')+1:])})
			}
		}
	}
	return l
}

// phones are common ways to write a number.
func phones(digits string) []literal {
	forms := []string{digits}
	if len(digits) == 11 && digits[0] == '1' {
		a, b, c := digits[1:4], digits[4:7], digits[7:]
		forms = append(forms, a+b+c, a+"-"+b+"-"+c, a+"."+b+"."+c, a+" "+b+" "+c, "("+a+") "+b+"-"+c, "("+a+")"+b+"-"+c, a+"%20"+b+"%20"+c, "%28"+a+"%29%20"+b+"-"+c)
	}
	out := make([]literal, 0, len(forms))
	for _, f := range forms {
		out = append(out, literal{text: []byte(f)})
	}
	return out
}

func hashes(values ...string) []string {
	var out []string
	for _, v := range values {
		a, b, c := sha256.Sum256([]byte(v)), sha1.Sum([]byte(v)), md5.Sum([]byte(v))
		out = append(out, hex.EncodeToString(a[:]), hex.EncodeToString(b[:]), hex.EncodeToString(c[:]))
	}
	return out
}

// longest is the length of the longest literal.
func (l *literals) longest() int {
	n := 0
	for _, of := range l.of {
		for _, x := range of {
			n = max(n, len(x.text))
		}
	}
	return n
}

// in reports whether the literal stands in text, bounded, at from or later. What ends
// near the end of a text that is not the last waits for the bytes behind it.
func (x *literal) in(text []byte, from int, last bool) bool {
	for at := min(from, len(text)); ; {
		n := bytes.Index(text[at:], x.text)
		if n < 0 {
			return false
		}
		start, end := at+n, at+n+len(x.text)
		if !x.joinsBefore(text[:start]) && (last || end+1 < len(text)) && !x.joinsBehind(text[end:]) {
			return true
		}
		at = start + 1
	}
}

func letterOrDigit(b byte) bool { return '0' <= b && b <= '9' || 'a' <= b && b <= 'z' }

// joinsBefore reports whether what stands before the literal makes it part of
// something else. An escape does not: it stands for another character.
func (x *literal) joinsBefore(text []byte) bool {
	if len(text) == 0 || escape.Match(text[max(0, len(text)-margin):]) {
		return false
	}
	b := text[len(text)-1]
	return letterOrDigit(b) || x.mail && bytes.IndexByte([]byte("._%+-"), b) >= 0 || !x.mail && b == '_'
}

// escape is one at the end of a text, lower case: of JSON or of a URL.
var escape = regexp.MustCompile(`(\\[nrtbf]|\\u[0-9a-f]{4}|\\x[0-9a-f]{2}|%(25)*[0-9a-f]{2})$`)

// joinsBehind is the same for what stands behind it.
func (x *literal) joinsBehind(text []byte) bool {
	if len(text) == 0 {
		return false
	}
	if letterOrDigit(text[0]) || text[0] == '_' {
		return true
	}
	// The domain goes on: jane@example.com.evil.test is somebody else.
	return x.mail && (text[0] == '-' || text[0] == '.' && len(text) > 1 && letterOrDigit(text[1]))
}

// Unpacker is a Scanner that hides bytes from a plain reader: it hands over all that
// is in an object once what it packs is unpacked.
type Unpacker interface {
	Unpack(ctx context.Context, in scanners.Input, do func([]byte) error) error
}

// raw searches the bytes of a version. Only needles that may be asked of the object,
// and that no record explains, are looked for.
func (v *Verify) raw(ctx context.Context, t *manifest.Target, ver *connectors.Version, in scanners.Input, s scanners.Scanner, explained map[uint32]bool, out *Result, unread func(error) error) error {
	wanted := map[int]bool{}
	touched := map[string]bool{}
	for i := range t.Versions {
		for _, r := range t.Versions[i].Rows {
			if v.Applied(r) && r.Disposition != string(pipeline.Excepted) {
				touched[r.Request] = true
			}
		}
	}
	if _, done := v.Done(t.ID, ver.Version); !done {
		return nil // it is listed as open
	}
	for i, asks := range v.Search.asks {
		for _, ask := range asks {
			if touched[ask.Request.String()] && !explained[uint32(i)] {
				wanted[i] = true
			}
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	found := map[int]bool{}
	past := v.Search.newPastSearch(t.Account, func(i uint32) {
		if wanted[int(i)] {
			found[int(i)] = true
		}
	})
	// What is cut by the border of two chunks is found since the end of what was searched
	// is searched again with what follows. It is kept as it stands, so that no character
	// is lowered in halves. What begins in its first bytes was judged before, by bytes
	// that are no longer there.
	keep := v.Search.literals.longest() + 2*margin
	var text []byte
	from := 0
	look := func(last bool) {
		lower := bytes.ToLower(text)
		for i := range wanted {
			for j := range v.Search.literals.of[i] {
				found[i] = found[i] || v.Search.literals.of[i][j].in(lower, from, last)
			}
		}
	}
	search := func(chunk []byte) error {
		past.add(chunk)
		text = append(text, chunk...)
		look(false)
		if n := len(text) - keep; n > 0 {
			text, from = append(text[:0], text[n:]...), margin
		}
		return nil
	}
	var err error
	if u, ok := s.(Unpacker); ok {
		err = u.Unpack(ctx, in, search)
	} else {
		err = v.Plain(ctx, in, search)
	}
	if err != nil {
		return unread(err)
	}
	look(true)
	past.look(len(past.text))
	for i, ok := range found {
		if !ok {
			continue
		}
		for _, ask := range v.Search.asks[i] {
			if touched[ask.Request.String()] {
				out.Residue = append(out.Residue, v.trace(t, ver, Trace{Request: ask.Request.String(), Record: -1, Code: InBytes, Reason: "its bytes hold a form of an identifier that no record explains"}))
			}
		}
	}
	return nil
}

// pastSearch searches bytes for needles whose values are not known. Those have no
// literals: they are found as a run finds them, by tokens and digests, but in the
// bytes as they stand, line by line.
type pastSearch struct {
	finder *identity.Finder // nil: there are no such needles
	found  func(needle uint32)
	text   []byte // of lines that are not at their end
}

func (s *Search) newPastSearch(account string, found func(needle uint32)) *pastSearch {
	p := &pastSearch{found: found}
	if s.past {
		p.finder = s.set.Finder(identity.FinderOptions{Search: true, Account: account})
	}
	return p
}

// longLine is how much of a line is waited for.
const longLine = 1 << 16

func (p *pastSearch) add(chunk []byte) {
	if p.finder == nil {
		return
	}
	p.text = append(p.text, chunk...)
	end := bytes.LastIndexByte(p.text, '\n') + 1
	if end == 0 && len(p.text) > longLine {
		end = len(p.text) // what the cut parts is the scanners' alone to find
	}
	p.look(end)
}

func (p *pastSearch) look(n int) {
	if p.finder == nil || n == 0 {
		return
	}
	// Neither lines nor the cells of tables are one text.
	for cell := range bytes.FieldsFuncSeq(p.text[:n], func(r rune) bool { return r == '\n' || r == '\r' || r == '\t' }) {
		for _, m := range p.finder.Find(nil, "", cell) {
			if tier := pipeline.Tier(m.Tier); tier.Automatic() || tier == pipeline.Mention {
				p.found(m.Needle)
			}
		}
	}
	p.text = append(p.text[:0], p.text[n:]...)
}
