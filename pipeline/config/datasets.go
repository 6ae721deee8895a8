package config

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"expunge/pipeline"
	"expunge/scanners"
)

// categories are the statutory categories of personal information, as columns
// name them: Civ. Code 1798.140(v)(1)(A)-(L).
var categories = []string{
	"identifiers", "customer_records", "protected_characteristics", "commercial", "biometric", "internet_activity",
	"geolocation", "sensory", "employment", "education", "inferences", "sensitive",
}

var formats = []string{"auto", "jsonl", "json", "csv", "tsv", "parquet", "avro", "text", "media"}

// captures that patterns may have without being identifiers.
var plainCaptures = []string{"account", "date", "ext", "year", "month", "day", "hour"}

func (r *reader) datasets(root object, c *Config) []pipeline.Dataset {
	var out []pipeline.Dataset
	lines := map[string]int{}
	for _, n := range root.items("datasets") {
		d := r.dataset(n, c.Stores)
		if d.Name != "" {
			key := strings.ToLower(d.Name) // its files may lie where case does not count
			if line, twice := lines[key]; twice {
				r.fail(n, "dataset %s: there is one of that name in line %d", d.Name, line)
			}
			lines[key] = n.line
		}
		out = append(out, d)
	}
	if len(out) == 0 && root.key("datasets") == nil {
		r.fail(root.n, `the config needs the key "datasets"`)
	}
	return out
}

func (r *reader) dataset(n *node, stores []Store) pipeline.Dataset {
	what := "dataset"
	for _, e := range n.entries { // so that every error says which dataset it is
		if e.key == "name" && e.value.kind == text && e.value.text != "" {
			what = "dataset " + e.value.text
		}
	}
	o := r.object(n, what, "name", "at", "format", "csv", "time", "account", "category", "sources", "purposes", "disclosed",
		"fields", "object", "business_numbers", "undeclared", "on_delete", "date_slack")
	d := pipeline.Dataset{
		Name: o.need("name"), At: o.need("at"), Format: o.choice("format", formats...),
		Time: o.text("time", ""), Category: r.category(o), Sources: o.texts("sources"), Purposes: o.texts("purposes"),
		Search: o.choice("undeclared", "search", "ignore") == "search", DateSlack: o.duration("date_slack", 3*day),
	}
	if d.Name != "" && !fileSafe.MatchString(d.Name) {
		r.fail(o.place("name"), "dataset name %q is not file-safe (%s)", d.Name, fileSafeRule)
	}
	if a := o.key("account"); a != nil {
		d.Account = r.object(a, what+"'s account", "field").need("field")
	}
	d.CSV = r.csv(o, d.Format)
	d.Disclosed = r.disclosed(o)
	d.Fields = r.fields(o)
	d.Business = r.numbers(o, &d)
	d.Object = r.captures(o)
	if d.At != "" {
		r.at(o, &d, stores)
	}
	d.Erase = r.erasure(o, &d)
	var missing []string
	lacks := func(key string, none bool) {
		if none {
			missing = append(missing, key)
		}
	}
	lacks("category", d.Category == "" && !everyFieldHasOne(d.Fields))
	lacks("sources", len(d.Sources) == 0)
	lacks("purposes", len(d.Purposes) == 0)
	if missing != nil {
		r.warn(n, "%s has no %s: what it holds can be found and erased, but requests to know cannot be answered from it", what, strings.Join(missing, ", "))
	}
	if d.Disclosed == nil {
		r.warn(n, "%s does not say to whom its data is disclosed: answers will say that this is not stated; if it was not sold or shared, write disclosed: []", what)
	}
	return d
}

func everyFieldHasOne(fields []pipeline.Field) bool {
	for _, f := range fields {
		if f.Category == "" {
			return false
		}
	}
	return len(fields) > 0
}

