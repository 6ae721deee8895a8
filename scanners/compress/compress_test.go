package compress

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"

	"expunge/scanners"
)

func gz(t testing.TB, parts ...string) string {
	t.Helper()
	var b bytes.Buffer
	for _, p := range parts {
		w := gzip.NewWriter(&b)
		_, _ = io.WriteString(w, p)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func zst(t testing.TB, parts ...string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil, zstd.WithEncoderCRC(true))
	if err != nil {
		t.Fatal(err)
	}
	var b []byte
	for _, p := range parts {
		b = w.EncodeAll([]byte(p), b)
	}
	return string(b)
}

// read unpacks all of r.
func read(r io.Reader) (data []byte, codec string, err error) {
	s, codec, err := Open(r)
	if err != nil {
		return nil, codec, err
	}
	defer s.Close()
	for {
		b, err := s.Next()
		if err == io.EOF {
			if len(b) > 0 {
				return data, codec, errors.New("bytes beside io.EOF")
			}
			return data, codec, nil
		}
		if err != nil {
			if _, again := s.Next(); again != err {
				return data, codec, fmt.Errorf("second error %v after %v", again, err)
			}
			return data, codec, err
		}
		if len(b) == 0 {
			return data, codec, errors.New("empty chunk")
		}
		data = append(data, b...)
	}
}

// lines is text of about n bytes that packs neither too well nor too badly.
func lines(n int) string {
	r := rand.New(rand.NewSource(int64(n)))
	var b strings.Builder
	for b.Len() < n {
		fmt.Fprintf(&b, `{"id":%d,"agent":"agent%d@example.com"}`+"\n", r.Int63(), r.Intn(40))
	}
	return b.String()
}

func TestOpen(t *testing.T) {
	big := lines(900_000)
	skip := "\x53\x2a\x4d\x18\x05\x00\x00\x00hello"
	for _, c := range []struct {
		name, in, want, codec string
		err                   error
		code                  scanners.Code
	}{
		{name: "empty", in: ""},
		{name: "plain", in: "hello\n", want: "hello\n"},
		{name: "plain, big", in: big, want: big},
		{name: "plain, begins like bzip2", in: "BZh9 is a callsign\n", want: "BZh9 is a callsign\n"},
		{name: "plain, one bracket", in: "(", want: "("},
		{name: "plain, utf-8 after a bracket", in: "(\u00b5)", want: "(\u00b5)"},
		{name: "gzip", in: gz(t, big), want: big, codec: Gzip},
		{name: "gzip of nothing", in: gz(t, ""), codec: Gzip},
		{name: "gzip, members", in: gz(t, "a\n", "", big, "b\n"), want: "a\n" + big + "b\n", codec: Gzip},
		{name: "gzip, zero padding", in: gz(t, "a\n") + strings.Repeat("\x00", 1000), want: "a\n", codec: Gzip},
		{name: "gzip, one zero", in: gz(t, "a\n") + "\x00", want: "a\n", codec: Gzip},
		{name: "gzip, garbage", in: gz(t, "a\n") + "garbage, and more of it", codec: Gzip, err: ErrCorrupt, code: scanners.Corrupt},
		{name: "gzip, garbage after padding", in: gz(t, "a\n") + "\x00\x00x", codec: Gzip, err: ErrCorrupt, code: scanners.Corrupt},
		{name: "gzip, member after padding", in: gz(t, "a\n") + "\x00\x00" + gz(t, "b\n"), codec: Gzip, err: ErrCorrupt, code: scanners.Corrupt},
		{name: "gzip magic, nothing else", in: "\x1f\x8b", codec: Gzip, err: io.ErrUnexpectedEOF, code: scanners.Truncated},
		{name: "gzip magic, half", in: "\x1f", codec: Gzip, err: io.ErrUnexpectedEOF, code: scanners.Truncated},
		{name: "gzip magic, then text", in: "\x1f\x8b is how gzip begins\n", codec: Gzip, err: ErrCorrupt, code: scanners.Corrupt},
		{name: "gzip, reserved flag", in: "\x1f\x8b\x08\x20" + gz(t, "a\n")[4:], codec: Gzip, err: ErrCorrupt, code: scanners.Corrupt},
		{name: "zstd", in: zst(t, big), want: big, codec: Zstd},
		{name: "zstd of nothing", in: zst(t, ""), codec: Zstd},
		{name: "zstd, frames", in: zst(t, "a\n", "", big, "b\n"), want: "a\n" + big + "b\n", codec: Zstd},
		{name: "zstd, skippable first", in: skip + zst(t, "a\n"), want: "a\n", codec: Zstd},
		{name: "zstd, skippable between and last", in: zst(t, "a\n") + skip + zst(t, "b\n") + skip, want: "a\nb\n", codec: Zstd},
		{name: "zstd, skippable only", in: skip, codec: Zstd},
		{name: "zstd, skippable cut", in: skip[:10], codec: Zstd, err: io.ErrUnexpectedEOF, code: scanners.Truncated},
		{name: "zstd, garbage", in: zst(t, "a\n") + "garbage", codec: Zstd, err: ErrCorrupt, code: scanners.Corrupt},
		{name: "zstd, zero padding", in: zst(t, "a\n") + "\x00\x00\x00\x00", codec: Zstd, err: ErrCorrupt, code: scanners.Corrupt},
		{name: "zstd, a byte more", in: zst(t, "a\n") + "x", codec: Zstd, err: io.ErrUnexpectedEOF, code: scanners.Truncated},
		{name: "zstd magic only", in: "\x28\xb5\x2f\xfd", codec: Zstd, err: io.ErrUnexpectedEOF, code: scanners.Truncated},
		{name: "zstd magic, half", in: "\x28\xb5", codec: Zstd, err: io.ErrUnexpectedEOF, code: scanners.Truncated},
		{name: "zstd, largest window", in: "\x28\xb5\x2f\xfd\x00\x88\x01\x00\x00", codec: Zstd},
		{name: "zstd, window too large", in: "\x28\xb5\x2f\xfd\x00\x90\x01\x00\x00", codec: Zstd, err: ErrUnsupported, code: scanners.Unsupported},
		{name: "zstd, dictionary", in: "\x28\xb5\x2f\xfd\x01\x00\x07\x01\x00\x00", codec: Zstd, err: ErrUnsupported, code: scanners.Unsupported},
		{name: "bzip2", in: "BZh91AY&SY....", codec: "bzip2", err: ErrUnsupported, code: scanners.Unsupported},
		{name: "xz", in: "\xfd7zXZ\x00\x00\x04", codec: "xz", err: ErrUnsupported, code: scanners.Unsupported},
		{name: "zip", in: "PK\x03\x04\x14\x00", codec: "zip", err: ErrUnsupported, code: scanners.Unsupported},
		{name: "lz4", in: "\x04\x22\x4d\x18d@\xa7", codec: "lz4", err: ErrUnsupported, code: scanners.Unsupported},
		{name: "snappy", in: "\xff\x06\x00\x00sNaPpY\x00", codec: "snappy", err: ErrUnsupported, code: scanners.Unsupported},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, how := range []struct {
				name string
				wrap func(io.Reader) io.Reader
			}{
				{"whole", func(r io.Reader) io.Reader { return r }},
				{"halves", iotest.HalfReader},
				{"error with data", iotest.DataErrReader},
			} {
				got, codec, err := read(how.wrap(strings.NewReader(c.in)))
				if codec != c.codec || !errors.Is(err, c.err) {
					t.Fatalf("%s: codec %q, error %v; want %q, %v", how.name, codec, err, c.codec, c.err)
				}
				if c.err == nil && string(got) != c.want {
					t.Fatalf("%s: %d bytes, want %d", how.name, len(got), len(c.want))
				}
				ref := (*scanners.Refusal)(nil)
				if err != nil && (!errors.As(Refuse(context.Background(), "o", err), &ref) || ref.Code != c.code) {
					t.Fatalf("%s: refusal %v, want %s", how.name, ref, c.code)
				}
			}
		})
	}
}

