package identity

import (
	"strings"
	"testing"

	"expunge/pipeline"
)

// A number in a field that by its name is a time, or counts or measures something, is a
// phone by chance: a person decides. What is written as a phone is one everywhere.
func TestQuantities(t *testing.T) {
	fields := []pipeline.Field{
		{Path: "created_at", Category: "commercial"},
		{Path: "callback_time", Kind: pipeline.Phone},
		{Path: "ts_user", Kind: pipeline.User},
		{Path: "call", Kind: pipeline.Call, Link: true},
	}
	const us, gb = "+14045550123", "+441709555012" // a day of March 2024 is 1709555012
	for _, tt := range []struct {
		region, id, path, text, want string
	}{
		{"US", us, "ts", "4045550123", "review"},
		{"US", us, "ts", "14045550123", "review"},
		{"US", us, "event.timestamps[]", "4045550123", "review"},
		{"US", us, "events[].createdAt", "4045550123", "review"},
		{"US", us, "Start Time", "4045550123", "review"},
		{"US", us, "starttime", "4045550123", "review"},
		{"US", us, "callDurationMs", "4045550123", "review"},
		{"US", us, "HTTPLatency", "4045550123", "review"},
		{"US", us, "bytes_sent", "4045550123", "review"},
		{"US", us, "epoch", "1700000000, 4045550123", "review"},
		{"US", us, "created_at", "4045550123", "review"}, // declared, and of no kind
		{"US", us, "begun", "4045550123", "no"},          // it dates the record
		{"US", us, "url", "https://example.com/a?ts=4045550123&x=1", "review"},
		{"US", us, "q", "event_time=4045550123", "review"},
		{"US", us, "call", "4045550123", "review"}, // declared as an id, which programs number
		{"US", us, "call", "https://example.com/calls/4045550123/recording.json", "review"},
		{"GB", gb, "ts", "1709555012", "review"},
		{"GB", gb, "number", "01709555012", "yes"},

		{"US", us, "ts", "+14045550123", "yes"},
		{"US", us, "ts", "(404) 555-0123", "yes"},
		{"US", us, "ts", "tel:4045550123", "yes"},
		{"US", us, "callback_time", "4045550123", "yes"},
		{"US", us, "ts_user", "4045550123", "yes"},
		{"US", us, "call", "+14045550123", "yes"},
		{"US", us, "call", "404-555-0123", "yes"},
		{"US", us, "number", "4045550123", "yes"},
		{"US", us, "url", "https://example.com/a?phone=4045550123&ts=1", "yes"},
		{"US", us, "time.phone", "4045550123", "yes"},
		{"US", us, "at_home", "4045550123", "yes"},
		{"US", us, "contact_us", "4045550123", "yes"},
		{"US", us, "candidate", "4045550123", "yes"},
		{"US", us, "Stats", "4045550123", "yes"},
		{"US", us, "values[]", "4045550123", "yes"},
	} {
		f := Compile(testKey, tt.region, wanted(t, "phone", tt.id)).Finder(FinderOptions{Fields: fields, Time: "begun", Search: true, Account: "acme"})
		ms := f.Find(nil, tt.path, []byte(tt.text))
		if got := outcome(ms); got != tt.want {
			t.Errorf("%q in %q: %s, want %s (%v)", tt.text, tt.path, got, tt.want, ms)
		}
		for _, m := range ms {
			if said := strings.HasSuffix(m.Rule, ".quantity"); said != (tt.want == "review") {
				t.Errorf("%q in %q: rule %s", tt.text, tt.path, m.Rule)
			}
		}
	}
}
