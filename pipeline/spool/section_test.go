package spool

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"testing/iotest"
)

// TestSectionsAreReadByThemselves writes sections from none to many frames and
// reads them in another order, two at a time.
func TestSectionsAreReadByThemselves(t *testing.T) {
	s, err := NewSections()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sizes := []int{3, 0, 70_000, 1}
	var at []Section
	var off int64
	record := func(section, i int) []byte {
		return fmt.Appendf(nil, "section %d, record %d, and some text", section, i)
	}
	for section, n := range sizes {
		for i := range n {
			if err := s.Write(record(section, i)); err != nil {
				t.Fatal(err)
			}
		}
		x, err := s.End(off)
		if err != nil {
			t.Fatal(err)
		}
		off = x.Off + x.Len
		at = append(at, x)
	}
	var readers []*Reader
	for section := range sizes {
		r, err := s.Read(at[section])
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		readers = append(readers, r)
	}
	for section := len(sizes) - 1; section >= 0; section-- {
		n := 0
		for {
			got, err := readers[section].Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, record(section, n)) {
				t.Fatalf("section %d, record %d: %q", section, n, got)
			}
			n++
		}
		if n != sizes[section] {
			t.Errorf("section %d: %d records, want %d", section, n, sizes[section])
		}
	}
}

// TestBufferIsAFile reads buffers in memory and in a file as one reads a file.
func TestBufferIsAFile(t *testing.T) {
	for _, size := range []int{0, 1, bufferSize, bufferSize + 1, 3 * bufferSize} {
		want := make([]byte, size)
		for i := range want {
			want[i] = byte(i * 7 / 5)
		}
		b := new(Buffer)
		for rest := want; len(rest) > 0; {
			n := min(len(rest), 100_000)
			if _, err := b.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if b.Size() != int64(size) || (b.f != nil) != (size > bufferSize) {
			t.Errorf("%d bytes: size %d, in a file: %v", size, b.Size(), b.f != nil)
		}
		if err := iotest.TestReader(b, want); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}
