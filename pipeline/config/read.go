package config

import (
	"cmp"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"expunge/pipeline"
	"expunge/pipeline/seal"
)

const day = 24 * time.Hour

// fileSafe is what names that become file names and columns look like.
var fileSafe = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

const fileSafeRule = "letters, digits, '.', '_' and '-', at most 64, a letter or digit first"

func (r *reader) config(root *node) *Config {
	o := r.object(root, "the config", "version", "name", "work", "signing", "approvers", "stores", "policy", "ignore", "bundles", "accounts", "datasets")
	c := &Config{}
	if v := o.key("version"); v == nil {
		r.fail(root, `the config needs the key "version"`)
	} else if v.kind != integer || v.text != "1" {
		r.fail(v, "the config's version must be 1, the only one there is")
	}
	c.Name = o.need("name")
	if c.Name != "" && !fileSafe.MatchString(c.Name) {
		r.fail(o.place("name"), "the config's name %q is not file-safe (%s)", c.Name, fileSafeRule)
	}
	c.Work = r.work(o)
	c.Signing = r.signing(o)
	c.Approvers = r.approvers(o.key("approvers"))
	c.Stores = r.stores(o, c.Work.Store)
	c.Policy = r.policy(o.key("policy"))
	if c.Policy.Approval == "automatic" && len(c.Approvers) > 0 {
		r.fail(o.place("approvers"), "approvers sign what they approve, so policy's approval cannot be automatic: leave one of the two out")
	}
	c.Ignore = r.ignores(o, c.Stores)
	c.Bundles = r.bundles(o.key("bundles"))
	c.Accounts = r.accounts(o)
	c.Datasets = r.datasets(o, c)
	r.exceptions(o, c)
	c.Kinds = kinds(c.Datasets)
	return c
}

var storeKeys = []string{"url", "endpoint", "path_style", "region", "profile", "versions"}

func (r *reader) work(root object) Work {
	n := root.key("work")
	if n == nil {
		r.fail(root.n, `the config needs the key "work"`)
		return Work{}
	}
	o := r.object(n, "work", append([]string{"key_env", "old_key_envs"}, storeKeys...)...)
	w := Work{Store: r.store("work", o), KeyEnv: r.variable(o, "key_env", "EXPUNGE_KEY"), OldKeyEnvs: o.texts("old_key_envs")}
	for _, v := range w.OldKeyEnvs {
		if !validName(v) {
			r.fail(o.place("old_key_envs"), "work's old_key_envs: %q is not the name of an environment variable", v)
		}
		if v == w.KeyEnv {
			r.fail(o.place("old_key_envs"), "work's old_key_envs names the current key's variable %s", v)
		}
	}
	return w
}

func (r *reader) signing(root object) Signing {
	n := root.key("signing")
	if n == nil {
		return Signing{KeyEnv: "EXPUNGE_SIGNING_KEY"}
	}
	o := r.object(n, "signing", "key_env", "old_public_keys")
	out := Signing{KeyEnv: r.variable(o, "key_env", "EXPUNGE_SIGNING_KEY")}
	for _, line := range o.texts("old_public_keys") {
		key, err := seal.ParsePublic(line)
		if err != nil {
			r.fail(o.place("old_public_keys"), "signing's old_public_keys: %v", err)
			continue
		}
		out.OldKeys = append(out.OldKeys, key)
	}
	return out
}

func (r *reader) variable(o object, k, def string) string {
	v := o.text(k, def)
	if !validName(v) {
		// The text is not shown: it may be a key that was put here by mistake.
		r.fail(o.place(k), "%s must be the NAME of an environment variable, not its content", o.name(k))
	}
	return v
}

