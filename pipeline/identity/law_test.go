package identity

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers/v2"

	"expunge/pipeline"
)

// tokensOf lists the tokens of b and whether it has a doubtful place.
func tokensOf(b []byte) (tokens map[uint64]span, doubt bool) {
	t := &tokenizer{h: testKey.hasher()}
	var d decoder
	text := d.decode(b)
	t.scan(text, d.marks)
	tokens = map[uint64]span{}
	for _, s := range t.hits {
		tokens[s.token] = s
	}
	return tokens, len(d.doubt) > 0
}

// encodings wrap a leaf as formats do: every raw record that a scanner may meet.
func encodingsOf(leaf string) map[string]string {
	j := func(s string) string {
		b, _ := json.Marshal(s)
		return string(b)
	}
	plain := func(s string) string { // without Go's escapes of <, > and &
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		_ = e.Encode(s)
		return strings.TrimSpace(b.String())
	}
	return map[string]string{
		"json":         `{"id":"17","v":` + j(leaf) + `,"n":3}`,
		"json plain":   `{"v":` + plain(leaf) + `}`,
		"json slashes": `{"v":` + strings.ReplaceAll(j(leaf), "/", `\/`) + `}`,
		"json ascii":   `{"v":"` + ascii(leaf, false) + `"}`,
		"json escaped": `{"v":"` + ascii(leaf, true) + `"}`,
		"json in json": `{"v":` + j(`{"w":`+j(leaf)+`}`) + `}`,
		"json thrice":  `{"v":` + j(`{"w":`+j(`[`+j(leaf)+`]`)+`}`) + `}`,
		"csv":          `7,"` + strings.ReplaceAll(leaf, `"`, `""`) + `",9`,
		"json in csv":  `7,"` + strings.ReplaceAll(`{"w":`+j(leaf)+`}`, `"`, `""`) + `",9`,
		"tsv":          "5\t" + leaf + "\t6",
		"column":       "12\x00" + leaf + "\x00x",
	}
}

