package main

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/duckdb/duckdb-go/v2" // the driver "duckdb"
)

// Three questions are put to DuckDB. writtenQuery is what people write first: whole
// records, types left to DuckDB, a semi join on the two columns, normalised by a
// regular expression. columnsQuery looks at the two columns that are
// known to hold identifiers, whose numbers are written in several ways; translate
// is the fastest way to their digits. everywhereQuery looks for numbers and
// addresses in all of a record, as expunge does: one pass of one expression over
// its text is the fastest of the ways that were tried (two expressions, splitting
// the text, a comparison per column).
const (
	writtenQuery = `
SELECT * FROM %s
WHERE right(regexp_replace(CAST(customer_phone_number AS VARCHAR), '[^0-9]', '', 'g'), 10) IN (SELECT phone FROM wanted)
   OR lower(customer_email) IN (SELECT email FROM wanted)`

	columnsQuery = `
SELECT %s FROM %s
WHERE right(translate(customer_phone_number, '+-(). ', ''), 10) IN (SELECT phone FROM wanted)
   OR lower(customer_email) IN (SELECT email FROM wanted)`

	everywhereQuery = `
SELECT DISTINCT %s FROM (
    SELECT *, unnest(regexp_extract_all(line, '[0-9][0-9 ().-]{8,}[0-9]|[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+')) AS m FROM %s)
WHERE right(translate(m, '+-(). ', ''), 10) IN (SELECT phone FROM wanted)
   OR lower(m) IN (SELECT email FROM wanted)`
)

// For the other two nothing is left for DuckDB to find out: it is given the columns that a question
// needs, with their types. A whole record is read as one column, as nothing is
// faster; that only holds for CSV without line ends in its cells, as here.
const (
	columnsJSON = `read_ndjson('%s', compression = '%s', columns = {id: 'VARCHAR', customer_phone_number: 'VARCHAR', customer_email: 'VARCHAR'})`
	columnsCSV  = `read_csv('%s', header = true, delim = ',', quote = '"', escape = '"', auto_detect = false, columns = {%s})`
	wholeLines  = `read_csv('%s', compression = '%s', header = false, delim = '\x01', quote = '', escape = '', auto_detect = false, columns = {line: 'VARCHAR'})`
	wholeRows   = `(SELECT id, concat_ws('|', %s) AS line FROM read_parquet('%s'))`
)

// question is the SQL of one question to one format.
func question(p part, f format, child string) string {
	glob, everywhere := filepath.Join(p.dir, f.folder, "*"+f.ext), child == queryAll
	if child == queryWritten {
		read := map[string]string{"csv": "read_csv_auto", "parquet": "read_parquet"}[f.name]
		return fmt.Sprintf(writtenQuery, fmt.Sprintf("%s('%s')", cmp.Or(read, "read_json_auto"), glob))
	}
	packed := "uncompressed"
	if f.name == "jsonl.gz" {
		packed = "gzip"
	}
	var names, types []string
	for _, c := range columns {
		types = append(types, fmt.Sprintf("'%s': 'VARCHAR'", c.name))
		if !c.bare {
			names = append(names, c.name)
		}
	}
	switch {
	case !everywhere && f.name == "csv":
		return fmt.Sprintf(columnsQuery, "id", fmt.Sprintf(columnsCSV, glob, strings.Join(types, ", ")))
	case !everywhere && f.name == "parquet":
		return fmt.Sprintf(columnsQuery, "*", fmt.Sprintf("read_parquet('%s')", glob))
	case !everywhere:
		return fmt.Sprintf(columnsQuery, "id", fmt.Sprintf(columnsJSON, glob, packed))
	case f.name == "csv":
		return fmt.Sprintf(everywhereQuery, "split_part(line, ',', 1)", fmt.Sprintf(wholeLines, glob, packed))
	case f.name == "parquet":
		return fmt.Sprintf(everywhereQuery, "id", fmt.Sprintf(wholeRows, strings.Join(names, ", "), glob))
	}
	return fmt.Sprintf(everywhereQuery, "line->>'id'", fmt.Sprintf(wholeLines, glob, packed))
}

// openDuck opens a DuckDB in memory.
func openDuck(ctx context.Context, threads int) (*sql.DB, error) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	for _, s := range []string{fmt.Sprintf("SET threads = %d", threads), "SET preserve_insertion_order = false", "SET enable_progress_bar = false"} {
		if _, err := db.ExecContext(ctx, s); err != nil {
			db.Close()
			return nil, fmt.Errorf("set up DuckDB: %w", err)
		}
	}
	return db, nil
}

// queryLake runs the query that finds the same records.
func queryLake(ctx context.Context, p part, f format, threads int, child string) (outcome, error) {
	var o outcome
	db, err := openDuck(ctx, threads)
	if err != nil {
		return o, err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "CREATE TABLE wanted (phone VARCHAR, email VARCHAR)"); err != nil {
		return o, err
	}
	for lo := 0; lo < p.consumers; lo += 1000 {
		var rows []string
		for i := lo; i < min(lo+1000, p.consumers); i++ {
			c := consumerOf(i)
			rows = append(rows, fmt.Sprintf("('%s', '%s')", c.phone, c.email))
		}
		if _, err := db.ExecContext(ctx, "INSERT INTO wanted VALUES "+strings.Join(rows, ", ")); err != nil {
			return o, fmt.Errorf("fill table: %w", err)
		}
	}
	began, cpu := time.Now(), cpuSeconds()
	rows, err := db.QueryContext(ctx, question(p, f, child))
	if err != nil {
		return o, fmt.Errorf("query %s: %w", f.name, err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return o, err
	}
	var id string // the first column
	row := make([]any, len(names))
	for i := range row {
		row[i] = new(any)
	}
	row[0] = &id
	for rows.Next() {
		if err := rows.Scan(row...); err != nil {
			return o, err
		}
		o.IDs = append(o.IDs, id)
	}
	o.Seconds, o.CPU = time.Since(began).Seconds(), cpuSeconds()-cpu
	return o, rows.Err()
}

// writeParquet has DuckDB write the Parquet files from the JSON lines, as it writes
// them by default: Snappy, dictionaries, row groups of 122,880 rows.
func writeParquet(ctx context.Context, p part, threads int) error {
	db, err := openDuck(ctx, threads)
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "SET preserve_insertion_order = true"); err != nil {
		return err
	}
	var types []string
	for _, c := range columns {
		t := "VARCHAR"
		if c.bare {
			t = "BIGINT"
		}
		if c.name == "answered" {
			t = "BOOLEAN"
		}
		types = append(types, fmt.Sprintf("%s: '%s'", c.name, t))
	}
	from, _ := formatOf("jsonl")
	to, _ := formatOf("parquet")
	for i := range p.files {
		if _, err := db.ExecContext(ctx, fmt.Sprintf(`COPY (SELECT * FROM read_ndjson('%s', columns = {%s})) TO '%s' (FORMAT parquet)`,
			p.path(from, i), strings.Join(types, ", "), p.path(to, i))); err != nil {
			return fmt.Errorf("write Parquet: %w", err)
		}
	}
	return nil
}
