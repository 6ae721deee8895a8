package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"expunge/connectors"
	"expunge/connectors/fault"
	"expunge/connectors/mem"
	"expunge/pipeline"
	"expunge/pipeline/config"
	"expunge/pipeline/manifest"
)

// played is the whole job on a lake in memory, which plays what a store can do.
type played struct {
	t      *testing.T
	dir    string
	config string
	lake   *mem.Store
	plan   func(fault.Op) *fault.Fault
	now    time.Time
}

const playedLine = `{"id":"CAL1","customer_phone_number":"+14045550123"}` + "\n" + `{"id":"CAL2","customer_phone_number":"+14045550199"}` + "\n"

// play takes in a deletion of the one number in playedLine.
func play(t *testing.T, versions bool) *played {
	t.Helper()
	p := &played{t: t, dir: t.TempDir(), lake: mem.New("lake", mem.Options{Versions: versions}), now: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)}
	if err := common(filepath.Join("testdata", "script", "common"), p.dir); err != nil {
		t.Fatal(err)
	}
	t.Setenv("EXPUNGE_KEY", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	t.Setenv("EXPUNGE_SIGNING_KEY", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=")
	p.config = filepath.Join(p.dir, "expunge.yaml")
	if code := expunge(t, "-c", p.config, "submit", "--account", "acme", "--request-id", "R-1", "--right", "delete", "--phone", "+14045550123", "--received", "2026-11-20"); code != exitDone {
		t.Fatalf("submit: exit %d", code)
	}
	return p
}

func (p *played) app() *app {
	p.t.Helper()
	a, err := open(p.t.Context(), &flags{config: p.config, now: func() time.Time { return p.now }})
	if err != nil {
		p.t.Fatal(err)
	}
	a.vendor = func(context.Context, config.Store) (connectors.Store, error) {
		f := fault.New(p.lake)
		f.Plan = p.plan
		return f.View(), nil
	}
	return a
}

// run searches, and approves what it finds; it returns the run's name, and the exit code.
func (p *played) run() (string, int) {
	p.t.Helper()
	before := map[string]bool{}
	runs, _ := filepath.Glob(filepath.Join(p.dir, "work", "runs", "*"))
	for _, r := range runs {
		before[r] = true
	}
	err := p.app().run(p.t.Context(), &runOptions{workers: 2, lease: time.Minute})
	code := exitDone
	if err != nil {
		p.t.Logf("run: %v", err)
		code = exitCode(p.t.Context(), err)
	}
	runs, _ = filepath.Glob(filepath.Join(p.dir, "work", "runs", "*"))
	for _, r := range runs {
		if !before[r] {
			name := filepath.Base(r)
			a := p.app()
			m, err := manifest.Read(p.t.Context(), a.work, a.keys, name)
			if err == nil && m.Rows > 0 {
				_, err = manifest.Approve(p.t.Context(), a.work, a.keys, nil, m, manifest.Approval{By: "jo", At: "2026-11-25T12:00:00Z"}, nil)
			}
			if err != nil {
				p.t.Fatal(err)
			}
			return name, code
		}
	}
	p.t.Fatal("no run was begun")
	return "", 0
}

func (p *played) erase(run string) int {
	p.t.Helper()
	err := p.app().erase(p.t.Context(), run, nil, 2)
	if err == nil {
		return exitDone
	}
	p.t.Logf("erase: %v", err)
	return exitCode(p.t.Context(), err)
}

// stands is the state of the request, and why.
func (p *played) stands() (pipeline.State, string) {
	p.t.Helper()
	e, err := p.app().requests().Entry(p.t.Context(), pipeline.RequestRef{Account: "acme", ID: "R-1"})
	if err != nil {
		p.t.Fatal(err)
	}
	return e.State, e.Last.Reason
}

// wants checks where the request stands, and that the reason has these words.
func (p *played) wants(state pipeline.State, words ...string) {
	p.t.Helper()
	got, why := p.stands()
	if got != state {
		p.t.Fatalf("the request is %s (%s), not %s", got, why, state)
	}
	for _, w := range words {
		if !strings.Contains(why, w) {
			p.t.Errorf("it is %s since %q, without %q", got, why, w)
		}
	}
}

// certificate checks that a certificate of the request has these words.
func (p *played) certificate(name string, words ...string) {
	p.t.Helper()
	b, err := os.ReadFile(filepath.Join(p.dir, "work", "certificates", "acme", name))
	if err != nil {
		p.t.Fatal(err)
	}
	for _, w := range words {
		if !strings.Contains(string(b), w) {
			p.t.Errorf("%s has no %s:\n%s", name, w, b)
		}
	}
	if strings.Contains(string(b), "5550123") {
		p.t.Errorf("%s holds the number", name)
	}
}

// holds is what a plain read of a key gives.
func (p *played) holds(key string) string {
	p.t.Helper()
	b, err := connectors.ReadAll(p.t.Context(), p.lake, key)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(b)
}

// Who may not list unfinished uploads does not get a certificate that there are none.
func TestUploadsThatMayNotBeListed(t *testing.T) {
	p := play(t, false)
	p.lake.Overwrite("calls/account=acme/1.jsonl", []byte(playedLine))
	u := p.lake.Begin("calls/account=acme/1.jsonl", p.now.Add(-time.Hour), []byte("x"))
	p.plan = func(op fault.Op) *fault.Fault {
		if op.Kind == "uploads" {
			return &fault.Fault{Err: connectors.ErrDenied}
		}
		return nil
	}
	run, _ := p.run()
	p.now = p.now.Add(2 * time.Hour)
	if code := p.erase(run); code != exitIncomplete {
		t.Fatalf("erase: exit %d", code)
	}
	p.wants(pipeline.Blocked, "s3:ListBucketMultipartUploads", "expunge erase "+run)
	p.certificate("R-1/partial-1.json", `"complete":false`, `"code":"UPLOADS"`, `"act":"abort_uploads"`, `"OPEN":1`)
	if err := p.app().run(t.Context(), &runOptions{workers: 2, lease: time.Minute}); err != nil { // it finds nothing to do, and ends no request
		t.Error(err)
	}
	p.wants(pipeline.Blocked)

	p.plan = nil // allowed by now
	if code := p.erase(run); code != exitDone {
		t.Fatalf("erase again: exit %d", code)
	}
	p.wants(pipeline.Completed)
	p.certificate("R-1.json", `"complete":true`, `"uploads_aborted":1`, `"ERASED":1`)
	if all := p.lake.Begun(); len(all) != 0 {
		t.Errorf("%v is left of %v", all, u)
	}
}

// A store that cannot tell, and uploads that may still be written, are not covered.
func TestUploadsThatAreNotCovered(t *testing.T) {
	for words, fails := range map[string]error{"cannot tell which unfinished uploads": connectors.ErrUnsupported, "were left: 1": nil} {
		p := play(t, false)
		p.lake.Overwrite("calls/account=acme/1.jsonl", []byte(playedLine))
		p.lake.Begin("calls/account=acme/1.jsonl", p.now.Add(time.Minute))
		p.plan = func(op fault.Op) *fault.Fault {
			if op.Kind == "uploads" && fails != nil {
				return &fault.Fault{Err: fails}
			}
			return nil
		}
		run, _ := p.run()
		if code := p.erase(run); code != exitDone {
			t.Fatalf("erase: exit %d", code)
		}
		p.wants(pipeline.Completed)
		p.certificate("R-1.json", `"complete":true`, "calls/account=acme/1.jsonl: ", words)
		if len(p.lake.Begun()) != 1 {
			t.Error("it was given up")
		}
	}
}
