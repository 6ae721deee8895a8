package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"expunge/pipeline"
	"expunge/scanners"
)

// testKey is any key: tokens must not depend on which.
var testKey = Key{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}

// wanted normalises identifiers of the account "acme" for a test.
func wanted(t testing.TB, kind pipeline.Kind, values ...string) []Needle {
	t.Helper()
	var ns []Needle
	for _, v := range values {
		c, err := Normalise(kind, pipeline.Secret(v), "US")
		if err != nil {
			t.Fatalf("%q: %v", v, err)
		}
		ns = append(ns, Needle{Account: "acme", Canon: c})
	}
	return ns
}

var caseFields = []pipeline.Field{
	{Path: "device", Kind: pipeline.Device},
	{Path: "user_pseudo_id", Kind: pipeline.Visitor},
	{Path: "idfa", Kind: pipeline.Device},
	{Path: "ip", Kind: pipeline.IP},
	{Path: "name", Kind: pipeline.Name},
	{Path: "phone", Kind: pipeline.Phone},
	{Path: "email", Kind: pipeline.Email},
	{Path: "body", Text: true},
	{Path: "call_sid", Kind: pipeline.Call, Link: true},
	{Path: "tracking_phone_number", Party: pipeline.Business},
	{Path: "agent_email", Party: pipeline.Agent},
}

// outcome is what becomes of the surest match: yes, review or no.
func outcome(ms []scanners.Match) string {
	out := "no"
	for _, m := range ms {
		if pipeline.Tier(m.Tier).Automatic() {
			return "yes"
		}
		out = "review"
	}
	return out
}

