package tombstone

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/naming"
	"expunge/pipeline/seal"
	"expunge/pipeline/spool"
)

// fileRows is how many rows one Parquet file of a manifest holds.
const fileRows = 1_000_000

// Maker makes rows.
type Maker struct {
	Names      *naming.Names
	Datasets   []pipeline.Dataset
	Keys       *seal.Keys
	Exceptions map[string][]pipeline.Exception // by account
}

// Manifest is manifest.json.
type Manifest struct {
	Version  int                 `json:"version"`
	Run      string              `json:"run"`
	Settings map[string]string   `json:"settings"` // digest of each dataset's settings
	Rows     int64               `json:"rows"`
	Files    []File              `json:"files"`
	Accounts map[string]*Account `json:"accounts"`
	Radius   []Radius            `json:"blast_radius"`
	MAC      string              `json:"mac,omitempty"`
}

// File is one Parquet file of the manifest.
type File struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	Rows   int64  `json:"rows"`
}

// Account is the part of a manifest that belongs to one account. SHA256 is over
// its rows as JSON lines, in the order of the files.
type Account struct {
	Rows     int64    `json:"rows"`
	SHA256   string   `json:"sha256"`
	Requests []string `json:"requests"`
}

// Radius is how much of an account's records in a dataset would go.
type Radius struct {
	Account string  `json:"account"`
	Dataset string  `json:"dataset"`
	Records int64   `json:"records"`  // to be erased or redacted one by one
	Objects int64   `json:"objects"`  // that go whole, old versions among them
	Of      int64   `json:"of"`       // records of the account in the dataset, as far as scanned
	Part    float64 `json:"fraction"` // of the records; those that were found in whole objects are in it
	Limit   bool    `json:"beyond_limit"`
}

// Writer sorts rows and writes them as one or more Parquet files.
type Writer struct {
	sorter *spool.Sorter
}

// NewWriter returns an empty Writer.
func NewWriter() *Writer { return &Writer{sorter: spool.NewSorter()} }

// Close removes the spool files.
func (w *Writer) Close() { w.sorter.Close() }

// Add adds a row.
func (w *Writer) Add(r *Row) error {
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write tombstone: %w", err)
	}
	return w.sorter.Add(r.sortKey(), b)
}

// Write writes the rows as base.parquet (or base-NNNN.parquet) below dir. each is
// told of every row; rows of one place have had the most careful action applied.
func (w *Writer) Write(ctx context.Context, work connectors.Store, dir, base string, each func(*Row)) ([]File, error) {
	out := &files{ctx: ctx, work: work, dir: dir, base: base}
	var group []*Row
	flush := func() error {
		careful(group)
		for _, r := range group {
			if each != nil {
				each(r)
			}
			if err := out.add(r); err != nil {
				return err
			}
		}
		group = group[:0]
		return nil
	}
	for p, err := range w.sorter.Sorted() {
		if err != nil {
			return nil, err
		}
		r := new(Row)
		if err := json.Unmarshal(p.Value, r); err != nil {
			return nil, fmt.Errorf("read tombstone: %w", err)
		}
		if len(group) > 0 && group[len(group)-1].Tombstone == r.Tombstone {
			continue // the same object found by its name and by what it says of itself
		}
		if len(group) > 0 && !bytes.Equal(group[0].place(), r.place()) {
			if err := flush(); err != nil {
				return nil, err
			}
		}
		group = append(group, r)
	}
	if err := flush(); err != nil {
		return nil, err
	}
	return out.close()
}

type files struct {
	ctx       context.Context
	work      connectors.Store
	dir, base string
	f         *os.File
	w         *parquet.GenericWriter[Row]
	rows      int64
	done      []File
}

