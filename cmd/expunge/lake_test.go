package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"golang.org/x/sync/errgroup"

	"expunge/testdata/lake"
)

// found is one record of one request, as truth and as outputs name it.
type found struct {
	Request string
	Object  string
	Record  int64
}

// tables is what a run has put out, read by what is not ours.
type tables struct {
	tombstones []found
	review     []found
	bundles    []found
	files      map[string][]byte // of the work store that have to be equal in equal runs
}

// place writes a lake, its config and its requests below a directory.
func place(t *testing.T, l *lake.Lake, dir string) {
	t.Helper()
	put(t, l, func(key string, body []byte) error {
		name := filepath.Join(dir, "lake", filepath.FromSlash(key))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return err
		}
		return os.WriteFile(name, body, 0o600)
	})
	asked(t, l, dir)
}

// put gives each object of a lake to store, several at a time.
func put(t *testing.T, l *lake.Lake, store func(key string, body []byte) error) {
	t.Helper()
	var g errgroup.Group
	g.SetLimit(8)
	for f := range l.Files() {
		g.Go(func() error {
			var b bytes.Buffer
			if err := f.Write(&b); err != nil {
				return err
			}
			return store(f.Key, b.Bytes())
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

// asked writes the requests of a lake.
func asked(t *testing.T, l *lake.Lake, dir string) {
	t.Helper()
	var requests bytes.Buffer
	for _, r := range l.Requests() {
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		requests.Write(append(b, '\n'))
	}
	if err := os.WriteFile(filepath.Join(dir, "requests.jsonl"), requests.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func configure(t *testing.T, l *lake.Lake, dir, work string) (config string) {
	t.Helper()
	return configured(t, filepath.Join(dir, work+".yaml"), l.Config(filepath.Join(dir, "lake"), filepath.Join(dir, work)))
}

// configured writes a config, and sets the keys that it asks for.
func configured(t *testing.T, config, text string) string {
	t.Helper()
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("EXPUNGE_KEY", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	t.Setenv("EXPUNGE_SIGNING_KEY", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=")
	return config
}

// expunge runs a command in this process and returns its exit code.
func expunge(t *testing.T, args ...string) int {
	t.Helper()
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	if err == nil {
		return exitDone
	}
	t.Logf("expunge %v: %v", args, err)
	return exitCode(t.Context(), err)
}

// outputs reads what the only run in a work directory has put out.
func outputs(t *testing.T, dir, work string) *tables {
	t.Helper()
	return tablesBelow(t, filepath.Join(dir, work), "file://"+filepath.Join(dir, "lake")+"/")
}

// tablesBelow reads what the only run with its work store at root has put out on
// the lake at a URL.
func tablesBelow(t *testing.T, root, lakeURL string) *tables {
	t.Helper()
	out := &tables{files: map[string][]byte{}}
	key := func(object string) string {
		k, err := url.PathUnescape(strings.TrimPrefix(object, lakeURL))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	err := filepath.WalkDir(root, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(root, name)
		rel = filepath.ToSlash(rel)
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		switch base := filepath.Base(name); {
		case strings.HasPrefix(rel, "runs/") && strings.HasPrefix(base, "tombstones"):
			for _, r := range readTable[tombstoneRow](t, b) {
				out.tombstones = append(out.tombstones, found{r.Request, key(r.Object), ordinal(r.Record)})
			}
			out.files["tombstones"] = b
		case strings.HasPrefix(rel, "runs/") && strings.HasPrefix(base, "review"):
			for _, r := range readTable[tombstoneRow](t, b) {
				out.review = append(out.review, found{r.Request, key(r.Object), ordinal(r.Record)})
			}
			out.files["review"] = b
		case strings.HasPrefix(rel, "runs/") && strings.HasPrefix(base, "objects"):
			out.files["objects"] = b
		case strings.HasPrefix(rel, "bundles/") && strings.Contains(rel, "/data/") && strings.HasSuffix(base, ".parquet"):
			parts := strings.Split(rel, "/")
			for _, r := range readTable[bundleRow](t, b) {
				out.bundles = append(out.bundles, found{parts[1] + "/" + parts[2], key(r.Object), r.Record})
			}
			out.files[rel] = b
		case strings.HasPrefix(rel, "bundles/") && strings.HasSuffix(base, ".jsonl"):
			out.files[rel] = b
		case strings.HasPrefix(rel, "bundles/") && base == "bundle.json":
			for _, object := range wholes(t, filepath.Dir(name), b) {
				parts := strings.Split(rel, "/")
				out.bundles = append(out.bundles, found{parts[1] + "/" + parts[2], key(object), -1})
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// wholes checks that a bundle has exactly the files that its index names, as they
// were written, and returns the whole objects among them.
func wholes(t *testing.T, dir string, index []byte) (objects []string) {
	t.Helper()
	var x struct {
		Files    []struct{ Path, SHA256, Object string }
		Withheld []struct{ Code string }
	}
	if err := json.Unmarshal(index, &x); err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{"bundle.json": true}
	for _, f := range x.Files {
		named[f.Path] = true
		b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(f.Path)))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != f.SHA256 {
			t.Errorf("%s is not the file that %s/bundle.json names", f.Path, dir)
		}
		if f.Object != "" {
			objects = append(objects, f.Object)
		}
	}
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if rel, _ := filepath.Rel(dir, name); err == nil && !d.IsDir() && !named[filepath.ToSlash(rel)] && !strings.HasPrefix(d.Name(), ".expunge-w-") { // a killed process's, until it is swept
			t.Errorf("%s is in a bundle, and its index does not name it", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

type tombstoneRow struct {
	Request string `parquet:"request"`
	Object  string `parquet:"object"`
	Record  *int64 `parquet:"record,optional"`
}

type bundleRow struct {
	Object string `parquet:"_object"`
	Record int64  `parquet:"_record"`
}

func ordinal(r *int64) int64 {
	if r == nil {
		return -1
	}
	return *r
}

func readTable[T any](t *testing.T, b []byte) []T {
	t.Helper()
	r := parquet.NewGenericReader[T](bytes.NewReader(b))
	defer r.Close()
	rows := make([]T, r.NumRows())
	n, err := r.Read(rows)
	if err != nil && err != io.EOF || int64(n) != r.NumRows() {
		t.Fatalf("read table: %d of %d rows: %v", n, r.NumRows(), err)
	}
	return rows
}

// compare says what is missing and what is too much, by record.
func compare(t *testing.T, what string, got, want []found, why map[found]string) {
	t.Helper()
	order := func(a, b found) int {
		return cmp.Or(cmp.Compare(a.Request, b.Request), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Record, b.Record))
	}
	slices.SortFunc(got, order)
	slices.SortFunc(want, order)
	want = slices.Compact(want)
	if n := len(got); n != len(slices.Compact(slices.Clone(got))) {
		t.Errorf("%s: a record stands twice", what)
	}
	bad := 0
	say := func(format string, args ...any) {
		if bad++; bad <= 12 {
			t.Errorf(what+": "+format, args...)
		}
	}
	in := func(set []found, f found) bool { _, ok := slices.BinarySearchFunc(set, f, order); return ok }
	for _, f := range want {
		if !in(got, f) {
			say("missing %s %s record %d (%s)", f.Request, f.Object, f.Record, why[f])
		}
	}
	for _, f := range got {
		if !in(want, f) {
			say("too much: %s %s record %d (truth: %q)", f.Request, f.Object, f.Record, why[f])
		}
	}
	t.Logf("%s: %d wanted, %d got, %d wrong", what, len(want), len(got), bad)
}
