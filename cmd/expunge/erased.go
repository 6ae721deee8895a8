package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"expunge/pipeline"
	"expunge/pipeline/certificate"
	"expunge/pipeline/erase"
	"expunge/pipeline/journal"
)

// erased is what erase says on stdout.
type erased struct {
	Run       string             `json:"run"`
	Applied   map[string]int64   `json:"applied"` // object versions, by state
	OnHold    int64              `json:"on_hold"` // tombstones that a legal hold covers
	HeldBack  []erase.HeldBack   `json:"held_back"`
	LeftAlone []leftAlone        `json:"left_alone"`
	Verified  *proof             `json:"verified,omitempty"`
	Open      []certificate.Open `json:"open"` // object versions that were not erased as they should, each once
	Requests  []concluded        `json:"requests"`

	VersionsLost int64 `json:"versions_lost,omitempty"` // records of other people that went with old versions, as approved

	named map[[3]string]bool // what is in Open
}

// leftAlone is a request of the manifest that is not touched.
type leftAlone struct {
	Request string `json:"request"`
	Reason  string `json:"reason"`

	unsafe bool // it should have been touched
}

// concluded is where a request stands after its tombstones were applied.
type concluded struct {
	Request     string `json:"request"`
	State       string `json:"state"`
	Reason      string `json:"reason,omitempty"`
	Certificate string `json:"certificate,omitempty"` // in the work store
}

// open adds what a certificate says is open.
func (o *erased) open(list []certificate.Open) {
	if o.named == nil {
		o.named = map[[3]string]bool{}
	}
	for _, x := range list {
		if x.State == string(certificate.Residue) {
			continue // verification names the traces
		}
		if id := [3]string{x.ObjectID, x.Version, x.Act}; !o.named[id] {
			o.named[id] = true
			o.Open = append(o.Open, x)
		}
	}
}

// maxOpen is how many object versions that are open are named on stdout.
const maxOpen = 20

func (o *erased) print() error {
	fmt.Printf("erasure of run %s\n", o.Run)
	for _, s := range []journal.State{journal.Done, journal.Gone, journal.Conflict, journal.Blocked, journal.Held, journal.Locked, journal.Archived, journal.Failed, journal.Refused, certificate.Waived, journal.Kept} {
		if n := o.Applied[string(s)]; n > 0 {
			fmt.Printf("  %-9s %6d %s\n", s, n, pipeline.Noun(n, "object version", "object versions"))
		}
	}
	if o.OnHold > 0 {
		fmt.Printf("  %-9s %6d %s under a legal hold\n", journal.Held, o.OnHold, pipeline.Noun(o.OnHold, "tombstone", "tombstones"))
	}
	if n := o.VersionsLost; n > 0 {
		fmt.Printf("  %-9s %6d %s with old versions, as approved\n", "lost", n, pipeline.Noun(n, "record of other people went", "records of other people went"))
	}
	for _, h := range o.HeldBack {
		where := strings.TrimSpace(h.Account + " " + h.Dataset)
		if where == "" {
			where = "everything"
		}
		fmt.Printf("  waits     %s: %s: %s\n", where, h.Code, h.Reason)
	}
	for i, x := range o.Open {
		if i == maxOpen {
			fmt.Printf("  … %d more: --json lists them\n", len(o.Open)-i)
			break
		}
		what := x.Object
		if x.Version != "" {
			what += " version " + x.Version
		}
		fmt.Printf("  %-9s %s: %s\n", x.State, what, x.Reason)
	}
	for _, r := range o.LeftAlone {
		fmt.Printf("  left      %s: %s\n", r.Request, r.Reason)
	}
	if o.Verified != nil {
		if err := o.Verified.print(false); err != nil {
			return err
		}
	}
	for _, r := range o.Requests {
		fmt.Printf("  %-24s %-10s %s\n", r.Request, r.State, cmp.Or(r.Reason, r.Certificate))
	}
	return nil
}

// code is the exit code that the contract has for an erasure.
func (o *erased) code() error {
	if o.Verified != nil {
		if err := o.Verified.code(); err != nil {
			return err
		}
	}
	open := o.Applied[string(journal.Conflict)] + o.Applied[string(journal.Held)] + o.Applied[string(journal.Locked)] + o.Applied[string(journal.Archived)] + o.Applied[string(journal.Refused)] + o.Applied[string(journal.Failed)]
	switch {
	case slices.ContainsFunc(o.HeldBack, func(h erase.HeldBack) bool { return h.Code != erase.NotApproved && h.Code != erase.Settings }):
		return &coded{exitRefused, errors.New("a part of the manifest is held back; the rest is applied")}
	case len(o.HeldBack) > 0 && o.Verified == nil:
		return &coded{exitRefused, fmt.Errorf("nothing is approved: expunge approve %s --by NAME", o.Run)}
	case slices.ContainsFunc(o.HeldBack, func(h erase.HeldBack) bool { return h.Code == erase.Settings }):
		return &coded{exitRefused, errors.New("a part of the manifest cannot be applied any more: the next `expunge run` takes its requests")}
	case o.Applied[string(journal.Blocked)] > 0:
		return &coded{exitIncomplete, fmt.Errorf("%s BLOCKED", pipeline.Count(o.Applied[string(journal.Blocked)], "object version is", "object versions are"))}
	case slices.ContainsFunc(o.LeftAlone, func(l leftAlone) bool { return l.unsafe }):
		return &coded{exitRefused, errors.New("a bundle cannot be read back: its request's records were not erased")}
	case o.OnHold > 0:
		return &coded{exitIncomplete, fmt.Errorf("%s under a legal hold: `expunge hold list`", pipeline.Count(o.OnHold, "tombstone is", "tombstones are"))}
	case open == 0 && slices.ContainsFunc(o.Open, func(x certificate.Open) bool { return x.State == string(journal.Gone) }):
		return &coded{exitIncomplete, errors.New("records were gone before they were erased, by another hand: their requests stay open until the next run has looked for them")}
	case open > 0 && open == o.Applied[string(journal.Locked)]+o.Applied[string(journal.Archived)]:
		return &coded{exitIncomplete, fmt.Errorf("the store defers the erasure of %s: their requests are BLOCKED until it lets them go", pipeline.Count(open, "object version", "object versions"))}
	case open > 0:
		return &coded{exitIncomplete, fmt.Errorf("%s could not be erased: their requests stay open", pipeline.Count(open, "object version", "object versions"))}
	}
	return nil
}
