package rotate_test

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"

	"expunge/connectors"
	"expunge/connectors/fault"
	"expunge/connectors/mem"
	"expunge/pipeline/output"
	"expunge/pipeline/rotate"
	"expunge/pipeline/seal"
)

func key(b byte) []byte { return bytes.Repeat([]byte{b}, seal.KeySize) }

func open(t *testing.T, current []byte, old ...[]byte) *seal.Keys {
	t.Helper()
	k, err := seal.Open(current, old...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// boxes are files that hold a box each, and whose digests are kept.
func boxes() []rotate.Kind {
	return []rotate.Kind{{Name: "boxes", Files: regexp.MustCompile(`^boxes/`), Renew: func(r *seal.Rotation, file string, src io.Reader, dst io.Writer) (seal.Outcome, error) {
		b, err := io.ReadAll(src)
		if err != nil {
			return seal.Outcome{}, err
		}
		b, again, err := r.Box("boxes", "", b, file)
		if err != nil {
			return seal.Outcome{}, err
		}
		r.KeepDigests("digests", "")
		if !again {
			return seal.Outcome{}, nil
		}
		_, err = dst.Write(b)
		return seal.Outcome{Again: true}, err
	}}}
}

func put(t *testing.T, work connectors.Store, keys *seal.Keys, file string) {
	t.Helper()
	if _, _, err := output.Replace(t.Context(), work, file, bytes.NewReader(keys.Seal("boxes", "", []byte("x"), file))); err != nil {
		t.Fatal(err)
	}
}

func do(t *testing.T, work connectors.Store, keys *seal.Keys) (*rotate.Result, error) {
	t.Helper()
	if err := rotate.Recall(t.Context(), work, keys); err != nil {
		t.Fatal(err)
	}
	return (&rotate.Rotation{Work: work, Keys: keys, Kinds: boxes()}).Do(t.Context())
}

// Where the store keeps versions, nothing is left of what was kept under a key that is
// over.
func TestForgets(t *testing.T) {
	work := mem.New("work", mem.Options{Versions: true})
	put(t, work, open(t, key(1)), "boxes/1")
	for range 2 {
		if _, err := do(t, work, open(t, key(2), key(1))); err != nil {
			t.Fatal(err)
		}
		if _, _, err := output.Replace(t.Context(), work, "keys/"+rotate.ID(open(t, key(2))), strings.NewReader("another")); err != nil {
			t.Fatal(err)
		}
		if _, err := (&rotate.Rotation{Work: work, Keys: open(t, key(2), key(1)), Kinds: boxes()}).Do(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := do(t, work, open(t, key(3), key(2))); err != nil || !out.Whole() || out.Keys != 2 {
		t.Fatalf("%+v, %v", out, err)
	}
	for v, err := range work.Versions(t.Context(), "keys/") {
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(v.Key, rotate.ID(open(t, key(3)))) {
			t.Errorf("a version of %s is left", v.Key)
		}
	}
}

// A file that cannot be read is named and stays; what was kept of older keys stays with
// it, since it may need that.
func TestUnread(t *testing.T) {
	work := mem.New("work", mem.Options{})
	put(t, work, open(t, key(1)), "boxes/1")
	if out, err := do(t, work, open(t, key(2), key(1))); err != nil || !out.Whole() || out.Keys != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	ref, err := output.Find(t.Context(), work, "boxes/1")
	if err == nil {
		err = work.Delete(t.Context(), ref)
	}
	if err != nil {
		t.Fatal(err)
	}
	put(t, work, open(t, key(9)), "boxes/2")
	before, err := connectors.ReadAll(t.Context(), work, "boxes/2")
	if err != nil {
		t.Fatal(err)
	}
	out, err := do(t, work, open(t, key(3), key(2)))
	if err != nil || out.Whole() || len(out.Unread) != 1 || out.Unread[0].File != "boxes/2" || out.Keys != 2 {
		t.Errorf("%+v, %v", out, err)
	}
	if after, err := connectors.ReadAll(t.Context(), work, "boxes/2"); err != nil || !bytes.Equal(before, after) {
		t.Errorf("it was changed: %v", err)
	}
	if _, err := connectors.ReadAll(t.Context(), work, "keys/"+rotate.ID(open(t, key(2)))); err != nil {
		t.Errorf("what was kept under the key before is gone: %v", err)
	}
}

// What somebody else changes meanwhile is not overwritten; it is renewed as it is then.
// What the store fails for ends the rotation.
func TestChangedMeanwhile(t *testing.T) {
	work := mem.New("work", mem.Options{})
	old := open(t, key(1))
	put(t, work, old, "boxes/1")
	put(t, work, old, "boxes/2")
	written := false
	store := fault.New(work)
	store.Plan = func(op fault.Op) *fault.Fault {
		switch {
		case op.Kind != "replace":
		case op.Key == "boxes/1" && !written:
			written = true
			b := old.Seal("boxes", "", []byte("y"), "boxes/1")
			if _, err := work.Replace(t.Context(), op.Ref, connectors.Patch{Pieces: []connectors.Piece{{Spool: true, Len: int64(len(b))}}, Spool: bytes.NewReader(b)}); err != nil && !errors.Is(err, connectors.ErrChanged) {
				t.Error(err)
			}
		case op.Key == "boxes/2":
			if o, err := output.Find(t.Context(), work, "boxes/2"); err == nil {
				_ = work.Delete(t.Context(), o)
			}
		}
		return nil
	}
	keys := open(t, key(2), key(1))
	out, err := do(t, store, keys)
	if err != nil || !out.Whole() {
		t.Fatalf("%+v, %v", out, err)
	}
	b, err := connectors.ReadAll(t.Context(), work, "boxes/1")
	if err == nil {
		b, err = open(t, key(2)).Unseal("boxes", "", b, "boxes/1")
	}
	if err != nil || string(b) != "y" {
		t.Errorf("it holds %q: %v", b, err)
	}
	if _, err := connectors.ReadAll(t.Context(), work, "boxes/2"); !errors.Is(err, connectors.ErrNotFound) {
		t.Errorf("what was removed is back: %v", err)
	}

	put(t, work, old, "boxes/3")
	store = fault.New(work)
	store.Cuts = func(op fault.Op) *fault.Cut {
		if op.Key != "boxes/3" {
			return nil
		}
		return &fault.Cut{After: 10}
	}
	if out, err := do(t, store, open(t, key(2), key(1))); err == nil {
		t.Errorf("the store fails, and the rotation ends with %+v", out)
	}
}
