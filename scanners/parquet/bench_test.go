package parquet

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand"
	"sync/atomic"
	"testing"
	"time"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"expunge/scanners"
)

type event struct {
	At      time.Time `parquet:"at,timestamp(microsecond)"`
	Name    string    `parquet:"name,dict"`
	Visitor string    `parquet:"visitor"`
	Phone   string    `parquet:"phone,optional"`
	Mail    string    `parquet:"mail,dict"`
	Amount  float64   `parquet:"amount"`
	Page    string    `parquet:"page"`
	Ticks   []int64   `parquet:"ticks"`
}

// events is a file of n rows, of which every 50,000th has the word wanted.
func events(tb testing.TB, n, perGroup int, codec compress.Codec, options ...pq.WriterOption) []byte {
	tb.Helper()
	r := rand.New(rand.NewSource(1))
	var out bytes.Buffer
	w := pq.NewGenericWriter[event](&out, append([]pq.WriterOption{pq.Compression(codec), pq.MaxRowsPerRowGroup(int64(perGroup))}, options...)...)
	rows := make([]event, 1000)
	for i := range n {
		e := &rows[i%1000]
		*e = event{
			At: time.UnixMicro(1.7e15 + int64(i)*1e6).UTC(), Name: [...]string{"page_view", "click", "purchase"}[i%3],
			Visitor: fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", r.Uint32(), r.Intn(1<<16), r.Intn(1<<12), r.Intn(1<<12), r.Int63n(1<<48)),
			Phone:   fmt.Sprintf("+1404555%04d", r.Intn(10000)), Mail: fmt.Sprintf("user%d@example.com", r.Intn(5000)), Amount: float64(r.Intn(1e6)) / 100,
			Page: fmt.Sprintf("https://www.example.com/products/%x?utm_source=news&session=%x", r.Int63(), r.Int63()), Ticks: []int64{r.Int63(), r.Int63()},
		}
		if i%50_000 == 25_000 {
			e.Phone = "wanted"
		}
		if i%1000 == 999 {
			if _, err := w.Write(rows); err != nil {
				tb.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// plainFinder looks for one word.
type plainFinder struct {
	word   []byte
	fields []string
}

func (f plainFinder) Probe(at []int, raw []byte) []int {
	for i := 0; len(f.word) > 0; {
		j := bytes.Index(raw[i:], f.word)
		if j < 0 {
			break
		}
		at = append(at, i+j)
		i += j + 1
	}
	return at
}
func (f plainFinder) Fields() []string                { return f.fields }
func (f plainFinder) ProbeField(_ int, v []byte) bool { return bytes.Equal(v, f.word) }
func (f plainFinder) Find(dst []scanners.Match, path string, v []byte) []scanners.Match {
	if len(f.word) > 0 && bytes.Contains(v, f.word) {
		dst = append(dst, scanners.Match{Path: path})
	}
	return dst
}
func (plainFinder) Boundary(int64, int, int64) {}

// counting counts bytes read and requests.
func counting(b []byte) (in scanners.Input, read, requests *atomic.Int64) {
	read, requests = new(atomic.Int64), new(atomic.Int64)
	in = input(b)
	open := in.Open
	in.Open = func(ctx context.Context, off, n int64) (io.ReadCloser, error) {
		requests.Add(1)
		if n < 0 {
			n = int64(len(b)) - off
		}
		read.Add(n)
		return open(ctx, off, n)
	}
	return in, read, requests
}

// MB/s are of the object as stored. "wanted" has a candidate in each row group.
func BenchmarkScan(b *testing.B) {
	for _, codec := range []compress.Codec{&pq.Uncompressed, &pq.Snappy, &pq.Zstd} {
		data := events(b, 200_000, 100_000, codec)
		for _, c := range []struct {
			name string
			f    plainFinder
		}{{"nothing", plainFinder{word: []byte("nobody")}}, {"wanted", plainFinder{word: []byte("wanted")}}, {"declared", plainFinder{word: []byte("nobody"), fields: []string{"visitor", "mail"}}}} {
			b.Run(fmt.Sprintf("%s/%s", codec, c.name), func(b *testing.B) {
				in, read, requests := counting(data)
				b.SetBytes(int64(len(data)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := New().Scan(b.Context(), in, c.f, func(*scanners.Record) error { return nil }); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(read.Load())/float64(b.N)/float64(len(data)), "read/size")
				b.ReportMetric(float64(requests.Load())/float64(b.N), "requests")
			})
		}
	}
}
