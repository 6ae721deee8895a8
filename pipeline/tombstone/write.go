package tombstone

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"expunge/connectors"
	"expunge/pipeline/manifest"
	"expunge/pipeline/spool"
)

// fileRows is how many rows one Parquet file of a manifest holds.
const fileRows = 1_000_000

// Writer sorts rows and writes them as one or more Parquet files.
type Writer struct {
	sorter *spool.Sorter
}

// NewWriter returns an empty Writer.
func NewWriter() *Writer { return &Writer{sorter: spool.NewSorter()} }

// Close removes the spool files.
func (w *Writer) Close() { w.sorter.Close() }

// Add adds a row.
func (w *Writer) Add(r *manifest.Row) error {
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write tombstone: %w", err)
	}
	return w.sorter.Add(r.SortKey(), b)
}

// Write writes the rows as base.parquet (or base-NNNN.parquet) below dir. each is
// told of every row; rows of one place have had the most careful action applied.
func (w *Writer) Write(ctx context.Context, work connectors.Store, dir, base string, each func(*manifest.Row)) ([]manifest.File, error) {
	out := &files{ctx: ctx, work: work, dir: dir, base: base}
	var group []*manifest.Row
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
		r := new(manifest.Row)
		if err := json.Unmarshal(p.Value, r); err != nil {
			return nil, fmt.Errorf("read tombstone: %w", err)
		}
		if len(group) > 0 && group[len(group)-1].Tombstone == r.Tombstone {
			continue // the same object found by its name and by what it says of itself
		}
		if len(group) > 0 && !bytes.Equal(group[0].Place(), r.Place()) {
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
	w         *parquet.GenericWriter[manifest.Row]
	rows      int64
	done      []manifest.File
}

func (o *files) add(r *manifest.Row) error {
	if o.w == nil {
		f, err := spool.Temp()
		if err != nil {
			return err
		}
		o.f = f
		o.w = parquet.NewGenericWriter[manifest.Row](f, parquet.Compression(&zstd.Codec{}), parquet.CreatedBy("expunge", "1", ""))
	}
	if _, err := o.w.Write([]manifest.Row{*r}); err != nil {
		return fmt.Errorf("write tombstones: %w", err)
	}
	if o.rows++; o.rows == fileRows {
		return o.store(fmt.Sprintf("%s-%04d.parquet", o.base, len(o.done)))
	}
	return nil
}

func (o *files) close() ([]manifest.File, error) {
	if o.w == nil && len(o.done) == 0 { // an empty table is a table, too
		f, err := spool.Temp()
		if err != nil {
			return nil, err
		}
		o.f = f
		o.w = parquet.NewGenericWriter[manifest.Row](f, parquet.Compression(&zstd.Codec{}), parquet.CreatedBy("expunge", "1", ""))
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
	o.done = append(o.done, manifest.File{Path: name, SHA256: hex.EncodeToString(sum.Sum(nil)), Rows: o.rows})
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
