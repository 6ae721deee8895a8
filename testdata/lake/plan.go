package lake

import (
	"cmp"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"slices"
	"time"
)

// slotKind says what a planned record is. The rest of a file are strangers.
type slotKind int

const (
	filler       slotKind = iota // a stranger's, no more to it
	own                          // of a member, whether they asked or not
	mention                      // a stranger's that names someone who asked
	near                         // a stranger's with a near miss of someone who asked
	insideRun                    // a stranger's with the number inside a longer token
	agentsMail                   // a stranger's whose agent has the address of someone who asked
	foreignPhone                 // in another account: the same phone
	foreignCall                  // in another account: the same call id
	family                       // of a browser that someone who asked shares: whose it is nobody can tell
	familyOther                  // of the same, with the address of the other person
)

// dataset is one shape of objects. Its files are planned from its part of the
// lake's bytes, its records are made one by one.
type dataset struct {
	name     string
	fraction float64 // of the lake's stored bytes
	perRec   float64 // stored bytes of a record, measured, for sizing only
	own      int     // records of each member
	decoys   []slotKind
	foreign  []slotKind // decoys put into the next account
	byField  bool       // the account stands in a field: one file holds all accounts
	perCall  []int      // one object per record: the calls that have one
	key      func(l *Lake, f *file) string
	codec    func(n int) string // of the n-th file: "", gzip, zstd
	build    func(r *rec) []byte
	write    func(l *Lake, f *file, w io.Writer) error
	note     func(r *rec) // what is true of the record; nil: build tells
}

// file is a planned object. What it holds follows from its fields alone.
type file struct {
	ds   *dataset
	acct int // -1: all accounts
	n    int // its number within dataset and account
	seed uint64
	base int64 // strangers in it
	key  string
	one  *slot // perCall: its only record
}

type slot struct {
	kind   slotKind
	acct   int
	person int
	j      int
	hash   uint64
	record int64
}

// rec is a record in the making.
type rec struct {
	l     *Lake
	f     *file
	rng   *rand.Rand
	kind  slotKind
	acct  int
	index int64
	j     int
	m     *member // whose record it is
	about *member // decoys: who is nearly, or merely, in it
	time  time.Time
	line  int64 // text: of the notes that follow; -1 elsewhere
	notes []Truth
}

const (
	minFile = 12 << 10
	maxFile = 64 << 20
)

func (l *Lake) files() iter.Seq[*file] {
	return func(yield func(*file) bool) {
		for d, ds := range l.datasets {
			for a := range l.accounts {
				if ds.byField {
					a = -1
				}
				parts := float64(len(l.accounts))
				if ds.byField {
					parts = 1
				}
				bytes := float64(l.o.Bytes) * ds.fraction / parts
				make := func(n int, base int64, s *slot) bool {
					f := &file{ds: ds, acct: a, n: n, base: base, one: s, seed: mix(l.o.Seed, 4, uint64(d), uint64(a+1), uint64(n))}
					f.key = ds.key(l, f)
					return yield(f)
				}
				if ds.perCall != nil {
					n := 0
					for _, s := range l.callSlots(ds, a) {
						if !make(n, 0, &s) {
							return
						}
						n++
					}
					for range max(2, int(bytes/l.objectSize(ds))) {
						if !make(n, 1, nil) {
							return
						}
						n++
					}
				} else {
					size := min(max(bytes/12, minFile), maxFile)
					count := max(4, int(bytes/size+0.999))
					for n := range count {
						records := bytes / float64(count) / ds.perRec
						if ds.codec != nil && ds.codec(n) == "" {
							records /= 5 // stored as it is
						}
						if !make(n, int64(records*(0.7+0.6*float64(n%7)/6))+5, nil) {
							return
						}
					}
				}
				if ds.byField {
					break
				}
			}
		}
	}
}

// objectSize is the average size of a dataset's objects that hold one record each.
func (l *Lake) objectSize(ds *dataset) float64 {
	if ds.name == "recordings" {
		return float64(l.audioSize())
	}
	return ds.perRec
}

func (l *Lake) audioSize() int64 { return min(max(l.o.Bytes/50000, 1000), 64000) }

