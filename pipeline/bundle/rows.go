package bundle

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"

	"expunge/pipeline"
)

// more is the column of what a table has no room for: a JSON object of these members.
const more = "_more"

// reserved are the names of the bundle's own columns.
func reserved() map[string]bool {
	return map[string]bool{"_object": true, "_version": true, "_record": true, "_matched_kinds": true, "_matched_fields": true, "_tier": true, more: true}
}

// survey is pass 1: columns, categories and counts of all rows.
func (w *writer) survey() error {
	for row, err := range w.rows() {
		if err != nil {
			return err
		}
		s, err := w.set(row.Found.Dataset)
		if err != nil {
			return err
		}
		w.count(s, row)
		if row.Found.Record < 0 {
			s.objects++
			continue
		}
		s.rows++
		v, src, ok, err := s.read(row)
		switch {
		case err != nil:
			return err
		case !ok:
			s.malformed++
		case src == nil:
			s.root.see(v)
		default:
			s.root.seeType(src)
		}
	}
	return nil
}

// rows yields the rows within the window.
func (w *writer) rows() func(func(Row, error) bool) {
	return func(yield func(Row, error) bool) {
		for row, err := range w.Rows() {
			if err != nil {
				yield(Row{}, fmt.Errorf("read rows of request %s: %w", w.Request.Ref(), err))
				return
			}
			if w.Request.InWindow(w.Zone, row.Found.Time) && !yield(row, nil) {
				return
			}
		}
	}
}

func (w *writer) set(name string) (*set, error) {
	if s := w.datasets[name]; s != nil {
		return s, nil
	}
	for i := range w.Datasets {
		if d := &w.Datasets[i]; d.Name == name {
			s := &set{dataset: d, root: newRoot(), agent: agentPaths(d), schemas: map[string]types{}}
			w.datasets[name] = s
			return s, nil
		}
	}
	return nil, fmt.Errorf("read rows of request %s: dataset %q is not declared", w.Request.Ref(), name)
}

// read gives a row as the bundle shows it, with its types where the source has
// any; ok is false for a record that cannot be read.
func (s *set) read(row Row) (v value, src arrow.DataType, ok bool, err error) {
	if row.Found.Doc == nil {
		return value{kind: isObject}, nil, false, nil
	}
	v, perr := parse(row.Found.Doc)
	if perr != nil {
		return value{kind: isObject}, nil, false, nil
	}
	others := foreign(&row.Found.Hit, s.dataset)
	var t types
	if row.Found.Schema != nil {
		if t, ok = s.schemas[string(row.Found.Schema)]; !ok {
			if t.named, err = readSchema(row.Found.Schema, true); err == nil {
				t.own, err = readSchema(row.Found.Schema, false)
			}
			if err != nil {
				return value{}, nil, false, err
			}
			s.schemas[string(row.Found.Schema)] = t
		}
		v.mask(s.agent, "[agent]", t.own)
		v.mask(others, "[other side]", t.own)
		src = t.named
	} else {
		v.mask(s.agent, "[agent]", nil)
		v.mask(others, "[other side]", nil)
	}
	if v.kind != isObject { // a line that is a list or a plain value
		v = value{kind: isObject, names: []string{"value"}, items: []value{v}}
	}
	v.distinct(reserved())
	return v, src, true, nil
}

// foreign are the fields of a record that it does not say to be the consumer's, but for
// those in which the consumer was found. Of a record that only mentions the consumer, they
// are all that are declared to hold an identifier.
func foreign(h *pipeline.Hit, d *pipeline.Dataset) []string {
	paths := slices.Clone(h.Foreign)
	if h.Mentions() {
		for _, f := range d.Fields {
			if f.Kind != "" && !f.Text && f.Party == pipeline.Consumer {
				paths = append(paths, f.Path)
			}
		}
	}
	return slices.DeleteFunc(paths, func(path string) bool {
		return slices.ContainsFunc(h.Why, func(e pipeline.Evidence) bool { return e.Path == path })
	})
}

// why lists by what kinds and in which fields a row was found.
func why(h *pipeline.Hit) (kinds, fields []string) {
	seenKind, seenField := map[string]bool{}, map[string]bool{}
	for _, e := range h.Why {
		if k := string(e.Kind); !seenKind[k] {
			seenKind[k] = true
			kinds = append(kinds, k)
		}
		if !seenField[e.Path] {
			seenField[e.Path] = true
			fields = append(fields, e.Path)
		}
	}
	sort.Strings(kinds)
	sort.Strings(fields)
	return kinds, fields
}

// shown names the object without what its key says of a person.
func shown(o pipeline.ObjectRef) string {
	if o.Shown == "" && !o.Identifying {
		return o.URL
	}
	return o.Shown
}

// extension is that of an object's key, if it is harmless as a file name.
func extension(o pipeline.ObjectRef) string {
	name := o.URL[strings.LastIndexByte(o.URL, '/')+1:]
	i := strings.LastIndexByte(name, '.')
	if i < 0 || len(name)-i > 9 || i+1 == len(name) {
		return ""
	}
	for _, c := range name[i+1:] {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return ""
		}
	}
	switch ext := strings.ToLower(name[i:]); ext {
	case ".html", ".htm", ".svg", ".js", ".exe", ".bat", ".cmd", ".com", ".sh", ".ps1", ".lnk", ".xhtml", ".xml", ".hta", ".vbs", ".msi", ".scr", ".jar", ".app":
		return ".bin" // must not run where someone opens it
	default:
		return ext
	}
}
