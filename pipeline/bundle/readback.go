package bundle

import (
	"context"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/parquet/file"

	"expunge/connectors"
	"expunge/pipeline/engine"
	"expunge/pipeline/output"
	"expunge/pipeline/seal"
	"expunge/pipeline/spool"
)

// readBack is how many files of a bundle are read back at a time: on S3 each is a
// request that waits. A file takes three spool.Buffers of memory.
const readBack = 8

// readBack reads all files back and compares them with what was written.
func (w *writer) readBack() error {
	files := func(yield func(File, error) bool) {
		for _, f := range w.index.Files {
			if !yield(f, nil) {
				return
			}
		}
	}
	read := func(ctx context.Context, f File) (struct{}, error) {
		return struct{}{}, verify(ctx, w.work, w.dir, f, w.seal)
	}
	return engine.Map(w.ctx, readBack, files, read, func(File, struct{}) error { return nil })
}

// verify reads a stored file back: it must be what was written, open under its key
// and, if it is a table, have its rows.
func verify(ctx context.Context, work connectors.Store, dir string, want File, s *sealer) error {
	clear, err := fetch(ctx, work, dir, want, s)
	if err != nil {
		return err
	}
	defer clear.Close()
	if !isTable(want.Path) {
		return nil
	}
	return checkRows(clear, dir, want)
}

// checkRows checks that a file in clear is a table with its rows.
func checkRows(clear *spool.Buffer, dir string, want File) (err error) {
	defer func() {
		if p := recover(); p != nil { // the reader may panic on what is no Parquet
			err = fmt.Errorf("verify %s: it is no Parquet file", dir+want.Path)
		}
	}()
	r, err := file.NewParquetReader(io.NewSectionReader(clear, 0, clear.Size())) // it closes what it can close
	if err != nil {
		return fmt.Errorf("verify %s: %w", dir+want.Path, err)
	}
	defer r.Close()
	if r.NumRows() != want.Rows {
		return fmt.Errorf("verify %s: %d rows instead of %d", dir+want.Path, r.NumRows(), want.Rows)
	}
	return nil
}

// fetch reads a stored file and gives it in clear. Its bytes must be those that
// were written.
func fetch(ctx context.Context, work connectors.Store, dir string, want File, s *sealer) (*spool.Buffer, error) {
	key := dir + want.Path
	body, err := work.Open(ctx, connectors.Ref{Key: key}, connectors.All)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", key, err)
	}
	defer body.Close()
	stored := new(spool.Buffer)
	sum, _, err := output.Digest(io.TeeReader(body, stored))
	if err == nil && sum != want.SHA256 {
		stored.Close()
		return nil, fmt.Errorf("%s is not what was written into the bundle: the store gives other bytes: %w", key, seal.ErrForged)
	}
	if err != nil {
		stored.Close()
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	if s == nil {
		return stored, nil
	}
	defer stored.Close()
	clear := new(spool.Buffer)
	if err := s.open(s.clear(want.Path), clear, stored); err != nil {
		clear.Close()
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return clear, nil
}
