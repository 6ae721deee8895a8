// Package decision keeps what people decided of the hits that runs left for review:
// whether a record belongs to a request. A decision is made once: every later run
// honours it, wherever the record stands by then.
//
//	decisions/<account>/<request>/<n>.json    create-only, authenticated; of two on one record the later counts
//
// A record is known again by its digest within the request and the dataset, whatever
// its object, version and ordinal; a whole object by its id. So two equal records of
// a dataset have one decision.
package decision

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/engine"
	"expunge/pipeline/manifest"
	"expunge/pipeline/seal"
)

// File is one decisions/<account>/<request>/<n>.json: what was decided at once.
type File struct {
	Version int       `json:"version"`
	N       int       `json:"n"`
	Request string    `json:"request"` // ACCOUNT/ID
	Run     string    `json:"run"`     // whose review list it is about
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Items   []Item    `json:"decisions"`
}

// Item is a decision on one record or whole object.
type Item struct {
	Tombstone string           `json:"tombstone"` // as the review list names it
	Dataset   string           `json:"dataset"`
	Digest    string           `json:"digest,omitempty"` // keyed, of the record; "": the whole object
	ObjectID  string           `json:"object_id"`
	ETag      string           `json:"etag,omitempty"` // of a whole object: an inclusion is of what it held then
	Tier      string           `json:"tier"`
	Verdict   pipeline.Verdict `json:"decision"`
	Reason    string           `json:"reason"`
}

// On returns the decision on a row of a review list.
func On(r *manifest.Row, v pipeline.Verdict, reason string) Item {
	i := Item{Tombstone: r.Tombstone, Dataset: r.Dataset, ObjectID: r.ObjectID, Tier: r.Tier, Verdict: v, Reason: reason}
	if r.Digest != nil {
		i.Digest = *r.Digest
	} else {
		i.ETag = r.ETag
	}
	return i
}

// place is what a decision is about.
type place struct {
	request         pipeline.RequestRef
	dataset, record string // digest or, of a whole object, its id
	whole           bool
}

func (i *Item) place(ref pipeline.RequestRef) place {
	if i.Digest == "" {
		return place{ref, i.Dataset, i.ObjectID, true}
	}
	return place{ref, i.Dataset, i.Digest, false}
}

// Decisions are those of a work store.
type Decisions struct {
	Work connectors.Store
	Keys *seal.Keys
}

// Made is a decision that stands, and the reason that was given.
type Made struct {
	pipeline.Decided
	Reason string

	etag string // of the whole object that it is on
}

// holds reports whether the decision still is on what a whole object holds: nothing goes
// because of what once stood under its name.
func (m *Made) holds(etag string) bool {
	return m.Verdict == pipeline.Exclude || m.etag == "" || m.etag == etag
}

// Set are the decisions on some requests. It is safe for concurrent use once read.
type Set struct {
	keys *seal.Keys
	made map[place]*Made
	of   map[pipeline.RequestRef]int // files of each request that has any
}

const root, purpose = "decisions/", "decision"

func name(ref pipeline.RequestRef, n int) string {
	return root + ref.Account + "/" + ref.ID + "/" + strconv.Itoa(n) + ".json"
}

func (d *Decisions) document(ref pipeline.RequestRef, n int) seal.Document {
	return seal.Document{Purpose: purpose, Account: ref.Account, File: name(ref, n)}
}

// Latest lists the number of the last file of each request that has any.
func (d *Decisions) Latest(ctx context.Context) (map[pipeline.RequestRef]int, error) {
	return d.latest(ctx, root)
}

func (d *Decisions) latest(ctx context.Context, prefix string) (map[pipeline.RequestRef]int, error) {
	out := map[pipeline.RequestRef]int{}
	for o, err := range d.Work.List(ctx, prefix) {
		if err != nil {
			return nil, fmt.Errorf("list decisions: %w", err)
		}
		parts := strings.Split(strings.TrimPrefix(o.Key, root), "/")
		if len(parts) != 3 {
			continue
		}
		digits, ok := strings.CutSuffix(parts[2], ".json")
		n, err := strconv.Atoi(digits)
		if ok && err == nil {
			ref := pipeline.RequestRef{Account: parts[0], ID: parts[1]}
			out[ref] = max(out[ref], n)
		}
	}
	return out, nil
}

// readers is how many files are read at a time.
const readers = 16

