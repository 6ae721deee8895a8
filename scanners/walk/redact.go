package walk

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"expunge/scanners"
)

// Cut is a run of a text and what takes its place.
type Cut struct {
	Start, End int
	With       string
}

// Apply appends text with cuts, which are ascending and disjoint, to dst.
func Apply(dst, text []byte, cuts []Cut) []byte {
	at := 0
	for _, c := range cuts {
		dst = append(append(dst, text[at:c.Start]...), c.With...)
		at = c.End
	}
	return append(dst, text[at:]...)
}

// Redactor tells what a redaction cuts out of JSON texts, by the paths that Walker
// gives its leaves. All else in a text stays as it is: order, space, escapes. It is
// not safe for concurrent use.
type Redactor struct {
	edit   *scanners.Edit
	cuts   []Cut
	text   level
	at     int
	depth  int
	nested int
	values int
	path   []byte
	masked int // keys of the record
}

// level is a text whose bytes stand for places in the text that was given.
type level struct {
	doc  []byte
	base int   // of doc, where
	pos  []int // is nil; else the place of each byte, and of the end
}

func (l *level) place(i int) int {
	if l.pos == nil {
		return l.base + i
	}
	return l.pos[i]
}

// end is the place where what ends at i ends, whole escapes included.
func (l *level) end(i int) int {
	if l.pos == nil {
		return l.base + i
	}
	for i > 0 && i < len(l.pos)-1 && l.pos[i] == l.pos[i-1] {
		i++
	}
	return l.pos[i]
}

// Keeps is what of a keep list lies below one place.
type Keeps []string

// KeepsOf are the keeps of a record, at its root.
func KeepsOf(e *scanners.Edit) Keeps {
	out := make(Keeps, 0, len(e.Keep))
	for _, k := range e.Keep {
		if k != "" && k[0] != '[' && !strings.HasPrefix(k, "{}") {
			k = "." + k
		}
		out = append(out, k)
	}
	return out
}

// Under are the keeps below the member with this key; whole: it stays as it is.
// What a dot in a key means is not asked: "a.b" is the key, or b in a, here as in the
// path of a leaf (see scanners.Edit.Keeps).
func (k Keeps) Under(key string) (below Keeps, whole bool) {
	for _, s := range k {
		if s != "" {
			whole = below.along(s, "."+key) || whole
		}
	}
	return below, whole
}

// along goes along a path and adds what is left of s at its end. It reports whether s
// ends on the way: what lies there stays.
func (k *Keeps) along(s, path string) bool {
	for s != "" {
		if path == "" {
			if begins(s) {
				*k = append(*k, s)
			}
			return false
		}
		if rest, ok := strings.CutPrefix(strings.TrimPrefix(s, "."), "{}"); ok {
			path, whole := strings.TrimPrefix(path, "."), false
			if path == "" { // of an empty key
				return k.along(rest, "")
			}
			for i := 1; i <= len(path); i++ { // any key, which may have dots and brackets
				if i == len(path) || begins(path[i:]) {
					whole = k.along(rest, path[i:]) || whole
				}
			}
			return whole
		}
		if path[0] != s[0] {
			return false
		}
		s, path = s[1:], path[1:]
	}
	return path == "" || begins(path)
}

// begins reports whether a path goes on with a member, an item or any value.
func begins(path string) bool { return strings.IndexByte(".[{", path[0]) >= 0 }

// Items are the keeps below the items of a list; whole: they stay as they are.
func (k Keeps) Items() (below Keeps, whole bool) {
	for _, s := range k {
		if rest, ok := strings.CutPrefix(s, "[]"); ok {
			below, whole = append(below, rest), whole || rest == ""
		}
	}
	return below, whole
}

// JSON returns the cuts of a JSON document. root is its path, as Leaves takes it.
func (r *Redactor) JSON(doc []byte, root string, e *scanners.Edit) ([]Cut, error) {
	keeps, whole := KeepsOf(e), false
	if root != "" {
		keeps, whole = keeps.Under(root)
	}
	r.masked = 0
	r.begin(doc, root, e)
	if whole {
		return nil, nil
	}
	err := r.document(keeps)
	return r.cuts, err
}

// Text returns the cuts of a text that may hold JSON, at a place with these keeps:
// those of the JSON, else one that leaves with, or those of spans.
func (r *Redactor) Text(text []byte, path string, keeps Keeps, e *scanners.Edit, with string) []Cut {
	r.begin(text, path, e)
	if !r.inner(r.text, keeps) {
		r.leaf(r.text, with)
	}
	return r.cuts
}

// Record says that another record begins, for those who call Text and Key.
func (r *Redactor) Record() { r.masked = 0 }

// Spans returns the cuts of a text that the edit says; false: it says nothing.
func (r *Redactor) Spans(text []byte, path string, e *scanners.Edit) ([]Cut, bool) {
	r.begin(text, path, e)
	ok := r.spans(r.text, path, scanners.Redacted)
	return r.cuts, ok
}

