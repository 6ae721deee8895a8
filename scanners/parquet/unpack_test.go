package parquet

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"expunge/scanners"
	"expunge/scanners/scantest"
)

// Every value that a scan searches is among what Unpack hands over, whatever the
// encoding, codec and page version; and so are the bytes themselves.
func TestUnpack(t *testing.T) {
	names, err := filepath.Glob("testdata/*.parquet")
	if err != nil || len(names) < 10 {
		t.Fatalf("%d files, %v", len(names), err)
	}
	values := 0
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		in := input(b)
		var all bytes.Buffer
		err = New().Unpack(t.Context(), in, func(chunk []byte) error { all.Write(chunk); return nil })
		if strings.Contains(name, "encrypted") {
			if refused := (*scanners.Refusal)(nil); !errors.As(err, &refused) || refused.Code != scanners.Unsupported {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || !bytes.HasPrefix(all.Bytes(), b) {
			t.Fatalf("%s: %v; the bytes themselves come first: %t", name, err, bytes.HasPrefix(all.Bytes(), b))
		}
		lines := map[string]bool{}
		for line := range strings.SplitSeq(all.String()[len(b):], "\n") {
			lines[line] = true
		}
		columns := map[string]bool{} // that are searched
		file, err := open(&source{ctx: t.Context(), in: in})
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range file.leaves {
			columns[l.path] = l.text.searched()
		}
		in.Every = true
		_, err = New().Scan(t.Context(), in, &scantest.Finder{}, func(r *scanners.Record) error {
			for _, leaf := range r.Leaves {
				if !columns[leaf.Path] || bytes.IndexByte(leaf.Value, '\n') >= 0 || leaf.Value == nil {
					continue
				}
				values++
				if !lines[string(leaf.Value)] {
					t.Fatalf("%s: record %d: %s is not handed over", name, r.Index, leaf.Path)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if values < 1000 {
		t.Errorf("%d values are not enough to say anything", values)
	}
}

// What cannot be read to its end is refused, and an error of the caller is its own.
func TestUnpackFails(t *testing.T) {
	b, err := os.ReadFile("testdata/zstd-v1.parquet")
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	for n := range 20 { // wherever it is
		err := New().Unpack(t.Context(), input(b), func([]byte) error {
			if n--; n < 0 {
				return broken
			}
			return nil
		})
		if err != nil && err != broken {
			t.Fatal(err)
		}
	}
	damaged := bytes.Clone(b)
	for i := range damaged[4:200] {
		damaged[4+i] ^= 0x55
	}
	for name, b := range map[string][]byte{"cut": b[:len(b)-1], "damaged": damaged} {
		err := New().Unpack(t.Context(), input(b), func([]byte) error { return nil })
		if refused := (*scanners.Refusal)(nil); !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
