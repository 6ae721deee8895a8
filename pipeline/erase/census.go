package erase

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"

	"expunge/scanners"
)

// census is what an object holds, as its scanner reads it: how many records, and a
// digest over those that no edit touches, in order.
type census struct {
	records, malformed int64
	survivors          string
	redacted           []string // of each redacted record, in order: digest over the leaves that stay
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
				c.redacted = append(c.redacted, stays(r.rec, edits[next].Keep))
			}
			return nil
		}
		survivors.add(r.raw)
		return nil
	})
	c.records, c.malformed, c.survivors = stats.Records, stats.Malformed, survivors.sum()
	return c, err
}

// after takes the census of the object as it would be, and checks redacted records.
func after(ctx context.Context, s scanners.Scanner, in scanners.Input, edits []scanners.Edit) (census, error) {
	var c census
	survivors := newTally()
	var at []int64 // where redacted records stand now
	var keep [][]string
	erased := int64(0)
	for _, e := range edits {
		if e.Redact {
			at, keep = append(at, e.Record-erased), append(keep, e.Keep)
		} else {
			erased++
		}
	}
	next := 0
	stats, err := each(ctx, s, in, func(r seen) error {
		if next < len(at) && at[next] == r.index {
			for _, leaf := range r.rec.Leaves {
				if !kept(keep[next], leaf.Path) && !empty(leaf.Value) {
					return fmt.Errorf("field %q of redacted record %d still has a value", leaf.Path, r.index)
				}
			}
			c.redacted = append(c.redacted, stays(r.rec, keep[next]))
			next++
			return nil
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

// stays digests the leaves of a record that a redaction keeps.
func stays(r *scanners.Record, keep []string) string {
	t := newTally()
	for _, leaf := range r.Leaves {
		if kept(keep, leaf.Path) {
			t.add([]byte(leaf.Path))
			t.add(leaf.Value)
		}
	}
	return t.sum()
}

// kept reports whether path is one of keep, or lies within one.
func kept(keep []string, path string) bool {
	e := scanners.Edit{Keep: keep}
	return e.Keeps(path)
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
