package erase

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"expunge/pipeline"
	"expunge/pipeline/manifest"
)

// Hold-backs of parts of a manifest, for machines.
const (
	NotApproved = "NOT_APPROVED"
	NotYet      = "NOT_BEFORE"       // approved from a later time on
	Settings    = "SETTINGS_CHANGED" // the dataset is declared in another way than when the manifest was sealed
	Fraction    = "BLAST_RADIUS"     // more of an account's records in a dataset than policy allows
	RunLimit    = "RUN_LIMIT"        // more records than policy allows a run
)

// HeldBack is a part of a manifest that is not applied now.
type HeldBack struct {
	Account string `json:"account"`
	Dataset string `json:"dataset,omitempty"` // "": all of the account
	Code    string `json:"code"`
	Reason  string `json:"reason"`
}

// Policy is what bounds an erasure.
type Policy struct {
	MaxRecords int64             // of the whole run
	Limits     manifest.Limits   // of an account's records in a dataset, now
	Begun      bool              // something may be erased already
	Settings   map[string]string // digest of each dataset's settings now
}

// Permit is what may be applied of a manifest.
type Permit struct {
	Held     []HeldBack // by account and dataset
	accounts map[string]bool
	held     map[[2]string]bool
}

// Allows reports whether tombstones of an account in a dataset may be applied.
func (p *Permit) Allows(account, dataset string) bool {
	return p.accounts[account] && !p.held[[2]string{account, dataset}]
}

// Stale reports whether tombstones of an account in a dataset can never be applied under
// the approval that they have: what they ask for has to be searched for again.
func (p *Permit) Stale(account, dataset string) bool {
	return slices.ContainsFunc(p.Held, func(h HeldBack) bool { return h.Code == Settings && h.Account == account && h.Dataset == dataset })
}

// Hold takes tombstones of an account in a dataset out of what may be applied.
func (p *Permit) Hold(account, dataset, code, reason string) {
	p.held[[2]string{account, dataset}] = true
	p.Held = append(p.Held, HeldBack{Account: account, Dataset: dataset, Code: code, Reason: reason})
}

// Why says why tombstones of an account in a dataset are not applied, "" if they are or
// if their part was not asked for.
func (p *Permit) Why(account, dataset string) string {
	for _, h := range p.Held {
		if (h.Account == account || h.Account == "") && (h.Dataset == dataset || h.Dataset == "") {
			return h.Reason
		}
	}
	return ""
}

// Any reports whether anything may be applied.
func (p *Permit) Any() bool { return len(p.accounts) > 0 }

// Again follows the reason why a part is stale.
const Again = ": what is not erased of it is the next run's"

// Decide says what of a manifest may be applied at now, of accounts or, without
// any, of all. Nothing is written to the lake before it has decided on everything.
func Decide(m *manifest.Manifest, approved *manifest.Approved, policy Policy, now time.Time, accounts []string) *Permit {
	p := &Permit{accounts: map[string]bool{}, held: map[[2]string]bool{}}
	for _, name := range slices.Sorted(maps.Keys(m.Accounts)) {
		if len(accounts) > 0 && !slices.Contains(accounts, name) {
			continue
		}
		from, ok := approved.Account(name)
		switch {
		case !ok:
			why := fmt.Sprintf("its %s for approval: expunge approve %s --by NAME --account %s", pipeline.Count(m.Accounts[name].Rows, "tombstone waits", "tombstones wait"), m.Run, name)
			if over := approved.Why(name); over != "" {
				why += "; " + over
			}
			p.Held = append(p.Held, HeldBack{Account: name, Code: NotApproved, Reason: why})
		case now.Before(from):
			p.Held = append(p.Held, HeldBack{Account: name, Code: NotYet, Reason: "approved from " + from.UTC().Format(time.RFC3339) + " on"})
		default:
			p.accounts[name] = true
		}
	}
	var records int64 // and whole objects, of the whole run, whatever part is asked for: a limit is not got round by parts
	for _, r := range m.Radius {
		if !p.accounts[r.Account] {
			records += r.Records + r.Objects
			continue
		}
		switch digest, known := policy.Settings[r.Dataset]; {
		case !known:
			p.Hold(r.Account, r.Dataset, Settings, "the config does not declare this dataset any more"+Again)
		case digest != m.Settings[r.Dataset]:
			p.Hold(r.Account, r.Dataset, Settings, "the dataset's settings are not those the manifest was sealed under"+Again)
		case policy.Limits.Holds(&r, policy.Begun):
			what := fmt.Sprintf("%d of %d records", r.Records, r.Of)
			if r.Objects > 0 {
				what += " and those in " + pipeline.Count(r.Objects, "whole object or old version", "whole objects and old versions")
			}
			p.Hold(r.Account, r.Dataset, Fraction, fmt.Sprintf("%s (%.1f %%) are beyond max_erase_fraction; look whether the identifiers are right before you raise it", what, 100*r.Part))
		default:
			records += r.Records + r.Objects
		}
	}
	if policy.MaxRecords > 0 && records > policy.MaxRecords {
		p.accounts = map[string]bool{}
		p.Held = append(p.Held, HeldBack{Code: RunLimit, Reason: fmt.Sprintf("%s would go, and max_run_records is %d", pipeline.Count(records, "record or whole object", "records and whole objects"), policy.MaxRecords)})
	}
	return p
}