// ascii escapes what is not ASCII, or everything, as \uXXXX.
func ascii(s string, all bool) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r >= 0x10000:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04X`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		case all || r >= 0x80 || r < 0x20 || r == '"' || r == '\\':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// checkLaw holds the law of the package for one leaf.
func checkLaw(t *testing.T, leaf string) {
	t.Helper()
	if !utf8Valid(leaf) || strings.ContainsRune(leaf, 0) {
		return // no text: scanners hand such bytes over as they are
	}
	want, _ := tokensOf([]byte(leaf))
	for name, raw := range encodingsOf(leaf) {
		got, doubt := tokensOf([]byte(raw))
		if doubt {
			continue
		}
		for token, s := range want {
			if _, ok := got[token]; !ok {
				t.Fatalf("%s: token of class %d at %d..%d of %q is not in %q", name, s.class, s.lo, s.hi, leaf, raw)
			}
		}
	}
	// encodings inside the value: what URLs do
	for range 3 {
		leaf = url.QueryEscape(leaf)
		got, doubt := tokensOf([]byte("/a?x=" + leaf + "&b=1"))
		if doubt {
			continue
		}
		for token, s := range want {
			if _, ok := got[token]; !ok && s.class != mailToken && s.class != gmailToken && s.class != packedToken { // a blank is a plus there
				t.Fatalf("query: token of class %d at %d..%d is not in %q", s.class, s.lo, s.hi, leaf)
			}
		}
	}
}

func utf8Valid(s string) bool { return strings.ToValidUTF8(s, "") == s }

var lawSeeds = []string{
	"214-555-0142", "(214) 555-0142", "+1 214 555 0142 x12", "call\n214\t555\r\n0142", "njane\njane.doe@example.com",
	`C:\new\table12345678`, `CORP\nancy12345678`, "jane.doe+ads@gmail.com", "info@bücher.example", "邮箱jane@example.com。",
	"6D92078A-8246-4BA4-AE5B-76104861E7DC", "x_6d92078a-8246-4ba4-ae5b-76104861e7dc_20200101T", "GA1.2.123456789.1699999999",
	"203.0.113.7, 198.51.100.2", "２１４ ５５５ ０１４２", "٢١٤٥٥٥٠١٤٢", "22 22 55 55", "%2B12145550142", "%252B1%2520214%2520555%25200142",
	`\u002b12145550142`, "50%2145550142", "a&b<c>12345678", "o'brien@example.com", "1.2145550142E10", "\u202a+12145550142\u202c",
	"EAIaIQobChMI9x-abc_DEF12345", `{"a":"2145550142"}`, "😀2145550142", "jane%40example.com", "http:\\/\\/x/214-555-0142", "%5Cu0040", "a\\",
	"jane dot doe at example dot com", "is j underscore doe at mail dot example dot com.", " dot  dot at dot ", "1-214-KKL-0142", "jane@example.com-826724", "a@b.c-d.e-f",
	"&#43;12145550142", "jane&#64;example.com", "&#x32;145550142", "o&#39;brien@example.com", "214·555·0142", "a&#b", "&#99999999;", "&#;2145550142", "http://x/#2145550142;",
	"214&nbsp;555&ndash;0142", "a&amp;b@example.com", "info@b&uuml;cher.example", "jane&commat;example.com", "&amp;nbsp;2145550142", "&notit;2145550142", "&x;&;;&lpar;214&rpar;5550142", "&n\\u0062sp;2145550142", "&bsol;u0032145550142", "&semi;&num;50;",
}

func FuzzLaw(f *testing.F) {
	for _, s := range lawSeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, leaf string) {
		if len(leaf) < 4096 {
			checkLaw(t, leaf)
		}
	})
}

// pieces of which random leaves are made: what identifiers and their
// surroundings consist of, the escapes of every encoding among it.
var pieces = []string{
	"214", "555", "0142", "2145550142", "12145550142", "+1", "(", ")", "-", " ", ".", "/", "\n", "\t", "\r\n", "\\", `\n`, `\t`, `\"`, `"`, `'`, "%2B", "%20", "%40", "%25", "%",
	"jane", "doe", "@", "example", ".com", "gmail.com", "@gmail.com", "+", "_", "x", "n", "u", "é", "ü", "\u00a0", "\u2011", "٢", "５", "＠", "6d92078a-8246-4ba4-ae5b-76104861e7dc",
	"203.0.113.7", "123456789.1699999999", "abc12345", "CA0123456789abcdef0123456789abcdef", "&", "=", "?", "<", ">", "{", "}", ",", ":", `\u0040`, "0", "7", "e9", "😀", "&#64;", "&#x2b;", "&#", "#", ";", "&#50;", "&amp;", "&nbsp;", "&ndash;", "&commat;", "&uuml;", "&bsol;", "&percnt;", "&num;", "&nb", "sp;", "&fjlig;", "&Tab;", "·",
	"0118613123456789", "001149151234567890", "HfZvu", "+/", "/", "ZxGrynMdL", "AbCdEfGhIjKlMnOpQrStUv", "HfZvuJ/+ZKxGry-nMdLcQ_", "Q+w/e+r/t+y/u+i/o+p/a+s/d+f", " dot ", " dot com", " at ", " underscore ", "jane dot doe at example dot com", "214-", "LMN", "-826724",
}

