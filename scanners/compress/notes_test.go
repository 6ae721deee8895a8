package compress_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"expunge/scanners"
	"expunge/scanners/compress"
	"expunge/scanners/scantest"
)

// member is a gzip member with a header.
func member(t *testing.T, h gzip.Header, data string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Header = h
	if _, err := w.Write([]byte(data)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func notesOf(t *testing.T, data string, literals ...string) (found []string, err error) {
	t.Helper()
	s, _, err := compress.Open(strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for err == nil {
		_, err = s.Next()
	}
	if err != io.EOF {
		return nil, err
	}
	f := &scantest.Finder{Literals: literals}
	return found, compress.Notes(s, f, func(r *scanners.Record) error {
		if r.Index != -1 || r.Raw == nil || r.Doc == nil {
			t.Errorf("%+v", r)
		}
		for _, m := range r.Matches {
			if m.Tier != "review" {
				t.Errorf("%s is automatic: the whole object would go", m.Path)
			}
			found = append(found, m.Path)
		}
		return nil
	})
}

func TestNotes(t *testing.T) {
	two := member(t, gzip.Header{Name: "jane-doe.csv", Extra: []byte("\x01\x02\x04\x00\x01\x02\x00\x03")}, "a") +
		member(t, gzip.Header{Name: "jane-doe.csv", Comment: "of josé@example.com", Extra: []byte("ex\x06\x00+14045")}, "b")
	for _, c := range []struct {
		word string
		want []string
	}{
		{"jane", []string{"(gzip).name"}}, {"josé", []string{"(gzip).comment"}}, {"+14045", []string{"(gzip).extra"}}, {"nobody", nil},
	} {
		if got, err := notesOf(t, two, c.word); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v", c.word, got, err)
		}
	}
	for _, plain := range []string{"", "plain", member(t, gzip.Header{}, "no name")} {
		if got, err := notesOf(t, plain, "plain", "no"); err != nil || got != nil {
			t.Errorf("%q: %q, %v", plain, got, err)
		}
	}
	// emit's error is its own.
	s, _, err := compress.Open(strings.NewReader(two))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = s.Next()
	}
	broken := errors.New("broken")
	if err := compress.Notes(s, &scantest.Finder{Literals: []string{"jane"}}, func(*scanners.Record) error { return broken }); err != broken {
		t.Error(err)
	}
}

// Equal notes take no room; notes without end are refused, not left out.
func TestManyNotes(t *testing.T) {
	if got, err := notesOf(t, strings.Repeat(member(t, gzip.Header{Name: strings.Repeat("jane", 1000)}, "a"), 2000), "jane"); err != nil || len(got) != 1 {
		t.Errorf("%d, %v", len(got), err)
	}
	var blocks strings.Builder // as bgzip writes them
	for i := range 3000 {
		blocks.WriteString(member(t, gzip.Header{Extra: []byte{'B', 'C', 2, 0, byte(i), byte(i >> 8)}}, "a"))
	}
	if got, err := notesOf(t, blocks.String(), "BC"); err != nil || got != nil {
		t.Errorf("%q, %v", got, err)
	}
	var many strings.Builder
	for i := range 200 {
		many.WriteString(member(t, gzip.Header{Name: strings.Repeat("x", 60_000) + fmt.Sprint(i)}, "a"))
	}
	if _, err := notesOf(t, many.String(), "jane"); !errors.Is(err, compress.ErrUnsupported) {
		t.Error(err)
	}
}
