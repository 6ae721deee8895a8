package identity

import (
	"bytes"
	"regexp"
	"strings"
)

var (
	voice = regexp.MustCompile(`<v(?:\.[^\s<>]*)?[ \t]+([^<>]+)>`)
	tag   = regexp.MustCompile(`<[^<>]*>`)
	clock = regexp.MustCompile(`^[ \t]*[\[(]?\d{1,2}(?::\d\d){1,2}(?:[.,]\d+)?[\])]?(?:[ \t:–-]|$)`)
	label = regexp.MustCompile(`^[ \t>-]*(\pL[\pL\pN ._'’()-]{0,39}):(?:[ \t]|$)`)
)

// sayer tells who says a line of a transcript or a caption ("" if that does not say so),
// and what: without tags, a time or a name before it.
func sayer(line []byte) (who string, text []byte) {
	text = line
	if bytes.IndexByte(text, '<') >= 0 {
		if m := voice.FindSubmatch(text); m != nil {
			who = string(m[1])
		}
		text = tag.ReplaceAll(text, []byte(" "))
	}
	text = text[len(clock.Find(text)):]
	if m := label.FindSubmatch(text); m != nil && names(string(m[1])) {
		who, text = string(m[1]), text[len(m[0]):]
	}
	return who, text
}

// names reports whether what stands before a colon may name who speaks, and is no part
// of a number or of what people say before one.
func names(before string) bool {
	says := false
	for _, w := range strings.Fields(strings.ToLower(before)) {
		_, unit := digitWords[w]
		_, ten := tens[w]
		number := digits(w)
		if unit || ten || number && len(w) > 2 {
			return false
		}
		says = says || !number && !fillers[w]
	}
	return says
}
