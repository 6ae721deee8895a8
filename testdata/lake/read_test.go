package lake_test

import (
	"bytes"
	"testing"

	"expunge/testdata/lake"
)

// Every record that the truth names is one that Records gives.
func TestRecordsReachesTheTruth(t *testing.T) {
	l, err := lake.Generate(lake.Options{Seed: 3, Bytes: 1 << 20, Accounts: 2, Requests: 6})
	if err != nil {
		t.Fatal(err)
	}
	records := map[string]int{}
	for f := range l.Files() {
		var b bytes.Buffer
		if err := f.Write(&b); err != nil {
			t.Fatal(err)
		}
		got, err := lake.Records(f.Key, b.Bytes())
		if err != nil {
			t.Fatalf("%s: %v", f.Key, err)
		}
		records[f.Key] = len(got)
	}
	n := 0
	for x := range l.Truth() {
		n++
		if _, there := records[x.Object]; !there || x.Record >= int64(records[x.Object]) {
			t.Errorf("%s has %d records, and the truth names record %d", x.Object, records[x.Object], x.Record)
		}
	}
	if n == 0 {
		t.Error("the truth names nothing")
	}
}
