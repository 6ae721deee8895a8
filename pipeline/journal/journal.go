// Package journal records what an erasure is about to do and what became of it, so
// that it can be killed at any operation and run again. No write to the lake
// precedes its durable intent.
//
// All of it is create-only. Each worker of each try writes segments of its own,
// chained by digest and closed by a root when the worker ends in peace; a worker
// that was killed leaves no root, and the lake itself says how far it came.
//
//	runs/<run>/journal/<writer>/<n>.jsonl   segment n, from 0
//	runs/<run>/journal/<writer>/root.json   closes the writer: how many segments, and the last one's digest
//
// Segments are authenticated under a key that who can write to the work store does
// not have. They hold keyed ids, digests and counts, never a value or a true key.
package journal

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"expunge/connectors"
	"expunge/pipeline/seal"
)

// ErrForged says that a journal is not what its writers wrote.
var ErrForged = errors.New("journal is not authentic or not whole")

// Kind tells entries apart.
type Kind string

// Kinds of entries.
const (
	Intent  Kind = "intent"  // a change of the lake is about to be made
	Outcome Kind = "outcome" // what became of it
)

// Act is a change of the lake.
type Act string

// Acts.
const (
	Replace       Act = "replace"        // the current object by one without the records
	Delete        Act = "delete"         // the current object
	Move          Act = "move"           // the current object, whose key identifies, after what stays of it was written under a redacted key
	DeleteVersion Act = "delete_version" // a noncurrent version, by its id
	DeleteMarkers Act = "delete_markers" // of a key that identifies, once no version is left
	AbortUploads  Act = "abort_uploads"  // of a key: what writers began before and never completed
)

// State is what became of an act.
type State string

// States. Done and Gone are final: nothing is left to do.
const (
	Done     State = "DONE"
	Gone     State = "GONE"     // by another hand: a version, or the records from the current object; they may stand elsewhere
	Conflict State = "CONFLICT" // changed, and the records could not be told from what is there now
	Blocked  State = "BLOCKED"  // deleting the version would lose survivors that stand nowhere else
	Held     State = "HELD"     // a lock of the store or a legal hold
	Locked   State = "LOCKED"   // an object lock of the store: a retention, until it ends, or a hold of the store's own
	Archived State = "ARCHIVED" // has to be restored first
	Refused  State = "REFUSED"  // the object cannot be rewritten
	Failed   State = "FAILED"   // the store failed, in spite of retries: the same erasure tries again
	Kept     State = "KEPT"     // a noncurrent version that policy keeps; uploads that may still be written
)

// Codes of versions that are refused.
const (
	NullVersion = "NULL_VERSION" // it has no id of its own, and is not current
	MFADelete   = "MFA_DELETE"   // the bucket asks for multi-factor authentication
	MayNot      = "DENIED"       // deleting versions is not allowed
)

// Follows is the code of what is BLOCKED by what else of its key is open, and by nothing more.
const Follows = "FOLLOWS"

// LegalHold is the code of what is HELD by a legal hold of ours, and not by the store.
const LegalHold = "LEGAL_HOLD"

// Final reports whether nothing is left to do.
func (s State) Final() bool { return s == Done || s == Gone }

// Deferred reports whether the same erasure brings it to its end later, under the same
// approval, when the store lets it.
func (s State) Deferred() bool { return s == Locked || s == Archived }

// Entry is one line of a segment.
type Entry struct {
	Kind    Kind   `json:"kind"`
	Object  string `json:"object_id"`
	Version string `json:"version,omitempty"` // of the source
	ETag    string `json:"etag"`              // of the source
	Act     Act    `json:"act"`

	Base      string `json:"base,omitempty"`   // replace, delete, move: the version that goes; the sealed one, or what took its place
	SHA256    string `json:"sha256,omitempty"` // replace, move: of the new content, hex
	Size      int64  `json:"size,omitempty"`
	Rows      string `json:"rows,omitempty"` // digest of the tombstones that are applied
	Records   int64  `json:"records"`        // of the source
	Erased    int64  `json:"erased"`
	Redacted  int64  `json:"redacted"`
	Survivors string `json:"survivors,omitempty"` // digest over the records that stay, in order

	State    State  `json:"state,omitempty"`
	Reason   string `json:"reason,omitempty"`
	Content  string `json:"content,omitempty"`   // delete, move, delete_version: of an object that goes as a whole, the keyed digest of all that it holds, by which the ledger knows it again
	Lost     int64  `json:"lost,omitempty"`      // survivors that went with the version; BLOCKED: that would go
	LostBy   int    `json:"lost_by,omitempty"`   // the approval that let them go
	Upload   string `json:"upload,omitempty"`    // intent of a replace or move: an upload in parts that was begun for it
	Uploads  int64  `json:"uploads,omitempty"`   // abort_uploads: how many are given up
	Code     string `json:"code,omitempty"`      // of REFUSED: a version that somebody else can delete; or why the object cannot be read or rewritten, see scanners.Code; LEGAL_HOLD
	Until    string `json:"until,omitempty"`     // LOCKED: when the retention ends, RFC 3339
	To       string `json:"to,omitempty"`        // move: the redacted key
	ToObject string `json:"to_object,omitempty"` // ... and the object's URL
	ToID     string `json:"to_id,omitempty"`     // ... and keyed id

	NewVersion string `json:"new_version,omitempty"`
	NewETag    string `json:"new_etag,omitempty"`
}

