package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"expunge/connectors"
	"expunge/connectors/fault"
	"expunge/pipeline/certificate"
	"expunge/pipeline/config"
	"expunge/testdata/lake"
)

// crashStep is at how many operations one is tried: EXPUNGE_CRASH says all, or a
// number; otherwise it is what make test can bear.
func crashStep(t *testing.T, usual int) int {
	t.Helper()
	switch said := os.Getenv("EXPUNGE_CRASH"); said {
	case "":
		return usual
	case "all":
		return 1
	default:
		n, err := strconv.Atoi(said)
		if err != nil || n < 1 {
			t.Fatalf("EXPUNGE_CRASH is %q: it is all, or a number", said)
		}
		return n
	}
}

// TestEraseKilledAnywhere stops an erasure at operations of the lake and of the work
// store, before and after they take effect, runs it again, and compares lake and
// certificates with those of an undisturbed one. The lake holds every format.
// `make crash` stops at every single operation; make test at every sixtieth.
func TestEraseKilledAnywhere(t *testing.T) {
	step := crashStep(t, 60)
	dir := t.TempDir()
	l, err := lake.Generate(lake.Options{Seed: 5, Bytes: 1 << 20, Accounts: 3, Requests: 12})
	if err != nil {
		t.Fatal(err)
	}
	path := configure(t, l, dir, "work")
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	f := &flags{config: path, now: func() time.Time { return now }, json: true}
	run := ""
	// restore brings the lake to where an erasure can begin. A copy of a directory
	// would not do: its ETags are others than those that were sealed.
	restore := func() {
		for _, part := range []string{"lake", "work"} {
			if err := os.RemoveAll(filepath.Join(dir, part)); err != nil {
				t.Fatal(err)
			}
		}
		placeSome(t, l, dir)
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
	quiet(t)
	attempt := func(which string, n int, after bool) (*fault.Store, error) {
		return eraseBroken(t, f, run, which, n, after)
	}
	end := func() (map[string][]string, map[string]string) {
		return lakeRecords(t, filepath.Join(dir, "lake")), certified(t, filepath.Join(dir, "work"))
	}

	restore()
	if _, err := attempt("", 0, false); err != nil {
		t.Fatal(err)
	}
	wantLake, wantCertificates := end()
	if len(wantCertificates) == 0 {
		t.Fatal("nothing was certified: the test proves nothing")
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
				if _, err := attempt("", 0, false); err != nil {
					t.Errorf("%s: erase again: %v", at, err)
				}
				gotLake, gotCertificates := end()
				if !sameLake(t, wantLake, gotLake) {
					t.Fatalf("%s: the lake is another", at)
				}
				for name, want := range wantCertificates {
					if got := gotCertificates[name]; got != want {
						t.Fatalf("%s: certificate %s\n%s\nnot\n%s", at, name, got, want)
					}
				}
			}
		}
	}
	t.Logf("killed at %d operations", tried)
}

// placeSome writes the objects of one account that the requests are about, so that
// an erasure takes few operations.
func placeSome(t *testing.T, l *lake.Lake, dir string) {
	t.Helper()
	wanted := map[string]bool{}
	formats := map[string]int{}
	for x := range l.Truth() {
		if kind := strings.Split(x.Object, "/")[0]; !wanted[x.Object] && formats[kind] < 3 {
			formats[kind]++
			wanted[x.Object] = true
		}
	}
	for file := range l.Files() {
		if !wanted[file.Key] {
			continue
		}
		name := filepath.Join(dir, "lake", filepath.FromSlash(file.Key))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := file.Write(&b); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	asked(t, l, dir)
}

// certified are the certificates' bodies, but for what differs from one run over an
// equal lake to the next: ETags, times, and what hangs on them.
func certified(t *testing.T, work string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for name, raw := range files(t, filepath.Join(work, "certificates")) {
		_, b, err := certificate.Parse(raw)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		b.Run, b.Manifest, b.Cutoff, b.Issued, b.Verified.At = "", "", "", "", ""
		for i := range b.Objects {
			b.Objects[i].ETagBefore, b.Objects[i].ETagAfter = "", ""
		}
		text, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = string(text)
	}
	return out
}

// quiet sends what commands print to nowhere, for the rest of a test.
func quiet(t *testing.T) {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	was := os.Stdout
	os.Stdout = null
	t.Cleanup(func() {
		os.Stdout = was
		if err := null.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
}

// eraseBroken erases a run with a fault at operation n of the store which (lake or work);
// 0: none.
func eraseBroken(t *testing.T, f *flags, run, which string, n int, after bool) (*fault.Store, error) {
	t.Helper()
	a, err := open(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	plan := fault.At(n, fault.Fault{After: after, Stop: true})
	var broken *fault.Store
	a.vendor = func(ctx context.Context, c config.Store) (connectors.Store, error) {
		s, err := vendor(ctx, c)
		if err != nil || which != "lake" {
			return s, err
		}
		if broken == nil { // erase opens the store again to probe it: one count for both
			broken = fault.New(s)
			broken.Plan = plan
		}
		return broken.View(), nil
	}
	if which == "work" {
		broken = fault.New(a.work)
		broken.Plan = plan
		a.work = broken.View()
	}
	return broken, a.erase(t.Context(), run, nil, 1)
}
