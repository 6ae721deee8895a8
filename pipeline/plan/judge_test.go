package plan

import (
	"testing"
	"time"

	"expunge/connectors"
	"expunge/pipeline"
)

// What a key's date and an older version decide before anything is opened, to the day.
func TestJudge(t *testing.T) {
	york, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	since := time.Date(2026, 11, 20, 5, 0, 0, 0, time.UTC) // midnight in New York
	for _, c := range []struct {
		name       string
		demand     Demand
		account    string // as captured
		date       string
		noncurrent bool
		zone       *time.Location
		slack      time.Duration
		want       string
	}{
		{"the day before", Demand{Since: since}, "acme", "2026-11-18", false, york, 0, Window},
		{"its end touches the window", Demand{Since: since}, "acme", "2026-11-19", false, york, 0, ""},
		{"of another zone", Demand{Since: since}, "acme", "2026-11-19", false, time.UTC, 0, Window},
		{"within the slack", Demand{Since: since}, "acme", "2026-11-16", false, york, 72 * time.Hour, ""},
		{"beyond the slack", Demand{Since: since}, "acme", "2026-11-15", false, york, 72 * time.Hour, Window},
		{"one deletes", Demand{Since: since, Deletes: true}, "acme", "2020-01-01", false, york, 0, ""},
		{"all is asked for", Demand{}, "acme", "2020-01-01", false, york, 0, ""},
		{"no date", Demand{Since: since}, "acme", "20200101", false, york, 0, ""},
		{"nobody asks", Demand{Since: since}, "globex", "2026-11-20", false, york, 0, NoRequest},
		{"no such account", Demand{Since: since}, "nobody", "2020-01-01", false, york, 0, ""},
		{"older, and nothing goes", Demand{}, "acme", "2026-11-20", true, york, 0, Noncurrent},
		{"older, of what goes", Demand{Deletes: true}, "acme", "2026-11-20", true, york, 0, ""},
		{"older, of nobody known, and something goes", Demand{Deletes: true}, "nobody", "2026-11-20", true, york, 0, ""},
		{"older, of nobody known, and nothing goes", Demand{}, "nobody", "2026-11-20", true, york, 0, Noncurrent},
	} {
		p := &Plan{
			Datasets: []pipeline.Dataset{{Name: "calls", Zone: c.zone, DateSlack: c.slack}},
			Accounts: map[string]string{"acme": "acme", "globex": "globex"},
			Demands:  map[string]Demand{"acme": c.demand},
			Claim: func(string, string) (Claim, error) {
				return Claim{Captures: map[string]string{"account": c.account, "date": c.date}}, nil
			},
		}
		o := &pipeline.Object{Object: connectors.Object{Ref: connectors.Ref{Store: "lake", Key: "k"}}, Noncurrent: c.noncurrent}
		if err := p.judge(o); err != nil || o.Code != c.want || (c.want != "") != (o.Outcome == pipeline.Pruned) {
			t.Errorf("%s: %s %q, %v; want %q", c.name, o.Outcome, o.Code, err, c.want)
		}
	}
}
