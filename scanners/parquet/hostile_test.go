package parquet

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"expunge/scanners"
)

// tailed makes an object of a footer.
func tailed(footer string) []byte {
	b := append([]byte("PAR1"), footer...)
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(footer))), "PAR1"...)
}

// Footers that would take the process with them: each is refused before memory is
// taken for what it claims.
func TestFooterBombs(t *testing.T) {
	huge := "\xff\xff\xff\xff\x07" // 2^31-1
	for name, c := range map[string]struct {
		footer string
		code   scanners.Code
	}{
		"nothing":          {"", scanners.Corrupt},
		"schema":           {"\x15\x02\x19\xfc" + huge, scanners.Corrupt},
		"row groups":       {"\x15\x02\x19\x1c\x48\x00\x15\x00\x00\x16\x00\x19\xfc" + huge, scanners.Corrupt},
		"a known list":     {"\x15\x02\x19\xfc\x80\x80\x20" + strings.Repeat("\x00", 1<<19), scanners.Corrupt},
		"an unknown list":  {"\x15\x02\xe9\xf5" + huge, scanners.Corrupt},
		"an unknown map":   {"\x15\x02\xeb" + huge + "\xcc", scanners.Corrupt},
		"nested structs":   {strings.Repeat("\xfc", 1<<20), scanners.Corrupt},
		"nested lists":     {"\xf9" + strings.Repeat("\x19", 1<<20), scanners.Corrupt},
		"a text":           {"\x15\x02\xe8" + huge, scanners.Corrupt},
		"bytes left over":  {"\x00\x00", scanners.Corrupt},
		"an unknown type":  {"\x1d\x00", scanners.Corrupt},
		"a long number":    {"\x15" + strings.Repeat("\xff", 11), scanners.Corrupt},
		"columns too many": {"\x15\x02\x19\x1c\x48\x00\x15\x00\x00\x16\x00\x19\x1c\x19\xfc" + huge, scanners.Corrupt},
	} {
		before := allocated()
		_, _, err := scanAll(t, tailed(c.footer), scanners.Part{}, &finder{all: true})
		if ref := (*scanners.Refusal)(nil); !errors.As(err, &ref) || ref.Code != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
		if n := allocated() - before; n > 32<<20 {
			t.Errorf("%s: %d bytes allocated", name, n)
		}
	}
	long := tailed("\x00")
	binary.LittleEndian.PutUint32(long[len(long)-8:], 1<<30)
	if _, _, err := scanAll(t, long, scanners.Part{}, &finder{}); err == nil {
		t.Error("a footer longer than the object passes")
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// one is a file with one page, whose header and body a test makes itself.
func one(t testing.TB, dictionary bool, edit func(h *format.PageHeader, body []byte) []byte, rows int64) []byte {
	t.Helper()
	var buf bytes.Buffer
	var w interface{ Close() error }
	if dictionary {
		type row struct {
			A string `parquet:"a,dict"`
		}
		g := pq.NewGenericWriter[row](&buf, pq.DataPageVersion(1))
		if _, err := g.Write([]row{{"jane"}, {"joe"}, {"jane"}}); err != nil {
			t.Fatal(err)
		}
		w = g
	} else {
		type row struct {
			A *string `parquet:"a,optional,plain"`
		}
		g := pq.NewGenericWriter[row](&buf, pq.DataPageVersion(1))
		s := "jane"
		if _, err := g.Write([]row{{&s}, {nil}, {&s}}); err != nil {
			t.Fatal(err)
		}
		w = g
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	b := buf.Bytes()
	f, err := open(&source{ctx: context.Background(), in: input(b)})
	if err != nil {
		t.Fatal(err)
	}
	m := &f.meta.RowGroups[0].Columns[0].MetaData
	at := m.DataPageOffset
	var h format.PageHeader
	r := (&thrift.CompactProtocol{}).NewReaderFromBytes(b[at:])
	if err := thrift.NewDecoder(r).Decode(&h); err != nil {
		t.Fatal(err)
	}
	from := at + int64(r.BytesRead())
	body := edit(&h, bytes.Clone(b[from:from+int64(h.CompressedPageSize)]))
	head, err := thrift.Marshal(&thrift.CompactProtocol{}, &h)
	if err != nil {
		t.Fatal(err)
	}
	start, _ := span(&f.meta.RowGroups[0].Columns[0])
	out := slices.Concat(b[:at], head, body)
	m.TotalCompressedSize = int64(len(out)) - start
	if rows >= 0 {
		m.NumValues, f.meta.NumRows, f.meta.RowGroups[0].NumRows = rows, rows, rows
	}
	foot, err := thrift.Marshal(&thrift.CompactProtocol{}, &f.meta)
	if err != nil {
		t.Fatal(err)
	}
	return append(binary.LittleEndian.AppendUint32(append(out, foot...), uint32(len(foot))), "PAR1"...)
}

// Pages that are not what they say.
func TestHostilePages(t *testing.T) {
	keep := func(_ *format.PageHeader, b []byte) []byte { return b }
	sized := func(h *format.PageHeader, b []byte) []byte {
		h.CompressedPageSize, h.UncompressedPageSize = int32(len(b)), int32(len(b))
		return b
	}
	for _, c := range []struct {
		name string
		dict bool
		rows int64
		code scanners.Code
		edit func(h *format.PageHeader, body []byte) []byte
	}{
		{"the truth", false, -1, "", keep},
		{"the truth, with a dictionary", true, -1, "", keep},
		{"index beyond the dictionary", true, -1, scanners.Corrupt, func(h *format.PageHeader, b []byte) []byte {
			return sized(h, []byte{8, 6, 7}) // three times the 8th of two
		}},
		{"index of 33 bits", true, -1, scanners.Corrupt, func(h *format.PageHeader, b []byte) []byte { return sized(h, []byte{33, 6, 0, 0, 0, 0, 0}) }},
		{"no bit width", true, -1, scanners.Corrupt, func(h *format.PageHeader, b []byte) []byte { return sized(h, nil) }},
		{"run of nothing", true, -1, scanners.Corrupt, func(h *format.PageHeader, b []byte) []byte { return sized(h, []byte{1, 0, 0}) }},
		{"run beyond the page", true, -1, scanners.Corrupt, func(h *format.PageHeader, b []byte) []byte { return sized(h, []byte{1, 200, 1, 0}) }},
		{"levels beyond the page", false, -1, scanners.Corrupt, func(h *format.PageHeader, b []byte) []byte { binary.LittleEndian.PutUint32(b, 1<<30); return b }},
		{"level above the highest", false, -1, scanners.Corrupt, func(h *format.PageHeader, b []byte) []byte {
			return sized(h, append([]byte{2, 0, 0, 0, 6, 3}, "\x04\x00\x00\x00jane\x04\x00\x00\x00jane\x04\x00\x00\x00jane"...))
		}},
		{"value beyond the page", false, -1, scanners.Corrupt, func(h *format.PageHeader, b []byte) []byte { b[len(b)-8] = 0x7f; return b }},
		{"values left over", false, -1, scanners.Corrupt, func(h *format.PageHeader, b []byte) []byte { return sized(h, append(b, 0, 0, 0, 0)) }},
		{"a null more", false, 4, scanners.Corrupt, func(h *format.PageHeader, b []byte) []byte { h.DataPageHeader.V.NumValues++; return b }},
		{"a row less", false, 2, scanners.Corrupt, keep},
		{"size beyond the chunk", false, -1, scanners.Corrupt, func(h *format.PageHeader, b []byte) []byte { h.CompressedPageSize += 1000; return b }},
		{"negative size", false, -1, scanners.Corrupt, func(h *format.PageHeader, b []byte) []byte { h.UncompressedPageSize = -1; return b }},
		{"a great size", false, -1, scanners.TooLarge, func(h *format.PageHeader, b []byte) []byte { h.UncompressedPageSize = 1<<31 - 1; return b }},
		{"no header", false, -1, scanners.Corrupt, func(h *format.PageHeader, b []byte) []byte { h.DataPageHeader.Valid = false; return b }},
		{"a dictionary that is not there", false, -1, scanners.Corrupt, func(h *format.PageHeader, b []byte) []byte {
			h.DataPageHeader.V.Encoding = format.RLEDictionary
			return b
		}},
		{"bit-packed levels", false, -1, scanners.Unsupported, func(h *format.PageHeader, b []byte) []byte {
			h.DataPageHeader.V.DefinitionLevelEncoding = format.BitPacked
			return b
		}},
		{"an unknown encoding", false, -1, scanners.Unsupported, func(h *format.PageHeader, b []byte) []byte { h.DataPageHeader.V.Encoding = 77; return b }},
		{"an unknown page", false, -1, scanners.Unsupported, func(h *format.PageHeader, b []byte) []byte { h.Type = 9; return b }},
		{"a wrong checksum", false, -1, scanners.Corrupt, func(h *format.PageHeader, b []byte) []byte { h.CRC++; return b }},
		{"rows without end", false, 1 << 50, scanners.TooLarge, keep},
		{"nulls without end", false, 1 << 30, scanners.TooLarge, func(h *format.PageHeader, b []byte) []byte {
			h.DataPageHeader.V.NumValues = 1 << 30
			return sized(h, append([]byte{6, 0, 0, 0}, binary.AppendUvarint(nil, 1<<31)...))
		}},
		{"values of no bytes without end", false, 1 << 26, scanners.TooLarge, func(h *format.PageHeader, b []byte) []byte {
			h.DataPageHeader.V.NumValues, h.DataPageHeader.V.Encoding = 1<<26, format.DeltaLengthByteArray
			levels := append(binary.AppendUvarint(nil, 1<<27), 1)
			return sized(h, slices.Concat([]byte{byte(len(levels)), 0, 0, 0}, levels, []byte("\x80\x01\x04\x80\x80\x80\x20\x00")))
		}},
	} {
		b := one(t, c.dict, func(h *format.PageHeader, body []byte) []byte {
			h.CRC = 0
			return c.edit(h, body)
		}, c.rows)
		before := allocated()
		_, stats, err := scanAll(t, b, scanners.Part{}, &finder{words: []string{"jane"}})
		ref := (*scanners.Refusal)(nil)
		switch {
		case c.code == "" && (err != nil || stats.Records != 3):
			t.Errorf("%s: %v", c.name, err)
		case c.code != "" && (!errors.As(err, &ref) || ref.Code != c.code):
			t.Errorf("%s: %v, want %s", c.name, err, c.code)
		}
		if n := allocated() - before; n > 512<<20 {
			t.Errorf("%s: %d bytes allocated", c.name, n)
		}
	}
}

// A decimal that is larger than its type would be handed over as another number.
func TestLargeDecimal(t *testing.T) {
	type row struct {
		A int64 `parquet:"a,decimal(2:4)"`
	}
	for v, fine := range map[int64]bool{9999: true, -9999: true, 0: true, 1: true, 10000: false, -12345: false} {
		var buf bytes.Buffer
		w := pq.NewGenericWriter[row](&buf)
		if _, err := w.Write([]row{{v}}); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		_, _, err := scanAll(t, buf.Bytes(), scanners.Part{}, &finder{all: true})
		if ref := (*scanners.Refusal)(nil); fine != (err == nil) || !fine && (!errors.As(err, &ref) || ref.Code != scanners.Corrupt) {
			t.Errorf("%d: %v", v, err)
		}
	}
}

// A row of more values than there is memory for is refused, and the others, while
// it is no candidate, are not the worse for it.
func TestLargeRow(t *testing.T) {
	type row struct {
		ID   string   `parquet:"id"`
		Tags []string `parquet:"tags,dict"`
	}
	var buf bytes.Buffer
	w := pq.NewGenericWriter[row](&buf, pq.Compression(&pq.Zstd))
	for _, r := range []row{{"small", []string{"a"}}, {"many", make([]string, 5<<20)}, {"long", slices.Repeat([]string{strings.Repeat("x", 1<<20)}, 300)}, {"last", nil}} {
		if _, err := w.Write([]row{r}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for word, fine := range map[string]bool{"last": true, "many": false, "long": false} {
		_, stats, err := scanAll(t, buf.Bytes(), scanners.Part{}, &finder{words: []string{word}})
		if ref := (*scanners.Refusal)(nil); fine != (err == nil) || !fine && (!errors.As(err, &ref) || ref.Code != scanners.TooLarge) || fine && stats.Records != 4 {
			t.Errorf("%s: %v, %+v", word, err, stats)
		}
	}
}

// A page header nested without end does not end the process either.
func TestHeaderBomb(t *testing.T) {
	b := one(t, false, func(_ *format.PageHeader, b []byte) []byte { return b }, -1)
	f, err := open(&source{ctx: context.Background(), in: input(b)})
	if err != nil {
		t.Fatal(err)
	}
	start, end := span(&f.meta.RowGroups[0].Columns[0])
	bomb := bytes.Repeat([]byte{0xfc}, 1<<20)
	f.meta.RowGroups[0].Columns[0].MetaData.TotalCompressedSize += int64(len(bomb))
	out := slices.Concat(b[:start], bomb, b[start:end], make([]byte, 100))
	out = relay(t, append(out, b[len(b)-8:]...), &f.meta)
	if _, _, err := scanAll(t, out, scanners.Part{}, &finder{}); err == nil {
		t.Error("no error")
	}
}

// Values of the file's own metadata are searched, in JSON as well; the copy of the
// schema that Arrow embeds is not.
func TestFooterMetadata(t *testing.T) {
	type row struct {
		A int64 `parquet:"a"`
	}
	var buf bytes.Buffer
	w := pq.NewGenericWriter[row](&buf, pq.KeyValueMetadata("owner", `{"contact":{"mail":"jane@example.com"}}`), pq.KeyValueMetadata("note", "call +14045550123"),
		pq.KeyValueMetadata("ARROW:schema", "jane@example.com"), pq.KeyValueMetadata("mail of joe@example.com", "-"))
	if _, err := w.Write([]row{{1}, {2}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		word string
		want []string
	}{
		{"jane@example.com", []string{"(footer).owner.contact.mail"}}, {"+14045550123", []string{"(footer).note"}}, {"joe@example.com", []string{"(footer){}"}}, {"nobody", nil},
	} {
		got, stats, err := scanAll(t, buf.Bytes(), scanners.Part{}, &finder{words: []string{c.word}})
		if err != nil || stats.Records != 2 {
			t.Fatal(stats, err)
		}
		var paths []string
		for _, g := range got {
			if g.Index != -1 {
				t.Errorf("%s: record %d", c.word, g.Index)
			}
			paths = append(paths, g.Matches...)
		}
		if !slices.Equal(paths, c.want) {
			t.Errorf("%s: found at %q", c.word, paths)
		}
	}
	// It is the file's and no row's: a person decides.
	_, err := New().Scan(t.Context(), input(buf.Bytes()), &finder{words: []string{"jane@"}}, func(r *scanners.Record) error {
		if r.Index != -1 || len(r.Matches) != 1 || r.Matches[0].Tier != "review" {
			t.Errorf("record %d: %+v", r.Index, r.Matches)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// Only the part that begins the file has them.
	got, _, err := scanAll(t, write(t, 30, 10, &pq.Snappy, 1), scanners.Part{Group: 1, Groups: 1}, &finder{words: []string{"jane@example.com"}})
	if err != nil || len(got) != 0 {
		t.Errorf("second part: %v, %v", got, err)
	}
}
