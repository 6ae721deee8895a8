package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"expunge/connectors"
)

func versionLaws() []law {
	return []law{
		{"Versions/come newest first, the current one marked", true, versionOrder},
		{"Versions/each can be read", true, versionRead},
		{"Versions/a deletion leaves a marker", true, versionMarker},
		{"Versions/a marker can be deleted", true, versionUnmark},
		{"Versions/one is deleted alone", true, versionDelete},
		{"Versions/the current one can be deleted by its version", true, versionDeleteCurrent},
		{"Versions/follow prefix and byte order", true, versionPrefix},
		{"Versions/many come once each", true, versionMany},
		{"Versions/a store that keeps none shows what is", false, versionNone},
	}
}

func (e *env) versions(prefix string) ([]connectors.Version, error) {
	v, ok := e.s.(connectors.Versioner)
	if !ok {
		return nil, errors.New("the store is no Versioner")
	}
	var all []connectors.Version
	for o, err := range v.Versions(e.ctx, prefix) {
		if err != nil {
			return all, fmt.Errorf("versions of %q: %w", prefix, err)
		}
		all = append(all, o)
	}
	return all, nil
}

// history writes bodies one over the other and returns the versions, newest first.
func (e *env) history(key string, bodies ...string) ([]connectors.Version, error) {
	o, err := e.put(key, []byte(bodies[0]))
	if err != nil {
		return nil, err
	}
	for _, b := range bodies[1:] {
		if o, err = e.s.Replace(e.ctx, o.Ref, spooled([]byte(b))); err != nil {
			return nil, fmt.Errorf("replace %q: %w", key, err)
		}
	}
	all, err := e.versions(key)
	all = slices.DeleteFunc(all, func(v connectors.Version) bool { return v.Key != key })
	if err == nil && len(all) != len(bodies) {
		err = fmt.Errorf("%q has %d versions, want %d", key, len(all), len(bodies))
	}
	return all, err
}

func versionOrder(e *env) error {
	all, err := e.history("k", "one", "second", "the third")
	if err != nil {
		return err
	}
	seen, err := e.current("k")
	if err != nil {
		return err
	}
	ids := map[string]bool{}
	for i, v := range all {
		if want := int64([]int{9, 6, 3}[i]); v.Size != want || v.Current != (i == 0) || v.Deleted || v.Version == "" || v.ETag == "" || ids[v.Version] {
			return fmt.Errorf("version %d of 3: size %d (want %d), current %t, deleted %t, version %q, ETag %q", i, v.Size, want, v.Current, v.Deleted, v.Version, v.ETag)
		}
		ids[v.Version] = true
		if i > 0 && v.Modified.After(all[i-1].Modified) {
			return fmt.Errorf("version %d is later than the one before it", i)
		}
	}
	if all[0].ETag != seen.ETag {
		return fmt.Errorf("the current version has ETag %s, the listing says %s", all[0].ETag, seen.ETag)
	}
	return nil
}

func versionRead(e *env) error {
	bodies := []string{"one", "second", "the third"}
	all, err := e.history("k", bodies...)
	if err != nil {
		return err
	}
	slices.Reverse(bodies)
	var errs []error
	for i, v := range all {
		for _, etag := range []string{v.ETag, ""} {
			ref := v.Ref
			ref.ETag = etag
			got, err := e.read(ref, connectors.All)
			if err != nil {
				return fmt.Errorf("open version %d: %w", i, err)
			}
			errs = append(errs, same(fmt.Sprintf("version %d", i), got, []byte(bodies[i])))
		}
		if got, err := e.read(v.Ref, connectors.Range{Off: 1, Len: 1}); err != nil || string(got) != bodies[i][1:2] {
			errs = append(errs, fmt.Errorf("range of version %d: %q, %v", i, got, err))
		}
	}
	return errors.Join(errs...)
}