// TestMatchCases holds the cases of the domain's list, by their numbers, and
// further ones of the same kinds.
func TestMatchCases(t *testing.T) {
	const p = "+12145550142"
	const d = "6D92078A-8246-4BA4-AE5B-76104861E7DC"
	tests := []struct {
		n              int // in the list; 0: a further one
		kind           pipeline.Kind
		id, text, path string
		want, rule     string
	}{
		{1, "phone", p, "214-555-0142", "formatted_customer_phone_number", "yes", "phone.national"},
		{2, "phone", p, "(214) 555-0142", "cell", "yes", "phone.national"},
		{3, "phone", p, "2145550142", "number", "yes", "phone.national"}, // scanners write 2145550142.0 and 2.145550142E9 so
		{3, "phone", p, "12145550142", "number", "yes", "phone.digits"},
		{4, "phone", p, "011 1 214 555 0142", "line", "yes", "phone.idd"},
		{5, "phone", p, "+1 (214) 555-0142 x1234", "note", "yes", "phone.international.ext"},
		{6, "phone", p + " x7", "+1 214 555 0142 x9", "note", "no", ""},
		{6, "phone", p + " x7", "+1 214 555 0142 ext. 7", "note", "yes", "phone.international.ext"},
		{6, "phone", p + " x7", "+1 214 555 0142", "note", "review", "phone.international"},
		{7, "phone", p, "sip:+12145550142@pbx.example.com", "from", "yes", "phone.e164"},
		{7, "phone", p, "tel:+1-214-555-0142;ext=12", "from", "yes", "phone.international.ext"},
		{7, "phone", p, "whatsapp:+12145550142", "from", "yes", "phone.e164"},
		{8, "phone", p, "%2B12145550142", "q", "yes", "phone.e164"},
		{8, "phone", p, "https://example.com/a?phone=%2B12145550142&x=1", "url", "yes", "phone.e164.url"},
		{8, "phone", p, "https://example.com/a?phone=+12145550142&x=1", "url", "yes", "phone.e164.url"},
		{8, "phone", p, "https://example.com/a?phone=%252B1+214+555+0142", "url", "yes", ""},
		{8, "phone", p, "/a?phone=(214)+555-0142", "url", "yes", ""},
		{9, "phone", p, "＋１ （２１４） ５５５-０１４２", "form", "yes", "phone.international"},
		{10, "phone", p, "٢١٤٥٥٥٠١٤٢", "form", "yes", "phone.national"},
		{11, "phone", p, "*67 214 555 0142", "lastdata", "yes", "phone.national"},
		{11, "phone", p, "*672145550142", "lastdata", "yes", "phone.national"},
		{11, "phone", p, "#31#2145550142", "lastdata", "yes", "phone.national"},
		{0, "phone", p, "214·555·0142", "form", "yes", "phone.national"},
		{0, "phone", p, "(214) • 555 • 0142", "form", "yes", "phone.national"},
		{0, "phone", p, "&#43;1&#50;145550142", "form", "yes", "phone.e164"},
		{0, "email", "jane.doe@example.com", "jane.doe&#64;example.com", "form", "yes", "email.lower"},
		{0, "email", "jane.doe@example.com", "&#x6a;ane.doe&#x40;example.com", "form", "yes", "email.lower"},
		{0, "email", "o'brien@example.com", "o&#39;brien@example.com", "form", "yes", "email.lower"},
		{0, "email", "brien@example.com", "o&#39;brien@example.com", "form", "review", "email.lower"},
		{0, "email", "jane.doe@example.com", "jane.doe&#64", "form", "no", ""},
		{0, "phone", p, "214&nbsp;555&nbsp;0142", "form", "yes", "phone.national"},
		{0, "phone", p, "&lpar;214&rpar;&nbsp;555&ndash;0142", "form", "yes", "phone.national"},
		{0, "phone", p, "&plus;1&thinsp;214&hyphen;555&minus;0142", "phone", "yes", "phone.international"},
		{0, "phone", p, "214&middot;555&period;0142", "phone", "yes", "phone.national"},
		{0, "phone", p, "<td>&quot;214&mdash;555&mdash;0142&quot;</td>", "form", "review", "phone.national"},
		{0, "phone", p, "214&amp;nbsp;555&amp;#45;0142", "form", "yes", "phone.national"},
		{0, "phone", p, "214&nbs;555&nbs;0142", "form", "no", ""},
		{0, "email", "jane.doe@example.com", "jane.doe&commat;example&period;com", "form", "yes", "email.lower"},
		{0, "email", "o'brien@example.com", "o&apos;brien@example.com", "form", "yes", "email.lower"},
		{0, "email", "info@bücher.example", "info@b&uuml;cher.example", "email", "yes", "email.idn"},
		{0, "email", "jane.doe@example.com", "jane.doe&copyright;example.com", "form", "no", ""},
		{12, "phone", p, "214-555-0142 / 0143", "note", "yes", "phone.national"},
		// 13: no single leaf shows digits spoken over several turns: see TestSpoken
		{13, "phone", p, "0142", "turn", "no", ""},
		{14, "phone", p, "555-0142", "body", "no", ""},
		{15, "phone", p, "RE2145550142aaaaaaaaaaaaaaaaaaaaaaaaaa", "sid", "no", ""},
		{16, "phone", p, "Order 2145550142999", "note", "no", ""},
		{0, "phone", p, "Order 9992145550142", "note", "no", ""},
		{0, "phone", p, "call 214-555-0142 now", "note", "review", "phone.national"},
		{0, "phone", p, "call 214-555-0142 now", "phone", "yes", "phone.national"},
		{0, "phone", p, "call\n214\u2011555\u00a00142", "body", "review", "phone.national"},
		{0, "phone", p, "999-214-555-0142", "note", "review", "phone.national"},
		{0, "phone", p, "+44 2145550142", "note", "no", ""},
		{0, "phone", p, "0012145550142", "line", "yes", "phone.idd"},
		{0, "phone", p, "00 1 214 555 0142", "line", "yes", "phone.idd"},
		// what counts or measures something is no phone for sure
		{0, "phone", p, "21.45550142", "lat", "review", "phone.national.quantity"},
		{0, "phone", p, "1.2145550142", "ratio", "review", ""},
		{0, "phone", p, "214555.0142", "lat", "review", "phone.national.quantity"},
		{0, "phone", p, "-2145550142", "balance", "review", "phone.national.quantity"},
		{0, "phone", p, "€2145550142", "cell", "review", "phone.national.quantity"},
		{0, "phone", p, "$ 2145550142", "cell", "review", "phone.national.quantity"},
		{0, "phone", p, "2145550142 ¥", "cell", "review", "phone.national.quantity"},
		{0, "phone", p, "2145550142%", "cell", "review", "phone.national.quantity"},
		{0, "phone", p, "2145550142%20", "cell", "yes", "phone.national"},
		{0, "phone", p, "%2B12145550142 ", "cell", "yes", "phone.e164"},
		{0, "phone", p, "214555.0142", "phone", "yes", "phone.national"},
		{0, "phone", p, "12 2145550142", "form", "review", "phone.national"},
		{0, "phone", p, "5551 214 555 0142", "form", "review", "phone.national"},
		{0, "phone", p, "214 555 0142 4", "form", "review", "phone.national"},
		{0, "phone", p, "2-1-4-5-5-5-0-1-4-2", "form", "review", "phone.national"},
		{0, "phone", p, "214 555 0142 404 555 0123", "form", "yes", "phone.national"},
		{0, "phone", p, "404 555 0123 214 555 0142", "form", "yes", "phone.national"},
		{18, "phone", "+14045558514", "+14045558514", "tracking_phone_number", "no", ""},
		{19, "phone", p, p, "forwarded_from", "review", "phone.e164.third_party"},
		{20, "phone", "+442079460958", "2079460958", "cell", "no", ""},
		{0, "phone", "+442079460958", "+44 (0)20 7946 0958", "cell", "yes", "phone.international"},
		{0, "phone", "+442079460958", "011 44 20 7946 0958", "cell", "yes", "phone.idd"},
		{0, "phone", "+12079460958", "011 44 20 7946 0958", "cell", "no", ""},
		{0, "phone", "+4722225555", "+47 22 22 55 55", "cell", "yes", "phone.international"},
		// 21: toll-free numbers are businesses': a person decides
		{21, "phone", "+18003569377", "1-800-FLOWERS", "note", "review", "phone.vanity"},
		{21, "phone", "+18003569377", "800-FLOWERS", "phone", "review", "phone.vanity"},
		{0, "phone", "+14043569377", "404-FLO-WERS", "phone", "yes", "phone.vanity"},
		{0, "phone", "+14043569377", "ask for 1-404-flowers", "note", "review", "phone.vanity"},
		{0, "phone", "+14043569377", "404-FLOWERSHOP", "phone", "no", ""},
		{0, "phone", "+14043569377", "X404-FLOWERS", "phone", "no", ""},
		{21, "phone", "+18003569377", "1-800-356-9377", "note", "review", "phone.national"},
		{22, "phone", "+15555555555", "(555) 555-5555", "form", "review", "phone.national"},
		{0, "phone", "000-000-0000", "000-000-0000", "form", "review", ""},
		{23, "phone", p, p, "phone", "yes", "phone.e164"}, // dates are the scan step's: a leaf has none
		{24, "phone", p, "3759600e45e0177da8358b8f0e9e87a36443746585bb8bdb5a0505c1ce3cc2cd", "h", "yes", "sha256.e164"},
		{25, "phone", p, "24e76d70977ec38300d17ef0a92db95235005ea45da0cb9ec4e1295aae1d7ef2", "h", "yes", "sha256.national"},
		{25, "phone", p, "24E76D70977EC38300D17EF0A92DB95235005EA45DA0CB9EC4E1295AAE1D7EF2", "h", "yes", "sha256.national"},
		{26, "email", "jane.doe@example.com", "Jane.Doe@EXAMPLE.com", "form", "yes", "email.lower"},
		{0, "email", "jane.doe@example.com", "jane.doe@example.com", "email", "yes", "email.exact"},
		{27, "email", "jane.doe@gmail.com", "janedoe@gmail.com", "form", "review", "email.gmail"},
		{27, "email", "jane.doe@gmail.com", "jane.doe@googlemail.com", "form", "review", "email.gmail"},
		{28, "email", "jane.doe@gmail.com", "jane.doe+ads@gmail.com", "form", "review", "email.gmail"},
		{29, "email", "jane.doe@example.com", "?u=https%3A%2F%2Fy%2F%3Femail%3Djane.doe%2540example.com", "url", "yes", "email.percent.url"},
		{30, "email", "jane.doe@example.com", "jane.doe@example.com.evil.test", "log", "no", ""},
		{0, "email", "jane.doe@example.com", "mary-jane.doe@example.com", "log", "no", ""},
		{0, "email", "ads@example.com", "jane+ads@example.com", "log", "no", ""},
		{0, "email", "o'brien@example.com", "O'Brien@example.com", "log", "yes", "email.lower"},
		{0, "email", "brien@example.com", "o'brien@example.com", "log", "review", "email.lower"},
		{0, "email", "jane@example.com", "a@example.com; jane@example.com", "log", "yes", "email.lower"},
		{0, "email", "jane@example.com", "write to jane@example.com.", "log", "review", "email.lower"},
		{31, "email", "info@bücher.example", "info@xn--bcher-kva.example", "log", "yes", "email.exact"},
		{31, "email", "info@xn--bcher-kva.example", "info@bücher.example", "log", "yes", "email.idn"},
		{31, "email", "a@example.com", "a@ｅxample.com", "log", "yes", "email.lower"},
		{31, "email", "a@fass.de", "a@faß.de", "log", "no", ""},
		{32, "email", "jane.doe@gmail.com", "d6117306485ed0e50afab3ac871e98f81699151f30281527d63ff5f233656c69", "h", "yes", "sha256.dotless"},
		{33, "email", "person@example.com", "542d240129883c019e106e3b1b2d3f3cb3537c43c425364de8e951d5a3083345", "h", "yes", "sha256.lower"},
		{34, "email", "jane.doe@example.com", "jane dot doe at example dot com", "body", "review", "email.spoken"},
		{34, "email", "jane.doe@example.com", "it's Jane dot Doe at example dot com, thanks", "form", "review", "email.spoken"},
		{0, "email", "jane_doe@mail.example.com", "jane underscore doe at mail dot example dot com.", "body", "review", "email.spoken"},
		{0, "email", "jane.doe@gmail.com", "jane doe at gmail dot com is janedoe at gmail dot com", "body", "review", "email.gmail"},
		{0, "email", "jane.doe@example.com", "jane dot doe at example dot com dot au", "body", "no", ""},
		{0, "email", "doe@example.com", "jane dot doe at example dot com", "body", "no", ""},
		{0, "email", "jane@example.com", "meet jane at example dot", "body", "no", ""},
		{0, "email", "jane@example.com", "jane@example.com-826724", "form", "review", "email.lower"},
		{0, "email", "jane@example.com", "jane@example.com-826724.csv", "form", "no", ""},
		{0, "email", "jane@example.com", "jane@example.com-evil.test", "form", "no", ""},
		{0, "email", "jane@example.xn--p1ai", "jane@example.xn--p1ai-7", "form", "no", ""},
		{35, "visitor_id", "123456789.1699999999", "GA1.1.123456789.1699999999.7", "log", "no", ""},
		{35, "visitor_id", "123456789.1699999999", "GA1.1.123456789.1699999999", "log", "yes", "ga.cookie"},
		{35, "visitor_id", "GA1.2.123456789.1699999999", "123456789.1699999999", "user_pseudo_id", "yes", "visitor_id.exact"},
		{36, "visitor_id", "123456789.1699999999", "123456789", "user_pseudo_id", "no", ""},
		{36, "visitor_id", "123456789.1699999999", "123456789.1699999", "user_pseudo_id", "no", ""},
		// 37 to 40: an address alone is never the only ground
		{37, "ip", "2001:db8::1", "2001:0DB8:0:0:0:0:0:1", "ip", "review", "ip"},
		{37, "ip", "2001:db8::1", "[2001:db8::1]:443", "ip", "review", "ip"},
		{38, "ip", "203.0.113.7", "::ffff:203.0.113.7", "ip", "review", "ip"},
		{39, "ip", "203.0.113.7", "198.51.100.2, 203.0.113.7", "fwd", "review", "ip"},
		{40, "ip", "203.0.113.7", "203.0.113.7", "fwd", "review", "ip"},
		{0, "ip", "203.0.113.7", "203.0.113.77", "fwd", "no", ""},
		{0, "ip", "203.0.113.7", "1203.0.113.7", "fwd", "no", ""},
		{41, "device_id", d, "6d92078a-8246-4ba4-ae5b-76104861e7dc", "idfa", "yes", "device_id.normalised"},
		{41, "device_id", d, "6d92078a82464ba4ae5b76104861e7dc", "x", "yes", "uuid"},
		{41, "device_id", d, "https://example.com/d/6D92078A-8246-4BA4-AE5B-76104861E7DC?x", "url", "yes", "uuid.url"},
		{43, "name", "José Núñez", "JOSE NUNEZ", "name", "review", "name.folded"},
		{43, "name", "José Núñez", "José Núñez", "name", "review", "name.folded"},
		{44, "name", "Laguna Beach", "Laguna Beach Ca", "name", "no", ""},
		{45, "call_id", "CA0123456789abcdef0123456789abcdef", "CA0123456789abcdef0123456789abcdef", "call_sid", "yes", "call_id.exact"},
		{46, "call_id", d, "s3://bucket/a/6d92078a-8246-4ba4-ae5b-76104861e7dc_2020.wav", "InputS3Uri", "review", "uuid"},
		// 47: that a person's links were merged shows only over several records
		{47, "person_id", "PER104f23341f5f4052b19bfc789487503e", "PER104f23341f5f4052b19bfc789487503e", "person", "yes", "word"},
		{0, "device_id", d, "urn:uuid:6d92078a-8246-4ba4-ae5b-76104861e7dc", "idfa", "yes", "device_id.normalised"},
		{0, "click_id", "EAIaIQobChMI9x", "EAIaIQobChMI9X", "gclid", "no", ""},
		// an id in a field of another kind is perhaps something else's
		{0, "user_id", "ID-000017", "ID-000017", "call_sid", "review", "word.other_kind"},
		{0, "user_id", "ID-000017", "ID-000017", "cell", "yes", "word"},
		{0, "call_id", d, d, "device", "review", "uuid.other_kind"},
		{0, "user_id", "123456789.1699999999", "GA1.2.123456789.1699999999", "user_pseudo_id", "review", "ga.cookie.other_kind"},
		{0, "call_id", "ID-000017", "ID-000017", "call_sid", "yes", "call_id.exact"},
		{0, "click_id", "EAIaIQobChMI9x", "?gclid=EAIaIQobChMI9x&a=b", "url", "yes", "word.url"},
		{0, "email", "jane@example.com", "jane@example.com", "agent_email", "no", ""},
	}
	for _, tt := range tests {
		set := Compile(testKey, "US", wanted(t, tt.kind, tt.id))
		f := set.Finder(FinderOptions{Fields: caseFields, Search: true, Account: "acme"})
		ms := f.Find(nil, tt.path, []byte(tt.text))
		if got := outcome(ms); got != tt.want {
			t.Errorf("case %d: %s %q in %q: %s, want %s (%v)", tt.n, tt.kind, tt.id, tt.text, got, tt.want, ms)
			continue
		}
		if tt.rule != "" && !slices.ContainsFunc(ms, func(m scanners.Match) bool { return m.Rule == tt.rule }) {
			t.Errorf("case %d: %q in %q: rules %v, want %s", tt.n, tt.id, tt.text, ms, tt.rule)
		}
		if len(ms) > 0 && tt.kind != "name" && !reported(f, tt.path, tt.text) {
			t.Errorf("case %d: Find matches %q, Probe does not", tt.n, tt.text)
		}
		rememberedCase(t, wanted(t, tt.kind, tt.id)[0], tt.text, tt.path, outcome(ms), ms)
		givenCase(t, wanted(t, tt.kind, tt.id)[0], tt.text, tt.path, outcome(ms), ms)
	}
}

