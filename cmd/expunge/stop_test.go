package main

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"expunge/connectors"
	"expunge/connectors/fault"
	"expunge/connectors/mem"
	"expunge/pipeline"
)

// TestStoppedAtAnyOperation lets a run die at an operation on its work store, as
// its effect comes and as its reply is lost, then goes on with it in another
// process, as on another machine. Whatever the operation, what is put out is that
// of an undisturbed run. The first operation of every sort is tried (such as the
// create of a bundle's table); with EXPUNGE_STOPS=all every one of them, which
// takes a while.
func TestStoppedAtAnyOperation(t *testing.T) {
	dir := t.TempDir()
	_, config := small(t, dir, "work")
	submitted := contents(t, opened(t, config, time.Now).work)
	stopAnywhere(t, dir, config, submitted, []string{"create claims/*/*/*", "create runs/*/rounds/*/*.units", "create bundles/*/*/data/*.parquet", "create runs/*/report.json", "create requests/*/*/*.json"})
}

// stopAnywhere lets runs that begin with a work store of these objects die, and holds
// them to what an undisturbed one puts out. Some sorts of operations must be among them.
func stopAnywhere(t *testing.T, dir, config string, submitted map[string][]byte, sorted []string) {
	t.Helper()
	at := &clock{}
	run := func(work connectors.Store, resume string, plan func(fault.Op) *fault.Fault) (*fault.Store, error) {
		a := opened(t, config, at.now)
		store := fault.New(work)
		store.Plan = plan
		on(a, store)
		return store, a.run(t.Context(), &runOptions{workers: 1, lease: time.Minute, batch: 8 << 10, resume: resume})
	}
	show := func(work connectors.Store) map[string][]byte {
		to := filepath.Join(dir, "shown")
		if err := os.RemoveAll(to); err != nil {
			t.Fatal(err)
		}
		for key, b := range contents(t, work) {
			name := filepath.Join(to, filepath.FromSlash(key))
			if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return outputs(t, dir, "shown").files
	}
	calm := holding(t, submitted)
	log, err := run(calm, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	standings := func(work connectors.Store) map[pipeline.RequestRef]pipeline.State {
		a := opened(t, config, at.now)
		on(a, work)
		out := map[pipeline.RequestRef]pipeline.State{}
		for e, err := range a.requests().Load(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			out[e.Request.Ref()] = e.State
		}
		return out
	}
	want, lines, stand := show(calm), log.Lines(), standings(calm)
	if !slices.Contains(slices.Collect(maps.Values(stand)), pipeline.AwaitingApproval) {
		t.Fatal("no request has anything to erase: the test proves nothing")
	}

	stop := func(n int, after bool) {
		first := holding(t, submitted)
		_, err := run(first, "", fault.At(n, fault.Fault{Stop: true, After: after}))
		if err != nil && !errors.Is(err, fault.ErrStopped) && !errors.Is(err, fault.ErrInjected) {
			t.Fatalf("the run ended with %v", err)
		}
		at.pass(time.Hour) // until the lease has expired
		second := holding(t, contents(t, first))
		if err != nil { // else it came to its end all the same
			resume := ""
			for _, key := range keys(t, second, "runs/") {
				if run, ok := strings.CutSuffix(key, "/run.json"); ok {
					resume = strings.TrimPrefix(run, "runs/")
				}
			}
			if _, err := run(second, resume, nil); err != nil {
				t.Fatalf("the run cannot be resumed: %v", err)
			}
		}
		got := show(second)
		for name, b := range want {
			if !bytes.Equal(got[name], b) {
				t.Errorf("%s differs from an undisturbed run's", name)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d files, an undisturbed run writes %d", len(got), len(want))
		}
		for ref, state := range standings(second) {
			if state != stand[ref] {
				t.Errorf("request %s is %s, not %s", ref, state, stand[ref])
			}
		}
	}
	tried, sorts := 0, map[string]bool{}
	for n, line := range lines {
		sort := sortOf(line)
		if sorts[sort] && os.Getenv("EXPUNGE_STOPS") != "all" {
			continue
		}
		sorts[sort] = true
		for _, after := range []bool{false, true} {
			if kind, _, _ := strings.Cut(line, " "); after && kind != "create" && kind != "replace" {
				continue // no effect
			}
			tried++
			if stop(n+1, after); t.Failed() {
				t.Fatalf("stopped at operation %d of %d (%s), after its effect: %v", n+1, len(lines), line, after)
			}
		}
	}
	t.Logf("%d operations of %d sorts, %d stops", len(lines), len(sorts), tried)
	for _, sort := range sorted {
		if !sorts[sort] {
			t.Errorf("no stop at a %s", sort)
		}
	}
}

// contents are the objects of a store.
func contents(t *testing.T, s connectors.Store) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, key := range keys(t, s, "") {
		body, err := s.Open(t.Context(), connectors.Ref{Key: key}, connectors.All)
		if err != nil {
			t.Fatal(err)
		}
		out[key], err = io.ReadAll(body)
		body.Close()
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// holding is a store that holds these objects.
func holding(t *testing.T, objects map[string][]byte) connectors.Store {
	t.Helper()
	s := mem.New("work", mem.Options{})
	for key, b := range objects {
		if _, err := s.Create(t.Context(), key, bytes.NewReader(b)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// sortOf is an operation without what differs from request to request.
func sortOf(line string) string {
	kind, key, _ := strings.Cut(line, " ")
	key, _, _ = strings.Cut(key, " ")
	if kind == "create" || kind == "replace" {
		parts := strings.Split(strings.TrimSuffix(key, ":"), "/")
		for i, part := range parts[1:] {
			parts[i+1] = named.FindString(part)
			if i+1 == len(parts)-1 {
				ext := filepath.Ext(part)
				parts[i+1] = named.FindString(strings.TrimSuffix(part, ext)) + ext
			}
			if strings.TrimSuffix(parts[i+1], filepath.Ext(parts[i+1])) == "" {
				parts[i+1] = "*" + parts[i+1]
			}
		}
		return kind + " " + strings.Join(parts, "/")
	}
	key, _, _ = strings.Cut(key, "/")
	return kind + " " + key
}

// named are the names in a work store that say what something is.
var named = regexp.MustCompile(`^(plan|rounds|filters|data|files|manifest|run|catalog|report|objects|review|bundle|categories|index|lease|identities|recalled)$`)
