package intake

import (
	"strings"
	"testing"
	"time"

	"expunge/pipeline"
)

// A request that can be read in two ways, or that asks for nothing, is not taken in.
func TestParse(t *testing.T) {
	check := Check{
		Now:     time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC),
		Account: func(name string) bool { return name == "acme" || name == "beta" },
		Kind:    func(kind pipeline.Kind) bool { return kind == pipeline.Phone || kind == pipeline.Name },
		Identifier: func(*pipeline.Request) func(pipeline.Identifier) error {
			return func(pipeline.Identifier) error { return nil }
		},
	}
	const good = `{"version":1,"id":"R-1","account":"acme","rights":["access"],"received":"2026-11-20T09:00:00Z",` +
		`"identifiers":[{"kind":"phone","value":"404 555 0123","valid_from":"2024-03-01","valid_to":null},{"kind":"phone","value":"404 555 0124"}],` +
		`"window":{"since":"2022-01-01","until":"2022-01-01"},"verification":{"level":"none"}}`
	for _, c := range []struct{ name, from, to, want string }{
		{"as it is", "", "", ""},
		{"a day is a window", `"valid_to":null`, `"valid_to":"2024-03-01"`, ""},
		{"two accounts", `"account":"acme"`, `"account":"acme","account":"beta"`, `field "account" stands there twice`},
		{"two accounts by case", `"account":"acme"`, `"account":"acme","Account":"beta"`, `unknown field "Account"`},
		{"by case alone", `"id":`, `"ID":`, `unknown field "ID"`},
		{"by folding", `"rights":`, `"right\u017f":`, `unknown field "rightſ"`},
		{"two values", `"value":"404 555 0124"`, `"value":"404 555 0124","value":"404 555 0125"`, `field "value" stands there twice`},
		{"after a list", `"window":`, `"id":"R-2","window":`, `field "id" stands there twice`},
		{"an id beside a name", `{"kind":"phone","value":"404 555 0124"}`, `{"kind":"name","value":"Jane Doe"}`, ""},
		{"a name alone", `[{"kind":"phone","value":"404 555 0123","valid_from":"2024-03-01","valid_to":null},{"kind":"phone","value":"404 555 0124"}]`, `[{"kind":"name","value":"Jane Doe"}]`, "a name only confirms what another identifier found"},
		{"unknown", `"window":`, `"widnow":`, `unknown field "widnow"`},
		{"valid backwards", `"valid_to":null`, `"valid_to":"2024-02-29"`, "identifiers[0]: valid_to is before valid_from"},
		{"window backwards", `"until":"2022-01-01"`, `"until":"2021-12-31"`, "window.until is before window.since: nothing would be given"},
		{"a year mistyped", `"received":"2026`, `"received":"1026`, "received is before the year 2000"},
		{"a year to come", `"received":"2026`, `"received":"2062`, "received lies in the future"},
	} {
		got, err := Parse("r.json", []byte(strings.Replace(good, c.from, c.to, 1)), check)
		switch {
		case c.want == "" && (err != nil || len(got) != 1):
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		case err != nil && strings.Contains(err.Error(), "555"):
			t.Errorf("%s: the error tells a value: %v", c.name, err)
		}
	}
}
