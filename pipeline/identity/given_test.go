package identity

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"expunge/pipeline"
	"expunge/scanners"
)

// givenAs is the needle of an identifier of which a request gives the digest of text.
func givenAs(t testing.TB, kind pipeline.Kind, text string) Needle {
	t.Helper()
	sum := sha256.Sum256([]byte(text))
	c, err := Identify(pipeline.Identifier{Kind: kind, Hash: "sha256", Value: pipeline.Secret(strings.ToUpper(hex.EncodeToString(sum[:])))}, "US")
	if err != nil {
		t.Fatal(err)
	}
	return Needle{Account: "acme", Canon: c}
}

// givenCase holds that a number or an address of which a request gives a digest is found
// in clear as one whose value it gives, at the tier of digests. What is spelled in
// letters or is another writing of a mailbox takes the value.
func givenCase(t *testing.T, n Needle, text, path, want string, ms []scanners.Match) {
	t.Helper()
	value := n.Canon.Value.Reveal()
	if n.Canon.Kind != pipeline.Phone && n.Canon.Kind != pipeline.Email || n.Canon.Ext != "" || slices.ContainsFunc(ms, func(m scanners.Match) bool {
		return strings.HasPrefix(m.Rule, "sha256") || m.Rule == "phone.vanity" || m.Rule == "email.spoken" || m.Rule == "email.gmail"
	}) {
		return
	}
	as := []string{value}
	if n.Canon.Kind == pipeline.Phone {
		as = []string{"+" + value, value}
		if strings.HasPrefix(value, "1") {
			as = append(as, value[1:])
		}
	}
	for _, v := range as {
		f := Compile(testKey, "US", []Needle{givenAs(t, n.Canon.Kind, v)}).Finder(FinderOptions{Fields: caseFields, Search: true, Account: "acme"})
		ms := f.Find(nil, path, []byte(text))
		if got := outcome(ms); got != want {
			t.Errorf("digest of %q in %q: %s, want %s", v, text, got, want)
			continue
		}
		for _, m := range ms {
			if tier := pipeline.Tier(m.Tier); tier.Surer(pipeline.Hashed) || !strings.HasSuffix(m.Rule, ".clear") {
				t.Errorf("digest of %q in %q: %+v", v, text, m)
			}
		}
		if len(ms) > 0 && !reported(f, path, text) {
			t.Errorf("digest of %q: Find matches %q, Probe does not", v, text)
		}
		direct := f.Direct(nil, path, []byte(text))
		if found := slices.Contains(direct, Link{n.Canon.Kind, n.Canon.Value}); len(ms) > 0 && !found {
			t.Errorf("digest of %q in %q: the value is not revealed", v, text)
		}
	}
}

// What is given as a digest is found as it stands in the lake, too, and what has another
// digest is not.
func TestGiven(t *testing.T) {
	sum := sha256.Sum256([]byte("+12145550142"))
	for _, tt := range []struct {
		kind      pipeline.Kind
		given     string // what was hashed
		text      string
		want      string
		tier      pipeline.Tier
		unchanged bool // the text is the digest itself
	}{
		{"phone", "+12145550142", hex.EncodeToString(sum[:]), "yes", pipeline.Hashed, true},
		{"phone", "+12145550142", strings.ToUpper(hex.EncodeToString(sum[:])), "yes", pipeline.Hashed, true},
		{"phone", "+12145550142", base64.StdEncoding.EncodeToString(sum[:]), "yes", pipeline.Hashed, true},
		{"phone", "+12145550142", base64.RawURLEncoding.EncodeToString(sum[:]), "yes", pipeline.Hashed, true},
		{"phone", "+12145550142", fmt.Sprintf("%x", sha256.Sum256([]byte("12145550142"))), "no", "", true}, // only who knows the number can tell
		{"phone", "+12145550142", "+12145550143", "no", "", false},
		{"phone", "2145550142", "(214) 555-0142", "yes", pipeline.Hashed, false},
		{"phone", "2079460958", "+44 20 7946 0958", "no", "", false}, // ten digits are a number of the region
		{"phone", "+442079460958", "+44 20 7946 0958", "yes", pipeline.Hashed, false},
		{"phone", "+15555555555", "(555) 555-5555", "review", pipeline.Review, false},
		{"email", "jane.doe@gmail.com", "Jane.Doe@gmail.com", "yes", pipeline.Hashed, false},
		{"email", "janedoe@gmail.com", "jane.doe@gmail.com", "review", pipeline.Review, false}, // hashed without dots: whose mailbox it is is known, not whose address
		{"email", "janedoe@gmail.com", "janedoe@gmail.com", "yes", pipeline.Hashed, false},
		{"email", "janedoe@example.com", "jane.doe@example.com", "no", "", false},
		{"email", "info@xn--bcher-kva.example", "info@b\u00fccher.example", "yes", pipeline.Hashed, false},
	} {
		f := Compile(testKey, "US", []Needle{givenAs(t, tt.kind, tt.given)}).Finder(FinderOptions{Search: true, Account: "acme"})
		ms := f.Find(nil, "x", []byte(tt.text))
		if got := outcome(ms); got != tt.want || len(ms) > 0 && pipeline.Tier(ms[0].Tier) != tt.tier {
			t.Errorf("digest of %q in %q: %s %v, want %s", tt.given, tt.text, got, ms, tt.want)
		}
		if len(ms) > 0 && (ms[0].Rule == "sha256.given") != tt.unchanged {
			t.Errorf("digest of %q in %q: rule %s", tt.given, tt.text, ms[0].Rule)
		}
	}
}

