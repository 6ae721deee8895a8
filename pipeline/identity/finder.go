package identity

import (
	"fmt"
	"slices"
	"strings"

	"expunge/pipeline"
	"expunge/scanners"
)

var _ scanners.Narrower = (*Finder)(nil)

// FinderOptions says what of one object is searched, and how.
type FinderOptions struct {
	Fields     []pipeline.Field                         // declared
	Objects    map[string]pipeline.Field                // captures of the object's name that are identifiers
	Time       string                                   // the field that dates a record; "": none
	Search     bool                                     // undeclared fields, too
	Account    string                                   // whose needles may match; "": anyone's
	Agents     bool                                     // fields of agents, too, for needles of agents
	EveryParty bool                                     // fields of every party, as if they were consumers'
	Collect    func(token uint64)                       // gets every token seen, most of them once; nil: none
	Boundary   func(off int64, group int, record int64) // see scanners.Finder; nil: none
}

// Finder searches one part of one object. It serves one goroutine.
type Finder struct {
	s     *Set
	o     FinderOptions
	t     tokenizer // of raw bytes
	d     decoder
	paths []string
	ask   []*pipeline.Field // by the number ProbeField gets
	exact map[string]*pipeline.Field
	wild  []wildcard
	known map[string]*pipeline.Field // paths that were resolved
	best  map[uint32]found           // of the leaf at hand
	order []uint32
	spot  func(needle uint32, at scanners.Span) // is told where in the value of a leaf needles are found; nil: nobody asks

	dialled map[dialled][]reading // numbers that were read lately
	heard   map[string]bool       // where fields of what people said stand, or what tells who did; nil: there are none
	goesOn  map[string]bool       // what is said in records that are turns
	hearing *Hearing              // if somebody listens
	place   *place                // the last boundary, until it is told
}

// Format shows nothing of what is looked for or was read, whatever the verb.
func (f *Finder) Format(w fmt.State, verb rune) {
	_, _ = fmt.Fprint(w, "finder of a ")
	f.s.Format(w, verb)
}

// wildcard is a declared path with {} in it.
type wildcard struct {
	steps []string
	field *pipeline.Field
}

// Finder makes a finder for one part of an object.
func (s *Set) Finder(o FinderOptions) *Finder {
	f := &Finder{s: s, o: o, exact: map[string]*pipeline.Field{}, known: map[string]*pipeline.Field{}, best: map[uint32]found{}}
	f.t = tokenizer{h: s.h, table: s.table, collect: o.Collect, given: s.given.begin()}
	f.goesOn = spokenAlone(o.Fields)
	for i := range o.Fields {
		d := &o.Fields[i]
		if steps := pathSteps(d.Path); slices.Contains(steps, "*") {
			f.wild = append(f.wild, wildcard{steps, d})
		} else {
			f.exact[d.Path] = d
		}
		if d.Spoken {
			f.heard = heardPaths(f.heard, d.Path)
		}
		if !idKind(d.Kind) || d.Party == pipeline.Business && !o.EveryParty {
			continue
		}
		if o.Collect != nil || s.unseen[d.Kind] || d.Pattern != nil && s.kinds[d.Kind] {
			f.paths, f.ask = append(f.paths, d.Path), append(f.ask, d)
		}
	}
	return f
}

// idKind reports whether values of a kind are found by equality. Phones and
// addresses are found by their tokens wherever they stand; a name alone never
// makes a candidate.
func idKind(k pipeline.Kind) bool {
	switch k {
	case "", pipeline.Phone, pipeline.Email, pipeline.Name:
		return false
	}
	return true
}

// pathSteps splits a path; "{}" becomes a step "*" of its own, and "[]" is one.
func pathSteps(path string) []string {
	path = strings.ReplaceAll(strings.ReplaceAll(path, ".{}", ".*"), "{}", ".*")
	return strings.Split(strings.ReplaceAll(path, "[]", ".[]"), ".")
}

// Declared is the field of the config that a leaf's path falls under, nil if none does.
func (f *Finder) Declared(path string) *pipeline.Field { return f.field(path) }