// Every proper prefix of a packed object is an error, and what was handed out
// before it is the beginning of the truth.
func TestTruncated(t *testing.T) {
	want := lines(3000)
	for codec, in := range map[string]string{Gzip: gz(t, want), Zstd: zst(t, want)} {
		for n := 2; n < len(in); n++ {
			got, c, err := read(strings.NewReader(in[:n]))
			if c != codec || !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("%s cut at %d of %d: codec %q, error %v", codec, n, len(in), c, err)
			}
			if !strings.HasPrefix(want, string(got)) {
				t.Fatalf("%s cut at %d: not a prefix", codec, n)
			}
		}
	}
}

// A flipped bit never gives other bytes without an error.
func TestFlipped(t *testing.T) {
	want := lines(400)
	for codec, in := range map[string]string{Gzip: gz(t, want), Zstd: zst(t, want)} {
		for i := range len(in) * 8 {
			b := []byte(in)
			b[i/8] ^= 1 << (i % 8)
			got, c, err := read(bytes.NewReader(b))
			if c != codec { // the magic was hit
				continue
			}
			if err == nil && string(got) != want {
				t.Fatalf("%s bit %d: other bytes and no error", codec, i)
			}
		}
	}
}

// An error of the source is reported as such, whatever the decoder makes of it.
func TestSourceError(t *testing.T) {
	broken := errors.New("connection reset")
	want := lines(3000)
	for codec, in := range map[string]string{Plain: want, Gzip: gz(t, want), Zstd: zst(t, want)} {
		for _, cause := range []error{broken, io.ErrUnexpectedEOF} {
			for n := 0; n < len(in); n += 7 {
				_, _, err := read(io.MultiReader(strings.NewReader(in[:n]), iotest.ErrReader(cause)))
				ref := (*scanners.Refusal)(nil)
				if !errors.Is(err, cause) || !errors.As(Refuse(context.Background(), "o", err), &ref) || ref.Code != scanners.Unreadable {
					t.Fatalf("%q broken at %d: %v", codec, n, err)
				}
			}
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Refuse(ctx, "o", broken); err != context.Canceled {
		t.Fatal(err)
	}
}

func TestExactly(t *testing.T) {
	for _, c := range []struct {
		n    int64
		code scanners.Code
	}{{5, ""}, {6, scanners.Truncated}, {4, scanners.Unreadable}} {
		_, _, err := read(Exactly(strings.NewReader("hello"), c.n))
		ref := (*scanners.Refusal)(nil)
		if errors.As(Refuse(context.Background(), "o", err), &ref); (c.code == "") != (ref == nil) || ref != nil && ref.Code != c.code {
			t.Fatalf("listed as %d bytes: %v", c.n, err)
		}
	}
}

func TestClosed(t *testing.T) {
	s, _, err := Open(strings.NewReader(zst(t, lines(1000))))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := s.Next(); err == nil || err == io.EOF || b != nil {
		t.Fatalf("%q, %v after Close", b, err)
	}
}
