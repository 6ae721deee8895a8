package parquet

import (
	"bytes"
	"context"
	"fmt"
	"math/rand"
	"path/filepath"
	"testing"

	pq "github.com/parquet-go/parquet-go"

	"expunge/scanners"
)

// Of columns that are not searched, and of those that were, only the pages that
// hold candidate rows are read for these.
func TestBytesRead(t *testing.T) {
	data := events(t, 150_000, 150_000, &pq.Uncompressed, pq.PageBufferSize(64<<10))
	if len(data) < 2*groupCache {
		t.Fatalf("object of %d bytes is read at once", len(data))
	}
	read := func(word string) (bytes, requests int64, hits int) {
		in, read, asked := counting(data)
		if _, err := New().Scan(t.Context(), in, plainFinder{word: []byte(word)}, func(*scanners.Record) error { hits++; return nil }); err != nil {
			t.Fatal(err)
		}
		return read.Load(), asked.Load(), hits
	}
	sweep, sweepAsked, hits := read("nobody")
	if hits != 0 || sweep > int64(len(data)) {
		t.Errorf("%d bytes of %d read for nothing, %d hits", sweep, len(data), hits)
	}
	all, asked, hits := read("wanted")
	t.Logf("object of %d bytes: sweep reads %d in %d requests, 3 rows %d more in %d", len(data), sweep, sweepAsked, all-sweep, asked-sweepAsked)
	// 3 rows of 8 columns, each a page of some 64 KiB, and the index.
	if limit := int64(3 * 8 * 80 << 10); hits != 3 || all-sweep > limit {
		t.Errorf("%d hits: %d bytes read beyond the sweep's, more than %d", hits, all-sweep, limit)
	}
}

// selected finds each row by a value of its own and expects the row that is read
// where all are.
func selected(t *testing.T, name string, data []byte, all []record, word func(i int) string) {
	t.Helper()
	for i := range all {
		w := word(i)
		if w == "" {
			continue
		}
		got, _, err := scanAll(t, data, scanners.Part{}, &finder{words: []string{w}})
		if err != nil || len(got) != 1 || got[0].Index != int64(i) || got[0].Raw != all[i].Raw || got[0].Doc != all[i].Doc {
			t.Errorf("%s: row %d alone: %v, %d records", name, i, err, len(got))
			return
		}
	}
}

func TestSelected(t *testing.T) {
	phone := func(i int) string { return fmt.Sprintf("+1404555%04d", i) }
	for version := 1; version <= 2; version++ {
		data, _ := visits(t, 200, pq.DataPageVersion(version), pq.PageBufferSize(256))
		all, _, err := scanAll(t, data, scanners.Part{}, &finder{all: true})
		if err != nil {
			t.Fatal(err)
		}
		selected(t, fmt.Sprint("version ", version), data, all, phone)
	}
	names, _ := filepath.Glob("testdata/*-v?.parquet")
	for _, name := range names {
		data := readFile(t, filepath.Base(name))
		all, _, err := scanAll(t, data, scanners.Part{}, &finder{all: true})
		if err != nil || len(all) != 40 {
			t.Fatal(name, err)
		}
		selected(t, name, data, all, func(i int) string {
			if i%5 == 0 {
				return ""
			}
			return phone(100 + i)
		})
	}
}

// A page index is a hint and no more: whatever it says, the rows are the same.
func TestIndexLies(t *testing.T) {
	const rows = 200
	data, _ := visits(t, rows, pq.PageBufferSize(256), pq.MaxRowsPerRowGroup(1000))
	file, err := open(&source{ctx: context.Background(), in: input(data)})
	if err != nil {
		t.Fatal(err)
	}
	columns := file.meta.RowGroups[0].Columns
	index := func(i int) []byte {
		return bytes.Clone(data[columns[i].OffsetIndexOffset:][:columns[i].OffsetIndexLength])
	}
	// row is what is read where the file's index says places.
	row := func(row int, places func(column int) []place) string {
		var raw []byte
		s := &scan{file: file, finder: &finder{all: true}, inf: &inflater{}, emit: func(r *scanners.Record) error { raw = bytes.Clone(r.Raw); return nil }}
		defer s.inf.close()
		s.declare()
		s.numRows, s.rows = rows, make([]uint64, rows/64+1)
		s.rows[row/64] |= 1 << (row % 64)
		for i := range columns {
			s.places[i], s.told[i] = places(i), true
		}
		if err := s.candidates(0); err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	all, _, err := scanAll(t, data, scanners.Part{}, &finder{all: true})
	if err != nil {
		t.Fatal(err)
	}
	right := make([][]place, len(columns))
	for i := range columns {
		if right[i] = readPlaces(index(i), &columns[i], rows); len(right[i]) < 2 {
			t.Fatalf("column %d: %d places", i, len(right[i]))
		}
	}
	wrong := func(edit func(column int, p []place)) func(int) []place {
		return func(i int) []place {
			p := append([]place(nil), right[i]...)
			edit(i, p)
			return p
		}
	}
	for name, places := range map[string]func(int) []place{
		"the truth":      wrong(func(int, []place) {}),
		"a row less":     wrong(func(_ int, p []place) { move(p, -1) }),
		"a row more":     wrong(func(_ int, p []place) { move(p, 1) }),
		"many rows less": wrong(func(_ int, p []place) { move(p, -7) }),
		"a byte on":      wrong(func(_ int, p []place) { shiftBytes(p, 1, 0) }),
		"a byte less":    wrong(func(_ int, p []place) { shiftBytes(p, 0, -1) }),
		"another column": wrong(func(i int, p []place) { copy(p, right[(i+1)%len(right)]) }),
		"the last only": wrong(func(_ int, p []place) {
			for k := range p {
				p[k].off = p[len(p)-1].off
			}
		}),
	} {
		for _, i := range []int{0, 1, 77, 137, rows - 1} {
			if row(i, places) != all[i].Raw {
				t.Errorf("%s: row %d is another", name, i)
			}
		}
	}
	r := rand.New(rand.NewSource(4))
	used := 0
	for range 2000 {
		i := r.Intn(rows)
		got := row(i, func(column int) []place {
			b := index(column)
			for range r.Intn(3) {
				b[r.Intn(len(b))] ^= 1 << r.Intn(8)
			}
			p := readPlaces(b, &columns[column], rows)
			used += len(p)
			return p
		})
		if got != all[i].Raw {
			t.Fatalf("flipped: row %d is another", i)
		}
	}
	if used == 0 {
		t.Error("no index was used")
	}
}

func move(p []place, rows int64) {
	for k := 1; k < len(p); k++ {
		p[k].row += rows
	}
}

func shiftBytes(p []place, off, size int64) {
	for k := range p {
		p[k].off, p[k].size = p[k].off+off, p[k].size+size
	}
}
