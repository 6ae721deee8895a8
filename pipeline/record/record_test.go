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
		if got := record.Time(r, &pipeline.Dataset{Time: "at"}); got != (record.Moment{From: want, To: want}) {
			t.Errorf("%s: %d, want %d", v, got, want)
		}
		if record.Untimed(r, &pipeline.Dataset{Time: "at"}) {
			t.Errorf("%s counts as a time that cannot be read", v)
		}
	}
	for _, v := range []string{"", "soon", "42", "20269999"} {
		r := &scanners.Record{Leaves: []scanners.Leaf{{Path: "at", Value: []byte(v)}}}
		if got := record.Time(r, &pipeline.Dataset{Time: "at"}); got.Known() {
			t.Errorf("%q: %d, want none", v, got)
		}
		if got := record.Untimed(r, &pipeline.Dataset{Time: "at"}); got != (v != "") {
			t.Errorf("%q counts as a time that cannot be read: %v", v, got)
		}
		if record.Untimed(r, &pipeline.Dataset{Time: "begun"}) {
			t.Errorf("%q: a field that a record does not have cannot be read", v)
		}
	}
}

// What names no zone is of the zone that is given, and a day is all of it.
func TestZones(t *testing.T) {
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	at := func(zone *time.Location, month time.Month, day, hour, minute int) record.Moment {
		ms := time.Date(2026, month, day, hour, minute, 0, 0, zone).UnixMilli()
		return record.Moment{From: ms, To: ms}
	}
	noon := at(newYork, 3, 1, 12, 30)
	for s, want := range map[string]record.Moment{
		"2026-03-01 12:30:00":            noon,
		"2026-03-01T12:30:00":            noon,
		"2026-03-01T12:30":               noon,
		"3/1/2026 12:30":                 noon,
		"03/01/2026 12:30:00 PM":         noon,
		"3/1/2026 12:30 PM":              noon,
		"2026-03-01 12:30:00 EST":        noon,
		"2026-03-01 12:30:00 PST":        at(newYork, 3, 1, 15, 30),
		"Sun, 01 Mar 2026 11:30:00 CST":  noon,
		"Sun, 01 Mar 2026 17:30:00 GMT":  noon,
		"2026-03-01 17:30:00 UTC":        noon,
		"2026-03-01T17:30:00Z":           noon,
		"2026-03-01 18:30:00 +0100":      noon,
		"2026-03-01 18:30:00.000 +01:00": noon,
		"2026-03-08":                     {From: at(newYork, 3, 8, 0, 0).From, To: at(newYork, 3, 9, 0, 0).From - 1}, // has 23 hours
		"20260308":                       {From: at(newYork, 3, 8, 0, 0).From, To: at(newYork, 3, 9, 0, 0).From - 1},
		"Mar 8, 2026":                    {From: at(newYork, 3, 8, 0, 0).From, To: at(newYork, 3, 9, 0, 0).From - 1},
	} {
		if got, ok := record.ParseTime(s, newYork); !ok || got != want {
			t.Errorf("%s: %v, %v, want %v", s, got, ok, want)
		}
	}
	for s, want := range map[string]record.Moment{"2026-03-01 12:30:00 EST": noon, "2026-03-01 17:30:00": noon} {
		if got, ok := record.ParseTime(s, nil); !ok || got != want {
			t.Errorf("%s: %v, %v, want %v", s, got, ok, want)
		}
	}
	if got, ok := record.ParseTime("2026-03-01 12:30:00 XYZ", newYork); ok {
		t.Errorf("a zone that nobody knows is read: %v", got)
	}
}

func TestMomentTells(t *testing.T) {
	day := record.Moment{From: 100, To: 199}
	for cutoff, want := range map[int64]bool{50: true, 99: true, 100: false, 198: false, 199: true, 500: true} {
		if day.Tells(cutoff) != want {
			t.Errorf("cut-off %d: %v", cutoff, !want)
		}
	}
	if record.Never.Tells(50) || record.Never.Known() {
		t.Error("no time tells something")
	}
}
