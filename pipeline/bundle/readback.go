package bundle

import (
	"context"
	"strings"

	"expunge/pipeline/engine"
)

// readBack is how many files of a bundle are read back at a time: on S3 each is a
// request that waits. A file takes a spool.Buffer of memory.
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
		parquet := !strings.HasPrefix(f.Path, "files/") && strings.HasSuffix(f.Path, ".parquet")
		return struct{}{}, verify(ctx, w.work, w.dir+f.Path, f, parquet)
	}
	return engine.Map(w.ctx, readBack, files, read, func(File, struct{}) error { return nil })
}
