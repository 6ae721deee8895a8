package report

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/catalog"
)

// Objects writes how every object of the plan ended as runs/<run>/objects.parquet
// (objects-NNNN.parquet where there are more than a million) and sums up. It is a
// merge by the object's place in the plan: memory holds one object at a time, one
// row group, and the Totals. It can be run again.
func Objects(ctx context.Context, work connectors.Store, run string, s Source) (*Totals, error) {
	return objects(ctx, work, run, s, fileRows)
}

func objects(ctx context.Context, work connectors.Store, run string, s Source, perFile int64) (*Totals, error) {
	rounds := make([]*cursor, s.Rounds)
	for i := range rounds {
		rounds[i] = newCursor(s.Units(i + 1))
		defer rounds[i].stop()
	}
	sum := newSummer(&s)
	out := &table{ctx: ctx, work: work, base: "runs/" + run + "/objects", perFile: perFile}
	defer out.discard()
	last := int64(-1)
	for j, err := range s.Joined() {
		if err != nil {
			return nil, fmt.Errorf("report objects: %w", err)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if j.Object.N <= last {
			return nil, fmt.Errorf("report objects: object %d of the plan comes after object %d", j.Object.N, last)
		}
		last = j.Object.N
		e := &ended{object: j.Object}
		for i, c := range rounds {
			if err := c.object(j.Object.N, func(u *pipeline.UnitResult) { e.unit(i+1, u) }); err != nil {
				return nil, fmt.Errorf("report round %d: %w", i+1, err)
			}
		}
		e.end(j.Entry, s.Rounds)
		if err := out.add(sum.add(e)); err != nil {
			return nil, err
		}
	}
	for i, c := range rounds {
		if err := c.drained(); err != nil {
			return nil, fmt.Errorf("report round %d: %w", i+1, err)
		}
	}
	if err := out.close(); err != nil {
		return nil, err
	}
	t := sum.totals()
	t.Files = out.files
	return t, nil
}

// cursor walks the units of one round beside the plan.
type cursor struct {
	next func() (*pipeline.UnitResult, error, bool)
	stop func()
	u    *pipeline.UnitResult
	err  error
	more bool
}

func newCursor(units iter.Seq2[*pipeline.UnitResult, error]) *cursor {
	c := &cursor{}
	c.next, c.stop = iter.Pull2(units)
	c.u, c.err, c.more = c.next()
	return c
}

// object tells each of the units of object n. A unit that the walk has passed
// would get lost, and with it perhaps a refusal: that is an error.
func (c *cursor) object(n int64, each func(*pipeline.UnitResult)) error {
	for c.more {
		switch {
		case c.err != nil:
			return c.err
		case c.u.Object.N < n:
			return fmt.Errorf("a result of object %d is not in the order of the plan", c.u.Object.N)
		case c.u.Object.N > n:
			return nil
		}
		each(c.u)
		c.u, c.err, c.more = c.next()
	}
	return nil
}

func (c *cursor) drained() error {
	switch {
	case !c.more:
		return nil
	case c.err != nil:
		return c.err
	}
	return fmt.Errorf("a result of object %d is not of the plan", c.u.Object.N)
}

// ended is what became of one object.
type ended struct {
	object       pipeline.Object
	outcome      pipeline.Outcome
	code, reason string
	rows         *int64 // nil: not known
	byAccount    map[string]int64
	bytes        int64
	withoutHit   int64
	hits         int64
	strayed      []pipeline.RequestRef
	counts

	first           int64 // of bytes: read by first scans
	againWithoutHit int64 // of withoutHit: not read by first scans

	units     int
	cataloged int    // units of round 1 that were first scans
	records   int64  // of those
	round     int    // the one of current
	current   counts // of the units of round
}

// counts are records that nothing can be done with. Later rounds open the same
// records again, so rounds are not added up.
type counts struct{ malformed, unattributed, misattributed int64 }

func (c *counts) add(malformed, unattributed, misattributed int64) {
	c.malformed += malformed
	c.unattributed += unattributed
	c.misattributed += misattributed
}

func (c *counts) atLeast(o counts) {
	c.malformed = max(c.malformed, o.malformed)
	c.unattributed = max(c.unattributed, o.unattributed)
	c.misattributed = max(c.misattributed, o.misattributed)
}

// unit takes a result; those of one round come one after the other.
func (e *ended) unit(round int, u *pipeline.UnitResult) {
	if round != e.round {
		e.counts.atLeast(e.current)
		e.round, e.current = round, counts{}
	}
	e.units++
	e.bytes += u.Bytes
	e.hits += u.Hits
	if u.Fresh {
		e.first += u.Bytes
	}
	if u.Hits == 0 {
		e.withoutHit += u.Bytes
		if !u.Fresh {
			e.againWithoutHit += u.Bytes
		}
	}
	for _, r := range u.Strayed {
		if !slices.Contains(e.strayed, r) {
			e.strayed = append(e.strayed, r)
		}
	}
	e.current.add(u.Malformed, u.Unattributed, u.Misattributed)
	if u.Outcome != pipeline.Scanned && e.outcome == "" { // the first refusal is the one that is told
		e.outcome, e.code, e.reason = pipeline.Refused, u.Code, u.Reason
	}
	if round == 1 && u.Cataloged {
		e.cataloged++
		e.records += u.Records
		if e.byAccount == nil {
			e.byAccount = map[string]int64{}
		}
		for account, n := range u.Rows {
			e.byAccount[account] += n
		}
	}
}

// end decides the outcome. An object is skipped only on the word of the catalog:
// one that neither a scan nor an entry speaks of is refused.
func (e *ended) end(entry *catalog.Entry, rounds int) {
	e.counts.atLeast(e.current)
	switch {
	case e.object.Outcome != "":
		e.outcome, e.code, e.reason = e.object.Outcome, e.object.Code, e.object.Reason
	case e.outcome == pipeline.Refused:
	case e.units > 0:
		e.outcome = pipeline.Scanned
	case rounds == 0:
		e.outcome, e.code, e.reason = pipeline.Pruned, NoRequest, "nothing is asked for"
	case entry != nil:
		e.outcome, e.code, e.reason = pipeline.Skipped, Cataloged, "nothing asked for is in it"
	default:
		e.outcome, e.code, e.reason = pipeline.Refused, NotScanned, "no scan of it is among the results, and the catalog does not know it"
	}
	read := e.object.Outcome == "" && (e.outcome == pipeline.Scanned || e.outcome == pipeline.Skipped)
	switch {
	case !read:
		e.byAccount = nil
	case e.cataloged > 0:
		e.rows = &e.records
	case entry != nil:
		e.rows, e.byAccount = &entry.Records, entry.Rows
		e.counts.atLeast(counts{entry.Malformed, entry.Unattributed, entry.Misattributed})
	}
}
