// Package roundtrip holds Parquet files before and after an erasure against each
// other with DuckDB, which shares no code with expunge: the program erases one record
// of each file, and nothing else may be another afterwards.
package roundtrip

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2" // the driver "duckdb"
)

// gone is the id of the record that is erased from each file of account acme.
const gone = 17

const config = `version: 1
name: roundtrip
work: {url: work}
stores: {lake: {url: lake}}
accounts: {acme: {}, other: {}}
policy: {max_erase_fraction: 1}
datasets:
  - name: rows
    at: "lake/account={account}/*.parquet"
    fields: {id: {kind: user_id}}
`

// TestRoundTrip: one tombstone takes one row, and leaves every other row, the schema
// with its logical types and field ids, codecs, encodings, dictionaries, filters,
// sorting, row groups and metadata as they were. A file without a tombstone is not
// written.
func TestRoundTrip(t *testing.T) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	dir := t.TempDir()
	acme, other := filepath.Join(dir, "lake", "account=acme"), filepath.Join(dir, "lake", "account=other")
	for _, folder := range []string{acme, other} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	pyarrow(t, acme)
	duckdb(t, db, acme)
	parquetGo(t, acme)
	arrowGo(t, acme)
	before := map[string][]byte{}
	written := map[string]fs.FileInfo{}
	for name, b := range files(t, acme) {
		before[name] = b
		if err := os.WriteFile(filepath.Join(other, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if written[name], err = os.Stat(filepath.Join(other, name)); err != nil {
			t.Fatal(err)
		}
	}
	was := filepath.Join(dir, "was")
	if err := os.CopyFS(was, os.DirFS(acme)); err != nil {
		t.Fatal(err)
	}

	erase(t, dir)

	after := files(t, acme)
	if len(after) != len(before) {
		t.Errorf("%d files are left of %d", len(after), len(before))
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		t.Run(strings.TrimSuffix(name, ".parquet"), func(t *testing.T) {
			if bytes.Equal(after[name], before[name]) {
				t.Fatal("nothing was erased")
			}
			compare(t, db, filepath.Join(was, name), filepath.Join(acme, name))
			info, err := os.Stat(filepath.Join(other, name))
			if err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(filepath.Join(other, name))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(b, before[name]) || !os.SameFile(info, written[name]) || !info.ModTime().Equal(written[name].ModTime()) {
				t.Error("the file of the other account was written, and has no tombstone")
			}
		})
	}
}

func files(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if out[e.Name()], err = os.ReadFile(filepath.Join(folder, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// erase builds the program and erases the record of acme.
func erase(t *testing.T, dir string) {
	t.Helper()
	bin := filepath.Join(dir, "expunge")
	build := exec.Command("go", "build", "-o", bin, "./cmd/expunge")
	build.Dir = filepath.Join("..", "..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "expunge.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	expunge := func(args ...string) {
		t.Helper()
		c := exec.Command(bin, args...)
		c.Dir = dir
		c.Env = append(os.Environ(), "EXPUNGE_KEY=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "EXPUNGE_SIGNING_KEY=ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("expunge %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	request := fmt.Sprintf(`{"version":1,"id":"R-1","account":"acme","rights":["delete"],"received":"2026-11-20T09:00:00Z","identifiers":[{"kind":"user_id","value":"%d"}]}`, gone)
	if err := os.WriteFile(filepath.Join(dir, "request.json"), []byte(request), 0o600); err != nil {
		t.Fatal(err)
	}
	expunge("submit", "request.json")
	expunge("run")
	runs, err := os.ReadDir(filepath.Join(dir, "work", "runs"))
	if err != nil || len(runs) != 1 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	expunge("approve", runs[0].Name(), "--by", "jo")
	expunge("erase", runs[0].Name())
}

// compare holds a file that lost one row against what it was.
func compare(t *testing.T, db *sql.DB, was, is string) {
	t.Helper()
	all := "SELECT t::VARCHAR FROM read_parquet(?, hive_partitioning = false) t"
	if filepath.Base(was) == "pyarrow-encodings.parquet" { // DuckDB does not read BYTE_STREAM_SPLIT of fixed length
		all = "SELECT t::VARCHAR FROM (SELECT * EXCLUDE (fixed) FROM read_parquet(?, hive_partitioning = false)) t"
	}
	rows := lines(t, db, all, was)
	ids := lines(t, db, "SELECT id::VARCHAR FROM read_parquet(?, hive_partitioning = false)", was)
	at := slices.Index(ids, fmt.Sprint(gone))
	if at < 0 || len(ids) != len(rows) {
		t.Fatalf("%d rows with %d ids, and none is %d: the test proves nothing", len(rows), len(ids), gone)
	}
	rows = slices.Delete(rows, at, at+1)
	same(t, "rows", rows, lines(t, db, all, is))
	for what, query := range map[string]string{
		"schema": `SELECT concat_ws(' ', name, type, type_length, repetition_type, num_children, converted_type, scale, precision, field_id, logical_type)
			FROM parquet_schema(?)`,
		"columns": `SELECT concat_ws(' ', row_group_id, path_in_schema, type, compression, dictionary_page_offset IS NOT NULL,
			bloom_filter_offset IS NOT NULL, key_value_metadata, list_sort(list_filter(string_split(replace(encodings, 'PLAIN_DICTIONARY', 'RLE_DICTIONARY'), ', '),
				lambda e: NOT (e = 'RLE' AND (type <> 'BOOLEAN' OR contains(encodings, 'PLAIN')) OR e = 'PLAIN' AND dictionary_page_offset IS NOT NULL)))) FROM parquet_metadata(?) ORDER BY row_group_id, column_id`,
		"statistics": `SELECT concat_ws(' ', row_group_id, path_in_schema, stats_min_value IS NOT NULL, stats_max_value IS NOT NULL) FROM parquet_metadata(?)
			WHERE type <> 'INT96' ORDER BY row_group_id, column_id`,
		"metadata": "SELECT concat_ws(' ', key, value) FROM parquet_kv_metadata(?) ORDER BY ALL",
		"file":     "SELECT concat_ws(' ', created_by, num_row_groups, format_version) FROM parquet_file_metadata(?)",
	} {
		same(t, what, lines(t, db, query, was), lines(t, db, query, is))
	}
	for _, column := range lines(t, db, "SELECT DISTINCT path_in_schema FROM parquet_metadata(?) WHERE NOT contains(path_in_schema, ',')", was) {
		nulls := fmt.Sprintf("SELECT count(*)::VARCHAR FROM read_parquet(?, hive_partitioning = false) WHERE id <> %d AND %q IS NULL", gone, column)
		same(t, "nulls of "+column, lines(t, db, nulls, was), lines(t, db, nulls, is)) // found by null counts, where there are any
	}
	counts := "SELECT num_rows::VARCHAR FROM parquet_file_metadata(?)"
	if n := lines(t, db, counts, is); n[0] != fmt.Sprint(len(rows)) {
		t.Errorf("the footer counts %s rows, and %d are left", n[0], len(rows))
	}
	for column, phrase := range traces {
		if left := lines(t, db, "SELECT path_in_schema FROM parquet_metadata(?) WHERE path_in_schema = ? AND (stats_min_value = ? OR stats_max_value = ?)", is, column, phrase, phrase); len(left) > 0 {
			t.Errorf("statistics of %s still have the erased row's value", column)
		}
	}
}

func same(t *testing.T, what string, want, got []string) {
	t.Helper()
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(want):
			t.Errorf("%s: %d more: %s", what, len(got)-i, got[i])
			return
		case i >= len(got):
			t.Errorf("%s: %d fewer: %s", what, len(want)-i, want[i])
			return
		case want[i] != got[i]:
			t.Errorf("%s %d\n was %s\n  is %s", what, i, want[i], got[i])
			return
		}
	}
}

func lines(t *testing.T, db *sql.DB, query string, args ...any) []string {
	t.Helper()
	rows, err := db.QueryContext(context.Background(), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s sql.NullString
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s.String)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return out
}