// Key returns the cuts of a key of an object with this path.
func (r *Redactor) Key(key []byte, path string, e *scanners.Edit) []Cut {
	r.begin(key, path, e)
	r.key(r.text, path)
	return r.cuts
}

func (r *Redactor) begin(doc []byte, path string, e *scanners.Edit) {
	r.edit, r.cuts, r.text, r.at = e, r.cuts[:0], level{doc: doc}, 0
	r.depth, r.nested, r.values = 0, 0, 0
	r.path = append(r.path[:0], path...)
}

func (r *Redactor) cut(l level, start, end int, with string) {
	r.cuts = append(r.cuts, Cut{l.place(start), l.end(end), with})
}

// leaf empties a text, or what spans say of it.
func (r *Redactor) leaf(l level, with string) {
	if !r.spans(l, string(r.path), scanners.Redacted) {
		r.cut(l, 0, len(l.doc), with)
	}
}

// key cuts in a key of the object with this path. A record's second one and later
// ones are numbered, so that keys stay apart.
func (r *Redactor) key(l level, path string) {
	with, cuts := scanners.Redacted, len(r.cuts)
	if r.masked > 0 {
		with = fmt.Sprintf("[redacted %d]", r.masked+1)
	}
	r.spans(l, path+"{}", with)
	if len(r.cuts) > cuts {
		r.masked++
	}
}

// spans cuts out of a text what the edit says; false: it says nothing.
func (r *Redactor) spans(l level, path, with string) bool {
	if r.edit.Spans == nil {
		return false
	}
	spans, ok := r.edit.Spans(path, l.doc)
	if !ok {
		return false
	}
	at := 0
	for i, s := range spans {
		if s.Start < at || s.End < s.Start || s.End > len(l.doc) || i > 0 && s.Start < spans[i-1].End {
			spans = []scanners.Span{{Start: 0, End: len(l.doc)}}
			break
		}
		at = s.End
	}
	for _, s := range spans {
		if s.End == s.Start {
			continue
		}
		start, end := l.place(s.Start), l.end(s.End)
		if n := len(r.cuts); n > 0 && r.cuts[n-1].End > start { // two in one escape
			r.cuts[n-1].End = max(r.cuts[n-1].End, end)
			continue
		}
		r.cuts = append(r.cuts, Cut{start, end, with})
	}
	return true
}

// inner cuts in a text that is JSON; false: it is none, or has nothing in it.
func (r *Redactor) inner(l level, keeps Keeps) bool {
	t := bytes.TrimLeft(l.doc, " \t\r\n")
	start := len(l.doc) - len(t)
	t = bytes.TrimRight(t, " \t\r\n")
	if r.nested >= MaxNested || len(t) < 2 || !(t[0] == '{' && t[len(t)-1] == '}' || t[0] == '[' && t[len(t)-1] == ']') {
		return false
	}
	in := level{doc: t, base: l.base + start}
	if l.pos != nil {
		in.pos = l.pos[start : start+len(t)+1]
	}
	text, at, depth, values, path, cuts := r.text, r.at, r.depth, r.values, len(r.path), len(r.cuts)
	r.text, r.at = in, 0
	r.nested++
	err := r.document(keeps)
	r.nested--
	found := r.values > values
	r.text, r.at, r.depth, r.path = text, at, depth, r.path[:path]
	if err != nil || !found {
		r.values, r.cuts = values, r.cuts[:cuts]
		return false
	}
	return true
}

func (r *Redactor) document(keeps Keeps) error {
	r.space()
	if err := r.value(keeps, false); err != nil {
		return err
	}
	r.space()
	if r.at < len(r.text.doc) {
		return ErrSyntax
	}
	return nil
}

func (r *Redactor) space() {
	for r.at < len(r.text.doc) {
		switch r.text.doc[r.at] {
		case ' ', '\t', '\n', '\r':
			r.at++
		default:
			return
		}
	}
}

// value goes over a value; kept: nothing is cut in it.
func (r *Redactor) value(keeps Keeps, kept bool) error {
	doc := r.text.doc
	if r.at >= len(doc) {
		return ErrSyntax
	}
	start := r.at
	switch c := doc[r.at]; {
	case c == '{':
		return r.object(keeps, kept)
	case c == '[':
		return r.list(keeps, kept)
	case c == '"':
		return r.string(keeps, kept)
	case c == 't' && bytes.HasPrefix(doc[r.at:], []byte("true")):
		r.at += 4
	case c == 'f' && bytes.HasPrefix(doc[r.at:], []byte("false")):
		r.at += 5
	case c == 'n' && bytes.HasPrefix(doc[r.at:], []byte("null")):
		r.at += 4
		kept = true
	default:
		n := NumberLen(doc[r.at:])
		if n == 0 {
			return ErrSyntax
		}
		r.at += n
	}
	if err := r.count(); err != nil {
		return err
	}
	if !kept && !r.edit.Spares(string(r.path), digitsOf(doc[start:r.at])) {
		r.cut(r.text, start, r.at, "null")
	}
	return nil
}

