package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"expunge/pipeline/catalog"
	"expunge/testdata/lake"
)

// span are the bounds of times, as this test reads them.
type span struct {
	from, to time.Time
	records  int64
	undated  int64
}

func (s *span) add(t *testing.T, value string) {
	t.Helper()
	s.records++
	if value == "" {
		s.undated++
		return
	}
	var at time.Time
	var err error
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05-07:00", "Mon, 02 Jan 2006 15:04:05 -0700"} {
		if at, err = time.Parse(layout, value); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	s.at(at)
}

func (s *span) at(at time.Time) {
	if s.from.IsZero() || at.Before(s.from) {
		s.from = at
	}
	if s.to.IsZero() || at.After(s.to) {
		s.to = at
	}
}

// timesOf reads the times in a file of the lake without anything of ours; nil
// where this test knows no way to.
func timesOf(t *testing.T, name, key string) *span {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := gzip.NewReader(bytes.NewReader(b)); err == nil {
		var out bytes.Buffer
		if _, err := out.ReadFrom(r); err != nil {
			t.Fatal(err)
		}
		b = out.Bytes()
	}
	s := &span{}
	dataset, _, _ := strings.Cut(key, "/")
	switch dataset {
	case "calls", "recording-meta", "segment-logs", "forms", "texts":
		field := map[string]string{"calls": "start_time", "recording-meta": "recorded_at", "segment-logs": "receivedAt", "forms": "submitted_at", "texts": "timestamp"}[dataset]
		if !bytes.HasPrefix(b, []byte("{")) {
			return nil // packed in another way
		}
		lines := bufio.NewScanner(bytes.NewReader(b))
		lines.Buffer(nil, 1<<24)
		for lines.Scan() {
			if len(bytes.TrimSpace(lines.Bytes())) == 0 {
				continue // no record
			}
			var row map[string]any
			if json.Unmarshal(lines.Bytes(), &row) != nil {
				row = nil // malformed, and a record all the same
			}
			value, _ := row[field].(string)
			s.add(t, value)
		}
	case "ads", "ads-tsv":
		r := csv.NewReader(bytes.NewReader(b))
		r.LazyQuotes = true
		if dataset == "ads-tsv" {
			r.Comma = '\t'
		}
		rows, err := r.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if dataset == "ads" {
			rows = rows[1:]
		}
		for _, row := range rows {
			s.add(t, row[1])
		}
	case "ga4":
		for _, row := range readTable[struct {
			At int64 `parquet:"event_timestamp"`
		}](t, b) {
			s.records++
			s.at(time.UnixMicro(row.At))
		}
	case "crm":
		for _, row := range readTable[struct {
			At time.Time `parquet:"updated_at,timestamp(microsecond)"`
		}](t, b) {
			s.records++
			s.at(row.At)
		}
	default:
		return nil
	}
	return s
}

// entriesOf reads the newest index of a work directory.
func entriesOf(t *testing.T, config string) []*catalog.Entry {
	t.Helper()
	a, err := open(t.Context(), &flags{config: config})
	if err != nil {
		t.Fatal(err)
	}
	c := &catalog.Catalog{Work: a.work, Keys: a.keys}
	n, err := c.Latest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out []*catalog.Entry
	for e, err := range c.Entries(t.Context(), n) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

// TestCatalogKnowsTimes compares the time range of every entry with the times in
// the object, read by other means.
func TestCatalogKnowsTimes(t *testing.T) {
	l, err := lake.Generate(lake.Options{Seed: 31, Bytes: 1 << 20, Accounts: 2, Requests: 3})
	if err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{"whole": nil, "parts": {"--batch-bytes", "2048"}} {
		dir := t.TempDir()
		place(t, l, dir)
		config := configure(t, l, dir, name)
		if code := expunge(t, "-c", config, "submit", filepath.Join(dir, "requests.jsonl")); code != exitDone {
			t.Fatalf("submit: exit %d", code)
		}
		if code := expunge(t, append([]string{"-c", config, "run"}, args...)...); code != exitDone {
			t.Fatalf("run: exit %d", code)
		}
		checked := map[string]int{}
		for _, e := range entriesOf(t, config) {
			s := timesOf(t, filepath.Join(dir, "lake", filepath.FromSlash(e.Key)), e.Key)
			if s == nil || s.records == 0 {
				continue
			}
			dataset, _, _ := strings.Cut(e.Key, "/")
			checked[dataset]++
			if e.Records != s.records {
				t.Errorf("%s, %s: %d records, want %d", name, e.Key, e.Records, s.records)
			}
			if s.from.IsZero() {
				continue
			}
			if e.From != s.from.UnixMilli() || e.To != s.to.UnixMilli() {
				t.Errorf("%s, %s: from %d to %d, want %d to %d", name, e.Key, e.From, e.To, s.from.UnixMilli(), s.to.UnixMilli())
			}
			if e.Dated && s.undated > 0 || !e.Dated && s.undated == 0 && dataset == "texts" {
				t.Errorf("%s, %s: dated %v with %d undated records", name, e.Key, e.Dated, s.undated)
			}
		}
		if len(checked) != 9 {
			t.Errorf("%s: only %v were compared", name, checked)
		}
	}
}
