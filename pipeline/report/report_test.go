package report

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"expunge/connectors/mem"
	"expunge/pipeline"
)

var update = flag.Bool("update", false, "write golden files anew")

func example(t testing.TB) *Report {
	t.Helper()
	totals, err := Objects(context.Background(), mem.New("work", mem.Options{}), "r1", everyEnd().source(t))
	if err != nil {
		t.Fatal(err)
	}
	began := time.Date(2026, 11, 20, 2, 0, 0, 0, time.UTC)
	r := New("20261120-r1", began, began.Add(90*time.Second), totals)
	r.Requests = []Request{
		{Request: "acme/R-1", State: "AWAITING_APPROVAL", Records: 1234, Review: 2, Bundle: "bundles/acme/R-1/index.html.sealed", Due: "2027-01-04", Rights: []string{"access", "delete"}},
		{Request: "beta/R-2", State: "REVIEW", Reason: `<script>alert("x")</script> & more`, Due: "2026-11-19"},
		{Request: "beta/R-3", State: "COMPLETED", Records: 3, Due: "2026-11-19"},
		{Request: "beta/R-4", State: "RECEIVED", Due: "2026-11-21"},
	}
	r.Rounds = []Round{{Round: 1, Needles: 4, Batches: 1, Units: 8, Bytes: 484, Skipped: 1, Seconds: 1.25}, {Round: 2, Needles: 1, Batches: 1, Units: 3, Bytes: 101}}
	r.Limits = []string{"acme/R-1, round 2: 12000 link ids found, 10000 followed"}
	r.Radius = []Radius{{Account: "acme", Dataset: "calls", Records: 9, Of: 18, Part: 0.5, Limit: true}}
	r.Tombstones, r.Review = 9, 2
	r.Count([]Store{
		{"lake", Calls{Lists: 1, Pages: 2, Listed: 12, Opens: 9, Read: 585}},
		{"work", Calls{Lists: 3, Pages: 3, Listed: 8, Opens: 5, Read: 4096, Creates: 7, Replaces: 1, Written: 12345}},
	})
	r.Bytes.Filters = 20
	r.Phases = []Phase{{"intake", 0.5}, {"plan", 1}, {"rounds", 12.25}}
	r.PeakMemory = 96 << 20
	r.Judge()
	return r
}

func TestGolden(t *testing.T) {
	work := mem.New("work", mem.Options{})
	r := example(t)
	for range 2 { // the second replaces what the first left
		if err := r.Write(context.Background(), work); err != nil {
			t.Fatal(err)
		}
	}
	var printed bytes.Buffer
	r.Print(&printed)
	for name, got := range map[string][]byte{
		"report.html": read(t, work, "runs/20261120-r1/report.html"),
		"report.json": read(t, work, "runs/20261120-r1/report.json"),
		"print.txt":   printed.Bytes(),
	} {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.MkdirAll("testdata", 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not the golden one; look at it and run with -update:\n%s", name, got)
		}
		for _, value := range []string{"5550123", "jane@", "%40example"} {
			if bytes.Contains(got, []byte(value)) {
				t.Errorf("%s holds the value %q", name, value)
			}
		}
	}
}

// The page fetches nothing, runs nothing and says what is text as text.
func TestPageIsSelfContained(t *testing.T) {
	var b bytes.Buffer
	if err := example(t).html(&b); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, bad := range []string{"<script", "src=", "href=", "@import", "url(", "ZgotmplZ", "<no value>"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	if !strings.Contains(page, "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt; &amp; more") {
		t.Error("a reason is not escaped")
	}
	var open []string
	for _, m := range regexp.MustCompile(`<(/?)([a-z0-9]+)[^>]*>`).FindAllStringSubmatch(page, -1) {
		switch {
		case m[2] == "meta":
		case m[1] == "":
			open = append(open, m[2])
		case len(open) == 0 || open[len(open)-1] != m[2]:
			t.Fatalf("</%s> closes %v", m[2], open)
		default:
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Errorf("%v stay open", open)
	}
}

func TestEmptyReport(t *testing.T) {
	work := mem.New("work", mem.Options{})
	r := New("r0", time.Time{}, time.Time{}, newTotals())
	if err := r.Write(context.Background(), work); err != nil {
		t.Fatal(err)
	}
	var back map[string]any
	if err := json.Unmarshal(read(t, work, "runs/r0/report.json"), &back); err != nil {
		t.Fatal(err)
	}
	if back["state"] != "COMPLETE" || back["version"] != 1.0 {
		t.Errorf("%v", back)
	}
	for _, list := range []string{"requests", "datasets", "refusals", "rounds", "limits", "blast_radius", "next", "notes", "stores", "phases"} {
		if l, ok := back[list].([]any); !ok || len(l) != 0 {
			t.Errorf("%s is %v, not an empty list", list, back[list])
		}
	}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name string
		r    Report
		why  []string
	}{
		{"nothing", Report{}, nil},
		{"all well", Report{Objects: map[pipeline.Outcome]int64{"scanned": 3, "skipped": 1, "pruned": 4}, Malformed: 3, Datasets: []DatasetTotals{{Name: "calls", Malformed: 3}}}, nil},
		{"refused", Report{Refused: 1}, []string{"1 object was refused"}},
		{"refused, uncounted", Report{Objects: map[pipeline.Outcome]int64{"refused": 1200}}, []string{"1,200 objects were refused"}},
		{"undeclared", Report{Undeclared: map[string]int64{"a/b": 2, "a/c": 1}, Objects: map[pipeline.Outcome]int64{"refused": 3}}, []string{"3 objects are UNDECLARED"}},
		{"unattributed", Report{Datasets: []DatasetTotals{{Name: "a"}, {Name: "b", Unattributed: 2, Misattributed: 1}}},
			[]string{"dataset b: 2 records are UNATTRIBUTED", "dataset b: 1 record is MISATTRIBUTED"}},
		{"strayed", Report{Strayed: map[string]int64{"acme/R-1": 3}}, []string{"1 request's identifiers stand in records of nobody"}},
		{"limit", Report{Limits: []string{"too many"}}, []string{"a limit was reached: too many"}},
	} {
		c.r.State, c.r.Why = "?", []string{"of before"}
		c.r.Judge()
		if want := len(c.why) == 0; (c.r.State == Complete) != want || !slices.Equal(c.r.Why, c.why) {
			t.Errorf("%s: %s %q", c.name, c.r.State, c.r.Why)
		}
	}
}
