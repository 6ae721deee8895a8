package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sort"
	"testing"
)

func flip(b []byte) ([]byte, error) {
	out := bytes.Clone(b)
	for i := range out {
		out[i] ^= 0x5a
	}
	return out, nil
}

func TestFramesComeBackAsWritten(t *testing.T) {
	var want [][]byte
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 3000 {
		rec := bytes.Repeat([]byte{byte(i)}, rng.IntN(2000))
		want = append(want, rec)
	}
	want = append(want, bytes.Repeat([]byte("x"), 3*frameSize), nil)
	var file bytes.Buffer
	w, err := NewWriter(&file, flip)
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range want {
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(bytes.NewReader(file.Bytes()), flip)
	if err != nil {
		t.Fatal(err)
	}
	for i, rec := range want {
		got, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, rec) {
			t.Fatalf("record %d differs", i)
		}
	}
	if _, err := r.Next(); err != io.EOF {
		t.Fatalf("after the last record: %v, want EOF", err)
	}
	for _, cut := range []int{0, 1, file.Len() / 2, file.Len() - 1} {
		r, err := NewReader(bytes.NewReader(file.Bytes()[:cut]), flip)
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = r.Next()
		}
		if !errors.Is(err, ErrTruncated) {
			t.Errorf("cut at %d: %v, want ErrTruncated", cut, err)
		}
	}
}

func TestSortIsStableAcrossRuns(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	s := NewSorter()
	s.memory = 4 << 10 // many runs, and merges of runs
	defer s.Close()
	type rec struct{ key, value string }
	var want []rec
	for i := range 20000 {
		r := rec{fmt.Sprintf("k%d", rng.IntN(500)), fmt.Sprint(i)}
		if i%7 == 0 {
			r.key = r.key[:1] // keys that are prefixes of others
		}
		want = append(want, r)
		if err := s.Add([]byte(r.key), []byte(r.value)); err != nil {
			t.Fatal(err)
		}
	}
	sort.SliceStable(want, func(i, j int) bool { return want[i].key < want[j].key })
	for pass := range 2 {
		i := 0
		for p, err := range s.Sorted() {
			if err != nil {
				t.Fatal(err)
			}
			if string(p.Key) != want[i].key || string(p.Value) != want[i].value {
				t.Fatalf("pass %d, place %d: %s=%s, want %s=%s", pass, i, p.Key, p.Value, want[i].key, want[i].value)
			}
			i++
		}
		if i != len(want) {
			t.Fatalf("pass %d: %d of %d records", pass, i, len(want))
		}
	}
}
