package parquet

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/parquet-go/parquet-go"

	"expunge/scanners"
	"expunge/scanners/scantest"
)

// narrow looks at one column.
type narrow struct{ *scantest.Finder }

func (narrow) Looks(path string) bool { return path == "phone" }

var _ scanners.Narrower = narrow{}

// A column that is not looked at is not probed, and still is part of the rows that
// another column gives.
func TestNarrow(t *testing.T) {
	type row struct {
		Phone string `parquet:"phone"`
		Note  string `parquet:"note"`
	}
	var file bytes.Buffer
	w := parquet.NewGenericWriter[row](&file)
	for i := range 100 {
		if _, err := w.Write([]row{{fmt.Sprintf("4045550%03d", i), fmt.Sprintf("note about 2145550%03d", i)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f := narrow{&scantest.Finder{Literals: []string{"4045550123", "4045550042", "2145550007"}}}
	var docs []string
	stats, err := New().Scan(t.Context(), input(file.Bytes()), f, func(r *scanners.Record) error {
		docs = append(docs, string(r.Doc))
		return nil
	})
	if err != nil || stats.Records != 100 {
		t.Fatal(stats, err)
	}
	if want := `{"phone":"4045550042","note":"note about 2145550042"}`; len(docs) != 1 || docs[0] != want {
		t.Errorf("emitted %q, want %s", docs, want)
	}
	for _, raw := range f.Probed {
		if bytes.Contains(raw, []byte("note")) {
			t.Fatal("the other column was probed")
		}
	}
}
