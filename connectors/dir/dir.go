// Package dir makes a directory a store. Keys are paths relative to it; every
// regular file below it is an object, and a new file is complete, synced and
// private (0600, folders 0700), or like the one it is created like, before it has its name.
//
// What it promises against other writers. Against those that work as it does
// (write elsewhere, rename or link into place; other runs of this program among
// them) the laws of a store hold: on Linux a replacement is exchanged with what
// stands in its place, looked at, and swapped back if it was not what was seen.
// Between the two, for microseconds, a reader may see the refused replacement.
// Where the kernel or the file system has no exchange, the check and the rename
// are two steps, and what another process puts there between them is lost;
// within one process it still is exact.
//
// Against writers that write in place: an ETag is made of inode, size, and both
// times of change to the nanosecond, and every read is followed by a look at them
// before its bytes are handed on. Before Linux 6.13 the times advance with the
// timer tick (1 to 10 ms): two writes of equal length within one tick cannot be
// told apart. A file that somebody has open for writing is not replaced or
// deleted (ErrTemporary) where the kernel can tell (read leases: Linux, a local
// file system, the file's owner or root).
//
// A link or a change of mode or owner changes the ETag, too: that is on the safe
// side. A hard link that leads to a file from elsewhere keeps the old bytes when
// the file is replaced; links within the directory are objects of their own.
//
// Symbolic links are never followed. They, and whatever else is no regular file,
// are listed, so that nobody overlooks them, and refuse to be opened. The root
// itself may be a link.
//
// Delete also removes the folders that it leaves empty, for their names may be
// telling; the root stays.
package dir

import (
	"crypto/rand"
	"errors"
	"fmt"
	"hash/maphash"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"expunge/connectors"
)

// hidden begins the names of files that are being written or taken away. They are
// no objects; Sweep settles those of processes that died.
const hidden = ".expunge-"

// Store is a directory as a store.
type Store struct {
	name string
	root string

	// locks serialise the moment of change per key within this process.
	locks [64]sync.Mutex
	seed  maphash.Seed

	hook func(point string) // for tests: called between the steps of a change
}

var _ connectors.Store = (*Store)(nil)

// New returns the store that goes by name in the config. location is a path or a
// "file:///path" URL of a directory that exists, else ErrNoStore.
func New(name, location string) (*Store, error) {
	path := location
	if strings.HasPrefix(location, "file:") {
		u, err := url.Parse(location)
		if err != nil || (u.Host != "" && u.Host != "localhost") || u.RawQuery != "" || u.Fragment != "" {
			return nil, fmt.Errorf("open store %s: %q is not a URL like file:///path", name, location)
		}
		path = u.Path
	}
	if path == "" {
		return nil, fmt.Errorf("open store %s: a directory is needed", name)
	}
	root, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", name, err)
	}
	s := &Store{name: name, root: root, seed: maphash.MakeSeed()}
	d, err := s.openRoot()
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", name, err)
	}
	return s, d.Close()
}

// URL is "file:///path", percent-encoded per segment.
func (s *Store) URL() string {
	parts := strings.Split(s.root, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return "file://" + strings.Join(parts, "/")
}

// check refuses keys that no path can stand for.
func check(key string) error {
	if key == "" {
		return errors.New("an object needs a key")
	}
	for _, seg := range strings.Split(key, "/") {
		if err := checkSegment(seg); err != nil {
			return err
		}
	}
	return nil
}

func checkSegment(seg string) error {
	switch {
	case seg == "" || seg == "." || seg == "..":
		return fmt.Errorf("a directory cannot hold keys with the segment %q: %w", seg, connectors.ErrUnsupported)
	case strings.IndexByte(seg, 0) >= 0:
		return fmt.Errorf("a directory cannot hold keys with NUL: %w", connectors.ErrUnsupported)
	case strings.HasPrefix(seg, hidden):
		return fmt.Errorf("names that begin with %q are kept for unfinished files: %w", hidden, connectors.ErrUnsupported)
	}
	return nil
}

// state is what tells one version of a file from another.
type state struct {
	ino          uint64
	size         int64
	mtime, ctime int64 // Unix nanoseconds
	mode         uint32
	uid, gid     uint32
}

func stateOf(st *unix.Stat_t) state {
	return state{
		ino: uint64(st.Ino), size: st.Size, mode: uint32(st.Mode), uid: st.Uid, gid: st.Gid,
		mtime: unix.TimespecToNsec(st.Mtim), ctime: unix.TimespecToNsec(st.Ctim),
	}
}

func (s state) etag() string  { return fmt.Sprintf("%x-%x-%x-%x", s.ino, s.size, s.mtime, s.ctime) }
func (s state) is(t int) bool { return s.mode&unix.S_IFMT == uint32(t) }
func (s state) same(o state) bool {
	return s.ino == o.ino && s.size == o.size && s.mtime == o.mtime && s.ctime == o.ctime
}

// sameBytes is same but for what a rename changes.
func (s state) sameBytes(o state) bool {
	return s.ino == o.ino && s.size == o.size && s.mtime == o.mtime
}

func (s *Store) object(key string, st state) connectors.Object {
	return connectors.Object{
		Ref:      connectors.Ref{Store: s.name, Key: key, ETag: st.etag()},
		Size:     st.size,
		Modified: time.Unix(0, st.mtime).UTC(),
	}
}

// lock takes the lock of a key for the moment of change.
func (s *Store) lock(key string) func() {
	l := &s.locks[maphash.String(s.seed, key)%uint64(len(s.locks))]
	l.Lock()
	return l.Unlock
}

func (s *Store) at(point string) {
	if s.hook != nil {
		s.hook(point)
	}
}

// cause names what the system said in the words of connectors, keeping both.
func cause(err error) error {
	var word error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		word = connectors.ErrNotFound
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM), errors.Is(err, unix.EROFS):
		word = connectors.ErrDenied
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ENOMEM), errors.Is(err, unix.ESTALE), errors.Is(err, unix.EAGAIN):
		word = connectors.ErrTemporary
	case errors.Is(err, unix.ENAMETOOLONG), errors.Is(err, unix.ELOOP), errors.Is(err, unix.EILSEQ):
		word = connectors.ErrUnsupported
	default:
		return err
	}
	return fmt.Errorf("%w (%w)", word, err)
}

