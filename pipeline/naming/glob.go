package naming

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"expunge/pipeline/seal"
)

// Written are the ways in which the URL of one object is written: with its key as it is
// and percent-encoded, as outputs show it, and decoded.
type Written []string

// Written gives them for an object that outputs call shown.
func (n *Names) Written(store, key, shown string) Written {
	base := strings.TrimSuffix(n.URLs[store], "/") + "/"
	out := Written{base + key, base + Escape(key), shown}
	for _, s := range out[1:] {
		if plain, err := url.PathUnescape(s); err == nil {
			out = append(out, plain)
		}
	}
	return out
}

// Glob is a pattern of object URLs: * is anything within a segment, ** anything at all,
// and every other character is itself.
type Glob struct{ readings []*regexp.Regexp }

// NewGlob compiles a pattern. It is taken as it stands and percent-decoded, so that a key
// may be written as it is, as outputs show it, or in any way that URLs are encoded. (A *
// in a key is %2A in its URL.)
func NewGlob(pattern string) *Glob {
	g := &Glob{[]*regexp.Regexp{compile(strings.Split(pattern, "*"))}}
	if strings.Contains(pattern, "%") {
		literals := strings.Split(pattern, "*")
		for i, s := range literals {
			if plain, err := url.PathUnescape(s); err == nil && utf8.ValidString(plain) {
				literals[i] = plain
			}
		}
		g.readings = append(g.readings, compile(literals))
	}
	return g
}

// compile takes what stands before, between and after the stars.
func compile(literals []string) *regexp.Regexp {
	var q strings.Builder
	for i := 0; i < len(literals); i++ {
		switch {
		case i == 0:
		case literals[i] == "" && i+1 < len(literals):
			q.WriteString(`.*`)
			i++
		default:
			q.WriteString(`[^/]*`)
		}
		q.WriteString(regexp.QuoteMeta(strings.ToValidUTF8(literals[i], "\ufffd"))) // which is what any such byte matches
	}
	return regexp.MustCompile(`(?s)^` + q.String() + `$`) // quoted: it always compiles
}

// Match reports whether the pattern names an object.
func (g *Glob) Match(w Written) bool {
	for _, re := range g.readings {
		for _, s := range w {
			if re.MatchString(s) {
				return true
			}
		}
	}
	return false
}

// patternBox is the purpose of sealed patterns.
const patternBox = "object-pattern"

// SealPattern seals a pattern that cannot stand in clear; "" where it is shown as it is.
func SealPattern(keys *seal.Keys, pattern, shown string) string {
	if pattern == shown {
		return ""
	}
	return base64.StdEncoding.EncodeToString(keys.Seal(patternBox, "", []byte(pattern)))
}

// OpenPattern compiles a pattern that is shown so, or what SealPattern made of it.
func OpenPattern(keys *seal.Keys, shown, sealed string) (*Glob, error) {
	if sealed == "" {
		return NewGlob(shown), nil
	}
	box, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return nil, fmt.Errorf("pattern %s: it is not base64: %w", shown, seal.ErrForged)
	}
	plain, err := keys.Unseal(patternBox, "", box)
	if err != nil {
		return nil, fmt.Errorf("pattern %s: %w", shown, err)
	}
	return NewGlob(string(plain)), nil
}

// RenewPattern seals a sealed pattern under the current work key.
func RenewPattern(r *seal.Rotation, sealed string) (string, error) {
	sealed, _, err := r.Text(patternBox, "", sealed)
	return sealed, err
}
