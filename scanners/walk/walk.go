// Package walk takes a JSON text apart in its leaves: every scalar with its path,
// decoded, and every key. It is exact where it matters for finding identifiers:
// both values of a duplicated key, numbers digit by digit and never through a
// float, escapes and surrogates decoded, JSON inside strings walked on.
//
// Paths are as in the config: "." into objects and "[]" into lists ("a.b",
// "a[].b", "a[][]"). Keys stand in a path as they are, also where they contain
// dots or brackets: two different leaves may have one path, and no leaf is lost by
// it. A string that itself is a JSON object or list goes on in the same way
// ("properties.user_id"), MaxNested strings deep; the string as a whole is a leaf
// only where it is not JSON.
//
// It accepts what RFC 8259 does, and strings that are not UTF-8: those bytes stay.
package walk

import (
	"bytes"
	"errors"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	// MaxDepth bounds the nesting of lists and objects, over all strings within
	// strings.
	MaxDepth = 512
	// MaxNested is how many strings deep JSON is looked for.
	MaxNested = 4
	// MaxLeaves bounds the leaves and keys of one document.
	MaxLeaves = 1 << 20

	maxPaths    = 4096 // that are remembered
	maxExpanded = 64   // digits that an exponent may lead to
)

// Errors of Leaves. They never hold a value.
var (
	ErrSyntax = errors.New("not JSON")
	ErrDepth  = errors.New("JSON is nested more than 512 deep")
	ErrMany   = errors.New("JSON has more than 1 Mi leaves")
)

// Kind is what a leaf is.
type Kind uint8

// Kinds.
const (
	Null Kind = iota
	Bool
	Number
	String
	Key // not a scalar: the key of a member, under the path of its object + "{}"
)

// Leaf is one scalar or one key.
type Leaf struct {
	Path  string
	Value []byte // decoded; numbers as digits; nil only for null
	Kind  Kind
}

// Walker takes documents apart. It keeps its memory from one document to the
// next; it is not safe for concurrent use.
type Walker struct {
	doc    []byte
	at     int
	depth  int
	nested int
	path   []byte
	leaves []Leaf
	arena  []byte            // decoded strings; never written twice within a document
	paths  map[string]string // paths seen before
}

// Leaves returns the leaves of doc, in order. root is the path of the document
// itself: "" for a record, a column's name for JSON in a cell. Where doc breaks
// off or is no JSON, it returns the leaves before that place and an error. Leaves
// are valid until the next call; values may point into doc.
func (w *Walker) Leaves(doc []byte, root string) ([]Leaf, error) {
	w.reset(root)
	err := w.document(doc)
	return w.leaves, err
}

// Text returns the leaves of a text that may hold JSON: those of the JSON, else
// the text as one String. It is for cells and columns of text.
func (w *Walker) Text(text []byte, root string) []Leaf {
	w.reset(root)
	_ = w.text(text) // only a string that is JSON can fail, and then it is taken as it stands
	return w.leaves
}

// More adds the leaves of another text, of the same record, to those of the last
// call, and returns all of them.
func (w *Walker) More(text []byte, root string) []Leaf {
	if w.paths == nil {
		w.paths = make(map[string]string)
	}
	w.path = append(w.path[:0], root...)
	_ = w.text(text)
	return w.leaves
}

// Reset forgets the leaves so far: More begins a record.
func (w *Walker) Reset() { w.reset("") }

// reset begins a document.
func (w *Walker) reset(root string) {
	w.leaves, w.arena = w.leaves[:0], w.arena[:0]
	w.path = append(w.path[:0], root...)
	w.depth, w.nested = 0, 0
	if w.paths == nil {
		w.paths = make(map[string]string)
	}
}

// document reads exactly one value, with space around it.
func (w *Walker) document(doc []byte) error {
	w.doc, w.at = doc, 0
	w.space()
	if err := w.value(); err != nil {
		return err
	}
	w.space()
	if w.at < len(w.doc) {
		return ErrSyntax
	}
	return nil
}

func (w *Walker) space() {
	for w.at < len(w.doc) {
		switch w.doc[w.at] {
		case ' ', '\t', '\n', '\r':
			w.at++
		default:
			return
		}
	}
}

func (w *Walker) value() error {
	if w.at >= len(w.doc) {
		return ErrSyntax
	}
	switch c := w.doc[w.at]; {
	case c == '{':
		return w.object()
	case c == '[':
		return w.list()
	case c == '"':
		s, err := w.str()
		if err != nil {
			return err
		}
		return w.text(s)
	case c == 't':
		return w.word("true", Bool)
	case c == 'f':
		return w.word("false", Bool)
	case c == 'n':
		return w.word("null", Null)
	case c == '-' || c >= '0' && c <= '9':
		return w.number()
	}
	return ErrSyntax
}

func (w *Walker) object() error {
	if w.depth++; w.depth > MaxDepth {
		return ErrDepth
	}
	defer func() { w.depth-- }()
	w.at++
	if w.space(); w.at < len(w.doc) && w.doc[w.at] == '}' {
		w.at++
		return nil
	}
	n := len(w.path)
	for {
		if w.at >= len(w.doc) || w.doc[w.at] != '"' {
			return ErrSyntax
		}
		key, err := w.str()
		if err != nil {
			return err
		}
		w.path = append(w.path[:n], "{}"...)
		if err := w.leaf(key, Key); err != nil {
			return err
		}
		w.path = w.path[:n]
		if n > 0 {
			w.path = append(w.path, '.')
		}
		w.path = append(w.path, key...)
		if w.space(); w.at >= len(w.doc) || w.doc[w.at] != ':' {
			return ErrSyntax
		}
		w.at++
		w.space()
		if err := w.value(); err != nil {
			return err
		}
		w.path = w.path[:n]
		w.space()
		if w.at >= len(w.doc) {
			return ErrSyntax
		}
		switch w.doc[w.at] {
		case ',':
			w.at++
			w.space()
		case '}':
			w.at++
			return nil
		default:
			return ErrSyntax
		}
	}
}

