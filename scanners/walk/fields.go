package walk

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// Fields finds the values of some fields in raw JSON without parsing it. It goes
// by the last name of a field's path, wherever that name stands as a key, and
// where it cannot be sure it says so: then the record has to be walked. It hands
// over more than asked for, never less.
type Fields struct {
	names  []fieldName
	last   [256]bool // whether a name ends in this byte
	escape [256]bool // \u00XX of these can hide a key, its quotes or its colon
	exotic bool      // a name that any escape can hide
	always bool      // a path without a name: every record is in doubt
}

type fieldName struct {
	name   string
	fields []int
}

// NewFields prepares for the fields with these paths.
func NewFields(paths []string) *Fields {
	s := &Fields{}
	for i, p := range paths {
		full := p[strings.LastIndexByte(p, '.')+1:]
		name := full
		for strings.HasSuffix(name, "[]") || strings.HasSuffix(name, "{}") {
			name = name[:len(name)-2]
		}
		if name == "" {
			s.always = true
		}
		s.add(name, i)
		if full != name {
			s.add(full, i) // a key that itself ends in brackets
		}
	}
	for _, c := range "\"\\: \t\r\n" {
		s.escape[c] = true
	}
	return s
}

func (s *Fields) add(name string, field int) {
	for i := range s.names {
		if s.names[i].name == name {
			s.names[i].fields = append(s.names[i].fields, field)
			return
		}
	}
	s.names = append(s.names, fieldName{name, []int{field}})
	for i := range len(name) {
		s.escape[name[i]] = true
		if c := name[i]; c >= utf8.RuneSelf || c < ' ' || c == '"' || c == '\\' || c == '/' {
			s.exotic = true
		}
	}
	if name != "" {
		s.last[name[len(name)-1]] = true
	}
}

// Leaf calls take for each field that this leaf may belong to.
func (s *Fields) Leaf(l Leaf, take func(field int, value []byte)) {
	if l.Kind == Null {
		return
	}
	for _, n := range s.names {
		if strings.Contains(l.Path, n.name) {
			for _, f := range n.fields {
				take(f, l.Value)
			}
		}
	}
}

// Scan goes through raw records. It calls take for the plain values of the fields,
// with the offset of each, and appends the offsets of places whose record must be
// walked, in no order. With lines, a record ends at its line end.
func (s *Fields) Scan(doubt []int, raw []byte, lines bool, take func(field int, value []byte, at int)) []int {
	if len(s.names) == 0 {
		return doubt
	}
	skip := func(at int) int { // to the end of a record in doubt
		doubt = append(doubt, at)
		if lines {
			if n := bytes.IndexByte(raw[at:], '\n'); n >= 0 {
				return at + n
			}
			return len(raw)
		}
		return at + 1
	}
	if s.always {
		for i := 0; i < len(raw); {
			i = skip(i) + 1
		}
		return doubt
	}
	for i := 0; i < len(raw); {
		n := bytes.IndexByte(raw[i:], '\\')
		if n < 0 {
			break
		}
		i += n
		if s.hides(raw[i:]) {
			i = skip(i)
		} else {
			i++
		}
	}
	for i := 0; i < len(raw); {
		n := bytes.IndexByte(raw[i:], ':')
		if n < 0 {
			break
		}
		i += n + 1
		k := i - 2
		for k >= 0 && (raw[k] == ' ' || raw[k] == '\t' || raw[k] == '\n' || raw[k] == '\r') {
			k--
		}
		if k < 1 {
			continue
		}
		if raw[k] != '"' {
			if raw[k-1] == '\\' && (raw[k] == 'n' || raw[k] == 't' || raw[k] == 'r') {
				i = skip(i - 1) // perhaps space before the colon, inside a string
			}
			continue
		}
		nested := raw[k-1] == '\\'
		for k--; k > 0 && raw[k] == '\\'; {
			k--
		}
		if !s.last[raw[k]] {
			continue
		}
		for j := range s.names {
			if !endsKey(raw[:k+1], s.names[j].name) {
				continue
			}
			var value []byte
			ok := false
			if !nested {
				value, ok = scalar(raw, i)
			}
			if !ok {
				i = skip(i - 1)
				break
			}
			if value != nil {
				for _, f := range s.names[j].fields {
					take(f, value, i-1)
				}
			}
		}
	}
	return doubt
}

// hides reports whether the escape that b begins with could be part of a key.
func (s *Fields) hides(b []byte) bool {
	if s.exotic {
		return true
	}
	if len(b) < 6 || b[1] != 'u' || b[2] != '0' || b[3] != '0' {
		return false
	}
	r, ok := hex4(b[2:])
	return ok && s.escape[r&0xff]
}

// endsKey reports whether b ends in a key that ends in name: the whole key, or its
// end after what looks like a path.
func endsKey(b []byte, name string) bool {
	n := len(b) - len(name)
	if n < 1 || string(b[n:]) != name {
		return false
	}
	switch b[n-1] {
	case '"', '\\', '.', ']', '}':
		return true
	}
	return false
}

// scalar returns the plain scalar after the colon that ends at raw[:i]; nil for
// null. ok is false where it has to be looked at closely.
func scalar(raw []byte, i int) (value []byte, ok bool) {
	for i < len(raw) && (raw[i] == ' ' || raw[i] == '\t') {
		i++
	}
	if i >= len(raw) {
		return nil, false
	}
	rest := raw[i:]
	switch rest[0] {
	case '"':
		n := bytes.IndexByte(rest[1:], '"')
		if n < 0 {
			return nil, false
		}
		value = rest[1 : n+1 : n+1]
		if bytes.IndexByte(value, '\\') >= 0 || bytes.IndexByte(value, '\n') >= 0 {
			return nil, false
		}
		if n > 0 && (value[0] == '{' || value[0] == '[' || value[0] == ' ') {
			return nil, false
		}
		return value, true
	case 't', 'f', 'n':
		for _, word := range [...]string{"true", "false", "null"} {
			if bytes.HasPrefix(rest, []byte(word)) {
				if word == "null" {
					return nil, true
				}
				return rest[:len(word):len(word)], true
			}
		}
		return nil, false
	}
	n := NumberLen(rest)
	if n == 0 {
		return nil, false
	}
	if digits, ok := AppendDigits(nil, rest[:n]); ok {
		return digits, true
	}
	return rest[:n:n], true
}
