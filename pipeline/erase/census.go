package erase

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"strings"

	"expunge/pipeline/naming"
	"expunge/scanners"
)

// census is what an object holds, as its scanner reads it: how many records, and a
// digest over those that no edit touches, in order.
type census struct {
	records, malformed int64
	survivors          string
	redacted           []string // of each redacted record, in order: digest over what stays of its leaves
	cut                [][]int  // and its leaves of which only some stays
}

// seen is one record of a census.
type seen struct {
	index int64
	raw   []byte
	rec   *scanners.Record
}

// each reads every record of an object.
func each(ctx context.Context, s scanners.Scanner, in scanners.Input, do func(seen) error) (scanners.Stats, error) {
	in.Every, in.Part = true, scanners.Part{}
	return s.Scan(ctx, in, scanners.Nothing{}, func(r *scanners.Record) error { return do(seen{r.Index, r.Raw, r}) })
}

// before takes the census of the source: what edits leave.
func before(ctx context.Context, s scanners.Scanner, in scanners.Input, edits []scanners.Edit) (census, error) {
	var c census
	survivors, next := newTally(), 0
	stats, err := each(ctx, s, in, func(r seen) error {
		for next < len(edits) && edits[next].Record < r.index {
			next++ // an edited record that is not emitted: it is malformed, and check has refused it
		}
		if next < len(edits) && edits[next].Record == r.index {
			if edits[next].Redact {
				digest, cut := stays(r.rec, &edits[next])
				c.redacted, c.cut = append(c.redacted, digest), append(c.cut, cut)
			}
			return nil
		}
		survivors.add(r.raw)
		return nil
	})
	c.records, c.malformed, c.survivors = stats.Records, stats.Malformed, survivors.sum()
	return c, err
}

// after takes the census of the object as it would be, and checks redacted records: of
// their leaves those of cut had something cut out of them.
func after(ctx context.Context, s scanners.Scanner, in scanners.Input, edits []scanners.Edit, cut [][]int) (census, error) {
	var c census
	survivors := newTally()
	var at []int64 // where redacted records stand now
	var redactions []*scanners.Edit
	erased := int64(0)
	for i := range edits {
		if e := &edits[i]; e.Redact {
			at, redactions = append(at, e.Record-erased), append(redactions, e)
		} else {
			erased++
		}
	}
	next := 0
	stats, err := each(ctx, s, in, func(r seen) error {
		if next < len(at) && next < len(cut) && at[next] == r.index {
			digest, err := stayed(r.rec, redactions[next], cut[next])
			c.redacted = append(c.redacted, digest)
			next++
			return err
		}
		survivors.add(r.raw)
		return nil
	})
	c.records, c.malformed, c.survivors = stats.Records, stats.Malformed, survivors.sum()
	return c, err
}

// tally digests records one after another: none can run into the next.
type tally struct{ h hash.Hash }

func newTally() *tally { return &tally{sha256.New()} }

func (t *tally) add(b []byte) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(b)))
	t.h.Write(n[:])
	t.h.Write(b)
}

func (t *tally) sum() string { return hex.EncodeToString(t.h.Sum(nil)) }

// stays digests what an edit leaves of a record, and lists the leaves of which it leaves
// only some.
func stays(r *scanners.Record, e *scanners.Edit) (digest string, cut []int) {
	t := newTally()
	for i := range r.Leaves {
		leaf := &r.Leaves[i]
		part, left := partOf(e, leaf)
		if part == nothing {
			continue
		}
		if part == some {
			cut = append(cut, i)
		}
		t.add([]byte(leaf.Path))
		t.add(left)
	}
	return t.sum(), cut
}

// stayed digests the same of a record after its edit. A leaf that went and still has a
// value, or of which something went that is still found in it, is an error.
func stayed(r *scanners.Record, e *scanners.Edit, cut []int) (digest string, err error) {
	t := newTally()
	for i := range r.Leaves {
		leaf := &r.Leaves[i]
		part, left := partOf(e, leaf)
		switch {
		case part == some:
			return "", fmt.Errorf("field %q of redacted record %d still has what was to be cut out of it", naming.Field(leaf.Path), r.Index)
		case part == nothing && !empty(leaf.Value):
			return "", fmt.Errorf("field %q of redacted record %d still has a value", leaf.Path, r.Index)
		case part == nothing:
			continue
		case slices.Contains(cut, i) && empty(left):
			left = nil // of no text something cannot be cut out: all of it goes
		case slices.Contains(cut, i):
			left = unmarked(left)
		}
		t.add([]byte(leaf.Path))
		t.add(left)
	}
	return t.sum(), nil
}

// empty reports whether a leaf says nothing: null, or the empty value of a type
// that has no null.
func empty(value []byte) bool {
	switch string(value) {
	case "", scanners.Redacted, "0", "false", "1970-01-01", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00", "00:00:00", "P0M0DT0.000S",
		"00000000-0000-0000-0000-000000000000", "WEBVTT":
		return true
	}
	return strings.Trim(string(value), "\x00") == ""
}
