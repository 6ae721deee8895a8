package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"expunge/pipeline"
	"expunge/pipeline/catalog"
	"expunge/testdata/lake"
)

// span are the bounds of times, as this test reads them.
type span struct {
	from, to time.Time
	records  int64
	undated  int64
}

func (s *span) add(t *testing.T, value string) {
	t.Helper()
	s.records++
	if value == "" {
		s.undated++
		return
	}
	var at time.Time
	var err error
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05-07:00", "Mon, 02 Jan 2006 15:04:05 -0700"} {
		if at, err = time.Parse(layout, value); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	s.at(at)
}

func (s *span) at(at time.Time) {
	if s.from.IsZero() || at.Before(s.from) {
		s.from = at
	}
	if s.to.IsZero() || at.After(s.to) {
		s.to = at
	}
}

// timesOf reads the times in a file of the lake without anything of ours; nil
// where this test knows no way to.
func timesOf(t *testing.T, name, key string) *span {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := gzip.NewReader(bytes.NewReader(b)); err == nil {
		var out bytes.Buffer
		if _, err := out.ReadFrom(r); err != nil {
			t.Fatal(err)
		}
		b = out.Bytes()
	}
	s := &span{}
	dataset, _, _ := strings.Cut(key, "/")
	switch dataset {
	case "calls", "recording-meta", "segment-logs", "forms", "texts":
		field := map[string]string{"calls": "start_time", "recording-meta": "recorded_at", "segment-logs": "receivedAt", "forms": "submitted_at", "texts": "timestamp"}[dataset]
		if !bytes.HasPrefix(b, []byte("{")) {
			return nil // packed in another way
		}
		lines := bufio.NewScanner(bytes.NewReader(b))
		lines.Buffer(nil, 1<<24)
		for lines.Scan() {
			if len(bytes.TrimSpace(lines.Bytes())) == 0 {
				continue // no record
			}
			var row map[string]any
			if json.Unmarshal(lines.Bytes(), &row) != nil {
				row = nil // malformed, and a record all the same
			}
			value, _ := row[field].(string)
			s.add(t, value)
		}
	case "ads", "ads-tsv":
		r := csv.NewReader(bytes.NewReader(b))
		r.LazyQuotes = true
		if dataset == "ads-tsv" {
			r.Comma = '\t'
		}
		rows, err := r.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if dataset == "ads" {
			rows = rows[1:]
		}
		for _, row := range rows {
			s.add(t, row[1])
		}
	case "ga4":
		for _, row := range readTable[struct {
			At int64 `parquet:"event_timestamp"`
		}](t, b) {
			s.records++
			s.at(time.UnixMicro(row.At))
		}
	case "crm":
		for _, row := range readTable[struct {
			At time.Time `parquet:"updated_at,timestamp(microsecond)"`
		}](t, b) {
			s.records++
			s.at(row.At)
		}
	default:
		return nil
	}
	return s
}

