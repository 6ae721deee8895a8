package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"expunge/connectors/fault"
)

// keyedConfig declares datasets whose keys name consumers.
const keyedConfig = `version: 1
name: test
work: {url: %q}
stores: {lake: {%s}}
signing: {key_env: EXPUNGE_SIGNING_KEY}
accounts: {acme: {}}
datasets:
  - name: threads
    at: "lake/threads/account={account}/{phone}.{ext}"
    category: commercial
    object: {phone: {kind: phone}}
    fields: {from: {kind: phone}}
  - name: profiles
    at: "lake/profiles/account={account}/phone={phone}/*"
    category: commercial
    object: {phone: {kind: phone}}
    fields: {from: {kind: phone}}
    on_delete: {action: redact, keep: [said]}
`

// said is a record of a thread.
func said(from, text string) string { return fmt.Sprintf(`{"from":"%s","said":"%s"}`, from, text) }

const (
	ann = "+14045550123" // who asks
	bob = "+14045550199"
)

// bobs are the records that name Bob, each once.
func bobs(all []string) []string {
	return slices.Compact(slices.DeleteFunc(slices.Clone(all), func(r string) bool { return !strings.Contains(r, bob[1:]) }))
}

// keyedObject is an object whose key names somebody.
type keyedObject struct {
	key  string
	body []byte
}

// keyedObjects are objects whose keys name Ann, but for one, in several formats: Bob's
// records in them are to stay. A key that comes twice has an older version. One object is
// of about large bytes.
func keyedObjects(t *testing.T, large int) []keyedObject {
	t.Helper()
	packed := func(lines ...string) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write([]byte(strings.Join(lines, "\n") + "\n")); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	plain := func(lines ...string) []byte { return []byte(strings.Join(lines, "\n") + "\n") }
	type row struct {
		From string `parquet:"from,optional,dict"`
		Said string `parquet:"said,optional"`
	}
	var table bytes.Buffer
	if err := parquet.Write(&table, []row{{ann, "ann in a table"}, {bob, "bob in a table"}, {"", "nobody in a table"}}); err != nil {
		t.Fatal(err)
	}
	lines := []string{said(ann, "ann in a large one")}
	for n := 0; n < large; n += len(lines[len(lines)-1]) {
		lines = append(lines, said(bob, fmt.Sprintf("bob %d %s", len(lines), strings.Repeat("-", 4000))))
	}
	return []keyedObject{
		{"threads/account=acme/" + ann + ".jsonl", plain(said(bob, "bob first"), `{"said":"nobody"}`)},
		{"threads/account=acme/" + ann + ".jsonl", plain(said(bob, "bob first"), said(ann, "ann second"), said(bob, "bob second"))},
		{"threads/account=acme/" + ann + ".gz", packed(said(ann, "ann packed"), said(bob, "bob packed"))},
		{"threads/account=acme/" + ann + ".csv", plain("from,said", ann+",ann in a row", bob+",bob in a row")},
		{"threads/account=acme/" + ann + ".parquet", table.Bytes()},
		{"threads/account=acme/" + ann + ".txt", plain(`{"said":"nobody but ann"}`)},
		{"profiles/account=acme/phone=" + ann + "/1.jsonl", plain(said(ann, "kept of ann"), said(bob, "bob's profile"))},
		{"threads/account=acme/" + ann + ".json", plain(lines...)},
		{"threads/account=acme/" + bob + ".jsonl", plain(said(bob, "bob alone"))},
	}
}

