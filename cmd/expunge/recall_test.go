package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"expunge/testdata/lake"
)

// answeredLake is a lake of which all requests were answered, and their records erased.
func answeredLake(t *testing.T, l *lake.Lake, dir string) (config string, do func(...string) string) {
	t.Helper()
	config, do = reviewLake(t, l, dir, func(first string, do func(...string) string) { decideAll(t, dir, do, first, "exclude") })
	do("run")
	return config, do
}

// reviewLake is one of which the records were erased that nobody has to decide on, after
// decide, which may be nil.
func reviewLake(t *testing.T, l *lake.Lake, dir string, decide func(run string, do func(...string) string)) (config string, do func(...string) string) {
	t.Helper()
	place(t, l, dir)
	config = configure(t, l, dir, "work")
	do = doing(t, config)
	do("submit", filepath.Join(dir, "requests.jsonl"))
	do("run")
	first := onlyRun(t, filepath.Join(dir, "work"))
	if decide != nil {
		decide(first, do)
	}
	do("approve", first, "--by", "jo")
	do("erase", first)
	return config, do
}

// newest is the run that is in none of known.
func newest(t *testing.T, work string, known map[string]bool) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(work, "runs"))
	if err != nil {
		t.Fatal(err)
	}
	run := ""
	for _, e := range entries {
		if !known[e.Name()] {
			run, known[e.Name()] = e.Name(), true
		}
	}
	return run
}

// TestRestoredBackup puts back every object as it was before its records were erased.
// The next run plans exactly what the truth names, without being asked for anything and
// without the identities, whole objects by their content; nothing is left to a person.
func TestRestoredBackup(t *testing.T) {
	l, err := lake.Generate(lake.Options{Seed: 17, Bytes: 1 << 20, Accounts: 3, Requests: 12})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	_, do := answeredLake(t, l, dir)
	work := filepath.Join(dir, "work")
	runs := map[string]bool{}
	for newest(t, work, runs) != "" {
		if err := os.RemoveAll(filepath.Join(work, "bundles")); err != nil { // tablesBelow would count them
			t.Fatal(err)
		}
	}
	for run := range runs { // as after the verify period
		if err := os.Remove(filepath.Join(work, "runs", run, "identities")); err != nil {
			t.Fatal(err)
		}
	}
	do("run")
	if n := do("review", newest(t, work, runs)); n != "" {
		t.Errorf("nothing has come, and there is something to review:\n%s", n)
	}

	place(t, l, dir)
	before := lakeRecords(t, filepath.Join(dir, "lake"))
	do("run")
	second := newest(t, work, runs)
	got, want, why := plannedAgain(t, l, dir, second)
	for _, f := range got.review {
		t.Errorf("%v is left to a person: %s", f, why[f])
	}
	compare(t, "manifest", got.tombstones, want, why)
	whole := 0
	for _, f := range got.tombstones {
		if f.Record < 0 {
			whole++
		}
	}
	if whole == 0 || len(got.tombstones) == whole {
		t.Error("no whole object, or no record: the test proves nothing")
	}

	do("approve", second, "--by", "jo")
	do("erase", second)
	sameLake(t, left(t, l, before), lakeRecords(t, filepath.Join(dir, "lake")))
	do("verify", second)
	if out := do("run"); !strings.Contains(out, "of 0 something was delivered again") {
		t.Errorf("there is something left to do:\n%s", out)
	}
}

// plannedAgain is what a run has planned, without other runs, and what the truth says was erased
// before it, with why.
func plannedAgain(t *testing.T, l *lake.Lake, dir, run string) (got *tables, want []found, why map[found]string) {
	t.Helper()
	only := filepath.Join(dir, "only", "runs", run)
	if err := os.MkdirAll(filepath.Dir(only), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(only, os.DirFS(filepath.Join(dir, "work", "runs", run))); err != nil {
		t.Fatal(err)
	}
	why = map[found]string{}
	for x := range l.Truth() {
		if slices.Contains(x.Rights, "delete") && x.Tier != "mention" && x.Tier != "review" {
			f := found{x.Account + "/" + x.Request, x.Object, x.Record}
			want = append(want, f)
			why[f] = x.Why
		}
	}
	return tablesBelow(t, filepath.Join(dir, "only"), "file://"+filepath.Join(dir, "lake")+"/"), want, why
}

// TestFollowUpStopped lets a run that nobody asked anything of die at its operations, while
// some requests are answered and others wait for a person.
func TestFollowUpStopped(t *testing.T) {
	l, err := lake.Generate(lake.Options{Seed: 21, Bytes: 64 << 10, Accounts: 2, Requests: 3})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config, do := reviewLake(t, l, dir, func(first string, do func(...string) string) {
		var decided strings.Builder
		for line := range strings.Lines(do("review", first, "--json")) {
			if strings.Contains(line, `"request":"acct-a/`) {
				decided.WriteString(strings.Replace(line, `"decision":""`, `"decision":"exclude"`, 1))
			}
		}
		file := filepath.Join(dir, "decided.jsonl")
		if err := os.WriteFile(file, []byte(decided.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		do("review", first, "--decide", file, "--by", "jo", "--reason", "looked at")
	})
	do("run")
	if said := do("status"); !strings.Contains(said, "COMPLETED") || !strings.Contains(said, "REVIEW") {
		t.Fatalf("not some are answered and some wait: the test proves nothing:\n%s", said)
	}
	place(t, l, dir)
	store := opened(t, config, (&clock{}).now).work
	begun := contents(t, store)
	for key := range begun { // what earlier runs have put out is not looked at
		if strings.HasPrefix(key, "runs/") || strings.HasPrefix(key, "bundles/") {
			delete(begun, key)
		}
	}
	stopAnywhere(t, dir, config, begun, []string{"create runs/*/recalled.json", "create runs/*/rounds/*/*.units", "create runs/*/report.json", "create requests/*/*/*.json"})
}

// TestRestoredInReview puts back every object while requests wait for a person. The next
// run plans what was erased and nothing else, of requests that also ask for access copies
// alone; it asks nobody anything, and after it what people have to decide is what it was.
func TestRestoredInReview(t *testing.T) {
	l, err := lake.Generate(lake.Options{Seed: 17, Bytes: 1 << 20, Accounts: 3, Requests: 12})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	_, do := reviewLake(t, l, dir, nil)
	work := filepath.Join(dir, "work")
	first := onlyRun(t, work)
	asked, status := do("review", first, "--json"), do("status")
	if !strings.Contains(status, "REVIEW") {
		t.Fatal("no request is in review: the test proves nothing")
	}
	runs := map[string]bool{first: true}
	if err := os.RemoveAll(filepath.Join(work, "bundles")); err != nil { // tablesBelow would count them
		t.Fatal(err)
	}
	place(t, l, dir)
	before := lakeRecords(t, filepath.Join(dir, "lake"))
	do("run")
	second := newest(t, work, runs)
	got, want, why := plannedAgain(t, l, dir, second)
	compare(t, "manifest", got.tombstones, want, why)
	do("approve", second, "--by", "jo")
	do("erase", second)
	sameLake(t, left(t, l, before), lakeRecords(t, filepath.Join(dir, "lake")))
	if now := do("review", first, "--json"); now != asked {
		t.Error("what people have to decide is not what it was")
	}
	if now := do("status"); strings.Count(now, "REVIEW") != strings.Count(status, "REVIEW") {
		t.Errorf("requests stand otherwise than before:\n%s\nnot\n%s", now, status)
	}
}
