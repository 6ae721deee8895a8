package scantest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/hamba/avro/v2/ocf"

	"expunge/scanners"
	"expunge/scanners/avro"
	"expunge/scanners/csv"
	"expunge/scanners/json"
	"expunge/scanners/jsonl"
	"expunge/scanners/scantest"
	"expunge/scanners/text"
)

// What gzip's header says is found in every format that may be packed, beside its
// records, and never makes the whole object a person's.
func TestGzipHeader(t *testing.T) {
	var binary bytes.Buffer
	enc, err := ocf.NewEncoder(`"string"`, &binary)
	if err != nil {
		t.Fatal(err)
	}
	if err := enc.Encode("jane"); err != nil {
		t.Fatal(err)
	}
	if err := enc.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		s    scanners.Scanner
		data string
	}{
		{jsonl.Scanner{}, `{"a":"jane"}` + "\n"}, {json.Scanner{}, `[{"a":"jane"}]`}, {csv.Scanner{}, "a,b\njane,2\n"}, {text.Scanner{}, "jane\n"}, {avro.Scanner{}, binary.String()},
	} {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		w.Name, w.Comment = "jane-doe.export", "-"
		if _, err := w.Write([]byte(c.data)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		in := scanners.Input{Name: "o", Size: int64(packed.Len()), Open: func(_ context.Context, off, n int64) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(packed.Bytes()[off:])), nil
		}}
		var got []string
		stats, err := c.s.Scan(t.Context(), in, &scantest.Finder{Literals: []string{"jane"}}, func(r *scanners.Record) error {
			for _, m := range r.Matches {
				got = append(got, fmt.Sprintf("%d %s %s", r.Index, m.Path, m.Tier))
			}
			return nil
		})
		if err != nil || stats.Records != 1 || len(got) != 2 || !slices.Contains(got, "-1 (gzip).name review") {
			t.Errorf("%s: %q, %+v, %v", c.s.Format(), got, stats, err)
		}
	}
}
