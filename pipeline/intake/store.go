package intake

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/engine"
	"expunge/pipeline/seal"
)

// Errors that callers tell apart.
var (
	// ErrDuplicate says that a request with this id was taken in before.
	ErrDuplicate = errors.New("a request with this id exists already")
	// ErrUnknown says that there is no such request.
	ErrUnknown = errors.New("there is no such request; submit it first")
	// ErrWithdrawn says that a request was cancelled or denied: nothing follows that.
	ErrWithdrawn = errors.New("the request was cancelled or denied")
)

// Requests are the requests in a work store. It remembers the last events that it
// has seen, so that a night's thousands of requests are not listed one by one; what
// others have noted since is found out when the next event is created.
type Requests struct {
	Work connectors.Store
	Keys *seal.Keys
	Now  func() time.Time

	mu   sync.Mutex
	seen map[pipeline.RequestRef]Event
}

func (s *Requests) remember(ref pipeline.RequestRef, e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[pipeline.RequestRef]Event{}
	}
	s.seen[ref] = e
}

func (s *Requests) remembered(ref pipeline.RequestRef) (Event, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.seen[ref]
	if e.N == 0 {
		e.State = pipeline.Received
	}
	return e, ok
}

// Event is one thing that happened to a request; the last one's state is the
// request's.
type Event struct {
	Version int            `json:"version"`
	N       int            `json:"n"`
	State   pipeline.State `json:"state"`
	At      time.Time      `json:"at"`
	Run     string         `json:"run,omitempty"`
	By      string         `json:"by,omitempty"`
	Reason  string         `json:"reason,omitempty"`  // of the state
	Left    []Left         `json:"left,omitempty"`    // by the run: why the request stays open after what the state waits for
	Note    string         `json:"note,omitempty"`    // of what left the state as it was
	Due     *pipeline.Date `json:"due,omitempty"`     // of an extension; later events carry it on
	Erasing string         `json:"erasing,omitempty"` // the last run that has begun to erase for it, more than what was delivered again while it waited; later events carry it on
	Cutoff  *time.Time     `json:"cutoff,omitempty"`  // of a deletion of which something was certified: what is dated later is new; later events carry it on

	Deferred bool       `json:"deferred,omitempty"` // BLOCKED: the store keeps versions from the erasure of Run, or others' records in them do; it goes on with them later, under the approval that it has
	Until    *time.Time `json:"until,omitempty"`    // of Deferred: before then it is of no use, nil: nobody can say

	DataPoints int `json:"data_points,omitempty"` // that have confirmed who asks; later events carry it on

	Holds int `json:"holds,omitempty"` // the highest number of legal holds that an erasure for it knew; later events carry it on

	Approvals int `json:"approvals,omitempty"` // the highest number of an approval of Run's manifest that was noted; later events of Run carry it on

	FollowUp bool `json:"follow_up,omitempty"` // the request was answered in full before; later events carry it on

	Before *Standing `json:"before,omitempty"` // Run has found what was delivered again while the request waited: it stands there again once that is erased; later events of Run carry it on
}

// Entry is a request and where it stands.
type Entry struct {
	Request *pipeline.Request
	State   pipeline.State
	Last    Event
}

// FollowUp reports whether the request was answered in full before, and is open for
// what was delivered again since.
func (e *Entry) FollowUp() bool { return e.Last.FollowUp }

// WantsBundle reports whether found records are handed over. A consumer has had
// the bundle of what is delivered again.
func (e *Entry) WantsBundle() bool { return !e.FollowUp() && e.Request.WantsBundle() }

// stored is requests/<account>/<id>.json: the request with sealed values.
type stored struct {
	*pipeline.Request
	Identifiers []sealedIdentifier `json:"identifiers"`
	Taken       time.Time          `json:"taken"` // by us; Received is the account's
}

type sealedIdentifier struct {
	Kind      pipeline.Kind  `json:"kind"`
	Hash      string         `json:"hash,omitempty"`
	Sealed    string         `json:"value_sealed"`
	ValidFrom *pipeline.Date `json:"valid_from,omitempty"`
	ValidTo   *pipeline.Date `json:"valid_to,omitempty"`
}

func key(ref pipeline.RequestRef) string { return "requests/" + ref.Account + "/" + ref.ID + ".json" }

func eventKey(ref pipeline.RequestRef, n int) string {
	return fmt.Sprintf("requests/%s/%s/%d.json", ref.Account, ref.ID, n)
}

// document names a file of an account's requests: who can write to the work store
// can neither change what is asked for, of whom and since when, nor give a request
// a state.
func document(ref pipeline.RequestRef, key string) seal.Document {
	return seal.Document{Purpose: "request", Account: ref.Account, File: key}
}

