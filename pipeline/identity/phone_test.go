package identity

import (
	"fmt"
	"testing"

	"github.com/nyaruka/phonenumbers/v2"

	"expunge/pipeline"
)

// TestNorthAmerica: what nationalOf knows by itself is what the library says of every
// area of the plan.
func TestNorthAmerica(t *testing.T) {
	valid := 0
	for area := 200; area < 1000; area++ {
		for _, rest := range []string{"5550142", "2345678", "9110000"} {
			v := fmt.Sprintf("1%d%s", area, rest)
			wantN, wantT := parseNational(v)
			if n, trunk := nationalOf(v); n != wantN || trunk != wantT {
				t.Errorf("area %d: %s with trunk %q, the library says %s with %q", area, n, trunk, wantN, wantT)
			}
			if n, err := phonenumbers.Parse("+"+v, "ZZ"); err == nil && phonenumbers.IsValidNumber(n) {
				valid++
			}
		}
	}
	if valid < 500 {
		t.Errorf("only %d numbers were valid", valid)
	}
}

// TestWithoutPlus: international digits without their plus go to review where people of
// the region read them as another number, and are no longer passed over.
func TestWithoutPlus(t *testing.T) {
	for _, c := range []struct{ region, want, text, path, outcome string }{
		{"US", "+6591234567", "6591234567", "v", "review"},
		{"US", "+6591234567", "6591234567", "phone", "review"},
		{"US", "+6591234567", "65 9123 4567", "v", "review"},
		{"US", "+6591234567", "call 6591234567 now", "v", "review"},
		{"US", "+6591234567", "(659) 123-4567", "v", "no"},
		{"US", "+6591234567", "659-123-4567", "phone", "no"},
		{"US", "+6591234567", "+16591234567", "v", "no"},
		{"US", "+6591234567", "16591234567", "phone", "no"},
		{"US", "+6591234567", "6591234568", "phone", "no"},
		{"US", "+16591234567", "6591234567", "v", "yes"},
		{"US", "+3725123456", "3725123456", "phone", "review"},
		{"US", "+4522123456", "4522123456", "v", "review"},
		{"US", "+442079460958", "442079460958", "v", "yes"},
		{"US", "+442079460958", "2079460958", "v", "no"},
		{"DE", "+491701234567", "491701234567", "v", "review"},
		{"DE", "+491701234567", "49 170 1234567", "phone", "review"},
		{"DE", "+491701234567", "+491701234567", "v", "yes"},
	} {
		n, err := Normalise(pipeline.Phone, pipeline.Secret(c.want), c.region)
		if err != nil {
			t.Fatal(err)
		}
		f := Compile(testKey, c.region, []Needle{{Account: "acme", Canon: n}}).Finder(FinderOptions{Search: true, Fields: caseFields})
		if ms := f.Find(nil, c.path, []byte(c.text)); outcome(ms) != c.outcome {
			t.Errorf("%s: %q for %s in %s: %v, want %s", c.region, c.text, c.want, c.path, ms, c.outcome)
		}
		if c.outcome != "no" && len(f.Probe(nil, []byte(`{"v":"`+c.text+`"}`))) == 0 {
			t.Errorf("%q is no candidate", c.text)
		}
	}
}