// at checks the pattern against what the dataset says of accounts and objects.
func (r *reader) at(o object, d *pipeline.Dataset, stores []Store) {
	p := r.pattern(o.place("at"), o.what, d.At, stores)
	if p == nil {
		return
	}
	names := p.Captures()
	known := slices.Clone(plainCaptures)
	for k := range d.Object {
		known = append(known, k)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			r.fail(o.place("at"), "%s's at: nothing says what {%s} is%s; name it under object, or write *", o.what, name, suggest(name, known))
		}
	}
	r.each(o.key("object"), o.name("object"), func(name string, at, _ *node) {
		if !slices.Contains(names, name) {
			r.fail(at, "%s's object: at has no capture {%s}%s", o.what, name, suggest(name, names))
		}
	})
	if !slices.Contains(names, "account") && d.Account == "" {
		r.fail(o.place("at"), "%s says nowhere whose its records are: at needs an {account}, or write account: {field: …}", o.what)
	}
}

func (r *reader) category(o object) string {
	c := o.text("category", "")
	if c != "" && !slices.Contains(categories, c) {
		r.fail(o.place("category"), "%s cannot be %q%s", o.name("category"), c, suggest(c, categories))
	}
	return c
}

func (r *reader) csv(root object, format string) pipeline.CSV {
	n := root.key("csv")
	if n == nil {
		return pipeline.CSV{}
	}
	o := r.object(n, root.name("csv"), "header", "delimiter", "columns")
	if format != "csv" && format != "tsv" && format != "auto" {
		r.fail(root.places["csv"], "%s: its format is %s", root.name("csv"), format)
	}
	var c pipeline.CSV
	if o.key("header") != nil {
		h := o.flag("header", true)
		c.Header = &h
	}
	if v := o.key("delimiter"); v != nil && r.want(v, text, o.name("delimiter")) {
		switch {
		case len(v.text) != 1:
			r.fail(v, "%s must be one byte, like \"\\t\" or \";\"", o.name("delimiter"))
		case strings.Contains("\"\r\n\x00", v.text):
			r.fail(v, "%s cannot be a quote or a line end", o.name("delimiter"))
		default:
			c.Delimiter = v.text[0]
		}
	}
	c.Columns = o.texts("columns")
	if c.Columns != nil && (c.Header == nil || *c.Header) {
		r.fail(o.places["columns"], "%s: columns are for files without a header; write header: false, too", o.what)
	}
	return c
}

// disclosed is nil where nothing is said of it, and empty where it is to nobody.
func (r *reader) disclosed(root object) []pipeline.Disclosure {
	if v := root.key("disclosed"); v == nil || v.kind == null {
		return nil
	}
	out := []pipeline.Disclosure{}
	for _, n := range root.items("disclosed") {
		o := r.object(n, root.what+"'s disclosed", "to", "how")
		d := pipeline.Disclosure{To: o.need("to"), How: o.need("how")}
		hows := []string{"sold", "shared", "business_purpose"}
		if d.How != "" && !slices.Contains(hows, d.How) {
			r.fail(o.place("how"), "%s cannot be %q%s", o.name("how"), d.How, suggest(d.How, hows))
		}
		out = append(out, d)
	}
	return out
}

func (r *reader) fields(root object) []pipeline.Field {
	var out []pipeline.Field
	r.each(root.key("fields"), root.name("fields"), func(path string, at, v *node) {
		what := root.what + "'s field " + path
		o := r.object(v, what, "kind", "category", "link", "pattern", "party", "text", "spoken", "consumer_when")
		f := r.field(o, at)
		f.Path = path
		if strings.TrimSpace(path) == "" || strings.ContainsAny(path, "\x00\r\n") {
			r.fail(at, "%s has a field with an empty or unprintable path", root.what)
		}
		f.Party = r.party(o)
		f.Spoken = o.flag("spoken", false)
		f.Text = o.flag("text", f.Spoken)
		if f.Spoken && !f.Text {
			r.fail(o.place("text"), "%s is spoken, so it is text: leave text away", what)
		}
		f.Category = r.category(o)
		f.When = r.when(o, &f)
		if f.Kind == "" && f.Party == pipeline.Consumer && !f.Text && f.Category == "" {
			r.fail(at, "%s says nothing: it needs a kind, party, text or category", what)
		}
		out = append(out, f)
	})
	slices.SortFunc(out, func(a, b pipeline.Field) int { return cmp.Compare(a.Path, b.Path) })
	return out
}

