package lines

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"expunge/scanners"
)

// pieces hands out fixed chunks, and spoils each one when the next is asked for.
type pieces struct {
	chunks [][]byte
	prev   []byte
	end    error
}

func (p *pieces) Next() ([]byte, error) {
	for i := range p.prev {
		p.prev[i] = '?'
	}
	if len(p.chunks) == 0 {
		return nil, p.end
	}
	p.prev = bytes.Clone(p.chunks[0])
	p.chunks = p.chunks[1:]
	return p.prev, nil
}

func collect(t testing.TB, r *Reader, off int64) (data []byte, err error) {
	t.Helper()
	for {
		b, err := r.Next()
		if err != nil {
			return data, err
		}
		if len(b.Data) == 0 {
			t.Fatal("empty block")
		}
		if b.Off != off+int64(len(data)) {
			t.Fatalf("block at %d, want %d", b.Off, off+int64(len(data)))
		}
		if n := len(data); n > 0 && data[n-1] != '\n' {
			t.Fatal("a block that is not the last lacks its line end")
		}
		data = append(data, b.Data...)
	}
}

func TestReader(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 200 {
		var doc []byte
		for range rng.IntN(60) {
			doc = append(doc, bytes.Repeat([]byte{'x'}, rng.IntN(1<<rng.IntN(18)))...)
			if rng.IntN(4) > 0 {
				doc = append(doc, '\n')
			}
		}
		var chunks [][]byte
		for rest := doc; len(rest) > 0; {
			n := min(len(rest), 1+rng.IntN(1<<rng.IntN(20)))
			chunks = append(chunks, rest[:n])
			rest = rest[n:]
			if rng.IntN(10) == 0 {
				chunks = append(chunks, nil)
			}
		}
		got, err := collect(t, New(&pieces{chunks: chunks, end: io.EOF}, 7), 7)
		if err != io.EOF || !bytes.Equal(got, doc) {
			t.Fatalf("round %d: %d of %d bytes, %v", round, len(got), len(doc), err)
		}
		broken := errors.New("broken")
		got, err = collect(t, New(&pieces{chunks: chunks, end: broken}, 0), 0)
		if whole := doc[:bytes.LastIndexByte(doc, '\n')+1]; err != broken || !bytes.Equal(got, whole) {
			t.Fatalf("round %d: %d of %d bytes before the error, %v", round, len(got), len(whole), err)
		}
	}
}

func TestBlockSize(t *testing.T) {
	line := strings.Repeat("y", 99) + "\n"
	doc := []byte(strings.Repeat(line, 100_000))
	r := New(&pieces{chunks: [][]byte{doc}, end: io.EOF}, 0)
	n := 0
	for {
		b, err := r.Next()
		if err == io.EOF {
			break
		}
		if len(b.Data) > BlockSize {
			t.Fatalf("block of %d bytes", len(b.Data))
		}
		n++
	}
	if n != 10 {
		t.Errorf("%d blocks", n)
	}
}

func TestTooLong(t *testing.T) {
	for _, size := range []int{10, 1 << 10, 40 << 10, 3 << 20} {
		for _, end := range []string{"", "\n", "\nnext\n"} {
			doc := []byte("first\n" + strings.Repeat("z", 2<<20) + end)
			r := New(&pieces{chunks: slices.Collect(slices.Chunk(doc, size)), end: io.EOF}, 0)
			r.max = 1 << 20
			got, err := collect(t, r, 0)
			if err != ErrTooLong || len(got) > 6 {
				t.Errorf("chunks of %d, end %q: %d bytes, %v", size, end, len(got), err)
			}
			if _, err := r.Next(); err != ErrTooLong {
				t.Errorf("asked again: %v", err)
			}
			r = New(&pieces{chunks: slices.Collect(slices.Chunk(doc, size)), end: io.EOF}, 0)
			if got, err := collect(t, r, 0); err != io.EOF || len(got) != len(doc) {
				t.Errorf("within the bound: %v", err)
			}
		}
	}
}

func TestPlain(t *testing.T) {
	doc := strings.Repeat("a line\n", 500_000)
	for name, src := range map[string]io.Reader{
		"whole": strings.NewReader(doc), "half": iotest.HalfReader(strings.NewReader(doc)), "data with error": iotest.DataErrReader(strings.NewReader(doc)),
	} {
		if got, err := collect(t, New(Plain(src), 0), 0); err != io.EOF || string(got) != doc {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	short := io.MultiReader(strings.NewReader(doc[:1000]), iotest.ErrReader(io.ErrUnexpectedEOF))
	if _, err := collect(t, New(Plain(short), 0), 0); err != io.ErrUnexpectedEOF {
		t.Errorf("short body: %v", err)
	}
	if _, err := Plain(stuck{}).Next(); err != io.ErrNoProgress {
		t.Errorf("stuck body: %v", err)
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

func input(doc []byte) scanners.Input {
	return scanners.Input{Name: "o", Size: int64(len(doc)), Open: func(_ context.Context, off, n int64) (io.ReadCloser, error) {
		return io.NopCloser(io.NewSectionReader(bytes.NewReader(doc), off, n)), nil
	}}
}

func TestSplit(t *testing.T) {
	var b bytes.Buffer
	for i := range 5000 {
		fmt.Fprintf(&b, "%d%s\n", i, strings.Repeat("-", i%700))
	}
	doc := b.Bytes()
	for _, doc := range [][]byte{doc, doc[:len(doc)-1], doc[:3], nil} {
		for _, target := range []int64{1, 10, 700, 4096, 100_000, 1 << 40} {
			if target == 1 && len(doc) > 1000 {
				continue
			}
			parts, err := Split(t.Context(), input(doc), target)
			if err != nil {
				t.Fatal(err)
			}
			var at int64
			for _, p := range parts {
				if p.Off != at || p.Len <= 0 || at > 0 && doc[at-1] != '\n' {
					t.Fatalf("target %d: part %+v at %d", target, p, at)
				}
				if p.Len > 3*target+2*700 {
					t.Errorf("target %d: part of %d bytes", target, p.Len)
				}
				at += p.Len
			}
			if at != int64(len(doc)) {
				t.Fatalf("target %d: parts end at %d of %d", target, at, len(doc))
			}
		}
	}
}

func TestSplitError(t *testing.T) {
	in := input(bytes.Repeat([]byte("line\n"), 100))
	in.Open = func(context.Context, int64, int64) (io.ReadCloser, error) { return nil, io.ErrClosedPipe }
	if _, err := Split(t.Context(), in, 100); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
	in = input(nil)
	in.Size = 1000 // the listing says more than there is
	if _, err := Split(t.Context(), in, 100); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func BenchmarkReader(b *testing.B) {
	doc := bytes.Repeat([]byte(strings.Repeat("w", 400)+"\n"), 20_000)
	for _, size := range []int{4 << 10, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			for b.Loop() {
				r := New(&fixed{doc, size}, 0)
				for {
					if _, err := r.Next(); err != nil {
						break
					}
				}
			}
		})
	}
}

type fixed struct {
	doc  []byte
	size int
}

func (f *fixed) Next() ([]byte, error) {
	if len(f.doc) == 0 {
		return nil, io.EOF
	}
	n := min(f.size, len(f.doc))
	p := f.doc[:n]
	f.doc = f.doc[n:]
	return p, nil
}
