package output

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"expunge/connectors"
	"expunge/connectors/mem"
)

func stored(t *testing.T, work connectors.Store, key string) string {
	t.Helper()
	body, err := work.Open(t.Context(), connectors.Ref{Key: key}, connectors.All)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPutNeverOverwrites(t *testing.T) {
	work := mem.New("work", mem.Options{})
	put := func(text string) (string, int64, error) {
		return Put(t.Context(), work, "runs/a/x.parquet", bytes.NewReader([]byte(text)))
	}
	const sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // of "abc", FIPS 180-2
	for range 2 {
		if s, n, err := put("abc"); s != sum || n != 3 || err != nil {
			t.Errorf("put: %s, %d, %v", s, n, err)
		}
	}
	if _, _, err := put("abd"); !errors.Is(err, ErrDiffers) {
		t.Errorf("put something else: %v, want ErrDiffers", err)
	}
	if got := stored(t, work, "runs/a/x.parquet"); got != "abc" {
		t.Errorf("stored: %q", got)
	}
}

func TestReplace(t *testing.T) {
	work := mem.New("work", mem.Options{})
	for _, key := range []string{"a", "a.json", "a/b"} { // keys that begin alike
		for _, text := range []string{"one", "one", "two, which is longer", ""} {
			if _, n, err := Replace(t.Context(), work, key, bytes.NewReader([]byte(text))); n != int64(len(text)) || err != nil {
				t.Errorf("replace %s: %d, %v", key, n, err)
			}
			if got := stored(t, work, key); got != text {
				t.Errorf("%s: %q, want %q", key, got, text)
			}
		}
	}
	if _, err := Find(t.Context(), work, "a/"); !errors.Is(err, connectors.ErrNotFound) {
		t.Errorf("find a folder: %v, want ErrNotFound", err)
	}
}
