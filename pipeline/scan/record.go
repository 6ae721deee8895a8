package scan

import (
	"bytes"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/ipc"

	"expunge/pipeline"
	"expunge/pipeline/catalog"
	"expunge/pipeline/identity"
	"expunge/pipeline/naming"
	"expunge/pipeline/record"
	"expunge/pipeline/results"
	"expunge/scanners"
)

// recorder turns the records of one unit into hits.
type recorder struct {
	s      *Scan
	w      *results.Writer
	u      *pipeline.Unit
	d      *pipeline.Dataset
	res    *pipeline.UnitResult
	finder *identity.Finder
	keyed  []identity.Link // link ids in the object's name, while that is looked at
	times  span
	err    error // fatal to the run

	whole  func() ([]byte, error) // the content of the object, which is read once; see ledger.Content
	unread error                  // why that could not be read

	schemas map[*arrow.Schema][]byte
}

// everyRecord reports whether each record has to be decoded, since only a field
// tells its account, or since what was said is to be put together.
func (r *recorder) everyRecord() bool { return record.Every(r.d) }

// object looks for identifiers in the object's own name.
func (r *recorder) object() error {
	matches := r.finder.FindKey(r.u.Object.Captures)
	if len(matches) == 0 {
		return nil
	}
	r.keyed = r.finder.KeyLinks(nil, r.u.Object.Captures)
	defer func() { r.keyed = nil }()
	return r.record(&scanners.Record{Index: -1, Group: -1, Offset: -1, Matches: matches})
}

// record takes what scanners emit, once what was said in it is heard.
func (r *recorder) record(rec *scanners.Record) error {
	account, code := r.account(rec)
	if r.everyRecord() && rec.Index >= 0 {
		if at := record.Time(rec, r.d); at.Known() {
			r.times.add(at)
			r.times.dated++
		}
		switch code {
		case record.Unattributed:
			r.res.Unattributed++
		case record.Misattributed:
			r.res.Misattributed++
		default:
			r.res.Rows[account]++
		}
	}
	if len(rec.Matches) == 0 {
		return nil
	}
	if code != "" {
		if !r.everyRecord() {
			r.res.Unattributed++
		}
		return r.strayed(rec)
	}
	hits := r.hits(rec, account)
	for i := range hits {
		found := results.Found{Hit: hits[i], Doc: rec.Doc}
		if rec.Schema != nil {
			if found.Schema, r.err = r.schema(rec.Schema); r.err != nil {
				return r.err
			}
		}
		if r.err = r.w.Hit(&found); r.err != nil {
			return r.err
		}
		r.res.Hits++
	}
	return nil
}

// account says whose record it is, or why that cannot be told.
func (r *recorder) account(rec *scanners.Record) (account, code string) {
	return record.Account(rec, r.d, &r.u.Object, r.s.Accounts)
}

// strayed notes the requests whose identifiers stand in a record that belongs to
// nobody: they stay open.
func (r *recorder) strayed(rec *scanners.Record) error {
	for _, m := range rec.Matches {
		for _, ask := range r.s.Asks[m.Needle] {
			if !slices.Contains(r.res.Strayed, ask.Request) {
				r.res.Strayed = append(r.res.Strayed, ask.Request)
			}
		}
	}
	return nil
}

// hits makes one hit per request from the matches of a record.
func (r *recorder) hits(rec *scanners.Record, account string) []pipeline.Hit {
	var order []pipeline.RequestRef
	evidence := map[pipeline.RequestRef][]pipeline.Evidence{}
	type said struct {
		ref pipeline.RequestRef
		e   pipeline.Evidence
	}
	known := map[said]bool{}
	judge, digest := record.NewJudge(rec, r.d, r.finder.Declared, account, r.s.Policy), ""
	if rec.Raw != nil {
		digest = r.s.Keys.Digest("record", account, rec.Raw)
	}
	for _, m := range rec.Matches {
		for _, ask := range r.s.Asks[m.Needle] {
			if ask.Request.Account != account || judge.Business(&ask) {
				continue
			}
			e := pipeline.Evidence{Path: r.path(rec, m.Path), Kind: pipeline.Kind(m.Kind), Via: ask.Via, Hops: ask.Hops, Late: ask.Late}
			e.Tier, e.Rule = judge.Tier(&m, &ask)
			e.Mention = r.d.Erase.Mention == pipeline.RedactMention && r.mention(rec, judge, &m)
			if past := r.s.Past[ask.Request]; past != nil && (past.Copies || !judge.When.Tells(past.Cutoff)) {
				e.Undated = !past.Erased(r.s.Keys, account, r.bytes(rec))
			}
			if evidence[ask.Request] == nil {
				order = append(order, ask.Request)
			}
			if !known[said{ask.Request, e}] {
				known[said{ask.Request, e}] = true
				evidence[ask.Request] = append(evidence[ask.Request], e)
			}
		}
	}
	slices.SortFunc(order, pipeline.RequestRef.Compare)
	var leads *pipeline.Hit
	foreign, untimed := judge.Foreign(r.d.Fields), record.Untimed(rec, r.d)
	hits := make([]pipeline.Hit, 0, len(order))
	for _, ref := range order {
		h := pipeline.Hit{
			Request: ref, Object: r.u.Object.N, Dataset: r.d.Name, Record: rec.Index, Group: rec.Group,
			Offset: rec.Offset, Length: rec.Length, Digest: digest, Time: judge.When.From, Untimed: untimed, Why: evidence[ref], Tier: pipeline.Review,
			Foreign: foreign,
		}
		for _, e := range h.Why {
			if e.Tier.Surer(h.Tier) {
				h.Tier = e.Tier
			}
		}
		if r.u.Catalog && !r.u.Part.Whole() && rec.Index >= 0 {
			h.Base = 1 + catalog.Place(r.u.Part)
		}
		if r.s.Decided != nil {
			h.Decided = r.s.Decided(&h, rec.Raw, &r.u.Object)
		}
		if h.Automatic() && !h.Mentions() { // what somebody else's record leads to is not the consumer's
			if leads == nil {
				leads = r.leads(rec, judge)
			}
			h.Links, h.Direct, h.Digests, h.Unsure = leads.Links, leads.Direct, leads.Digests, leads.Unsure
		}
		hits = append(hits, h)
	}
	return hits
}

