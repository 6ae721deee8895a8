package record_test

import (
	"testing"
	"time"

	"expunge/pipeline"
	"expunge/pipeline/record"
	"expunge/scanners"
)

// day is a calendar day.
func day(t *testing.T, s string) *pipeline.Date {
	t.Helper()
	d := new(pipeline.Date)
	if err := d.UnmarshalText([]byte(s)); err != nil {
		t.Fatal(err)
	}
	return d
}

// What makes a match less sure than its finder says, and what the evidence says of it.
func TestJudge(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		at      string
		suspect bool
		says    string // the direction
		found   pipeline.Tier
		review  pipeline.Tier
		ask     pipeline.Ask
		tier    pipeline.Tier
		rule    string
	}{
		{name: "nothing", at: "2026-03-02T00:30:00", tier: pipeline.Hashed, rule: "sha256.e164"},
		{name: "policy", review: pipeline.Hashed, tier: pipeline.Review, rule: "sha256.e164.policy"},
		{name: "policy of another tier", review: pipeline.Linked, tier: pipeline.Hashed, rule: "sha256.e164"},
		{name: "malformed", suspect: true, tier: pipeline.Review, rule: "sha256.e164.malformed"},
		{name: "before", at: "2026-03-01T23:30:00", ask: pipeline.Ask{From: day(t, "2026-03-02")}, tier: pipeline.Review, rule: "sha256.e164.outside_validity"},
		{name: "the first day", at: "2026-03-02T00:30:00", ask: pipeline.Ask{From: day(t, "2026-03-02")}, tier: pipeline.Hashed, rule: "sha256.e164"},
		{name: "after", at: "2026-03-03T00:30:00", ask: pipeline.Ask{To: day(t, "2026-03-02")}, tier: pipeline.Review, rule: "sha256.e164.outside_validity"},
		{name: "undated", ask: pipeline.Ask{To: day(t, "2026-03-02")}, tier: pipeline.Review, rule: "sha256.e164.validity_unknown"},
		{name: "date not read", at: "garbage", ask: pipeline.Ask{From: day(t, "2026-03-02")}, tier: pipeline.Review, rule: "sha256.e164.validity_unknown"},
		{name: "on a call to the consumer", says: "Outbound-API ", tier: pipeline.Hashed, rule: "sha256.e164"},
		{name: "on a call to somebody else", says: "inbound", tier: pipeline.Mention, rule: "sha256.e164.other_role"},
		{name: "a doubt on a call to somebody else", says: "inbound", found: pipeline.Review, tier: pipeline.Review, rule: "sha256.e164.other_role"},
		{name: "on a call that does not say to whom", says: "-", tier: pipeline.Review, rule: "sha256.e164.role_unknown"},
		{name: "all", at: "2026-03-03T00:30:00", suspect: true, review: pipeline.Hashed, ask: pipeline.Ask{To: day(t, "2026-03-02")}, tier: pipeline.Review, rule: "sha256.e164.policy.malformed.outside_validity"},
	} {
		r := &scanners.Record{Suspect: c.suspect, Leaves: []scanners.Leaf{{Path: "at", Value: []byte(c.at)}}}
		policy := pipeline.Policy{"globex": {pipeline.Hashed}}
		if c.review != "" {
			policy["acme"] = []pipeline.Tier{c.review}
		}
		field := &pipeline.Field{Path: "h", Kind: pipeline.Phone}
		if c.says != "" {
			field.When = &pipeline.When{Field: "direction", Is: []string{"outbound-api"}, IsNot: []string{"inbound"}}
			r.Leaves = append(r.Leaves, scanners.Leaf{Path: "direction", Value: []byte(c.says)})
		}
		if c.found == "" {
			c.found = pipeline.Hashed
		}
		declared := func(path string) *pipeline.Field { return map[string]*pipeline.Field{"h": field}[path] }
		j := record.NewJudge(r, &pipeline.Dataset{Time: "at", Zone: zone}, declared, "acme", policy)
		tier, rule := j.Tier(&scanners.Match{Path: "h", Kind: "phone", Rule: "sha256.e164", Tier: string(c.found)}, &c.ask)
		if tier != c.tier || rule != c.rule {
			t.Errorf("%s: %s %s, want %s %s", c.name, tier, rule, c.tier, c.rule)
		}
	}
}

// What is dated while a number was the account's own is nobody's; where the date does not
// tell, a person looks.
func TestBusiness(t *testing.T) {
	span := func(from, to string) pipeline.Period {
		p := pipeline.Period{From: pipeline.Always, To: pipeline.Ever}
		if from != "" {
			p.From = day(t, from).Begin(nil).UnixMilli()
		}
		if to != "" {
			p.To = day(t, to).End(nil).UnixMilli() - 1
		}
		return p
	}
	spring, since, always := span("2026-03-01", "2026-05-31"), span("2026-11-01", ""), span("", "")
	for _, c := range []struct {
		at       string
		business []pipeline.Period
		nobodys  bool
		tier     pipeline.Tier
	}{
		{"2026-04-01", nil, false, pipeline.Exact},
		{"2026-02-28T23:59:59Z", []pipeline.Period{spring, since}, false, pipeline.Exact},
		{"2026-03-01T00:00:00Z", []pipeline.Period{spring, since}, true, ""},
		{"2026-05-31", []pipeline.Period{since, spring}, true, ""},
		{"2026-06-01", []pipeline.Period{spring, since}, false, pipeline.Exact},
		{"2027-01-01", []pipeline.Period{spring, since}, true, ""},
		{"", []pipeline.Period{spring}, false, pipeline.Review},
		{"", []pipeline.Period{spring, always}, true, ""},
		{"2026-03-01", []pipeline.Period{{From: spring.From + 1, To: spring.To}}, false, pipeline.Review}, // it was given in the course of the day
	} {
		r := &scanners.Record{Leaves: []scanners.Leaf{{Path: "at", Value: []byte(c.at)}}}
		j := record.NewJudge(r, &pipeline.Dataset{Time: "at"}, func(string) *pipeline.Field { return nil }, "acme", nil)
		ask := &pipeline.Ask{Business: c.business}
		if got := j.Business(ask); got != c.nobodys {
			t.Errorf("%q in %v: %v", c.at, c.business, got)
		}
		if tier, rule := j.Tier(&scanners.Match{Rule: "x", Tier: string(pipeline.Exact)}, ask); !c.nobodys && (tier != c.tier || (rule == "x.business_number") != (tier == pipeline.Review)) {
			t.Errorf("%q in %v: %s %s, want %s", c.at, c.business, tier, rule, c.tier)
		}
	}
}
