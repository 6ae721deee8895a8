// Package hold keeps legal holds: what must not be erased while a subpoena or a
// claim needs it (R54). A hold names an account, and within it a request,
// identifiers, or objects by a pattern; nothing that it covers is rewritten or
// deleted until a person removes it. Whole objects and versions wait for a hold on
// any record in them.
//
//	holds/<n>.json                create-only
//	holds/<n>/identifiers.json    create-only: the identifiers that it names, sealed; purge removes it once the hold is over
//	holds/<n>/removed.json        create-only: who removed it, and why
//
// A hold knows requests by keyed digests of its identifiers, and has the identifiers
// themselves to search records for them; patterns that hold some are sealed. Each file is authenticated under the work
// key. Holds are numbered without a gap, and what rests on them notes how many there
// were: one that was taken away since is missed, and no other is set until it is back.
package hold

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/naming"
	"expunge/pipeline/seal"
)

// Code is what a held tombstone is reported under.
const Code = "H_LEGAL_HOLD"

// Errors that callers tell apart.
var (
	ErrForged  = errors.New("hold is not authentic")
	ErrUnknown = errors.New("there is no such hold")
	ErrRemoved = errors.New("the hold was removed")
	ErrMissing = errors.New("the hold was there before: put its file back from a copy of the work store, or set it again in its place (`expunge hold add --in-place-of N`)")
	ErrThere   = errors.New("it is not missing: only what is can be set again in its place")
)

// Hold is one holds/<n>.json.
type Hold struct {
	Version      int             `json:"version"`
	N            int             `json:"n"`
	Account      string          `json:"account"`
	Request      string          `json:"request,omitempty"`       // id; "" is any
	Object       string          `json:"object,omitempty"`        // pattern of URLs; "" is any
	ObjectSealed string          `json:"object_sealed,omitempty"` // ... where it names somebody: Object shows it redacted then
	Kinds        []pipeline.Kind `json:"kinds,omitempty"`         // of the identifiers
	Digests      []string        `json:"digests,omitempty"`       // keyed, of the identifiers in canonical form; none: any
	Sealed       bool            `json:"sealed,omitempty"`        // its identifiers are kept: of holds of an earlier build, only requests are known
	Reason       string          `json:"reason"`
	By           string          `json:"by"`
	At           time.Time       `json:"at"`
	MAC          string          `json:"mac,omitempty"`

	Removed *Removal `json:"-"` // nil while it stands

	glob *naming.Glob
}

// Removal is holds/<n>/removed.json.
type Removal struct {
	Version int       `json:"version"`
	N       int       `json:"n"`
	Reason  string    `json:"reason"`
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	MAC     string    `json:"mac,omitempty"`
}

// Subject is what is about to be erased.
type Subject struct {
	Account, Request string // the request whose tombstone it is
	Object           naming.Written
	Digests          []string // of the request's identifiers, as Digest gives them
}

// Covers reports whether the hold stands and holds s: all that it names must agree.
func (h *Hold) Covers(s Subject) bool {
	if h.Removed != nil || h.Account != s.Account || h.Request != "" && h.Request != s.Request {
		return false
	}
	if !h.Names(s.Object) {
		return false
	}
	if len(h.Digests) == 0 {
		return true
	}
	return slices.ContainsFunc(h.Digests, func(d string) bool { return slices.Contains(s.Digests, d) })
}

// Names reports whether the hold's pattern names an object, or there is none.
func (h *Hold) Names(object naming.Written) bool {
	if h.Object == "" {
		return true
	}
	if h.glob == nil { // not read from a store, which may have sealed it
		h.glob = naming.NewGlob(h.Object)
	}
	return h.glob.Match(object)
}

// Digest is the keyed digest of an identifier in canonical form, for one account.
func Digest(keys *seal.Keys, account string, kind pipeline.Kind, canon pipeline.Secret) string {
	return keys.Digest("hold", account, []byte(string(kind)+"\x00"+canon.Reveal()))
}

// Digests are those of an identifier under the current work key and the old ones: a
// hold that was set before a rotation holds as before.
func Digests(keys *seal.Keys, account string, kind pipeline.Kind, canon pipeline.Secret) []string {
	var out []string
	for _, key := range keys.All("hold", account) {
		out = append(out, key.Digest([]byte(string(kind)+"\x00"+canon.Reveal())))
	}
	return out
}

// Holds are the holds of a work store.
type Holds struct {
	Work connectors.Store
	Keys *seal.Keys
}

const dir = "holds/"

func name(n int) string    { return dir + strconv.Itoa(n) + ".json" }
func removed(n int) string { return dir + strconv.Itoa(n) + "/removed.json" }

func (h Hold) authenticated() []byte {
	h.MAC = ""
	b, _ := json.Marshal(&h) // plain strings, numbers and times
	return b
}

func (r Removal) authenticated() []byte {
	r.MAC = ""
	b, _ := json.Marshal(&r)
	return b
}

// Add stores a hold that names ids, if any, and returns it with its number: the next one, so that none is ever
// that of another hold; or N, where the hold says so, if that one is missing (or else
// ErrThere). While a hold is missing, none but that is taken: ErrMissing. known is as of
// All.
func (s *Holds) Add(ctx context.Context, h Hold, known int, ids ...pipeline.Identifier) (*Hold, error) {
	_, missing, highest, err := s.look(ctx, known)
	if err != nil {
		return nil, err
	}
	again := h.N > 0
	switch {
	case again && !slices.Contains(missing, h.N):
		return nil, fmt.Errorf("hold %d: %w", h.N, ErrThere)
	case !again && len(missing) > 0:
		return nil, missed(missing)
	case !again:
		h.N = highest + 1
	}
	h.Version, h.Sealed = 1, len(ids) > 0
	for {
		h.MAC = s.Keys.Authenticate("hold", h.authenticated())
		err := s.create(ctx, name(h.N), &h)
		switch {
		case errors.Is(err, connectors.ErrExists) && again:
			return nil, fmt.Errorf("hold %d: %w", h.N, ErrThere)
		case errors.Is(err, connectors.ErrExists): // somebody was faster
			h.N++
			continue
		}
		if err == nil && h.Sealed {
			err = s.create(ctx, IdentifiersFile(h.N), s.seal(&h, ids))
			if errors.Is(err, connectors.ErrExists) { // of the one that is missing
				err = s.same(ctx, &h, ids)
			}
		}
		return &h, err
	}
}