// A number that was looked up and is nobody's is passed over the next time, one that is
// somebody's never is; and another account's needle tells nothing.
func TestGivenAgain(t *testing.T) {
	n := givenAs(t, pipeline.Phone, "+12145550142")
	set := Compile(testKey, "US", []Needle{n})
	f := set.Finder(FinderOptions{Search: true, Account: "acme"})
	for range 3 {
		if got := outcome(f.Find(nil, "x", []byte("2145550142"))); got != "yes" {
			t.Errorf("its number: %s", got)
		}
		if got := outcome(f.Find(nil, "x", []byte("2145550143"))); got != "no" {
			t.Errorf("another one: %s", got)
		}
	}
	other := set.Finder(FinderOptions{Search: true, Account: "other"})
	if got := outcome(other.Find(nil, "x", []byte("2145550142"))); got != "no" || len(other.Direct(nil, "x", []byte("2145550142"))) > 0 {
		t.Errorf("in another account: %s", got)
	}
	if !set.Unfiltered("acme") || set.Unfiltered("other") {
		t.Error("filters are asked of what they cannot know")
	}
}

func TestIdentifyRefuses(t *testing.T) {
	of := func(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) }
	for _, tt := range []struct {
		kind        pipeline.Kind
		hash, value string
		want        error
	}{
		{"phone", "sha256", of("x")[:63], ErrDigest},
		{"phone", "sha256", of("x") + "00", ErrDigest},
		{"phone", "sha256", strings.Repeat("g", 64), ErrDigest},
		{"phone", "sha256", "+12145550142", ErrDigest},
		{"phone", "SHA-256", of("x"), ErrHash},
		{"phone", "md5", of("x")[:32], ErrHash},
		{"device_id", "sha256", of("x"), ErrHashedKind},
		{"email", "sha256", of(""), ErrNobody},
		{"phone", "sha256", of("anonymous"), ErrNobody},
		{"phone", "sha256", of("+17378742833"), ErrNobody},
		{"phone", "sha256", of("+12145550142"), nil},
		{"email", "", of("x"), ErrInvalid},
	} {
		if _, err := Identify(pipeline.Identifier{Kind: tt.kind, Hash: tt.hash, Value: pipeline.Secret(tt.value)}, "US"); !errors.Is(err, tt.want) {
			t.Errorf("%s %s %q: %v, want %v", tt.kind, tt.hash, tt.value, err, tt.want)
		}
	}
}

// TestNationalDigests: digests of a number as people dial it in its country are the
// number's only where they get it so; what is dialled with a trunk prefix is hashed with it.
func TestNationalDigests(t *testing.T) {
	const london, berlin, atlanta, roma, oslo = "+442079460958", "+493012345678", "+14045550123", "+390669812345", "+4722225555"
	for _, tt := range []struct{ region, id, hashed, want, rule string }{
		{"US", london, "2079460958", "no", ""}, // +1 207 946 0958
		{"US", london, "02079460958", "no", ""},
		{"US", london, "442079460958", "yes", "sha256.digits"},
		{"US", london, "+442079460958", "yes", "sha256.e164"},
		{"GB", london, "02079460958", "yes", "sha256.trunk"},
		{"GB", london, "2079460958", "yes", "sha256.national"},
		{"DE", london, "02079460958", "no", ""},
		{"DE", berlin, "03012345678", "yes", "sha256.trunk"},
		{"US", berlin, "3012345678", "no", ""}, // +1 301 234 5678
		{"US", atlanta, "4045550123", "yes", "sha256.national"},
		{"US", atlanta, "14045550123", "yes", "sha256.digits"},
		{"GB", atlanta, "4045550123", "no", ""},
		{"IT", roma, "0669812345", "yes", "sha256.national"},
		{"NO", oslo, "22225555", "yes", "sha256.national"},
		{"US", oslo, "22225555", "no", ""},
	} {
		number := wanted(t, pipeline.Phone, tt.id)[0]
		hashed := fmt.Sprintf("%x", sha256.Sum256([]byte(tt.hashed)))
		past := Remember(digests{}, testKey, tt.region, number).Needle("acme", pipeline.Phone, digests{})
		for _, n := range []Needle{number, past} {
			ms := Compile(testKey, tt.region, []Needle{n}).Finder(FinderOptions{Search: true, Account: "acme"}).Find(nil, "h", []byte(hashed))
			if got := outcome(ms); got != tt.want || got == "yes" && n.Past == nil && ms[0].Rule != tt.rule {
				t.Errorf("%s in %s, digest of %q: %s %v, want %s by %s", tt.id, tt.region, tt.hashed, got, ms, tt.want, tt.rule)
			}
		}
		// the other way round: the digest is given, and the number stands in clear
		f := Compile(testKey, tt.region, []Needle{givenAs(t, pipeline.Phone, tt.hashed)}).Finder(FinderOptions{Search: true, Account: "acme"})
		if got := outcome(f.Find(nil, "x", []byte(tt.id))); got != tt.want {
			t.Errorf("digest of %q in %s: %s in %s, want %s", tt.hashed, tt.region, tt.id, got, tt.want)
		}
		if c := givenAs(t, pipeline.Phone, tt.hashed).Canon; tt.want == "yes" && !c.Covers(number.Canon) {
			t.Errorf("the digest of %q is none of %s", tt.hashed, tt.id)
		}
	}
}
