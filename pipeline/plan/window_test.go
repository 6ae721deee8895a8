package plan

import (
	"context"
	"iter"
	"testing"
	"time"

	"expunge/connectors"
	"expunge/connectors/mem"
	"expunge/pipeline"
	"expunge/pipeline/catalog"
)

// TestExactTimesPrune: an object is left out only if the catalog knows that every
// record of it is dated before the windows of all who may ask for it, and nobody
// asks for more than to know.
func TestExactTimesPrune(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 3, n, 0, 0, 0, 0, time.UTC) }
	asks := map[string]Demand{"acme": {Since: day(10)}, "other": {Since: day(10)}}
	with := func(account string, d Demand) map[string]Demand {
		return map[string]Demand{"acme": asks["acme"], "other": asks["other"], account: d}
	}
	for what, c := range map[string]struct {
		change  func(e *catalog.Entry)
		demands map[string]Demand
		account string // of the key
		pruned  bool
	}{
		"before":                  {nil, asks, "", true},
		"before, told by the key": {nil, asks, "acme", true},
		"last moment":             {func(e *catalog.Entry) { e.To = day(10).UnixMilli() - 1 }, asks, "", true},
		"on the day":              {func(e *catalog.Entry) { e.To = day(10).UnixMilli() }, asks, "", false},
		"undated records":         {func(e *catalog.Entry) { e.Dated = false }, asks, "", false},
		"no times":                {func(e *catalog.Entry) { e.From, e.To = 0, 0 }, asks, "", false},
		"records of nobody":       {func(e *catalog.Entry) { e.Unattributed = 1 }, asks, "", false},
		"of two accounts at once": {func(e *catalog.Entry) { e.Misattributed = 1 }, asks, "", false},
		"other settings":          {func(e *catalog.Entry) { e.Basis = "another" }, asks, "", false},
		"changed":                 {func(e *catalog.Entry) { e.ETag = "another" }, asks, "", false},
		"unknown":                 {func(e *catalog.Entry) { e.Key = "calls/b" }, asks, "", false},
		"one deletes":             {nil, with("other", Demand{Since: day(10), Deletes: true}), "", false},
		"one has no window":       {nil, with("other", Demand{}), "", false},
		"one asks for more":       {nil, with("other", Demand{Since: day(1)}), "", false},
		"a third deletes":         {nil, with("third", Demand{Deletes: true}), "", true},
		"another deletes, by key": {nil, with("other", Demand{Deletes: true}), "acme", true},
		"nobody asks":             {nil, map[string]Demand{"third": {Since: day(10)}}, "", false},
	} {
		lake := mem.New("lake", mem.Options{})
		put(t, lake, "calls/a", []byte("x"))
		p := &Plan{
			Sources: []Source{{Name: "lake", Store: lake}},
			Claim: func(string, string) (Claim, error) {
				if c.account == "" {
					return Claim{}, nil
				}
				return Claim{Captures: map[string]string{"account": c.account}}, nil
			},
			Datasets: []pipeline.Dataset{{Name: "calls"}}, Accounts: map[string]string{"acme": "acme"}, Demands: c.demands, Basis: basis,
			Known: func(ctx context.Context) iter.Seq2[*catalog.Entry, error] {
				var o connectors.Object
				for o, _ = range lake.List(ctx, "") {
				}
				e := &catalog.Entry{
					Store: "lake", Key: o.Key, VersionID: o.Version, ETag: o.ETag, Size: o.Size, Basis: "b",
					From: day(1).UnixMilli(), To: day(9).UnixMilli(), Dated: true, Rows: map[string]int64{"acme": 1, "other": 2},
				}
				if c.change != nil {
					c.change(e)
				}
				return list([]*catalog.Entry{e})
			},
		}
		s := newSummary()
		n := 0
		for o, err := range p.List(t.Context(), s) {
			if err != nil {
				t.Fatal(err)
			}
			n++
			if pruned := o.Outcome == pipeline.Pruned && o.Code == Window; pruned != c.pruned {
				t.Errorf("%s: outcome %q %s", what, o.Outcome, o.Code)
			}
		}
		if n != 1 || (s.Pruned[Window] == 1) != c.pruned {
			t.Errorf("%s: %d objects, %v pruned", what, n, s.Pruned)
		}
	}
}
