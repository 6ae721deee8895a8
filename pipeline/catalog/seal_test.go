package catalog

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"testing"

	"expunge/connectors"
	"expunge/connectors/mem"
	"expunge/pipeline/seal"
)

func keep(names ...string) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		for _, name := range names {
			if !yield(&Entry{Store: "lake", Key: name}, nil) {
				return
			}
		}
	}
}

// TestNobodyMovesIndexes: who can write to the work store puts the entries of one
// index in the place of another's. An index that forgets segments would let
// objects be skipped, so it is noticed.
func TestNobodyMovesIndexes(t *testing.T) {
	keys, err := seal.Open(bytes.Repeat([]byte{1}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	c := &Catalog{Work: mem.New("work", mem.Options{}), Keys: keys}
	for _, run := range []string{"a", "b"} {
		if _, err := c.Write(t.Context(), run, keep("x", "y", run)); err != nil {
			t.Fatal(err)
		}
	}
	read := func(c *Catalog) (n int, err error) {
		for _, err := range c.Entries(t.Context(), 2) {
			if err != nil {
				return n, err
			}
			n++
		}
		return n, nil
	}
	if n, err := read(c); n != 3 || err != nil {
		t.Fatalf("%d entries: %v", n, err)
	}
	for _, forged := range []map[string]string{
		{"catalog/2.json": "catalog/1.json", "catalog/index/2-b/000000": "catalog/index/2-b/000000", "catalog/index/1-a/000000": "catalog/index/1-a/000000"},
		{"catalog/2.json": "catalog/2.json", "catalog/index/2-b/000000": "catalog/index/1-a/000000"},
	} {
		other := mem.New("work", mem.Options{})
		for into, from := range forged {
			body, err := c.Work.Open(t.Context(), connectors.Ref{Key: from}, connectors.All)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(body)
			body.Close()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := other.Create(t.Context(), into, bytes.NewReader(b)); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := read(&Catalog{Work: other, Keys: keys}); !errors.Is(err, seal.ErrForged) {
			t.Errorf("%v: %d entries: %v", forged, n, err)
		}
	}
}
