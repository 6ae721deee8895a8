package waive

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"expunge/connectors"
	"expunge/connectors/mem"
	"expunge/pipeline"
	"expunge/pipeline/naming"
	"expunge/pipeline/seal"
)

func day(s string) pipeline.Date {
	var d pipeline.Date
	if err := d.UnmarshalText([]byte(s)); err != nil {
		panic(err)
	}
	return d
}

func TestCovers(t *testing.T) {
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		pattern, code, until string
		object, refused      string
		want                 bool
	}{
		{"s3://lake/a/b.gz", "", "2026-12-31", "s3://lake/a/b.gz", "CORRUPT", true},
		{"s3://lake/a/b.gz", "CORRUPT", "2026-12-31", "s3://lake/a/b.gz", "CORRUPT", true},
		{"s3://lake/a/b.gz", "TRUNCATED", "2026-12-31", "s3://lake/a/b.gz", "CORRUPT", false},
		{"s3://lake/a/*.gz", "", "2026-12-31", "s3://lake/a/b.gz", "CORRUPT", true},
		{"s3://lake/*.gz", "", "2026-12-31", "s3://lake/a/b.gz", "CORRUPT", false}, // * stops at /
		{"s3://lake/**", "", "2026-12-31", "s3://lake/a/b.gz", "CORRUPT", true},
		{"s3://lake/**/b.gz", "", "2026-12-31", "s3://lake/a/c/b.gz", "CORRUPT", true},
		{"s3://lake/a/b.gz", "", "2026-12-31", "s3://lake/a/b.gz2", "CORRUPT", false},
		{"s3://lake/a/b.gz", "", "2026-12-31", "x s3://lake/a/b.gz", "CORRUPT", false},
		{"s3://lake/a.b", "", "2026-12-31", "s3://lake/aXb", "CORRUPT", false}, // . is itself
		{"s3://lake/{email}/x", "", "2026-12-31", "s3://lake/{email}/x", "CORRUPT", true},
		{"s3://lake/a%2Ab", "", "2026-12-31", "s3://lake/a%2Ab", "CORRUPT", true},
		{"s3://lake/a", "", "2026-11-25", "s3://lake/a", "CORRUPT", true}, // the last day counts
		{"s3://lake/a", "", "2026-11-24", "s3://lake/a", "CORRUPT", false},
	} {
		w := &Waiver{Object: c.pattern, Code: c.code, Until: day(c.until)}
		if got := w.Covers(naming.Written{c.object}, c.refused, at); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestWaivedStandsLongest(t *testing.T) {
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	ws := Waivers{{N: 1, Object: "**", Until: day("2026-12-01")}, {N: 2, Object: "**", Until: day("2027-01-01")}, {N: 3, Object: "**", Until: day("2026-11-01")}}
	if w := ws.Waived(naming.Written{"s3://lake/a"}, "CORRUPT", at); w == nil || w.N != 2 {
		t.Errorf("%+v", w)
	}
	if w := ws.Waived(naming.Written{"s3://lake/a"}, "CORRUPT", at.AddDate(1, 0, 0)); w != nil {
		t.Errorf("%+v stands after it ran out", w)
	}
}

func TestForged(t *testing.T) {
	keys := func(b byte) *seal.Keys {
		k, err := seal.Open(bytes.Repeat([]byte{b}, seal.KeySize))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	work := mem.New("work", mem.Options{})
	for range 11 {
		if _, err := Add(t.Context(), work, keys(1), Waiver{Object: "s3://lake/a", Reason: "lost", By: "jo", Until: day("2026-12-31")}); err != nil {
			t.Fatal(err)
		}
	}
	ws, err := Read(t.Context(), work, keys(1))
	if err != nil || len(ws) != 11 || ws[10].N != 11 || !ws[10].Covers(naming.Written{"s3://lake/a"}, "CORRUPT", time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)) {
		t.Fatalf("%v, %v", ws, err)
	}
	if _, err := Read(t.Context(), work, keys(2)); !errors.Is(err, ErrForged) {
		t.Errorf("read with another key: %v", err)
	}
	body, err := work.Open(t.Context(), connectors.Ref{Key: "waivers/1.json"}, connectors.All)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(w *Waiver){
		"object": func(w *Waiver) { w.Object = "**" }, "code": func(w *Waiver) { w.Code = "CORRUPT" }, "until": func(w *Waiver) { w.Until = day("2099-01-01") },
		"reason": func(w *Waiver) { w.Reason = "x" }, "by": func(w *Waiver) { w.By = "eve" }, "number": func(w *Waiver) { w.N = 2 }, "mac": func(w *Waiver) { w.MAC = "" },
	} {
		var w Waiver
		if err := json.Unmarshal(b, &w); err != nil {
			t.Fatal(err)
		}
		change(&w)
		changed, err := json.Marshal(&w)
		if err != nil {
			t.Fatal(err)
		}
		other := mem.New("work", mem.Options{})
		if _, err := other.Create(t.Context(), "waivers/1.json", strings.NewReader(string(changed))); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(t.Context(), other, keys(1)); !errors.Is(err, ErrForged) {
			t.Errorf("%s was changed: %v", name, err)
		}
	}
}
