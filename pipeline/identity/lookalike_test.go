package identity

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"expunge/pipeline"
	"expunge/scanners"
)

// lookalikeFields are what the tests below declare.
var lookalikeFields = []pipeline.Field{
	{Path: "phone", Kind: pipeline.Phone},
	{Path: "ip", Kind: pipeline.IP},
	{Path: "client", Kind: pipeline.User},
	{Path: "body", Text: true},
}

// lookalike is what becomes of a number of region in a text.
func lookalike(t *testing.T, region, id, path, text string) (string, []scanners.Match) {
	t.Helper()
	n := wanted(t, pipeline.Phone, id)[0]
	find := func(n Needle) []scanners.Match { return lookalikes(region, n).Find(nil, path, []byte(text)) }
	ms := find(n)
	if got := outcome(find(Remember(digests{}, testKey, n).Needle(n.Account, n.Canon.Kind, digests{}))); got != outcome(ms) {
		t.Errorf("%q in %q: %s once the number is forgotten, %s before", text, path, got, outcome(ms))
	}
	return outcome(ms), ms
}

func lookalikes(region string, n Needle) *Finder {
	return Compile(testKey, region, []Needle{n}).Finder(FinderOptions{Fields: lookalikeFields, Time: "begun", Search: true, Account: "acme"})
}

// TestAddressesAreNoPhones: whatever the digits, an IP address is never taken for a phone.
func TestAddressesAreNoPhones(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 7))
	tried := 0
	for tried < 300 {
		var parts []string
		for range 4 {
			parts = append(parts, fmt.Sprint(r.IntN(256)))
		}
		address, number := strings.Join(parts, "."), "+1"+strings.Join(parts, "")
		if c, err := Normalise(pipeline.Phone, pipeline.Secret(number), "US"); err != nil || len(c.Value) != 11 {
			continue
		}
		tried++
		f := lookalikes("US", wanted(t, pipeline.Phone, number)[0])
		for _, text := range []string{"%s", "10.0.0.1, %s", "%s,10.0.0.1", "%s:443", "%s/32", "::ffff:%s", "[%s]", "http://%s:8080/a", "%s - - [x] GET"} {
			text = fmt.Sprintf(text, address)
			if ms := f.Find(nil, "ip", []byte(text)); outcome(ms) != "no" {
				t.Errorf("%s in a field of addresses: %v", text, ms)
			}
			for _, path := range []string{"x", "body", "client"} {
				if ms := f.Find(nil, path, []byte(text)); outcome(ms) == "yes" {
					t.Errorf("%s in %s: %v", text, path, ms)
				}
			}
		}
	}
}

func TestAddresses(t *testing.T) {
	const us = "+12122503417"
	for _, tt := range []struct{ region, id, path, text, want, rule string }{
		{"US", us, "x", "212.250.34.17", "review", "phone.national.address"},
		{"US", us, "x", "1.212.250.34.17", "review", "phone.national.address"},
		{"US", us, "x", "2.122.50.34.17", "review", "phone.national.address"},
		{"US", us, "ip", "2.122.50.34.17", "review", "phone.national.address"},
		{"US", us, "ip", "2122503417", "review", "phone.national.address"}, // or its four bytes
		{"DK", "+4520123456", "ip", "20.12.34.56", "no", ""},
		{"DK", "+4520123456", "ip", "120.12.34.56", "no", ""},
		{"DK", "+4520123456", "x", "20.12.34.56", "review", ""},
		{"NO", "+4722225555", "ip", "10.222.255.55", "no", ""},

		{"US", us, "x", "212.250.3417", "yes", "phone.national"},
		{"US", us, "ip", "212-250-3417", "yes", "phone.national"},
		{"US", us, "ip", "+1.212.250.34.17", "yes", "phone.international"},
		{"US", us, "phone", "212.250.34.17", "yes", "phone.national"},
		{"US", "+12061681015", "x", "206.168.1015", "yes", "phone.national"},
		{"US", "+14045550123", "x", "404.555.01.23", "yes", "phone.national"},
		{"US", "+14045550123", "x", "1.404.555.0123", "yes", "phone.national"},
		{"DK", "+4520123456", "phone", "20.12.34.56", "yes", "phone.national"},
		{"DK", "+4520123456", "x", "20 12 34 56", "yes", "phone.national"},
		{"FR", "+33123456789", "x", "01.23.45.67.89", "yes", "phone.national"},
		{"FR", "+33123456789", "x", "+33.1.23.45.67.89", "yes", "phone.international"},
		{"BE", "+3221234567", "x", "02.123.45.67", "yes", "phone.national"},
	} {
		got, ms := lookalike(t, tt.region, tt.id, tt.path, tt.text)
		if got != tt.want || tt.rule != "" && !slices.ContainsFunc(ms, func(m scanners.Match) bool { return m.Rule == tt.rule }) {
			t.Errorf("%q in %q: %s, want %s by %s (%v)", tt.text, tt.path, got, tt.want, tt.rule, ms)
		}
	}
}
