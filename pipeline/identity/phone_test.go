package identity

import (
	"fmt"
	"testing"

	"github.com/nyaruka/phonenumbers/v2"
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
