package results

import (
	"bytes"
	"testing"

	"expunge/connectors"
	"expunge/connectors/mem"
	"expunge/pipeline"
	"expunge/pipeline/seal"
	"expunge/scanners"
)

func keys(t *testing.T) *seal.Keys {
	t.Helper()
	k, err := seal.Open(bytes.Repeat([]byte{1}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestOrdinalsOfPartsAreAbsolute stores the result of an object that was scanned
// in three parts: hits come back with ordinals of the object. Where the middle
// part was refused, nobody knows where the last one begins: its hits are left out
// (the object is refused), and never given another record's ordinal.
func TestOrdinalsOfPartsAreAbsolute(t *testing.T) {
	for _, c := range []struct {
		name   string
		middle pipeline.Outcome
		want   []int64
	}{
		{"whole", pipeline.Scanned, []int64{3, 12, 31}},
		{"middle refused", pipeline.Refused, []int64{3, 12}},
	} {
		r := &Results{Work: mem.New("work", mem.Options{}), Run: "run", Keys: keys(t)}
		w, err := r.NewWriter(1, 0, "d")
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		object := pipeline.Object{N: 5, Object: connectors.Object{Ref: connectors.Ref{Key: "k"}}}
		for i, part := range []struct{ records, hit int64 }{{10, 3}, {20, 2}, {5, 1}} {
			p := scanners.Part{Off: int64(100 * i), Len: 100}
			outcome := pipeline.Scanned
			if i == 1 {
				outcome = c.middle
			}
			if err := w.Hit(&Found{Hit: pipeline.Hit{Object: 5, Record: part.hit, Base: 1 + p.Off}, Doc: []byte(`{}`)}); err != nil {
				t.Fatal(err)
			}
			if err := w.Unit(&pipeline.UnitResult{Object: object, Part: p, Outcome: outcome, Fresh: true, Cataloged: outcome == pipeline.Scanned, Records: part.records}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Store(t.Context()); err != nil {
			t.Fatal(err)
		}
		bases, err := r.Bases(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []int64
		for f, err := range r.Hits(t.Context(), 1, bases) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, f.Record)
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: records %v, want %v", c.name, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: records %v, want %v", c.name, got, c.want)
			}
		}
	}
}
