// Package catalog keeps what is known of each object version, so that a pass over
// the lake is not repeated: records per account, time range, outcome, and filters
// of the tokens in its segments.
//
// An index is written anew by every run that learns something: shards of entries
// in the order of the plan (store, key, version), sealed. Looking up is a merge of
// two ordered sequences, the plan's and the index's, so memory does not grow with
// the number of objects. Filters stay where they were first written.
//
//	catalog/<n>.json                    the n-th index: its shards; authenticated, create-only
//	catalog/index/<n>-<run>/<shard>     entries, sealed; the run that was first to write <n>.json made them
//	catalog/pools/<run>-<i>             filters over the small segments of accounts; <i>.head, sealed, describes them
//	catalog/filters/<run>-<batch>       filters of the large segments of one batch
//	catalog/tokens/<run>/<batch>-<id>   tokens of the small segments, sealed, until the run's index is written
package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"
	"strings"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/seal"
	"expunge/pipeline/spool"
)

// Version of the entry format. It is part of what an entry's validity hangs on.
const Version = 2

// shardEntries is how many entries one shard of an index holds.
const shardEntries = 100_000

// Entry is what is known of one object version.
type Entry struct {
	Store         string             `json:"s"`
	Key           string             `json:"k"`
	VersionID     string             `json:"v,omitempty"`
	ETag          string             `json:"e"`
	Size          int64              `json:"z"`
	Basis         string             `json:"b"` // digest of tokenizer version, dataset settings and catalog key
	Format        string             `json:"f,omitempty"`
	Records       int64              `json:"r"`
	Malformed     int64              `json:"m,omitempty"`
	Rows          map[string]int64   `json:"a,omitempty"`
	Unattributed  int64              `json:"ua,omitempty"`
	Misattributed int64              `json:"ma,omitempty"`
	From          int64              `json:"t0,omitempty"` // no record is dated before it, nor after To (Unix milliseconds); both 0: not known
	To            int64              `json:"t1,omitempty"`
	Dated         bool               `json:"td,omitempty"` // every record has a time
	Segments      []pipeline.Segment `json:"g,omitempty"`
}

// Valid reports whether e still speaks of o under the settings that basis digests.
func (e *Entry) Valid(o *pipeline.Object, basis string) bool {
	return e.Store == o.Store && e.Key == o.Key && e.VersionID == o.Version && e.ETag == o.ETag && e.Size == o.Size && e.Basis == basis
}

// compare orders entries as plans order objects; versions of one key keep the
// order in which the store lists them, so only store and key are compared.
func compare(store, key, store2, key2 string) int {
	if c := strings.Compare(store, store2); c != 0 {
		return c
	}
	return strings.Compare(key, key2)
}

// Catalog is the catalog in a work store.
type Catalog struct {
	Work connectors.Store
	Keys *seal.Keys
}

type header struct {
	Version int    `json:"version"`
	Run     string `json:"run"`
	Shards  int    `json:"shards"`
	Entries int64  `json:"entries"`
}

func document(n int) seal.Document {
	return seal.Document{Purpose: "catalog", File: fmt.Sprintf("catalog/%d.json", n)}
}

func (c *Catalog) file(key string) *spool.File {
	return (&spool.Box{Keys: c.Keys, Purpose: "catalog"}).File(key)
}

func shardKey(n int, run string, shard int) string {
	return fmt.Sprintf("catalog/index/%d-%s/%06d", n, run, shard)
}

// Latest returns the number of the newest whole index, 0 if there is none.
func (c *Catalog) Latest(ctx context.Context) (int, error) {
	latest := 0
	for o, err := range c.Work.List(ctx, "catalog/") {
		if err != nil {
			return 0, fmt.Errorf("list catalog: %w", err)
		}
		if o.Key > "catalog/:" {
			break // numbers come first: the rest, which is most of it, need not be listed
		}
		name, ok := strings.CutSuffix(strings.TrimPrefix(o.Key, "catalog/"), ".json")
		if n, err := strconv.Atoi(name); ok && err == nil && n > latest {
			latest = n
		}
	}
	return latest, nil
}

// Entries yields the entries of index n in order; none for index 0, nor of what was lost
// of an index: it saves work, and no more.
func (c *Catalog) Entries(ctx context.Context, n int) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		if n == 0 {
			return
		}
		var h header
		if err := c.read(ctx, n, &h); err != nil {
			yield(nil, err)
			return
		}
		for shard := range h.Shards {
			if !c.shard(ctx, shardKey(n, h.Run, shard), yield) {
				return
			}
		}
	}
}

