package report

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"expunge/connectors"
	"expunge/pipeline/output"
	"expunge/pipeline/spool"
)

const (
	fileRows  = 1_000_000 // rows of one file
	groupRows = 64_000    // of one row group: what memory holds
	batchRows = 512       // handed to the writer at once
)

// Row is a line of objects.parquet.
type Row struct {
	Object    string  `parquet:"object"` // as outputs show it
	ObjectID  string  `parquet:"object_id"`
	Version   *string `parquet:"version,optional"`
	ETag      string  `parquet:"etag"`
	Size      int64   `parquet:"size"`
	Dataset   *string `parquet:"dataset,optional"`
	Outcome   string  `parquet:"outcome"`
	Rows      *int64  `parquet:"rows,optional"` // null: not known
	Malformed int64   `parquet:"malformed"`
	Reason    string  `parquet:"reason"` // "CODE: for people"
}

// table writes rows as one or more Parquet files.
type table struct {
	ctx     context.Context
	work    connectors.Store
	base    string // key without ending
	perFile int64
	f       *os.File
	w       *parquet.GenericWriter[Row]
	batch   []Row
	rows    int64 // of the file being written
	files   int
}

func (t *table) open() error {
	f, err := spool.Temp()
	if err != nil {
		return err
	}
	t.f, t.rows = f, 0
	t.w = parquet.NewGenericWriter[Row](f, parquet.Compression(&zstd.Codec{}), parquet.MaxRowsPerRowGroup(groupRows), parquet.CreatedBy("expunge", "1", ""))
	return nil
}

func (t *table) add(r *Row) error {
	if t.w != nil && t.rows == t.perFile {
		if err := t.store(fmt.Sprintf("%s-%04d.parquet", t.base, t.files)); err != nil {
			return err
		}
	}
	if t.w == nil {
		if err := t.open(); err != nil {
			return err
		}
	}
	t.rows++
	if t.batch = append(t.batch, *r); len(t.batch) == batchRows {
		return t.flush()
	}
	return nil
}

func (t *table) flush() error {
	if _, err := t.w.Write(t.batch); err != nil {
		return fmt.Errorf("write objects: %w", err)
	}
	t.batch = t.batch[:0]
	return nil
}

// close stores the last file. An empty table is a table, too.
func (t *table) close() error {
	if t.w == nil {
		if err := t.open(); err != nil {
			return err
		}
	}
	name := t.base + ".parquet"
	if t.files > 0 {
		name = fmt.Sprintf("%s-%04d.parquet", t.base, t.files)
	}
	return t.store(name)
}

func (t *table) store(key string) error {
	if err := t.flush(); err != nil {
		return err
	}
	if err := t.w.Close(); err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	if _, _, err := output.Put(t.ctx, t.work, key, t.f); err != nil {
		if errors.Is(err, output.ErrDiffers) {
			return fmt.Errorf("%w than this run comes to: it was changed, or another program wrote it; begin a new run", err)
		}
		return err
	}
	t.files++
	t.discard()
	return nil
}

// discard lets go of the file being written, which no name leads to.
func (t *table) discard() {
	if t.f != nil {
		t.f.Close()
	}
	t.f, t.w = nil, nil
}

// spooled is what can be created and, where a leftover is, put in its place.
type spooled interface {
	io.ReadSeeker
	io.ReaderAt
}

// create puts an output into the work store. What an earlier, killed try left
// under that name is replaced, while it is what was seen.
func create(ctx context.Context, work connectors.Store, key string, body spooled, size int64) error {
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	_, err := work.Create(ctx, key, body)
	if err == nil {
		return nil
	}
	if !errors.Is(err, connectors.ErrExists) {
		return fmt.Errorf("write %s: %w", key, err)
	}
	for o, err := range work.List(ctx, key) {
		if err != nil {
			return fmt.Errorf("write %s: %w", key, err)
		}
		if o.Key != key {
			continue
		}
		patch := connectors.Patch{Pieces: []connectors.Piece{{Spool: true, Len: size}}, Spool: body}
		if _, err := work.Replace(ctx, o.Ref, patch); err != nil {
			return fmt.Errorf("replace %s: %w", key, err)
		}
		return nil
	}
	return fmt.Errorf("replace %s: %w", key, connectors.ErrNotFound)
}
