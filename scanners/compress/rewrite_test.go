package compress

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"expunge/scanners"
)

// lay puts a copy together.
func lay(t testing.TB, pieces []scanners.Piece, src, spool string) string {
	t.Helper()
	var out strings.Builder
	for i, p := range pieces {
		from := src
		if p.Spool {
			from = spool
		}
		if p.Len <= 0 || p.Off < 0 || p.Off+p.Len > int64(len(from)) {
			t.Fatalf("piece %+v of %d bytes", p, len(from))
		}
		if i > 0 && pieces[i-1].Spool == p.Spool && pieces[i-1].Off+pieces[i-1].Len == p.Off {
			t.Fatalf("piece %+v goes on where the one before it ends", p)
		}
		out.WriteString(from[p.Off : p.Off+p.Len])
	}
	return out.String()
}

// change is a run of the unpacked source and what takes its place.
type change struct {
	at, n  int
	with   string
	leaves []scanners.Leaf
}

// copyOf makes a copy of src with changes.
func copyOf(t testing.TB, src string, changes []change) (out, spool string, pieces []scanners.Piece, err error) {
	t.Helper()
	var w bytes.Buffer
	c, _, err := OpenCopy(strings.NewReader(src), &w)
	if err != nil {
		return "", "", nil, err
	}
	defer c.Close()
	var at int // in the unpacked source
	for {
		b, err := c.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", "", nil, err
		}
		for len(b) > 0 {
			if len(changes) == 0 {
				c.Settled()
			}
			if len(changes) == 0 || changes[0].at >= at+len(b) {
				if err := c.Keep(b); err != nil {
					t.Fatal(err)
				}
				at += len(b)
				break
			}
			ch := &changes[0]
			if k := ch.at - at; k > 0 {
				if err := c.Keep(b[:k]); err != nil {
					t.Fatal(err)
				}
				at, b = at+k, b[k:]
			}
			k := min(ch.n, len(b))
			if err := c.Drop(int64(k), ch.leaves); err != nil {
				t.Fatal(err)
			}
			at, b = at+k, b[k:]
			ch.at, ch.n = at, ch.n-k
			if ch.n == 0 {
				if _, err := io.WriteString(c, ch.with); err != nil {
					t.Fatal(err)
				}
				changes = changes[1:]
			}
		}
	}
	if pieces, err = c.Finish(); err != nil {
		t.Fatal(err)
	}
	return lay(t, pieces, src, w.String()), w.String(), pieces, nil
}

// packs pack parts, each as a member of its own.
var packs = map[string]func(t testing.TB, parts ...string) string{
	"plain": func(_ testing.TB, parts ...string) string { return strings.Join(parts, "") }, Gzip: gz, Zstd: zst,
	"zstd, streamed": func(t testing.TB, parts ...string) string {
		var b bytes.Buffer
		for _, p := range parts {
			w, err := zstd.NewWriter(&b, zstd.WithZeroFrames(true), zstd.WithEncoderCRC(false))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(w, p)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
		}
		return b.String()
	},
}

// Random changes in objects of random members: the copy unpacks to what was asked
// for, unchanged members stay as stored, and without changes all is one piece.
func TestCopy(t *testing.T) {
	for name, pack := range packs {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			for round := range 60 {
				var parts []string
				for range 1 + rng.IntN(6) {
					parts = append(parts, lines(rng.IntN(1<<rng.IntN(20))))
					if rng.IntN(5) == 0 {
						parts[len(parts)-1] = ""
					}
				}
				plain, src := strings.Join(parts, ""), pack(t, parts...)
				got, spool, pieces, err := copyOf(t, src, nil)
				if err != nil || got != src || spool != "" || len(pieces) > 1 || len(src) > 0 && pieces[0].Len != int64(len(src)) {
					t.Fatalf("round %d: without changes: %v, %d pieces, %d bytes spooled", round, err, len(pieces), len(spool))
				}
				var changes []change
				want, last := "", 0
				for at := 0; at < len(plain) && len(changes) < 5; {
					at += rng.IntN(len(plain)/2 + 1)
					n := rng.IntN(1 << rng.IntN(16))
					if at+n > len(plain) || n == 0 {
						break
					}
					ch := change{at: at, n: n, with: strings.Repeat("new", rng.IntN(2)*rng.IntN(20))}
					changes = append(changes, ch)
					want += plain[last:at] + ch.with
					at += n
					last = at
				}
				want += plain[last:]
				kept := map[string]bool{}
				at := 0
				for i, p := range parts {
					touched := false
					for _, ch := range changes {
						touched = touched || ch.at < at+len(p) && ch.at+ch.n > at
					}
					if at += len(p); !touched && name != "plain" {
						kept[pack(t, parts[i])] = true
					}
				}
				got, _, _, err = copyOf(t, src, changes)
				if err != nil {
					t.Fatal(err)
				}
				out, codec, err := read(strings.NewReader(got))
				if err != nil || string(out) != want || codec != Detect([]byte(src)) {
					t.Fatalf("round %d: %q, %d bytes, want %d: %v", round, codec, len(out), len(want), err)
				}
				for k := range kept {
					if !strings.Contains(got, k) {
						t.Fatalf("round %d: a member without changes is not as it was", round)
					}
				}
			}
		})
	}
}

