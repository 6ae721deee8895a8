package identity

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nyaruka/phonenumbers/v2"

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
	if got := outcome(find(Remember(digests{}, testKey, region, n).Needle(n.Account, n.Canon.Kind, digests{}))); got != outcome(ms) {
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

// TestDatesAreNoPhones: a date with its time of day is never taken for a phone, and one
// with an hour never for sure, in whatever order and with whatever signs.
func TestDatesAreNoPhones(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 9))
	layouts := []string{"2006-01-02 15", "2006/01/02 15", "2006.01.02 15", "2006-01-02-15", "20060102 15", "2006010215", "20060102-15", "[2006-01-02 15]", "2006-01-02 (15)",
		"02/01/2006 15", "02.01.2006 15", "02-01-2006 15", "01/02/2006 15", "02/01/2006 - 15", "02.01.06 15.04", "02/01/06 15.04", "2006-01-02"}
	tried := map[string]int{}
	for range 4000 {
		layout := layouts[r.IntN(len(layouts))]
		region, code := "US", "1"
		if other := [...][2]string{{"FR", "33"}, {"AU", "61"}, {"DE", "49"}, {"IT", "39"}, {"NZ", "64"}, {"DK", "45"}, {"US", "1"}}; true {
			k := r.IntN(len(other))
			region, code = other[k][0], other[k][1]
		}
		when := time.Date(1990+r.IntN(45), time.Month(1+r.IntN(12)), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), 0, time.UTC)
		digits := keepDigits(when.Format(layout))
		if code != "1" && code != "39" {
			digits = strings.TrimPrefix(digits, "0")
		}
		c, err := Normalise(pipeline.Phone, pipeline.Secret("+"+code+digits), region)
		if n, parsed := phonenumbers.Parse("+"+code+digits, "ZZ"); err != nil || parsed != nil || !phonenumbers.IsValidNumber(n) {
			continue
		}
		tried[layout]++
		f := lookalikes(region, Needle{Account: "acme", Canon: c})
		find := func(path, layout string) string { return outcome(f.Find(nil, path, []byte(when.Format(layout)))) }
		for _, path := range []string{"x", "body", "client"} {
			if got := find(path, layout); got == "yes" {
				t.Errorf("%s %s in %s is a phone", region, when.Format(layout), path)
			}
		}
		if got := find("begun", layout); got != "no" {
			t.Errorf("%s %s dates the record: %s", region, when.Format(layout), got)
		}
		if got := find("phone", layout); got == "yes" && layout != "2006010215" {
			t.Errorf("%s %s in a field of phones: %s", region, when.Format(layout), got)
		}
		if strings.HasSuffix(layout, "15") || layout == "2006-01-02" {
			whole := strings.TrimSuffix(layout, " 15") + " 15:04:05"
			if layout == "2006010215" || strings.HasSuffix(layout, "-15") {
				whole = layout + ":04:05"
			}
			for _, path := range []string{"x", "body", "client"} {
				if got := find(path, whole); got != "no" {
					t.Errorf("%s %s in %s: %s", region, when.Format(whole), path, got)
				}
			}
		}
	}
	for _, layout := range layouts {
		if tried[layout] < 3 {
			t.Errorf("%s was a number only %d times", layout, tried[layout])
		}
	}
}

