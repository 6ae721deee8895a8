package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"expunge/connectors"
	"expunge/connectors/fault"
	"expunge/pipeline"
	"expunge/pipeline/config"
	"expunge/pipeline/report"
)

// leaving is a lake from which an object is taken when it is opened for the nth time.
type leaving struct {
	connectors.Store
	key  string
	at   int // 0: never
	take func()

	mu    sync.Mutex
	opens int
}

func (l *leaving) Open(ctx context.Context, r connectors.Ref, rng connectors.Range) (io.ReadCloser, error) {
	if r.Key == l.key {
		l.mu.Lock()
		if l.opens++; l.opens == l.at {
			l.take()
		}
		l.mu.Unlock()
	}
	return l.Store.Open(ctx, r, rng)
}

var finishNow = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// asks makes the common lake, and submits two requests that ask for all of it.
func asks(t *testing.T, work string, rights ...string) (dir, config string) {
	t.Helper()
	dir = t.TempDir()
	if err := common(filepath.Join("testdata", "script", "common"), dir); err != nil {
		t.Fatal(err)
	}
	return dir, asksAgain(t, dir, work, rights...)
}

// asksAgain does so with another work store on the same lake.
func asksAgain(t *testing.T, dir, work string, rights ...string) (config string) {
	t.Helper()
	t.Setenv("EXPUNGE_KEY", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	text, err := os.ReadFile(filepath.Join(dir, "expunge.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	config = filepath.Join(dir, work+".yaml")
	text = bytes.Replace(text, []byte("work: {url: work}"), []byte("work: {url: "+work+"}"), 1)
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, account := range []string{"acme", "globex"} {
		args := []string{"-c", config, "submit", "--account", account, "--request-id", "R-1", "--phone", "+14045550123", "--received", "2026-11-20"}
		for _, r := range rights {
			args = append(args, "--right", r)
		}
		if code := expunge(t, args...); code != exitDone {
			t.Fatalf("submit: exit %d", code)
		}
	}
	return config
}

// runApp runs with stores of the test's own.
func runApp(t *testing.T, config string, now time.Time, o runOptions, change func(*app)) error {
	t.Helper()
	a, err := open(t.Context(), &flags{config: config, now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	change(a)
	o.workers, o.lease = 1, time.Minute
	return a.run(t.Context(), &o)
}

// TestObjectLeavesBeforeItIsHandedOver: a recording that is gone when the bundle is
// written is withheld by name; the rest is handed over, the run is INCOMPLETE and
// the request stays open. Where it is asked to be erased, too, the manifest stands.
func TestObjectLeavesBeforeItIsHandedOver(t *testing.T) {
	for _, c := range []struct {
		rights []string
		state  pipeline.State
	}{
		{[]string{"access"}, pipeline.Received},
		{[]string{"access", "delete"}, pipeline.AwaitingApproval},
	} {
		opens := 0
		for _, at := range []int{0, -1} { // first find out which opening is the last: the bundle's
			dir, file := asks(t, "work", c.rights...)
			lake := &leaving{key: "recordings/account=acme/RE1.mp3"}
			if at < 0 {
				lake.at = opens
			}
			lake.take = func() {
				if err := os.Remove(filepath.Join(dir, "lake", filepath.FromSlash(lake.key))); err != nil {
					t.Error(err)
				}
			}
			err := runApp(t, file, finishNow, runOptions{}, func(a *app) {
				a.vendor = func(ctx context.Context, c config.Store) (connectors.Store, error) {
					var err error
					lake.Store, err = vendor(ctx, c)
					return lake, err
				}
			})
			opens = lake.opens
			r := onlyReport(t, dir)
			index, rerr := os.ReadFile(filepath.Join(dir, "work", "bundles", "acme", "R-1", "bundle.json"))
			if rerr != nil {
				t.Fatal(rerr)
			}
			files, _ := filepath.Glob(filepath.Join(dir, "work", "bundles", "acme", "R-1", "files", "recordings", "*"))
			if at == 0 {
				if err != nil || len(files) != 1 || bytes.Contains(index, []byte("VANISHED")) {
					t.Fatalf("undisturbed: %v, files %v", err, files)
				}
				continue
			}
			if code := exitCode(t.Context(), err); code != exitIncomplete {
				t.Errorf("exit %d: %v", code, err)
			}
			if len(files) != 0 || !bytes.Contains(index, []byte(`"code": "VANISHED"`)) || !bytes.Contains(index, []byte("recordings/account=acme/RE1.mp3")) {
				t.Errorf("files %v, index:\n%s", files, index)
			}
			if _, err := os.Stat(filepath.Join(dir, "work", "bundles", "acme", "R-1", "data", "calls.parquet")); err != nil {
				t.Error(err)
			}
			for _, q := range r.Requests {
				gone := strings.Contains(q.Reason, "1 whole object could not be read for its bundle: 1 VANISHED")
				if gone != (q.Request == "acme/R-1") || gone && q.State != string(c.state) {
					t.Errorf("%v: %s %s: %q", c.rights, q.Request, q.State, q.Reason)
				}
			}
			if r.Missing != 1 || c.state == pipeline.AwaitingApproval && r.Tombstones == 0 {
				t.Errorf("%v: %d missing, %d tombstones", c.rights, r.Missing, r.Tombstones)
			}
		}
	}
}

// TestDiesAtTheEnd stops a run at every other operation on the work store from the
// first output on (in turn before it takes effect and after), and goes on with it:
// bundles, manifest and review list are byte for byte what an undisturbed run
// writes, and requests stand where it leaves them.
func TestDiesAtTheEnd(t *testing.T) {
	output := func(op fault.Op) bool {
		if strings.HasPrefix(op.Key, "bundles/") {
			return true
		}
		return strings.HasPrefix(op.Key, "runs/") && slices.ContainsFunc([]string{"/objects", "/review", "/manifest/", "/report."}, func(part string) bool {
			return strings.Contains(op.Key, part)
		})
	}
	dir, config := asks(t, "calm", "access", "delete")
	states := func(work string) string {
		names, err := filepath.Glob(filepath.Join(dir, work, "runs", "*", "report.json"))
		if err != nil || len(names) != 1 {
			t.Fatalf("reports: %v, %v", names, err)
		}
		b, err := os.ReadFile(names[0])
		if err != nil {
			t.Fatal(err)
		}
		var r report.Report
		if err := json.Unmarshal(b, &r); err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, q := range r.Requests {
			out = append(out, q.Request+" "+q.State+" "+q.Reason)
		}
		return strings.Join(out, "; ")
	}
	if err := runApp(t, config, finishNow, runOptions{}, func(*app) {}); err != nil {
		t.Fatal(err)
	}
	want, wantStates := outputs(t, dir, "calm").files, states("calm")
	if len(want) < 5 {
		t.Fatalf("only %d files to compare", len(want))
	}
	deaths := 0
	for n := 1; ; n += 2 {
		work := fmt.Sprint("work-", n)
		config := asksAgain(t, dir, work, "access", "delete")
		seen := 0
		err := runApp(t, config, finishNow, runOptions{}, func(a *app) {
			dying := fault.New(a.work)
			dying.Plan = func(op fault.Op) *fault.Fault {
				if seen > 0 || output(op) { // whatever comes after the first output counts
					seen++
				}
				if seen != n {
					return nil
				}
				return &fault.Fault{Stop: true, After: n%4 == 1}
			}
			a.work = dying
		})
		if seen < n {
			if err != nil {
				t.Fatalf("undisturbed: %v", err)
			}
			break
		}
		deaths++
		if err != nil {
			runs, rerr := filepath.Glob(filepath.Join(dir, work, "runs", "*"))
			if rerr != nil || len(runs) != 1 {
				t.Fatalf("runs: %v, %v", runs, rerr)
			}
			err = runApp(t, config, finishNow.Add(time.Hour), runOptions{resume: filepath.Base(runs[0])}, func(*app) {})
		}
		if err != nil {
			t.Errorf("died at %d: resume: %v", n, err)
			continue
		}
		got := outputs(t, dir, work).files
		if !slices.Equal(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want))) {
			t.Errorf("died at %d: other files than an undisturbed run's", n)
		}
		for name, b := range want {
			if !bytes.Equal(b, got[name]) {
				t.Errorf("died at %d: %s differs from an undisturbed run's", n, name)
			}
		}
		if s := states(work); s != wantStates {
			t.Errorf("died at %d: requests %s, undisturbed %s", n, s, wantStates)
		}
	}
	if deaths < 15 {
		t.Errorf("died only %d times", deaths)
	}
	t.Logf("died %d times", deaths)
}