// A large member that stays is named, also where it was packed anew for a while.
func TestCopyLarge(t *testing.T) {
	big := lines(holdSize + 1<<20)
	for _, name := range []string{Gzip, Zstd} {
		src := packs[name](t, big, "second\n")
		got, _, pieces, err := copyOf(t, src, []change{{at: len(big), n: 7}})
		if err != nil || len(pieces) != 1 || pieces[0].Spool {
			t.Fatalf("%s: %v, %+v", name, err, pieces)
		}
		if out, _, err := read(strings.NewReader(got)); err != nil || string(out) != big {
			t.Errorf("%s: %d bytes, %v", name, len(out), err)
		}
		got, _, _, err = copyOf(t, src, []change{{at: len(big) - 1, n: 1, with: "!"}})
		if out, _, err2 := read(strings.NewReader(got)); err != nil || err2 != nil || string(out) != big[:len(big)-1]+"!second\n" {
			t.Errorf("%s: %d bytes, %v, %v", name, len(out), err, err2)
		}
		if len(got) > len(src)*5/4 {
			t.Errorf("%s: %d bytes became %d", name, len(src), len(got))
		}
	}
}

// Objects of which nothing is left are empty members, whatever stood around them.
func TestCopyEmpty(t *testing.T) {
	skip := "\x53\x2a\x4d\x18\x05\x00\x00\x00hello"
	for name, c := range map[string]struct{ src, codec string }{
		"gzip": {gz(t, "a\n"), Gzip}, "members": {gz(t, "a\n", "b\n"), Gzip}, "padding": {gz(t, "a\n") + "\x00\x00", Gzip},
		"zstd": {zst(t, "a\n"), Zstd}, "frames": {zst(t, "a\n", "b\n"), Zstd}, "skippable": {skip + zst(t, "a\n") + skip, Zstd}, "plain": {"a\n", Plain},
	} {
		n := 2 * (1 + strings.Count(name, "mem") + strings.Count(name, "fra"))
		got, _, _, err := copyOf(t, c.src, []change{{n: n}})
		if err != nil {
			t.Fatal(name, err)
		}
		out, codec, err := read(strings.NewReader(got))
		if err != nil || len(out) > 0 || codec != c.codec || codec != Plain && got == "" {
			t.Errorf("%s: %q, %q of %q: %v", name, codec, out, got, err)
		}
		if codec == Gzip {
			z, err := gzip.NewReader(strings.NewReader(got))
			if err == nil {
				z.Multistream(false)
				_, err = io.ReadAll(z)
			}
			if err != nil {
				t.Errorf("%s: the standard library: %v", name, err)
			}
		}
	}
}

