package naming_test

import (
	"bytes"
	"testing"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/naming"
	"expunge/pipeline/seal"
)

// Whatever a key holds, what Ref says of it leads back to it.
func TestResolve(t *testing.T) {
	keys, err := seal.Open(bytes.Repeat([]byte{1}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	n := &naming.Names{URLs: map[string]string{"lake": "s3://acme", "inner": "s3://acme/deep/", "old": "file:///var/lake"}, Keys: keys}
	for _, c := range []struct{ store, key string }{
		{"lake", "calls/a.jsonl"}, {"lake", "a b/c%2Fd/é+ü?#.csv"}, {"lake", "jane@example.com/x.json"}, {"lake", "dt=2026-01-01/%"},
		{"inner", "a/b"}, {"old", "x"}, {"lake", "deeper"}, {"lake", "a//b"}, {"lake", "a/./b"},
	} {
		ref := n.Ref(&pipeline.Object{Object: connectors.Object{Ref: connectors.Ref{Store: c.store, Key: c.key}}, Dataset: -1})
		var sealed *string
		if s := n.Sealed(&ref); s != "" {
			sealed = &s
		}
		store, key, err := n.Resolve(ref.Shown, sealed)
		if err != nil || store != c.store || key != c.key {
			t.Errorf("%s %q: %s %q, %v", c.store, c.key, store, key, err)
		}
	}
	if _, _, err := n.Resolve("s3://other/x", nil); err == nil {
		t.Error("a URL of no store resolves")
	}
}