// TestOlderPlans: numbers are found as people of Mexico and Argentina, and services abroad,
// write them beside the international form of today.
func TestOlderPlans(t *testing.T) {
	for _, c := range []struct {
		region, want, text, outcome string
	}{
		{"US", "+525512345678", "+52 1 55 1234 5678", "yes"},
		{"US", "+525512345678", "+5215512345678", "yes"},
		{"US", "+525512345678", "whatsapp:+5215512345678", "yes"},
		{"US", "+525512345678", "5215512345678", "yes"},
		{"US", "+525512345678", "011 52 1 55 1234 5678", "yes"},
		{"US", "+5215512345678", "+52 55 1234 5678", "yes"},
		{"MX", "+528112345678", "+5218112345678", "yes"},
		{"MX", "+525512345678", "5215512345678", "yes"},
		{"MX", "+525512345678", "044 55 1234 5678", "yes"},
		{"MX", "+525512345678", "01 55 1234 5678", "yes"},
		{"MX", "+525512345678", "55 1234 5678", "yes"},
		{"MX", "+525512345678", "+5215512345679", "no"},
		{"MX", "+525512345678", "+15512345678", "no"},
		{"MX", "+15512345678", "+15512345678", "yes"},
		{"US", "+15512345678", "15512345678", "yes"},
		{"US", "+15512345678", "+5215512345678", "no"},
		{"AR", "+5491123456789", "011 15-2345-6789", "yes"},
		{"AR", "+5491123456789", "+54 11 15 2345-6789", "yes"},
		{"AR", "+5491123456789", "+54 9 11 2345-6789", "yes"},
		{"AR", "+5492214567890", "0221 15-456-7890", "yes"},
		{"US", "+5492214567890", "+54 221 15 456 7890", "yes"},
		{"US", "+5492214567890", "+54 221 15 456 7891", "no"},
		{"AR", "+541123456789", "011 15-2345-6789", "no"},
	} {
		n, err := Normalise(pipeline.Phone, pipeline.Secret(c.want), c.region)
		if err != nil {
			t.Fatalf("%s: %v", c.want, err)
		}
		f := Compile(testKey, c.region, []Needle{{Account: "acme", Canon: n}}).Finder(FinderOptions{Search: true})
		ms := f.Find(nil, "v", []byte(c.text))
		if outcome(ms) != c.outcome {
			t.Errorf("%s: %q for %s: %v, want %s", c.region, c.text, c.want, ms, c.outcome)
		}
		if c.outcome != "no" && len(f.Probe(nil, []byte(`{"v":"`+c.text+`"}`))) == 0 {
			t.Errorf("%q is no candidate", c.text)
		}
	}
}

// TestDialledAbroad: what is dialled for another country may be glued to a number, though
// the two have more digits than any number.
func TestDialledAbroad(t *testing.T) {
	for _, c := range []struct {
		region, want, text, path, outcome string
	}{
		{"US", "+8613123456789", "0118613123456789", "v", "yes"},
		{"US", "+8613123456789", "0118613123456789", "phone", "yes"},
		{"US", "+5511961234567", "call 0115511961234567 now", "v", "review"},
		{"US", "+4915123456789", "0114915123456789", "phone", "yes"},
		{"US", "+2348021234567", "9,0112348021234567,7", "v", "yes"},
		{"AU", "+8613123456789", "00118613123456789", "phone", "yes"},
		{"US", "+8613123456789", "0118613123456788", "phone", "no"},
		{"US", "+8613123456789", "01186131234567890", "phone", "no"},
		{"US", "+8613123456789", "x0118613123456789", "v", "no"},
		{"US", "+8613123456789", "0118613123456789a", "v", "no"},
	} {
		n, err := Normalise(pipeline.Phone, pipeline.Secret(c.want), c.region)
		if err != nil {
			t.Fatal(err)
		}
		for _, canon := range []Canon{n, n.Digests()[0]} {
			f := Compile(testKey, c.region, []Needle{{Account: "acme", Canon: canon}}).Finder(FinderOptions{Search: true, Fields: caseFields})
			if canon.Hashed() && c.region == "AU" {
				continue // 0011 is not known where a digest is given
			}
			if ms := f.Find(nil, c.path, []byte(c.text)); outcome(ms) != c.outcome {
				t.Errorf("%s: %q for %s in %s: %v, want %s", c.region, c.text, c.want, c.path, ms, c.outcome)
			}
			if c.outcome != "no" && len(f.Probe(nil, []byte(`{"v":"`+c.text+`"}`))) == 0 {
				t.Errorf("%q is no candidate", c.text)
			}
		}
	}
}