// field is what is declared of a path, or said of what lies in a declared field; nil if
// nothing is.
func (f *Finder) field(path string) *pipeline.Field {
	if d, ok := f.exact[path]; ok {
		return d
	}
	outer := enclosing(path)
	if outer == "" && len(f.wild) == 0 {
		return nil
	}
	if d, ok := f.known[path]; ok {
		return d
	}
	hit := f.named(path)
	for ; hit == nil && outer != ""; outer = enclosing(outer) {
		if d := f.named(outer); d != nil {
			hit = inside(d, strings.Trim(path[len(outer):], "[]") == "")
			break
		}
	}
	if len(f.known) < 4096 { // map keys are data: there is no end to them
		f.known[path] = hit
	}
	return hit
}

// asked is what is said of a path, and whether it is searched.
func (f *Finder) asked(path string) (*pipeline.Field, bool) {
	return f.field(path), f.o.Search || f.named(path) != nil
}

// named is the field that a path itself is declared as.
func (f *Finder) named(path string) *pipeline.Field {
	if d, ok := f.exact[path]; ok || len(f.wild) == 0 {
		return d
	}
	steps := pathSteps(path)
	for _, w := range f.wild {
		if slices.EqualFunc(w.steps, steps, func(want, got string) bool { return want == "*" && got != "[]" || want == got }) {
			return w.field
		}
	}
	return nil
}

// enclosing is the path of the list or object that a path lies in; "" for one of a
// record's own fields.
func enclosing(path string) string {
	for _, step := range []string{"[]", "{}"} {
		if outer, ok := strings.CutSuffix(path, step); ok {
			return outer
		}
	}
	return path[:max(0, strings.LastIndexByte(path, '.'))]
}

// inside is what a declared field says of what lies in it, where that is a list or an
// object, or JSON: whose it is, and that it is text. Of a list, the items are of its kind;
// but ids, which only their own field gives, are found where they are declared.
func inside(d *pipeline.Field, list bool) *pipeline.Field {
	in := *d
	in.Link, in.Pattern = false, nil
	if !list || d.Pattern != nil || idKind(d.Kind) && d.Kind != pipeline.IP {
		in.Kind = ""
	}
	if in.Kind == "" && in.Party == pipeline.Consumer && in.When == nil && !in.Text {
		return nil
	}
	return &in
}

// Probe implements scanners.Finder.
func (f *Finder) Probe(at []int, raw []byte) []int {
	b := f.d.decode(raw)
	f.t.hits = f.t.hits[:0]
	f.t.numbers = true
	f.t.scan(b, f.d.marks)
	f.t.numbers = false
	n := len(at)
	at = append(at, f.d.doubt...)
	for _, s := range f.t.hits {
		at = append(at, f.d.source(s.hi-1))
	}
	slices.Sort(at[n:])
	return at
}

// Looks implements scanners.Narrower: where undeclared fields are not searched, only
// declared ones and what lies inside of them can match. The values of a map have
// one path before they have their keys', and any of these may be declared.
func (f *Finder) Looks(path string) bool {
	if f.o.Search || len(f.wild) > 0 || strings.Contains(path, "{}") {
		return true
	}
	for declared := range f.exact {
		if rest, ok := strings.CutPrefix(declared, path); ok && (rest == "" || strings.ContainsRune(".[{", rune(rest[0]))) {
			return true
		}
	}
	return false
}

// Fields implements scanners.Finder.
func (f *Finder) Fields() []string { return f.paths }

// ProbeField implements scanners.Finder.
func (f *Finder) ProbeField(field int, value []byte) bool {
	d := f.ask[field]
	id := extract(d, value)
	if id == "" {
		return false
	}
	return f.probeID(d.Kind, id)
}

// probeID collects and probes the tokens of a canonical id.
func (f *Finder) probeID(kind pipeline.Kind, id string) bool {
	f.t.hits, f.t.seen = f.t.hits[:0], 0
	f.t.scan(f.d.decode([]byte(id)), nil)
	token := f.s.h.exact(seedKind, string(kind), []byte(id))
	if f.t.seen == 0 {
		f.t.emit(token, wordToken, 0, 0)
		f.t.flush()
	}
	return len(f.t.hits) > 0 || f.s.table.has(token, fieldBucket)
}

// extract is the canonical id in a declared field's value; "" if there is none.
func extract(d *pipeline.Field, value []byte) string {
	v, ok := inPattern(d, value)
	if !ok {
		return ""
	}
	c, err := normalise(d.Kind, v, "")
	if err != nil {
		return ""
	}
	return c.Value.Reveal()
}