// Read reads the decisions on the requests that latest names, up to the number it
// gives for each. One that is missing is seal.ErrForged: without it a record would go, or
// stay, against what was decided.
func (d *Decisions) Read(ctx context.Context, latest map[pipeline.RequestRef]int) (*Set, error) {
	s := &Set{keys: d.Keys, made: map[place]*Made{}, of: map[pipeline.RequestRef]int{}}
	requests := func(yield func(pipeline.RequestRef, error) bool) {
		for ref := range latest {
			if !yield(ref, nil) {
				return
			}
		}
	}
	files := func(ctx context.Context, ref pipeline.RequestRef) ([]*File, error) {
		out := make([]*File, latest[ref])
		for i := range out {
			out[i] = new(File)
			if err := d.read(ctx, ref, i+1, out[i]); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	err := engine.Map(ctx, readers, requests, files, func(ref pipeline.RequestRef, all []*File) error {
		for _, f := range all {
			s.add(ref, f)
		}
		return nil
	})
	return s, err
}

// Of reads all decisions on one request.
func (d *Decisions) Of(ctx context.Context, ref pipeline.RequestRef) (*Set, error) {
	latest, err := d.latest(ctx, root+ref.Account+"/"+ref.ID+"/")
	if err != nil {
		return nil, err
	}
	return d.Read(ctx, latest)
}

func (d *Decisions) read(ctx context.Context, ref pipeline.RequestRef, n int, f *File) error {
	key := name(ref, n)
	b, err := connectors.ReadAll(ctx, d.Work, key)
	if errors.Is(err, connectors.ErrNotFound) {
		return fmt.Errorf("%s is missing, and what it decided cannot be honoured: put it back from a copy of the work store: %w", key, seal.ErrForged)
	}
	if err != nil {
		return err
	}
	return d.Keys.Read(d.document(ref, n), b, f)
}

func (s *Set) add(ref pipeline.RequestRef, f *File) {
	s.of[ref] = max(s.of[ref], f.N)
	for i := range f.Items {
		item := &f.Items[i]
		s.made[item.place(ref)] = &Made{pipeline.Decided{Verdict: item.Verdict, By: f.By}, item.Reason, item.ETag}
	}
}

// Add stores what was decided on one request, and has s know of it. What stands
// already is not said again: where nothing is left, nothing is stored. It fails with
// connectors.ErrExists where somebody else decided meanwhile.
func (d *Decisions) Add(ctx context.Context, s *Set, ref pipeline.RequestRef, f *File) error {
	var fresh []Item
	for _, i := range f.Items {
		if old := s.made[i.place(ref)]; old == nil || old.Verdict != i.Verdict || !old.holds(i.ETag) {
			fresh = append(fresh, i)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	f.Version, f.N, f.Request, f.Items = 1, s.of[ref]+1, ref.String(), fresh
	b, err := d.Keys.Write(d.document(ref, f.N), f)
	if err != nil {
		return fmt.Errorf("store decisions on %s: %w", ref, err)
	}
	if _, err := d.Work.Create(ctx, name(ref, f.N), bytes.NewReader(b)); err != nil {
		return fmt.Errorf("store decisions on %s: %w", ref, err)
	}
	s.add(ref, f)
	return nil
}

// Row returns the decision on a row of a review list, nil if there is none.
func (s *Set) Row(ref pipeline.RequestRef, r *manifest.Row) *Made {
	i := On(r, "", "")
	made := s.made[i.place(ref)]
	if made == nil || !made.holds(i.ETag) {
		return nil
	}
	return made
}

// Hit returns the decision on a hit, nil if there is none. raw is what its digest is
// over; etag is its object's, and ids gives the ids of that under the work key and older ones. What was
// decided before the work key was rotated is found by the old one.
func (s *Set) Hit(h *pipeline.Hit, raw []byte, etag string, ids func() []string) *pipeline.Decided {
	if s.of[h.Request] == 0 {
		return nil
	}
	if h.Record < 0 || h.Digest == "" {
		for _, id := range ids() {
			if made := s.made[place{h.Request, h.Dataset, id, true}]; made != nil && made.holds(etag) {
				return &made.Decided
			}
		}
		return nil
	}
	if made := s.made[place{h.Request, h.Dataset, h.Digest, false}]; made != nil {
		return &made.Decided
	}
	return s.old(h.Request, h.Dataset, raw)
}

func (s *Set) old(ref pipeline.RequestRef, dataset string, raw []byte) *pipeline.Decided {
	for _, key := range s.keys.All("record", ref.Account)[1:] {
		if made := s.made[place{ref, dataset, key.Digest(raw), false}]; made != nil {
			return &made.Decided
		}
	}
	return nil
}

// Excluded reports whether a record was excluded.
func (s *Set) Excluded(ref pipeline.RequestRef, dataset string, raw []byte) bool {
	if s.of[ref] == 0 || raw == nil {
		return false
	}
	h := pipeline.Hit{Request: ref, Dataset: dataset, Digest: s.keys.Digest("record", ref.Account, raw)}
	made := s.Hit(&h, raw, "", nil)
	return made != nil && made.Verdict == pipeline.Exclude
}