// numbers reads in which fields a dataset lists the account's own numbers. Such a field
// is the business's, whether or not it is declared so.
func (r *reader) numbers(root object, d *pipeline.Dataset) *pipeline.Numbers {
	n := root.key("business_numbers")
	if n == nil {
		return nil
	}
	o := r.object(n, root.name("business_numbers"), "field", "from", "to")
	b := &pipeline.Numbers{Field: o.need("field"), From: o.text("from", ""), To: o.text("to", "")}
	if d.Format == "text" || d.Format == "media" {
		r.fail(root.place("business_numbers"), "%s: records of format %s have no fields", o.what, d.Format)
	}
	for _, k := range []string{"from", "to"} {
		if path := o.text(k, ""); strings.Contains(path, "[]") || strings.Contains(path, "{}") {
			r.fail(o.place(k), "%s must be one that a record has once, not one in a list or map", o.name(k))
		}
	}
	if b.Field == "" {
		return b
	}
	if strings.Contains(b.Field, "{}") {
		r.fail(o.place("field"), "%s must not be one in a map", o.name("field"))
	}
	i, declared := slices.BinarySearchFunc(d.Fields, b.Field, func(f pipeline.Field, path string) int { return cmp.Compare(f.Path, path) })
	switch {
	case !declared:
		d.Fields = slices.Insert(d.Fields, i, pipeline.Field{Path: b.Field, Kind: pipeline.Phone, Party: pipeline.Business})
	case d.Fields[i].Party != pipeline.Business:
		r.fail(o.place("field"), "%s: the field is declared as another's; write party: business there, or leave the declaration out", o.what)
	}
	return b
}

func (r *reader) party(o object) pipeline.Party {
	switch p := o.text("party", ""); p {
	case "", "consumer":
		return pipeline.Consumer
	case "agent", "business":
		return pipeline.Party(p)
	default:
		r.fail(o.place("party"), "%s cannot be %q%s", o.name("party"), p, suggest(p, []string{"consumer", "agent", "business"}))
		return pipeline.Consumer
	}
}

// when reads in which records a field is the consumer's.
func (r *reader) when(root object, f *pipeline.Field) *pipeline.When {
	n := root.key("consumer_when")
	if n == nil {
		return nil
	}
	o := r.object(n, root.name("consumer_when"), "field", "is", "is_not")
	w := &pipeline.When{Field: o.need("field"), Is: o.texts("is"), IsNot: o.texts("is_not")}
	switch {
	case f.Kind == "" || f.Party != pipeline.Consumer:
		r.fail(root.place("consumer_when"), "%s goes with a kind of identifier of the consumer's: it says when the value is that", o.what)
	case w.Field == f.Path:
		r.fail(o.place("field"), "%s must be another field", o.name("field"))
	case strings.Contains(w.Field, "[]") || strings.Contains(w.Field, "{}"):
		r.fail(o.place("field"), "%s must be one that a record has once, not one in a list or map", o.name("field"))
	}
	if len(w.Is) == 0 {
		r.fail(o.place("is"), "%s is empty: list the values with which the consumer is meant", o.name("is"))
	}
	for _, v := range w.IsNot {
		if slices.ContainsFunc(w.Is, func(is string) bool { return strings.EqualFold(is, v) }) {
			r.fail(o.place("is_not"), "%s has %q, which is under is, too", o.name("is_not"), v)
		}
	}
	return w
}

func (r *reader) captures(root object) map[string]pipeline.Field {
	var out map[string]pipeline.Field
	r.each(root.key("object"), root.name("object"), func(name string, at, v *node) {
		o := r.object(v, root.what+"'s capture "+name, "kind", "link", "pattern", "category")
		f := r.field(o, at)
		f.Category = r.category(o)
		if f.Kind == "" && o.key("kind") == nil {
			r.fail(at, `%s needs the key "kind"`, o.what)
		}
		if out == nil {
			out = map[string]pipeline.Field{}
		}
		out[name] = f
	})
	return out
}

var kindForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