func versionMarker(e *env) error {
	all, err := e.history("k", "one", "second")
	if err != nil {
		return err
	}
	if err := e.s.Delete(e.ctx, current(all[0].Object)); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	if err := e.gone("k"); err != nil {
		return err
	}
	after, err := e.versions("")
	if err != nil {
		return err
	}
	if len(after) != 3 {
		return fmt.Errorf("%d versions after a deletion, want 3", len(after))
	}
	m := after[0]
	if !m.Deleted || !m.Current || m.Size != 0 || m.ETag != "" || m.Version == "" {
		return fmt.Errorf("marker: deleted %t, current %t, size %d, ETag %q, version %q", m.Deleted, m.Current, m.Size, m.ETag, m.Version)
	}
	if after[1].Current || after[2].Current || after[1].Deleted || after[2].Deleted {
		return errors.New("what a deletion put aside is shown as current or as deleted")
	}
	_, err = e.read(connectors.Ref{Key: "k", Version: m.Version}, connectors.All)
	errs := []error{fails("open a marker", "k", err, connectors.ErrNotFound)}
	for i, want := range []string{"second", "one"} {
		got, err := e.read(after[i+1].Ref, connectors.All)
		errs = append(errs, err, same("version under a marker", got, []byte(want)))
	}
	if _, err := e.put("k", []byte("again")); err != nil { // a marker does not stand in the way
		errs = append(errs, err)
	}
	return errors.Join(append(errs, e.holds("k", []byte("again")))...)
}

func versionUnmark(e *env) error {
	all, err := e.history("k", "one", "second")
	if err != nil {
		return err
	}
	if err := e.s.Delete(e.ctx, current(all[0].Object)); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	marked, err := e.versions("k")
	if err != nil || len(marked) != 3 {
		return fmt.Errorf("%d versions, want 3 (%v)", len(marked), err)
	}
	if err := e.s.Delete(e.ctx, marked[0].Ref); err != nil {
		return fmt.Errorf("delete marker: %w", err)
	}
	after, err := e.versions("k")
	if err == nil && (len(after) != 2 || !after[0].Current) {
		err = fmt.Errorf("%d versions after the marker went, want 2 with the first one current", len(after))
	}
	return errors.Join(err, e.holds("k", []byte("second")))
}

func versionDelete(e *env) error {
	all, err := e.history("k", "one", "second", "the third")
	if err != nil {
		return err
	}
	if _, err := e.history("k2", "beside", "beside it"); err != nil {
		return err
	}
	middle := all[1].Ref
	if err := e.s.Delete(e.ctx, middle); err != nil {
		return fmt.Errorf("delete version: %w", err)
	}
	after, err := e.versions("")
	if err != nil {
		return err
	}
	if len(after) != 4 || after[0].Version != all[0].Version || after[1].Version != all[2].Version {
		return fmt.Errorf("%d versions after one of 5 was deleted, or others than before", len(after))
	}
	_, err = e.read(middle, connectors.All)
	errs := []error{
		fails("open a version that is gone", "k", err, connectors.ErrNotFound),
		fails("delete a version twice", "k", e.s.Delete(e.ctx, middle), connectors.ErrNotFound),
		e.holds("k", []byte("the third")), e.holds("k2", []byte("beside it")),
	}
	got, err := e.read(all[2].Ref, connectors.All)
	return errors.Join(append(errs, err, same("oldest version", got, []byte("one")))...)
}

func versionDeleteCurrent(e *env) error {
	all, err := e.history("k", "one", "second")
	if err != nil {
		return err
	}
	if err := e.s.Delete(e.ctx, all[0].Ref); err != nil {
		return fmt.Errorf("delete version: %w", err)
	}
	after, err := e.versions("k")
	if err != nil {
		return err
	}
	if len(after) != 1 || !after[0].Current || after[0].Deleted || after[0].Version != all[1].Version {
		return fmt.Errorf("%d versions after the current one of 2 was deleted, want the other one, current", len(after))
	}
	if err := e.holds("k", []byte("one")); err != nil {
		return err
	}
	if err := e.s.Delete(e.ctx, after[0].Ref); err != nil {
		return fmt.Errorf("delete last version: %w", err)
	}
	after, err = e.versions("")
	if err == nil && len(after) != 0 {
		err = fmt.Errorf("%d versions after the last one was deleted", len(after))
	}
	return errors.Join(err, e.gone("k"))
}