// Known reports whether a request was taken in before.
func (s *Requests) Known(ctx context.Context, ref pipeline.RequestRef) (bool, error) {
	body, err := s.Work.Open(ctx, connectors.Ref{Key: key(ref)}, connectors.Range{Off: 0, Len: 1})
	switch {
	case errors.Is(err, connectors.ErrNotFound) || errors.Is(err, connectors.ErrUnsupported): // no key of the store
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look for request %s: %w", ref, err)
	}
	return true, body.Close()
}

// Submit stores a request. It fails with ErrDuplicate if the id is taken.
func (s *Requests) Submit(ctx context.Context, r *pipeline.Request) error {
	st := stored{Request: r, Taken: s.Now().UTC()}
	for _, id := range r.Identifiers {
		box := s.Keys.Seal("request", r.Account, []byte(id.Value.Reveal()), r.ID, string(id.Kind))
		st.Identifiers = append(st.Identifiers, sealedIdentifier{id.Kind, id.Hash, base64.StdEncoding.EncodeToString(box), id.ValidFrom, id.ValidTo})
	}
	b, err := s.Keys.Write(document(r.Ref(), key(r.Ref())), st)
	if err != nil {
		return fmt.Errorf("store request %s: %w", r.Ref(), err)
	}
	_, err = s.Work.Create(ctx, key(r.Ref()), bytes.NewReader(b))
	if errors.Is(err, connectors.ErrExists) {
		return fmt.Errorf("request %s: %w", r.Ref(), ErrDuplicate)
	}
	if err != nil {
		return fmt.Errorf("store request %s: %w", r.Ref(), err)
	}
	return nil
}

// Append adds an event. Where another writer was faster, the event comes after
// that one's. It fails with ErrWithdrawn after a cancellation or denial, so that
// no run brings back what was withdrawn while it worked. What the last run left is
// carried on, until the request is received anew or has ended.
func (s *Requests) Append(ctx context.Context, ref pipeline.RequestRef, e Event) error {
	return s.append(ctx, ref, func(last Event) (Event, error) {
		e := e
		if e.Left == nil && e.State != pipeline.Received && !e.State.Ended() {
			e.Left = last.Left
		}
		return e, nil
	})
}

// append adds the event that next makes of the last one. next is asked again
// where another writer was faster.
func (s *Requests) append(ctx context.Context, ref pipeline.RequestRef, next func(last Event) (Event, error)) error {
	if last, ok := s.remembered(ref); ok {
		if e, err := s.after(ref, last, next); err == nil {
			if stored, err := s.put(ctx, ref, e); stored || err != nil {
				return err
			}
		}
		// It is no longer the last, or next does not like it: what is the last in the
		// store decides.
	}
	n, err := s.last(ctx, ref)
	if err != nil {
		return err
	}
	for ; ; n++ {
		last := Event{State: pipeline.Received}
		if n > 0 {
			if err := s.json(ctx, ref, eventKey(ref, n), &last); err != nil {
				return err
			}
		}
		e, err := s.after(ref, last, next)
		if err != nil {
			return err
		}
		if stored, err := s.put(ctx, ref, e); stored || err != nil {
			return err
		}
	}
}

// after makes the event that comes after last.
func (s *Requests) after(ref pipeline.RequestRef, last Event, next func(last Event) (Event, error)) (Event, error) {
	if last.State == pipeline.Cancelled || last.State == pipeline.Denied {
		return Event{}, fmt.Errorf("request %s: %w", ref, ErrWithdrawn)
	}
	e, err := next(last)
	if err != nil {
		return Event{}, err
	}
	e.Version, e.N, e.At = 1, last.N+1, s.Now().UTC()
	if e.Due == nil {
		e.Due = last.Due
	}
	if e.Cutoff == nil {
		e.Cutoff = last.Cutoff
	}
	e.FollowUp = e.FollowUp || last.FollowUp
	e.DataPoints = max(e.DataPoints, last.DataPoints)
	e.Holds = max(e.Holds, last.Holds)
	if e.Run == last.Run {
		e.Approvals = max(e.Approvals, last.Approvals)
	}
	if e.Run == last.Run && e.Before == nil {
		e.Before = last.Before
	}
	if e.Run == last.Run && e.State == last.State && !e.Deferred { // something was noted of it
		e.Deferred, e.Until = last.Deferred, last.Until
	}
	if !last.State.Ended() { // what was reopened can be withdrawn again
		e.Erasing = last.Erasing
	}
	if e.State == pipeline.Erasing && e.Before == nil { // what interrupts takes nothing that a bundle has not
		e.Erasing = e.Run
	}
	return e, nil
}

