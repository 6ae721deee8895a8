package naming

import (
	"strings"
	"testing"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/seal"
)

func names(t *testing.T) *Names {
	t.Helper()
	keys, err := seal.Open([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	return &Names{
		URLs: map[string]string{"lake": "s3://acme-lake"}, Keys: keys, Region: "US",
		Datasets: []pipeline.Dataset{{Name: "calls", Object: map[string]pipeline.Field{
			"phone": {Kind: pipeline.Phone}, "user": {Kind: pipeline.User}, "call": {Kind: pipeline.Call, Link: true},
		}}},
	}
}

func TestKeysThatIdentifyAreShownRedacted(t *testing.T) {
	n := names(t)
	for _, c := range []struct {
		key      string
		captures map[string]string
		dataset  int
		shown    string
	}{
		{"calls/CA1.json", map[string]string{"call": "CA1"}, 0, "s3://acme-lake/calls/CA1.json"},
		{"calls/+14045550123.json", map[string]string{"phone": "+14045550123"}, 0, "s3://acme-lake/calls/{phone}.json"},
		// the short value stands inside the long one
		{"c/4-14045550123.json", map[string]string{"phone": "14045550123", "user": "4"}, 0, "s3://acme-lake/c/{user_id}-{phone}.json"},
		// numbers that nobody has declared: of people, and of no one
		{"calls/4045550123_20261120.json", nil, 0, "s3://acme-lake/calls/{phone}.json"},
		{"calls/x (404) 555-0123.mp3", nil, 0, "s3://acme-lake/calls/x%20{phone}.mp3"},
		{"calls/call-4045550123.json", map[string]string{"call": "call-4045550123"}, 0, "s3://acme-lake/calls/call-4045550123.json"},
		{"calls/date=2026-11-20/1700000000-000001.json", map[string]string{"date": "2026-11-20"}, 0, "s3://acme-lake/calls/date=2026-11-20/1700000000-000001.json"},
		{"calls/2026112009/part-00000-6d92078a-8246-4ba4-ae5b-76104861e7dc-c000.snappy.parquet", nil, 0, "s3://acme-lake/calls/2026112009/part-00000-6d92078a-8246-4ba4-ae5b-76104861e7dc-c000.snappy.parquet"},
		{"calls/20261120093000.json", nil, 0, "s3://acme-lake/calls/20261120093000.json"},
		{"calls/facade-4045550123.mp3", nil, 0, "s3://acme-lake/calls/facade-{phone}.mp3"},
		{"drop/jane@example.com/a b", nil, -1, "s3://acme-lake/drop/{email}/a%20b"},
	} {
		o := pipeline.Object{Object: connectors.Object{Ref: connectors.Ref{Store: "lake", Key: c.key}}, Captures: c.captures, Dataset: c.dataset}
		first := n.Ref(&o)
		if first.Shown != c.shown {
			t.Errorf("%q is shown as %q, want %q", c.key, first.Shown, c.shown)
		}
		if hidden := strings.Contains(c.shown, "{"); first.Identifying != hidden || (n.Sealed(&first) != "") != hidden {
			t.Errorf("%q: identifying %v, sealed %v", c.key, first.Identifying, n.Sealed(&first) != "")
		}
		for range 20 {
			if again := n.Ref(&o); again != first {
				t.Errorf("%q: named %+v, then %+v", c.key, first, again)
			}
		}
	}
}