// digests make digests for tests.
type digests struct{}

func (digests) ID() string { return "test" }

func (digests) Digest(data []byte) string {
	sum := sha256.Sum256(append([]byte("test key"), data...))
	return hex.EncodeToString(sum[:16])
}

// rememberedCase holds that a needle whose value is forgotten finds what it found
// before. What takes the value is left to a person, or not found: see Remembered.
func rememberedCase(t *testing.T, n Needle, text, path, want string, ms []scanners.Match) {
	t.Helper()
	gmail := slices.ContainsFunc(ms, func(m scanners.Match) bool { return m.Rule == "email.gmail" })
	if n.Canon.Kind == pipeline.Name || gmail {
		return
	}
	past := Remember(digests{}, testKey, "US", n).Needle(n.Account, n.Canon.Kind, digests{})
	past.Canon.Doubt = past.Canon.Doubt || n.Canon.Doubt
	set := Compile(testKey, "US", []Needle{past})
	f := set.Finder(FinderOptions{Fields: caseFields, Search: true, Account: "acme"})
	got := outcome(f.Find(nil, path, []byte(text)))
	if n.Canon.Ext != "" && got == "review" {
		return // the extension is not kept: nothing of such a number is sure
	}
	if got != want {
		t.Errorf("%s %q in %q: %s once it is forgotten, %s before", n.Canon.Kind, n.Canon.Value.Reveal(), text, got, want)
	}
	if got != "no" && !reported(f, path, text) {
		t.Errorf("%s in %q: found once it is forgotten, but no candidate", n.Canon.Kind, text)
	}
	if !slices.Equal(set.Tokens("acme"), Compile(testKey, "US", []Needle{n}).Tokens("acme")) && !isGmail([]byte(n.Canon.Value.Reveal()[strings.IndexByte(n.Canon.Value.Reveal(), '@')+1:])) {
		t.Errorf("%s: other tokens are asked of the catalog once it is forgotten", n.Canon.Kind)
	}
}