func TestDates(t *testing.T) {
	const us, fr, dk = "+12024051012", "+33612202412", "+4520240510"
	for _, tt := range []struct{ region, id, path, text, want, rule string }{
		{"US", us, "x", "2024-05-10-12", "review", "phone.national.date"},
		{"US", us, "x", "2024-05-1012", "review", "phone.national.date"},
		{"US", us, "x", "2024-05-1012:34", "no", ""},
		{"US", us, "x", "2024-05-10 12h", "no", ""},
		{"US", us, "x", "2024-05-10 12:34:56.123", "no", ""},
		{"US", us, "x", "[2024-05-10 12:34]", "no", ""},
		{"US", us, "x", "?t=2024-05-10+12%3A34%3A56", "no", ""},
		{"US", us, "x", "?hour=2024051012", "review", "phone.national.date"},
		{"US", us, "phone", "2024-05-10 12:34:56", "review", "phone.national.date"},
		{"US", "+12405062024", "x", "12:24 05/06/2024", "no", ""},
		{"FR", fr, "x", "06/12/2024 12", "review", "phone.national.date"},
		{"FR", "+33612241234", "x", "06/12/24 12.34", "review", "phone.national.date"},
		{"DK", dk, "x", "2024-05-10", "review", "phone.national.date"},
		{"DK", dk, "x", "20240510", "review", "phone.national.date"},
		{"DK", "+4524052024", "x", "24.05.2024", "review", "phone.national.date"},

		{"US", us, "x", "202-405-1012", "yes", "phone.national"},
		{"US", us, "x", "202 405 10 12", "yes", "phone.national"},
		{"US", us, "x", "12024051012", "yes", "phone.digits"},
		{"US", us, "x", "+12024051012", "yes", "phone.e164"},
		{"US", us, "x", "2024 05 10 12", "yes", "phone.national"},
		{"US", us, "begun", "+1 202 405 1012", "yes", "phone.international"},
		{"US", us, "phone", "2024051012", "yes", "phone.national"},
		{"US", "+12024051042", "x", "2024051042", "yes", "phone.national"}, // no hour
		{"US", "+12023301012", "x", "2023301012", "yes", "phone.national"}, // no month
		{"US", "+12025550123", "x", "2025550123", "yes", "phone.national"},
		{"US", "+12062022912", "x", "2062022912", "yes", "phone.national"}, // too late a year
		{"FR", fr, "x", "06 12 20 24 12", "yes", "phone.national"},
		{"FR", fr, "x", "06.12.20.24.12", "yes", "phone.national"},
		{"FR", fr, "x", "06/12/20/24/12", "yes", "phone.national"},
		{"FR", fr, "x", "06-12-20-24-12", "yes", "phone.national"},
		{"DE", "+493020240510", "x", "030 20240510", "yes", "phone.national"},
		{"DK", dk, "x", "20 24 05 10", "yes", "phone.national"},
		{"DK", dk, "x", "20-24-05-10", "yes", "phone.national"},
		{"DK", dk, "phone", "20240510", "yes", "phone.national"},
	} {
		got, ms := lookalike(t, tt.region, tt.id, tt.path, tt.text)
		if got != tt.want || tt.rule != "" && !slices.ContainsFunc(ms, func(m scanners.Match) bool { return m.Rule == tt.rule }) {
			t.Errorf("%q in %q: %s, want %s by %s (%v)", tt.text, tt.path, got, tt.want, tt.rule, ms)
		}
	}
}

// TestTrunkless: digits alone that lack the trunk prefix which people of a region write
// may be anything: of epoch seconds all but few are mobiles in Germany.
func TestTrunkless(t *testing.T) {
	const trunkless = "phone.national.trunkless"
	for _, tt := range []struct{ region, id, path, text, want, rule string }{
		{"DE", "+491701234567", "x", "1701234567", "review", trunkless},
		{"DE", "+491701234567", "x", "1700000000, 1701234567", "review", trunkless},
		{"DE", "+491701234567", "client", "1701234567", "review", trunkless},
		{"DE", "+491701234567", "x", "/events/1701234567.json", "review", trunkless},
		{"DE", "+491701234567", "x", "a=1701234567&b=1", "review", trunkless},
		{"GB", "+441709555012", "x", "1709555012", "review", trunkless},
		{"FR", "+33612345678", "x", "612345678", "review", trunkless},
		{"AU", "+61412345678", "x", "412345678", "review", trunkless},

		{"DE", "+491701234567", "phone", "1701234567", "yes", "phone.national"},
		{"DE", "+491701234567", "x", "01701234567", "yes", "phone.national"},
		{"FR", "+33612345678", "x", "33612345678", "yes", "phone.digits"},
		{"DE", "+491701234567", "x", "+491701234567", "yes", "phone.e164"},
		{"DE", "+491701234567", "x", "00491701234567", "yes", "phone.idd"},
		{"DE", "+491701234567", "x", "170 1234567", "yes", "phone.national"},
		{"DE", "+491701234567", "x", "tel:1701234567", "yes", "phone.national"},
		{"DE", "+14045550123", "x", "+1 404 555 0123", "yes", "phone.international"},
		{"FR", "+33612345678", "x", "0612345678", "yes", "phone.national"},
		// where people write none, or as they like
		{"US", "+14045550123", "x", "4045550123", "yes", "phone.national"},
		{"IN", "+919812345670", "x", "9812345670", "yes", "phone.national"},
		{"RU", "+74951234567", "x", "4951234567", "yes", "phone.national"},
		{"ES", "+34612345678", "x", "612345678", "yes", "phone.national"},
		{"DK", "+4520123456", "x", "20123456", "yes", "phone.national"},
		{"IT", "+390669812345", "x", "0669812345", "yes", "phone.national"},
		{"MX", "+525512345678", "x", "5512345678", "yes", "phone.national"},
	} {
		got, ms := lookalike(t, tt.region, tt.id, tt.path, tt.text)
		if got != tt.want || !slices.ContainsFunc(ms, func(m scanners.Match) bool { return m.Rule == tt.rule }) {
			t.Errorf("%q in %q: %s, want %s by %s (%v)", tt.text, tt.path, got, tt.want, tt.rule, ms)
		}
	}
}