func (r *reader) approvers(n *node) []Approver {
	var out []Approver
	r.each(n, "approvers", func(name string, _, v *node) {
		o := r.object(v, "approver "+name, "public_key")
		line := o.need("public_key")
		if line == "" {
			return
		}
		key, err := seal.ParsePublic(line)
		if err != nil {
			r.fail(o.place("public_key"), "approver %s's public_key: %v", name, err)
		}
		out = append(out, Approver{name, key})
	})
	slices.SortFunc(out, func(a, b Approver) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func (r *reader) stores(root object, work Store) []Store {
	var out []Store
	r.each(root.key("stores"), "stores", func(name string, at, v *node) {
		if !fileSafe.MatchString(name) {
			r.fail(at, "store %q is not file-safe (%s)", name, fileSafeRule)
		}
		s := r.store(name, r.object(v, "store "+name, storeKeys...))
		for _, other := range append(slices.Clone(out), work) {
			if s.overlaps(other) {
				what := "store " + other.Name
				if other.Name == work.Name && other.URL == work.URL {
					what = "the work store"
				}
				r.fail(at, "store %s and %s hold the same objects: %s and %s", name, what, s.URL, other.URL)
			}
		}
		out = append(out, s)
	})
	if len(out) == 0 && len(r.problems) == 0 {
		r.fail(root.place("stores"), "the config needs at least one store under \"stores\"")
	}
	slices.SortFunc(out, func(a, b Store) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func (r *reader) store(name string, o object) Store {
	s := Store{Name: name, PathStyle: o.flag("path_style", false), Versions: o.choice("versions", "all", "current") == "all"}
	for _, k := range []struct {
		to  *string
		key string
	}{{&s.Endpoint, "endpoint"}, {&s.Region, "region"}, {&s.Profile, "profile"}} {
		*k.to = o.expand(k.key, o.text(k.key, ""))
	}
	s.URL = o.expand("url", o.need("url"))
	if s.URL == "" {
		return s
	}
	scheme, rest, found := strings.Cut(s.URL, "://")
	switch {
	case found && scheme == "s3":
		s.Bucket, s.Prefix, _ = strings.Cut(rest, "/")
		s.Prefix = strings.Trim(s.Prefix, "/")
		if s.Prefix != "" {
			s.Prefix += "/"
		}
		if s.Bucket == "" {
			r.fail(o.place("url"), "%s names no bucket: write s3://bucket or s3://bucket/prefix", o.name("url"))
		}
	case found && scheme == "file":
		u, err := url.Parse(s.URL)
		if err != nil || u.Host != "" {
			r.fail(o.place("url"), "%s: a file URL has three slashes, file:///path", o.name("url"))
			return s
		}
		s.Dir = filepath.Clean(u.Path)
	case found:
		r.fail(o.place("url"), "%s: no store for %q: write s3://bucket/prefix or a directory", o.name("url"), scheme+"://")
	default:
		s.Dir = s.URL
		if !filepath.IsAbs(s.Dir) {
			s.Dir = filepath.Join(r.dir, s.Dir)
		}
		s.Dir = filepath.Clean(s.Dir)
		s.URL = s.Dir
	}
	if s.Dir != "" {
		for _, k := range []string{"endpoint", "path_style", "region", "profile"} {
			if o.key(k) != nil {
				r.fail(o.places[k], "%s: a directory has none", o.name(k))
			}
		}
	}
	if s.Endpoint != "" {
		if u, err := url.Parse(s.Endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			r.fail(o.place("endpoint"), "%s must be a URL like https://host:9000", o.name("endpoint"))
		}
	}
	return s
}

// overlaps reports whether an object of s could be one of t.
func (s Store) overlaps(t Store) bool {
	switch {
	case s.Dir != "" && t.Dir != "":
		a, b := strings.TrimSuffix(s.Dir, "/")+"/", strings.TrimSuffix(t.Dir, "/")+"/"
		return strings.HasPrefix(a, b) || strings.HasPrefix(b, a)
	case s.Bucket != "" && t.Bucket != "":
		return s.Bucket == t.Bucket && s.Endpoint == t.Endpoint && (strings.HasPrefix(s.Prefix, t.Prefix) || strings.HasPrefix(t.Prefix, s.Prefix))
	}
	return false
}

func (r *reader) policy(n *node) Policy {
	if n == nil {
		n = &node{kind: null}
	}
	o := r.object(n, "policy", "approval", "max_erase_fraction", "min_records", "max_run_records", "noncurrent", "cutoff", "default_region", "timezone", "verify_period", "data_points")
	p := Policy{
		Approval:         o.choice("approval", "required", "automatic"),
		MaxEraseFraction: o.fraction("max_erase_fraction", 0.05),
		MinRecords:       o.integer("min_records", 1000, 0),
		MaxRunRecords:    o.integer("max_run_records", 1_000_000, 0),
		Noncurrent:       o.choice("noncurrent", "delete", "keep"),
		Cutoff:           o.choice("cutoff", "run", "received"),
		DefaultRegion:    o.text("default_region", "US"),
		VerifyPeriod:     o.duration("verify_period", 30*day),
		DataPoints:       r.dataPoints(o),
	}
	if len(p.DefaultRegion) != 2 || strings.ToUpper(p.DefaultRegion) != p.DefaultRegion {
		r.fail(o.place("default_region"), "policy's default_region must be two capital letters (ISO 3166), as in US")
	}
	zone := o.text("timezone", "UTC")
	loc, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" {
		r.fail(o.place("timezone"), "policy's timezone %q is not known: write UTC or a name like America/New_York", zone)
		loc = time.UTC
	}
	p.Timezone = loc
	return p
}

// dataPoints reads how many data points each right needs. An opt-out may not be made to
// hang on them (11 CCR 7060(b)), and to correct is not carried out.
func (r *reader) dataPoints(root object) DataPoints {
	n := root.key("data_points")
	if n == nil {
		return nil
	}
	o := r.object(n, root.name("data_points"), string(pipeline.Access), string(pipeline.Know), string(pipeline.Delete))
	points := DataPoints{}
	for _, right := range []pipeline.Right{pipeline.Access, pipeline.Know, pipeline.Delete} {
		if o.key(string(right)) != nil {
			points[right] = int(o.integer(string(right), 0, 0))
		}
	}
	return points
}

func (r *reader) ignores(root object, stores []Store) []Ignore {
	var out []Ignore
	for _, n := range root.items("ignore") {
		o := r.object(n, "ignore", "at", "reason")
		i := Ignore{At: o.need("at"), Reason: o.need("reason")}
		if i.At != "" {
			i.Pattern = r.pattern(o.place("at"), "ignore", i.At, stores)
		}
		out = append(out, i)
	}
	return out
}

// pattern compiles an `at` and checks its store; nil where it is wrong.
func (r *reader) pattern(at *node, what, text string, stores []Store) *Pattern {
	p, err := Compile(text)
	if err != nil {
		r.fail(at, "%s's at: %v", what, err)
		return nil
	}
	var names []string
	for _, s := range stores {
		if s.Name == p.Store() {
			return p
		}
		names = append(names, s.Name)
	}
	r.fail(at, "%s's at begins with %q, which is no store%s", what, p.Store(), suggest(p.Store(), names))
	return nil
}

func (r *reader) bundles(n *node) Bundles {
	if n == nil {
		n = &node{kind: null}
	}
	o := r.object(n, "bundles", "encryption", "keep")
	return Bundles{Encryption: o.choice("encryption", "parquet", "none"), Keep: o.duration("keep", 90*day)}
}

func (r *reader) accounts(root object) []Account {
	var out []Account
	owner := map[string]string{}
	claim := func(at *node, account, id string) {
		if other, taken := owner[id]; taken && other != account {
			r.fail(at, "%q belongs to account %s and to account %s: no record of it could be attributed", id, other, account)
		}
		owner[id] = account
	}
	r.each(root.key("accounts"), "accounts", func(name string, at, _ *node) {
		if !fileSafe.MatchString(name) {
			r.fail(at, "account %q is not file-safe (%s); other names go in its ids", name, fileSafeRule)
		}
		claim(at, name, name)
	})
	r.each(root.key("accounts"), "accounts", func(name string, _, v *node) {
		o := r.object(v, "account "+name, "ids", "business_numbers", "review", "data_points", "exceptions")
		a := Account{Name: name, IDs: o.texts("ids"), BusinessNumbers: o.texts("business_numbers"), DataPoints: r.dataPoints(o)}
		for _, item := range o.items("ids") {
			if item.kind == text {
				claim(item, name, item.text)
			}
		}
		for _, item := range o.items("business_numbers") {
			if item.kind == text && !hasDigits(item.text, 3) {
				r.fail(item, "account %s's business_numbers: an element is no phone number", name)
			}
		}
		for _, item := range o.items("review") {
			tiers := []string{string(pipeline.Normalised), string(pipeline.Hashed), string(pipeline.Linked)}
			if item.kind == text && !slices.Contains(tiers, item.text) {
				r.fail(item, "account %s's review cannot be %q%s", name, item.text, suggest(item.text, tiers))
			}
		}
		for _, tier := range o.texts("review") {
			a.Review = append(a.Review, pipeline.Tier(tier))
		}
		out = append(out, a)
	})
	if len(out) == 0 {
		r.fail(root.place("accounts"), "the config needs at least one account under \"accounts\"")
	}
	slices.SortFunc(out, func(a, b Account) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func hasDigits(s string, n int) bool {
	for _, c := range s {
		if c >= '0' && c <= '9' {
			n--
		}
	}
	return n <= 0
}

func kinds(datasets []pipeline.Dataset) []pipeline.Kind {
	known := pipeline.Kinds()
	var more []pipeline.Kind
	add := func(k pipeline.Kind) {
		if k != "" && !slices.Contains(known, k) && !slices.Contains(more, k) {
			more = append(more, k)
		}
	}
	for _, d := range datasets {
		for _, f := range d.Fields {
			add(f.Kind)
		}
		for _, f := range d.Object {
			add(f.Kind)
		}
	}
	slices.Sort(more)
	return append(known, more...)
}
