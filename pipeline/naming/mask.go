package naming

import (
	"net/url"
	"regexp"
	"strings"
	"time"

	"expunge/pipeline"
	"expunge/pipeline/identity"
)

// What stands in the place of what is hidden.
const (
	maskEmail = "{email}"
	maskPhone = "{phone}"
)

var (
	// address errs towards yes: around an @ everything up to a slash, space or quote.
	address = regexp.MustCompile("[^\\s/\"'`<>]*(?:@|%40)[^\\s/\"'`<>]*")
	// number is runs of digits with what people put between them, also percent-encoded.
	number = regexp.MustCompile(`(?i)(?:(?:\+|%2b)[ (]*)?\(?[0-9]+(?:(?:[ ().\-_]|%20|%28|%29){1,3}[0-9]+)*`)
	digits = regexp.MustCompile(`[0-9]+`)
	hexes  = regexp.MustCompile(`^(?:[0-9A-Fa-f]{16,}|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})$`)
)

// Mask hides what looks like an e-mail address or a phone number in a text of
// which nothing is known, such as a key that no dataset declares or an error of a
// store. It errs towards hiding: ids of ten to fifteen digits are taken for numbers.
// Names of people it cannot know.
func Mask(text string) string { return maskPhones(address.ReplaceAllString(text, maskEmail)) }

// within is an address in a path of fields or a name of one; "@timestamp" is none.
var within = regexp.MustCompile("(?:[^\\s/\"'`<>\\[\\]{}.][^\\s/\"'`<>\\[\\]{}]*)?[^\\s/\"'`<>\\[\\]{}.](?:@|%40)[^\\s/\"'`<>\\[\\]{}]+\\.[^\\s/\"'`<>\\[\\]{}]+")

// Field hides what looks like an address or a number in the path of a field: a map
// may have people for keys, and a table for columns.
func Field(path string) string { return maskPhones(within.ReplaceAllString(path, maskEmail)) }

// maskSegment is a mask for a segment of a key; what it hides comes back unescaped, the
// rest as in URLs.
func maskSegment(segment string, mask func(string) string) string {
	plain := segment
	if u, err := url.PathUnescape(segment); err == nil {
		plain = u // what is encoded in the key itself hides no number from us
	}
	masked := mask(plain)
	if masked == plain {
		return url.PathEscape(segment)
	}
	return strings.NewReplacer("%7Bemail%7D", maskEmail, "%7Bphone%7D", maskPhone).Replace(url.PathEscape(masked))
}

func maskPhones(text string) string { return maskRuns(text, maskRun) }

// maskNumbers puts what hide says in the place of the phone numbers in a segment of a
// declared key: what a person could dial, and nobody has declared to be something else.
func (n *Names) maskNumbers(text string, o *pipeline.Object, hide func(number string) string) string {
	count := 0
	for i := range len(text) {
		if text[i] >= '0' && text[i] <= '9' {
			count++
		}
	}
	if count < 10 {
		return text
	}
	return maskRuns(text, func(run string) string {
		for name, value := range o.Captures {
			_, declared := n.Datasets[o.Dataset].Object[name]
			if (declared || name == "account" || name == "date") && strings.Contains(value, run) {
				return run
			}
		}
		if !n.dialled(run) {
			return run
		}
		return hide(run)
	})
}

// dialled reports whether a phone number stands in a run of digits and separators.
func (n *Names) dialled(run string) bool {
	groups := digits.FindAllString(run, -1)
	for i := range groups {
		joined := ""
		for _, g := range groups[i:] {
			if joined += g; len(joined) > 15 {
				break
			}
			if len(joined) >= 10 && !stamp(joined) && identity.Dials(joined, n.Region) {
				return true
			}
		}
	}
	return false
}

// maskRuns replaces the runs of digits in a text, but those of hashes and UUIDs.
func maskRuns(text string, maskRun func(string) string) string {
	var out strings.Builder
	done := 0
	for _, at := range number.FindAllStringIndex(text, -1) {
		run := text[at[0]:at[1]]
		if inHex(text, at[0], at[1]) {
			continue
		}
		if masked := maskRun(run); masked != run {
			out.WriteString(text[done:at[0]])
			out.WriteString(masked)
			done = at[1]
		}
	}
	if done == 0 {
		return text
	}
	out.WriteString(text[done:])
	return out.String()
}

// maskRun masks the numbers in one run of digits and separators.
func maskRun(run string) string {
	plus := strings.HasPrefix(run, "+") || strings.HasPrefix(strings.ToLower(run), "%2b")
	groups := digits.FindAllStringIndex(run, -1)
	if len(groups) > 0 && strings.HasPrefix(strings.ToLower(run), "%2b") && groups[0][0] == 1 {
		groups[0][0] = 3 // the 2 of %2B is no digit
	}
	from := 0
	if !plus {
		from = dateGroups(run, groups)
	}
	groups = groups[from:]
	total, single := 0, false
	for _, g := range groups {
		n := g[1] - g[0]
		total += n
		single = single || n >= 10 && n <= 15 && !stamp(run[g[0]:g[1]])
	}
	switch {
	case plus && total >= 7:
		return maskPhone
	case len(groups) == 0 || !single && (len(groups) == 1 || total < 10):
		return run
	case from == 0:
		return maskPhone
	}
	return run[:groups[0][0]] + maskPhone
}

// dateGroups is how many groups at the beginning are a date: 2026-01-02 or 20260102.
func dateGroups(run string, groups [][]int) int {
	group := func(i int) string { return run[groups[i][0]:groups[i][1]] }
	if len(groups) > 0 && stamp(group(0)) {
		return 1
	}
	if len(groups) >= 3 && len(group(0)) == 4 && stamp(group(0)+group(1)+group(2)) {
		return 3
	}
	return 0
}

// stamp reports whether digits are a day, an hour, a minute or a second of the years that lakes are of.
func stamp(digits string) bool {
	for _, layout := range []string{"20060102", "2006010215", "200601021504", "20060102150405"} {
		if len(digits) == len(layout) && (digits[:2] == "19" || digits[:2] == "20") {
			_, err := time.Parse(layout, digits)
			return err == nil
		}
	}
	return false
}

// inHex reports whether the word around text[from:to] is a hash or a UUID.
func inHex(text string, from, to int) bool {
	for _, joined := range []string{"", "-"} {
		word := func(c byte) bool {
			return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte(joined, c) >= 0
		}
		lo, hi := from, to
		for lo > 0 && word(text[lo-1]) {
			lo--
		}
		for hi < len(text) && word(text[hi]) {
			hi++
		}
		if w := text[lo:hi]; hexes.MatchString(w) && strings.ContainsAny(strings.ToLower(w), "abcdef") {
			return true
		}
	}
	return false
}

// First is the first segment of a key below its store, as outputs show it where no
// dataset says what it is: "store/segment".
func First(store, key string) string {
	first, _, _ := strings.Cut(key, "/")
	return store + "/" + maskSegment(first, Mask)
}

const (
	tallied = 10_000      // first segments told apart: a flat store has one per object
	others  = " (others)" // a space ends in no first segment
)

// Tally counts a key under its first segment, as outputs show it. The map grows to
// a bound; what else there is counts as the store's others.
func Tally(counts map[string]int64, store, key string) {
	label := First(store, key)
	if _, known := counts[label]; !known && len(counts) >= tallied {
		label = store + "/" + others
	}
	counts[label]++
}
