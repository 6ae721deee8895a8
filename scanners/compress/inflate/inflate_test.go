package inflate

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	kflate "github.com/klauspost/compress/flate"
	kgzip "github.com/klauspost/compress/gzip"
)

// unpack reads all of r, in chunks of about chunk bytes.
func unpack(r io.Reader, chunk int) ([]byte, error) {
	z := newReader(r, chunk, nil)
	var all []byte
	for {
		b, err := z.Next()
		all = append(all, b...)
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
	}
}

// sample is n bytes of one of several natures, each of which leads compressors to
// other kinds of blocks, codes and matches.
func sample(r *rand.Rand, n int) []byte {
	b := make([]byte, 0, n+700)
	kind := r.Intn(7)
	for len(b) < n {
		switch kind {
		case 0: // noise: stored blocks
			b = append(b, byte(r.Intn(256)))
		case 1: // few symbols: short codes
			b = append(b, byte(r.Intn(1+r.Intn(4))))
		case 2: // runs: distance 1
			b = append(b, bytes.Repeat([]byte{byte(r.Intn(3))}, 1+r.Intn(600))...)
		case 3: // short periods: overlapping copies
			p := make([]byte, 1+r.Intn(20))
			r.Read(p)
			b = append(b, bytes.Repeat(p, 1+r.Intn(50))...)
		case 4: // what lakes hold
			b = fmt.Appendf(b, `{"id":%d,"name":"n%d","ok":%v,"t":"2024-01-%02dT00"}`+"\n", r.Int63(), r.Intn(50), r.Intn(2) == 0, r.Intn(30))
		case 5: // skewed: long codes and subtables
			v := 0
			for v < 255 && r.Intn(2) == 0 {
				v++
			}
			b = append(b, byte(v*37))
		case 6: // far matches
			if len(b) > 100 && r.Intn(3) > 0 {
				d := 1 + r.Intn(min(len(b), window))
				l := min(d, 3+r.Intn(300))
				b = append(b, b[len(b)-d:len(b)-d+l]...)
			} else {
				b = append(b, byte(r.Intn(256)), byte(r.Intn(256)))
			}
		}
	}
	return b[:n]
}

type flushWriter interface {
	io.WriteCloser
	Flush() error
}

