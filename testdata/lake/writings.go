package lake

import (
	"fmt"
	"regexp"
	"strings"
)

// Between the digits of a number: what people and programs put there.
const (
	gap = `[^\p{L}\p{Nd}]{0,3}`
	// A writing begins after what is no letter or digit, or after an escape, and ends before such.
	begins = `(?i:^|[^\p{L}\p{Nd}]|u002b|%(?:25)*[0-9a-f]{2})`
	ends   = `(?:[^\p{L}\p{Nd}]|$)`
)

// Agents matches the field in which a call names the account's own agent: another
// party's, even where it holds the address of a consumer.
var Agents = regexp.MustCompile(`"agent_email":"[^"]*"`)

// Writings gives the ways in which records of a lake write an identifier, digests
// included, as regular expressions. A longer token that merely holds it is none.
// Only phones and e-mail addresses have writings.
func Writings(id Identifier) []*regexp.Regexp {
	switch id.Kind {
	case "phone":
		n := national(id.Value)
		groups := []string{anyDigits(n[:3]), anyDigits(n[3:6]), anyDigits(n[6:])}
		return []*regexp.Regexp{
			regexp.MustCompile(begins + `(?:` + anyDigits("1") + gap + `)?` + strings.Join(groups, gap) + ends),
			digests(id.Value, n, "1"+n),
		}
	case "email":
		local, domain, _ := strings.Cut(id.Value, "@")
		return []*regexp.Regexp{
			// Neither x before it nor .evil.test after it leaves the address what it is.
			regexp.MustCompile(`(?i)(?:^|[^a-z0-9._+-]|u002b|%(?:25)*[0-9a-f]{2})` + regexp.QuoteMeta(local) + `(?:@|%(?:25)*40)` + regexp.QuoteMeta(domain) + `(?:\.?[^a-z0-9.]|\.?$)`),
			digests(id.Value),
		}
	}
	panic(fmt.Sprintf("lake: no writings of kind %s", id.Kind))
}

// anyDigits matches digits in their usual and their full-width form.
func anyDigits(s string) string {
	var b strings.Builder
	for _, r := range s {
		fmt.Fprintf(&b, "[%c%c]", r, r-'0'+'０')
	}
	return b.String()
}

// digests matches the SHA-256 of values in hexadecimal, as ads uploads have them.
func digests(values ...string) *regexp.Regexp {
	var sums []string
	for _, v := range values {
		sums = append(sums, sha(v))
		if strings.Contains(v, "@") {
			sums = append(sums, hashedEmail(v))
		}
	}
	return regexp.MustCompile(`(?i)` + strings.Join(sums, "|"))
}

// Owner is the account that a record of an object belongs to; "" for an object of
// no account. Records of one object count as in Truth.
func (l *Lake) Owner(key string, record int64) string {
	for f := range l.files() {
		switch {
		case f.key != key:
		case f.acct >= 0:
			return l.accounts[f.acct].name
		default:
			for _, s := range l.slots(f) {
				if s.record == record {
					return l.accounts[s.acct].name
				}
			}
			return l.accounts[l.record(f, record, nil).acct].name
		}
	}
	return ""
}