// reported says whether a record of this one leaf is a candidate.
func reported(f *Finder, path, text string) bool {
	if len(f.Probe(nil, []byte("\x00"+text+"\x00"))) > 0 {
		return true
	}
	for i, p := range f.Fields() {
		if p == path && f.ProbeField(i, []byte(text)) {
			return true
		}
	}
	return false
}

// Identifiers that must not be asked for: 17, 42 and their kin.
func TestNormaliseRefuses(t *testing.T) {
	for _, tt := range []struct {
		kind  pipeline.Kind
		value string
		want  error
	}{
		{"phone", "+17378742833", ErrSentinel},
		{"phone", "7378742833", ErrSentinel},
		{"phone", "+266696687", ErrSentinel},
		{"phone", "+2562533", ErrSentinel},
		{"phone", "+8656696", ErrSentinel},
		{"phone", "+86282452253", ErrSentinel},
		{"phone", "anonymous", ErrSentinel},
		{"phone", "", ErrSentinel},
		{"phone", "555-0142", ErrInvalid},
		{"phone", "hello", ErrInvalid},
		{"email", "jane", ErrInvalid},
		{"email", "jane@localhost", ErrInvalid},
		{"email", "a b@example.com", ErrInvalid},
		{"ip", "203.0.113", ErrInvalid},
		{"device_id", "00000000-0000-0000-0000-000000000000", ErrNull},
		{"device_id", "urn:uuid:00000000-0000-0000-0000-000000000000", ErrNull},
		{"user_id", " ", ErrInvalid},
		{"user_id", "0", ErrInvalid},
		{"user_id", "-1", ErrInvalid},
		{"user_id", "NaN", ErrInvalid},
		{"user_id", "guest", ErrInvalid},
		{"call_id", "false", ErrInvalid},
		{"call_id", "#N/A", ErrInvalid},
		{"session_id", `\N`, ErrInvalid},
		{"visitor_id", "000", ErrInvalid},
		{"click_id", "test", ErrInvalid},
		{"user_id", "null", ErrInvalid},
	} {
		_, err := Normalise(tt.kind, pipeline.Secret(tt.value), "US")
		if !errors.Is(err, tt.want) {
			t.Errorf("%s %q: %v, want %v", tt.kind, tt.value, err, tt.want)
		}
	}
}