// askKeyed writes Ann's request.
func askKeyed(t *testing.T, dir string) {
	t.Helper()
	request := `{"version":1,"id":"R-1","account":"acme","rights":["delete"],"received":"2026-11-20T09:00:00Z","identifiers":[{"kind":"phone","value":"` + ann + `"}]}`
	if err := os.WriteFile(filepath.Join(dir, "requests.jsonl"), []byte(request), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestMoveKilledAnywhere is TestEraseKilledAnywhere for objects in a directory that move
// from keys that name the consumer. At no time is a record of another consumer in no file.
func TestMoveKilledAnywhere(t *testing.T) {
	step := crashStep(t, 40)
	dir := t.TempDir()
	path := configured(t, filepath.Join(dir, "expunge.yaml"), fmt.Sprintf(keyedConfig, filepath.Join(dir, "work"), fmt.Sprintf("url: %q", filepath.Join(dir, "lake"))))
	askKeyed(t, dir)
	objects := keyedObjects(t, 1<<16)
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	f := &flags{config: path, now: func() time.Time { return now }, json: true}
	quiet(t)
	run := ""
	restore := func() {
		for _, part := range []string{"lake", "work"} {
			if err := os.RemoveAll(filepath.Join(dir, part)); err != nil {
				t.Fatal(err)
			}
		}
		for _, o := range objects {
			name := filepath.Join(dir, "lake", filepath.FromSlash(o.key))
			if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, o.body, 0o640); err != nil {
				t.Fatal(err)
			}
		}
		for _, args := range [][]string{{"submit", filepath.Join(dir, "requests.jsonl")}, {"run"}} {
			if code := expunge(t, append([]string{"-c", path}, args...)...); code != exitDone {
				t.Fatalf("%v: exit %d", args, code)
			}
		}
		run = onlyRun(t, filepath.Join(dir, "work"))
		if code := expunge(t, "-c", path, "approve", run, "--by", "jo"); code != exitDone {
			t.Fatalf("approve: exit %d", code)
		}
	}
	attempt := func(which string, n int, after bool) (*fault.Store, error) {
		return eraseBroken(t, f, run, which, n, after)
	}
	everything := func() []string {
		var all []string
		for _, records := range lakeRecords(t, filepath.Join(dir, "lake")) {
			all = append(all, records...)
		}
		slices.Sort(all)
		return all
	}

	restore()
	before := bobs(everything())
	if _, err := attempt("", 0, false); err != nil {
		t.Fatal(err)
	}
	wantLake, wantCertificates := lakeRecords(t, filepath.Join(dir, "lake")), certified(t, filepath.Join(dir, "work"))
	if got := everything(); !slices.Equal(bobs(got), before) || strings.Contains(strings.Join(got, "\n"), ann[1:]) || len(wantCertificates) != 1 || len(wantLake) != 7 {
		t.Fatalf("undisturbed, the lake has %d records of Bob's, not %d, in %d files", len(bobs(got)), len(before), len(wantLake))
	}
	for key := range wantLake {
		if strings.Contains(key, ann) {
			t.Errorf("%s is there", key)
		}
	}
	tried := 0
	for _, which := range []string{"lake", "work"} {
		for _, after := range []bool{false, true} {
			for n := 1; ; n += step {
				restore()
				broken, err := attempt(which, n, after)
				if !broken.Stopped() {
					break
				}
				tried++
				at := fmt.Sprintf("%s store, killed at operation %d (%s, after %t)", which, n, broken.Lines()[n-1], after)
				if err == nil && !strings.Contains(at, "/erasing/") { // a lease that is not given back ends by itself
					t.Errorf("%s: erase ends without an error", at)
				}
				if got := bobs(everything()); !slices.Equal(got, before) {
					t.Fatalf("%s: %d records of Bob's are left of %d", at, len(got), len(before))
				}
				if _, err := attempt("", 0, false); err != nil {
					t.Errorf("%s: erase again: %v", at, err)
				}
				if !sameLake(t, wantLake, lakeRecords(t, filepath.Join(dir, "lake"))) {
					t.Fatalf("%s: the lake is another", at)
				}
				for name, got := range certified(t, filepath.Join(dir, "work")) {
					if got != wantCertificates[name] {
						t.Fatalf("%s: certificate %s\n%s\nnot\n%s", at, name, got, wantCertificates[name])
					}
				}
			}
		}
	}
	t.Logf("killed at %d operations", tried)
}
