package text

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"expunge/scanners"
	"expunge/scanners/lines"
	"expunge/scanners/scantest"
)

// file is text and the truth about it, by another way than the scanner's: all of
// it is split at once.
func file(name, data string) scantest.File {
	f := scantest.File{Name: name, Data: []byte(data), Packed: true, Literals: []string{"+1404555", "example.com", "caf\u00e9"}}
	off := int64(0)
	for _, l := range strings.SplitAfter(data, "\n") {
		line := strings.TrimSuffix(strings.TrimSuffix(l, "\n"), "\r")
		if strings.Trim(line, " \t\r") != "" {
			value := line
			if off == 0 {
				value = strings.TrimPrefix(line, "\ufeff")
			}
			f.Records = append(f.Records, scantest.Record{Offset: off, Length: int64(len(line)), Leaves: []scantest.Leaf{{Path: "line", Value: value}}})
		}
		off += int64(len(l))
	}
	return f
}

func files() []scantest.File {
	var many strings.Builder
	for i := range 4000 {
		fmt.Fprintf(&many, "[%05d] agent: I call you back at +1404555%04d, or write to c%d@example.com\n", i, 100+i%100, i)
		if i%7 == 0 {
			many.WriteString("\r\n")
		}
	}
	return []scantest.File{
		file("empty", ""),
		file("blank", "\n\r\n \t\n\n"),
		file("one", "call +14045550123"),
		file("ends", "first line\r\n\r\n  \nsecond +14045550123\nthird, jane@example.com\r\nfourth \u00e9 caf\u00e9"),
		file("mark", "\ufeff+14045550123 first\n+14045550124 second\n"),
		file("no utf-8", "caf\xe9 +14045550123\n\xff\xfe\xfd example.com\nplain line\n"),
		file("captions", "WEBVTT\n\n00:00.000 --> 00:04.000\n<v Jane>my number is +14045550123\n\nNOTE 100% <b>sure</b> & \\done\n"),
		file("long line", "short one\n"+strings.Repeat("all work and no play ", 20_000)+"+14045550123\nshort two\n"),
		file("many", many.String()),
	}
}

func TestLaws(t *testing.T) { scantest.Run(t, Scanner{}, files()) }

// repeated reads line over and over, n bytes of it.
type repeated struct {
	line string
	n    int
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.at >= r.n {
		return 0, io.EOF
	}
	i := 0
	for i < len(p) && r.at < r.n {
		m := copy(p[i:min(len(p), i+r.n-r.at)], r.line[r.at%len(r.line):])
		i += m
		r.at += m
	}
	return i, nil
}

func (*repeated) Close() error { return nil }

func input(size int64, open func() io.ReadCloser) scanners.Input {
	return scanners.Input{Name: "o", Size: size, Open: func(context.Context, int64, int64) (io.ReadCloser, error) { return open(), nil }}
}

func TestBounded(t *testing.T) {
	const line = "a line of sixty-four bytes with nothing in it that one wants ...\n"
	const n = 1 << 20 * len(line)
	scantest.Bounded(t, Scanner{}, input(int64(n), func() io.ReadCloser { return &repeated{line: line, n: n} }), 1<<20, 8<<20)
}

func scanAll(in scanners.Input, f scanners.Finder) (docs []string, err error) {
	_, err = Scanner{}.Scan(context.Background(), in, f, func(r *scanners.Record) error {
		docs = append(docs, string(r.Doc))
		return nil
	})
	return docs, err
}

func TestRefused(t *testing.T) {
	utf16 := func(s string) (b []byte) {
		for _, c := range s {
			b = append(b, byte(c), 0)
		}
		return b
	}
	long := lines.MaxLine + 1<<20
	for _, c := range []struct {
		name string
		in   scanners.Input
		code scanners.Code
	}{
		{"utf-16", input(28, func() io.ReadCloser {
			return io.NopCloser(bytes.NewReader(append([]byte("\xff\xfe"), utf16("+14045550123\n")...)))
		}), scanners.Unsupported},
		{"utf-16, no mark", input(26, func() io.ReadCloser { return io.NopCloser(bytes.NewReader(utf16("+14045550123\n"))) }), scanners.Unsupported},
		{"long line", input(int64(long), func() io.ReadCloser { return &repeated{line: "x", n: long} }), scanners.TooLarge},
		{"xz", input(6, func() io.ReadCloser { return io.NopCloser(strings.NewReader("\xfd7zXZ\x00")) }), scanners.Unsupported},
		{"longer than listed", input(5, func() io.ReadCloser { return io.NopCloser(strings.NewReader("line\nline\n")) }), scanners.Unreadable},
	} {
		_, err := scanAll(c.in, &scantest.Finder{})
		if ref := (*scanners.Refusal)(nil); !errors.As(err, &ref) || ref.Code != c.code {
			t.Errorf("%s: %v, want %s", c.name, err, c.code)
		}
	}
}

func TestDoc(t *testing.T) {
	const data = "<v Jane> +14045550123 \"caf\xe9\" & \t\u2028\n"
	docs, err := scanAll(input(int64(len(data)), func() io.ReadCloser { return io.NopCloser(strings.NewReader(data)) }), &scantest.Finder{Literals: []string{"+1404"}})
	const want = `{"line":"<v Jane> +14045550123 \"caf\ufffd\" & \t\u2028"}`
	if err != nil || len(docs) != 1 || docs[0] != want {
		t.Fatalf("%q, %v; want %s", docs, err, want)
	}
}

func FuzzScan(f *testing.F) {
	for _, x := range files()[:7] {
		f.Add(x.Data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		want := file("", string(data))
		stats, err := Scanner{}.Scan(context.Background(), input(int64(len(data)), func() io.ReadCloser { return io.NopCloser(bytes.NewReader(data)) }),
			&scantest.Finder{Literals: []string{"a"}}, func(r *scanners.Record) error {
				if !bytes.Equal(r.Raw, data[r.Offset:r.Offset+r.Length]) {
					t.Fatal("raw bytes are not those at the offset")
				}
				return nil
			})
		if ref := (*scanners.Refusal)(nil); err != nil && (!errors.As(err, &ref) || ref.Code == scanners.Crashed) {
			t.Fatal(err)
		}
		if err == nil && !bytes.HasPrefix(data, []byte("\x1f\x8b")) && !bytes.HasPrefix(data, []byte("\x28\xb5\x2f\xfd")) && stats.Records != int64(len(want.Records)) {
			t.Fatalf("%d records, there are %d", stats.Records, len(want.Records))
		}
	})
}
