// Package record reads what a record says of itself: whose it is, and when it
// happened.
package record

import (
	"slices"

	"expunge/pipeline"
	"expunge/scanners"
)

// Codes of records that belong to no account.
const (
	Unattributed  = "UNATTRIBUTED"  // no account, or an unknown one
	Misattributed = "MISATTRIBUTED" // key and field name different accounts
)

// Account says whose record r is, or why that cannot be told. The key of its object
// o and the field that its dataset d names must agree where both say it; accounts
// maps names and ids of accounts to names.
func Account(r *scanners.Record, d *pipeline.Dataset, o *pipeline.Object, accounts map[string]string) (account, code string) {
	fromKey := o.Account
	if _, named := o.Captures["account"]; named && fromKey == "" {
		return "", Unattributed // the key names an account that nobody knows, whatever a field says
	}
	if d.Account == "" || r.Index < 0 {
		if fromKey == "" {
			return "", Unattributed
		}
		return fromKey, ""
	}
	var fromField string
	for _, leaf := range r.Leaves {
		if leaf.Path != d.Account || len(leaf.Value) == 0 {
			continue
		}
		name, known := accounts[string(leaf.Value)]
		if !known {
			return "", Unattributed
		}
		if fromField != "" && fromField != name {
			return "", Misattributed // one record, two accounts
		}
		fromField = name
	}
	switch {
	case fromField == "":
		return "", Unattributed
	case fromKey != "" && fromKey != fromField:
		return "", Misattributed
	}
	return fromField, ""
}

// Every reports whether each record of a dataset has to be decoded, not only those that
// raw bytes make candidates: a field tells its account, or what was said in it is to be
// put together.
func Every(d *pipeline.Dataset) bool {
	return d.Account != "" || slices.ContainsFunc(d.Fields, func(f pipeline.Field) bool { return f.Spoken })
}

// Time is when r says that it happened; Never where its dataset d names no field, or
// the field cannot be read.
func Time(r *scanners.Record, d *pipeline.Dataset) Moment {
	if d.Time == "" {
		return Never
	}
	for _, leaf := range r.Leaves {
		if leaf.Path == d.Time {
			if m, ok := ParseTime(string(leaf.Value), d.Zone); ok {
				return m
			}
		}
	}
	return Never
}

// Untimed reports whether r says when it happened, in the field that its dataset d names
// and in a way that cannot be read: it counts as undated.
func Untimed(r *scanners.Record, d *pipeline.Dataset) bool {
	return d.Time != "" && !Time(r, d).Known() &&
		slices.ContainsFunc(r.Leaves, func(l scanners.Leaf) bool { return l.Path == d.Time && len(l.Value) > 0 })
}
