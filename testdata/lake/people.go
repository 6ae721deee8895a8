package lake

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Area codes of the fictional numbers: NPA-555-01xx are those who asked, other
// lines of 555 are strangers.
var areaCodes = []int{404, 214, 201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 215, 216, 217, 218, 219, 224, 225, 228, 229,
	231, 234, 239, 240, 248, 251, 252, 253, 254, 256, 260, 262, 267, 269, 270, 276, 281, 301, 302, 303, 304, 305, 307, 308, 309, 310,
	312, 313, 314, 315, 316, 317, 318, 319, 320, 321, 323, 325, 330, 334, 336, 337, 347, 352, 360, 361, 386, 401, 402, 405, 406, 407,
	408, 409, 410, 412, 413, 414, 415, 417, 419, 423, 425, 432, 434, 440, 443, 469, 478, 479, 480, 484, 501, 502, 503, 504, 505, 507,
	508, 509, 510, 512, 513, 515, 516, 517, 518, 520, 530, 540, 541, 559, 561, 562, 563, 570, 571, 573, 574, 580, 585, 586}

var (
	firstNames = []string{"jane", "omar", "lucia", "wei", "amara", "noah", "priya", "tomas", "ingrid", "kofi", "mei", "dario"}
	lastNames  = []string{"doe", "haddad", "reyes", "chen", "okafor", "berg", "nair", "novak", "lund", "mensah", "sato", "conti"}
	cities     = []string{"Atlanta", "Dallas", "Laguna Beach", "Fresno", "Tulsa", "Reno", "Macon", "Boise"}
	states     = []string{"GA", "TX", "CA", "CA", "OK", "NV", "GA", "ID"}
)

// stranger is the person of a consumer who asked for nothing.
const stranger = -1

// member is one consumer as one account knows them.
type member struct {
	acct, person                     int
	seed                             uint64
	phone, email                     string // canonical
	visitor, personID, device, click string
	user                             int64 // short
	name, ip, city, state            string
}

func (m *member) value(kind string) string {
	switch kind {
	case "phone":
		return m.phone
	case "email":
		return m.email
	case "visitor_id":
		return m.visitor
	case "user_id":
		return strconv.FormatInt(m.user, 10)
	}
	panic("lake: no identifier of kind " + kind)
}

// mix hashes numbers to one; all that looks random in a lake comes from it.
func mix(parts ...uint64) uint64 {
	h := uint64(0x9e3779b97f4a7c15)
	for _, p := range parts {
		h ^= p
		h ^= h >> 32
		h *= 0xd6e8feb86659fd93
		h ^= h >> 32
		h *= 0xd6e8feb86659fd93
		h ^= h >> 32
	}
	return h
}

func phoneOf(person int) string {
	return fmt.Sprintf("+1%d55501%02d", areaCodes[person/100], person%100)
}

// member is what account a knows of a person who asked somewhere: phone and
// e-mail are the person's, every other id is the account's own.
func (l *Lake) member(a, person int) *member {
	m := &member{acct: a, person: person, seed: mix(l.o.Seed, 1, uint64(a), uint64(person)), phone: phoneOf(person)}
	first, last := firstNames[person%12], lastNames[person/12%12]
	m.email = fmt.Sprintf("%s.%s.c%d@example.%s", first, last, person, []string{"com", "org", "net"}[person%3])
	if person%6 == 3 { // dots matter in what such an address hashes to
		m.email = fmt.Sprintf("%s.%s.invented.c%d@gmail.com", first, last, person)
	}
	m.user = int64(11 + person)
	m.visitor = fmt.Sprintf("1%08d.%d", (uint64(person)*uint64(l.o.Accounts)+uint64(a))%1e8, 1704100000+m.seed%60000000)
	l.fill(m, first, last)
	return m
}

// someone is consumer c of account a who asked for nothing.
func (l *Lake) someone(a, c int) *member {
	m := &member{acct: a, person: stranger, seed: mix(l.o.Seed, 2, uint64(a), uint64(c))}
	first, last := firstNames[m.seed%12], lastNames[m.seed/12%12]
	m.phone = fmt.Sprintf("+1%d555%04d", areaCodes[m.seed/144%uint64(len(areaCodes))], 200+m.seed/20000%9800)
	m.email = fmt.Sprintf("%s.%s.s%d@example.%s", first, last, c, []string{"com", "org", "net"}[m.seed%3])
	m.user = int64(1000000 + c)
	m.visitor = fmt.Sprintf("%09d.%d", 200000000+uint64(c)%700000000, 1704100000+m.seed%60000000)
	l.fill(m, first, last)
	return m
}

