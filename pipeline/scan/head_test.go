package scan

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"expunge/scanners"
)

// TestHeadsAreReadOnce reads ranges of an object in all ways after its beginning
// was looked at: every byte comes as stored, and what was read is not read again.
func TestHeadsAreReadOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 8))
	for range 300 {
		content := make([]byte, rng.IntN(5000))
		for i := range content {
			content[i] = byte(rng.Uint32())
		}
		times := make([]int, len(content)) // how often each byte came from the store
		in := scanners.Input{Size: int64(len(content)), Open: func(_ context.Context, off, n int64) (io.ReadCloser, error) {
			end := int64(len(content))
			if n >= 0 {
				end = min(end, off+n)
			}
			return io.NopCloser(&reading{content[min(off, end):end], times[min(off, end):end]}), nil
		}}
		stop := replay(&in)
		looked := 0
		if body, err := in.Open(t.Context(), 0, -1); err != nil {
			t.Fatal(err)
		} else {
			looked, _ = io.ReadFull(body, make([]byte, rng.IntN(6000)))
			body.Close()
		}
		stop()
		for i := range times {
			if times[i] > 1 {
				t.Fatalf("byte %d was read twice to look at it", i)
			}
			times[i] = min(times[i], 1)
		}
		for range 4 {
			off, n := rng.Int64N(int64(len(content)+1)), rng.Int64N(5500)-1
			if rng.IntN(2) == 0 {
				off, n = 0, -1
			}
			body, err := in.Open(t.Context(), off, n)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(body)
			if err != nil {
				t.Fatal(err)
			}
			want := content[off:]
			if n >= 0 {
				want = want[:min(n, int64(len(want)))]
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("%d bytes at %d: %d come, want %d", n, off, len(got), len(want))
			}
			body.Close()
		}
		for i := range looked {
			if times[i] > 1 {
				t.Fatalf("byte %d of the %d that were looked at was read again", i, looked)
			}
		}
	}
}

// reading reads at most 700 bytes at a time, and counts.
type reading struct {
	b     []byte
	times []int
}

func (r *reading) Read(p []byte) (int, error) {
	if len(r.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), 700)], r.b)
	for i := range n {
		r.times[i]++
	}
	r.b, r.times = r.b[n:], r.times[n:]
	return n, nil
}

// TestHeadsTellErrors: what goes wrong behind the beginning is told.
func TestHeadsTellErrors(t *testing.T) {
	gone := errors.New("it is gone")
	opened := 0
	in := scanners.Input{Size: 10, Open: func(_ context.Context, off, n int64) (io.ReadCloser, error) {
		if opened++; opened > 1 {
			return nil, gone
		}
		return io.NopCloser(bytes.NewReader([]byte("0123456789")[off:])), nil
	}}
	stop := replay(&in)
	body, err := in.Open(t.Context(), 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(body, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	stop()
	if body, err = in.Open(t.Context(), 0, -1); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(body); string(got) != "0123" || !errors.Is(err, gone) {
		t.Errorf("%q, %v", got, err)
	}
}

// TestTwoLookAtOnce: bodies that are read in turns do not mix up what is kept.
func TestTwoLookAtOnce(t *testing.T) {
	content := []byte("0123456789")
	in := scanners.Input{Size: 10, Open: func(context.Context, int64, int64) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}}
	stop := replay(&in)
	a, _ := in.Open(t.Context(), 0, -1)
	b, _ := in.Open(t.Context(), 0, -1)
	for range 2 {
		_, _ = a.Read(make([]byte, 3))
		_, _ = b.Read(make([]byte, 2))
	}
	stop()
	body, err := in.Open(t.Context(), 0, 6)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(body); string(got) != "012345" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}
