package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/config"
	"expunge/pipeline/report"
)

// moving is a lake in which things happen between listing and reading.
type moving struct {
	connectors.Store
	listed func()          // once, after the first listing
	broken map[string]bool // keys whose bytes end early, again and again
	done   bool
}

func (m *moving) List(ctx context.Context, prefix string) iter.Seq2[connectors.Object, error] {
	return func(yield func(connectors.Object, error) bool) {
		for o, err := range m.Store.List(ctx, prefix) {
			if !yield(o, err) {
				return
			}
		}
		if !m.done {
			m.done = true
			m.listed()
		}
	}
}

func (m *moving) Open(ctx context.Context, r connectors.Ref, rng connectors.Range) (io.ReadCloser, error) {
	body, err := m.Store.Open(ctx, r, rng)
	if err == nil && m.broken[r.Key] {
		body.Close()
		return io.NopCloser(broken{}), nil
	}
	return body, err
}

// broken is a body whose connection breaks.
type broken struct{}

func (broken) Read([]byte) (int, error) {
	return 0, errors.Join(connectors.ErrTemporary, io.ErrUnexpectedEOF)
}

// TestLakeMoves: objects that vanish, change or break off between listing and
// reading are refused by name; what they may hold keeps requests open, and a later
// run finds it.
func TestLakeMoves(t *testing.T) {
	dir := t.TempDir()
	if err := common(filepath.Join("testdata", "script", "common"), dir); err != nil {
		t.Fatal(err)
	}
	file := func(name string) string { return filepath.Join(dir, "lake", "calls", name) }
	write := func(name, text string) {
		t.Helper()
		temp := file(name) + ".new"
		if err := os.WriteFile(temp, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(temp, file(name)); err != nil {
			t.Fatal(err)
		}
	}
	const (
		vanishes = `{"id":"V1","customer_phone_number":"+14045550123"}` + "\n"
		changes  = `{"id":"C1","customer_phone_number":"+14045550123"}` + "\n"
		changed  = `{"id":"C1","customer_phone_number":"+14045550123"}` + "\n" + `{"id":"C2","customer_phone_number":"+14045550123"}` + "\n"
	)
	write("account=acme/vanishes.jsonl", vanishes)
	write("account=acme/changes.jsonl", changes)
	write("account=acme/breaks.jsonl", `{"id":"B1","customer_phone_number":"+14045550123"}`+"\n")

	t.Setenv("EXPUNGE_KEY", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	config := filepath.Join(dir, "expunge.yaml")
	for _, account := range []string{"acme", "globex"} {
		code := expunge(t, "-c", config, "submit", "--account", account, "--request-id", "R-1", "--right", "access", "--phone", "+14045550123", "--received", "2026-11-20")
		if code != exitDone {
			t.Fatalf("submit: exit %d", code)
		}
	}

	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	m := &moving{
		broken: map[string]bool{"calls/account=acme/breaks.jsonl": true},
		listed: func() {
			if err := os.Remove(file("account=acme/vanishes.jsonl")); err != nil {
				t.Error(err)
			}
			write("account=acme/changes.jsonl", changed)
		},
	}
	err := runOn(t, config, now, m)
	if code := exitCode(t.Context(), err); code != exitIncomplete {
		t.Fatalf("run: exit %d: %v", code, err)
	}
	r := onlyReport(t, dir)
	got := map[string]string{}
	for _, x := range r.Refusals {
		got[x.Object[strings.LastIndexByte(x.Object, '/')+1:]] = x.Code
		if strings.Contains(x.Reason, "5550123") {
			t.Errorf("the reason holds the value: %s", x.Reason)
		}
	}
	want := map[string]string{"vanishes.jsonl": "VANISHED", "changes.jsonl": "CHANGED", "breaks.jsonl": "UNREADABLE"}
	for name, code := range want {
		if got[name] != code {
			t.Errorf("%s: refused as %q, want %s", name, got[name], code)
		}
	}
	if len(got) != len(want) {
		t.Errorf("refused: %v", got)
	}
	states := map[string]string{}
	for _, q := range r.Requests {
		states[q.Request] = q.State
		if q.Request == "acme/R-1" && (q.Records != 3 || !strings.HasPrefix(q.Reason, "3 objects that may concern it were refused (")) {
			t.Errorf("%+v", q)
		}
	}
	if states["acme/R-1"] != string(pipeline.Received) || states["globex/R-1"] != string(pipeline.Completed) {
		t.Errorf("states: %v", states)
	}
	if b, err := os.ReadFile(file("account=acme/changes.jsonl")); err != nil || string(b) != changed {
		t.Errorf("the other writer's object is not as it wrote it: %q, %v", b, err)
	}

	// Things stand still again: nothing was lost.
	m.broken = nil
	if err := runOn(t, config, now.Add(time.Hour), m); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "work", "bundles", "acme", "R-1", "data", "calls.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"CAL1", "CAL3", "C1", "C2", "B1"} {
		if !strings.Contains(string(b), `"`+id+`"`) {
			t.Errorf("the bundle has no %s", id)
		}
	}
}

// runOn runs with a lake of the test's own.
func runOn(t *testing.T, config string, now time.Time, lake *moving) error {
	t.Helper()
	a, err := open(t.Context(), &flags{config: config, now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	a.vendor = lake.vendor
	return a.run(t.Context(), &runOptions{workers: 2, lease: time.Minute})
}

func (m *moving) vendor(ctx context.Context, c config.Store) (connectors.Store, error) {
	var err error
	m.Store, err = vendor(ctx, c)
	return m, err
}

func onlyReport(t *testing.T, dir string) *report.Report {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "work", "runs", "*", "report.json"))
	if err != nil || len(names) != 1 {
		t.Fatalf("reports: %v, %v", names, err)
	}
	b, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	r := new(report.Report)
	if err := json.Unmarshal(b, r); err != nil {
		t.Fatal(err)
	}
	return r
}