// GoneFromKey is the reason of an object that stands under its key no more, though this
// erasure has not removed it.
const GoneFromKey = "the object is gone from its key"

// Overwritten is the reason of a version that went when it was replaced, since the store
// keeps one of its id: it is no further version.
const Overwritten = "it was overwritten: the store keeps no older one of its id"

// MarkersETag stands in the place of an ETag for the delete markers of a key.
const MarkersETag = "markers"

// UploadsETag stands in the place of an ETag for the unfinished uploads of a key.
const UploadsETag = "uploads"

// Place is the object version that an entry is about.
type Place struct {
	Object, Version, ETag string
	Act                   Act
}

// Place names what e is about.
func (e *Entry) Place() Place { return Place{e.Object, e.Version, e.ETag, e.Act} }

// Journal is the journal of one run.
type Journal struct {
	Work connectors.Store
	Keys *seal.Keys
	Run  string
}

func (j *Journal) dir() string { return "runs/" + j.Run + "/journal/" }

// head is the first line of a segment.
type head struct {
	Version int    `json:"version"`
	Run     string `json:"run"`
	Writer  string `json:"writer"`
	N       int    `json:"n"`
	Prev    string `json:"prev,omitempty"` // SHA-256 of the segment before, hex
	Entries int    `json:"entries"`
}

// foot is its last.
type foot struct {
	MAC string `json:"mac"`
}

// Writer writes the segments of one worker. It is for one goroutine at a time.
type Writer struct {
	j    *Journal
	name string
	n    int
	prev string
}

// Writer returns a writer. name must be one that no other worker or try has.
func (j *Journal) Writer(name string) *Writer { return &Writer{j: j, name: name} }

// Append writes entries as one segment. When it returns, they are durable.
func (w *Writer) Append(ctx context.Context, entries []Entry) error {
	if len(entries) == 0 {
		return nil
	}
	var buf bytes.Buffer
	line := json.NewEncoder(&buf)
	_ = line.Encode(head{1, w.j.Run, w.name, w.n, w.prev, len(entries)}) // a buffer takes all, and these are plain
	for i := range entries {
		_ = line.Encode(&entries[i])
	}
	_ = line.Encode(foot{w.j.Keys.Authenticate("journal", buf.Bytes())})
	key := fmt.Sprintf("%s%s/%d.jsonl", w.j.dir(), w.name, w.n)
	if _, err := w.j.Work.Create(ctx, key, bytes.NewReader(buf.Bytes())); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	w.n, w.prev = w.n+1, digest(buf.Bytes())
	return nil
}

// root is root.json.
type root struct {
	Version  int    `json:"version"`
	Run      string `json:"run"`
	Writer   string `json:"writer"`
	Segments int    `json:"segments"`
	Last     string `json:"last"`
	MAC      string `json:"mac,omitempty"`
}

// Close closes the chain. A writer that wrote nothing leaves nothing.
func (w *Writer) Close(ctx context.Context) error {
	if w.n == 0 {
		return nil
	}
	r := root{Version: 1, Run: w.j.Run, Writer: w.name, Segments: w.n, Last: w.prev}
	b, _ := json.Marshal(r) // plain strings and numbers
	r.MAC = w.j.Keys.Authenticate("journal-root", b)
	b, _ = json.Marshal(r)
	if _, err := w.j.Work.Create(ctx, w.j.dir()+w.name+"/root.json", bytes.NewReader(append(b, '\n'))); err != nil {
		return fmt.Errorf("close journal: %w", err)
	}
	return nil
}

// Begun reports whether anything was written to the journal.
func (j *Journal) Begun(ctx context.Context) (bool, error) {
	for _, err := range j.Work.List(ctx, j.dir()) {
		if err != nil {
			return false, fmt.Errorf("list journal of run %s: %w", j.Run, err)
		}
		return true, nil
	}
	return false, nil
}

