package closure_test

import (
	"bytes"
	"reflect"
	"testing"

	"expunge/connectors"
	"expunge/connectors/mem"
	"expunge/pipeline"
	"expunge/pipeline/closure"
	"expunge/pipeline/identity"
	"expunge/pipeline/ledger"
	"expunge/pipeline/seal"
)

// Identities come back as they were, for the requests that are asked for only, and
// nothing of them can be read in the work store.
func TestIdentitiesAreKeptSealed(t *testing.T) {
	keys, err := seal.Open(bytes.Repeat([]byte{3}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	work := mem.New("work", mem.Options{})
	s := &closure.Store{Work: work, Keys: keys, Run: "r1"}
	one, two := pipeline.RequestRef{Account: "acme", ID: "R-1"}, pipeline.RequestRef{Account: "acme", ID: "R-2"}
	var from pipeline.Date
	if err := from.UnmarshalText([]byte("2024-03-01")); err != nil {
		t.Fatal(err)
	}
	needles := []identity.Needle{
		{Account: "acme", Canon: identity.Canon{Kind: pipeline.Phone, Value: "14045550123", Ext: "12", Doubt: true}, Agent: true},
		{Account: "acme", Canon: identity.Canon{Kind: pipeline.Call, Value: "CAL1"}, Tier: pipeline.Linked},
	}
	digests := keys.Derive(ledger.Purpose, "acme")
	forgotten := identity.Remember(digests, identity.Key{1}, "US", needles[0]).Needle("acme", pipeline.Phone, digests)
	needles = append(needles, forgotten)
	asks := [][]pipeline.Ask{{{Request: one, From: &from}, {Request: two}}, {{Request: two, Via: "d", Hops: 1}}, {{Request: two}}}
	w, err := s.NewWriter()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for i := range needles {
		if err := w.Add(needles[i:i+1], asks[i:i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Store(t.Context()); err != nil {
		t.Fatal(err)
	}
	gotNeedles, gotAsks, err := s.Read(t.Context(), func(pipeline.RequestRef) bool { return true })
	if err != nil || !reflect.DeepEqual(gotNeedles, needles) || !reflect.DeepEqual(gotAsks, asks) {
		t.Errorf("%#v %#v, %v", gotNeedles, gotAsks, err)
	}
	gotNeedles, gotAsks, err = s.Read(t.Context(), func(r pipeline.RequestRef) bool { return r == one })
	if err != nil || len(gotNeedles) != 1 || !reflect.DeepEqual(gotAsks, [][]pipeline.Ask{asks[0][:1]}) {
		t.Errorf("of one request: %#v %#v, %v", gotNeedles, gotAsks, err)
	}
	body, err := work.Open(t.Context(), connectors.Ref{Key: s.Key()}, connectors.All)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	var raw bytes.Buffer
	if _, err := raw.ReadFrom(body); err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"14045550123", "CAL1", "R-1"} {
		if bytes.Contains(raw.Bytes(), []byte(value)) {
			t.Errorf("%s can be read", value)
		}
	}
}