// Remove notes that a hold is over. It fails with ErrUnknown or ErrRemoved where
// there is nothing to remove.
func (s *Holds) Remove(ctx context.Context, r Removal) error {
	all, _, _, err := s.list(ctx)
	if err != nil {
		return err
	}
	if all[r.N] == nil {
		return fmt.Errorf("hold %d: %w", r.N, ErrUnknown)
	}
	r.Version = 1
	r.MAC = s.Keys.Authenticate("hold-removal", r.authenticated())
	err = s.create(ctx, removed(r.N), &r)
	if errors.Is(err, connectors.ErrExists) {
		return fmt.Errorf("hold %d: %w", r.N, ErrRemoved)
	}
	return err
}

func (s *Holds) create(ctx context.Context, key string, v any) error {
	b, err := encode(v)
	if err != nil {
		return err
	}
	if _, err := s.Work.Create(ctx, key, bytes.NewReader(b)); err != nil {
		return fmt.Errorf("store hold: %w", err)
	}
	return nil
}

// encode is what a file of a hold holds.
func encode(v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	return append(b, '\n'), err
}

// All reads all holds, by number, those that were removed among them. known is the
// highest number that is noted anywhere: a hold up to it, or to the highest that is
// there, that is missing and was not removed is ErrMissing, and the others come with it. It
// reads anew each time: a hold that is added while an erasure works counts at once.
func (s *Holds) All(ctx context.Context, known int) ([]*Hold, error) {
	out, missing, _, err := s.look(ctx, known)
	if err == nil && len(missing) > 0 {
		err = missed(missing)
	}
	return out, err
}

func missed(numbers []int) error {
	names := make([]string, len(numbers))
	for i, n := range numbers {
		names[i] = name(n)
	}
	return fmt.Errorf("%s: %w", strings.Join(names, ", "), ErrMissing)
}

// look is All, with the numbers of those that are missing, and the highest there was.
func (s *Holds) look(ctx context.Context, known int) (out []*Hold, missing []int, highest int, err error) {
	found, over, there, err := s.list(ctx)
	if err != nil {
		return nil, nil, 0, err
	}
	highest = max(known, there)
	for n := 1; n <= highest; n++ {
		h := found[n]
		if h == nil && over[n] != nil {
			continue // it is over, whatever it held
		}
		if h == nil { // unless it was added while others were listed
			h, err = s.hold(ctx, name(n))
			if errors.Is(err, connectors.ErrNotFound) {
				missing = append(missing, n)
				continue
			}
			if err != nil {
				return nil, nil, 0, err
			}
		}
		h.Removed = over[n]
		out = append(out, h)
	}
	return out, missing, highest, nil
}

// Highest is the highest number of holds, 0 if there are none.
func Highest(all []*Hold) int {
	if len(all) == 0 {
		return 0
	}
	return all[len(all)-1].N
}

// list reads the holds that are there, and which are removed, by number; the highest is
// that of any file.
func (s *Holds) list(ctx context.Context) (found map[int]*Hold, over map[int]*Removal, highest int, err error) {
	found, over = map[int]*Hold{}, map[int]*Removal{}
	for o, err := range s.Work.List(ctx, dir) {
		if err != nil {
			return nil, nil, 0, fmt.Errorf("list holds: %w", err)
		}
		first, rest, deeper := strings.Cut(strings.TrimPrefix(o.Key, dir), "/")
		if n, err := strconv.Atoi(strings.TrimSuffix(first, ".json")); err == nil {
			highest = max(highest, n)
		}
		switch {
		case !deeper:
			h, err := s.hold(ctx, o.Key)
			if err != nil {
				return nil, nil, 0, err
			}
			found[h.N] = h
		case rest == "removed.json":
			r := new(Removal)
			if err := s.read(ctx, o.Key, r); err != nil {
				return nil, nil, 0, err
			}
			if first != strconv.Itoa(r.N) || s.Keys.Verify("hold-removal", r.authenticated(), r.MAC) != nil {
				return nil, nil, 0, fmt.Errorf("%s: %w", o.Key, ErrForged)
			}
			over[r.N] = r
		}
	}
	return found, over, highest, nil
}

// hold reads one hold, and checks it.
func (s *Holds) hold(ctx context.Context, key string) (*Hold, error) {
	h := new(Hold)
	if err := s.read(ctx, key, h); err != nil {
		return nil, err
	}
	if h.N < 1 || key != name(h.N) || s.Keys.Verify("hold", h.authenticated(), h.MAC) != nil {
		return nil, fmt.Errorf("%s: %w", key, ErrForged)
	}
	if h.Object != "" {
		var err error
		if h.glob, err = naming.OpenPattern(s.Keys, h.Object, h.ObjectSealed); err != nil {
			return nil, fmt.Errorf("%s: %w: %w", key, ErrForged, err)
		}
	}
	return h, nil
}

func (s *Holds) read(ctx context.Context, key string, v any) error {
	b, err := connectors.ReadAll(ctx, s.Work, key)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w: %w", key, ErrForged, err)
	}
	return nil
}
