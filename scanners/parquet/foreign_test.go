package parquet

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"

	"expunge/scanners"
	"expunge/scanners/scantest"
)

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Files of another writer, and what it says is in them: all codecs, both versions
// of pages, every encoding. The digests of the rows do not depend on these.
func TestForeign(t *testing.T) {
	want := strings.Split(strings.TrimSpace(string(readFile(t, "docs.jsonl"))), "\n")
	names, err := filepath.Glob("testdata/*-v?.parquet")
	if err != nil || len(names) != 12 {
		t.Fatal(names, err)
	}
	var raws []string
	for _, name := range append(names, "testdata/encodings.parquet") {
		got, stats, err := scanAll(t, readFile(t, filepath.Base(name)), scanners.Part{}, &finder{all: true})
		if err != nil || stats.Records != int64(len(want)) || len(got) != len(want) {
			t.Errorf("%s: %+v, %d emitted: %v", name, stats, len(got), err)
			continue
		}
		var these []string
		for i, g := range got {
			if g.Doc != want[i] {
				t.Errorf("%s record %d:\n got %s\nwant %s", name, i, g.Doc, want[i])
				break
			}
			these = append(these, g.Raw)
		}
		if raws == nil {
			raws = these
		}
		if strings.Join(these, "") != strings.Join(raws, "") {
			t.Errorf("%s: the canonical form depends on the encoding", name)
		}
	}
}

// TestGroupsWithoutRows: Arrow writes a row group without pages for a table without
// rows. Nothing is in it; what lies beside it is found, and rewritten.
func TestGroupsWithoutRows(t *testing.T) {
	if got, stats, err := scanAll(t, readFile(t, "empty.parquet"), scanners.Part{}, &finder{all: true}); err != nil || stats.Records != 0 || len(got) != 0 {
		t.Error(stats, got, err)
	}
	data := readFile(t, "empty-groups.parquet")
	want := []string{`{"id":1,"note":"a","tags":["x"]}`, `{"id":2,"note":"needle","tags":[]}`}
	for _, c := range []struct {
		edits []scanners.Edit
		want  []string
	}{{nil, want}, {[]scanners.Edit{{Record: 1}}, want[:1]}, {[]scanners.Edit{{Record: 0}, {Record: 1}}, nil}} {
		if c.edits != nil {
			data, _ = rewritten(t, readFile(t, "empty-groups.parquet"), c.edits...)
		}
		got, stats, err := scanAll(t, data, scanners.Part{}, &finder{all: true})
		if err != nil || int(stats.Records) != len(c.want) || len(got) != len(c.want) {
			t.Fatal(c.edits, stats, got, err)
		}
		for i, g := range got {
			if g.Doc != c.want[i] {
				t.Errorf("%v: %s", c.edits, g.Doc)
			}
		}
	}
}

// Columns of Arrow's null type, as exports of data frames have them, are rewritten.
func TestNulls(t *testing.T) {
	data := readFile(t, "nulls.parquet")
	want, _, err := scanAll(t, data, scanners.Part{}, &finder{all: true})
	if err != nil {
		t.Fatal(err)
	}
	out, _ := rewritten(t, data, scanners.Edit{Record: 17}, scanners.Edit{Record: 18, Redact: true, Keep: []string{"id"}})
	got, stats, err := scanAll(t, out, scanners.Part{}, &finder{all: true})
	if err != nil || stats.Records != 39 || len(got) != 39 {
		t.Fatalf("%+v, %d emitted: %v", stats, len(got), err)
	}
	for i, g := range got {
		if w := want[i+i/17-i/34]; i != 17 && g.Doc != w.Doc {
			t.Errorf("record %d:\n got %s\nwant %s", i, g.Doc, w.Doc)
		}
	}
}

// TestNamesOfColumns: a column for each person has values for names. They say
// nothing of a row.
func TestNamesOfColumns(t *testing.T) {
	f := &scantest.Finder{Literals: []string{"needle"}}
	var got []string
	_, err := New().Scan(t.Context(), input(readFile(t, "named.parquet")), f, func(r *scanners.Record) error {
		for _, m := range r.Matches {
			got = append(got, fmt.Sprint(r.Index, m.Path, m.Tier))
		}
		return nil
	})
	if want := []string{"-1(column)review", "-1(column)review"}; err != nil || !slices.Equal(got, want) {
		t.Error(got, err)
	}
}

func TestInt96(t *testing.T) {
	got, _, err := scanAll(t, readFile(t, "int96.parquet"), scanners.Part{}, &finder{all: true})
	if err != nil || len(got) != 40 || got[3].Doc != `{"at":1795136523000003000,"id":3}` || got[3].Leaves[0] != "at=2026-11-20T01:02:03.000003" {
		t.Errorf("%v: %+v", err, got[:min(len(got), 4)])
	}
}

// What is encrypted is refused as that, never taken for damage or for no records.
func TestEncrypted(t *testing.T) {
	for _, name := range []string{"encrypted-footer.parquet", "encrypted-columns.parquet"} {
		_, stats, err := scanAll(t, readFile(t, name), scanners.Part{}, &finder{all: true})
		if ref := (*scanners.Refusal)(nil); !errors.As(err, &ref) || ref.Code != scanners.Unsupported || stats.Records != 0 {
			t.Errorf("%s: %v, %+v", name, err, stats)
		}
	}
}

// The deprecated LZ4 codec has two framings; both are held to the page's length.
func TestHadoopLZ4(t *testing.T) {
	plain := bytes.Repeat([]byte("+14045550123 jane@example.com\x00"), 50)
	block := func(b []byte) []byte {
		out := make([]byte, lz4.CompressBlockBound(len(b)))
		n, err := lz4.CompressBlock(b, out, nil)
		if err != nil || n == 0 {
			t.Fatal(n, err)
		}
		return out[:n]
	}
	framed := func(parts ...[]byte) []byte {
		var out []byte
		for _, p := range parts {
			b := block(p)
			out = append(out, 0, 0, byte(len(p)>>8), byte(len(p)), 0, 0, byte(len(b)>>8), byte(len(b)))
			out = append(out, b...)
		}
		return out
	}
	for _, c := range []struct {
		name  string
		src   []byte
		codec format.CompressionCodec
		fine  bool
	}{
		{"bare", block(plain), format.Lz4, true}, {"framed", framed(plain), format.Lz4, true}, {"framed twice", framed(plain[:700], plain[700:]), format.Lz4, true},
		{"raw", block(plain), format.Lz4Raw, true}, {"raw, framed", framed(plain), format.Lz4Raw, false},
		{"too little", block(plain[:100]), format.Lz4Raw, false}, {"framed, too little", framed(plain[:100]), format.Lz4, false}, {"too much", block(append(plain, 'x')), format.Lz4Raw, false},
		{"cut", block(plain)[:20], format.Lz4Raw, false}, {"nothing", nil, format.Lz4Raw, false}, {"framed, cut", framed(plain)[:20], format.Lz4, false},
	} {
		dst := make([]byte, len(plain))
		err := (&inflater{}).inflate(c.codec, dst, c.src)
		if c.fine != (err == nil) || c.fine && !bytes.Equal(dst, plain) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
