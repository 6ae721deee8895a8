package bundle

import (
	"strings"

	"github.com/apache/arrow/go/v15/arrow"

	"expunge/pipeline"
)

// agentPaths are the fields of a dataset that hold someone else's data.
func agentPaths(d *pipeline.Dataset) []string {
	var paths []string
	for _, f := range d.Fields {
		if f.Party == pipeline.Agent {
			paths = append(paths, f.Path)
		}
	}
	return paths
}

// mask replaces what the paths lead to: strings by a word, others by null. t is the
// type of v where the source has types.
func (v *value) mask(paths []string, word string, t arrow.DataType) {
	if len(paths) == 0 {
		return
	}
	for _, p := range paths {
		if p == "" {
			v.hide(word, t)
			return
		}
	}
	switch v.kind {
	case isObject:
		for i, n := range v.names {
			v.items[i].mask(append(step(paths, n), step(paths, "{}")...), word, memberType(t, n))
		}
	case isList:
		if m, ok := t.(*arrow.MapType); ok { // entries {"key","value"}
			below := step(paths, "{}")
			for i := range v.items {
				entry := &v.items[i]
				for j, n := range entry.names {
					if n == "key" {
						entry.items[j].maskKey(below, word)
					} else {
						entry.items[j].mask(below, word, m.ItemType())
					}
				}
			}
			return
		}
		var elem arrow.DataType
		if l, ok := t.(arrow.ListLikeType); ok {
			elem = l.Elem()
		}
		for i := range v.items {
			v.items[i].mask(step(paths, "[]"), word, elem)
		}
	case isString: // paths go on into JSON within strings
		s := strings.TrimSpace(v.text)
		if t != nil && t.ID() != arrow.STRING || s == "" || s[0] != '{' && s[0] != '[' && s[0] != '"' {
			return
		}
		inner, err := parse([]byte(s))
		if err != nil {
			return
		}
		before := string(inner.json(nil))
		inner.mask(paths, word, nil)
		if after := string(inner.json(nil)); after != before {
			v.text = after
		}
	}
}

// maskKey hides a map's key, which cannot be null.
func (v *value) maskKey(paths []string, word string) {
	for _, p := range paths {
		if p == "" && v.kind == isString {
			v.text = word
		}
	}
}

func (v *value) hide(word string, t arrow.DataType) {
	if v.kind == isString && (t == nil || t.ID() == arrow.STRING) {
		v.text = word
		return
	}
	*v = value{}
}

func memberType(t arrow.DataType, name string) arrow.DataType {
	if s, ok := t.(*arrow.StructType); ok {
		if f, ok := s.FieldByName(name); ok {
			return f.Type
		}
	}
	return nil
}

// step returns what is left of the paths that begin with name. Names may hold
// dots and brackets themselves, so a path is not cut beforehand.
func step(paths []string, name string) []string {
	var left []string
	for _, p := range paths {
		rest, ok := strings.CutPrefix(p, name)
		if !ok {
			rest, ok = strings.CutPrefix(p, "."+name)
		}
		switch {
		case !ok:
		case rest == "" || strings.HasPrefix(rest, "[]") || strings.HasPrefix(rest, "{}"):
			left = append(left, rest)
		case rest[0] == '.':
			left = append(left, rest)
		}
	}
	return left
}