func versionPrefix(e *env) error {
	keys := []string{"a-b", "a/b", "a0", "b/aa", "b/ab", "b/abc", "c"}
	if !e.opt.Tree {
		keys = append(keys, "a", "b")
	}
	slices.Sort(keys)
	for _, k := range keys {
		if _, err := e.history(k, "one", "second"); err != nil {
			return err
		}
	}
	var errs []error
	for _, prefix := range []string{"", "a", "a/", "b/ab", "b/abc", "c", "d"} {
		var want, got []string
		for _, k := range keys {
			if strings.HasPrefix(k, prefix) {
				want = append(want, k+" 6", k+" 3")
			}
		}
		all, err := e.versions(prefix)
		for _, v := range all {
			got = append(got, fmt.Sprintf("%s %d", v.Key, v.Size))
		}
		if err == nil && !slices.Equal(got, want) {
			err = fmt.Errorf("versions of %q: %q, want %q", prefix, got, want)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Pages of a listing end in the middle of a key's versions, and between markers.
func versionMany(e *env) error {
	keys := make([]string, max(1, e.opt.Many/4))
	for i := range keys {
		keys[i] = fmt.Sprintf("many/%05d", i)
	}
	if err := createAll(e.ctx, e.s, keys); err != nil {
		return err
	}
	first, err := e.list("many/")
	if err != nil {
		return err
	}
	for i, o := range first {
		if _, err := e.s.Replace(e.ctx, o.Ref, spooled(bytes.Repeat([]byte("x"), i%7))); err != nil {
			return fmt.Errorf("replace %q: %w", o.Key, err)
		}
		now, err := e.current(o.Key)
		if err != nil {
			return err
		}
		if err := e.s.Delete(e.ctx, current(now)); err != nil {
			return fmt.Errorf("delete %q: %w", o.Key, err)
		}
		if i%2 == 0 {
			if _, err := e.put(o.Key, []byte("again")); err != nil {
				return err
			}
		}
	}
	all, err := e.versions("many/")
	if err != nil {
		return err
	}
	at := 0
	for i, k := range keys {
		want := []string{"marker", fmt.Sprint(i % 7), fmt.Sprint(len(k))}
		if i%2 == 0 {
			want = slices.Insert(want, 0, "5")
		}
		for j, w := range want {
			if at == len(all) {
				return fmt.Errorf("versions end after %d rows, at version %d of %q", at, j, k)
			}
			v := all[at]
			got := fmt.Sprint(v.Size)
			if v.Deleted {
				got = "marker"
			}
			if v.Key != k || got != w || v.Current != (j == 0) {
				return fmt.Errorf("row %d: %q %s current %t; want %q %s", at, v.Key, got, v.Current, k, w)
			}
			at++
		}
	}
	if at != len(all) {
		return fmt.Errorf("%d rows of versions, want %d", len(all), at)
	}
	return nil
}

// A Versioner over a store without versions shows one of each.
func versionNone(e *env) error {
	if _, ok := e.s.(connectors.Versioner); !ok || e.opt.Versions {
		return nil
	}
	o, err := e.put("k", []byte("first"))
	if err != nil {
		return err
	}
	if o, err = e.s.Replace(e.ctx, o.Ref, spooled([]byte("second"))); err != nil {
		return fmt.Errorf("replace: %w", err)
	}
	all, err := e.versions("")
	if err != nil {
		return err
	}
	if len(all) != 1 || all[0].ETag != o.ETag || !all[0].Current || all[0].Deleted {
		return fmt.Errorf("%d versions in a store that keeps none, want the current object", len(all))
	}
	if err := e.s.Delete(e.ctx, current(o)); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	if all, err = e.versions(""); err == nil && len(all) != 0 {
		err = fmt.Errorf("%d versions in a store that keeps none after a deletion", len(all))
	}
	return err
}