func TestCanon(t *testing.T) {
	for _, tt := range []struct {
		kind        pipeline.Kind
		value, want string
	}{
		{"phone", "(214) 555-0142", "12145550142"},
		{"phone", "sip:+12145550142@pbx.example.com", "12145550142"},
		{"phone", "+44 20 7946 0958", "442079460958"},
		{"phone", "442079460958", "442079460958"},
		{"device_id", "urn:uuid:6D92078A-8246-4BA4-AE5B-76104861E7DC", "6d92078a82464ba4ae5b76104861e7dc"},
		{"visitor_id", "_ga=GA1.2.1033501218.1368477899;", "1033501218.1368477899"},
		{"visitor_id", "GA1.3-2.1033501218.1368477899", "1033501218.1368477899"},
		{"visitor_id", "GA1.3-2-1.1033501218.1368477899", "GA1.3-2-1.1033501218.1368477899"},
		{"click_id", "?gclid=EAIaIQobChMI", "EAIaIQobChMI"},
		{"click_id", "fbclid=IwAR0_x=", "IwAR0_x="},
		{"click_id", "other=EAIaIQobChMI", "other=EAIaIQobChMI"},
		{"phone", "1-800-FLOWERS", "18003569377"},
		{"email", " Jane.Doe@EXAMPLE.com ", "jane.doe@example.com"},
		{"email", "info@bücher.example", "info@xn--bcher-kva.example"},
		{"ip", "[2001:DB8::1%eth0]:80", "2001:db8::1"},
		{"ip", "::ffff:203.0.113.7", "203.0.113.7"},
		{"device_id", "6D92078A-8246-4BA4-AE5B-76104861E7DC", "6d92078a82464ba4ae5b76104861e7dc"},
		{"device_id", "urn:uuid:6D92078A-8246-4BA4-AE5B-76104861E7DC", "6d92078a82464ba4ae5b76104861e7dc"},
		{"visitor_id", "GA1.2.123456789.1699999999", "123456789.1699999999"},
		{"user_id", " 42 ", "42"},
		{"click_id", "6D92078A-8246-4BA4-AE5B-76104861E7DC", "6D92078A-8246-4BA4-AE5B-76104861E7DC"},
		{"name", "  José  NÚÑEZ ", "jose nunez"},
	} {
		c, err := Normalise(tt.kind, pipeline.Secret(tt.value), "US")
		if err != nil || c.Value.Reveal() != tt.want {
			t.Errorf("%s %q: %q %v, want %q", tt.kind, tt.value, c.Value.Reveal(), err, tt.want)
		}
	}
}
