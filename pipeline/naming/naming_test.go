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
		URLs: map[string]string{"lake": "s3://acme-lake"}, Keys: keys,
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
