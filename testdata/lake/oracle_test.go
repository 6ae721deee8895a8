package lake

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
)

// A slow search of the finished bytes, which knows the config and the requests
// but nothing of how the lake was made.

type leaf struct{ path, value string }

type decl struct {
	Kind, Pattern, Party string
	Link, Text           bool
}

type dsDecl struct {
	Name    string
	Format  string
	Account struct{ Field string }
	Fields  map[string]decl
	CSV     struct {
		Columns []string
	} `yaml:"csv"`
}

func unpack(t *testing.T, b []byte) []byte {
	var r io.Reader = bytes.NewReader(b)
	switch {
	case bytes.HasPrefix(b, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		r = z
	case bytes.HasPrefix(b, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		r = z
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func flatten(ls []leaf, at string, v any) []leaf {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			ls = flatten(ls, strings.TrimPrefix(at+"."+k, "."), x)
		}
	case []any:
		for _, x := range v {
			ls = flatten(ls, at+"[]", x)
		}
	case string:
		ls = append(ls, leaf{at, v})
	case json.Number:
		s := v.String()
		if f, err := strconv.ParseFloat(s, 64); err == nil && strings.ContainsAny(s, ".eE") && f == float64(int64(f)) {
			s = strconv.FormatInt(int64(f), 10)
		}
		ls = append(ls, leaf{at, s})
	}
	return ls
}

func decodeJSON(t *testing.T, b []byte) any {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v: %.200s", err, b)
	}
	return v
}

func decodeRows[T any](t *testing.T, b []byte) (out [][]leaf) {
	f, err := parquet.OpenFile(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if len(f.RowGroups()) < 2 {
		t.Errorf("a file has %d row groups", len(f.RowGroups()))
	}
	rows, err := parquet.Read[T](bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	schema := parquet.SchemaOf(rows[0])
	for _, row := range rows {
		var ls []leaf
		for _, v := range schema.Deconstruct(nil, row) {
			if !v.IsNull() {
				s := v.String()
				if v.Kind() == parquet.Double {
					s = strconv.FormatFloat(v.Double(), 'f', -1, 64)
				}
				p := strings.ReplaceAll(strings.Join(schema.Columns()[v.Column()], "."), ".list.element", "[]")
				ls = append(ls, leaf{p, s})
			}
		}
		out = append(out, ls)
	}
	return out
}

func decode(t *testing.T, d dsDecl, b []byte) (out [][]leaf) {
	if d.Name == "ga4" {
		return decodeRows[Event](t, b)
	}
	if d.Name == "crm" {
		return decodeRows[ContactRow](t, b)
	}
	b = unpack(t, b)
	switch {
	case d.Format == "media":
		if !bytes.HasPrefix(b, []byte("RIFF")) || int(uint32(b[4])|uint32(b[5])<<8|uint32(b[6])<<16|uint32(b[7])<<24) != len(b)-8 {
			t.Error("not a WAV")
		}
	case d.Format == "json":
		switch v := decodeJSON(t, b).(type) {
		case []any:
			for _, x := range v {
				out = append(out, flatten(nil, "", x))
			}
		default:
			out = append(out, flatten(nil, "", v))
		}
	case d.Format == "csv" || d.Format == "tsv" || d.Name == "twilio_calls":
		r := csv.NewReader(bytes.NewReader(b))
		if d.Format == "tsv" {
			r.Comma = '\t'
		}
		rows, err := r.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		columns := d.CSV.Columns
		if columns == nil {
			columns, rows = rows[0], rows[1:]
		}
		for _, row := range rows {
			var ls []leaf
			for i, c := range row {
				ls = append(ls, leaf{columns[i], c})
			}
			out = append(out, ls)
		}
	default:
		s := bufio.NewScanner(bytes.NewReader(b))
		s.Buffer(nil, 1<<20)
		for s.Scan() {
			if len(s.Bytes()) == 0 {
				continue
			}
			if d.Format == "text" {
				out = append(out, []leaf{{"line", s.Text()}})
			} else {
				out = append(out, flatten(nil, "", decodeJSON(t, s.Bytes())))
			}
		}
	}
	return out
}

// parts takes a value apart: JSON inside, parts of URLs.
func parts(v string, depth int) []string {
	if depth == 0 {
		return nil
	}
	if strings.HasPrefix(v, "{") {
		var x any
		if json.Unmarshal([]byte(v), &x) == nil {
			var out []string
			for _, l := range flatten(nil, "", x) {
				out = append(out, parts(l.value, depth-1)...)
			}
			return out
		}
	}
	if u, err := url.Parse(v); err == nil && u.Scheme == "https" {
		var out []string
		for _, values := range u.Query() {
			for _, x := range values {
				for _, y := range parts(x, depth-1) {
					out = append(out, "url:"+strings.TrimPrefix(y, "url:"))
				}
			}
		}
		for _, s := range strings.Split(u.Path, "/") {
			out = append(out, "url:"+s)
		}
		return out
	}
	return []string{v}
}

var (
	phoneShape = regexp.MustCompile(`^(?:\+?1[ -]?)?\(?(\d{3})\)?[ .-]?(\d{3})[ .-]?(\d{4})$`)
	phoneText  = regexp.MustCompile(`(?:^|[^\w+])((?:\+?1[ -]?)?\(?\d{3}\)?[ .-]?\d{3}[ .-]?\d{4})(?:$|\W)`)
	emailText  = regexp.MustCompile(`[\w.]+@[\w.]*\w`)
)

func narrow(s string) string {
	return strings.Map(func(r rune) rune {
		if r > 0xff00 && r < 0xff5f {
			return r - 0xff00 + 0x20
		}
		return r
	}, s)
}

// is says whether value is the identifier, and how it is written; "" if it is not.
func is(id Identifier, value string) Tier {
	bare, inURL := strings.CutPrefix(value, "url:")
	if bare == id.Value && !inURL {
		return Exact
	}
	low := strings.ToLower(bare)
	switch id.Kind {
	case "phone":
		if low == sha(id.Value) || low == sha(id.Value[2:]) {
			return Hashed
		}
		if m := phoneShape.FindStringSubmatch(narrow(strings.TrimPrefix(bare, "whatsapp:"))); m != nil && "+1"+m[1]+m[2]+m[3] == id.Value {
			return Normalised
		}
	case "email":
		google := id.Value
		if local, ok := strings.CutSuffix(google, "@gmail.com"); ok {
			google = strings.ReplaceAll(local, ".", "") + "@gmail.com"
		}
		if low == sha(google) {
			return Hashed
		}
		if low == id.Value {
			return Normalised
		}
	}
	return ""
}

func mentions(id Identifier, text string) bool {
	switch id.Kind {
	case "phone":
		for _, m := range phoneText.FindAllStringSubmatch(text, -1) {
			if is(id, m[1]) != "" {
				return true
			}
		}
	case "email":
		for _, m := range emailText.FindAllString(text, -1) {
			if m == id.Value {
				return true
			}
		}
	}
	return false
}

type found map[string]Tier

func (f found) add(key string, t Tier) bool {
	if old, ok := f[key]; ok && old.rank() <= t.rank() {
		return false
	}
	f[key] = t
	return true
}

type row struct {
	ds      dsDecl
	key     string
	n       int64
	account string
	leaves  []leaf
	links   []Identifier
	direct  []string // whose it is, by fields that say so
}

// who is a phone, an address or a user id, one for all its writings; "" for what is none.
func who(kind, v string) string {
	switch kind {
	case "phone":
		if m := phoneShape.FindStringSubmatch(narrow(strings.TrimPrefix(v, "whatsapp:"))); m != nil {
			return "phone " + m[1] + m[2] + m[3]
		}
	case "email":
		if v = strings.ToLower(v); strings.Contains(v, "@") {
			if local, ok := strings.CutSuffix(v, "@gmail.com"); ok {
				v = strings.ReplaceAll(local, ".", "") + "@gmail.com"
			}
			return "email " + v
		}
	case "user_id":
		if v != "" {
			return "user " + v
		}
	}
	return ""
}

func TestTruthAgainstSearch(t *testing.T) {
	for _, o := range []Options{{Seed: 1}, {Seed: 7, Accounts: 2, Requests: 40}} {
		t.Run(fmt.Sprintf("seed %d", o.Seed), func(t *testing.T) { searchAll(t, o) })
	}
}

func searchAll(t *testing.T, o Options) {
	l, err := Generate(o)
	if err != nil {
		t.Fatal(err)
	}
	var conf struct {
		Datasets []dsDecl
		Accounts map[string]struct {
			IDs             []string
			BusinessNumbers []string `yaml:"business_numbers"`
		}
	}
	if err := yaml.Unmarshal([]byte(l.Config("/lake", "/wk")), &conf); err != nil {
		t.Fatal(err)
	}
	decls, names := map[string]dsDecl{}, map[string]string{}
	for _, d := range conf.Datasets {
		decls[d.Name] = d
	}
	business := map[string]bool{}
	for a, x := range conf.Accounts {
		names[a] = a
		for _, n := range x.BusinessNumbers {
			business[a+" "+who("phone", n)] = true
		}
		for _, id := range x.IDs {
			names[id] = a
		}
	}
	var rows []*row
	keys := map[string]bool{}
	for f := range l.Files() {
		var b bytes.Buffer
		if err := f.Write(&b); err != nil {
			t.Fatal(err)
		}
		if keys[f.Key] {
			t.Errorf("%s comes twice", f.Key)
		}
		keys[f.Key] = true
		if f.Dataset == "" {
			continue
		}
		d, account := decls[f.Dataset], ""
		for _, s := range strings.Split(f.Key, "/") {
			if a := names[strings.TrimPrefix(s, "account=")]; a != "" {
				account = a
			}
		}
		recs := decode(t, d, b.Bytes())
		if int64(len(recs)) != f.Records {
			t.Errorf("%s: %d records, want %d", f.Key, len(recs), f.Records)
		}
		stem := strings.TrimSuffix(path.Base(f.Key), path.Ext(f.Key))
		switch d.Name {
		case "recordings":
			rows = append(rows, &row{d, f.Key, -1, account, nil, []Identifier{{"recording_id", stem}}, nil})
		case "captions":
			rows = append(rows, &row{d, f.Key, -1, account, nil, []Identifier{{"call_id", stem}}, nil})
		}
		for i, ls := range recs {
			r := &row{ds: d, key: f.Key, n: int64(i), account: account, leaves: ls}
			for _, x := range ls {
				fd := d.Fields[x.path]
				if x.path == d.Account.Field && x.path != "" {
					r.account = names[x.value]
				}
				if w := who(fd.Kind, x.value); w != "" && fd.Party == "" && !fd.Text {
					r.direct = append(r.direct, w)
				}
				if v := x.value; fd.Link && v != "" {
					if fd.Pattern != "" {
						v = regexp.MustCompile(fd.Pattern).FindStringSubmatch(v)[1]
					}
					r.links = append(r.links, Identifier{fd.Kind, v})
				}
			}
			rows = append(rows, r)
		}
	}
	got := found{}
	for _, q := range l.Requests() {
		reached := map[Identifier]bool{}
		name := func(r *row) string { return fmt.Sprintf("%s/%s %s %d", q.Account, q.ID, r.key, r.n) }
		theirs := map[string]bool{} // phones, addresses and users of the consumer
		for _, id := range q.Identifiers {
			theirs[who(id.Kind, id.Value)] = true
		}
		own := map[*row]bool{} // found without any link
		mine := func(r *row) {
			own[r] = true
			for _, w := range r.direct {
				theirs[w] = true
			}
		}
		follow := func(r *row) (more bool) {
			for _, id := range r.links {
				more = more || !reached[id]
				reached[id] = true
			}
			return more
		}
		for _, r := range rows {
			if r.account != q.Account {
				continue
			}
			for _, id := range q.Identifiers {
				for _, x := range r.leaves {
					fd, declared := r.ds.Fields[x.path]
					switch {
					case fd.Party != "":
					case fd.Text || r.ds.Format == "text":
						if mentions(id, x.value) {
							got.add(name(r), Mention)
						}
					case declared:
						if fd.Kind == id.Kind {
							if tier := is(id, x.value); tier != "" {
								got.add(name(r), tier)
								mine(r)
								follow(r)
							}
						}
					case id.Kind == "phone" || id.Kind == "email":
						for _, v := range parts(x.value, 4) {
							if tier := is(id, v); tier != "" {
								got.add(name(r), tier)
								mine(r)
								follow(r)
							} else if mentions(id, v) {
								got.add(name(r), Mention)
							}
						}
					}
				}
			}
		}
		// A link id beside somebody else's name leads to what a person has to decide on.
		shared := map[Identifier]bool{}
		for _, r := range rows {
			if r.account == q.Account && !own[r] && slices.ContainsFunc(r.direct, func(w string) bool { return !theirs[w] && !business[q.Account+" "+w] }) {
				for _, id := range r.links {
					shared[id] = true
				}
			}
		}
		for more := true; more; {
			more = false
			for _, r := range rows {
				if r.account != q.Account {
					continue
				}
				for _, id := range r.links {
					switch {
					case !reached[id]:
					case shared[id]:
						got.add(name(r), Review)
					default:
						got.add(name(r), Linked)
						more = follow(r) || more
					}
				}
			}
		}
	}
	want := found{}
	for x := range l.Truth() {
		key := fmt.Sprintf("%s/%s %s %d", x.Account, x.Request, x.Object, x.Record)
		if _, twice := want[key]; twice {
			t.Errorf("%s comes twice", key)
		}
		want[key] = x.Tier
		if got[key] != x.Tier {
			t.Errorf("truth says %s: %s (%s), the search %q", key, x.Tier, x.Why, got[key])
		}
	}
	for key, tier := range got {
		if _, ok := want[key]; !ok {
			t.Errorf("the search found %s: %s, of which truth knows nothing", key, tier)
		}
	}
	if len(want) < 300 {
		t.Errorf("only %d truths", len(want))
	}
}
