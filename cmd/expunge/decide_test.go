package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"expunge/pipeline/certificate"
	"expunge/testdata/lake"
)

// TestDecideTruth has a person decide on all that a run leaves for review, as the
// generator knows it to be: nobody else's mention is the consumer's. After the next run
// every deletion is complete, and the lake has lost nothing but what is certain.
func TestDecideTruth(t *testing.T) {
	l, err := lake.Generate(lake.Options{Seed: 13, Bytes: 1 << 20, Accounts: 3, Requests: 12})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	place(t, l, dir)
	config := configure(t, l, dir, "work")
	work := filepath.Join(dir, "work")
	before := lakeRecords(t, filepath.Join(dir, "lake"))
	do := doing(t, config)
	do("submit", filepath.Join(dir, "requests.jsonl"))
	do("run")
	run := onlyRun(t, work)
	n := decideAll(t, dir, do, run, "exclude")
	do("approve", run, "--by", "jo")
	do("erase", run)
	do("run")

	second := ""
	entries, err := os.ReadDir(filepath.Join(work, "runs"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != run {
			second = e.Name()
		}
	}
	if left := do("review", second); left != "" {
		t.Errorf("it was asked again:\n%s", left)
	}
	deletes, excluded := 0, int64(0)
	for _, r := range l.Requests() {
		name := filepath.Join(work, "certificates", r.Account, r.ID+".json")
		wants := slices.Contains(r.Rights, "delete")
		raw, err := os.ReadFile(name)
		if os.IsNotExist(err) && !wants {
			continue
		}
		if err != nil {
			t.Errorf("%s/%s has no complete certificate: %v", r.Account, r.ID, err)
			continue
		}
		_, body, err := certificate.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if deletes++; !wants || !body.Complete {
			t.Errorf("%s/%s: rights %v, complete %v", r.Account, r.ID, r.Rights, body.Complete)
		}
		if body.Decided != nil {
			excluded += body.Decided.Excluded
		}
	}
	t.Logf("%d decisions, %d complete certificates with %d excluded records", n, deletes, excluded)
	if deletes == 0 || excluded == 0 {
		t.Error("no certificate, or none that tells of a decision: the test proves nothing")
	}
	var status struct {
		Requests []struct{ Account, ID, State string }
	}
	if err := json.Unmarshal([]byte(do("status", "--json")), &status); err != nil {
		t.Fatal(err)
	}
	for _, q := range status.Requests {
		if q.State != "COMPLETED" {
			t.Errorf("%s/%s is %s", q.Account, q.ID, q.State)
		}
	}
	sameLake(t, left(t, l, before), lakeRecords(t, filepath.Join(dir, "lake")))
}

// doing is the program under a config: what it prints, where it ends well.
func doing(t *testing.T, config string) func(args ...string) string {
	return func(args ...string) string {
		t.Helper()
		out := stdout(t, func() {
			if code := expunge(t, append([]string{"-c", config}, args...)...); code != exitDone {
				t.Errorf("%v: exit %d", args, code)
			}
		})
		if t.Failed() {
			t.FailNow()
		}
		return out
	}
}

// decideAll decides the same on all that a run has left for review, and returns how
// much that was.
func decideAll(t *testing.T, dir string, do func(...string) string, run, verdict string) int {
	t.Helper()
	decided := strings.ReplaceAll(do("review", run, "--json"), `"decision":""`, `"decision":"`+verdict+`"`)
	n := strings.Count(decided, `"decision":"`+verdict+`"`)
	if n == 0 {
		t.Fatal("nothing waits for review: the test proves nothing")
	}
	file := filepath.Join(dir, "decided.jsonl")
	if err := os.WriteFile(file, []byte(decided), 0o600); err != nil {
		t.Fatal(err)
	}
	do("review", run, "--decide", file, "--by", "jo", "--reason", "looked at")
	return n
}

// stdout is what do prints.
func stdout(t *testing.T, do func()) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "stdout")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	was := os.Stdout
	os.Stdout = f
	defer func() { os.Stdout = was }()
	do()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestReadDecided(t *testing.T) {
	for _, c := range []struct {
		name, in, reason string
		want             string // or what the error says
	}{
		{"JSON lines", `{"tombstone":"a1","decision":"include","reason":"his"}` + "\n\n" + `{"tombstone":"a2","decision":"","reason":"x"}` + "\n" + `{"request":"acme/R-1","object_id":"o","record":3,"decision":"exclude","reason":"not"}`, "",
			`1 a1 "" "" -1 include his; 4  "acme/R-1" "o" 3 exclude not; `},
		{"CSV as spreadsheets write it", "\ufefftombstone,decision,reason\r\na1,include,his\r\na2,,\r\na3,exclude,\r\n", "looked at", `2 a1 "" "" -1 include his; 4 a3 "" "" -1 exclude looked at; `},
		{"CSV of whole objects", "request,object_id,record,decision\nacme/R-1,o,,exclude\n", "r", `2  "acme/R-1" "o" -1 exclude r; `},
		{"empty", "", "", ""},
		{"another word", `{"tombstone":"a1","decision":"yes","reason":"his"}`, "", "line 1: a decision is include or exclude"},
		{"no reason", `{"tombstone":"a1","decision":"include","reason":" "}`, "", "line 1: the reason is missing"},
		{"no record", `{"request":"acme/R-1","decision":"include","reason":"his"}`, "", "line 1: it names no record"},
		{"no JSON", "{\n", "", "line 1: it is no JSON object"},
		{"no header", "a1,include,his\n", "", "no header with a column decision"},
		{"a record that is none", "tombstone,record,decision\na1,first,include\n", "r", "line 2: the record is no number"},
		{"a short row", "tombstone,decision\na1\n", "r", "wrong number of fields"},
	} {
		lines, err := readDecided(bytes.NewReader([]byte(c.in)), c.reason)
		got := ""
		for _, w := range lines {
			s := w.spot()
			got += fmt.Sprintf("%d %s %q %q %d %s %s; ", w.line, w.Tombstone, s.request, s.object, s.record, w.Verdict, w.Reason)
		}
		if err != nil {
			got = err.Error()
		}
		if err == nil && got != c.want || err != nil && (c.want == "" || !strings.Contains(got, c.want)) {
			t.Errorf("%s: %s, not %s", c.name, got, c.want)
		}
	}
}