func randomLeaf(r *rand.Rand) string {
	var b strings.Builder
	for range 1 + r.IntN(9) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

func TestLaw(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 30_000 {
		checkLaw(t, randomLeaf(r))
	}
}

// TestFindIsProbed: whatever Find matches in a leaf, Probe reports inside the
// record, in every encoding of it.
func TestFindIsProbed(t *testing.T) {
	needles := slices.Concat(
		wanted(t, pipeline.Phone, "+12145550142", "+442079460958", "+4722225555"),
		wanted(t, pipeline.Email, "jane@example.com", "jane.doe@gmail.com", "janedoe@gmail.com"),
		wanted(t, pipeline.Device, "6d92078a-8246-4ba4-ae5b-76104861e7dc"),
		wanted(t, pipeline.Visitor, "123456789.1699999999"),
		wanted(t, pipeline.Call, "CA0123456789abcdef0123456789abcdef", "abc12345"),
		wanted(t, pipeline.IP, "203.0.113.7"),
	)
	f := Compile(testKey, "US", needles).Finder(FinderOptions{Search: true, Fields: caseFields})
	r := rand.New(rand.NewPCG(3, 4))
	matched := 0
	for range 60_000 {
		leaf := randomLeaf(r)
		ms := f.Find(nil, "v", []byte(leaf))
		if len(ms) == 0 {
			continue
		}
		matched++
		for name, raw := range encodingsOf(leaf) {
			at := f.Probe(nil, []byte("{}\n"+raw+"\n{}"))
			if len(at) == 0 {
				t.Fatalf("%s: %q matches %v, but %q is no candidate", name, leaf, ms, raw)
			}
			for _, x := range at {
				if x < 3 || x >= 3+len(raw) {
					t.Fatalf("%s: place %d lies outside %q", name, x, raw)
				}
			}
			if !slices.IsSorted(at) {
				t.Fatalf("places are not ascending: %v", at)
			}
		}
	}
	if matched < 1000 {
		t.Fatalf("only %d leaves matched: the test says little", matched)
	}
}

// TestOracle compares with the library's own search for numbers in text: what it
// finds, valid and grouped as numbers are, Find must find; what Find takes as
// sure, the library must see as the same number.
func TestOracle(t *testing.T) {
	const want = "+12145550142"
	f := Compile(testKey, "US", wanted(t, pipeline.Phone, want)).Finder(FinderOptions{Search: true})
	forms := []string{"214-555-0142", "(214) 555-0142", "+1 214 555 0142", "1-214-555-0142", "2145550142", "214.555.0142", "+12145550142", "+1 (214) 555-0142", "214 555 0142",
		"214-555-0143", "+44 20 7946 0958", "(404) 555-0123", "2145550142999", "555-0142"}
	glue := []string{" ", ", ", "; ", "\n", " and ", " or call ", ": ", " at 5 pm ", " / ", " (home) ", "<", ">", " on 2024-11-25 "}
	r := rand.New(rand.NewPCG(5, 6))
	for range 3_000 {
		var b strings.Builder
		for range 1 + r.IntN(3) {
			b.WriteString(glue[r.IntN(len(glue))] + forms[r.IntN(len(forms))] + glue[r.IntN(len(glue))])
		}
		text := b.String()
		oracle := false
		for m := range phonenumbers.FindNumbers(text, "US") {
			oracle = oracle || phonenumbers.Format(m.Number(), phonenumbers.E164) == want
		}
		if ms := f.Find(nil, "v", []byte(text)); oracle && len(ms) == 0 {
			t.Errorf("the library finds the number in %q, Find does not", text)
		} else if !oracle && outcome(ms) == "yes" {
			t.Errorf("Find is sure of %q (%v), the library finds nothing", text, ms)
		}
	}
}

// No way to print these types shows a value, and no error holds one.
func TestNothingPrintsValues(t *testing.T) {
	const value = "jane.secret@example.com"
	ns := wanted(t, pipeline.Email, value)
	set := Compile(testKey, "US", ns)
	f := set.Finder(FinderOptions{Search: true})
	ms := f.Find(nil, "v", []byte(value))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		for _, x := range []any{ns, ns[0], ns[0].Canon, Link{"email", ns[0].Canon.Value}, ms, set, f} {
			if s := fmt.Sprintf(verb, x); strings.Contains(s, "secret") {
				t.Errorf("%T printed with %s shows the value", x, verb)
			}
		}
	}
	if _, err := Normalise("email", "secret value", ""); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v", err)
	}
	if b, err := json.Marshal(ns); err != nil || strings.Contains(string(b), "secret") {
		t.Errorf("JSON shows the value: %v", err)
	}
}
