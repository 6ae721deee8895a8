package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sort"
	"testing"

	"expunge/pipeline/seal"
)

func box(t *testing.T) *Box {
	t.Helper()
	keys, err := seal.Open(bytes.Repeat([]byte{1}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return &Box{Keys: keys, Purpose: "results"}
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
	sealed := box(t).File("runs/a/1")
	w, err := NewWriter(&file, sealed)
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
	r, err := NewReader(bytes.NewReader(file.Bytes()), sealed)
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
		r, err := NewReader(bytes.NewReader(file.Bytes()[:cut]), sealed)
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

// frames writes a file of n frames and returns their boxes, the end's included.
func frames(t *testing.T, file *File, n int) [][]byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, file)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := w.Write(fmt.Appendf(nil, "frame %d", i)); err != nil {
			t.Fatal(err)
		}
		if err := w.flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var boxes [][]byte
	for rest := out.Bytes(); len(rest) > 0; {
		n, k := binary.Uvarint(rest)
		boxes = append(boxes, rest[:k+int(n)])
		rest = rest[k+int(n):]
	}
	return boxes
}

// TestFramesKeepTheirPlace: who can write where sealed files lie, and has no key,
// can neither swap files nor leave out, double, reorder or add frames.
func TestFramesKeepTheirPlace(t *testing.T) {
	b := box(t)
	mine, other := frames(t, b.File("runs/a/1"), 3), frames(t, b.File("runs/b/1"), 3)
	short := frames(t, b.File("runs/a/1"), 2)
	read := func(boxes ...[]byte) error {
		r, err := NewReader(bytes.NewReader(bytes.Join(boxes, nil)), b.File("runs/a/1"))
		for err == nil {
			_, err = r.Next()
		}
		return err
	}
	if err := read(mine...); err != io.EOF || len(mine) != 5 {
		t.Fatalf("%d boxes as written: %v", len(mine), err)
	}
	for what, boxes := range map[string][][]byte{
		"another file":                 other,
		"a frame of another file":      {mine[0], other[1], mine[2], mine[3], mine[4]},
		"a frame left out":             {mine[0], mine[2], mine[3], mine[4]},
		"the last frame left out":      {mine[0], mine[1], mine[3], mine[4]},
		"a frame twice":                {mine[0], mine[0], mine[1], mine[2], mine[3], mine[4]},
		"frames in another order":      {mine[1], mine[0], mine[2], mine[3], mine[4]},
		"ended early":                  {mine[0], mine[1], mine[3]},
		"ended by a frame":             {mine[0], mine[1], mine[3], mine[2]},
		"ended by another file's end":  {mine[0], mine[1], mine[2], mine[3], other[4]},
		"an end in the place of frame": {mine[0], mine[1], mine[2], mine[4], mine[3], mine[4]},
	} {
		if err := read(boxes...); err == io.EOF || !errors.Is(err, seal.ErrForged) && !errors.Is(err, ErrTruncated) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// A file that is whole, of an earlier try, is one that its writer made.
	if err := read(short...); err != io.EOF {
		t.Errorf("a shorter file of the same name: %v", err)
	}
}

func TestSortIsStableAcrossRuns(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	s := NewSorter()
	s.memory = 2 << 10 // many runs, and merges of merged runs
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
