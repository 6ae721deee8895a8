package identity

import (
	"slices"
	"strconv"
	"strings"

	"expunge/pipeline"
	"expunge/scanners"
)

// RuleSpoken begins the rule of what Hearing finds: it stands in no one place that Spans
// could give. "phone.spoken.3" was said over three turns or lines.
const RuleSpoken = "phone.spoken"

// Hearing finds the phone numbers that people said in a record's fields of that sort:
// digits in words or in pieces, over several turns, by one speaker or by all. What is
// found goes to review. No token of it stands in raw bytes, so every record has to be
// handed over, in the order of its object; tokens are collected as those of Find are.
//
// Where records are turns themselves (see GoesOn), a number goes on over them, and each
// record that holds a part of it has the match. Until it is known whether one does, it is
// held back.
type Hearing struct {
	f    *Finder
	emit func(*scanners.Record) error

	all   listener
	own   map[string]*listener // of each speaker, once there are two
	only  string               // who spoke until then, if anybody began
	began bool
	many  bool   // they are too many
	turns []turn // of the record at hand
	told  []telling

	held    []*scanners.Record // that may be a part of what is not said to its end
	n       int                // records heard
	said    int                // turns heard
	goesOn  bool               // the last record was a turn …
	talk    string             // … of this conversation
	speaker string             // of the line before
}

// maxHeld is how many records a number goes on over at most, captions' timings
// included, and maxTurn how many bytes of a record are a turn's at most. They bound the
// memory of a Hearing: about three times maxHeld × maxTurn.
const maxHeld, maxTurn = 64, 16 << 10

// maxSpeakers bounds how often what is said is gone through: more are no conversation.
const maxSpeakers = 8

// Hearing hands records to emit, in their order, with what is heard in them among their
// matches. A record is emit's only until it returns.
func (f *Finder) Hearing(emit func(*scanners.Record) error) *Hearing {
	h := &Hearing{f: f, emit: emit}
	h.all = listener{f: f, found: h.found, times: 1}
	f.hearing = h
	return h
}

// Record takes the next record of an object.
func (h *Hearing) Record(r *scanners.Record) error {
	if h.f.heard == nil {
		return h.emit(r)
	}
	if r.Aside && len(r.Raw) <= maxTurn {
		return h.keep(r)
	}
	on, talk := h.f.goesOn != nil && len(r.Raw) <= maxTurn, ""
	if on {
		on, talk = h.turn(r)
	}
	if !on || !h.goesOn || talk != h.talk {
		if err := h.pause(); err != nil {
			return err
		}
	}
	h.goesOn, h.talk = on, talk
	h.listen(r)
	h.held, h.n = append(h.held, r), h.n+1
	for i := range h.turns {
		h.hear(&h.turns[i])
	}
	if !on {
		return h.pause()
	}
	return h.release(r)
}

// hear listens to all speakers, and to each by themselves.
func (h *Hearing) hear(t *turn) {
	switch {
	case h.many:
	case h.own != nil:
	case !h.began:
		h.only, h.began = t.speaker, true
	case h.only != t.speaker:
		first := h.all
		first.digits, first.parts = slices.Clone(first.digits), slices.Clone(first.parts)
		h.own = map[string]*listener{h.only: &first}
	}
	h.all.hear(t)
	if h.own == nil {
		return
	}
	l := h.own[t.speaker]
	if l == nil {
		if len(h.own) == maxSpeakers {
			h.own, h.many = nil, true
			return
		}
		l = &listener{f: h.f, found: h.found, times: 1}
		h.own[t.speaker] = l
	}
	l.hear(t)
}

// End emits what is held back, at the end of the object.
func (h *Hearing) End() error {
	if h.f.heard == nil {
		return nil
	}
	err := h.pause()
	h.f.boundary()
	return err
}

// pause ends what was said so far.
func (h *Hearing) pause() error {
	h.all.reset()
	h.own, h.began, h.many, h.speaker = nil, false, false, ""
	return h.release(nil)
}

// waits reports whether records are held back.
func (h *Hearing) waits() bool { return len(h.held) > 0 }

// keep emits a record that nobody says anything in, behind those before it.
func (h *Hearing) keep(r *scanners.Record) error {
	if !h.waits() {
		return h.emit(r)
	}
	h.held, h.n = append(h.held, r), h.n+1
	return h.release(r)
}

// release emits the records that hold no part of what may go on. Of those that do, last
// is the one that is not ours yet.
func (h *Hearing) release(last *scanners.Record) error {
	first := h.n
	h.each(func(l *listener) {
		l.forget(h.n - maxHeld)
		if len(l.parts) > 0 {
			first = min(first, l.parts[0].record)
		}
	})
	done := len(h.held) - (h.n - first)
	for _, r := range h.held[:done] {
		if err := h.emit(r); err != nil {
			return err
		}
	}
	h.held = slices.Delete(h.held, 0, done)
	if n := len(h.held); n > 0 && h.held[n-1] == last {
		h.held[n-1] = last.Clone()
	}
	return nil
}

func (h *Hearing) each(do func(l *listener)) {
	do(&h.all)
	for _, l := range h.own {
		do(l)
	}
}

// found adds a match to each record that a number was said in.
func (h *Hearing) found(needle uint32, parts []part) {
	turns := 1
	for k := range parts[1:] {
		if parts[k].turn != parts[k+1].turn {
			turns++
		}
	}
	rule := RuleSpoken
	if turns > 1 {
		rule += "." + strconv.Itoa(turns)
	}
	for k, p := range parts {
		if k+1 < len(parts) && parts[k+1].record == p.record {
			continue
		}
		r := h.held[len(h.held)-(h.n-p.record)]
		m := scanners.Match{Needle: needle, Path: p.path, Kind: string(pipeline.Phone), Rule: rule, Tier: string(pipeline.Review)}
		if !slices.ContainsFunc(r.Matches, func(o scanners.Match) bool {
			return o.Needle == m.Needle && o.Path == m.Path && strings.HasPrefix(o.Rule, RuleSpoken)
		}) {
			r.Matches = append(r.Matches, m)
		}
	}
}