// tempName is a hidden name that nobody else has. why tells Sweep what it is.
func tempName(why string) string { return hidden + why + "-" + strings.ToLower(rand.Text()[:16]) }

// openRoot opens the root, which may be a link.
func (s *Store) openRoot() (*os.File, error) {
	fd, err := again(func() (int, error) {
		return unix.Open(s.root, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil, fmt.Errorf("%w: no directory at %s", connectors.ErrNoStore, s.root)
	}
	if err != nil {
		return nil, cause(err)
	}
	return os.NewFile(uintptr(fd), s.root), nil
}

// again repeats a system call that a signal cut short.
func again[T any](f func() (T, error)) (T, error) {
	for {
		v, err := f()
		if !errors.Is(err, unix.EINTR) {
			return v, err
		}
	}
}

func again0(f func() error) error {
	_, err := again(func() (struct{}, error) { return struct{}{}, f() })
	return err
}

// maker makes a folder in another one.
type maker func(d *os.File, seg string) error

// private makes a folder for this user alone.
func private(d *os.File, seg string) error { return mkdir(d, seg, 0o700) }

func mkdir(d *os.File, seg string, mode uint32) error {
	return again0(func() error { return unix.Mkdirat(int(d.Fd()), seg, mode) })
}

// alike makes folders with the mode, owner and attributes of another one.
func alike(other *os.File) maker {
	return func(d *os.File, seg string) error {
		was, err := fstat(other)
		if err != nil {
			return err
		}
		if err := mkdir(d, seg, was.mode&0o777); err != nil {
			return err
		}
		f, err := step(d, seg, nil)
		if err != nil {
			return err
		}
		return errors.Join(dress(f, other, was), f.Close())
	}
}

// folder opens a folder below the root, step by step and through no link. What is
// missing is made, unless missing is nil.
func (s *Store) folder(path string, missing maker) (*os.File, error) {
	d, err := s.openRoot()
	if err != nil || path == "" {
		return d, err
	}
	for _, seg := range strings.Split(path, "/") {
		next, err := step(d, seg, missing)
		d.Close()
		if err != nil {
			return nil, err
		}
		d = next
	}
	return d, nil
}

func step(d *os.File, seg string, missing maker) (*os.File, error) {
	open := func() (int, error) {
		return unix.Openat(int(d.Fd()), seg, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	}
	fd, err := again(open)
	if errors.Is(err, unix.ENOENT) && missing != nil {
		err = missing(d, seg)
		if err == nil {
			err = d.Sync() // the name of a folder lasts before anything in it does
		}
		if err == nil || errors.Is(err, unix.EEXIST) {
			fd, err = again(open)
		}
	}
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		if st, serr := lstat(d, seg); serr == nil && st.is(unix.S_IFLNK) {
			return nil, fmt.Errorf("%q is a symbolic link and is not followed: %w", seg, connectors.ErrUnsupported)
		}
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), seg), nil
}

// parent opens the folder of a key and returns the last segment.
func (s *Store) parent(key string, missing maker) (*os.File, string, error) {
	if err := check(key); err != nil {
		return nil, "", err
	}
	path, base := "", key
	if i := strings.LastIndexByte(key, '/'); i >= 0 {
		path, base = key[:i], key[i+1:]
	}
	d, err := s.folder(path, missing)
	return d, base, err
}

func lstat(d *os.File, name string) (state, error) {
	var st unix.Stat_t
	err := again0(func() error { return unix.Fstatat(int(d.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	return stateOf(&st), err
}

func fstat(f *os.File) (state, error) {
	var st unix.Stat_t
	err := again0(func() error { return unix.Fstat(int(f.Fd()), &st) })
	return stateOf(&st), err
}

func unlink(d *os.File, name string) error {
	return again0(func() error { return unix.Unlinkat(int(d.Fd()), name, 0) })
}

func rename(d *os.File, from, to string) error {
	return again0(func() error { return unix.Renameat(int(d.Fd()), from, int(d.Fd()), to) })
}