// Entries yields the entries of all writers, each writer's in order. It fails with
// ErrForged where a segment was changed, moved or is missing.
func (j *Journal) Entries(ctx context.Context) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		writers, err := j.writers(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, w := range writers {
			prev := ""
			for n := range w.segments {
				raw, entries, err := j.segment(ctx, w.name, n, prev)
				if err != nil {
					yield(nil, err)
					return
				}
				prev = digest(raw)
				for i := range entries {
					if !yield(&entries[i], nil) {
						return
					}
				}
			}
			if !w.closed {
				continue
			}
			if err := j.root(ctx, w.name, w.segments, prev); err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

type written struct {
	name     string
	segments int
	closed   bool
}

// writers lists who wrote, by name, and checks that no segment is missing within.
func (j *Journal) writers(ctx context.Context) ([]written, error) {
	byName := map[string]*written{}
	highest := map[string]int{}
	for o, err := range j.Work.List(ctx, j.dir()) {
		if err != nil {
			return nil, fmt.Errorf("list journal: %w", err)
		}
		name, file, ok := strings.Cut(strings.TrimPrefix(o.Key, j.dir()), "/")
		if !ok {
			continue
		}
		w := byName[name]
		if w == nil {
			w = &written{name: name}
			byName[name] = w
		}
		if file == "root.json" {
			w.closed = true
			continue
		}
		number, isSegment := strings.CutSuffix(file, ".jsonl")
		n, err := strconv.Atoi(number)
		if !isSegment || err != nil {
			return nil, fmt.Errorf("journal of run %s, writer %s: file %q is none of a journal: %w", j.Run, name, file, ErrForged)
		}
		w.segments++
		highest[name] = max(highest[name], n)
	}
	var out []written
	for name, w := range byName {
		if w.segments != highest[name]+1 {
			return nil, fmt.Errorf("journal of run %s, writer %s: a segment is missing: %w", j.Run, name, ErrForged)
		}
		out = append(out, *w)
	}
	slices.SortFunc(out, func(a, b written) int { return strings.Compare(a.name, b.name) })
	return out, nil
}

func (j *Journal) segment(ctx context.Context, writer string, n int, prev string) ([]byte, []Entry, error) {
	key := fmt.Sprintf("%s%s/%d.jsonl", j.dir(), writer, n)
	raw, err := connectors.ReadAll(ctx, j.Work, key)
	if err != nil {
		return nil, nil, err
	}
	forged := func(what string) error { return fmt.Errorf("%s: %s: %w", key, what, ErrForged) }
	content, mac, err := split(raw)
	if err != nil || j.Keys.Verify("journal", content, mac) != nil {
		return nil, nil, forged("its MAC does not fit")
	}
	lines := bufio.NewScanner(bytes.NewReader(content))
	lines.Buffer(nil, len(raw)+1)
	var h head
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &h) != nil {
		return nil, nil, forged("it has no head")
	}
	if h.Run != j.Run || h.Writer != writer || h.N != n || h.Prev != prev {
		return nil, nil, forged("it is of another place in the chain")
	}
	entries := make([]Entry, 0, h.Entries)
	for lines.Scan() {
		var e Entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, nil, forged("an entry cannot be read")
		}
		entries = append(entries, e)
	}
	if len(entries) != h.Entries {
		return nil, nil, forged("entries are missing")
	}
	return raw, entries, nil
}

// split parts a segment from the MAC in its last line.
func split(raw []byte) (content []byte, mac string, err error) {
	end := bytes.LastIndexByte(bytes.TrimSuffix(raw, []byte{'\n'}), '\n') + 1
	var f foot
	err = json.Unmarshal(raw[end:], &f)
	return raw[:end], f.MAC, err
}

func (j *Journal) root(ctx context.Context, writer string, segments int, last string) error {
	key := j.dir() + writer + "/root.json"
	raw, err := connectors.ReadAll(ctx, j.Work, key)
	if err != nil {
		return err
	}
	var r root
	if err := json.Unmarshal(raw, &r); err != nil {
		return fmt.Errorf("%s: it cannot be read: %w", key, ErrForged)
	}
	mac := r.MAC
	r.MAC = ""
	b, _ := json.Marshal(r)
	if j.Keys.Verify("journal-root", b, mac) != nil || r.Run != j.Run || r.Writer != writer || r.Segments != segments || r.Last != last {
		return fmt.Errorf("%s: it does not close the segments that are there: %w", key, ErrForged)
	}
	return nil
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
