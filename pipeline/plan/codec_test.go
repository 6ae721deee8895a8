package plan

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"expunge/connectors"
	"expunge/pipeline"
)

func everyField() []pipeline.Object {
	at := time.Date(2026, 2, 3, 4, 5, 6, 789, time.UTC)
	return []pipeline.Object{
		{},
		{N: 7, Object: connectors.Object{Ref: connectors.Ref{Store: "lake", Key: "calls/account=acme/dt=2026-01-02/a.jsonl", Version: "v1", ETag: "e"}, Size: 1 << 40, Modified: at, Class: "GLACIER"},
			Noncurrent: true, Dataset: 3, Account: "acme", Captures: map[string]string{"account": "acme", "date": "2026-01-02", "rest": "", "other": "not in the key"}},
		{N: 1 << 50, Object: connectors.Object{Ref: connectors.Ref{Store: "old", Key: "a\x00\xff/ü"}, Modified: time.Unix(-5, 0).UTC()}, Dataset: -1, Outcome: pipeline.Skipped, Code: Ignored, Reason: "scratch"},
	}
}

func TestRecordsComeBackAsWritten(t *testing.T) {
	words := words{}
	for _, want := range everyField() {
		rec := encode(nil, &want)
		var got pipeline.Object
		if err := words.decode(rec, &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("came back as\n%+v, not\n%+v", got, want)
		}
		for i := range rec { // cut short, or of another version
			if err := words.decode(rec[:i], new(pipeline.Object)); !errors.Is(err, errCodec) {
				t.Errorf("%d of %d bytes: %v", i, len(rec), err)
			}
		}
		if err := words.decode(append(rec, 0), new(pipeline.Object)); !errors.Is(err, errCodec) {
			t.Errorf("a byte too much: %v", err)
		}
		rec[0]++
		if err := words.decode(rec, new(pipeline.Object)); !errors.Is(err, errCodec) {
			t.Errorf("another version: %v", err)
		}
	}
	// Every field is set in one of them: a new field must be written, too.
	set := map[string]bool{}
	for _, o := range everyField() {
		for _, v := range []reflect.Value{reflect.ValueOf(o), reflect.ValueOf(o.Object), reflect.ValueOf(o.Ref)} {
			for i := range v.NumField() {
				set[v.Type().String()+"."+v.Type().Field(i).Name] = set[v.Type().String()+"."+v.Type().Field(i).Name] || !v.Field(i).IsZero()
			}
		}
	}
	for name, ok := range set {
		if !ok {
			t.Errorf("%s is in none of the examples", name)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, o := range everyField() {
		f.Add(encode(nil, &o))
	}
	f.Fuzz(func(t *testing.T, rec []byte) {
		var o, again pipeline.Object
		if words := (words{}); words.decode(rec, &o) != nil {
			return
		}
		if err := (words{}).decode(encode(nil, &o), &again); err != nil || !reflect.DeepEqual(o, again) {
			t.Errorf("%+v came back as %+v: %v", o, again, err)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	rec := encode(nil, &everyField()[1])
	words := words{}
	b.ReportAllocs()
	for b.Loop() {
		var o pipeline.Object
		if err := words.decode(rec, &o); err != nil {
			b.Fatal(err)
		}
	}
}