// turn is what one speaker said at a time.
type turn struct {
	path, speaker, text string

	n      int // of the turns of an object
	record int // in which it stands
}

// telling is a field that tells who speaks: before each turn, or behind it.
type telling struct {
	path, speaker string
	behind        bool
	from          int // the first turn that it may tell of, where it stands behind them
}

// listen gathers the turns of a record. Who speaks is told by a field beside the text, or
// beside a list that it stands in.
func (h *Hearing) listen(r *scanners.Record) {
	h.turns, h.told = h.turns[:0], h.told[:0]
	for _, leaf := range r.Leaves {
		if len(leaf.Value) == 0 || !h.f.heard[parentOf(leaf.Path)] {
			continue
		}
		if tellsSpeaker(leaf.Path) {
			h.tell(leaf.Path, string(leaf.Value))
		}
		d := h.f.field(leaf.Path)
		if d == nil || !d.Spoken {
			continue
		}
		t := turn{path: leaf.Path, n: h.said, record: h.n}
		text := leaf.Value
		if leaf.Path == linePath {
			var who string
			if who, text = sayer(text); who != "" {
				h.speaker = who
			}
			t.speaker = h.speaker
		}
		deepest := 0
		for _, told := range h.told {
			if parent := parentOf(told.path); !told.behind && len(parent) >= deepest && strings.HasPrefix(leaf.Path, parent) {
				deepest, t.speaker = len(parent), told.speaker
			}
		}
		t.text = string(h.f.d.decode(text))
		h.turns, h.said = append(h.turns, t), h.said+1
	}
}

func (h *Hearing) tell(path, speaker string) {
	of := func(t *turn) bool { return strings.HasPrefix(t.path, parentOf(path)) }
	i := slices.IndexFunc(h.told, func(t telling) bool { return t.path == path })
	if i < 0 {
		i = len(h.told)
		h.told = append(h.told, telling{path: path, behind: slices.ContainsFunc(h.turns, func(t turn) bool { return of(&t) })})
	}
	told := &h.told[i]
	told.speaker = speaker
	if !told.behind {
		return
	}
	for k := range h.turns[told.from:] {
		if t := &h.turns[told.from+k]; of(t) {
			t.speaker = speaker
		}
	}
	told.from = len(h.turns)
}

// linePath is the path of lines of text, captions included.
const linePath = "line"

// GoesOn reports whether records of a dataset with these fields may be turns, over which
// a number goes on: lines of text, and records that hold one text and, in a field that is
// declared, too, who says it. Objects of such a dataset must not be cut.
func GoesOn(fields []pipeline.Field) bool { return spokenAlone(fields) != nil }

// spokenAlone are the paths of what is said in records that are turns.
func spokenAlone(fields []pipeline.Field) map[string]bool {
	top := func(path string) bool { return !strings.ContainsAny(path, ".[{") }
	told := slices.ContainsFunc(fields, func(d pipeline.Field) bool { return top(d.Path) && tellsSpeaker(d.Path) })
	var paths map[string]bool
	for _, d := range fields {
		if d.Spoken && (d.Path == linePath || told && top(d.Path)) {
			if paths == nil {
				paths = map[string]bool{}
			}
			paths[d.Path] = true
		}
	}
	return paths
}

// turn reports whether a record is a turn, and of which conversation: the call, the
// recording or the session that it names.
func (h *Hearing) turn(r *scanners.Record) (is bool, talk string) {
	var of []byte
	for _, leaf := range r.Leaves {
		is = is || h.f.goesOn[leaf.Path] && len(leaf.Value) > 0
		if d := h.f.field(leaf.Path); d != nil && (d.Kind == pipeline.Call || d.Kind == pipeline.Recording || d.Kind == pipeline.Session) {
			of = append(append(append(of, leaf.Path...), 0), leaf.Value...)
			of = append(of, 0)
		}
	}
	return is, string(of)
}

// heardPaths are the parents of what is said, and of the lists that it stands in.
func heardPaths(paths map[string]bool, path string) map[string]bool {
	if paths == nil {
		paths = map[string]bool{}
	}
	parent := parentOf(path)
	paths[parent] = true
	for strings.Contains(parent, "[]") {
		if strings.HasSuffix(parent, "[]") {
			paths[parent] = true
		}
		parent = parent[:max(0, strings.LastIndexAny(parent, ".["))]
	}
	return paths
}

func parentOf(path string) string {
	return path[:max(0, strings.LastIndexByte(path, '.'))]
}

// tellers are the names of fields that tell who speaks.
var tellers = []string{"speaker", "speakerid", "speakerlabel", "speakername", "participant", "participantid", "participantrole", "role", "channel", "party"}

// tellsSpeaker reports whether a field's name says that it tells who speaks, however its
// words are put together.
func tellsSpeaker(path string) bool {
	name := path[strings.LastIndexByte(path, '.')+1:]
	return slices.ContainsFunc(tellers, func(teller string) bool {
		for _, c := range []byte(name) {
			switch {
			case c == '_' || c == '-':
			case teller == "" || c|0x20 != teller[0]:
				return false
			default:
				teller = teller[1:]
			}
		}
		return teller == ""
	})
}
