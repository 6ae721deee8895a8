package erase_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"expunge/connectors/mem"
	"expunge/pipeline/erase"
	"expunge/pipeline/manifest"
	"expunge/pipeline/seal"
)

// What is applied is what was approved, from its time on, under the settings it was
// sealed under and within the limits, which parts do not get round.
func TestDecide(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	settings := map[string]string{"calls": "s1", "recordings": "s2"}
	type approval struct{ account, notBefore string }
	for _, c := range []struct {
		name     string
		approve  []approval
		only     []string
		settings map[string]string
		limit    string // account and dataset that are beyond max_erase_fraction
		raised   manifest.Limits
		fresh    bool // nothing of it was erased yet
		max      int64
		allows   []string
		held     []string
	}{
		{name: "nothing is approved", held: []string{"acme  NOT_APPROVED", "globex  NOT_APPROVED"}},
		{name: "all", approve: []approval{{"acme", ""}, {"globex", ""}}, allows: []string{"acme calls", "acme recordings", "globex calls"}},
		{name: "one account", approve: []approval{{"acme", ""}}, allows: []string{"acme calls", "acme recordings"}, held: []string{"globex  NOT_APPROVED"}},
		{name: "the other is asked for", approve: []approval{{"acme", ""}}, only: []string{"globex"}, held: []string{"globex  NOT_APPROVED"}},
		{name: "not yet", approve: []approval{{"acme", "2026-11-25T12:00:01Z"}, {"globex", "2026-11-25T12:00:00Z"}}, allows: []string{"globex calls"}, held: []string{"acme  NOT_BEFORE"}},
		{name: "other settings", approve: []approval{{"acme", ""}}, only: []string{"acme"}, settings: map[string]string{"calls": "s9", "recordings": "s2"}, allows: []string{"acme recordings"}, held: []string{"acme calls SETTINGS_CHANGED"}},
		{name: "a dataset is gone", approve: []approval{{"acme", ""}}, only: []string{"acme"}, settings: map[string]string{"calls": "s1"}, allows: []string{"acme calls"}, held: []string{"acme recordings SETTINGS_CHANGED"}},
		{name: "too large a part", approve: []approval{{"acme", ""}, {"globex", ""}}, limit: "acme calls", allows: []string{"acme recordings", "globex calls"}, held: []string{"acme calls BLAST_RADIUS"}},
		{name: "a part that the limit was raised to", approve: []approval{{"acme", ""}}, only: []string{"acme"}, limit: "acme calls", raised: manifest.Limits{Fraction: 0.05}, allows: []string{"acme calls", "acme recordings"}},
		{name: "a part that it was not raised to", approve: []approval{{"acme", ""}}, only: []string{"acme"}, limit: "acme calls", raised: manifest.Limits{Fraction: 0.049}, allows: []string{"acme recordings"}, held: []string{"acme calls BLAST_RADIUS"}},
		{name: "as many as may go in any case", approve: []approval{{"acme", ""}}, only: []string{"acme"}, limit: "acme calls", raised: manifest.Limits{MinRecords: 5}, allows: []string{"acme calls", "acme recordings"}},
		{name: "a part of nobody knows how many", approve: []approval{{"acme", ""}}, only: []string{"acme"}, limit: "acme recordings", raised: manifest.Limits{Fraction: 1, MinRecords: 99}, allows: []string{"acme calls"}, held: []string{"acme recordings BLAST_RADIUS"}},
		{name: "a part that the limit was lowered below", fresh: true, approve: []approval{{"acme", ""}, {"globex", ""}}, raised: manifest.Limits{Fraction: 0.04}, allows: []string{"acme recordings", "globex calls"}, held: []string{"acme calls BLAST_RADIUS"}},
		{name: "the same, when it has begun", approve: []approval{{"acme", ""}, {"globex", ""}}, raised: manifest.Limits{Fraction: 0.04}, allows: []string{"acme calls", "acme recordings", "globex calls"}},
		{name: "just as many as a run may", approve: []approval{{"acme", ""}, {"globex", ""}}, max: 12, allows: []string{"acme calls", "acme recordings", "globex calls"}},
		{name: "whole objects count", approve: []approval{{"acme", ""}, {"globex", ""}}, max: 11, held: []string{"  RUN_LIMIT"}},
		{name: "a part of too large a run", approve: []approval{{"acme", ""}, {"globex", ""}}, only: []string{"globex"}, max: 11, held: []string{"  RUN_LIMIT"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			keys, err := seal.Open(bytes.Repeat([]byte{4}, seal.KeySize))
			if err != nil {
				t.Fatal(err)
			}
			work := mem.New("work", mem.Options{})
			m := &manifest.Manifest{Version: 1, Run: "r1", Settings: settings, Accounts: map[string]*manifest.Account{"acme": {SHA256: "a"}, "globex": {SHA256: "b"}}, Radius: []manifest.Radius{
				{Account: "acme", Dataset: "calls", Records: 5, Of: 100, Part: 0.05}, {Account: "acme", Dataset: "recordings", Objects: 4}, {Account: "globex", Dataset: "calls", Records: 3, Of: 100, Part: 0.03},
			}}
			for i := range m.Radius {
				m.Radius[i].Limit = m.Radius[i].Account+" "+m.Radius[i].Dataset == c.limit
			}
			for _, a := range c.approve {
				if _, err := manifest.Approve(t.Context(), work, keys, nil, m, manifest.Approval{By: "jo", NotBefore: a.notBefore}, []string{a.account}); err != nil {
					t.Fatal(err)
				}
			}
			approved, err := manifest.Approvals(t.Context(), work, keys, nil, m, 0)
			if err != nil {
				t.Fatal(err)
			}
			if c.settings == nil {
				c.settings = settings
			}
			p := erase.Decide(m, approved, erase.Policy{MaxRecords: c.max, Settings: c.settings, Limits: c.raised, Begun: !c.fresh}, now, c.only)
			var allows, held []string
			for _, r := range m.Radius {
				if p.Allows(r.Account, r.Dataset) {
					if why := p.Why(r.Account, r.Dataset); why != "" {
						t.Errorf("%s %s is allowed, and held back: %s", r.Account, r.Dataset, why)
					}
					allows = append(allows, r.Account+" "+r.Dataset)
				}
			}
			for _, h := range p.Held {
				held = append(held, fmt.Sprintf("%s %s %s", h.Account, h.Dataset, h.Code))
				if strings.TrimSpace(h.Reason) == "" {
					t.Errorf("%s is held back without a reason", h.Code)
				}
			}
			if !slices.Equal(allows, c.allows) || !slices.Equal(held, c.held) {
				t.Errorf("allows %q and holds %q, want %q and %q", allows, held, c.allows, c.held)
			}
		})
	}
}
