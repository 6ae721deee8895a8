package main

import (
	"context"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"expunge/pipeline"
	"expunge/pipeline/naming"
)

// objectPattern is a pattern of object URLs that a person gave.
type objectPattern struct {
	store, url string // that it begins with; the URL ends in a slash
	full       string // what it matches by
	shown      string // as outputs show it: redacted where full may name somebody
}

// objectPattern reads a pattern of object URLs, or of STORE/KEY; what says where it stood.
func (a *app) objectPattern(ctx context.Context, what, given string) (*objectPattern, error) {
	stores, err := a.stores(ctx)
	if err != nil {
		return nil, err
	}
	var known []string
	store, base, rest := "", "", ""
	for name, s := range stores {
		url := strings.TrimSuffix(s.URL(), "/") + "/"
		known = append(known, name+" ("+url+")")
		if below, ok := strings.CutPrefix(given, url); ok && len(url) > len(base) { // one store may lie in another
			store, base, rest = name, url, below
		}
		if below, ok := strings.CutPrefix(given, name+"/"); ok && store == "" {
			store, base, rest = name, url, below
		}
	}
	if store == "" {
		slices.Sort(known)
		return nil, usage("%s begins with no store of the config, by name or URL; it has: %s", what, strings.Join(known, ", "))
	}
	shown, err := a.shownPattern(a.names(stores), store, rest)
	return &objectPattern{store: store, url: base, full: base + rest, shown: base + shown}, err
}

// stars are segments of which nothing can name anybody.
var stars = regexp.MustCompile(`^\*+$`)

// shownPattern is a pattern of keys as outputs show it. Its segments name whom the
// captures of a dataset, or what they look like, say that a key names; what follows a ** may
// stand for any capture, and is hidden wherever a dataset of the store has one that names
// somebody.
func (a *app) shownPattern(names *naming.Names, store, pattern string) (string, error) {
	matcher, err := a.cfg.Matcher()
	if err != nil {
		return "", &coded{exitUsage, err}
	}
	masked := func(pattern string) (shown string, claimed bool) {
		readings := []string{pattern}
		if plain, err := url.PathUnescape(pattern); err == nil && plain != pattern {
			readings = append(readings, plain)
		}
		for _, key := range readings {
			o := pipeline.Object{}
			o.Store, o.Key = store, key
			if o.Dataset, o.Captures, err = matcher.Find(store, key); err != nil {
				o.Dataset = -1
			}
			claimed = claimed || o.Dataset >= 0
			if ref := names.Ref(&o); ref.Identifying {
				shown := strings.TrimPrefix(ref.Shown, strings.TrimSuffix(names.URLs[store], "/")+"/")
				return strings.ReplaceAll(shown, "%2A", "*"), claimed
			}
		}
		return pattern, claimed
	}
	shown, claimed := masked(pattern)
	head, tail, crosses := strings.Cut(pattern, "**")
	if claimed || !crosses || !a.namesSomebody(store) {
		return shown, nil
	}
	head, _ = masked(head)
	segments := strings.Split(tail, "/")
	for i, s := range segments {
		if s != "" && !stars.MatchString(s) {
			segments[i] = "{hidden}"
		}
	}
	return head + "**" + strings.Join(segments, "/"), nil
}

// namesSomebody reports whether keys of a store may name a person.
func (a *app) namesSomebody(store string) bool {
	for i := range a.cfg.Datasets {
		d := &a.cfg.Datasets[i]
		if first, _, _ := strings.Cut(d.At, "/"); first != store {
			continue
		}
		for _, f := range d.Object {
			if f.Kind.Identifies() {
				return true
			}
		}
	}
	return false
}

// fit is what fits a pattern of URLs, as far as the beginning of a listing shows.
type fit struct {
	declared, undeclared int  // objects of datasets, and of none
	looked               int  // objects that were listed
	more                 bool // there are others
}

// at says which objects were looked at.
func (f *fit) at() string {
	if f.more {
		return "the first " + pipeline.Count(f.looked, "object", "objects") + " listed there"
	}
	return pipeline.Count(f.looked, "object", "objects") + " listed there"
}

// fits looks at the first most objects whose keys begin as a pattern does. Those whose key
// names another account than the given one ("": any) do not fit.
func (a *app) fits(ctx context.Context, p *objectPattern, account string, most int) (*fit, error) {
	stores, err := a.stores(ctx)
	if err != nil {
		return nil, err
	}
	matcher, err := a.cfg.Matcher()
	if err != nil {
		return nil, &coded{exitUsage, err}
	}
	names, glob, out := a.names(stores), naming.NewGlob(p.full), new(fit)
	prefix := strings.TrimPrefix(p.full, p.url)
	if i := strings.IndexAny(prefix, "*{%"); i >= 0 { // from there on it may be written in another way
		prefix = prefix[:i]
	}
	for o, err := range stores[p.store].List(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		if out.looked == most {
			out.more = true
			break
		}
		out.looked++
		object := pipeline.Object{}
		object.Store, object.Key = p.store, o.Key
		if object.Dataset, object.Captures, err = matcher.Find(p.store, o.Key); err != nil {
			return nil, err
		}
		if !glob.Match(names.Written(p.store, o.Key, names.Shown(&object))) {
			continue
		}
		if of, ok := a.cfg.AccountOf(object.Captures["account"]); ok && account != "" && of != account {
			continue
		}
		if object.Dataset >= 0 {
			out.declared++
		} else {
			out.undeclared++
		}
	}
	return out, nil
}
