package parquet

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/parquet-go/parquet-go"

	"expunge/scanners"
	"expunge/scanners/scantest"
)

func TestEveryRowWhereAsked(t *testing.T) {
	type row struct {
		Name string `parquet:"name"`
		N    int64  `parquet:"n"`
	}
	var file bytes.Buffer
	w := parquet.NewGenericWriter[row](&file, parquet.MaxRowsPerRowGroup(70))
	for i := range 200 {
		if _, err := w.Write([]row{{"x", int64(i)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	in := scanners.Input{Name: "every", Size: int64(file.Len()), Every: true,
		Open: func(_ context.Context, off, n int64) (io.ReadCloser, error) {
			b := file.Bytes()[off:]
			if n >= 0 {
				b = b[:min(n, int64(len(b)))]
			}
			return io.NopCloser(bytes.NewReader(b)), nil
		}}
	next := int64(0)
	stats, err := New().Scan(t.Context(), in, &scantest.Finder{}, func(r *scanners.Record) error {
		if r.Index != next {
			t.Fatalf("record %d came as the %d.", r.Index, next)
		}
		next++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if next != 200 || stats.Records != 200 {
		t.Errorf("%d emitted, %d counted, want 200", next, stats.Records)
	}
}