// field reads what fields and captures have in common. Any kind that is named
// here is a kind; one that differs from a known one by a single slip is not.
func (r *reader) field(o object, at *node) pipeline.Field {
	kind := o.text("kind", "")
	f := pipeline.Field{Kind: pipeline.Kind(kind), Link: o.flag("link", false)}
	if kind != "" {
		if !kindForm.MatchString(kind) {
			r.fail(o.place("kind"), "%s %q is not a name of small letters, digits and _", o.name("kind"), kind)
		}
		for _, k := range pipeline.Kinds() {
			if len(k) >= 4 && distance(kind, string(k)) == 1 {
				r.fail(o.place("kind"), "%s is %q; did you mean %q?", o.name("kind"), kind, k)
			}
		}
	}
	if f.Link && kind == "" {
		r.fail(o.places["link"], "%s: what links needs a kind", o.what)
	}
	if text := o.text("pattern", ""); text != "" {
		re, err := regexp.Compile(text)
		switch {
		case err != nil:
			r.fail(o.place("pattern"), "%s: %v", o.name("pattern"), err)
		case re.SubexpIndex("id") < 0:
			r.fail(o.place("pattern"), "%s has no group that says what the identifier is: (?P<id>…)", o.name("pattern"))
		case kind == "":
			r.fail(o.places["pattern"], "%s: a pattern needs a kind", o.what)
		default:
			f.Pattern = re
		}
	}
	return f
}

func (r *reader) erasure(root object, d *pipeline.Dataset) pipeline.Erasure {
	e := pipeline.Erasure{Action: pipeline.EraseRecord}
	if d.Format == "media" {
		e.Action = pipeline.EraseObject
	}
	n := root.key("on_delete")
	if n == nil {
		return e
	}
	o := r.object(n, root.name("on_delete"), "action", "keep", "mention", "commitment")
	actions := []string{string(pipeline.EraseRecord), string(pipeline.Redact), string(pipeline.Deidentify), string(pipeline.EraseObject)}
	action := o.text("action", string(e.Action))
	if !slices.Contains(actions, action) {
		r.fail(o.place("action"), "%s cannot be %q%s", o.name("action"), action, suggest(action, actions))
		return e
	}
	e.Action, e.Keep, e.Commitment = pipeline.Action(action), o.texts("keep"), o.text("commitment", "")
	keeps := e.Action == pipeline.Redact || e.Action == pipeline.Deidentify
	switch {
	case e.Action != pipeline.EraseObject && d.Format == "media":
		r.fail(o.place("action"), "%s: a media object has no records; write erase_object", o.name("action"))
	case keeps && d.Format == "text":
		r.fail(o.place("action"), "%s: a line of text has no fields to redact; write erase_record", o.name("action"))
	case !keeps && e.Keep != nil:
		r.fail(o.places["keep"], "%s: keep goes with action: redact or deidentify", o.what)
	case keeps && e.Keep == nil:
		r.fail(o.n, "%s: %s needs the paths that stay: keep: […]", o.what, e.Action)
	case e.Action != pipeline.Deidentify && e.Commitment != "":
		r.fail(o.places["commitment"], "%s: commitment goes with action: deidentify", o.what)
	case e.Action == pipeline.Deidentify:
		r.deidentify(o, d, &e)
	}
	if keeps && d.Account != "" && !(&scanners.Edit{Keep: e.Keep}).Keeps(d.Account) {
		r.fail(o.n, "%s does not keep %q, which says whose a record is: what stays would be nobody's (UNATTRIBUTED)", o.what, d.Account)
	}
	slices.Sort(e.Keep)
	r.mention(o, d.Format, &e)
	return e
}

// deidentify holds what stays against R45: no direct, online or linking identifier, no
// free text, nothing of somebody else, and nothing of which nobody has said what it is.
func (r *reader) deidentify(o object, d *pipeline.Dataset, e *pipeline.Erasure) {
	if e.Commitment == "" {
		r.fail(o.n, "%s: deidentify needs commitment: where the business has publicly committed itself not to reidentify the data (R45)", o.what)
	}
	for _, keep := range e.Keep {
		if keep == d.Time || keep == d.Account {
			continue
		}
		declared := false
		for i := range d.Fields {
			f := &d.Fields[i]
			declared = declared || f.Path == keep
			within := (&scanners.Edit{Keep: []string{keep}}).Keeps(f.Path) || (&scanners.Edit{Keep: []string{f.Path}}).Keeps(keep)
			if within && (f.Kind != "" || f.Link || f.Text || f.Party != pipeline.Consumer) {
				r.fail(o.places["keep"], "%s keeps %q, and field %q holds an identifier, free text or somebody else: what stays would not be deidentified (R45)", o.what, keep, f.Path)
			}
		}
		if !declared {
			r.fail(o.places["keep"], "%s keeps %q, which is not declared: say under fields what it holds, at least its category (R45)", o.what, keep)
		}
	}
}

