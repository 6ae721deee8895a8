package naming

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"expunge/connectors"
	"expunge/pipeline"
)

// What Moved gives, with each digest written as D.
func TestMoved(t *testing.T) {
	n := names(t)
	digest := regexp.MustCompile(`redacted[a-p]{32}`)
	for _, c := range []struct {
		key      string
		captures map[string]string
		want     string
	}{
		{"calls/CA1.json", map[string]string{"call": "CA1"}, "calls/CA1.json"},
		{"calls/CA1-+14045550123.json", map[string]string{"call": "CA1", "phone": "+14045550123"}, "calls/CA1-D.json"},
		{"c/4-14045550123.json", map[string]string{"phone": "14045550123", "user": "4"}, "c/D-D.json"},
		{"c/4/dt=2024/4.json", map[string]string{"user": "4"}, "c/D/dt=2024/4.json"},                         // a short one stands in many words
		{"c/14045550123/x-14045550123.json", map[string]string{"phone": "14045550123"}, "c/D/x-D.json"},      // ... a long one is the same person
		{"c/14045550123/404-555-0199.json", map[string]string{"phone": "14045550123"}, "c/D/D.json"},         // nobody has declared it
		{"c/14045550123/jane@example.com/x.json", map[string]string{"phone": "14045550123"}, "c/D/D/x.json"}, // nor that
		{"c/14045550123/1700000000-000001.json", map[string]string{"phone": "14045550123"}, "c/D/1700000000-000001.json"},
	} {
		o := pipeline.Object{Object: connectors.Object{Ref: connectors.Ref{Store: "lake", Key: c.key}}, Captures: c.captures, Account: "acme"}
		fill := func(f func(capture, value string) string) (string, error) { // the first place of each is its capture's
			key := c.key
			for _, name := range []string{"user", "call", "phone"} {
				if v := c.captures[name]; v != "" {
					key = strings.Replace(key, v, f(name, v), 1)
				}
			}
			return key, nil
		}
		move := func(o *pipeline.Object, content string) string {
			key, err := n.Moved(o, content, fill)
			if err != nil {
				t.Fatal(err)
			}
			return key
		}
		got := move(&o, "content")
		if shown := digest.ReplaceAllString(got, "D"); shown != c.want {
			t.Errorf("%q moves to %q, want %q", c.key, shown, c.want)
		}
		if got != move(&o, "content") {
			t.Errorf("%q moves to another key the second time", c.key)
		}
		other := o
		if other.Account = "globex"; c.want != c.key && (got == move(&other, "content") || got == move(&o, "other")) {
			t.Errorf("%q moves to one key whatever its account or content", c.key)
		}
		if c.want == c.key {
			continue
		}
		moved := pipeline.Object{Object: connectors.Object{Ref: connectors.Ref{Store: "lake", Key: got}}, Captures: map[string]string{"call": c.captures["call"]}}
		for name, v := range map[string]string{"phone": digest.FindString(got), "user": digest.FindString(got)} {
			if c.captures[name] != "" {
				moved.Captures[name] = v
			}
		}
		if ref := n.Ref(&moved); ref.Identifying {
			t.Errorf("%q still identifies: it is shown as %q", got, ref.Shown)
		}
	}
	broken := errors.New("broken")
	if _, err := n.Moved(&pipeline.Object{}, "", func(func(string, string) string) (string, error) { return "", broken }); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}