// pack writes src as one to three members, by either library, at any level from
// Huffman only (-2) to 9, with flushes.
func pack(t testing.TB, r *rand.Rand, src []byte) []byte {
	t.Helper()
	var z bytes.Buffer
	for members := 1 + r.Intn(3); members > 0; members-- {
		part := src
		if members > 1 {
			part = src[:r.Intn(len(src)+1)]
		}
		src = src[len(part):]
		level := r.Intn(12) - 2
		var w flushWriter
		if r.Intn(2) == 0 {
			s, err := gzip.NewWriterLevel(&z, level)
			if err != nil {
				t.Fatal(err)
			}
			if r.Intn(3) == 0 {
				s.Name, s.Comment, s.Extra = "name", "c", []byte("xyz")
			}
			w = s
		} else {
			k, err := kgzip.NewWriterLevel(&z, max(level, kgzip.StatelessCompression))
			if err != nil {
				t.Fatal(err)
			}
			w = k
		}
		for len(part) > 0 {
			k := 1 + r.Intn(len(part))
			if _, err := w.Write(part[:k]); err != nil {
				t.Fatal(err)
			}
			part = part[k:]
			if r.Intn(4) == 0 {
				_ = w.Flush()
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return z.Bytes()
}

// The same bytes as went in, whatever the writer; on truncation a prefix of them
// and an error; after a flipped bit the same bytes or an error.
func TestAgainstWriters(t *testing.T) {
	streams := 1500
	if testing.Short() {
		streams = 300
	}
	r := rand.New(rand.NewSource(1))
	for i := range streams {
		src := sample(r, r.Intn(1<<(1+r.Intn(17))))
		z := pack(t, r, src)
		chunk := 1 << (9 + r.Intn(9))
		var in io.Reader = bytes.NewReader(z)
		switch r.Intn(4) {
		case 0:
			if len(z) < 5000 {
				in = iotest.OneByteReader(in)
			}
		case 1:
			in = iotest.HalfReader(in)
		case 2:
			in = iotest.DataErrReader(in)
		}
		if got, err := unpack(in, chunk); err != nil || !bytes.Equal(got, src) {
			t.Fatalf("stream %d: %d bytes of %d, error %v", i, len(got), len(src), err)
		}
		for range 3 {
			n := 1 + r.Intn(len(z)-1)
			got, err := unpack(bytes.NewReader(z[:n]), chunk)
			oracle, oerr := oracleGzip(z[:n])
			if (err == nil) != (oerr == nil) || err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("stream %d cut at %d of %d: error %v, oracle %v", i, n, len(z), err, oerr)
			}
			if !bytes.HasPrefix(src, got) || len(got) < len(oracle)-300 {
				t.Fatalf("stream %d cut at %d: %d bytes, oracle %d", i, n, len(got), len(oracle))
			}
		}
		for range 3 {
			b := bytes.Clone(z)
			b[r.Intn(len(b))] ^= 1 << r.Intn(8)
			if got, err := unpack(bytes.NewReader(b), chunk); err == nil && !bytes.Equal(got, src) {
				t.Fatalf("stream %d: other bytes and no error", i)
			}
		}
	}
}

func oracleGzip(z []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(z))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// A member longer than any buffer, so that the window slides many times.
func TestLong(t *testing.T) {
	r := rand.New(rand.NewSource(3))
	var src []byte
	for len(src) < 6<<20 {
		src = append(src, sample(r, 1+r.Intn(200_000))...)
	}
	for _, level := range []int{1, 6, 9} {
		var z bytes.Buffer
		w, _ := gzip.NewWriterLevel(&z, level)
		_, _ = w.Write(src)
		_ = w.Close()
		if got, err := unpack(bytes.NewReader(z.Bytes()), ChunkSize); err != nil || !bytes.Equal(got, src) {
			t.Fatalf("level %d: %d bytes of %d, error %v", level, len(got), len(src), err)
		}
	}
}

func TestHeader(t *testing.T) {
	var z bytes.Buffer
	for _, name := range []string{"jane-doe.csv", ""} {
		w := gzip.NewWriter(&z)
		w.Name, w.Comment, w.ModTime = name, "for jane@example.com", time.Unix(1_700_000_000, 0)
		_, _ = io.WriteString(w, "x")
		_ = w.Close()
	}
	var got []string
	r := NewReader(&z, func(h Header) {
		got = append(got, fmt.Sprintf("%s|%s|%d", h.Name, h.Comment, h.Modified.Unix()))
	})
	for {
		if _, err := r.Next(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	want := "jane-doe.csv|for jane@example.com|1700000000 |for jane@example.com|1700000000"
	if s := strings.Join(got, " "); s != want {
		t.Fatalf("headers %s", s)
	}
	// The header's own checksum (flag 2) is checked, and text is bounded.
	member := func(flags byte, rest string) string {
		return "\x1f\x8b\x08" + string(flags) + "\x00\x00\x00\x00\x00\xff" + rest
	}
	body := "\x03\x00" + strings.Repeat("\x00", 8)
	for _, c := range []struct {
		name, in string
		err      error
	}{
		{"checksum", member(2, "\xde\xad"+body), ErrHeader},
		{"long name", member(8, strings.Repeat("n", maxText+1)+"\x00"+body), ErrHeader},
		{"longest name", member(8, strings.Repeat("n", maxText)+"\x00"+body), nil},
		{"extra cut", member(4, "\x05\x00ab"), io.ErrUnexpectedEOF},
		{"no method", "\x1f\x8b\x07" + body, ErrHeader},
		{"wrong sum", member(0, "\x03\x00\x01\x00\x00\x00\x00\x00\x00\x00"), ErrChecksum},
		{"wrong length", member(0, "\x03\x00\x00\x00\x00\x00\x01\x00\x00\x00"), ErrChecksum},
	} {
		if _, err := unpack(strings.NewReader(c.in), 4096); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", c.name, err, c.err)
		}
	}
}

const rawLimit = 1 << 18

// raw inflates deflate data without a frame.
func raw(b []byte, chunk int) ([]byte, error) {
	d := newDecoder(bytes.NewReader(b), chunk)
	var out []byte
	for {
		c, err := d.next()
		out = append(out, c...)
		if err == nil && len(out) > rawLimit {
			return out, errors.New("too long")
		}
		if err != nil {
			return out, err
		}
	}
}

// FuzzRaw holds the decoder against both libraries: the same streams are valid,
// with the same bytes; of others the same beginning is read.
func FuzzRaw(f *testing.F) {
	r := rand.New(rand.NewSource(2))
	for range 60 {
		var z bytes.Buffer
		w, err := flate.NewWriter(&z, r.Intn(12)-2)
		if err != nil {
			f.Fatal(err)
		}
		_, _ = w.Write(sample(r, r.Intn(3000)))
		_ = w.Close()
		f.Add(z.Bytes())
		b := bytes.Clone(z.Bytes())
		b[r.Intn(len(b))] ^= 1 << r.Intn(8)
		f.Add(b)
	}
	// One distance code of one bit, no distance code, an incomplete literal code.
	for _, s := range []string{"\x05\xe0\x81\x00\x00\x00\x00\x00\x10\xff\xd5\x08", "\x05\xc0\x81\x00\x00\x00\x00\x00\x90\xff\x6b\x04", "\x07", "\x01\x00\x00\xff\xff", "\x01\x00\x00\xff\xfe"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := raw(b, 4096)
		for name, oracle := range map[string]io.Reader{"std": flate.NewReader(bytes.NewReader(b)), "klauspost": kflate.NewReader(bytes.NewReader(b))} {
			want, oerr := io.ReadAll(io.LimitReader(oracle, rawLimit+1))
			if len(want) > rawLimit {
				continue
			}
			if (err == io.EOF) != (oerr == nil) || err == io.EOF && !bytes.Equal(got, want) {
				t.Fatalf("%d bytes, error %v; %s: %d bytes, error %v", len(got), err, name, len(want), oerr)
			}
			if n := min(len(got), len(want)); !bytes.Equal(got[:n], want[:n]) {
				t.Fatalf("other beginning than %s", name)
			}
		}
	})
}

func BenchmarkReader(b *testing.B) {
	r := rand.New(rand.NewSource(9))
	var src []byte
	for len(src) < 8<<20 {
		src = fmt.Appendf(src, `{"id":%d,"caller":"+1404555%04d","agent":"agent%d@example.com","start_time":"2024-01-%02dT00:00:00Z"}`+"\n",
			r.Int63(), 100+r.Intn(100), r.Intn(50), 1+r.Intn(28))
	}
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write(src)
	_ = w.Close()
	b.Run("inflate", func(b *testing.B) {
		b.SetBytes(int64(len(src)))
		b.ReportAllocs()
		for b.Loop() {
			for z := NewReader(bytes.NewReader(z.Bytes()), nil); ; {
				if _, err := z.Next(); err == io.EOF {
					break
				} else if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("klauspost", func(b *testing.B) {
		b.SetBytes(int64(len(src)))
		b.ReportAllocs()
		for b.Loop() {
			r, err := kgzip.NewReader(bytes.NewReader(z.Bytes()))
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, r); err != nil {
				b.Fatal(err)
			}
		}
	})
}
