package config

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"expunge/pipeline"
)

func TestFull(t *testing.T) {
	c, err := Load("testdata/full.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	calls := c.Datasets[0]
	if len(c.Datasets) != 2 || calls.Name != "calls" || len(calls.Fields) != 7 || calls.DateSlack != 72*time.Hour || !calls.Search ||
		calls.CSV.Delimiter != '\t' || calls.CSV.Header == nil || *calls.CSV.Header || calls.Erase.Action != pipeline.EraseRecord {
		t.Errorf("calls: %+v", calls)
	}
	if len(calls.Exceptions) != 1 || calls.Exceptions[0].Account != "acme" || calls.Exceptions[0].ReviewBy.Format(time.DateOnly) != "2027-01-01" {
		t.Errorf("exceptions: %+v", calls.Exceptions)
	}
	if rec := c.Datasets[1]; rec.Erase.Action != pipeline.EraseObject || rec.Object["recording_id"].Kind != pipeline.Recording {
		t.Errorf("recordings: %+v", rec)
	}
	if a, ok := c.AccountOf("COM1"); !ok || a != "acme" || c.AccountIDs()["COM1"] != "acme" {
		t.Errorf("COM1 is %q", a)
	}
	if _, ok := c.AccountOf("com1"); ok {
		t.Error("an id is found in another case")
	}
	if c.Work.Bucket != "acme-privacy" || c.Work.Prefix != "expunge/" || len(c.Stores) != 2 || c.Stores[1].Dir != "/var/lake" || len(c.Approvers) != 1 {
		t.Errorf("stores: %+v %+v", c.Work, c.Stores)
	}
	if len(c.Warnings) != 2 { // recordings declares no category, sources and purposes, nor to whom it goes
		t.Errorf("warnings: %v", c.Warnings)
	}
	if c.Digest == "" || calls.Digest == "" || calls.Digest == c.Datasets[1].Digest {
		t.Error("digests")
	}
}

const small = `version: 1
name: t
work: {url: work}
stores: {lake: {url: lake}}
accounts: {acme: {ids: [A1]}, beta: {}}
datasets:
  - name: calls
    at: "lake/{account}/calls/*"
    category: commercial
    sources: [calls]
    purposes: [attribution]
    fields: {phone: {kind: phone}}
`

func TestSmall(t *testing.T) {
	c, err := Parse("/etc/x/c.yaml", []byte(small), nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Stores[0].Dir != filepath.Clean("/etc/x/lake") || c.Work.Dir != "/etc/x/work" || c.Work.KeyEnv != "EXPUNGE_KEY" {
		t.Errorf("relative directories: %+v %+v", c.Stores, c.Work)
	}
	same := func(from, to string) bool {
		d, err := Parse("/etc/x/c.yaml", []byte(strings.Replace(small, from, to, 1)), nil)
		if err != nil {
			t.Fatal(err)
		}
		return d.Datasets[0].Digest == c.Datasets[0].Digest
	}
	if !same("beta: {}", "beta: {}, gamma: {}") || !same("[attribution]", "[other]") {
		t.Error("a dataset's digest changes with what does not bear on what is found")
	}
	when := "kind: phone, consumer_when: {field: direction, is: [outbound]}"
	if same("kind: phone", when) || same("kind: phone", "kind: email") || same("calls/*", "calls/**") || same("kind: phone", "kind: phone, link: true") {
		t.Error("a dataset's digest stays when what is found may change")
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"version: 1", "version: 2", "c.yaml:1:10: the config's version must be 1, the only one there is"},
		{"work:", "wrok:", `c.yaml:3:1: the config has no key "wrok"; did you mean "work"?`},
		{"stores: {lake: {url: lake}}", "stores: {lake: {url: 7}}", `c.yaml:4:22: store lake's url must be text, not a whole number: put it in quotes, "7"`},
		{"url: lake", "url: work/lake", "c.yaml:4:10: store lake and the work store hold the same objects"},
		{"url: lake", "url: gs://x", `no store for "gs://"`},
		{"url: lake", `url: "${NOPE}/x"`, "environment variable NOPE is not set"},
		{"url: lake", "url: lake, region: x", "store lake's region: a directory has none"},
		{"beta: {}", "beta: {ids: [A1]}", `"A1" belongs to account acme and to account beta`},
		{"beta: {}", "acme: {}", `"acme" stands here twice (first in line 5)`},
		{"beta: {}", "a/b: {}", `account "a/b" is not file-safe`},
		{`"lake/{account}`, `"lak/{account}`, `c.yaml:8:9: dataset calls's at begins with "lak", which is no store; did you mean "lake"?`},
		{"{account}/calls", "{acount}/calls", `nothing says what {acount} is; did you mean "account"?`},
		{"{account}/calls", "x/calls", "says nowhere whose its records are"},
		{"calls/*", "calls/{x", "a { without its }"},
		{"calls/*", "calls/x**", "** stands alone between slashes"},
		{"calls/*", "calls/{date}{ext}", "two wildcards with nothing between them"},
		{"category: commercial", "category: comercial", `dataset calls's category cannot be "comercial"; did you mean "commercial"?`},
		{"category: commercial", "format: parket", `cannot be "parket"; did you mean "parquet"?`},
		{"{kind: phone}", "{kind: phnoe}", `is "phnoe"; did you mean "phone"?`},
		{"{kind: phone}", "{kind: phone, lnk: true}", `c.yaml:12:35: dataset calls's field phone has no key "lnk"; did you mean "link"?`},
		{"{kind: phone}", `{kind: phone, link: "yes"}`, "link must be true or false, not text"},
		{"{kind: phone}", `{kind: phone, pattern: "(x)"}`, "has no group that says what the identifier is: (?P<id>…)"},
		{"{kind: phone}", `{kind: phone, pattern: "("}`, "missing closing )"},
		{"{kind: phone}", "{kind: phone, consumer_when: {is: [outbound]}}", `dataset calls's field phone's consumer_when needs the key "field"`},
		{"{kind: phone}", "{kind: phone, consumer_when: {field: direction}}", "consumer_when's is is empty"},
		{"{kind: phone}", "{kind: phone, consumer_when: {field: phone, is: [outbound]}}", "must be another field"},
		{"{kind: phone}", `{kind: phone, consumer_when: {field: "legs[].direction", is: [outbound]}}`, "one that a record has once"},
		{"{kind: phone}", "{kind: phone, consumer_when: {field: direction, is: [outbound], is_not: [Outbound]}}", `is_not has "Outbound", which is under is, too`},
		{"{kind: phone}", "{party: business, consumer_when: {field: direction, is: [outbound]}}", "goes with a kind of identifier of the consumer's"},
		{"{kind: phone}", "{link: true}", "what links needs a kind"},
		{"{kind: phone}", "{}", "says nothing"},
		{"category: commercial", "on_delete: {action: redact}", "redact needs the paths that stay"},
		{"category: commercial", "on_delete: {action: deidentify, keep: [phone]}", "deidentify needs commitment: where the business has publicly"},
		{"category: commercial", "on_delete: {action: deidentify, keep: [phone], commitment: x}", `keeps "phone", and field "phone" holds an identifier, free text or somebody else`},
		{"category: commercial", "on_delete: {action: deidentify, keep: [price], commitment: x}", `keeps "price", which is not declared`},
		{"category: commercial", "on_delete: {action: redact, keep: [a], commitment: x}", "commitment goes with action: deidentify"},
		{"category: commercial", "account: {field: company}\n    on_delete: {action: redact, keep: [a]}", `does not keep "company", which says whose a record is`},
		{"category: commercial", "on_delete: {mention: redct}", `mention cannot be "redct"; did you mean "redact"?`},
		{"category: commercial", "format: media\n    on_delete: {mention: redact}", "a media object has no text to redact"},
		{"category: commercial", "on_delete: {action: destroy}", `cannot be "destroy"`},
		{"category: commercial", "date_slack: 3 days", "must be a duration like"},
		{"category: commercial", "disclosed: [{to: x, how: solt}]", `cannot be "solt"; did you mean "sold"?`},
		{"category: commercial", "object: {rec: {kind: call_id}}", "at has no capture {rec}"},
		{"name: t", "name: t\npolicy: {max_erase_fraction: 5}", "c.yaml:3:30: policy's max_erase_fraction must be from 0 to 1"},
		{"name: t", "name: t\npolicy: {data_points: {opt_out: 2}}", `policy's data_points has no key "opt_out"`},
		{"beta: {}", "beta: {data_points: {delete: -1}}", "account beta's data_points's delete must be a whole number of at least 0"},
		{"name: t", "name: t\npolicy: {timezone: Mars/Base}", `timezone "Mars/Base" is not known`},
		{"name: t", "name: t\napprovers: {jo: {public_key: AAAA}}", "approver jo's public_key: not an Ed25519 public key"},
		{"name: t", "name: t\npolicy: {approval: automatic}\napprovers: {jo: {public_key: \"JPxsGVvO7MJYgVVl2CpgbZ0H4gHKhIZ8nS9pVQHGHHQ=\"}}", "approval cannot be automatic"},
		{"name: t", "name: t\nignore: [{at: lake/tmp/**}]", `ignore needs the key "reason"`},
		{"beta: {}", "beta: {exceptions: [{dataset: cals, code: D9, instruction: t}]}", `is for dataset "cals", which is not there; did you mean "calls"?`},
		{"name: t", "name: [t", "not YAML"},
	} {
		src := strings.Replace(small, c.from, c.to, 1)
		if src == small {
			t.Fatalf("%q changes nothing", c.to)
		}
		_, err := Parse("c.yaml", []byte(src), nil)
		if p := (Problems)(nil); !errors.As(err, &p) {
			t.Errorf("%s: %v", c.to, err)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s:\n%v\nwant %s", c.to, err, c.want)
		}
	}
	_, err := Parse("c.yaml", []byte(strings.NewReplacer("kind: phone", "kind: phnoe", "name: t\n", "nam: t\n").Replace(small)), nil)
	if p := (Problems)(nil); !errors.As(err, &p) || len(p) != 3 {
		t.Errorf("three mistakes give %v", err)
	}
}

func TestPattern(t *testing.T) {
	type m = map[string]string
	for _, c := range []struct {
		at, key string
		want    m
		ok      bool
	}{
		{"lake/{account}/calls/*.csv", "acme/calls/x.csv", m{"account": "acme"}, true},
		{"lake/{account}/calls/*.csv", "acme/calls/x/y.csv", nil, false},
		{"lake/{account}/calls/*.csv", "/calls/y.csv", nil, false},
		{"lake/{account}/calls/*", "acme/calls/", m{"account": "acme"}, true},
		{"lake/{account}/calls/*", "acme/calls", nil, false},
		{"lake/r/{id}.{ext}", "r/RE1.transcript.json", m{"id": "RE1", "ext": "transcript.json"}, true},
		{"lake/r/{id}.{ext}", "r/.json", nil, false},
		{"lake/r/phone={p}/x", "r/phone=%2B14045550123/x", m{"p": "%2B14045550123"}, true},
		{"lake/tmp/**", "tmp/a/b", m{}, true},
		{"lake/tmp/**", "tmp/", m{}, true},
		{"lake/tmp/**", "tmp", nil, false},
		{"lake/tmp/**", "tmpx/a", nil, false},
		{"lake/**", "a", m{}, true},
		{"lake/a/**/z/*.gz", "a/z/1.gz", m{}, true},
		{"lake/a/**/z/*.gz", "a/b/z/c/z/1.gz", m{}, true},
		{"lake/a/**/z/*.gz", "a/1.gz", nil, false},
		{"lake/a/**/m/**/z", "a/b/m/z", m{}, true},
		{"lake/a/**/m/**/z", "a/b/z", nil, false},
		{"lake/**/z", "z", m{}, true},
		{"lake/**/a/b", "b", nil, false},
		{"lake/x*y*y", "xyy", m{}, true},
		{"lake/x*y*y", "xy", nil, false},
	} {
		p, err := Compile(c.at)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := p.Match("lake", c.key)
		if ok != c.ok || !maps.Equal(got, c.want) {
			t.Errorf("%s on %s: %v %v, want %v %v", c.at, c.key, got, ok, c.want, c.ok)
		}
		if ok && !strings.HasPrefix(c.key, p.Prefix()) {
			t.Errorf("%s: prefix %q", c.at, p.Prefix())
		}
		if _, ok := p.Match("old", c.key); ok {
			t.Errorf("%s matches in another store", c.at)
		}
	}
}

func TestMatcher(t *testing.T) {
	ats := []string{"lake/calls/account={account}/**", "lake/calls/*", "lake/{account}/web/*", "lake/ca{x}", "old/**"}
	m, err := NewMatcher(ats, []Ignore{{At: "lake/tmp/**", Reason: "scratch"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		store, key string
		want       int
	}{{"lake", "calls/account=a/x", 0}, {"lake", "calls/x", 1}, {"lake", "acme/web/1", 2}, {"lake", "cash", 3}, {"old", "x", 4}, {"lake", "nope", -1}, {"other", "x", -1}} {
		if got, _, err := m.Find(c.store, c.key); err != nil || got != c.want {
			t.Errorf("%s/%s: %d, %v; want %d", c.store, c.key, got, err, c.want)
		}
	}
	if _, _, err := m.Find("lake", "calls/web/1"); err != nil {
		t.Error(err) // calls/* stops at the slash
	}
	two, err := NewMatcher([]string{"lake/a/**", "lake/{account}/b/*"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := two.Find("lake", "a/b/1"); !errors.Is(err, ErrTwoDatasets) {
		t.Errorf("two datasets: %v", err)
	}
	if why, ok := m.Ignored("lake", "tmp/x"); !ok || why != "scratch" {
		t.Error("tmp is not ignored")
	}
}

// Fill gives each capture at its own place, whatever stands elsewhere in the key, and in
// a pattern of more captures than most have.
func TestFill(t *testing.T) {
	m, err := NewMatcher([]string{"lake/{a}/**/{b}.{c}", "old/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}x", "two/**", "two/{a}"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	double := func(capture, value string) string { return "<" + capture + value + ">" }
	for _, c := range []struct{ store, key, want string }{
		{"lake", "7/7/7/7.7", "<a7>/7/7/<b7>.<c7>"},
		{"lake", "7/17.7.7", "<a7>/<b17>.<c7.7>"},
		{"old", "1/2/3/4/5/6/7/8/9x", "<a1>/<b2>/<c3>/<d4>/<e5>/<f6>/<g7>/<h8>/<i9>x"},
		{"none", "7/7", "7/7"},
	} {
		if got, err := m.Fill(c.store, c.key, double); err != nil || got != c.want {
			t.Errorf("%s/%s becomes %q, %v; want %q", c.store, c.key, got, err, c.want)
		}
	}
	if _, err := m.Fill("two", "x", double); !errors.Is(err, ErrTwoDatasets) {
		t.Errorf("two datasets: %v", err)
	}
}

// TestIndexAgainstAll holds the prefix index against asking every pattern.
func TestIndexAgainstAll(t *testing.T) {
	ats := []string{"s/*", "s/a/*", "s/a/b/*", "s/ab/*", "s/a{x}", "s/{x}/c", "s/b/**", "s/a/b", "s/ab"}
	m, err := NewMatcher(ats, nil)
	if err != nil {
		t.Fatal(err)
	}
	letters := "ab/c"
	for n := range 4 * 4 * 4 * 4 * 4 {
		var key strings.Builder
		for ; n > 0; n /= 4 {
			key.WriteByte(letters[n%4])
		}
		hits, found := 0, -1
		for i, at := range ats {
			p, err := Compile(at)
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := p.Match("s", key.String()); ok {
				hits, found = hits+1, i
			}
		}
		got, _, err := m.Find("s", key.String())
		if hits > 1 != errors.Is(err, ErrTwoDatasets) || hits == 1 && got != found || hits == 0 && (got != -1 || err != nil) {
			t.Errorf("%q: %d, %v; %d patterns match, the last is %d", key.String(), got, err, hits, found)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte("a: &x [*x]"))
	f.Add([]byte("a: {b: }\n- c"))
	f.Fuzz(func(t *testing.T, src []byte) {
		if _, err := Parse("c.yaml", src, nil); err != nil && err.Error() == "" {
			t.Error("an empty error")
		}
	})
}

func BenchmarkFind(b *testing.B) {
	var ats []string
	for i := range 50 {
		ats = append(ats, fmt.Sprintf("lake/set%d/account={account}/dt={date}/*.gz", i))
	}
	m, err := NewMatcher(ats, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if i, _, _ := m.Find("lake", "set31/account=acme/dt=2026-11-20/part-1.gz"); i != 31 {
			b.Fatal(i)
		}
	}
}

// An account's own data points stand in the place of the policy's, right by right, and
// the most that one right needs holds for a request.
func TestDataPoints(t *testing.T) {
	src := strings.Replace(small, "name: t", "name: t\npolicy: {data_points: {access: 3, delete: 2}}", 1)
	src = strings.Replace(src, "beta: {}", "beta: {data_points: {access: 0, know: 1}}", 1)
	c, err := Parse("/etc/x/c.yaml", []byte(src), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		account string
		rights  []pipeline.Right
		needed  int
		of      pipeline.Right
	}{
		{"acme", []pipeline.Right{pipeline.Delete}, 2, pipeline.Delete},
		{"acme", []pipeline.Right{pipeline.Delete, pipeline.Access}, 3, pipeline.Access},
		{"acme", []pipeline.Right{pipeline.Know, pipeline.OptOut}, 0, ""},
		{"beta", []pipeline.Right{pipeline.Access}, 0, ""},
		{"beta", []pipeline.Right{pipeline.Access, pipeline.Know}, 1, pipeline.Know},
		{"beta", []pipeline.Right{pipeline.Know, pipeline.Delete}, 2, pipeline.Delete},
		{"nobody", []pipeline.Right{pipeline.Access}, 3, pipeline.Access},
	} {
		if n, of := c.DataPoints(x.account, x.rights); n != x.needed || of != x.of {
			t.Errorf("%s %v: %d of %q, want %d of %q", x.account, x.rights, n, of, x.needed, x.of)
		}
	}
}
