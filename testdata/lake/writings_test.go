package lake_test

import (
	"bytes"
	"regexp"
	"slices"
	"testing"

	"expunge/testdata/lake"
)

// A record of which the truth says that a requested phone or address stands in it
// has a writing of it, and no record does of which the truth says nothing, but for
// those of other accounts and of an agent who has the same address.
func TestWritings(t *testing.T) {
	l, err := lake.Generate(lake.Options{Seed: 2})
	if err != nil {
		t.Fatal(err)
	}
	type place struct {
		request, object string
		record          int64
	}
	tiers := map[place]lake.Tier{}
	for x := range l.Truth() {
		tiers[place{x.Account + "/" + x.Request, x.Object, x.Record}] = x.Tier
	}
	records := map[string][]string{}
	for f := range l.Files() {
		var b bytes.Buffer
		if err := f.Write(&b); err != nil {
			t.Fatal(err)
		}
		if records[f.Key], err = lake.Records(f.Key, b.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[place]bool{}
	for _, r := range l.Requests() {
		for _, id := range r.Identifiers {
			if id.Kind != "phone" && id.Kind != "email" {
				continue
			}
			writings := lake.Writings(id)
			for key, rs := range records {
				for i, text := range rs {
					text = lake.Agents.ReplaceAllString(text, "")
					if !slices.ContainsFunc(writings, func(w *regexp.Regexp) bool { return w.MatchString(text) }) {
						continue
					}
					p := place{r.Account + "/" + r.ID, key, int64(i)}
					if l.Owner(key, p.record) == r.Account && tiers[p] == "" {
						t.Errorf("%s record %d has a %s of %s, and the truth does not know", key, i, id.Kind, p.request)
					}
					seen[p] = true
				}
			}
		}
	}
	counts := map[lake.Tier]int{}
	for p, tier := range tiers {
		counts[tier]++
		if slices.Contains([]lake.Tier{lake.Normalised, lake.Hashed, lake.Mention}, tier) && !seen[p] {
			t.Errorf("%s record %d is a %s record of %s, and no writing is in it", p.object, p.record, tier, p.request)
		}
	}
	for _, tier := range []lake.Tier{lake.Normalised, lake.Hashed, lake.Mention} {
		if counts[tier] == 0 {
			t.Errorf("no %s record in this lake", tier)
		}
	}
}
