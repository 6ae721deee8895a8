package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"
	"time"

	"expunge/connectors"
	"expunge/connectors/mem"
)

// broken stores break one law each; every one must be caught by the law named.
type faulty struct {
	*mem.Store
	list     func(prefix string, all []connectors.Object) []connectors.Object
	versions func(all []connectors.Version) []connectors.Version
	open     func(r connectors.Ref, rng connectors.Range) (connectors.Ref, connectors.Range, context.Context)
	create   func(key string, body io.ReadSeeker) (connectors.Object, error)
	replace  func(ctx context.Context, old connectors.Ref, p connectors.Patch) (connectors.Object, error)
	like     func(key string, like connectors.Ref, p connectors.Patch) (connectors.Object, error)
	remove   func(ctx context.Context, r connectors.Ref) error
	uploads  func(key string) ([]connectors.Upload, error)
	abort    func(u connectors.Upload) error
}

func (f *faulty) Uploads(ctx context.Context, key string) ([]connectors.Upload, error) {
	if f.uploads == nil {
		return f.Store.Uploads(ctx, key)
	}
	return f.uploads(key)
}

func (f *faulty) Abort(ctx context.Context, u connectors.Upload) error {
	if f.abort == nil {
		return f.Store.Abort(ctx, u)
	}
	return f.abort(u)
}

func (f *faulty) List(ctx context.Context, prefix string) iter.Seq2[connectors.Object, error] {
	if f.list == nil {
		return f.Store.List(ctx, prefix)
	}
	return func(yield func(connectors.Object, error) bool) {
		var all []connectors.Object
		for o, err := range f.Store.List(ctx, prefix) {
			if err != nil {
				yield(o, err)
				return
			}
			all = append(all, o)
		}
		for _, o := range f.list(prefix, all) {
			if !yield(o, nil) {
				return
			}
		}
	}
}

func (f *faulty) Versions(ctx context.Context, prefix string) iter.Seq2[connectors.Version, error] {
	if f.versions == nil {
		return f.Store.Versions(ctx, prefix)
	}
	return func(yield func(connectors.Version, error) bool) {
		var all []connectors.Version
		for v, err := range f.Store.Versions(ctx, prefix) {
			if err != nil {
				yield(v, err)
				return
			}
			all = append(all, v)
		}
		for _, v := range f.versions(all) {
			if !yield(v, nil) {
				return
			}
		}
	}
}

func (f *faulty) Open(ctx context.Context, r connectors.Ref, rng connectors.Range) (io.ReadCloser, error) {
	if f.open != nil {
		r, rng, ctx = f.open(r, rng)
	}
	return f.Store.Open(ctx, r, rng)
}

func (f *faulty) Create(ctx context.Context, key string, body io.ReadSeeker) (connectors.Object, error) {
	if f.create != nil {
		return f.create(key, body)
	}
	return f.Store.Create(ctx, key, body)
}

func (f *faulty) Replace(ctx context.Context, old connectors.Ref, p connectors.Patch) (connectors.Object, error) {
	if f.replace != nil {
		return f.replace(ctx, old, p)
	}
	return f.Store.Replace(ctx, old, p)
}

func (f *faulty) CreateLike(ctx context.Context, key string, like connectors.Ref, p connectors.Patch) (connectors.Object, error) {
	if f.like == nil {
		return f.Store.CreateLike(ctx, key, like, p)
	}
	return f.like(key, like, p)
}

func (f *faulty) Delete(ctx context.Context, r connectors.Ref) error {
	if f.remove != nil {
		return f.remove(ctx, r)
	}
	return f.Store.Delete(ctx, r)
}