// bytes is what is digested of a record: of an object that is found as a whole, by its
// name or what it says of itself, its content.
func (r *recorder) bytes(rec *scanners.Record) []byte {
	if rec.Index >= 0 {
		return rec.Raw
	}
	content, err := r.whole()
	if err != nil {
		r.unread = err
	}
	return content
}

// mention reports whether a match says no more of a record than that it names the
// consumer: in free text, or in a field that holds somebody else there. What was put
// together from several places is none: nobody could cut it out.
func (r *recorder) mention(rec *scanners.Record, judge *record.Judge, m *scanners.Match) bool {
	d := r.finder.Declared(m.Path)
	switch {
	case strings.HasPrefix(m.Rule, identity.RuleSpoken):
		return false
	case d != nil:
		return d.Text || judge.Of(d) == record.Other
	case pipeline.Tier(m.Tier) != pipeline.Review:
		return pipeline.Tier(m.Tier) == pipeline.Mention
	}
	// doubtful, by what stands beside it: perhaps words
	return slices.ContainsFunc(rec.Leaves, func(l scanners.Leaf) bool { return l.Path == m.Path && r.finder.InWords(l.Path, l.Value, m.Needle) })
}

// path is how evidence names a field: as it is declared, or without what a person's
// identifier may be in it.
func (r *recorder) path(rec *scanners.Record, path string) string {
	if rec.Suspect && path == "" {
		return pipeline.Raw
	}
	if d := r.finder.Declared(path); d != nil && d.Path == path {
		return path
	}
	return naming.Field(path)
}

// leads are the link ids of a record, and the direct identifiers and digests beside
// them, each once: those that may be the consumer's, so that a walk stops where it is not
// known whose they are.
func (r *recorder) leads(rec *scanners.Record, judge *record.Judge) *pipeline.Hit {
	out := &pipeline.Hit{}
	found := slices.Clone(r.keyed)
	var beside []identity.Link
	for _, leaf := range rec.Leaves {
		role := judge.Of(r.finder.Declared(leaf.Path))
		if role == record.Own {
			found = r.finder.Links(found, leaf.Path, leaf.Value)
		}
		if role != record.Other {
			n := len(beside) + len(out.Digests)
			beside = r.finder.Direct(beside, leaf.Path, leaf.Value)
			out.Digests = r.finder.Digested(out.Digests, leaf.Path, leaf.Value)
			out.Unsure = out.Unsure || role == record.Untold && len(beside)+len(out.Digests) > n
		}
	}
	out.Links, out.Direct = once(found), once(beside)
	slices.SortFunc(out.Digests, pipeline.Digested.Compare)
	out.Digests = slices.Compact(out.Digests)
	return out
}

func once(found []identity.Link) []pipeline.Link {
	out := []pipeline.Link{}
	seen := make(map[pipeline.Link]bool, len(found)) // a record may hold a list of thousands
	for _, l := range found {
		link := pipeline.Link{Kind: l.Kind, Value: l.Value.Reveal()}
		if !seen[link] {
			seen[link] = true
			out = append(out, link)
		}
	}
	return out
}

// schema serialises an Arrow schema, once per file.
func (r *recorder) schema(s *arrow.Schema) ([]byte, error) {
	if b, ok := r.schemas[s]; ok {
		return b, nil
	}
	var buf bytes.Buffer
	w := ipc.NewWriter(&buf, ipc.WithSchema(s))
	if err := w.Close(); err != nil {
		return nil, err
	}
	if r.schemas == nil {
		r.schemas = map[*arrow.Schema][]byte{}
	}
	r.schemas[s] = buf.Bytes()
	return buf.Bytes(), nil
}
