package parquet

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"

	apq "github.com/apache/arrow/go/v15/parquet"
	acompress "github.com/apache/arrow/go/v15/parquet/compress"
	pq "github.com/parquet-go/parquet-go"

	"expunge/scanners"
	"expunge/scanners/scantest"
)

// Whatever the bytes: no panic, a refusal or all records, as JSON, with a bounded
// share of memory; and what is found does not depend on whether every record is
// decoded or only candidates.
func FuzzScan(f *testing.F) {
	schema, docs, _ := mixed()
	for _, version := range []apq.DataPageVersion{apq.DataPageV1, apq.DataPageV2} {
		for _, codec := range []acompress.Compression{acompress.Codecs.Uncompressed, acompress.Codecs.Snappy, acompress.Codecs.Zstd, acompress.Codecs.Brotli} {
			f.Add(scantest.Columns(f, schema, docs, apq.WithDataPageVersion(version), apq.WithCompression(codec)))
		}
	}
	for _, codec := range []pq.WriterOption{pq.Compression(&pq.Uncompressed), pq.Compression(&pq.Lz4Raw)} {
		data, _ := visits(f, 12, codec)
		f.Add(data)
	}
	names, err := filepath.Glob("testdata/*.parquet")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		f.Add(readFile(f, filepath.Base(name)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if file, err := open(&source{ctx: context.Background(), in: input(data)}); err != nil || file.meta.NumRows > 1<<16 {
			return // rows of no bytes, one by one, show nothing but time
		}
		scan := func(every bool) (found []string, stats scanners.Stats, err error) {
			in := input(data)
			in.Every = every
			finder := &scantest.Finder{Literals: []string{"4045550123", "example"}, Values: map[string]string{"attrs{}": "v1", "id": "7"}}
			records := int64(0)
			stats, err = New().Scan(context.Background(), in, finder, func(r *scanners.Record) error {
				if !json.Valid(r.Doc) {
					t.Fatalf("record %d: not JSON: %q", r.Index, r.Doc)
				}
				if r.Index >= 0 {
					records++
				}
				for _, m := range r.Matches {
					found = append(found, string(r.Raw)+m.Path)
				}
				return nil
			})
			if ref := (*scanners.Refusal)(nil); err != nil && (!errors.As(err, &ref) || ref.Code == scanners.Crashed) {
				t.Fatal(err)
			}
			if every && err == nil && records != stats.Records {
				t.Fatalf("%d records of %d came", records, stats.Records)
			}
			return found, stats, err
		}
		all, stats, err := scan(true)
		some, again, err2 := scan(false)
		if err != nil || err2 != nil {
			return
		}
		if stats.Records != again.Records || len(all) != len(some) {
			t.Fatalf("%d matches in %d records, %d in %d where every record is decoded", len(some), again.Records, len(all), stats.Records)
		}
	})
}