func (l *Lake) callSlots(ds *dataset, a int) []slot {
	var ss []slot
	for _, p := range l.accounts[a].members {
		for _, j := range ds.perCall {
			ss = append(ss, slot{kind: own, acct: a, person: p, j: j})
		}
	}
	return append(ss, l.decoys(ds, a)...)
}

// decoys lists what a dataset holds in account a to lead a matcher astray.
func (l *Lake) decoys(ds *dataset, a int) []slot {
	var ss []slot
	for _, p := range l.accounts[a].asked {
		for _, k := range ds.decoys {
			ss = append(ss, slot{kind: k, acct: a, person: p})
		}
	}
	before := (a + len(l.accounts) - 1) % len(l.accounts)
	for _, p := range l.accounts[before].asked {
		if slices.Contains(l.accounts[a].asked, p) {
			continue // there the same number is asked for
		}
		for _, k := range ds.foreign {
			ss = append(ss, slot{kind: k, acct: a, person: p})
		}
	}
	return ss
}

// slots lists the planned records of f by their place. Where each goes follows
// from a hash, so that a file is planned without looking at the others.
func (l *Lake) slots(f *file) []slot {
	if f.one != nil {
		return []slot{*f.one}
	}
	if f.ds.perCall != nil {
		return nil
	}
	files := l.fileCount(f.ds)
	var mine []slot
	take := func(s slot) {
		s.hash = mix(l.o.Seed, 5, mix([]uint64{uint64(len(f.ds.name)), uint64(s.kind)}...), uint64(s.acct), uint64(s.person), uint64(s.j))
		if int(s.hash%uint64(files)) == f.n {
			mine = append(mine, s)
		}
	}
	for a := range l.accounts {
		if f.acct >= 0 && f.acct != a {
			continue
		}
		for _, p := range l.accounts[a].members {
			for j := range f.ds.own {
				take(slot{kind: own, acct: a, person: p, j: j})
			}
		}
		for _, s := range l.decoys(f.ds, a) {
			take(s)
		}
	}
	slices.SortFunc(mine, func(a, b slot) int {
		return cmp.Or(cmp.Compare(a.hash>>8, b.hash>>8), cmp.Compare(a.acct, b.acct), cmp.Compare(a.person, b.person), cmp.Compare(a.kind, b.kind), cmp.Compare(a.j, b.j))
	})
	total, n := f.base+int64(len(mine)), int64(len(mine))
	for i := range mine {
		lo, hi := int64(i)*total/n, int64(i+1)*total/n
		mine[i].record = lo + int64(mine[i].hash>>16%uint64(hi-lo))
	}
	return mine
}

func (l *Lake) fileCount(ds *dataset) int {
	parts := float64(len(l.accounts))
	if ds.byField {
		parts = 1
	}
	bytes := float64(l.o.Bytes) * ds.fraction / parts
	return max(4, int(bytes/min(max(bytes/12, minFile), maxFile)+0.999))
}

func (l *Lake) records(f *file) int64 {
	switch {
	case f.ds.name == "recordings":
		return 0
	case f.ds.name == "captions":
		return captionLines
	case f.one != nil:
		return 1
	}
	return f.base + int64(len(l.slots(f)))
}

// date is the day of a file: 2024-01-01 and on, before any request.
func (f *file) date() time.Time {
	return time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, int(f.seed%1040))
}

// record starts the record at a place of f; s is nil for a stranger's.
func (l *Lake) record(f *file, index int64, s *slot) *rec {
	seed := mix(f.seed, 6, uint64(index))
	r := &rec{l: l, f: f, rng: rand.New(rand.NewPCG(seed, mix(seed))), index: index, acct: f.acct, line: index}
	r.time = f.date().Add(time.Duration(r.rng.IntN(86400000)) * time.Millisecond)
	if s != nil {
		r.kind, r.acct, r.j = s.kind, s.acct, s.j
		if s.kind == own {
			r.m = l.member(s.acct, s.person)
			return r
		}
		r.about = l.member(s.acct, s.person)
	} else if r.acct < 0 {
		r.acct = r.rng.IntN(len(l.accounts))
	}
	r.m = l.someone(r.acct, r.rng.IntN(l.o.Consumers))
	if s == nil {
		return r
	}
	r.j = 10 + r.rng.IntN(1<<30)
	r.m.seed = mix(r.m.seed, seed) // ids of its own
	r.m.personID, r.m.visitor = "PER"+hexID(r.m.seed, 3), fmt.Sprintf("%09d.%d", 900000000+r.m.seed%99999999, 1704100000+r.m.seed%60000000)
	return r
}

