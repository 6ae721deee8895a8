package main

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"expunge/connectors"
	"expunge/connectors/fault"
	"expunge/connectors/s3"
	"expunge/pipeline"
	"expunge/pipeline/config"
)

// A version that the store locks is deferred, with its date; the current object is
// rewritten all the same, and the erasure goes on under the same approval.
func TestLockedVersion(t *testing.T) {
	for name, c := range map[string]struct {
		lock  connectors.LockError
		words []string
	}{
		"retention": {connectors.LockError{Mode: "COMPLIANCE", Until: time.Date(2033, 1, 2, 3, 4, 5, 0, time.UTC)},
			[]string{"COMPLIANCE retention until 2033-01-02T03:04:05Z", `"until":"2033-01-02T03:04:05Z"`, `"trigger":"when the retention has ended`}},
		"hold": {connectors.LockError{Hold: true}, []string{"a legal hold", `"trigger":"when the store's hold is lifted`}},
	} {
		t.Run(name, func(t *testing.T) {
			p := play(t, true)
			old := p.lake.Overwrite("calls/account=acme/1.jsonl", []byte(playedLine))
			p.lake.Lock(old.Key, &c.lock)
			run, _ := p.run()
			for range 2 { // a second try is as good as the first
				if code := p.erase(run); code != exitIncomplete {
					t.Fatalf("erase: exit %d", code)
				}
				p.wants(pipeline.Blocked, c.words[0], "expunge erase "+run)
			}
			p.certificate("R-1/partial-1.json", append(c.words, `"complete":false`, `"BACKUP_DEFERRED":1`, `"state":"LOCKED"`, `"residue":0`)...)
			if got := p.holds(old.Key); got != playedLine[len(playedLine)/2:] {
				t.Errorf("the current object holds %q", got)
			}
			if err := p.app().run(t.Context(), &runOptions{workers: 2, lease: time.Minute}); err != nil {
				t.Error(err)
			}
			p.wants(pipeline.Blocked)

			p.lake.Lock(old.Key, nil)
			if code := p.erase(run); code != exitDone {
				t.Fatalf("erase after the lock: exit %d", code)
			}
			p.wants(pipeline.Completed)
			p.certificate("R-1.json", `"complete":true`, `"ERASED":1`)
			for v, err := range p.lake.Versions(t.Context(), old.Key) {
				if err != nil || v.Version == old.Version {
					t.Errorf("the locked version is still there, %v", err)
				}
			}
		})
	}
}

// What was archived between search and erasure is deferred, with what brings it back.
func TestArchivedObject(t *testing.T) {
	p := play(t, false)
	const key = "calls/account=acme/1.jsonl"
	p.lake.Overwrite(key, []byte(playedLine))
	run, _ := p.run()
	p.lake.Archive(key, true)
	for range 2 {
		if code := p.erase(run); code != exitIncomplete {
			t.Fatalf("erase: exit %d", code)
		}
		p.wants(pipeline.Blocked, "restore the object from its archive class", "expunge erase "+run)
	}
	p.certificate("R-1/partial-1.json", `"BACKUP_DEFERRED":1`, `"state":"ARCHIVED"`, `"trigger":"restore the object`, `"residue":0`)
	p.lake.Archive(key, false)
	if code := p.erase(run); code != exitDone {
		t.Fatalf("erase when it is restored: exit %d", code)
	}
	p.wants(pipeline.Completed)
	if got := p.holds(key); got != playedLine[len(playedLine)/2:] {
		t.Errorf("the object holds %q", got)
	}
}

// What was archived before the search is not examined; the next night looks again.
func TestArchivedBeforeTheSearch(t *testing.T) {
	p := play(t, false)
	p.lake.Overwrite("calls/account=acme/1.jsonl", []byte(playedLine))
	p.lake.Overwrite("calls/account=acme/2.jsonl", []byte(playedLine))
	p.lake.Archive("calls/account=acme/2.jsonl", true)
	run, code := p.run()
	if code != exitIncomplete {
		t.Fatalf("run: exit %d", code)
	}
	if code := p.erase(run); code != exitDone {
		t.Fatalf("erase: exit %d", code)
	}
	p.wants(pipeline.Received)
	p.certificate("R-1/partial-1.json", `"complete":false`, `"code":"ARCHIVED"`, `"trigger":"restore it from its archive class`)
	p.lake.Archive("calls/account=acme/2.jsonl", false)
	p.now = p.now.Add(24 * time.Hour)
	if run, code = p.run(); code != exitDone {
		t.Fatalf("the next night: exit %d", code)
	}
	if code := p.erase(run); code != exitDone {
		t.Fatalf("erase what is restored: exit %d", code)
	}
	p.wants(pipeline.Completed)
}

// Versions that nobody but the bucket's owner can delete.
func TestVersionsOfTheOwner(t *testing.T) {
	for code, c := range map[string]struct {
		err   error
		words []string
	}{
		"MFA_DELETE":   {connectors.ErrMFA, []string{"multi-factor", "turn MFA delete off"}},
		"DENIED":       {connectors.ErrDenied, []string{"denies", "s3:DeleteObjectVersion"}},
		"NULL_VERSION": {connectors.ErrNull, []string{"no version id of its own", "by hand"}},
	} {
		t.Run(code, func(t *testing.T) {
			p := play(t, true)
			p.lake.Overwrite("calls/account=acme/1.jsonl", []byte(playedLine))
			p.plan = func(op fault.Op) *fault.Fault {
				if op.Kind == "delete" {
					return &fault.Fault{Err: c.err}
				}
				return nil
			}
			run, _ := p.run()
			if code := p.erase(run); code != exitIncomplete {
				t.Fatalf("erase: exit %d", code)
			}
			p.wants(pipeline.Blocked, append(c.words, "expunge erase "+run)...)
			p.certificate("R-1/partial-1.json", `"complete":false`, `"OPEN":1`, `"state":"REFUSED","code":"`+code+`"`)
			p.plan = nil
			if code := p.erase(run); code != exitDone {
				t.Fatalf("erase again: exit %d", code)
			}
			p.wants(pipeline.Completed)
		})
	}
}

func TestBeyond(t *testing.T) {
	for words, c := range map[string]struct {
		set      s3.Settings
		versions bool
	}{
		"":                       {s3.Settings{Replication: s3.Off, Versioning: s3.On}, true},
		"lake is replicated":     {s3.Settings{Replication: s3.On, Versioning: s3.On}, true},
		"whether it is":          {s3.Settings{Replication: s3.Unknown, Versioning: s3.Off}, true},
		"says versions: current": {s3.Settings{Replication: s3.Off, Versioning: s3.Suspended}, false},
	} {
		got := strings.Join(beyond(&c.set, config.Store{Name: "lake", Versions: c.versions}), "; ")
		if (words == "") != (got == "") || !strings.Contains(got, words) {
			t.Errorf("%+v: %q, want %q", c, got, words)
		}
	}
}