func (w *Walker) list() error {
	if w.depth++; w.depth > MaxDepth {
		return ErrDepth
	}
	defer func() { w.depth-- }()
	w.at++
	if w.space(); w.at < len(w.doc) && w.doc[w.at] == ']' {
		w.at++
		return nil
	}
	n := len(w.path)
	w.path = append(w.path, "[]"...)
	for {
		if err := w.value(); err != nil {
			return err
		}
		w.space()
		if w.at >= len(w.doc) {
			return ErrSyntax
		}
		switch w.doc[w.at] {
		case ',':
			w.at++
			w.space()
		case ']':
			w.at++
			w.path = w.path[:n]
			return nil
		default:
			return ErrSyntax
		}
	}
}

// leaf takes a scalar or key at the path at hand.
func (w *Walker) leaf(value []byte, kind Kind) error {
	if len(w.leaves) >= MaxLeaves {
		return ErrMany
	}
	path, ok := w.paths[string(w.path)]
	if !ok {
		path = string(w.path)
		if len(w.paths) > maxPaths {
			clear(w.paths)
		}
		w.paths[path] = path
	}
	w.leaves = append(w.leaves, Leaf{path, value, kind})
	return nil
}

// text takes a decoded string: as JSON if it is a whole object or list.
func (w *Walker) text(s []byte) error {
	if t := bytes.Trim(s, " \t\r\n"); w.nested < MaxNested && len(t) > 1 && (t[0] == '{' && t[len(t)-1] == '}' || t[0] == '[' && t[len(t)-1] == ']') {
		doc, at, depth, path, leaves := w.doc, w.at, w.depth, len(w.path), len(w.leaves)
		w.nested++
		err := w.document(t)
		w.nested--
		w.doc, w.at, w.depth, w.path = doc, at, depth, w.path[:path]
		if err == nil && len(w.leaves) > leaves {
			return nil
		}
		// Not JSON, or nothing in it: then the string is what there is.
		w.leaves = w.leaves[:leaves]
	}
	return w.leaf(s, String)
}

func (w *Walker) word(s string, kind Kind) error {
	end := w.at + len(s)
	if end > len(w.doc) || string(w.doc[w.at:end]) != s {
		return ErrSyntax
	}
	value := w.doc[w.at:end:end]
	w.at = end
	if kind == Null {
		value = nil
	}
	return w.leaf(value, kind)
}

func (w *Walker) number() error {
	start := w.at
	n := NumberLen(w.doc[start:])
	if n == 0 {
		return ErrSyntax
	}
	w.at += n
	return w.leaf(w.keep(w.doc[start:w.at]), Number)
}

// keep returns a number's digits, in the arena if they differ from what is written.
func (w *Walker) keep(number []byte) []byte {
	mark := len(w.arena)
	if out, ok := AppendDigits(w.arena, number); ok {
		w.arena = out
		return out[mark:len(out):len(out)]
	}
	return number[:len(number):len(number)]
}

// str reads a string and returns it decoded.
func (w *Walker) str() ([]byte, error) {
	start := w.at + 1
	i := start
	for i < len(w.doc) && w.doc[i] != '"' && w.doc[i] != '\\' && w.doc[i] >= ' ' {
		i++
	}
	if i < len(w.doc) && w.doc[i] == '"' {
		w.at = i + 1
		return w.doc[start:i:i], nil
	}
	mark := len(w.arena)
	out, end, ok := AppendString(w.arena, w.doc[start:])
	if !ok {
		return nil, ErrSyntax
	}
	w.arena = out
	w.at = start + end
	return out[mark:len(out):len(out)], nil
}

// AppendString appends the decoded string that s begins with, right after its
// opening quote, and returns how many bytes of s it takes, the closing quote
// included. ok is false where it breaks off, or holds a control character or an
// escape that there is not. Lone surrogates become U+FFFD.
func AppendString(dst, s []byte) (out []byte, n int, ok bool) {
	for i := 0; i < len(s); {
		j := i
		for j < len(s) && s[j] != '"' && s[j] != '\\' && s[j] >= ' ' {
			j++
		}
		dst = append(dst, s[i:j]...)
		if j >= len(s) || s[j] < ' ' {
			return dst, 0, false
		}
		if s[j] == '"' {
			return dst, j + 1, true
		}
		if j+1 >= len(s) {
			return dst, 0, false
		}
		i = j + 2
		switch s[j+1] {
		case '"', '\\', '/':
			dst = append(dst, s[j+1])
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, ok := hex4(s[i:])
			if !ok {
				return dst, 0, false
			}
			i += 4
			if utf16.IsSurrogate(r) {
				pair := rune(utf8.RuneError)
				if len(s) >= i+6 && s[i] == '\\' && s[i+1] == 'u' {
					if low, ok := hex4(s[i+2:]); ok {
						pair = utf16.DecodeRune(r, low)
					}
				}
				if pair != utf8.RuneError {
					i += 6
				}
				r = pair
			}
			dst = utf8.AppendRune(dst, r)
		default:
			return dst, 0, false
		}
	}
	return dst, 0, false
}

func hex4(s []byte) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range s[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|32 >= 'a' && c|32 <= 'f':
			c = c | 32 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
