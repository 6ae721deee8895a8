package identity

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"expunge/pipeline"
)

// Normalise brings an identifier, in any writing, into its canonical form.
// region is the country of national phone numbers: "US".
func Normalise(kind pipeline.Kind, value pipeline.Secret, region string) (Canon, error) {
	c, err := normalise(kind, value.Reveal(), region)
	if err != nil {
		return Canon{}, fmt.Errorf("normalise %s: %w", kind, err)
	}
	return c, nil
}

func normalise(kind pipeline.Kind, v, region string) (Canon, error) {
	v = strings.TrimSpace(v)
	switch kind {
	case pipeline.Phone:
		return normalisePhone(v, region)
	case pipeline.Email:
		a, ok := canonEmail(v)
		if !ok {
			return Canon{}, ErrInvalid
		}
		return Canon{Kind: kind, Value: pipeline.Secret(a)}, nil
	case pipeline.IP:
		a, ok := canonIP(v)
		if !ok {
			return Canon{}, ErrInvalid
		}
		return Canon{Kind: kind, Value: pipeline.Secret(a)}, nil
	case pipeline.Name:
		n := foldName(v)
		if n == "" {
			return Canon{}, ErrInvalid
		}
		return Canon{Kind: kind, Value: pipeline.Secret(n)}, nil
	}
	id := canonID(kind, v)
	if id == "" {
		return Canon{}, ErrInvalid
	}
	if nullID(id) {
		return Canon{}, ErrNull
	}
	return Canon{Kind: kind, Value: pipeline.Secret(id)}, nil
}

// canonEmail is the canonical form of an address; mailto: and angle brackets
// around it are taken off.
func canonEmail(v string) (string, bool) {
	v = strings.Trim(strings.TrimSpace(v), "<>\"'")
	if len(v) > 7 && strings.EqualFold(v[:7], "mailto:") {
		v = v[7:]
	}
	var d decoder
	b := d.decode([]byte(v))
	at := strings.LastIndexByte(string(b), '@')
	if at < 1 || at == len(b)-1 {
		return "", false
	}
	local, dom := string(b[:at]), strings.TrimRight(string(b[at+1:]), ".")
	if strings.ContainsAny(local, "@ \t\r\n,;<>()\"\\") || strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") {
		return "", false
	}
	for i := range len(dom) {
		if c := dom[i]; c != '.' && classes[c]&domain == 0 {
			return "", false
		}
	}
	host, err := idna.Lookup.ToASCII(strings.ToLower(dom))
	if err != nil || !strings.Contains(host, ".") || strings.Contains(host, "..") {
		return "", false
	}
	return strings.Map(unicode.ToLower, norm.NFC.String(local)) + "@" + host, true
}

// canonIP reads an address with or without brackets, port and zone.
func canonIP(v string) (string, bool) {
	if a, err := netip.ParseAddr(v); err == nil {
		return a.Unmap().WithZone("").String(), true
	}
	if p, err := netip.ParseAddrPort(v); err == nil {
		return p.Addr().Unmap().WithZone("").String(), true
	}
	if n := len(v); n > 2 && v[0] == '[' && v[n-1] == ']' {
		return canonIP(v[1 : n-1])
	}
	return "", false
}

// foldName makes names comparable: José and JOSE are one.
func foldName(v string) string {
	v = strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Mn, r):
			return -1
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return ' '
	}, norm.NFKD.String(strings.NewReplacer("'", "", "’", "").Replace(v)))
	return strings.Join(strings.Fields(v), " ")
}

// canonID is the canonical form of ids of calls, visitors, devices, users …; ""
// for a value that is none.
func canonID(kind pipeline.Kind, v string) string {
	v = strings.TrimSpace(v)
	switch strings.ToLower(v) {
	case "", "null", "none", "nil", "undefined", "unknown", "n/a", "#n/a", "na", "nan", `\n`, "-", "(not set)", "not set", "unset", "anonymous", "guest", "test",
		"true", "false", "-1":
		return ""
	}
	if len(v) < 8 && strings.Trim(v, "0") == "" {
		return ""
	}
	if kind == pipeline.Click {
		return clickID(v)
	}
	if n := len("urn:uuid:"); len(v) > n && strings.EqualFold(v[:n], "urn:uuid:") {
		v = v[n:]
	}
	if urn := len("urn:uuid:"); len(v) > urn && strings.EqualFold(v[:urn], "urn:uuid:") {
		v = v[urn:]
	}
	if n := len(v); n > 2 && v[0] == '{' && v[n-1] == '}' && n == 38 {
		v = v[1 : n-1]
	}
	if h, ok := hex32(v); ok {
		return h
	}
	if kind == pipeline.Visitor || kind == pipeline.Device || kind == pipeline.User {
		if id, ok := gaID(v); ok {
			return id
		}
	}
	return v
}

// clickParams are the parameters of URLs that hold a click's id.
var clickParams = []string{"gclid", "wbraid", "gbraid", "dclid", "fbclid", "msclkid", "ttclid", "twclid", "li_fat_id"}

// clickID is the id of a click, which may have been copied with its parameter: ?gclid=….
// Its letters keep their case.
func clickID(v string) string {
	name, id, ok := strings.Cut(strings.TrimLeft(v, "?&"), "=")
	if ok && slices.Contains(clickParams, strings.ToLower(name)) {
		return id
	}
	return v
}

// hex32 reads a UUID, hyphenated or plain.
func hex32(v string) (string, bool) {
	if len(v) == 36 && v[8] == '-' && v[13] == '-' && v[18] == '-' && v[23] == '-' {
		v = v[:8] + v[9:13] + v[14:18] + v[19:23] + v[24:]
	}
	if len(v) != 32 {
		return "", false
	}
	for i := range len(v) {
		if classes[v[i]]&(digit|hexlet) == 0 {
			return "", false
		}
	}
	return strings.ToLower(v), true
}

// gaID reads the client id of a Google Analytics cookie: "GA1.2.<random>.<epoch>" with
// exactly these parts ("GA1.3-2.…" below a path), with the cookie's name or without, or
// the id alone.
func gaID(v string) (string, bool) {
	parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(v, "_ga="), ";"), ".")
	switch {
	case len(parts) == 4 && len(parts[0]) == 3 && strings.EqualFold(parts[0][:2], "GA") && digits(parts[0][2:]) && digits(strings.Replace(parts[1], "-", "", 1)):
		parts = parts[2:]
	case len(parts) != 2:
		return "", false
	}
	if !digits(parts[0]) || !digits(parts[1]) || len(parts[0]) > 10 || len(parts[1]) != 10 {
		return "", false
	}
	return parts[0] + "." + parts[1], true
}

func digits(v string) bool {
	for i := range len(v) {
		if !isDigit(v[i]) {
			return false
		}
	}
	return v != ""
}

// nullID reports whether id is one that devices give when they give none.
func nullID(id string) bool {
	return len(id) >= 8 && strings.Trim(id, "0-") == ""
}
