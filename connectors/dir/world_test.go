package dir_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"expunge/connectors"
	"expunge/connectors/dir"
)

func open(t *testing.T) *dir.Store {
	t.Helper()
	s, err := dir.New("lake", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func create(t *testing.T, s *dir.Store, key, body string) connectors.Object {
	t.Helper()
	o, err := s.Create(t.Context(), key, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func text(b string) connectors.Patch {
	return connectors.Patch{Pieces: []connectors.Piece{{Spool: true, Len: int64(len(b))}}, Spool: strings.NewReader(b)}
}

// tree shows every file below the root, hidden ones as "hidden".
func tree(t *testing.T, root string) string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		rel, _ := filepath.Rel(root, path)
		if strings.HasPrefix(d.Name(), ".expunge-") {
			rel = "hidden"
		}
		all = append(all, rel+"="+string(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

func write(t *testing.T, path, body string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
		t.Error(err)
	}
}

// put is a foreign writer that renames into place.
func put(t *testing.T, path, body string) {
	t.Helper()
	write(t, path+".loading", body)
	if err := os.Rename(path+".loading", path); err != nil {
		t.Error(err)
	}
}

// A foreign writer acts at one point of a change; what it wrote is never lost.
func TestForeignWriters(t *testing.T) {
	replace := func(s *dir.Store, o connectors.Object) error {
		_, err := s.Replace(t.Context(), o.Ref, text("ours"))
		return err
	}
	remove := func(s *dir.Store, o connectors.Object) error { return s.Delete(t.Context(), o.Ref) }
	for _, c := range []struct {
		name  string
		point string
		do    func(*dir.Store, connectors.Object) error
		act   func(path string)
		want  error
		after string
	}{
		{"put before the look", "intended", replace, func(p string) { put(t, p, "theirs") }, connectors.ErrChanged, "d/k=theirs"},
		{"put after the look", "checked", replace, func(p string) { put(t, p, "theirs") }, connectors.ErrChanged, "d/k=theirs"},
		{"put after the exchange", "exchanged", replace, func(p string) { put(t, p, "theirs") }, nil, "d/k=theirs"},
		{"in place while writing", "made", replace, func(p string) { write(t, p, "inplace") }, connectors.ErrChanged, "d/k=inplace"},
		{"in place before the look", "intended", replace, func(p string) { write(t, p, "inplace") }, connectors.ErrChanged, "d/k=inplace"},
		{"removed after the look", "checked", replace, func(p string) { _ = os.Remove(p) }, connectors.ErrNotFound, ""},
		{"delete: put after the look", "checked", remove, func(p string) { put(t, p, "theirs") }, connectors.ErrChanged, "d/k=theirs"},
		{"delete: put after the rename", "renamed", remove, func(p string) { put(t, p, "theirs") }, nil, "d/k=theirs"},
		{"delete: removed after the look", "checked", remove, func(p string) { _ = os.Remove(p) }, connectors.ErrNotFound, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			o := create(t, s, "d/k", "before")
			s.SetHook(func(point string) {
				if point == c.point {
					c.act(filepath.Join(s.Root(), "d", "k"))
				}
			})
			if err := c.do(s, o); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if got := tree(t, s.Root()); got != c.after {
				t.Errorf("afterwards %q, want %q", got, c.after)
			}
		})
	}
}

// A file that somebody has open for writing is let alone.
func TestOpenForWriting(t *testing.T) {
	s := open(t)
	o := create(t, s, "k", "before")
	f, err := os.OpenFile(filepath.Join(s.Root(), "k"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Replace(t.Context(), o.Ref, text("ours")); !errors.Is(err, connectors.ErrTemporary) {
		t.Errorf("replace: %v", err)
	}
	if err := s.Delete(t.Context(), o.Ref); !errors.Is(err, connectors.ErrTemporary) {
		t.Errorf("delete: %v", err)
	}
	f.Close()
	if _, err := s.Replace(t.Context(), o.Ref, text("ours")); err != nil {
		t.Errorf("replace after it was closed: %v", err)
	}
}

// No byte of a changed file is handed on.
func TestReadSeesChange(t *testing.T) {
	s := open(t)
	o := create(t, s, "k", strings.Repeat("a", 1000))
	body, err := s.Open(t.Context(), o.Ref, connectors.All)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if _, err := io.ReadFull(body, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(s.Root(), "k"), strings.Repeat("b", 1000))
	if rest, err := io.ReadAll(body); len(rest) > 0 || !errors.Is(err, connectors.ErrChanged) {
		t.Errorf("%d bytes, %v", len(rest), err)
	}
}

func TestLinksAreNotFollowed(t *testing.T) {
	s := open(t)
	outside := t.TempDir()
	write(t, filepath.Join(outside, "secret"), "outside")
	create(t, s, "d/k", "inside")
	for name, to := range map[string]string{"file": filepath.Join(outside, "secret"), "folder": outside, "inner": "d/k"} {
		if err := os.Symlink(to, filepath.Join(s.Root(), name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(s.Root(), "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for o, err := range s.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, o.Key)
		_, err = s.Open(t.Context(), o.Ref, connectors.All)
		if want := o.Key != "d/k"; want != errors.Is(err, connectors.ErrUnsupported) {
			t.Errorf("open %q: %v", o.Key, err)
		}
	}
	if got := fmt.Sprint(keys); got != "[d/k file folder inner pipe]" {
		t.Errorf("listed %s", got)
	}
	if _, err := s.Open(t.Context(), connectors.Ref{Key: "folder/secret"}, connectors.All); !errors.Is(err, connectors.ErrUnsupported) {
		t.Errorf("open through a link: %v", err)
	}
	if _, err := s.Create(t.Context(), "folder/new", strings.NewReader("x")); !errors.Is(err, connectors.ErrUnsupported) {
		t.Errorf("create through a link: %v", err)
	}
	for _, err := range s.List(t.Context(), "folder/") {
		if !errors.Is(err, connectors.ErrUnsupported) {
			t.Errorf("list below a link: %v; silence would be a miss", err)
		}
	}
}

func TestModes(t *testing.T) {
	s := open(t)
	create(t, s, "d/e/k", "x")
	for path, want := range map[string]os.FileMode{"d": 0o700 | os.ModeDir, "d/e": 0o700 | os.ModeDir, "d/e/k": 0o600} {
		if fi, err := os.Lstat(filepath.Join(s.Root(), path)); err != nil || fi.Mode() != want {
			t.Errorf("%s: %v, %v", path, fi.Mode(), err)
		}
	}
}

// What is created like another object can be reached by whoever could reach that one.
func TestFoldersLikeAnother(t *testing.T) {
	s := open(t)
	o := create(t, s, "d/old/k", "x")
	for path, mode := range map[string]os.FileMode{"d": 0o711, "d/old": 0o775, "d/old/k": 0o644} {
		if err := os.Chmod(filepath.Join(s.Root(), path), mode); err != nil {
			t.Fatal(err)
		}
	}
	for now, err := range s.List(t.Context(), "d/old/k") {
		if err != nil {
			t.Fatal(err)
		}
		o = now
	}
	if _, err := s.CreateLike(t.Context(), "d/new/e/k", o.Ref, text("y")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{"d": 0o711 | os.ModeDir, "d/new": 0o775 | os.ModeDir, "d/new/e": 0o775 | os.ModeDir, "d/new/e/k": 0o644} {
		if fi, err := os.Lstat(filepath.Join(s.Root(), path)); err != nil || fi.Mode() != want {
			t.Errorf("%s: %v, %v", path, fi.Mode(), err)
		}
	}
}

func TestDeleteRemovesEmptyFolders(t *testing.T) {
	s := open(t)
	o := create(t, s, "a/b/c/k", "x")
	create(t, s, "a/other", "x")
	if err := s.Delete(t.Context(), o.Ref); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(s.Root(), "a/b")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty folder stays: %v", err)
	}
	if got := tree(t, s.Root()); got != "a/other=x" {
		t.Error(got)
	}
}

func TestNew(t *testing.T) {
	d := filepath.Join(t.TempDir(), "with space")
	if _, err := dir.New("lake", d); !errors.Is(err, connectors.ErrNoStore) {
		t.Errorf("no directory: %v", err)
	}
	if err := os.Mkdir(d, 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := dir.New("lake", d)
	if err != nil || !strings.HasSuffix(s.URL(), "/with%20space") {
		t.Fatalf("%v, %v", s, err)
	}
	if again, err := dir.New("lake", s.URL()); err != nil || again.Root() != d {
		t.Errorf("by its URL: %v", err)
	}
	if _, err := dir.New("lake", "file://elsewhere/x"); err == nil {
		t.Error("another host's file was taken")
	}
}

// TestKilled kills a process at each point of each change. Afterwards the object is
// as before or as after, and Sweep leaves nothing hidden.
func TestKilled(t *testing.T) {
	if what := os.Getenv("DIR_TEST_KILL"); what != "" {
		killed(t, what)
		return
	}
	both := "d/k=before|d/k=after"
	for _, c := range []struct{ do, point, act, want string }{
		{"create", "made", "", "d/k=before"},
		{"create", "written", "", "d/k=before"},
		{"create", "linked", "", "d/k=before d/new=after"},
		{"create", "unlinked", "", "d/k=before d/new=after"},
		{"replace", "made", "", "d/k=before"},
		{"replace", "written", "", "d/k=before"},
		{"replace", "intended", "", "d/k=before"},
		{"replace", "checked", "", "d/k=before"},
		{"replace", "exchanged", "", both},
		{"replace", "swapped", "", "d/k=after"},
		{"replace", "unlinked", "", "d/k=after"},
		{"replace", "exchanged", "theirs", "d/k=theirs"}, // put just before the exchange
		{"delete", "checked", "", "d/k=before"},
		{"delete", "renamed", "", ""},
		{"delete", "unlinked", "", ""},
	} {
		t.Run(strings.TrimSpace(c.do+" "+c.point+" "+c.act), func(t *testing.T) {
			s := open(t)
			create(t, s, "d/k", "before")
			cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
			cmd.Env = append(os.Environ(), "DIR_TEST_KILL="+strings.Join([]string{c.do, c.point, c.act, s.Root()}, "|"))
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			var exit *exec.ExitError
			if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != -1 {
				t.Fatalf("the process was not killed: %v\n%s", err, out.String())
			}
			for o, err := range s.List(t.Context(), "") {
				if err != nil || strings.Contains(o.Key, ".expunge") {
					t.Errorf("listed %q, %v", o.Key, err)
				}
			}
			before := tree(t, s.Root())
			if n, err := s.Sweep(t.Context(), "", time.Unix(0, 0)); n != 0 || err != nil || tree(t, s.Root()) != before {
				t.Errorf("a sweep of what is young removed %d, %v", n, err)
			}
			n, err := s.Sweep(t.Context(), "", time.Now().Add(time.Hour))
			if err != nil || n != strings.Count(before, "hidden=") {
				t.Errorf("sweep of %q: %d, %v", before, n, err)
			}
			got := tree(t, s.Root())
			for _, want := range strings.Split(c.want, "|") {
				if got == want {
					return
				}
			}
			t.Errorf("afterwards %q, want %q (before the sweep %q)", got, c.want, before)
		})
	}
}

func killed(t *testing.T, what string) {
	parts := strings.SplitN(what, "|", 4)
	s, err := dir.New("lake", parts[3])
	if err != nil {
		t.Fatal(err)
	}
	var o connectors.Object
	for o, err = range s.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
	}
	s.SetHook(func(point string) {
		if point == "checked" && parts[2] != "" {
			put(t, filepath.Join(parts[3], "d", "k"), parts[2])
		}
		if point == parts[1] {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
	switch parts[0] {
	case "create":
		_, err = s.Create(t.Context(), "d/new", strings.NewReader("after"))
	case "replace":
		_, err = s.Replace(t.Context(), o.Ref, text("after"))
	case "delete":
		err = s.Delete(t.Context(), o.Ref)
	}
	t.Fatalf("went on to the end: %v", err)
}