// put creates an event, unless another writer was faster.
func (s *Requests) put(ctx context.Context, ref pipeline.RequestRef, e Event) (stored bool, err error) {
	b, err := s.Keys.Write(document(ref, eventKey(ref, e.N)), e)
	if err == nil {
		_, err = s.Work.Create(ctx, eventKey(ref, e.N), bytes.NewReader(b))
	}
	switch {
	case errors.Is(err, connectors.ErrExists):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("note event of request %s: %w", ref, err)
	}
	s.remember(ref, e)
	return true, nil
}

func (s *Requests) last(ctx context.Context, ref pipeline.RequestRef) (int, error) {
	prefix := "requests/" + ref.Account + "/" + ref.ID + "/"
	last := 0
	for o, err := range s.Work.List(ctx, prefix) {
		if err != nil {
			return 0, fmt.Errorf("list events of request %s: %w", ref, err)
		}
		if n, ok := eventNumber(strings.TrimPrefix(o.Key, prefix)); ok {
			last = max(last, n)
		}
	}
	return last, nil
}

func eventNumber(name string) (int, bool) {
	digits, ok := strings.CutSuffix(name, ".json")
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil
}

// Load yields all requests with their states, by account and id. One listing
// finds them all; what is read is each request and its last event.
func (s *Requests) Load(ctx context.Context) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		last := map[pipeline.RequestRef]int{}
		var refs []pipeline.RequestRef
		for o, err := range s.Work.List(ctx, "requests/") {
			if err != nil {
				yield(nil, fmt.Errorf("list requests: %w", err))
				return
			}
			switch parts := strings.Split(strings.TrimPrefix(o.Key, "requests/"), "/"); len(parts) {
			case 2:
				if id, ok := strings.CutSuffix(parts[1], ".json"); ok {
					refs = append(refs, pipeline.RequestRef{Account: parts[0], ID: id})
				}
			case 3:
				ref := pipeline.RequestRef{Account: parts[0], ID: parts[1]}
				if n, ok := eventNumber(parts[2]); ok {
					last[ref] = max(last[ref], n)
				}
			}
		}
		for some := range slices.Chunk(refs, readChunk) {
			entries := make([]*Entry, len(some))
			err := engine.Each(ctx, readers, len(some), func(ctx context.Context, i int) (err error) {
				entries[i], err = s.read(ctx, some[i], last[some[i]])
				return err
			})
			if err != nil {
				yield(nil, err)
				return
			}
			for _, e := range entries {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// A night has thousands of requests, each two small files: readers of them are read
// at a time, and readChunk of them are in memory before they are handed on.
const readers, readChunk = 32, 512

// Entry returns one request and where it stands, ErrUnknown if there is none.
func (s *Requests) Entry(ctx context.Context, ref pipeline.RequestRef) (*Entry, error) {
	known, err := s.Known(ctx, ref)
	if err != nil {
		return nil, err
	}
	if !known {
		return nil, fmt.Errorf("request %s: %w", ref, ErrUnknown)
	}
	n, err := s.last(ctx, ref)
	if err != nil {
		return nil, err
	}
	return s.read(ctx, ref, n)
}

func (s *Requests) read(ctx context.Context, ref pipeline.RequestRef, n int) (*Entry, error) {
	var st stored
	if err := s.json(ctx, ref, key(ref), &st); err != nil {
		return nil, err
	}
	e := &Entry{Request: st.Request, State: pipeline.Received}
	if e.Request == nil || e.Request.Ref() != ref {
		return nil, fmt.Errorf("read request %s: it is not what its name says", ref)
	}
	for i, id := range st.Identifiers {
		box, err := base64.StdEncoding.DecodeString(id.Sealed)
		if err != nil {
			return nil, fmt.Errorf("read request %s: identifiers[%d]: %w", ref, i, err)
		}
		value, err := s.Keys.Unseal("request", ref.Account, box, ref.ID, string(id.Kind))
		if err != nil {
			return nil, fmt.Errorf("read request %s: identifiers[%d]: %w", ref, i, err)
		}
		e.Request.Identifiers = append(e.Request.Identifiers, pipeline.Identifier{Kind: id.Kind, Hash: id.Hash, Value: pipeline.Secret(value), ValidFrom: id.ValidFrom, ValidTo: id.ValidTo})
	}
	if n > 0 {
		if err := s.json(ctx, ref, eventKey(ref, n), &e.Last); err != nil {
			return nil, err
		}
		e.State = e.Last.State
	}
	s.remember(ref, e.Last)
	return e, nil
}

// json reads a file of a request and checks that it is what was written.
func (s *Requests) json(ctx context.Context, ref pipeline.RequestRef, key string, v any) error {
	b, err := connectors.ReadAll(ctx, s.Work, key)
	if err != nil {
		return err
	}
	return s.Keys.Read(document(ref, key), b, v)
}
