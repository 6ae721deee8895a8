package bundle

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"expunge/connectors"
	"expunge/connectors/mem"
	"expunge/pipeline/seal"
)

// supplement is what run finds once `after` has erased.
func supplement(sealed bool, run, after string) Input {
	in := input(whole()[2:])
	in.Run, in.After, in.Sealed = run, after, sealed
	return in
}

// TestSupplements: a bundle whose records are erased stands; what is found later is
// beside it, whole, and replaced until its own records are erased.
func TestSupplements(t *testing.T) {
	keys := testKeys(t, 7)
	for name, sealed := range map[string]bool{"in clear": false, "sealed": true} {
		t.Run(name, func(t *testing.T) {
			work := mem.New("work", mem.Options{})
			in := input(whole())
			in.Run, in.Sealed = "run-1", sealed
			write(t, work, in)
			main := stored(t, work)
			put := func(run, after, superseded string) {
				t.Helper()
				res, err := Write(t.Context(), work, supplement(sealed, run, after))
				if err != nil {
					t.Fatal(err)
				}
				if want := "bundles/acme/r1/supplements/" + after + "/"; res.Dir != want || res.Superseded != superseded {
					t.Errorf("%+v, want one in %s that supersedes %q", res, want, superseded)
				}
			}
			put("run-2", "run-1", "")
			put("run-2", "run-1", "") // resumed
			put("run-3", "run-1", "run-2")
			put("run-9", "run-3", "")
			put("run-10", "run-2", "")
			now := stored(t, work)
			for key, b := range main {
				if string(now[key]) != string(b) {
					t.Errorf("%s has changed", key)
				}
			}
			all, err := All(t.Context(), work, keys, requestRef)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, b := range all {
				got = append(got, b.Supplement()+" "+b.Index.Run+" "+b.Index.After)
			}
			want := []string{" run-1 ", "supplements/run-2/ run-10 run-2", "supplements/run-1/ run-3 run-1", "supplements/run-3/ run-9 run-3"}
			if !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
			for run, want := range map[string]error{"run-1": nil, "run-3": nil, "run-9": nil, "run-2": ErrOther} {
				if err := Check(t.Context(), work, keys, requestRef, run); !errors.Is(err, want) {
					t.Errorf("check %s: %v, want %v", run, err, want)
				}
			}
			write(t, work, in) // the first run, resumed: what supplements it stays
			if got := stored(t, work); !maps.EqualFunc(got, now, func(a, b []byte) bool { return string(a) == string(b) }) {
				t.Error("another try of the first run has changed what there is")
			}
		})
	}
}

// TestCheckReadsAllBundles: nothing is erased while any bundle of a request is not
// what was written.
func TestCheckReadsAllBundles(t *testing.T) {
	t.Run("in clear", func(t *testing.T) { checkReadsAll(t, false) })
	t.Run("sealed", func(t *testing.T) { checkReadsAll(t, true) })
}

func checkReadsAll(t *testing.T, sealed bool) {
	keys := testKeys(t, 7)
	work := mem.New("work", mem.Options{})
	in := input(whole())
	in.Run, in.Sealed = "run-1", sealed
	write(t, work, in)
	if _, err := Write(t.Context(), work, supplement(sealed, "run-2", "run-1")); err != nil {
		t.Fatal(err)
	}
	for key, b := range stored(t, work) {
		changed := slices.Clone(b)
		changed[len(b)/2] ^= 1
		work.Overwrite(key, changed)
		for _, run := range []string{"run-1", "run-2"} {
			if err := Check(t.Context(), work, keys, requestRef, run); err == nil || errors.Is(err, ErrOther) {
				t.Errorf("%s changed: check %s: %v", key, run, err)
			}
		}
		work.Overwrite(key, b)
	}
	if err := Check(t.Context(), mem.New("empty", mem.Options{}), keys, requestRef, "run-1"); !errors.Is(err, connectors.ErrNotFound) {
		t.Errorf("no bundle: %v", err)
	}
}

// TestMovedSupplement: a sealed supplement counts only where it was written.
func TestMovedSupplement(t *testing.T) {
	keys := testKeys(t, 7)
	work := mem.New("work", mem.Options{})
	if _, err := Write(t.Context(), work, supplement(true, "run-2", "run-1")); err != nil {
		t.Fatal(err)
	}
	for key, b := range stored(t, work) {
		work.Overwrite(strings.Replace(key, "supplements/run-1/", "supplements/run-5/", 1), b)
	}
	if _, err := All(t.Context(), work, keys, requestRef); !errors.Is(err, seal.ErrForged) {
		t.Errorf("%v, want ErrForged", err)
	}
}

// TestWithdraw removes a supplement, and nothing else.
func TestWithdraw(t *testing.T) {
	work := mem.New("work", mem.Options{})
	in := input(whole())
	in.Run = "run-1"
	write(t, work, in)
	if _, err := Write(t.Context(), work, supplement(false, "run-10", "run-1x")); err != nil {
		t.Fatal(err)
	}
	before := stored(t, work)
	if _, err := Write(t.Context(), work, supplement(false, "run-2", "run-1")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Withdraw(t.Context(), work, requestRef, "run-1"); err != nil {
			t.Fatal(err)
		}
		if got := slices.Sorted(maps.Keys(stored(t, work))); !slices.Equal(got, slices.Sorted(maps.Keys(before))) {
			t.Errorf("%q is left", got)
		}
	}
}

// TestOtherFilesAreNoBundle: nothing else below a request is taken for its index.
func TestOtherFilesAreNoBundle(t *testing.T) {
	for _, key := range []string{"bundles/acme/bundle.json", "bundles/acme/r1/files/bundle.json", "bundles/acme/r1/supplements/bundle.json", "bundles/acme/r1/supplements/../bundle.json",
		"bundles/acme/r1/supplements/run-1/files/bundle.json", "bundles/acme/r1/files/calls/bundle.json", "runs/acme/r1/bundle.json", "bundles/acme/r1/bundle.json.sealed"} {
		if ref, err := requestOf(key); err == nil {
			t.Errorf("%s is taken for the bundle of %s", key, ref)
		}
	}
}