// each makes the records of f in order.
func (l *Lake) each(f *file, do func(*rec) error) error {
	slots := l.slots(f)
	total := f.base + int64(len(slots))
	for i := range total {
		var s *slot
		if len(slots) > 0 && slots[0].record == i {
			s, slots = &slots[0], slots[1:]
		}
		if err := do(l.record(f, i, s)); err != nil {
			return err
		}
	}
	return nil
}

func (l *Lake) truthOf(f *file) []Truth {
	var ts []Truth
	for _, s := range l.slots(f) {
		r := l.record(f, s.record, &s)
		if f.ds.note != nil {
			f.ds.note(r)
		} else {
			f.ds.build(r)
		}
		ts = append(ts, r.surest()...)
	}
	return ts
}

// surest keeps one truth per request and record.
func (r *rec) surest() []Truth {
	slices.SortStableFunc(r.notes, func(a, b Truth) int {
		return cmp.Or(cmp.Compare(a.Record, b.Record), cmp.Compare(a.Request, b.Request), cmp.Compare(a.Tier.rank(), b.Tier.rank()))
	})
	return slices.CompactFunc(r.notes, func(a, b Truth) bool { return a.Record == b.Record && a.Request == b.Request })
}

// note says that the record holds an identifier of m, if m asked with that kind.
// Kinds of links count if the member's anchors lead to them, which the caller
// knows; they are asked for directly where the request names the kind.
func (r *rec) note(m *member, kind string, tier Tier, why string) {
	if m.person == stranger || !slices.Contains(r.l.accounts[r.acct].asked, m.person) {
		return
	}
	if !slices.Contains(kindsOf(m.person), kind) {
		if tier != Linked {
			return
		}
	} else if tier == Linked {
		tier = Exact
	}
	r.notes = append(r.notes, Truth{r.l.accounts[r.acct].name, requestID(m.person), r.f.key, r.line, tier, why, rightsOf(m.person), r.f.ds.name})
}

// phone writes the owner's number in a field whose whole value is automatic.
func (r *rec) phone(path string, f form) string {
	r.note(r.m, "phone", f.tier, path+": "+f.name)
	return f.write(national(r.m.phone))
}

func (r *rec) email(path string) string {
	r.note(r.m, "email", Exact, path+": address")
	return r.m.email
}

func (r *rec) emailAs(path, form string, tier Tier, s string) string {
	r.note(r.m, "email", tier, path+": "+form)
	return s
}

// link writes a link id in a link field.
func (r *rec) link(path, kind, value string) string {
	if r.kind == own {
		r.note(r.m, kind, Linked, path+": link")
	}
	return value
}

// sentence makes free text. In a mention it names the one who asked, in an own
// record sometimes the owner, in decoys a near miss.
func (r *rec) sentence(path string) string {
	s := pick(r.rng, []string{"Asked about a quote for the kitchen.", "Wants to move the appointment to Tuesday.", "Said \"no hurry\", will call again.",
		"Price is fine, waiting for the landlord.", "Bad line; café near the station.", "Interested in the spring offer, send the brochure."})
	m := r.m
	switch r.kind {
	case mention:
		m = r.about
	case own:
		if r.j%2 == 1 {
			return s
		}
	case insideRun:
		n := national(r.about.phone)
		return s + pick(r.rng, []string{" Order " + n + "999 is late.", " See RE" + n + "aaaaaaaaaaaaaaaaaaaaaa.", " Ticket AB" + n + "."})
	case near:
		return s + " Call " + dashed(national(oneOff(r.about.phone))) + " or " + r.about.email + ".evil.test"
	default:
		if r.rng.IntN(4) > 0 {
			return s
		}
	}
	if m.person != stranger && !slices.Contains(kindsOf(m.person), "phone") || r.rng.IntN(5) == 0 {
		r.note(m, "email", Mention, path+": address in text")
		return s + " Mail " + m.email + " please."
	}
	f := pick(r.rng, spokenForms)
	r.note(m, "phone", Mention, path+": "+f.name+" in text")
	return s + " Call back at " + f.write(national(m.phone)) + " please."
}
