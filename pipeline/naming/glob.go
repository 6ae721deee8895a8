package naming

import (
	"regexp"
	"strings"
)

// Glob compiles a pattern of object URLs as outputs show them: * is anything within
// a segment, ** anything at all, and every other character is itself. (A * in a key
// is %2A in its URL.)
func Glob(pattern string) *regexp.Regexp {
	q := regexp.QuoteMeta(pattern)
	q = strings.ReplaceAll(q, `\*\*`, `.*`)
	q = strings.ReplaceAll(q, `\*`, `[^/]*`)
	return regexp.MustCompile(`(?s)^` + q + `$`) // quoted: it always compiles
}
