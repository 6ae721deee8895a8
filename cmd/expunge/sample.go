package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/identity"
	"expunge/pipeline/naming"
	"expunge/pipeline/record"
	"expunge/scanners"
)

// Bounds of a sample.
const (
	sampleRecords = 200  // of one object
	samplePaths   = 2000 // told apart in a dataset
)

// sample is what some records of some objects of a dataset look like. It names
// fields, never values.
type sample struct {
	Dataset   string   `json:"dataset"`
	Objects   int      `json:"objects"`
	Records   int64    `json:"records"`
	NotSeen   []string `json:"declared_not_seen"`      // fields that the config declares and no record has
	Likely    []likely `json:"undeclared_identifiers"` // fields that look like identifiers and are not declared
	NoAccount int64    `json:"records_without_account"`
	NoTime    int64    `json:"records_with_unread_time"`

	NoRole  map[string]int64 `json:"records_without_role,omitempty"` // by field: those that do not say whether it is the consumer's
	Refused []string         `json:"refused"`                        // objects that could not be sampled, and why

	seen  map[string]*looks
	known map[string]bool // declared paths that were seen
}

// likely is an undeclared field whose values look like identifiers.
type likely struct {
	Field   string        `json:"field"`
	Kind    pipeline.Kind `json:"kind"`
	Records int64         `json:"records"`
}

// looks counts what the values of an undeclared field look like.
type looks map[pipeline.Kind]int64

// enough ends a sample.
type enough struct{}

func (enough) Error() string { return "sampled" }

// sample reads some records of each of some objects.
func (a *app) sample(ctx context.Context, stores map[string]connectors.Store, names *naming.Names, d *pipeline.Dataset, objects []pipeline.Object) *sample {
	s := &sample{Dataset: d.Name, NotSeen: []string{}, Likely: []likely{}, Refused: []string{}, seen: map[string]*looks{}, known: map[string]bool{}, NoRole: map[string]int64{}}
	for i := range objects {
		if err := a.sampleObject(ctx, stores[objects[i].Store], names.Shown(&objects[i]), d, &objects[i], s); err != nil {
			s.Refused = append(s.Refused, err.Error())
			continue
		}
		s.Objects++
	}
	s.judge(d)
	return s
}

func (a *app) sampleObject(ctx context.Context, store connectors.Store, shown string, d *pipeline.Dataset, o *pipeline.Object, s *sample) error {
	in := scanners.Input{
		Name: shown, Ext: scanners.Ext(o.Key), Size: o.Size, Every: true,
		Layout: scanners.Layout{Header: d.CSV.Header, Delimiter: d.CSV.Delimiter, Columns: d.CSV.Columns},
		Open:   openObject(store, o.Ref),
	}
	format := d.Format
	if format == "auto" {
		var err error
		if format, err = detectFormat(ctx, in); err != nil {
			return discreet(shown, err)
		}
	}
	scanner := formats()[format]
	if scanner == nil {
		return fmt.Errorf("%s: format %q is not read: such objects will be refused", shown, format)
	}
	if format == "media" || format == "text" {
		return nil
	}
	finder := identity.Compile(identity.Key{}, a.cfg.Policy.DefaultRegion, nil).Finder(identity.FinderOptions{Fields: d.Fields})
	accounts := a.cfg.AccountIDs()
	records := 0
	_, err := scanner.Scan(ctx, in, finder, func(r *scanners.Record) error {
		s.record(r, finder, d, accounts)
		if records++; records == sampleRecords {
			return enough{}
		}
		return nil
	})
	if err != nil && !errors.Is(err, enough{}) {
		return discreet(shown, err)
	}
	return nil
}

// discreet is an error of an object without the store's words, which name its key.
func discreet(shown string, err error) error {
	if r := (*scanners.Refusal)(nil); errors.As(err, &r) && r.Code != scanners.Unreadable {
		return err // in the scanner's words: it knows the object by the name that is shown
	}
	return fmt.Errorf("%s: %w", shown, cause(err))
}