// entriesOf reads the newest index of a work directory.
func entriesOf(t *testing.T, config string) []*catalog.Entry {
	t.Helper()
	a, err := open(t.Context(), &flags{config: config})
	if err != nil {
		t.Fatal(err)
	}
	c := &catalog.Catalog{Work: a.work, Keys: a.keys}
	n, err := c.Latest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out []*catalog.Entry
	for e, err := range c.Entries(t.Context(), n) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

// TestCatalogKnowsTimes compares the time range of every entry with the times in
// the object, read by other means.
func TestCatalogKnowsTimes(t *testing.T) {
	l, err := lake.Generate(lake.Options{Seed: 31, Bytes: 1 << 20, Accounts: 2, Requests: 3})
	if err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{"whole": nil, "parts": {"--batch-bytes", "2048"}} {
		dir := t.TempDir()
		place(t, l, dir)
		config := configure(t, l, dir, name)
		if code := expunge(t, "-c", config, "submit", filepath.Join(dir, "requests.jsonl")); code != exitDone {
			t.Fatalf("submit: exit %d", code)
		}
		if code := expunge(t, append([]string{"-c", config, "run"}, args...)...); code != exitDone {
			t.Fatalf("run: exit %d", code)
		}
		checked := map[string]int{}
		for _, e := range entriesOf(t, config) {
			s := timesOf(t, filepath.Join(dir, "lake", filepath.FromSlash(e.Key)), e.Key)
			if s == nil || s.records == 0 {
				continue
			}
			dataset, _, _ := strings.Cut(e.Key, "/")
			checked[dataset]++
			if e.Records != s.records {
				t.Errorf("%s, %s: %d records, want %d", name, e.Key, e.Records, s.records)
			}
			if s.from.IsZero() {
				continue
			}
			if e.From != s.from.UnixMilli() || e.To != s.to.UnixMilli() {
				t.Errorf("%s, %s: from %d to %d, want %d to %d", name, e.Key, e.From, e.To, s.from.UnixMilli(), s.to.UnixMilli())
			}
			if e.Dated && s.undated > 0 || !e.Dated && s.undated == 0 && dataset == "texts" {
				t.Errorf("%s, %s: dated %v with %d undated records", name, e.Key, e.Dated, s.undated)
			}
		}
		if len(checked) != 9 {
			t.Errorf("%s: only %v were compared", name, checked)
		}
	}
}

// nightFigures are those of a report that tell what a night cost.
type nightFigures struct {
	Started string
	Objects map[string]int64
	Bytes   struct {
		Pass       int64   `json:"one_pass"`
		Read       int64   `json:"read"`
		First      int64   `json:"first_scans"`
		Filters    int64   `json:"filters"`
		Again      int64   `json:"read_again"`
		AgainNo    int64   `json:"read_again_without_hit"`
		PartOfPass float64 `json:"fraction_of_one_pass"`
	}
	Stores []struct {
		Store string
		Opens int64 `json:"get_calls"`
	}
	Requests []struct{ Records, Review int64 }
	Datasets []struct {
		Name    string
		Objects map[string]int64
	}
}

func (f *nightFigures) lakeOpens(t *testing.T) int64 {
	t.Helper()
	for _, s := range f.Stores {
		if s.Store == "lake" {
			return s.Opens
		}
	}
	t.Fatal("the report does not say what was asked of the lake")
	return 0
}

// nightly runs nights over one lake.
type nightly struct {
	l      *lake.Lake
	dir    string
	config string
}

func newNightly(t *testing.T, o lake.Options) *nightly {
	t.Helper()
	l, err := lake.Generate(o)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	place(t, l, dir)
	return &nightly{l, dir, configure(t, l, dir, "work")}
}

// night submits requests under ids of their own, runs, and returns the report.
func (n *nightly) night(t *testing.T, name string, want int, change func(r *lake.Request), args ...string) *nightFigures {
	t.Helper()
	var lines bytes.Buffer
	for _, r := range n.l.Requests() {
		r.ID += "-" + name
		if change != nil {
			change(&r)
		}
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		lines.Write(append(b, '\n'))
	}
	return n.run(t, name, want, lines.Bytes(), args...)
}

func (n *nightly) run(t *testing.T, name string, want int, requests []byte, args ...string) *nightFigures {
	t.Helper()
	file := filepath.Join(n.dir, name+".jsonl")
	if err := os.WriteFile(file, requests, 0o600); err != nil {
		t.Fatal(err)
	}
	glob := func() map[string]bool {
		reports, err := filepath.Glob(filepath.Join(n.dir, "work", "runs", "*", "report.json"))
		if err != nil {
			t.Fatal(err)
		}
		set := map[string]bool{}
		for _, r := range reports {
			set[r] = true
		}
		return set
	}
	before := glob()
	if code := expunge(t, "-c", n.config, "submit", file); code != exitDone {
		t.Fatalf("submit: exit %d", code)
	}
	if code := expunge(t, append([]string{"-c", n.config, "run"}, args...)...); code != want {
		t.Fatalf("run: exit %d", code)
	}
	for name := range glob() {
		if before[name] {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f := new(nightFigures)
		if err := json.Unmarshal(b, f); err != nil {
			t.Fatal(err)
		}
		return f
	}
	t.Fatal("no report")
	return nil
}

// TestSecondNight runs again over an unchanged lake. With the same requests the
// same records are found; besides what holds them only the catalog is read, and
// what that costs is a fiftieth of a pass. Requests of people who are not in the
// lake open nothing of it at all.
func TestSecondNight(t *testing.T) {
	n := newNightly(t, lake.Options{Seed: 12, Bytes: 4 << 20, Accounts: 2, Requests: 4})
	first := n.night(t, "1", exitDone, nil)
	second := n.night(t, "2", exitDone, nil, "--workers", "1")
	if !slices.Equal(first.Requests, second.Requests) {
		t.Errorf("the second night found other records: %v, then %v", first.Requests, second.Requests)
	}
	nights := map[string][]found{}
	for _, x := range outputs(t, n.dir, "work").tombstones {
		i := strings.LastIndexByte(x.Request, '-')
		night := x.Request[i+1:]
		x.Request = x.Request[:i]
		nights[night] = append(nights[night], x)
	}
	if len(nights) != 2 || len(nights["1"]) == 0 {
		t.Fatalf("tombstones of %d nights", len(nights))
	}
	compare(t, "second night", nights["2"], nights["1"], nil)

	if first.Bytes.First == 0 || first.Bytes.First > first.Bytes.Pass*11/10 {
		t.Errorf("the first night scanned %d bytes, and a pass is %d", first.Bytes.First, first.Bytes.Pass)
	}
	if second.Bytes.First != 0 || second.Bytes.Filters == 0 || second.Objects["skipped"] == 0 {
		t.Errorf("the second night scanned anew: %+v", second.Bytes)
	}
	for name, f := range map[string]*nightFigures{"first": first, "second": second} {
		if cost := f.Bytes.AgainNo + f.Bytes.Filters; cost*50 > f.Bytes.Pass || f.Bytes.PartOfPass > 0.02 {
			t.Errorf("the %s night read %d bytes without a hit and %d of filters: %.2f %% of a pass", name, f.Bytes.AgainNo, f.Bytes.Filters, 100*f.Bytes.PartOfPass)
		}
	}

	strangers := n.night(t, "3", exitDone, func(r *lake.Request) {
		r.Identifiers = []lake.Identifier{{Kind: "email", Value: "nobody." + strings.ToLower(r.ID) + "@example.net"}}
	})
	if strangers.lakeOpens(t) != 0 || strangers.Bytes.Read != 0 || strangers.Objects["scanned"] != 0 {
		t.Errorf("for people who are not there %d objects were opened, %d bytes read", strangers.lakeOpens(t), strangers.Bytes.Read)
	}
	if first.lakeOpens(t) == 0 {
		t.Error("opens are not counted")
	}

	// Who asks only for what is newer than all that the catalog knows of an object
	// opens it no more, once every record of it is known to have a time. A run for all
	// also looks for what was erased before, whatever the window.
	window := n.run(t, "4", exitDone, []byte(`{"version":1,"id":"W-1","account":"acct-a","subject":"consumer","rights":["access"],"received":"2026-11-20T09:00:00Z",
"identifiers":[{"kind":"email","value":"jane@example.com"}],"verification":{"level":"reasonably_high","attested_by":"x"},"window":{"since":"2026-11-19"}}`+"\n"), "--request", "acct-a/W-1")
	for _, d := range window.Datasets {
		if d.Name == "texts" && (d.Objects["pruned"] == 0 || len(d.Objects) != 1) {
			t.Errorf("texts before the window: %v", d.Objects)
		}
	}
}

// TestChangesInvalidate: an object that changed is scanned anew, and so are those
// whose account a field tells when an account's ids change; the rest is not. A new
// work key changes nothing.
func TestChangesInvalidate(t *testing.T) {
	n := newNightly(t, lake.Options{Seed: 12, Bytes: 1 << 20, Accounts: 2, Requests: 4})
	n.night(t, "1", exitDone, nil)
	sizes := map[string]int64{}
	var calls string
	for _, e := range entriesOf(t, n.config) {
		dataset, _, _ := strings.Cut(e.Key, "/")
		sizes[dataset] += e.Size
		if dataset == "calls" {
			calls = e.Key
		}
	}
	if sizes["texts"] == 0 || calls == "" {
		t.Fatalf("cataloged: %v", sizes)
	}

	// Written again, byte for byte: the store cannot tell that it is the same.
	name := filepath.Join(n.dir, "lake", filepath.FromSlash(calls))
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if f := n.night(t, "2", exitDone, nil); f.Bytes.First != int64(len(b)) {
		t.Errorf("one object of %d bytes was written again: %d bytes scanned", len(b), f.Bytes.First)
	}

	text, err := os.ReadFile(n.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("EXPUNGE_NEW_KEY", "MTAxMTEyMTMxNDE1MTYxNzE4MTkyMDIxMjIyMzI0MjU=")
	rotated := bytes.Replace(text, []byte("key_env: EXPUNGE_KEY"), []byte("key_env: EXPUNGE_NEW_KEY, old_key_envs: [EXPUNGE_KEY]"), 1)
	if err := os.WriteFile(n.config, rotated, 0o600); err != nil {
		t.Fatal(err)
	}
	if f := n.night(t, "3", exitDone, nil); f.Bytes.First != 0 {
		t.Errorf("under a new work key %d bytes were scanned anew", f.Bytes.First)
	}

	renamed := bytes.Replace(rotated, []byte(`, "COM7000"]`), []byte(`, "COM7000", "COM7999"]`), 1)
	if bytes.Equal(renamed, rotated) {
		t.Fatal("no account's ids are where they are looked for")
	}
	if err := os.WriteFile(n.config, renamed, 0o600); err != nil {
		t.Fatal(err)
	}
	if f := n.night(t, "4", exitDone, nil); f.Bytes.First != sizes["texts"] {
		t.Errorf("an account has another id: %d bytes scanned anew, want the %d of texts", f.Bytes.First, sizes["texts"])
	}
}

// TestBasis: every input of a filter or a count is one of an entry's validity.
func TestBasis(t *testing.T) {
	ids := map[string]string{"acme": "acme", "A1": "acme", "other": "other"}
	moved := map[string]string{"acme": "acme", "A1": "other", "other": "other"}
	field, key := &pipeline.Dataset{Digest: "d", Account: "company_id"}, &pipeline.Dataset{Digest: "d"}
	seen := map[string]string{}
	for what, b := range map[string]string{
		"by field":          basis("1", field, catalog.Key{}, ids),
		"by key":            basis("1", key, catalog.Key{}, ids),
		"tokenizer":         basis("2", key, catalog.Key{}, ids),
		"settings":          basis("1", &pipeline.Dataset{Digest: "e"}, catalog.Key{}, ids),
		"catalog key":       basis("1", key, catalog.Key{1}, ids),
		"by field, moved":   basis("1", field, catalog.Key{}, moved),
		"by field, renamed": basis("1", field, catalog.Key{}, map[string]string{"acme2": "acme2", "A1": "acme2", "other": "other"}),
	} {
		if seen[b] != "" {
			t.Errorf("%s and %s have one basis", what, seen[b])
		}
		seen[b] = what
	}
	if basis("1", key, catalog.Key{}, ids) != basis("1", key, catalog.Key{}, moved) {
		t.Error("entries of objects whose key tells the account hang on ids of accounts")
	}
}
