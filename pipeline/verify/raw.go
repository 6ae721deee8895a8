package verify

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
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

// Literals are the ways in which needles may stand in raw bytes, lower case.
type Literals struct{ of [][]literal }

type literal struct {
	text  []byte
	digit bool // bounded by digits only; else by letters and digits
}

// NewLiterals spells out needles. It shares nothing with the tokens and rules of
// identity but the canonical forms.
func NewLiterals(needles []identity.Needle) *Literals {
	l := &Literals{of: make([][]literal, len(needles))}
	for i, n := range needles {
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
				l.of[i] = append(l.of[i], literal{text: []byte(f)})
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
		out = append(out, literal{text: []byte(f), digit: true})
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
func (l *Literals) longest() int {
	n := 0
	for _, of := range l.of {
		for _, x := range of {
			n = max(n, len(x.text))
		}
	}
	return n
}

// in reports whether the literal stands in text, bounded. What ends with a text that
// is not the last waits for the byte behind it.
func (x *literal) in(text []byte, last bool) bool {
	for at := 0; ; {
		n := bytes.Index(text[at:], x.text)
		if n < 0 {
			return false
		}
		start, end := at+n, at+n+len(x.text)
		if !(start > 0 && x.joins(text[start-1])) && (end < len(text) && !x.joins(text[end]) || end == len(text) && last) {
			return true
		}
		at = start + 1
	}
}

// joins reports whether a byte beside the literal makes it part of something else.
func (x *literal) joins(b byte) bool {
	return '0' <= b && b <= '9' || !x.digit && ('a' <= b && b <= 'z' || b == '_')
}

// Unpacker is a Scanner that hides bytes from a plain reader: it hands over all that
// is in an object once what it packs is unpacked.
type Unpacker interface {
	Unpack(ctx context.Context, in scanners.Input, do func([]byte) error) error
}

// raw searches the bytes of a version. Only needles that may be asked of the object,
// and that no record explains, are looked for.
func (v *Verify) raw(ctx context.Context, t *manifest.Target, ver *connectors.Version, in scanners.Input, s scanners.Scanner, explained map[uint32]bool, out *Result, unread func(error) error) error {
	if v.Literals == nil {
		return nil
	}
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
	for i, asks := range v.Asks {
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
	keep := v.Literals.longest() + 1
	var tail []byte
	look := func(text []byte, last bool) {
		for i := range wanted {
			for j := range v.Literals.of[i] {
				found[i] = found[i] || v.Literals.of[i][j].in(text, last)
			}
		}
	}
	search := func(chunk []byte) error {
		text := append(tail, bytes.ToLower(chunk)...)
		look(text, false)
		tail = append([]byte(nil), text[max(0, len(text)-keep):]...)
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
	look(tail, true)
	for i, ok := range found {
		if !ok {
			continue
		}
		for _, ask := range v.Asks[i] {
			if touched[ask.Request.String()] {
				out.Residue = append(out.Residue, v.trace(t, ver, Trace{Request: ask.Request.String(), Record: -1, Code: InBytes, Reason: "its bytes hold a form of an identifier that no record explains"}))
			}
		}
	}
	return nil
}
