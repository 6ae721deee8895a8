package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"expunge/pipeline"
)

// reader turns nodes into plain types and collects what is wrong with them.
type reader struct {
	file, dir string
	env       func(string) string
	problems  Problems
	warnings  []Problem
	knows     func(what string, keys []string) // told of every mapping and the keys it may have; nil but in tests
}

func (r *reader) fail(n *node, format string, args ...any) {
	r.problems = append(r.problems, Problem{r.file, n.line, n.col, fmt.Sprintf(format, args...)})
}

func (r *reader) warn(n *node, format string, args ...any) {
	r.warnings = append(r.warnings, Problem{r.file, n.line, n.col, fmt.Sprintf(format, args...)})
}

// object is a mapping with fixed keys.
type object struct {
	r      *reader
	n      *node
	what   string
	values map[string]*node
	places map[string]*node // of the keys
}

// object reads n as a mapping that has no keys but those.
func (r *reader) object(n *node, what string, keys ...string) object {
	o := object{r: r, n: n, what: what, values: map[string]*node{}, places: map[string]*node{}}
	if r.knows != nil {
		r.knows(what, keys)
	}
	if n.kind == null {
		return o
	}
	if !r.want(n, mapping, what) {
		return o
	}
	for _, e := range n.entries {
		at := &node{line: e.line, col: e.col}
		known := false
		for _, k := range keys {
			known = known || k == e.key
		}
		if !known {
			r.fail(at, "%s has no key %q%s", what, e.key, suggest(e.key, keys))
			continue
		}
		o.values[e.key], o.places[e.key] = e.value, at
	}
	return o
}

// each calls f for the entries of a mapping whose keys are names.
func (r *reader) each(n *node, what string, f func(key string, at, value *node)) {
	if n == nil || n.kind == null || !r.want(n, mapping, what) {
		return
	}
	for _, e := range n.entries {
		f(e.key, &node{line: e.line, col: e.col}, e.value)
	}
}

func (r *reader) want(n *node, kind nodeKind, what string) bool {
	if n.kind == kind {
		return true
	}
	switch {
	case kind == text && n.text != "":
		r.fail(n, "%s must be %s, not %s: put it in quotes, \"%s\"", what, kind, n.kind, n.text)
	default:
		r.fail(n, "%s must be %s, not %s", what, kind, n.kind)
	}
	return false
}

// key returns the value of a key, nil if it is not there.
func (o object) key(k string) *node { return o.values[k] }

// place is where to point when key k is wrong, or missing.
func (o object) place(k string) *node {
	if v := o.values[k]; v != nil && v.kind != null {
		return v
	}
	if p := o.places[k]; p != nil {
		return p
	}
	return o.n
}

func (o object) name(k string) string { return o.what + "'s " + k }

// text returns the text of a key, or def if it is not there. Empty is not text.
func (o object) text(k, def string) string {
	n := o.values[k]
	if n == nil {
		return def
	}
	if !o.r.want(n, text, o.name(k)) {
		return def
	}
	if strings.TrimSpace(n.text) == "" {
		o.r.fail(n, "%s is empty", o.name(k))
		return def
	}
	return n.text
}

// need is text that must be there.
func (o object) need(k string) string {
	if o.values[k] == nil && (o.n.kind == mapping || o.n.kind == null) {
		o.r.fail(o.n, "%s needs the key %q", o.what, k)
	}
	return o.text(k, "")
}

// choice is text out of a few.
func (o object) choice(k string, choices ...string) string {
	got := o.text(k, choices[0])
	for _, c := range choices {
		if got == c {
			return got
		}
	}
	o.r.fail(o.values[k], "%s cannot be %q%s", o.name(k), got, suggest(got, choices))
	return choices[0]
}

func (o object) flag(k string, def bool) bool {
	n := o.values[k]
	if n == nil || !o.r.want(n, boolean, o.name(k)) {
		return def
	}
	return n.text == "true"
}

func (o object) integer(k string, def, least int64) int64 {
	n := o.values[k]
	if n == nil || !o.r.want(n, integer, o.name(k)) {
		return def
	}
	v, err := strconv.ParseInt(strings.ReplaceAll(n.text, "_", ""), 10, 64)
	if err != nil || v < least {
		o.r.fail(n, "%s must be a whole number of at least %d", o.name(k), least)
		return def
	}
	return v
}

func (o object) fraction(k string, def float64) float64 {
	n := o.values[k]
	if n == nil {
		return def
	}
	if n.kind != integer && !o.r.want(n, number, o.name(k)) {
		return def
	}
	v, err := strconv.ParseFloat(n.text, 64)
	if err != nil || !(v >= 0 && v <= 1) {
		o.r.fail(n, "%s must be from 0 to 1", o.name(k))
		return def
	}
	return v
}

// duration reads "90s", "15m", "12h", "3d", "2w".
func (o object) duration(k string, def time.Duration) time.Duration {
	s := o.text(k, "")
	if s == "" {
		return def
	}
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	unit, ok := units[s[len(s)-1]]
	n, err := strconv.ParseInt(s[:len(s)-1], 10, 32)
	if !ok || err != nil || n < 0 || n > 36500 && unit >= time.Hour {
		o.r.fail(o.values[k], "%s must be a duration like 90s, 15m, 12h, 3d or 2w, not %q", o.name(k), s)
		return def
	}
	return time.Duration(n) * unit
}

func (o object) date(k string) *pipeline.Date {
	s := o.text(k, "")
	if s == "" {
		return nil
	}
	var d pipeline.Date
	if err := d.UnmarshalText([]byte(s)); err != nil {
		o.r.fail(o.values[k], "%s: %v", o.name(k), err)
		return nil
	}
	return &d
}

// texts is a list of texts; unique, none empty.
func (o object) texts(k string) []string {
	n := o.values[k]
	if n == nil || n.kind == null || !o.r.want(n, list, o.name(k)) {
		return nil
	}
	var out []string
	seen := map[string]bool{}
	for _, item := range n.items {
		switch {
		case !o.r.want(item, text, "an element of "+o.name(k)):
		case strings.TrimSpace(item.text) == "":
			o.r.fail(item, "an element of %s is empty", o.name(k))
		case seen[item.text]:
			o.r.fail(item, "%s has %q twice", o.name(k), item.text)
		default:
			seen[item.text] = true
			out = append(out, item.text)
		}
	}
	return out
}

// items are the elements of a list.
func (o object) items(k string) []*node {
	n := o.values[k]
	if n == nil || n.kind == null || !o.r.want(n, list, o.name(k)) {
		return nil
	}
	return n.items
}

// expand resolves ${NAME} in a setting, so that one config serves several places.
func (o object) expand(k, s string) string {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(s, "${")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		name, after, closed := strings.Cut(rest, "}")
		switch {
		case !closed || !validName(name):
			o.r.fail(o.place(k), "%s has a ${ that is not ${NAME}", o.name(k))
			return ""
		case o.r.env == nil || o.r.env(name) == "":
			o.r.fail(o.place(k), "%s: environment variable %s is not set", o.name(k), name)
			return ""
		}
		out.WriteString(o.r.env(name))
		s = after
	}
}