func (c *Catalog) shard(ctx context.Context, key string, yield func(*Entry, error) bool) bool {
	body, err := c.Work.Open(ctx, connectors.Ref{Key: key}, connectors.All)
	if errors.Is(err, connectors.ErrNotFound) {
		return true // what it knew of is scanned anew
	}
	if err != nil {
		return yield(nil, fmt.Errorf("open catalog: %w", err))
	}
	defer body.Close()
	r, err := spool.NewReader(body, c.file(key))
	if err != nil {
		return yield(nil, err)
	}
	defer r.Close()
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return true
		}
		e := new(Entry)
		if err == nil {
			err = json.Unmarshal(rec, e)
		}
		if err != nil {
			yield(nil, fmt.Errorf("read catalog %s: %w", key, err))
			return false
		}
		if !yield(e, nil) {
			return false
		}
	}
}

// Write writes entries (in order) as a new index and returns its number.
func (c *Catalog) Write(ctx context.Context, run string, entries iter.Seq2[*Entry, error]) (int, error) {
	latest, err := c.Latest(ctx)
	if err != nil {
		return 0, err
	}
	for n := latest + 1; ; n++ {
		h := header{Version: Version, Run: run}
		var w *shardWriter
		for e, err := range entries {
			if err != nil {
				return 0, err
			}
			if w == nil {
				if w, err = newShard(c.file(shardKey(n, run, h.Shards))); err != nil {
					return 0, err
				}
			}
			if err := w.add(e); err != nil {
				return 0, err
			}
			h.Entries++
			if w.n == shardEntries {
				if err := w.store(ctx, c.Work, shardKey(n, run, h.Shards)); err != nil {
					return 0, err
				}
				h.Shards, w = h.Shards+1, nil
			}
		}
		if w != nil {
			if err := w.store(ctx, c.Work, shardKey(n, run, h.Shards)); err != nil {
				return 0, err
			}
			h.Shards++
		}
		err := c.write(ctx, n, h)
		if errors.Is(err, connectors.ErrExists) {
			continue // another run was faster; the number after it is free
		}
		return n, err
	}
}

func (c *Catalog) read(ctx context.Context, n int, h *header) error {
	d := document(n)
	b, err := connectors.ReadAll(ctx, c.Work, d.File)
	if err != nil {
		return err
	}
	return c.Keys.Read(d, b, h)
}

func (c *Catalog) write(ctx context.Context, n int, h header) error {
	b, err := c.Keys.Write(document(n), h)
	if err != nil {
		return err
	}
	_, err = c.Work.Create(ctx, document(n).File, bytes.NewReader(b))
	return err
}

type shardWriter struct {
	f *os.File
	w *spool.Writer
	n int
}

func newShard(file *spool.File) (*shardWriter, error) {
	f, err := spool.Temp()
	if err != nil {
		return nil, err
	}
	w, err := spool.NewWriter(f, file)
	if err != nil {
		f.Close()
		return nil, err
	}
	return &shardWriter{f: f, w: w}, nil
}

func (s *shardWriter) add(e *Entry) error {
	b, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write catalog: %w", err)
	}
	s.n++
	return s.w.Write(b)
}

func (s *shardWriter) store(ctx context.Context, work connectors.Store, key string) error {
	defer s.f.Close()
	if err := s.w.Close(); err != nil {
		return err
	}
	if _, err := work.Create(ctx, key, s.f); err != nil && !errors.Is(err, connectors.ErrExists) {
		return fmt.Errorf("write catalog: %w", err)
	}
	return nil
}

// Join walks objects and entries, both in order, and yields each object with its
// entry, or nil where there is none.
func Join(objects iter.Seq2[pipeline.Object, error], entries iter.Seq2[*Entry, error]) iter.Seq2[Joined, error] {
	return func(yield func(Joined, error) bool) {
		next, stop := iter.Pull2(entries)
		defer stop()
		e, err, ok := next()
		var group []*Entry // entries of the current key: one per version
		for o, oerr := range objects {
			if oerr != nil {
				yield(Joined{}, oerr)
				return
			}
			if len(group) > 0 && compare(group[0].Store, group[0].Key, o.Store, o.Key) != 0 {
				group = group[:0]
			}
			for ok {
				if err != nil {
					yield(Joined{}, err)
					return
				}
				c := compare(e.Store, e.Key, o.Store, o.Key)
				if c > 0 {
					break
				}
				if c == 0 {
					group = append(group, e)
				}
				e, err, ok = next()
			}
			j := Joined{Object: o}
			for _, x := range group {
				if x.VersionID == o.Version && x.ETag == o.ETag {
					j.Entry = x.named(o.Account)
				}
			}
			if !yield(j, nil) {
				return
			}
		}
	}
}

// named is e under the name that the config has for the account which the object's
// key tells ("": a field does): accounts are renamed, and their filters hold.
func (e *Entry) named(account string) *Entry {
	if account == "" || len(e.Rows) != 1 || e.Rows[account] != 0 {
		return e
	}
	renamed := *e
	renamed.Rows = map[string]int64{}
	for _, n := range e.Rows {
		renamed.Rows[account] = n
	}
	return &renamed
}

// Joined is an object and what is known of it.
type Joined struct {
	Object pipeline.Object
	Entry  *Entry // nil: nothing
}
