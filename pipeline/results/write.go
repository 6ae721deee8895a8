package results

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/spool"
)

// Writer collects the result of one batch in spool files. Its memory is bounded
// by a frame for each.
type Writer struct {
	r            *Results
	round, batch int
	head         head
	files        [4]*os.File
	units        *spool.Writer // in clear, in a file without a name: what comes before it is known at the end
	hits         *spool.Writer
	filtersLen   int64
	schema       string // last written
	rec          []byte
}

const unitsFile, hitsFile, filtersFile, unitsSpool = 0, 1, 2, 3

// NewWriter begins the result of a batch; digest is the batch's.
func (r *Results) NewWriter(round, batch int, digest string) (*Writer, error) {
	w := &Writer{r: r, round: round, batch: batch, head: head{Version: Version, Digest: digest}}
	for i := range w.files {
		f, err := spool.Temp()
		if err != nil {
			w.Close()
			return nil, err
		}
		w.files[i] = f
	}
	var err error
	if w.units, err = spool.NewWriter(w.files[unitsSpool], nil); err == nil {
		w.hits, err = spool.NewWriter(w.files[hitsFile], r.file(r.units(round, batch)+"/hits"))
	}
	if err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// Close removes the spool files.
func (w *Writer) Close() {
	for _, f := range w.files {
		if f != nil {
			f.Close()
		}
	}
}

// Filters is where filters are written, and how many bytes it holds.
func (w *Writer) Filters() (io.Writer, *int64) { return w.files[filtersFile], &w.filtersLen }

// Unit adds what became of a unit.
func (w *Writer) Unit(u *pipeline.UnitResult) error {
	b, err := json.Marshal(u)
	if err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	w.head.Units++
	return w.units.Write(b)
}

// Hit adds a hit.
func (w *Writer) Hit(f *Found) error {
	w.head.Hits++
	if s := string(f.Schema); s != w.schema {
		if err := w.hits.Write(append([]byte{'s'}, s...)); err != nil {
			return err
		}
		w.schema = s
	}
	head, err := json.Marshal(&f.Hit)
	if err != nil {
		return fmt.Errorf("write hit: %w", err)
	}
	w.rec = append(w.rec[:0], 'h')
	w.rec = binary.AppendUvarint(w.rec, uint64(len(head)))
	w.rec = append(append(w.rec, head...), f.Doc...)
	return w.hits.Write(w.rec)
}

// Store puts the result into the work store. A result that is already there (of
// an earlier try) is as good: equal batches give equal results.
func (w *Writer) Store(ctx context.Context) error {
	if w.filtersLen > 0 {
		if err := w.create(ctx, w.r.FilterFile(w.round, w.batch), filtersFile); err != nil {
			return err
		}
	}
	if err := w.hits.Close(); err != nil {
		return err
	}
	if w.head.Hits > 0 {
		sum := sha256.New()
		if _, err := w.files[hitsFile].Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("store result: %w", err)
		}
		if _, err := io.Copy(sum, w.files[hitsFile]); err != nil {
			return fmt.Errorf("store result: %w", err)
		}
		w.head.SHA256 = hex.EncodeToString(sum.Sum(nil))
		w.head.File = fmt.Sprintf("%s%08d-%s.hits", w.r.dir(w.round), w.batch, w.head.SHA256[:16])
		if err := w.create(ctx, w.head.File, hitsFile); err != nil {
			return err
		}
	}
	if err := w.seal(); err != nil {
		return err
	}
	return w.create(ctx, w.r.units(w.round, w.batch), unitsFile)
}

// seal copies the units behind the head.
func (w *Writer) seal() error {
	if err := w.units.Close(); err != nil {
		return err
	}
	out, err := spool.NewWriter(w.files[unitsFile], w.r.file(w.r.units(w.round, w.batch)))
	if err != nil {
		return err
	}
	b, err := json.Marshal(&w.head)
	if err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	if err := out.Write(b); err != nil {
		return err
	}
	if _, err := w.files[unitsSpool].Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	in, err := spool.NewReader(w.files[unitsSpool], nil)
	if err != nil {
		return err
	}
	defer in.Close()
	for {
		rec, err := in.Next()
		if err == io.EOF {
			return out.Close()
		}
		if err != nil {
			return err
		}
		if err := out.Write(rec); err != nil {
			return err
		}
	}
}

func (w *Writer) create(ctx context.Context, key string, file int) error {
	if _, err := w.r.Work.Create(ctx, key, w.files[file]); err != nil && !errors.Is(err, connectors.ErrExists) {
		return fmt.Errorf("store result: %w", err)
	}
	return nil
}