func (s *sample) record(r *scanners.Record, finder *identity.Finder, d *pipeline.Dataset, accounts map[string]string) {
	s.Records++
	account, dated, read := d.Account == "", false, false
	roles := record.NewRoles(r)
	for _, leaf := range r.Leaves {
		if b := d.Business; leaf.Path == d.Time || leaf.Path == d.Account || b != nil && (leaf.Path == b.From || leaf.Path == b.To) {
			s.known[leaf.Path] = true
			account = account || leaf.Path == d.Account && accounts[string(leaf.Value)] != ""
			if leaf.Path == d.Time && len(leaf.Value) > 0 {
				_, ok := record.ParseTime(string(leaf.Value), d.Zone)
				dated, read = true, read || ok
			}
			continue
		}
		if f := finder.Declared(leaf.Path); f != nil {
			s.known[f.Path] = true
			if roles.Of(f) == record.Untold {
				s.NoRole[f.Path]++
			}
			continue
		}
		kind := looksLike(leaf.Path, string(leaf.Value))
		if kind == "" {
			continue
		}
		p := s.seen[leaf.Path]
		if p == nil {
			if len(s.seen) == samplePaths { // names in maps are data: there is no end to them
				continue
			}
			p = &looks{}
			s.seen[leaf.Path] = p
		}
		(*p)[kind]++
	}
	if !account {
		s.NoAccount++
	}
	if dated && !read {
		s.NoTime++
	}
}

// looksLike guesses from its form, and for phones from the field's name, too, what
// kind of identifier a value may be.
func looksLike(path, value string) pipeline.Kind {
	if len(value) < 7 || len(value) > 254 {
		return ""
	}
	valid := func(kind pipeline.Kind) bool {
		_, err := identity.Normalise(kind, pipeline.Secret(value), "US")
		return err == nil
	}
	switch {
	case strings.Contains(value, "@") && valid(pipeline.Email):
		return pipeline.Email
	case strings.Count(value, ".") == 3 && valid(pipeline.IP):
		return pipeline.IP
	case len(value) > 20 || !strings.ContainsAny(value, "0123456789"):
		return ""
	}
	name := strings.ToLower(path)
	named := strings.Contains(name, "phone") || strings.Contains(name, "number") || strings.Contains(name, "caller") || strings.Contains(name, "mobile")
	if (value[0] == '+' || value[0] == '(' || named) && valid(pipeline.Phone) {
		return pipeline.Phone
	}
	return ""
}

// judge sums up when all records were seen.
func (s *sample) judge(d *pipeline.Dataset) {
	if s.Records == 0 {
		return
	}
	want := []string{d.Time, d.Account}
	if d.Business != nil {
		want = append(want, d.Business.From, d.Business.To)
	}
	for _, f := range d.Fields {
		want = append(want, f.Path)
	}
	for _, p := range want {
		if p != "" && !s.known[p] && !slices.Contains(s.NotSeen, p) {
			s.NotSeen = append(s.NotSeen, p)
		}
	}
	shown := map[likely]int64{} // by name and kind: names in maps that were hidden are one
	for name, kinds := range s.seen {
		for kind, n := range *kinds {
			shown[likely{Field: naming.Mask(name), Kind: kind}] += n
		}
	}
	for l, n := range shown {
		l.Records = n
		s.Likely = append(s.Likely, l)
	}
	slices.SortFunc(s.Likely, func(a, b likely) int {
		if c := strings.Compare(a.Field, b.Field); c != 0 {
			return c
		}
		return strings.Compare(string(a.Kind), string(b.Kind))
	})
}

// findings are what a person should look at.
func (s *sample) findings(d *pipeline.Dataset) []finding {
	var out []finding
	say := func(format string, args ...any) { out = append(out, finding{d.Name, fmt.Sprintf(format, args...)}) }
	for _, r := range s.Refused {
		say("%s", r)
	}
	for _, p := range s.NotSeen {
		what := "field"
		switch p {
		case d.Time:
			what = "time field"
		case d.Account:
			what = "account field"
		}
		say("%s %q is in none of %s of %s: is it mistyped?", what, p, pipeline.Count(s.Records, "record", "records"), pipeline.Count(s.Objects, "object", "objects"))
	}
	if s.NoAccount > 0 && s.known[d.Account] {
		say("%s sampled whose %q names no account of the config: they are UNATTRIBUTED", pipeline.Count(s.NoAccount, "record was", "records were"), d.Account)
	}
	if s.NoTime > 0 {
		say("%s sampled whose %q is no time that is read: they count as undated, which a deletion's cut-off and a request's window do not bound", pipeline.Count(s.NoTime, "record was", "records were"), d.Time)
	}
	for _, f := range d.Fields {
		if n := s.NoRole[f.Path]; n > 0 {
			say("%s sampled whose %q does not say whether %q is the consumer's: what is found there goes to review", pipeline.Count(n, "record was", "records were"), f.When.Field, f.Path)
		}
	}
	for _, l := range s.Likely {
		if d.Search {
			say("field %q looks like %s in %s, and is not declared: it is searched, but declare it so that it links and has a category", l.Field, l.Kind, pipeline.Count(l.Records, "record", "records"))
		} else {
			say("field %q looks like %s in %s, is not declared, and undeclared: ignore leaves it out", l.Field, l.Kind, pipeline.Count(l.Records, "record", "records"))
		}
	}
	return out
}