// mention reads what becomes of records that are somebody else's and name the consumer
// in free text: what becomes of the consumer's own, unless it says redact.
func (r *reader) mention(o object, format string, e *pipeline.Erasure) {
	if o.key("mention") == nil {
		return
	}
	own := string(pipeline.EraseRecord)
	switch mention := o.text("mention", own); {
	case mention == own:
	case mention != string(pipeline.Redact):
		r.fail(o.place("mention"), "%s cannot be %q%s", o.name("mention"), mention, suggest(mention, []string{own, string(pipeline.Redact)}))
	case format == "media":
		r.fail(o.place("mention"), "%s: a media object has no text to redact", o.name("mention"))
	default:
		e.Mention = pipeline.RedactMention
	}
}

// exception codes: Civ. Code 1798.105(d)(1)-(8), and data under other laws.
var codes = []string{
	"D1_TRANSACTION", "D2_SECURITY", "D3_DEBUG", "D4_SPEECH", "D5_CALECPA", "D6_RESEARCH", "D7_INTERNAL", "D8_LEGAL",
	"X_HIPAA", "X_FCRA", "X_GLBA",
}

// exceptions reads the accounts' exceptions, which name datasets, into both.
func (r *reader) exceptions(root object, c *Config) {
	byName := map[string]*pipeline.Dataset{}
	var names []string
	for i := range c.Datasets {
		byName[c.Datasets[i].Name] = &c.Datasets[i]
		names = append(names, c.Datasets[i].Name)
	}
	r.each(root.key("accounts"), "accounts", func(account string, _, v *node) {
		if v.kind != mapping {
			return
		}
		for _, e := range v.entries {
			if e.key != "exceptions" || e.value.kind == null || !r.want(e.value, list, "account "+account+"'s exceptions") {
				continue
			}
			for _, n := range e.value.items {
				o := r.object(n, "account "+account+"'s exception", "dataset", "code", "instruction", "fields", "review_by")
				x := pipeline.Exception{Account: account, Dataset: o.need("dataset"), Code: o.need("code"),
					Instruction: o.need("instruction"), Fields: o.texts("fields"), ReviewBy: o.date("review_by")}
				r.exception(o, &x, byName[x.Dataset], names)
				if d := byName[x.Dataset]; d != nil {
					d.Exceptions = append(d.Exceptions, x)
				}
				for i := range c.Accounts {
					if c.Accounts[i].Name == account {
						c.Accounts[i].Exceptions = append(c.Accounts[i].Exceptions, x)
					}
				}
			}
		}
	})
}

func (r *reader) exception(o object, x *pipeline.Exception, d *pipeline.Dataset, names []string) {
	if x.Dataset != "" && d == nil {
		r.fail(o.place("dataset"), "%s is for dataset %q, which is not there%s", o.what, x.Dataset, suggest(x.Dataset, names))
	}
	if x.Code != "" && !slices.Contains(codes, x.Code) {
		r.fail(o.place("code"), "%s cannot be %q%s", o.name("code"), x.Code, suggest(x.Code, codes))
	}
	if o.key("review_by") == nil {
		r.fail(o.n, `%s needs the key "review_by": exceptions do not last for ever (R50)`, o.what)
	}
	// What is no record of fields, and what is under another law, stays as a whole.
	whole := d != nil && (d.Erase.Action == pipeline.EraseObject || d.Format == "text") || strings.HasPrefix(x.Code, "X_")
	if len(x.Fields) == 0 && !whole && d != nil {
		r.fail(o.n, `%s needs the key "fields": exactly what is kept (R50)`, o.what)
	}
	slices.Sort(x.Fields)
}