func TestCopyHeader(t *testing.T) {
	at := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	make1 := func(name, comment string, extra []byte, level int) string {
		var b bytes.Buffer
		w, err := gzip.NewWriterLevel(&b, level)
		if err != nil {
			t.Fatal(err)
		}
		w.Name, w.Comment, w.Extra, w.ModTime, w.OS = name, comment, extra, at, 3
		_, _ = io.WriteString(w, "gone\nstays\n")
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	leaves := []scanners.Leaf{{Path: "name", Value: []byte("Jane Doe")}, {Path: "n", Value: []byte("7")}}
	for _, c := range []struct {
		name, comment string
		extra         string
		wantName      string
		wantComment   string
		wantExtra     string
	}{
		{"calls.jsonl", "nightly", "AB\x01\x00x", "calls.jsonl", "nightly", "AB\x01\x00x"},
		{"jane-doe_7.jsonl", "of calls", "", "", "of calls", ""},
		{"7.jsonl", "JANE.DOE", "ja\x07\x00neDo-e ", "7.jsonl", "", ""},
		{"jane@example.com.jsonl", "", "BC\x02\x00\x10\x00", "", "", ""},
	} {
		for _, level := range []int{gzip.BestSpeed, gzip.BestCompression, gzip.DefaultCompression} {
			src := make1(c.name, c.comment, []byte(c.extra), level)
			got, _, _, err := copyOf(t, src, []change{{n: 5, leaves: leaves}})
			if err != nil {
				t.Fatal(err)
			}
			z, err := gzip.NewReader(strings.NewReader(got))
			if err != nil {
				t.Fatal(err)
			}
			out, err := io.ReadAll(z)
			if err != nil || string(out) != "stays\n" || !z.ModTime.Equal(at) || z.OS != 3 || got[8] != src[8] {
				t.Errorf("%q: %q, %v, %v, %v", c.name, out, z.ModTime, z.OS, err)
			}
			if z.Name != c.wantName || z.Comment != c.wantComment || string(z.Extra) != c.wantExtra {
				t.Errorf("%q, %q, %q became %q, %q, %q", c.name, c.comment, c.extra, z.Name, z.Comment, z.Extra)
			}
		}
	}
}

// What Open refuses OpenCopy refuses too, and what it reads it reads alike.
func TestCopyAsOpen(t *testing.T) {
	check := func(what, in string) {
		want, codec, err := read(strings.NewReader(in))
		var got []byte
		c, codec2, err2 := OpenCopy(strings.NewReader(in), io.Discard)
		for err2 == nil {
			var b []byte
			b, err2 = c.Next()
			got = append(got, b...)
		}
		if err2 == io.EOF {
			err2 = nil
		}
		if c != nil {
			c.Close()
		}
		kind := func(err error) string {
			for _, k := range []error{ErrCorrupt, ErrUnsupported, io.ErrUnexpectedEOF} {
				if errors.Is(err, k) {
					return k.Error()
				}
			}
			return fmt.Sprint(err)
		}
		if codec != codec2 || err == nil && !bytes.Equal(got, want) || (err == nil) != (err2 == nil) || err != nil && kind(err) != kind(err2) {
			t.Errorf("%s: Open %q, %d bytes, %v; OpenCopy %q, %d bytes, %v", what, codec, len(want), err, codec2, len(got), err2)
		}
	}
	skip := "\x53\x2a\x4d\x18\x05\x00\x00\x00hello"
	for _, in := range []string{"", "a", "(", gz(t), gz(t, ""), gz(t, "a\n", "", "b\n"), gz(t, "a") + "\x00", gz(t, "a") + "\x00\x00x", gz(t, "a") + "garbage, and more of it",
		gz(t, "a") + "\x00\x00" + gz(t, "b"), "\x1f\x8b", "\x1f", "\x1f\x8b is how gzip begins\n", "\x1f\x8b\x08\x20" + gz(t, "a\n")[4:],
		zst(t, ""), zst(t, "a", "", "b"), skip, skip[:10], skip + zst(t, "a") + skip, zst(t, "a\n") + "garbage", zst(t, "a\n") + "x", zst(t, "a\n") + "\x00\x00\x00\x00",
		"\x28\xb5\x2f\xfd", "\x28\xb5", "\x28\xb5\x2f\xfd\x00\x88\x01\x00\x00", "\x28\xb5\x2f\xfd\x00\x90\x01\x00\x00", "\x28\xb5\x2f\xfd\x01\x00\x07\x01\x00\x00", "BZh91AY&SY...."} {
		check(fmt.Sprintf("%.20q", in), in)
	}
	text := lines(2000)
	for name, pack := range packs {
		in := pack(t, text[:900], text[900:])
		for n := 4; n < len(in); n++ {
			check(fmt.Sprintf("%s cut at %d", name, n), in[:n])
		}
		for i := 32; i < len(in)*8; i += 3 {
			b := []byte(in)
			b[i/8] ^= 1 << (i % 8)
			want, _, err := read(bytes.NewReader(b))
			got, _, _, err2 := copyOf(t, string(b), nil)
			if (err == nil) != (err2 == nil) || err == nil && got != string(b) {
				t.Errorf("%s, bit %d flipped: Open %d bytes, %v; OpenCopy %v", name, i, len(want), err, err2)
			}
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestCopySpool(t *testing.T) {
	for name, pack := range packs {
		c, _, err := OpenCopy(strings.NewReader(pack(t, "a\nb\n")), broken{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := c.Next()
		if err != nil {
			t.Fatal(err)
		}
		err = c.Drop(2, nil)
		if err == nil {
			_, err = c.Write([]byte("x"))
		}
		if err == nil {
			err = c.Keep(b[2:])
		}
		if err == nil {
			_, _ = c.Next()
			_, err = c.Finish()
		}
		if e := (*SpoolError)(nil); !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
		c.Close()
	}
}

func BenchmarkCopy(b *testing.B) {
	text := lines(8 << 20)
	for name, pack := range packs {
		src := pack(b, text)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, _, err := copyOf(b, src, []change{{at: len(text) / 2, n: 100}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