// inPattern is what a field's pattern says of its value; all of it without one.
func inPattern(d *pipeline.Field, value []byte) (text string, ok bool) {
	if d.Pattern == nil {
		return string(value), true
	}
	m, k := d.Pattern.FindStringSubmatch(string(value)), d.Pattern.SubexpIndex("id")
	if m == nil || k < 0 {
		return "", false
	}
	return m[k], true
}

// Boundary implements scanners.Finder.
func (f *Finder) Boundary(off int64, group int, record int64) {
	f.t.recent = [1024]uint64{}
	f.place = &place{off, group, record}
	f.boundary()
}

// place is where a later scan can begin.
type place struct {
	off    int64
	group  int
	record int64
}

// boundary tells of the last boundary, unless a number may go on over it.
func (f *Finder) boundary() {
	if f.place == nil || f.hearing != nil && f.hearing.waits() {
		return
	}
	if p := f.place; f.o.Boundary != nil {
		f.o.Boundary(p.off, p.group, p.record)
	}
	f.place = nil
}

// Link is a link id found in a record that matched: what the next round looks for.
type Link struct {
	Kind  pipeline.Kind
	Value pipeline.Secret // canonical
}

// Links appends the link ids that a leaf of a matched record holds.
func (f *Finder) Links(dst []Link, path string, value []byte) []Link {
	if d := f.field(path); d != nil && d.Link && d.Party == pipeline.Consumer {
		return f.link(dst, d, value)
	}
	return dst
}

// Direct appends the direct identifiers of the consumer that a leaf of a matched
// record holds: a phone, an address or a user id, where the field is declared so; and,
// wherever they stand, those that were given as digests.
func (f *Finder) Direct(dst []Link, path string, value []byte) []Link {
	if f.t.given.seen != nil {
		dst = f.reveal(dst, path, value)
	}
	d := f.field(path)
	if d == nil || d.Party != pipeline.Consumer || d.Text || !Direct(d.Kind) {
		return dst
	}
	return f.link(dst, d, value)
}

// Direct reports whether values of a kind name a person by themselves, and not through
// what the person has or did.
func Direct(k pipeline.Kind) bool {
	return k == pipeline.Phone || k == pipeline.Email || k == pipeline.User
}

// Mailbox is the address in canonical form by which other writings of a mailbox are
// known: Gmail ignores dots and tags.
func Mailbox(canon string) string {
	local, domain, ok := strings.Cut(canon, "@")
	if !ok || !isGmail([]byte(domain)) {
		return canon
	}
	return string(appendMailbox(nil, []byte(local))) + "@gmail.com"
}

func (f *Finder) link(dst []Link, d *pipeline.Field, value []byte) []Link {
	if d.Kind == pipeline.Phone || d.Kind == pipeline.Email || d.Kind == pipeline.Name {
		v, ok := inPattern(d, value)
		if !ok {
			return dst
		}
		c, err := normalise(d.Kind, v, f.s.region)
		if err != nil || c.Doubt {
			return dst
		}
		return append(dst, Link{d.Kind, c.Value})
	}
	if id := extract(d, value); id != "" {
		return append(dst, Link{d.Kind, pipeline.Secret(id)})
	}
	return dst
}

// KeyPath is the path of matches in an object's name.
const KeyPath = "(key)"

// captures calls do for each declared capture of the object's name, in the order
// of their names.
func (f *Finder) captures(captures map[string]string, do func(d *pipeline.Field, value []byte)) {
	var names []string
	for name := range f.o.Objects {
		if captures[name] != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		d := f.o.Objects[name]
		do(&d, []byte(captures[name]))
	}
}

// FindKey returns the matches in what the object's name captured, and collects
// its tokens.
func (f *Finder) FindKey(captures map[string]string) []scanners.Match {
	var out []scanners.Match
	f.captures(captures, func(d *pipeline.Field, value []byte) {
		if idKind(d.Kind) {
			if id := extract(d, value); id != "" {
				f.probeID(d.Kind, id)
			}
		}
		out = f.find(out, d, KeyPath, value)
	})
	return out
}

// KeyLinks appends the link ids that the object's name holds.
func (f *Finder) KeyLinks(dst []Link, captures map[string]string) []Link {
	f.captures(captures, func(d *pipeline.Field, value []byte) {
		if d.Link && d.Party == pipeline.Consumer {
			dst = f.link(dst, d, value)
		}
	})
	return dst
}