func (o *files) add(r *Row) error {
	if o.w == nil {
		f, err := spool.Temp()
		if err != nil {
			return err
		}
		o.f = f
		o.w = parquet.NewGenericWriter[Row](f, parquet.Compression(&zstd.Codec{}), parquet.CreatedBy("expunge", "1", ""))
	}
	if _, err := o.w.Write([]Row{*r}); err != nil {
		return fmt.Errorf("write tombstones: %w", err)
	}
	if o.rows++; o.rows == fileRows {
		return o.store(fmt.Sprintf("%s-%04d.parquet", o.base, len(o.done)))
	}
	return nil
}

func (o *files) close() ([]File, error) {
	if o.w == nil && len(o.done) == 0 { // an empty table is a table, too
		f, err := spool.Temp()
		if err != nil {
			return nil, err
		}
		o.f = f
		o.w = parquet.NewGenericWriter[Row](f, parquet.Compression(&zstd.Codec{}), parquet.CreatedBy("expunge", "1", ""))
	}
	if o.w == nil {
		return o.done, nil
	}
	name := o.base + ".parquet"
	if len(o.done) > 0 {
		name = fmt.Sprintf("%s-%04d.parquet", o.base, len(o.done))
	}
	err := o.store(name)
	return o.done, err
}

func (o *files) store(name string) error {
	defer o.f.Close()
	if err := o.w.Close(); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if _, err := o.f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, o.f); err != nil {
		return err
	}
	if err := create(o.ctx, o.work, o.dir+name, o.f); err != nil {
		return err
	}
	o.done = append(o.done, File{Path: name, SHA256: hex.EncodeToString(sum.Sum(nil)), Rows: o.rows})
	o.w, o.f, o.rows = nil, nil, 0
	return nil
}

// create puts an output into the work store. What an earlier, killed try left
// under that name is replaced: nothing refers to it yet.
func create(ctx context.Context, work connectors.Store, key string, f *os.File) error {
	_, err := work.Create(ctx, key, f)
	if !errors.Is(err, connectors.ErrExists) {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		return err
	}
	for o, err := range work.List(ctx, key) {
		if err != nil {
			return err
		}
		if o.Key == key {
			_, err = work.Replace(ctx, o.Ref, connectors.Patch{Pieces: []connectors.Piece{{Spool: true, Len: st.Size()}}, Spool: f})
			return err
		}
	}
	return fmt.Errorf("replace %s: %w", key, connectors.ErrNotFound)
}

// Seal digests and authenticates a manifest: whole, and per account.
type Seal struct {
	accounts map[string]*sealed
}

type sealed struct {
	rows     int64
	sum      hash.Hash
	requests map[string]bool
	records  map[string]*counted // by dataset
}

// counted is what the rows of a dataset come to.
type counted struct {
	records int64  // that go one by one
	whole   int64  // rows of objects and versions that go whole
	objects int64  // those objects and versions
	last    string // of them, so that each counts once: rows come sorted by object
}

// NewSeal returns an empty Seal.
func NewSeal() *Seal { return &Seal{accounts: map[string]*sealed{}} }

// Row takes a row in the order of the files.
func (s *Seal) Row(r *Row) {
	a := s.accounts[r.Account]
	if a == nil {
		a = &sealed{sum: sha256.New(), requests: map[string]bool{}, records: map[string]*counted{}}
		s.accounts[r.Account] = a
	}
	a.rows++
	a.requests[r.Request] = true
	a.count(r)
	b, _ := json.Marshal(r) // plain strings and numbers
	a.sum.Write(append(b, '\n'))
}

func (a *sealed) count(r *Row) {
	c := a.records[r.Dataset]
	if c == nil {
		c = &counted{}
		a.records[r.Dataset] = c
	}
	if r.Action != string(pipeline.EraseObject) && r.Action != string(pipeline.DeleteVersion) {
		c.records++
		return
	}
	c.whole++
	version := ""
	if r.Version != nil {
		version = *r.Version
	}
	if name := r.ObjectID + "\x00" + version; name != c.last {
		c.objects, c.last = c.objects+1, name
	}
}