func (l *Lake) fill(m *member, first, last string) {
	m.personID = "PER" + hexID(m.seed, 3)
	m.device = uuid(m.seed, 4)
	m.click = "EAIaIQob" + hexID(m.seed, 5)[:20]
	m.name = strings.ToUpper(first[:1]) + first[1:] + " " + strings.ToUpper(last[:1]) + last[1:]
	m.ip = fmt.Sprintf("203.0.113.%d", m.seed>>20%256)
	m.city, m.state = cities[m.seed>>30%8], states[m.seed>>30%8]
}

// hexID gives 32 hexadecimal digits, never ten decimal ones in a row at its ends.
func hexID(parts ...uint64) string {
	h := mix(parts...)
	return fmt.Sprintf("%016x%016x", h, mix(h, 77))
}

func uuid(parts ...uint64) string {
	h := hexID(parts...)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}

// Ids that tie a member's records together, by the number of the call.
func (m *member) call(j int) string      { return "CAL" + hexID(m.seed, 10, uint64(j)) }
func (m *member) sid(j int) string       { return "CA" + hexID(m.seed, 11, uint64(j)) }
func (m *member) recording(j int) string { return "RE" + hexID(m.seed, 12, uint64(j)) }
func (m *member) session(j int) string   { return uuid(m.seed, 13, uint64(j)) }
func (m *member) family() string         { return uuid(m.seed, 15) } // the browser of their household
func (m *member) contact(j int) string   { return uuid(m.seed, 14, uint64(j)) }

func requestID(person int) string { return fmt.Sprintf("R-%d", 1001+person) }

func rightsOf(person int) []string {
	return [][]string{{"access", "delete"}, {"delete"}, {"access"}, {"know", "delete"}}[person/2%4]
}

// kindsOf lists the kinds a person's request names.
func kindsOf(person int) []string {
	kinds := [][]string{{"phone", "email"}, {"phone"}, {"email"}, {"phone", "email", "user_id"}}[person%4]
	if person%8 == 5 {
		kinds = append(kinds[:len(kinds):len(kinds)], "visitor_id")
	}
	return kinds
}

func (l *Lake) makeAccount(a int) account {
	name := ""
	for n := a; ; n = n/26 - 1 {
		name = string(rune('a'+n%26)) + name
		if n < 26 {
			break
		}
	}
	h := mix(l.o.Seed, 3, uint64(a))
	acc := account{name: "acct-" + name, acc: "ACC" + hexID(h, 1), com: fmt.Sprintf("COM%d", 7000+a)}
	for t := range 3 {
		// 555-9xxx of a code is drawn for strangers, too: toll-free codes are not.
		acc.tracking = append(acc.tracking, fmt.Sprintf("+1%d555%04d", []int{800, 888, 877}[t], 1000+a%9000))
	}
	return acc
}

// form is a way to write a phone number.
type form struct {
	name  string
	tier  Tier
	write func(n string) string // n: the ten national digits
}

func dashed(n string) string { return n[:3] + "-" + n[3:6] + "-" + n[6:] }
func parens(n string) string { return "(" + n[:3] + ") " + n[3:6] + "-" + n[6:] }

func fullWidth(s string) string {
	return strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f {
			return r - 0x20 + 0xff00
		}
		return r
	}, s)
}

var (
	e164    = form{"E.164", Exact, func(n string) string { return "+1" + n }}
	dashes  = form{"national dashed", Normalised, dashed}
	bracket = form{"national with parentheses", Normalised, parens}
	digits  = form{"national digits", Normalised, func(n string) string { return n }}
	plain11 = form{"digits with country code", Normalised, func(n string) string { return "1" + n }}
	wide    = form{"full-width", Normalised, func(n string) string { return fullWidth("+1 (" + n[:3] + ") " + n[3:6] + "-" + n[6:]) }}

	spokenForms = []form{dashes, bracket, e164,
		{"national dotted", Normalised, func(n string) string { return n[:3] + "." + n[3:6] + "." + n[6:] }},
		{"international spaced", Normalised, func(n string) string { return "+1 " + n[:3] + " " + n[3:6] + " " + n[6:] }},
		{"country code dashed", Normalised, func(n string) string { return "1-" + dashed(n) }},
		{"international with parentheses", Normalised, func(n string) string { return "+1 (" + n[:3] + ") " + n[3:6] + "-" + n[6:] }}}
)

func national(e164 string) string { return e164[2:] }

// oneOff is a number that differs from a requested one in one digit. No one who
// asked has it: theirs are all 555-01xx.
func oneOff(e164 string) string { return e164[:8] + "1" + e164[9:] }

func sha(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

// hashedEmail follows the convention of ads uploads: dots before @gmail.com go.
func hashedEmail(email string) string {
	if local, ok := strings.CutSuffix(email, "@gmail.com"); ok {
		email = strings.ReplaceAll(local, ".", "") + "@gmail.com"
	}
	return sha(email)
}

// shout writes an address with capitals.
func shout(email string) string {
	local, domain, _ := strings.Cut(email, "@")
	return strings.ToUpper(local[:1]) + local[1:] + "@" + strings.ToUpper(domain)
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }
