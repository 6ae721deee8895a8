package intake

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"expunge/connectors"
	"expunge/connectors/mem"
	"expunge/pipeline"
	"expunge/pipeline/seal"
)

func contents(t *testing.T, s connectors.Store) map[string]string {
	t.Helper()
	out := map[string]string{}
	for o, err := range s.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		body, err := s.Open(t.Context(), o.Ref, connectors.All)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(body)
		body.Close()
		if err != nil {
			t.Fatal(err)
		}
		out[o.Key] = string(b)
	}
	return out
}

// TestNobodyChangesRequests: who can write to the work store, without the key,
// changes what is asked, of whom, since when, or how it stands. Each is noticed,
// and the error names the file.
func TestNobodyChangesRequests(t *testing.T) {
	keys, err := seal.Open(bytes.Repeat([]byte{1}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	of := func(files map[string]string) *Requests {
		s := mem.New("work", mem.Options{})
		for key, text := range files {
			if _, err := s.Create(t.Context(), key, strings.NewReader(text)); err != nil {
				t.Fatal(err)
			}
		}
		return &Requests{Work: s, Keys: keys, Now: func() time.Time { return now }}
	}
	r := of(nil)
	for _, ref := range []pipeline.RequestRef{{Account: "acme", ID: "R-1"}, {Account: "acme", ID: "R-2"}, {Account: "beta", ID: "R-1"}} {
		err := r.Submit(t.Context(), &pipeline.Request{
			Version: 1, ID: ref.ID, Account: ref.Account, Rights: []pipeline.Right{pipeline.Access}, Received: now,
			Identifiers: []pipeline.Identifier{{Kind: pipeline.Email, Value: pipeline.Secret(strings.ToLower(ref.ID) + "@example.com")}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	ref := pipeline.RequestRef{Account: "acme", ID: "R-1"}
	for _, state := range []pipeline.State{pipeline.Claimed, pipeline.AwaitingApproval} {
		if err := r.Append(t.Context(), ref, Event{State: state, Run: "a"}); err != nil {
			t.Fatal(err)
		}
	}
	whole := contents(t, r.Work)
	load := func(files map[string]string) error {
		n := 0
		for e, err := range of(files).Load(t.Context()) {
			if err != nil {
				return err
			}
			if want := strings.ToLower(e.Request.ID) + "@example.com"; e.Request.Identifiers[0].Value.Reveal() != want {
				t.Errorf("request %s has another's identifier", e.Request.Ref())
			}
			n++
		}
		if n != 3 {
			t.Errorf("%d requests", n)
		}
		return nil
	}
	if err := load(whole); err != nil {
		t.Fatal(err)
	}
	edit := func(old, with string) func(string) string {
		return func(s string) string {
			if !strings.Contains(s, old) {
				t.Fatalf("nothing to change: %q", old)
			}
			return strings.Replace(s, old, with, 1)
		}
	}
	const first, second, event = "requests/acme/R-1.json", "requests/acme/R-2.json", "requests/acme/R-1/2.json"
	for name, c := range map[string]struct {
		file   string
		change func(string) string
	}{
		"another right":     {first, edit(`"access"`, `"delete"`)},
		"another day":       {first, edit("2026-11-25", "2026-01-25")},
		"another identity":  {first, func(string) string { return edit(`"R-2"`, `"R-1"`)(whole[second]) }},
		"another's box":     {second, func(s string) string { return edit(sealed(s), sealed(whole[first]))(s) }},
		"another account's": {first, func(string) string { return edit(`"beta"`, `"acme"`)(whole["requests/beta/R-1.json"]) }},
		"no MAC": {first, func(s string) string {
			return s[:strings.Index(s, `,
  "mac"`)] + "\n}\n"
		}},
		"another state":    {event, edit("AWAITING_APPROVAL", "COMPLETED")},
		"an earlier event": {event, func(string) string { return whole["requests/acme/R-1/1.json"] }},
		"an event more":    {"requests/acme/R-1/3.json", func(string) string { return whole[event] }},
		"an event of mine": {"requests/acme/R-2/1.json", func(string) string { return `{"version":1,"n":1,"state":"COMPLETED"}` }},
	} {
		forged := map[string]string{}
		for key, text := range whole {
			forged[key] = text
		}
		forged[c.file] = c.change(whole[c.file])
		if err := load(forged); !errors.Is(err, seal.ErrForged) || !strings.Contains(err.Error(), c.file) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// sealed is the first sealed value in a request's file.
func sealed(s string) string {
	_, rest, _ := strings.Cut(s, `"value_sealed": "`)
	box, _, _ := strings.Cut(rest, `"`)
	return box
}

// TestBoxOfAnotherRequest: even under a right MAC, a sealed value belongs to its
// request and kind.
func TestBoxOfAnotherRequest(t *testing.T) {
	keys, err := seal.Open(bytes.Repeat([]byte{1}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	box := keys.Seal("request", "acme", []byte("x"), "R-1", "email")
	for _, place := range [][]string{{"R-2", "email"}, {"R-1", "phone"}, nil} {
		if _, err := keys.Unseal("request", "acme", box, place...); !errors.Is(err, seal.ErrForged) {
			t.Errorf("opens as %q: %v", place, err)
		}
	}
}

// TestWhatIsLeft: what a run leaves undone outlives approval, extension and notes.
func TestWhatIsLeft(t *testing.T) {
	for _, c := range []struct {
		left  []Left
		state pipeline.State
		again bool
	}{
		{nil, pipeline.Completed, false},
		{[]Left{{LeftReview, 3}}, pipeline.InReview, false},
		{[]Left{{LeftReview, 3}, {LeftRefused, 1}}, pipeline.Received, true},
		{[]Left{{LeftIdentifier, 1}}, pipeline.Received, true},
	} {
		e := Event{State: pipeline.AwaitingApproval, Left: c.left}
		if e.Applied() != c.state || e.Again() != c.again {
			t.Errorf("%v: %s, again %v", c.left, e.Applied(), e.Again())
		}
	}
	for _, c := range []struct {
		state pipeline.State
		left  []Left
		open  bool
	}{
		{pipeline.Received, nil, true}, {pipeline.Claimed, nil, true}, {pipeline.Blocked, nil, false},
		{pipeline.Blocked, []Left{{LeftIdentifier, 1}}, true}, {pipeline.Blocked, []Left{{LeftRefused, 1}}, false}, {pipeline.AwaitingApproval, []Left{{LeftRefused, 1}}, false},
		{pipeline.InReview, nil, false}, {pipeline.Erasing, nil, false}, {pipeline.Completed, nil, false},
	} {
		if e := (&Entry{State: c.state, Last: Event{Left: c.left}}); e.Open() != c.open {
			t.Errorf("%s, left %v: open %v", c.state, c.left, e.Open())
		}
	}
	keys, err := seal.Open(bytes.Repeat([]byte{1}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	r := &Requests{Work: mem.New("work", mem.Options{}), Keys: keys, Now: func() time.Time { return time.Unix(1_780_000_000, 0) }}
	q := &pipeline.Request{Version: 1, ID: "R-1", Account: "acme", Received: r.Now(), Identifiers: []pipeline.Identifier{{Kind: pipeline.User, Value: "u-123456"}}}
	if err := r.Submit(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	if err := r.Append(t.Context(), q.Ref(), Event{State: pipeline.AwaitingApproval, Run: "a", Left: []Left{{LeftRefused, 2}}}); err != nil {
		t.Fatal(err)
	}
	if err := r.Note(t.Context(), q.Ref(), "jo", "released"); err != nil {
		t.Fatal(err)
	}
	if err := r.Append(t.Context(), q.Ref(), Event{State: pipeline.Erasing, Run: "a"}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Extend(t.Context(), q, "jo", "complex"); err != nil {
		t.Fatal(err)
	}
	e, err := r.Entry(t.Context(), q.Ref())
	if err != nil || !e.Last.Again() || e.Last.Left[0].Count != 2 {
		t.Errorf("after a note and an extension %+v is left: %v", e.Last.Left, err)
	}
}

// TestRunsAndEvents: a run takes what is open, once; it concludes what it has,
// once; and it never overwrites what another run or a person noted.
func TestRunsAndEvents(t *testing.T) {
	keys, err := seal.Open(bytes.Repeat([]byte{1}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	r := &Requests{Work: mem.New("work", mem.Options{}), Keys: keys, Now: func() time.Time { return time.Unix(1_780_000_000, 0) }}
	ref := pipeline.RequestRef{Account: "acme", ID: "R-1"}
	q := &pipeline.Request{Version: 1, ID: ref.ID, Account: ref.Account, Received: r.Now(), Identifiers: []pipeline.Identifier{{Kind: pipeline.User, Value: "u-123456"}}}
	if err := r.Submit(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	waits, done := Event{State: pipeline.AwaitingApproval, Left: []Left{{LeftRefused, 1}}}, Event{State: pipeline.Completed}
	for i, step := range []struct {
		do    func() error
		err   error
		state pipeline.State
		n     int
	}{
		{func() error { return r.Claim(t.Context(), ref, "a") }, nil, pipeline.Claimed, 1},
		{func() error { return r.Claim(t.Context(), ref, "a") }, nil, pipeline.Claimed, 1},
		{func() error { return r.Claim(t.Context(), ref, "b") }, nil, pipeline.Claimed, 2}, // its lease has expired
		{func() error { return r.Conclude(t.Context(), ref, "a", done) }, ErrTaken, pipeline.Claimed, 2},
		{func() error { return r.Conclude(t.Context(), ref, "b", waits) }, nil, pipeline.AwaitingApproval, 3},
		{func() error { return r.Conclude(t.Context(), ref, "b", done) }, nil, pipeline.AwaitingApproval, 3}, // resumed
		{func() error { return r.Claim(t.Context(), ref, "b") }, nil, pipeline.AwaitingApproval, 3},
		{func() error { return r.Claim(t.Context(), ref, "c") }, ErrNotOpen, pipeline.AwaitingApproval, 3},
		{func() error { return r.Append(t.Context(), ref, Event{State: waits.Applied(), Run: "b"}) }, nil, pipeline.Received, 4},
		{func() error { return r.Claim(t.Context(), ref, "c") }, nil, pipeline.Claimed, 5},
		{func() error { return r.Cancel(t.Context(), ref, "jo", "withdrawn") }, nil, pipeline.Cancelled, 6},
		{func() error { return r.Conclude(t.Context(), ref, "c", done) }, ErrWithdrawn, pipeline.Cancelled, 6},
		{func() error { return r.Claim(t.Context(), ref, "d") }, ErrWithdrawn, pipeline.Cancelled, 6},
	} {
		if err := step.do(); !errors.Is(err, step.err) {
			t.Fatalf("step %d: %v, want %v", i, err, step.err)
		}
		e, err := r.Entry(t.Context(), ref)
		if err != nil || e.State != step.state || e.Last.N != step.n {
			t.Fatalf("step %d: event %d, %s: %v", i, e.Last.N, e.State, err)
		}
	}
}

// TestDecided: what a person decides opens a request that waited for that alone; one
// whose manifest waits is open once that is applied, and never completed by it.
func TestDecided(t *testing.T) {
	keys, err := seal.Open(bytes.Repeat([]byte{1}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	review := []Left{{LeftReview, 2}}
	for _, c := range []struct {
		what    string
		at      Event
		run     string
		err     error
		state   pipeline.State
		applied pipeline.State // what erasing the run's manifest (once more) makes of it
	}{
		{"in review", Event{State: pipeline.InReview, Left: review}, "a", nil, pipeline.Received, pipeline.Received},
		{"waits for approval", Event{State: pipeline.AwaitingApproval, Left: review}, "a", nil, pipeline.AwaitingApproval, pipeline.Received},
		{"is being erased", Event{State: pipeline.Erasing, Left: review}, "a", nil, pipeline.Erasing, pipeline.Received},
		{"nothing was in review", Event{State: pipeline.AwaitingApproval}, "a", nil, pipeline.AwaitingApproval, pipeline.Completed},
		{"open for another reason", Event{State: pipeline.Received, Left: append([]Left{{LeftRefused, 1}}, review...)}, "a", nil, pipeline.Received, pipeline.Received},
		{"another run has it", Event{State: pipeline.InReview, Left: review}, "b", ErrTaken, pipeline.InReview, pipeline.InReview},
		{"withdrawn", Event{State: pipeline.Cancelled}, "a", ErrWithdrawn, pipeline.Cancelled, pipeline.Completed},
	} {
		r := &Requests{Work: mem.New("work", mem.Options{}), Keys: keys, Now: func() time.Time { return time.Unix(1_780_000_000, 0) }}
		ref := pipeline.RequestRef{Account: "acme", ID: "R-1"}
		if err := r.Submit(t.Context(), &pipeline.Request{Version: 1, ID: ref.ID, Account: ref.Account, Received: r.Now()}); err != nil {
			t.Fatal(err)
		}
		at := c.at
		at.Run = "a"
		if err := r.Append(t.Context(), ref, at); err != nil {
			t.Fatal(err)
		}
		for range 2 { // twice is no harm
			if err := r.Decided(t.Context(), ref, c.run, "jo", 2); !errors.Is(err, c.err) {
				t.Errorf("%s: %v, not %v", c.what, err, c.err)
			}
		}
		e, err := r.Entry(t.Context(), ref)
		if err != nil || e.State != c.state || e.Last.Applied() != c.applied || e.Last.Run != "a" {
			t.Errorf("%s: %s, then %s (%v), not %s, then %s", c.what, e.State, e.Last.Applied(), err, c.state, c.applied)
		}
	}
}

// A completed request is reopened by the run that found something of it again, and by
// no other at the same time; its cut-off stays, whatever follows, and it can be
// withdrawn until that is erased.
func TestReopen(t *testing.T) {
	keys, err := seal.Open(bytes.Repeat([]byte{1}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	cutoff := time.Unix(1_770_000_000, 0).UTC()
	next := Event{State: pipeline.AwaitingApproval, Cutoff: &cutoff, Reason: "again"}
	for _, c := range []struct {
		what  string
		at    Event
		err   error
		state pipeline.State
	}{
		{"completed", Event{State: pipeline.Completed, Run: "a", Erasing: "a"}, nil, pipeline.AwaitingApproval},
		{"by an earlier try", Event{State: pipeline.InReview, Run: "b", Cutoff: &cutoff, FollowUp: true}, nil, pipeline.InReview},
		{"by an earlier try that was erased", Event{State: pipeline.Completed, Run: "b", Cutoff: &cutoff, FollowUp: true}, nil, pipeline.Completed},
		{"in review since another run", Event{State: pipeline.InReview, Run: "a", Cutoff: &cutoff, FollowUp: true}, nil, pipeline.AwaitingApproval},
		{"in review, and nothing erased", Event{State: pipeline.InReview, Run: "a"}, ErrTaken, pipeline.InReview},
		{"not to be searched for under the config", Event{State: pipeline.Blocked, Run: "a", Cutoff: &cutoff, Left: []Left{{LeftIdentifier, 1}}}, ErrTaken, pipeline.Blocked},
		{"another run has found something, too", Event{State: pipeline.AwaitingApproval, Run: "c", Cutoff: &cutoff, FollowUp: true}, ErrTaken, pipeline.AwaitingApproval},
		{"open", Event{State: pipeline.Received, Run: "a"}, ErrTaken, pipeline.Received},
		{"waits for its first erasure", Event{State: pipeline.AwaitingApproval, Run: "b"}, ErrTaken, pipeline.AwaitingApproval},
		{"cancelled", Event{State: pipeline.Cancelled}, ErrWithdrawn, pipeline.Cancelled},
	} {
		r := &Requests{Work: mem.New("work", mem.Options{}), Keys: keys, Now: func() time.Time { return time.Unix(1_780_000_000, 0) }}
		ref := pipeline.RequestRef{Account: "acme", ID: "R-1"}
		if err := r.Submit(t.Context(), &pipeline.Request{Version: 1, ID: ref.ID, Account: ref.Account, Received: r.Now()}); err != nil {
			t.Fatal(err)
		}
		if err := r.Append(t.Context(), ref, c.at); err != nil {
			t.Fatal(err)
		}
		for range 2 { // twice is no harm
			if err := r.Reopen(t.Context(), ref, "b", 1, next); !errors.Is(err, c.err) {
				t.Errorf("%s: %v, not %v", c.what, err, c.err)
			}
		}
		e, err := r.Entry(t.Context(), ref)
		if err != nil || e.State != c.state {
			t.Errorf("%s: %s (%v), not %s", c.what, e.State, err, c.state)
		}
		if c.state.Ended() {
			continue
		}
		if err := r.Append(t.Context(), ref, Event{State: pipeline.Received, Run: "b"}); err != nil {
			t.Fatal(err)
		}
		if e, err = r.Entry(t.Context(), ref); err != nil || e.FollowUp() != (c.err == nil || c.at.FollowUp) || e.Last.Erasing != "" {
			t.Errorf("%s: afterwards %+v, %v", c.what, e.Last, err)
		}
	}
}
