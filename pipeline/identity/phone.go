package identity

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers/v2"

	"expunge/pipeline"
)

// sentinel reports whether a number's digits are what carriers send for a caller
// id that was withheld: ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN, UNAVAILABLE as
// keypad digits. The library takes +17378742833 for a valid number of Texas.
func sentinel(digits string) bool {
	switch digits {
	case "266696687", "7378742833", "17378742833", "2562533", "8656696", "86282452253":
		return true
	}
	return false
}

// withheld reports whether a value says in words that a caller id was withheld.
func withheld(v string) bool {
	switch strings.ToLower(v) {
	case "", "anonymous", "restricted", "blocked", "unknown", "unavailable", "private", "withheld", "no caller id", "wireless caller":
		return true
	}
	return false
}

// placeholder reports whether a national number is one that people type to get
// past a form.
func placeholder(national string) bool {
	if national == "" {
		return true
	}
	return strings.Trim(national, national[:1]) == "" || national == "1234567890" || national == "0123456789" || national == "9876543210"
}

// schemes are what may stand before a number or an address.
var schemes = []string{"tel:", "sip:", "sips:", "whatsapp:", "sms:", "smsto:", "callto:", "mailto:", "client:", "fax:", "phone:"}

// trimScheme takes a scheme off, and for SIP the host and parameters.
func trimScheme(v string) string {
	for _, s := range schemes {
		if len(v) > len(s) && strings.EqualFold(v[:len(s)], s) {
			v = v[len(s):]
			if strings.HasPrefix(s, "sip") || s == "tel:" {
				v, _, _ = strings.Cut(v, "@")
				v, _, _ = strings.Cut(v, ";")
			}
			return v
		}
	}
	return v
}

// serviceCode is a vertical service code before a number: *67, *82, #31#.
var serviceCode = regexp.MustCompile(`^\s*(?:\*\d{2}|\*31#|#31#)\s*`)

func normalisePhone(v, region string) (Canon, error) {
	if withheld(v) {
		return Canon{}, ErrSentinel
	}
	var d decoder
	v = string(d.decode([]byte(v)))
	v = serviceCode.ReplaceAllString(trimScheme(strings.TrimSpace(v)), "")
	if sentinel(keepDigits(v)) {
		return Canon{}, ErrSentinel
	}
	n, err := parsePhone(v, region)
	if err != nil || phonenumbers.IsPossibleNumberWithReason(n) != phonenumbers.IS_POSSIBLE {
		m, err := parsePhone("+"+keepDigits(v), "ZZ")
		if err != nil || strings.Contains(v, "+") || !phonenumbers.IsValidNumber(m) {
			return Canon{}, ErrInvalid
		}
		n = m
	}
	e164 := e164Of(n)
	if sentinel(e164) {
		return Canon{}, ErrSentinel
	}
	return Canon{
		Kind: pipeline.Phone, Value: pipeline.Secret(e164), Ext: pipeline.Secret(n.GetExtension()),
		Doubt: placeholder(phonenumbers.GetNationalSignificantNumber(n)) || tollFree(n),
	}, nil
}

// parsePhone is the library's Parse; it reads Mexican numbers in older writings, too.
func parsePhone(v, region string) (*phonenumbers.PhoneNumber, error) {
	n, err := phonenumbers.Parse(v, region)
	if err == nil {
		amend(n, v)
	}
	return n, err
}

// mexican is what stood before the ten digits of a Mexican number until 3 August 2019, when
// the regulator's numbering plan (IFT, Plan Técnico Fundamental de Numeración) did away with
// it: 1 to mobiles from abroad, which WhatsApp and others write to this day, 01, 044 and 045
// at home. The library knows them no longer.
var mexican = []string{"1", "01", "044", "045"}

// amend takes off a number what Mexican ones had before them. written begins with 1 where
// people rather mean a number of North America.
func amend(n *phonenumbers.PhoneNumber, written string) bool {
	const mexico, digits = 52, 10
	if n.GetCountryCode() != mexico || written[0] == '1' {
		return false
	}
	national := phonenumbers.GetNationalSignificantNumber(n)
	for _, before := range mexican {
		rest, ok := strings.CutPrefix(national, before)
		if !ok || len(rest) != digits || rest[0] == '0' {
			continue
		}
		v, err := strconv.ParseUint(rest, 10, 64)
		if err != nil {
			return false
		}
		n.NationalNumber, n.ItalianLeadingZero, n.NumberOfLeadingZeros = &v, nil, nil
		return true
	}
	return false
}

