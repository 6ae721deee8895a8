package roundtrip

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	apq "github.com/apache/arrow/go/v15/parquet"
	acompress "github.com/apache/arrow/go/v15/parquet/compress"
	"github.com/apache/arrow/go/v15/parquet/pqarrow"
	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
)

// traces are values of the erased row that would be the least or greatest of their
// column in the files that are made here.
var traces = map[string]string{"note": "~ last of all"}

// note is a column whose greatest value stands in the erased row.
func note(i int) string {
	if i == gone {
		return traces["note"]
	}
	return fmt.Sprintf("note %04d", i)
}

// pyarrow takes the files of Apache Arrow's C++ writer that the scanner is tested on,
// but those without an id (named), without that record (empty ones) and those that are
// refused since they are encrypted.
func pyarrow(t *testing.T, to string) {
	t.Helper()
	from := filepath.Join("..", "..", "..", "scanners", "parquet", "testdata")
	found, err := filepath.Glob(filepath.Join(from, "*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, path := range found {
		name := filepath.Base(path)
		if strings.HasPrefix(name, "encrypted-") || strings.HasPrefix(name, "empty") || name == "named.parquet" {
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, "pyarrow-"+name), b, 0o600); err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n < 12 {
		t.Fatalf("only %d files of another writer in %s", n, from)
	}
}

// duckdb has DuckDB write files: codecs, format versions, row groups, nesting.
func duckdb(t *testing.T, db *sql.DB, to string) {
	t.Helper()
	const rows = `SELECT i AS id, CASE WHEN i = %[1]d THEN '%[2]s' ELSE 'note ' || lpad(i::VARCHAR, 4, '0') END AS note, CASE WHEN i %% 5 > 0 THEN 'city ' || i %% 7 END AS city,
		(i * 1.25)::DECIMAL(18, 2) AS price, TIMESTAMP '2026-11-20 01:02:03.000004' + INTERVAL (i) SECOND AS at, DATE '2026-01-01' + (i %% 30)::INT AS day,
		uuid_of AS device, {'mail': 'u' || i %% 9 || '@example.com', 'in': {'n': i}} AS "user", [x FOR x IN range(i %% 4)] AS list,
		MAP {'k' || i %% 3: i} AS attrs, i %% 2 = 0 AS flag, (i %% 100)::UTINYINT AS small, encode('b' || i) AS bin
		FROM (SELECT i, ('00000000-0000-4000-8000-' || lpad(i::VARCHAR, 12, '0'))::UUID AS uuid_of FROM range(5000) r(i))`
	query := fmt.Sprintf(rows, gone, traces["note"])
	for _, codec := range []string{"uncompressed", "snappy", "gzip", "zstd", "brotli", "lz4_raw"} {
		for _, version := range []string{"v1", "v2"} {
			file := filepath.Join(to, "duckdb-"+codec+"-"+version+".parquet")
			if _, err := db.Exec(fmt.Sprintf(`COPY (%s) TO '%s' (FORMAT parquet, CODEC '%s', PARQUET_VERSION %s, ROW_GROUP_SIZE 2048, FIELD_IDS 'auto',
				KV_METADATA {owner: 'loader 7'})`, query, file, codec, version)); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
		}
	}
}

type visit struct {
	ID    int64             `parquet:"id"`
	Note  string            `parquet:"note"`
	Phone *string           `parquet:"phone,optional,dict"`
	At    time.Time         `parquet:"at,timestamp(microsecond)"`
	Tags  []string          `parquet:"tags,list"`
	Attrs map[string]string `parquet:"attrs"`
	User  struct {
		Mail string `parquet:"mail"`
		N    *int32 `parquet:"n,optional"`
	} `parquet:"user"`
	Raw [4]byte `parquet:"raw"`
	D   float64 `parquet:"d,split"`
	U   uint32  `parquet:"u,delta"`
}

func visits(n int) (out []visit) {
	for i := range n {
		v := visit{ID: int64(i), Note: note(i), At: time.Date(2026, 11, 20, 1, 2, i%60, 0, time.UTC), Attrs: map[string]string{fmt.Sprint("k", i%3): "v"},
			Raw: [4]byte{byte(i), 1}, D: float64(i) / 4, U: uint32(i * i)}
		if i%5 > 0 {
			p := fmt.Sprintf("+1404555%04d", 100+i%100)
			v.Phone = &p
		}
		for k := range i % 3 {
			v.Tags = append(v.Tags, fmt.Sprint("tag", k))
		}
		v.User.Mail = fmt.Sprintf("u%d@example.com", i%9)
		out = append(out, v)
	}
	return out
}

// parquetGo writes files with parquet-go: data pages of both versions, bloom filters,
// sorting columns, small pages and metadata.
func parquetGo(t *testing.T, to string) {
	t.Helper()
	codecs := map[string]compress.Codec{"none": &pq.Uncompressed, "snappy": &pq.Snappy, "gzip": &pq.Gzip, "zstd": &pq.Zstd, "brotli": &pq.Brotli, "lz4": &pq.Lz4Raw}
	for name, codec := range codecs {
		for _, version := range []int{1, 2} {
			f, err := os.Create(filepath.Join(to, fmt.Sprintf("parquetgo-%s-v%d.parquet", name, version)))
			if err != nil {
				t.Fatal(err)
			}
			w := pq.NewGenericWriter[visit](f, pq.Compression(codec), pq.DataPageVersion(version), pq.PageBufferSize(512), pq.MaxRowsPerRowGroup(64),
				pq.KeyValueMetadata("owner", "loader 7"), pq.BloomFilters(pq.SplitBlockFilter(10, "note")), pq.SortingWriterConfig(pq.SortingColumns(pq.Ascending("id"))))
			if _, err := w.Write(visits(300)); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// arrowGo writes files with Arrow's Go writer: dictionaries or none, and the
// timestamps of old.
func arrowGo(t *testing.T, to string) {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int32},
		{Name: "note", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "dec", Type: &arrow.Decimal128Type{Precision: 30, Scale: 4}, Nullable: true},
		{Name: "at", Type: &arrow.TimestampType{Unit: arrow.Nanosecond}},
		{Name: "tags", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true},
	}, nil)
	for _, dict := range []bool{true, false} {
		for name, options := range map[string][]apq.WriterProperty{
			"snappy": {apq.WithCompression(acompress.Codecs.Snappy)},
			"v2":     {apq.WithDataPageVersion(apq.DataPageV2), apq.WithCompression(acompress.Codecs.Zstd)},
			"plain":  {apq.WithStats(false)},
		} {
			b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
			for i := range 200 {
				b.Field(0).(*array.Int32Builder).Append(int32(i))
				b.Field(1).(*array.StringBuilder).Append(note(i))
				if i%4 == 0 {
					b.Field(2).AppendNull()
				} else if err := b.Field(2).AppendValueFromString(fmt.Sprintf("%d.25", i)); err != nil {
					t.Fatal(err)
				}
				b.Field(3).(*array.TimestampBuilder).Append(arrow.Timestamp(1_795_000_000_000_000_000 + i))
				list := b.Field(4).(*array.ListBuilder)
				list.Append(i%3 > 0)
				for k := range i % 3 {
					list.ValueBuilder().(*array.StringBuilder).Append(fmt.Sprint("tag", k))
				}
			}
			record := b.NewRecord()
			f, err := os.Create(filepath.Join(to, fmt.Sprintf("arrowgo-%s-dict-%v.parquet", name, dict)))
			if err != nil {
				t.Fatal(err)
			}
			properties := apq.NewWriterProperties(append(options, apq.WithDictionaryDefault(dict), apq.WithMaxRowGroupLength(64))...)
			w, err := pqarrow.NewFileWriter(schema, f, properties, pqarrow.NewArrowWriterProperties(pqarrow.WithDeprecatedInt96Timestamps(name == "plain"), pqarrow.WithStoreSchema()))
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Write(record); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			record.Release()
			b.Release()
		}
	}
}
