package identity

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"expunge/scanners/walk"
)

// TestNumbersWithExponents: scanners hand on numbers as plain digits, and Probe has
// seen these where the number stands with an exponent.
func TestNumbersWithExponents(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 9))
	var cases []string
	for range 400 {
		n := strconv.FormatInt(rng.Int64N(9e15)+1e6, 10)
		n = n[:7+rng.IntN(len(n)-6)]
		n = n[:len(n)-2] + strings.Repeat("0", rng.IntN(3)) + n[len(n)-2:]
		v, _ := strconv.ParseFloat(n, 64)
		cases = append(cases,
			strconv.FormatFloat(v, 'e', -1, 64), strconv.FormatFloat(v, 'E', 16, 64), // as Go, Java and Python do
			n[:3]+"."+n[3:]+"e"+strconv.Itoa(len(n)-3), n+"000E-3", "0.00"+n+"e+"+strconv.Itoa(len(n)+2), n+"e1", n+"e30")
	}
	cases = append(cases, "1.404555012E10", "140455501e2", "-1.404555012E10", "1.2345678901234567E18", "12e30", "1.404555012E+0010")
	seen := 0
	for _, number := range cases {
		leaves, err := new(walk.Walker).Leaves([]byte(`[`+number+`]`), "")
		if err != nil {
			t.Fatal(number, err)
		}
		want, _ := tokensOf(leaves[0].Value)
		seen += len(want)
		for _, raw := range []string{`{"v":%s}`, `{"v":[1,%s,3]}`, `{"v":"{\"w\":%s}"}`, "7,%s,9", "%s", "{\"v\": %s\n}"} {
			raw = fmt.Sprintf(raw, number)
			tok := &tokenizer{h: testKey.hasher(), numbers: true}
			tok.scan([]byte(raw), nil)
			for token, s := range want {
				found := false
				for _, hit := range tok.hits {
					found = found || hit.token == token && hit.class == s.class && hit.bucket() == s.bucket() && hit.hi <= len(raw) && hit.hi > 0
				}
				if !found {
					t.Errorf("%s: no token of class %d of %s", raw, s.class, leaves[0].Value)
				}
			}
		}
	}
	if seen < 800 {
		t.Errorf("%d tokens only", seen)
	}
	for _, other := range []string{"6d92078a-8246-3e12-ae5b-76104861e7dc", "ab12e9", "1.2.3e9", "_12e9", "12e9x", "12e-", "12e", "7e99999999999"} {
		a, b := &tokenizer{h: testKey.hasher()}, &tokenizer{h: testKey.hasher(), numbers: true}
		a.scan([]byte(other), nil)
		b.scan([]byte(other), nil)
		if len(a.hits) != len(b.hits) {
			t.Errorf("%s is a number", other)
		}
	}
}