func e164Of(n *phonenumbers.PhoneNumber) string {
	return strings.TrimPrefix(phonenumbers.Format(n, phonenumbers.E164), "+")
}

func tollFree(n *phonenumbers.PhoneNumber) bool {
	switch phonenumbers.GetNumberType(n) {
	case phonenumbers.TOLL_FREE, phonenumbers.SHARED_COST, phonenumbers.PREMIUM_RATE, phonenumbers.UAN:
		return true
	}
	return false
}

func keepDigits(v string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, v)
}

// nationalOf splits a canonical number: its national significant number and the
// trunk prefix of its country.
func nationalOf(e164 string) (national, trunk string) {
	if len(e164) == 11 && e164[0] == '1' && e164[1] >= '2' {
		return e164[1:], "1" // in all countries of the North American plan, and parsing is slow
	}
	return parseNational(e164)
}

func parseNational(e164 string) (national, trunk string) {
	n, err := phonenumbers.Parse("+"+e164, "ZZ")
	if err != nil {
		return "", ""
	}
	region := phonenumbers.GetRegionCodeForNumber(n)
	if region == "" {
		region = phonenumbers.GetRegionCodeForCountryCode(int(n.GetCountryCode()))
	}
	return phonenumbers.GetNationalSignificantNumber(n), phonenumbers.GetNddPrefixForRegion(region, true)
}

// atHome is an Argentine mobile number as people write it at home: without the 9 of its
// international form, and with a 15 behind its area code. It is "" for any other number.
func atHome(e164 string) string {
	if !strings.HasPrefix(e164, "549") {
		return ""
	}
	n, err := phonenumbers.Parse("+"+e164, "ZZ")
	if err != nil {
		return ""
	}
	return keepDigits(phonenumbers.Format(n, phonenumbers.NATIONAL))
}

// Dials reports whether digits are a phone number as people of region dial it.
func Dials(digits, region string) bool {
	for _, r := range readPhone(digits, false, region) {
		if r.valid && r.sure {
			return true
		}
	}
	return false
}

// reading is one way to read digits as a number.
type reading struct {
	e164  string
	valid bool
	sure  bool // a plus, a dialling prefix or the region's own plan says so; else the plus was guessed

	contested bool // … though people of the region read the digits as another number
	trunkless bool // a national number without the trunk prefix that people of the region write
}

// readPhone reads the digits of a number as people of region do.
func readPhone(digits string, plus bool, region string) []reading {
	if plus {
		if n, err := parsePhone("+"+digits, "ZZ"); err == nil {
			return []reading{{e164: e164Of(n), valid: phonenumbers.IsValidNumber(n), sure: true}}
		}
		return nil
	}
	var rs []reading
	n, err := phonenumbers.ParseAndKeepRawInput(digits, region)
	amended := err == nil && amend(n, digits)
	if err == nil && phonenumbers.IsPossibleNumberWithReason(n) == phonenumbers.IS_POSSIBLE {
		valid := phonenumbers.IsValidNumber(n)
		trunkless := valid && !amended && !phonenumbers.VALID.Verify(n, digits)
		n.RawInput = nil // of zeros alone it would be the E.164
		rs = append(rs, reading{e164: e164Of(n), valid: valid, sure: true, trunkless: trunkless})
	}
	if len(digits) >= 10 && strings.HasPrefix(digits, "00") { // as most of the world dials abroad
		if m, err := parsePhone("+"+digits[2:], "ZZ"); err == nil && phonenumbers.IsValidNumber(m) && !slices.ContainsFunc(rs, func(r reading) bool { return r.valid }) {
			return append([]reading{{e164: e164Of(m), valid: true, sure: true}}, rs...)
		}
	}
	if len(digits) < 8 || digits[0] == '0' {
		return rs
	}
	m, err := parsePhone("+"+digits, "ZZ")
	if err != nil || !phonenumbers.IsValidNumber(m) || len(rs) > 0 && rs[0].e164 == e164Of(m) {
		return rs
	}
	return append(rs, reading{e164: e164Of(m), valid: true, contested: len(rs) > 0 && (rs[0].valid || len(digits) == 10)})
}