// digitsOf is a scalar that is no string, as its leaf has it.
func digitsOf(scalar []byte) []byte {
	if digits, ok := AppendDigits(nil, scalar); ok {
		return digits
	}
	return scalar
}

func (r *Redactor) count() error {
	if r.values++; r.values > MaxLeaves {
		return ErrMany
	}
	return nil
}

// string goes over a string that is a value.
func (r *Redactor) string(keeps Keeps, kept bool) error {
	start := r.at
	l, err := r.str()
	if err != nil {
		return err
	}
	if kept {
		return r.count()
	}
	if r.inner(l, keeps) {
		return nil
	}
	if !r.spans(l, string(r.path), scanners.Redacted) {
		r.cut(r.text, start, r.at, "null")
	}
	return r.count()
}

// str reads a string and returns it decoded.
func (r *Redactor) str() (level, error) {
	doc, start := r.text.doc, r.at+1
	i := start
	for i < len(doc) && doc[i] != '"' && doc[i] != '\\' && doc[i] >= ' ' {
		i++
	}
	if i < len(doc) && doc[i] == '"' {
		r.at = i + 1
		l := level{doc: doc[start:i:i], base: r.text.base + start}
		if r.text.pos != nil {
			l.pos = r.text.pos[start : i+1]
		}
		return l, nil
	}
	out, n, ok := AppendString(nil, doc[start:])
	if !ok {
		return level{}, ErrSyntax
	}
	end := start + n - 1 // the closing quote
	l := level{doc: out, pos: make([]int, 0, len(out)+1)}
	for i := start; i < end; {
		step, decoded := 1, 1
		if doc[i] == '\\' {
			step, decoded = escape(doc[i:end])
		}
		for range decoded {
			l.pos = append(l.pos, r.text.place(i))
		}
		i += step
	}
	l.pos = append(l.pos, r.text.place(end))
	if len(l.pos) != len(out)+1 {
		return level{}, ErrSyntax
	}
	r.at = end + 1
	return l, nil
}

// escape is how many bytes the escape that b begins with takes, and how many it
// stands for. b was decoded before.
func escape(b []byte) (n, decoded int) {
	if b[1] != 'u' {
		return 2, 1
	}
	c, _ := hex4(b[2:])
	if !utf16.IsSurrogate(c) {
		return 6, utf8.RuneLen(c)
	}
	if len(b) >= 12 && b[6] == '\\' && b[7] == 'u' {
		if low, ok := hex4(b[8:]); ok && utf16.DecodeRune(c, low) != utf8.RuneError {
			return 12, 4
		}
	}
	return 6, len("\uFFFD")
}

func (r *Redactor) object(keeps Keeps, kept bool) error {
	if r.depth++; r.depth > MaxDepth {
		return ErrDepth
	}
	defer func() { r.depth-- }()
	r.at++
	if r.space(); r.at < len(r.text.doc) && r.text.doc[r.at] == '}' {
		r.at++
		return nil
	}
	n := len(r.path)
	for {
		if r.at >= len(r.text.doc) || r.text.doc[r.at] != '"' {
			return ErrSyntax
		}
		key, err := r.str()
		if err != nil {
			return err
		}
		if err := r.count(); err != nil {
			return err
		}
		below, whole := keeps, kept
		if !kept {
			if below, whole = keeps.Under(string(key.doc)); !whole {
				r.key(key, string(r.path[:n]))
			}
		}
		if n > 0 {
			r.path = append(r.path, '.')
		}
		r.path = append(r.path, key.doc...)
		if r.space(); r.at >= len(r.text.doc) || r.text.doc[r.at] != ':' {
			return ErrSyntax
		}
		r.at++
		r.space()
		if err := r.value(below, whole); err != nil {
			return err
		}
		r.path = r.path[:n]
		r.space()
		if r.at >= len(r.text.doc) {
			return ErrSyntax
		}
		switch r.text.doc[r.at] {
		case ',':
			r.at++
			r.space()
		case '}':
			r.at++
			return nil
		default:
			return ErrSyntax
		}
	}
}

func (r *Redactor) list(keeps Keeps, kept bool) error {
	if r.depth++; r.depth > MaxDepth {
		return ErrDepth
	}
	defer func() { r.depth-- }()
	r.at++
	if r.space(); r.at < len(r.text.doc) && r.text.doc[r.at] == ']' {
		r.at++
		return nil
	}
	n := len(r.path)
	r.path = append(r.path, "[]"...)
	if !kept {
		keeps, kept = keeps.Items()
	}
	for {
		if err := r.value(keeps, kept); err != nil {
			return err
		}
		r.space()
		if r.at >= len(r.text.doc) {
			return ErrSyntax
		}
		switch r.text.doc[r.at] {
		case ',':
			r.at++
			r.space()
		case ']':
			r.at++
			r.path = r.path[:n]
			return nil
		default:
			return ErrSyntax
		}
	}
}