func TestLawsCatch(t *testing.T) {
	bg := context.Background()
	etagOf := func(f *faulty, key string) string {
		for o := range f.Store.List(bg, key) {
			if o.Key == key {
				return o.ETag
			}
		}
		return "none"
	}
	begin := func(s connectors.Store, key string, part []byte) (string, error) {
		return s.(*faulty).Begin(key, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), part).ID, nil
	}
	dress := func(s connectors.Store, key string) (func(key string) (string, error), error) {
		f := s.(*faulty)
		f.SetMeta(key, map[string]string{"owner": "loader"})
		return func(key string) (string, error) { return fmt.Sprint(f.Meta(key)), nil }, nil
	}
	for _, c := range []struct {
		law   string
		spoil func(f *faulty)
	}{
		{"List/keys come in byte order", func(f *faulty) {
			f.list = func(_ string, all []connectors.Object) []connectors.Object {
				if len(all) > 1 {
					all[0], all[1] = all[1], all[0]
				}
				return all
			}
		}},
		{"List/many keys come once each", func(f *faulty) { // ends with the first page
			f.list = func(_ string, all []connectors.Object) []connectors.Object { return all[:min(len(all), 1000)] }
		}},
		{"List/a prefix is no folder", func(f *faulty) {
			f.list = func(prefix string, all []connectors.Object) (kept []connectors.Object) {
				for _, o := range all {
					if rest := strings.TrimPrefix(o.Key, prefix); prefix == "" || rest == "" || rest[0] == '/' || strings.HasSuffix(prefix, "/") {
						kept = append(kept, o)
					}
				}
				return kept
			}
		}},
		{"List/a key may be the prefix of another", func(f *faulty) { // hides what is below an object
			f.list = func(_ string, all []connectors.Object) (kept []connectors.Object) {
				for _, o := range all {
					if len(kept) == 0 || !strings.HasPrefix(o.Key, kept[len(kept)-1].Key+"/") {
						kept = append(kept, o)
					}
				}
				return kept
			}
		}},
		{"Open/with another ETag is ErrChanged", func(f *faulty) {
			f.open = func(r connectors.Ref, rng connectors.Range) (connectors.Ref, connectors.Range, context.Context) {
				r.ETag = ""
				return r, rng, bg
			}
		}},
		{"Open/reads ranges", func(f *faulty) { // takes an empty range for a whole object
			f.open = func(r connectors.Ref, rng connectors.Range) (connectors.Ref, connectors.Range, context.Context) {
				if rng.Len == 0 {
					rng.Len = -1
				}
				return r, rng, bg
			}
		}},
		{"Create/over an object is ErrExists", func(f *faulty) {
			f.create = func(key string, body io.ReadSeeker) (connectors.Object, error) {
				_, _ = body.Seek(0, io.SeekStart)
				b, err := io.ReadAll(body)
				if err != nil {
					return connectors.Object{}, err
				}
				return f.Overwrite(key, b), nil
			}
		}},
		{"Create/a body that fails leaves nothing", func(f *faulty) {
			f.create = func(key string, body io.ReadSeeker) (connectors.Object, error) {
				_, _ = body.Seek(0, io.SeekStart)
				b, err := io.ReadAll(body)
				if err != nil {
					_, _ = f.Store.Create(bg, key, bytes.NewReader(b))
					return connectors.Object{}, err
				}
				return f.Store.Create(bg, key, bytes.NewReader(b))
			}
		}},
		{"Create/reads the body from its start", func(f *faulty) {
			f.create = func(key string, body io.ReadSeeker) (connectors.Object, error) {
				b, _ := io.ReadAll(body)
				return f.Store.Create(bg, key, bytes.NewReader(b))
			}
		}},
		{"Replace/of a changed object is ErrChanged", func(f *faulty) {
			f.replace = func(ctx context.Context, old connectors.Ref, p connectors.Patch) (connectors.Object, error) {
				old.ETag, old.Version = etagOf(f, old.Key), ""
				return f.Store.Replace(ctx, old, p)
			}
		}},
		{"Replace/lays pieces of source and spool in order", func(f *faulty) {
			f.replace = func(ctx context.Context, old connectors.Ref, p connectors.Patch) (connectors.Object, error) {
				if len(p.Pieces) > 4 {
					p.Pieces = p.Pieces[:4]
				}
				return f.Store.Replace(ctx, old, p)
			}
		}},
		{"Replace/of many replacers one wins", func(f *faulty) {
			f.replace = func(ctx context.Context, old connectors.Ref, p connectors.Patch) (connectors.Object, error) {
				o, err := f.Store.Replace(ctx, old, p)
				if errors.Is(err, connectors.ErrChanged) {
					err = nil
				}
				return o, err
			}
		}},
		{"CreateLike/over an object is ErrExists", func(f *faulty) {
			f.like = func(key string, like connectors.Ref, p connectors.Patch) (connectors.Object, error) {
				o, err := f.Store.CreateLike(bg, key, like, p)
				if errors.Is(err, connectors.ErrExists) {
					return f.Overwrite(key, []byte("over")), nil
				}
				return o, err
			}
		}},
		{"CreateLike/of a changed object is ErrChanged", func(f *faulty) {
			f.like = func(key string, like connectors.Ref, p connectors.Patch) (connectors.Object, error) {
				like.ETag, like.Version = etagOf(f, like.Key), ""
				return f.Store.CreateLike(bg, key, like, p)
			}
		}},
		{"CreateLike/copies what stands beside the bytes", func(f *faulty) {
			f.like = func(key string, like connectors.Ref, p connectors.Patch) (connectors.Object, error) {
				o, err := f.Store.CreateLike(bg, key, like, p)
				f.SetMeta(key, nil)
				return o, err
			}
		}},
		{"Delete/of a changed object is ErrChanged", func(f *faulty) { // as some S3 servers do
			f.remove = func(ctx context.Context, r connectors.Ref) error {
				if r.Version == "" && r.ETag != "" {
					r.ETag = etagOf(f, r.Key)
				}
				return f.Store.Delete(ctx, r)
			}
		}},
		{"Delete/needs an ETag or a version", func(f *faulty) {
			f.remove = func(ctx context.Context, r connectors.Ref) error {
				if r.ETag == "" && r.Version == "" {
					r.ETag = etagOf(f, r.Key)
				}
				return f.Store.Delete(ctx, r)
			}
		}},
		{"Delete/of no object is ErrNotFound", func(f *faulty) {
			f.remove = func(ctx context.Context, r connectors.Ref) error {
				if err := f.Store.Delete(ctx, r); !errors.Is(err, connectors.ErrNotFound) {
					return err
				}
				return nil
			}
		}},
		{"Uploads/those of exactly the key are shown", func(f *faulty) { // takes the key for a prefix
			f.uploads = func(key string) (all []connectors.Upload, err error) {
				for _, k := range []string{"dir/k", "dir/k-", "dir/kk"} {
					if strings.HasPrefix(k, key) {
						got, _ := f.Store.Uploads(bg, k)
						all = append(all, got...)
					}
				}
				return all, nil
			}
		}},
		{"Uploads/one is given up alone", func(f *faulty) { // all of the key
			f.abort = func(u connectors.Upload) error {
				all, err := f.Store.Uploads(bg, u.Key)
				for _, u := range all {
					err = errors.Join(err, f.Store.Abort(bg, u))
				}
				return err
			}
		}},
		{"Uploads/giving up what is not there is ErrNotFound", func(f *faulty) {
			f.abort = func(u connectors.Upload) error {
				if err := f.Store.Abort(bg, u); !errors.Is(err, connectors.ErrNotFound) {
					return err
				}
				return nil
			}
		}},
		{"Context/a cancelled one starts nothing", func(f *faulty) {
			f.remove = func(_ context.Context, r connectors.Ref) error { return f.Store.Delete(bg, r) }
		}},
		{"Versions/come newest first, the current one marked", func(f *faulty) {
			f.versions = func(all []connectors.Version) []connectors.Version {
				for i := range all {
					all[i].Current = true
				}
				return all
			}
		}},
		{"Versions/many come once each", func(f *faulty) { // a row comes twice where a page ends
			f.versions = func(all []connectors.Version) []connectors.Version {
				if len(all) < 500 {
					return all
				}
				return append(append([]connectors.Version(nil), all[:500]...), all[499:]...)
			}
		}},
		{"Versions/a deletion leaves a marker", func(f *faulty) {
			f.versions = func(all []connectors.Version) (kept []connectors.Version) {
				for _, v := range all {
					if !v.Deleted {
						kept = append(kept, v)
					}
				}
				return kept
			}
		}},
	} {
		t.Run(c.law, func(t *testing.T) {
			f := &faulty{Store: mem.New("lake", mem.Options{Versions: true})}
			c.spoil(f)
			for _, l := range laws() {
				if l.name == c.law {
					if err := l.check(newEnv(t.Context(), f, Options{Versions: true, Begin: begin, Dress: dress})); err == nil {
						t.Error("a store that breaks the law passes it")
					}
					return
				}
			}
			t.Error("there is no such law")
		})
	}
}
