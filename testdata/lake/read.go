package lake

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
)

// Records reads an object of a lake that Generate made, and gives its records, in
// order, as text: for those who compare a lake with what it was. A whole object
// (a recording, one JSON document) is one record.
func Records(key string, b []byte) ([]string, error) {
	switch {
	case bytes.HasPrefix(b, []byte{0x1f, 0x8b}):
		r, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		if b, err = io.ReadAll(r); err != nil {
			return nil, err
		}
	case bytes.HasPrefix(b, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		r, err := zstd.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		defer r.Close()
		if b, err = io.ReadAll(r); err != nil {
			return nil, err
		}
	}
	switch {
	case bytes.HasPrefix(b, []byte("PAR1")):
		return parquetRecords(b)
	case strings.HasPrefix(key, "twilio/"), strings.HasPrefix(key, "ads"):
		r := csv.NewReader(bytes.NewReader(b))
		r.FieldsPerRecord, r.LazyQuotes = -1, true
		if strings.HasSuffix(key, ".tsv") {
			r.Comma = '\t'
		}
		rows, err := r.ReadAll()
		var out []string
		for i, row := range rows {
			if i > 0 || strings.HasPrefix(key, "ads-tsv/") { // those have no header
				out = append(out, fmt.Sprintf("%q", row))
			}
		}
		return out, err
	case bytes.HasPrefix(bytes.TrimSpace(b), []byte("[")):
		var elements []json.RawMessage
		err := json.Unmarshal(b, &elements)
		var out []string
		for _, e := range elements {
			out = append(out, string(e))
		}
		return out, err
	case strings.HasPrefix(key, "recordings/"), strings.HasPrefix(key, "tmp/"), strings.Contains(key, "/single/"):
		return []string{string(b)}, nil
	}
	var out []string
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimRight(line, "\r\n"); strings.TrimSpace(line) != "" {
			out = append(out, line)
		}
	}
	return out, nil
}

func parquetRecords(b []byte) ([]string, error) {
	r := parquet.NewGenericReader[any](bytes.NewReader(b))
	defer r.Close()
	rows := make([]any, r.NumRows())
	n, err := r.Read(rows)
	if err != nil && err != io.EOF || int64(n) != r.NumRows() {
		return nil, fmt.Errorf("read %d of %d rows: %w", n, r.NumRows(), err)
	}
	var out []string
	for _, row := range rows {
		line, err := json.Marshal(row)
		if err != nil {
			return nil, err
		}
		out = append(out, string(line))
	}
	return out, nil
}
