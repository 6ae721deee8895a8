package record_test

import (
	"testing"
	"time"

	"expunge/pipeline"
	"expunge/pipeline/record"
	"expunge/scanners"
)

func TestAccount(t *testing.T) {
	accounts := map[string]string{"acme": "acme", "ACC1": "acme", "globex": "globex"}
	for _, c := range []struct {
		name    string
		key     string // account of the key
		capture bool   // whether the key names an account at all
		field   bool   // whether the dataset names a field
		values  []string
		want    string
		code    string
	}{
		{"key alone", "acme", true, false, nil, "acme", ""},
		{"no key and no field", "", false, false, nil, "", record.Unattributed},
		{"a key that nobody knows", "", true, true, []string{"acme"}, "", record.Unattributed},
		{"field alone", "", false, true, []string{"ACC1"}, "acme", ""},
		{"an unknown field", "", false, true, []string{"ACC2"}, "", record.Unattributed},
		{"no value", "", false, true, []string{""}, "", record.Unattributed},
		{"the same twice", "", false, true, []string{"ACC1", "acme"}, "acme", ""},
		{"two accounts", "", false, true, []string{"acme", "globex"}, "", record.Misattributed},
		{"key and field agree", "acme", true, true, []string{"ACC1"}, "acme", ""},
		{"key and field disagree", "acme", true, true, []string{"globex"}, "", record.Misattributed},
		{"a key, and no value", "acme", true, true, nil, "", record.Unattributed},
	} {
		d := &pipeline.Dataset{}
		if c.field {
			d.Account = "company"
		}
		o := &pipeline.Object{Account: c.key}
		if c.capture {
			o.Captures = map[string]string{"account": "x"}
		}
		r := &scanners.Record{}
		for _, v := range c.values {
			r.Leaves = append(r.Leaves, scanners.Leaf{Path: "company", Value: []byte(v)})
		}
		if got, code := record.Account(r, d, o, accounts); got != c.want || code != c.code {
			t.Errorf("%s: %q %q, want %q %q", c.name, got, code, c.want, c.code)
		}
	}
}

func TestTime(t *testing.T) {
	want := time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC).UnixMilli()
	for _, v := range []string{"2026-03-01T12:30:00Z", "2026-03-01 12:30:00", "2026-03-01T07:30:00-05:00", "1772368200", "1772368200000", "1772368200000000", "1772368200000000000", "1772368200.0"} {
		r := &scanners.Record{Leaves: []scanners.Leaf{{Path: "at", Value: []byte(v)}}}
		if got := record.Time(r, &pipeline.Dataset{Time: "at"}); got != want {
			t.Errorf("%s: %d, want %d", v, got, want)
		}
	}
	for _, v := range []string{"", "soon", "42", "20269999"} {
		r := &scanners.Record{Leaves: []scanners.Leaf{{Path: "at", Value: []byte(v)}}}
		if got := record.Time(r, &pipeline.Dataset{Time: "at"}); got != pipeline.NoTime {
			t.Errorf("%q: %d, want none", v, got)
		}
	}
}
