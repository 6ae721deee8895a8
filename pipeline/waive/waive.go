// Package waive keeps what people have waived: that a refused object, or all
// whose name fits a pattern, need not be examined for a while. A waiver says who
// decided it, why and until when; it is never changed and never removed. Runs
// honour those that stand: what is waived no longer keeps requests open or makes
// a run INCOMPLETE, and the report lists it.
//
//	waivers/<n>.json    create-only
//
// The work store is not trusted: each waiver is authenticated under the work key.
package waive

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

// ErrForged says that a waiver was not made with the work key, or was changed.
var ErrForged = errors.New("waiver is not authentic")

// Waiver is one waivers/<n>.json.
type Waiver struct {
	Version      int           `json:"version"`
	N            int           `json:"n"`
	Object       string        `json:"object"`                  // pattern of object URLs: * stops at /, ** crosses
	ObjectSealed string        `json:"object_sealed,omitempty"` // ... where it names somebody: Object shows it redacted then
	Code         string        `json:"code,omitempty"`          // of refusals; "" is any
	Reason       string        `json:"reason"`
	By           string        `json:"by"`
	At           time.Time     `json:"at"`
	Until        pipeline.Date `json:"until"` // the last day, UTC
	MAC          string        `json:"mac,omitempty"`

	glob *naming.Glob
}

// Covers reports whether the waiver stands at now for an object that was refused
// with a code.
func (w *Waiver) Covers(object naming.Written, code string, now time.Time) bool {
	return w.Stands(now) && (w.Code == "" || w.Code == code) && w.pattern().Match(object)
}

// Stands reports whether the waiver has not run out.
func (w *Waiver) Stands(now time.Time) bool { return now.Before(w.Until.AddDate(0, 0, 1)) }

func (w *Waiver) pattern() *naming.Glob {
	if w.glob == nil { // not read from a store, which may have sealed it
		w.glob = naming.NewGlob(w.Object)
	}
	return w.glob
}

// Waivers are all waivers of a work store, in order.
type Waivers []*Waiver

// Waived returns the waiver that covers a refused object now, nil if none does.
// Of several it is the one that stands longest.
func (ws Waivers) Waived(object naming.Written, code string, now time.Time) *Waiver {
	var best *Waiver
	for _, w := range ws {
		if w.Covers(object, code, now) && (best == nil || w.Until.After(best.Until.Time)) {
			best = w
		}
	}
	return best
}

const dir = "waivers/"

func (w Waiver) authenticated() []byte {
	w.MAC = ""
	b, _ := json.Marshal(&w) // plain strings, numbers and times
	return b
}

// Add stores a waiver and returns it with its number.
func Add(ctx context.Context, work connectors.Store, keys *seal.Keys, w Waiver) (*Waiver, error) {
	w.Version = 1
	n := 0
	for o, err := range work.List(ctx, dir) {
		if err != nil {
			return nil, fmt.Errorf("list waivers: %w", err)
		}
		if at, ok := number(o.Key); ok {
			n = max(n, at)
		}
	}
	for n++; ; n++ {
		w.N = n
		w.MAC = keys.Authenticate("waiver", w.authenticated())
		b, err := w.encode()
		if err != nil {
			return nil, err
		}
		_, err = work.Create(ctx, dir+strconv.Itoa(n)+".json", bytes.NewReader(b))
		if errors.Is(err, connectors.ErrExists) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("store waiver: %w", err)
		}
		return &w, nil
	}
}

// encode is what the waiver's file holds.
func (w *Waiver) encode() ([]byte, error) {
	b, err := json.MarshalIndent(w, "", "  ")
	return append(b, '\n'), err
}

func number(key string) (int, bool) {
	digits, ok := strings.CutSuffix(strings.TrimPrefix(key, dir), ".json")
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil
}

// Read reads all waivers. One that is not authentic is ErrForged: whoever could
// hide an unreadable object from a run could hide a person's data.
func Read(ctx context.Context, work connectors.Store, keys *seal.Keys) (Waivers, error) {
	var out Waivers
	for o, err := range work.List(ctx, dir) {
		if err != nil {
			return nil, fmt.Errorf("list waivers: %w", err)
		}
		w, err := read(ctx, work, o.Key)
		if err != nil {
			return nil, err
		}
		n, ok := number(o.Key)
		if !ok || n != w.N || keys.Verify("waiver", w.authenticated(), w.MAC) != nil {
			return nil, fmt.Errorf("%s: %w", o.Key, ErrForged)
		}
		if w.glob, err = naming.OpenPattern(keys, w.Object, w.ObjectSealed); err != nil {
			return nil, fmt.Errorf("%s: %w: %w", o.Key, ErrForged, err)
		}
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b *Waiver) int { return a.N - b.N })
	return out, nil
}

func read(ctx context.Context, work connectors.Store, key string) (*Waiver, error) {
	b, err := connectors.ReadAll(ctx, work, key)
	if err != nil {
		return nil, err
	}
	w := new(Waiver)
	if err := json.Unmarshal(b, w); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", key, ErrForged, err)
	}
	return w, nil
}