// nights has policy erase without being asked, and returns what does a night's run and says
// how it ended.
func nights(t *testing.T, p *played) func() int {
	b, err := os.ReadFile(p.config)
	if err == nil {
		err = os.WriteFile(p.config, append(b, "policy: {approval: automatic}\n"...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() int {
		t.Helper()
		err := p.app().run(t.Context(), &runOptions{workers: 2, lease: time.Minute})
		if err == nil {
			return exitDone
		}
		return exitCode(t.Context(), err)
	}
}

// A night that finds residue where it goes on with an erasure says so by its exit code,
// and searches for the request again at once.
func TestNightTellsResidue(t *testing.T) {
	p := play(t, true)
	night := nights(t, p)
	const key = "calls/account=acme/1.jsonl"
	p.lake.Overwrite(key, []byte(playedLine))
	p.lake.Lock(key, &connectors.LockError{Mode: "COMPLIANCE", Until: p.now.Add(24 * time.Hour)})
	if code := night(); code != exitIncomplete {
		t.Fatalf("the first night: exit %d", code)
	}
	p.wants(pipeline.Blocked)
	p.lake.Overwrite(key, []byte(playedLine)) // delivered again
	p.lake.Lock(key, nil)
	p.now = p.now.Add(24 * time.Hour)
	if code := night(); code != exitResidue {
		t.Errorf("the night with residue: exit %d", code)
	}
	p.wants(pipeline.Completed)
	if code := night(); code != exitDone {
		t.Errorf("the night after: exit %d", code)
	}
}

func TestWorse(t *testing.T) {
	coded := func(code int) error { return &coded{code, errors.New("x")} }
	order := []error{nil, coded(exitIncomplete), coded(exitUsage), errors.New("it failed"), coded(exitRefused), coded(exitResidue)}
	for i, a := range order {
		for j, b := range order {
			if got := worse(t.Context(), a, b); got != order[max(i, j)] {
				t.Errorf("of %v and %v: %v", a, b, got)
			}
		}
	}
}

// Where policy erases without being asked, a night goes on with what a store has
// deferred, from the day on when it may.
func TestNightGoesOnWithWhatIsDeferred(t *testing.T) {
	p := play(t, true)
	night := nights(t, p)
	old := p.lake.Overwrite("calls/account=acme/1.jsonl", []byte(playedLine))
	lock := &connectors.LockError{Mode: "COMPLIANCE", Until: p.now.Add(48 * time.Hour)}
	p.lake.Lock(old.Key, lock)
	if code := night(); code != exitIncomplete {
		t.Fatalf("the first night: exit %d", code)
	}
	p.wants(pipeline.Blocked, "COMPLIANCE retention until 2026-11-27T12:00:00Z")

	writes := 0 // nothing is tried before the day
	p.plan = func(op fault.Op) *fault.Fault {
		if op.Kind == "create" || op.Kind == "replace" || op.Kind == "delete" {
			writes++
		}
		return nil
	}
	p.now = p.now.Add(24 * time.Hour)
	if code := night(); code != exitDone || writes != 0 {
		t.Errorf("before the day: exit %d, %d writes", code, writes)
	}
	p.wants(pipeline.Blocked)

	p.now = p.now.Add(24 * time.Hour)
	if code := night(); code != exitIncomplete { // it holds on a little longer
		t.Errorf("on the day: exit %d", code)
	}
	p.wants(pipeline.Blocked)
	p.lake.Lock(old.Key, nil)
	if code := night(); code != exitDone {
		t.Errorf("when the lock is gone: exit %d", code)
	}
	p.wants(pipeline.Completed)
	for v, err := range p.lake.Versions(t.Context(), old.Key) {
		if err != nil || v.Version == old.Version {
			t.Errorf("the locked version is still there, %v", err)
		}
	}
}

// A version that was archived before the search, of a key that is erased from, is no
// residue: nobody has claimed to have looked into it.
func TestArchivedOlderVersion(t *testing.T) {
	p := play(t, true)
	const key = "calls/account=acme/1.jsonl"
	old := p.lake.Overwrite(key, []byte(playedLine))
	p.lake.Overwrite(key, []byte(playedLine))
	archived := true
	p.plan = func(op fault.Op) *fault.Fault {
		if archived && op.Kind == "open" && op.Ref.Version == old.Version {
			return &fault.Fault{Err: connectors.ErrArchived}
		}
		return nil
	}
	run, code := p.run()
	if code != exitIncomplete {
		t.Fatalf("run: exit %d", code)
	}
	if code := p.erase(run); code != exitDone {
		t.Fatalf("erase: exit %d", code)
	}
	p.wants(pipeline.Received)
	p.certificate("R-1/partial-1.json", `"complete":false`, `"code":"ARCHIVED"`, `"residue":0`)
	archived = false
	p.now = p.now.Add(24 * time.Hour)
	if run, code = p.run(); code != exitDone {
		t.Fatalf("the next night: exit %d", code)
	}
	if code := p.erase(run); code != exitDone {
		t.Fatalf("erase what is restored: exit %d", code)
	}
	for v, err := range p.lake.Versions(t.Context(), key) {
		if err != nil || v.Version == old.Version {
			t.Errorf("the old version is still there, %v", err)
		}
	}
	p.wants(pipeline.Completed)
}

// A rewritten object that goes back to its archive class is not certified before it was
// read back, and is not rewritten twice.
func TestArchivedAgainWhenItIsRewritten(t *testing.T) {
	p := play(t, false)
	const key = "calls/account=acme/1.jsonl"
	p.lake.Overwrite(key, []byte(playedLine))
	run, _ := p.run()
	replaced := 0
	archived := false
	p.plan = func(op fault.Op) *fault.Fault {
		switch {
		case op.Kind == "replace":
			replaced++
			archived = true
		case op.Kind == "open" && archived:
			return &fault.Fault{Err: connectors.ErrArchived}
		}
		return nil
	}
	for range 2 {
		if code := p.erase(run); code != exitIncomplete {
			t.Fatalf("erase: exit %d", code)
		}
		p.wants(pipeline.Blocked, "restore the object")
	}
	p.plan = nil
	if code := p.erase(run); code != exitDone {
		t.Fatalf("erase when it can be read back: exit %d", code)
	}
	p.wants(pipeline.Completed)
	if got := p.holds(key); replaced != 1 || got != playedLine[len(playedLine)/2:] {
		t.Errorf("it was replaced %d times and holds %q", replaced, got)
	}
}

// stopped lets an erasure go until the first change of the lake, which a killed process does not live to see.
func stopped() func(fault.Op) *fault.Fault {
	return func(op fault.Op) *fault.Fault {
		if op.Kind == "replace" && !strings.Contains(op.Ref.Key, ".expunge-probe") {
			return &fault.Fault{Stop: true, After: true}
		}
		return nil
	}
}

// Where policy erases without being asked, a night goes on with an erasure that was
// interrupted, unless somebody is at work on it.
func TestNightGoesOnWithWhatWasInterrupted(t *testing.T) {
	p := play(t, false)
	night := nights(t, p)
	for _, key := range []string{"calls/account=acme/1.jsonl", "calls/account=acme/2.jsonl"} {
		p.lake.Overwrite(key, []byte(playedLine))
	}
	p.plan = stopped()
	if code := night(); code == exitDone {
		t.Fatal("a night that was stopped ended well")
	}
	p.wants(pipeline.Erasing)
	p.plan = nil
	e, err := p.app().requests().Entry(t.Context(), pipeline.RequestRef{Account: "acme", ID: "R-1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.app().claims().Join(t.Context(), e.Last.Run, "another", eraserTerm); err != nil {
		t.Fatal(err)
	}
	if code := night(); code != exitDone {
		t.Errorf("while another is at work: exit %d", code)
	}
	p.wants(pipeline.Erasing)
	p.now = p.now.Add(2 * eraserTerm)
	if code := night(); code != exitDone {
		t.Errorf("when nobody is: exit %d", code)
	}
	p.wants(pipeline.Completed)
	for _, key := range []string{"calls/account=acme/1.jsonl", "calls/account=acme/2.jsonl"} {
		if got := p.holds(key); strings.Contains(got, "CAL1") || !strings.Contains(got, "CAL2") {
			t.Errorf("%s is %s", key, got)
		}
	}
}

// A limit that holds an erasure back is told each night, and what it kept goes once it is raised.
func TestNightTellsWhatIsHeldBack(t *testing.T) {
	p := play(t, false)
	night := nights(t, p)
	p.lake.Overwrite("calls/account=acme/1.jsonl", []byte(playedLine))
	b, err := os.ReadFile(p.config)
	if err != nil {
		t.Fatal(err)
	}
	limited := strings.Replace(string(b), "approval: automatic", "approval: automatic, max_erase_fraction: 0.1, min_records: 0", 1)
	if err := os.WriteFile(p.config, []byte(limited), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if code := night(); code != exitRefused {
			t.Errorf("held back: exit %d", code)
		}
		p.wants(pipeline.AwaitingApproval)
	}
	if err := os.WriteFile(p.config, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if code := night(); code != exitDone {
		t.Errorf("when the limit was raised: exit %d", code)
	}
	p.wants(pipeline.Completed)
}

// Where a person erases, a run says that an erasure stands still.
func TestNightTellsWhatWasInterrupted(t *testing.T) {
	p := play(t, false)
	p.lake.Overwrite("calls/account=acme/1.jsonl", []byte(playedLine))
	run, _ := p.run()
	p.plan = stopped()
	if code := p.erase(run); code == exitDone {
		t.Fatal("an erasure that was stopped ended well")
	}
	p.plan = nil
	err := p.app().run(t.Context(), &runOptions{workers: 2, lease: time.Minute})
	if err == nil || exitCode(t.Context(), err) != exitIncomplete || !strings.Contains(err.Error(), "expunge erase "+run) {
		t.Errorf("the next run: %v", err)
	}
	p.wants(pipeline.Erasing)
	if code := p.erase(run); code != exitDone {
		t.Errorf("erase again: exit %d", code)
	}
	p.wants(pipeline.Completed)
}

// An object whose key names the consumer waits for the lock of one of its versions, and is
// certified so: its delete markers are no versions whose loss somebody could approve.
func TestLockedVersionOfANamedKey(t *testing.T) {
	p := play(t, true)
	night := nights(t, p)
	b, err := os.ReadFile(p.config)
	if err != nil {
		t.Fatal(err)
	}
	const named = `  - name: greetings
    at: "lake/greetings/account={account}/{phone}.mp3"
    format: media
    category: sensory
    sources: ["calls to tracked numbers"]
    purposes: ["quality of service"]
    disclosed: []
    object: {phone: {kind: phone}}
    on_delete: {action: erase_object}
`
	if err := os.WriteFile(p.config, []byte(strings.Replace(string(b), "policy:", named+"policy:", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	const key = "greetings/account=acme/+14045550123.mp3"
	p.lake.Overwrite(key, []byte("#!AMR hello"))
	p.lake.Lock(key, &connectors.LockError{Mode: "COMPLIANCE", Until: p.now.Add(24 * time.Hour)})
	p.lake.Overwrite(key, []byte("#!AMR hello again"))
	if code := night(); code != exitIncomplete {
		t.Fatalf("the first night: exit %d", code)
	}
	p.wants(pipeline.Blocked, "COMPLIANCE retention until 2026-11-26T12:00:00Z")
	p.certificate("R-1/partial-1.json", `"complete":false`, `"state":"LOCKED"`, `"code":"FOLLOWS"`, `"BACKUP_DEFERRED":1`)
	p.lake.Lock(key, nil)
	p.now = p.now.Add(25 * time.Hour)
	if code := night(); code != exitDone {
		t.Errorf("when the lock is gone: exit %d", code)
	}
	p.wants(pipeline.Completed)
	for v, err := range p.lake.Versions(t.Context(), key) {
		t.Errorf("%s is left, %v", v.Version, err)
	}
}
