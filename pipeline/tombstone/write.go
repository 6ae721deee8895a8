package tombstone

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"expunge/connectors"
	"expunge/pipeline/manifest"
	"expunge/pipeline/output"
	"expunge/pipeline/spool"
)

const (
	fileRows  = 1_000_000 // rows of one file
	groupRows = 64_000    // of one row group: what memory holds, some 50 MB of text at the most before it is packed
	batchRows = 256       // handed to the writer at once
)

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
	defer out.discard()
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
	return out.end()
}

type files struct {
	ctx       context.Context
	work      connectors.Store
	dir, base string
	body      *spool.Buffer
	w         *parquet.GenericWriter[manifest.Row]
	batch     []manifest.Row
	rows      int64
	done      []manifest.File
}

func (o *files) open() {
	o.body = new(spool.Buffer)
	o.w = parquet.NewGenericWriter[manifest.Row](o.body, parquet.Compression(&zstd.Codec{}), parquet.MaxRowsPerRowGroup(groupRows), parquet.CreatedBy("expunge", "1", ""))
}

func (o *files) add(r *manifest.Row) error {
	if o.w == nil {
		o.open()
	}
	if o.batch = append(o.batch, *r); len(o.batch) == batchRows {
		if err := o.flush(); err != nil {
			return err
		}
	}
	if o.rows++; o.rows == fileRows {
		return o.store(fmt.Sprintf("%s-%04d.parquet", o.base, len(o.done)))
	}
	return nil
}

func (o *files) flush() error {
	if _, err := o.w.Write(o.batch); err != nil {
		return fmt.Errorf("write tombstones: %w", err)
	}
	clear(o.batch)
	o.batch = o.batch[:0]
	return nil
}

// end stores the last file. An empty table is a table, too.
func (o *files) end() ([]manifest.File, error) {
	if o.w == nil && len(o.done) > 0 {
		return o.done, nil
	}
	if o.w == nil {
		o.open()
	}
	name := o.base + ".parquet"
	if len(o.done) > 0 {
		name = fmt.Sprintf("%s-%04d.parquet", o.base, len(o.done))
	}
	err := o.store(name)
	return o.done, err
}

func (o *files) store(name string) error {
	if err := o.flush(); err != nil {
		return err
	}
	if err := o.w.Close(); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	sum, _, err := output.Put(o.ctx, o.work, o.dir+name, o.body)
	if err != nil {
		return differs(err)
	}
	o.done = append(o.done, manifest.File{Path: name, SHA256: sum, Rows: o.rows})
	o.rows = 0
	o.discard()
	return nil
}

// discard lets go of the file being written.
func (o *files) discard() {
	if o.body != nil {
		o.body.Close()
	}
	o.body, o.w = nil, nil
}

// differs says what to do where an output of this run is another's.
func differs(err error) error {
	if errors.Is(err, output.ErrDiffers) {
		return fmt.Errorf("%w than this run finds: it was changed, or another program wrote it; leave it unapproved and begin a new run", err)
	}
	return err
}
