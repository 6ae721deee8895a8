package dir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"expunge/connectors"
)

// copyStep is how many bytes are copied between two looks at the context.
const copyStep = 8 << 20

// Create implements connectors.Store: the body is written under a hidden name,
// synced, and linked to its name, which fails if the name is taken.
func (s *Store) Create(ctx context.Context, key string, body io.ReadSeeker) (connectors.Object, error) {
	return s.createBy(ctx, key, private, func(f *os.File) error {
		if _, err := body.Seek(0, io.SeekStart); err != nil {
			return err
		}
		return copyBody(ctx, f, body)
	})
}

// CreateLike implements connectors.Liker, as Create does. Folders that it makes are like
// the one that like lies in.
func (s *Store) CreateLike(ctx context.Context, key string, like connectors.Ref, p connectors.Patch) (connectors.Object, error) {
	fail := func(err error) (connectors.Object, error) {
		return connectors.Object{}, fmt.Errorf("copy %q: %w", like.Key, err)
	}
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	if like.ETag == "" {
		return fail(errors.New("the ETag that was seen is needed"))
	}
	d, base, err := s.parent(like.Key, nil)
	if err != nil {
		return fail(cause(err))
	}
	defer d.Close()
	src, was, err := openSeen(d, base, like)
	if err != nil {
		return fail(err)
	}
	defer src.Close()
	return s.createBy(ctx, key, alike(d), func(f *os.File) error {
		if err := patch(ctx, f, src, was.size, p); err != nil {
			return err
		}
		if now, err := fstat(src); err != nil || !now.same(was) {
			return errors.Join(connectors.ErrChanged, err)
		}
		if err := dress(f, src, was); err != nil {
			return fmt.Errorf("keep mode, owner and attributes: %w", cause(err))
		}
		return nil
	})
}

// createBy makes the file that write fills.
func (s *Store) createBy(ctx context.Context, key string, missing maker, write func(f *os.File) error) (connectors.Object, error) {
	var o connectors.Object
	err := errVanished
	for range 100 { // a folder may be taken away, empty as it is, just after it was made
		if o, err = s.create(ctx, key, missing, write); !errors.Is(err, errVanished) {
			break
		}
	}
	if err != nil {
		return connectors.Object{}, fmt.Errorf("create %q: %w", key, err)
	}
	return o, nil
}

// errVanished says that another operation removed the folder it was to be in.
var errVanished = errors.New("the folder was removed meanwhile")

func (s *Store) create(ctx context.Context, key string, missing maker, write func(f *os.File) error) (o connectors.Object, err error) {
	if err := ctx.Err(); err != nil {
		return o, err
	}
	d, base, err := s.parent(key, missing)
	switch {
	case errors.Is(err, unix.ENOENT):
		return o, errVanished
	case errors.Is(err, unix.ENOTDIR):
		return o, fmt.Errorf("a part of the path is a file: %w", connectors.ErrUnsupported)
	case err != nil:
		return o, cause(err)
	}
	defer d.Close()
	defer func() {
		if err != nil {
			s.prune(key)
		}
	}()
	if st, err := lstat(d, base); err == nil { // spares the writing; the link decides
		if err := taken(d, base, st); err != nil {
			return o, err
		}
	}
	temp := tempName("w")
	f, err := createTemp(d, temp)
	if errors.Is(err, unix.ENOENT) {
		return o, errVanished
	}
	if err != nil {
		return o, cause(err)
	}
	named := true
	defer func() {
		f.Close()
		if named {
			err = errors.Join(err, drop(d, temp))
		}
	}()
	s.at("made")
	if err := write(f); err != nil {
		return o, err
	}
	f, err = finish(d, f, temp)
	if err != nil {
		return o, cause(err)
	}
	if err := ctx.Err(); err != nil {
		return o, err
	}
	s.at("written")
	if err := linkNew(d, temp, base); err != nil {
		return o, err
	}
	s.at("linked")
	if err := drop(d, temp); err != nil {
		return o, err
	}
	named = false
	s.at("unlinked")
	if err := d.Sync(); err != nil {
		return o, cause(err)
	}
	st, err := fstat(f)
	return s.object(key, st), cause(err)
}

func createTemp(d *os.File, temp string) (*os.File, error) {
	fd, err := again(func() (int, error) {
		return unix.Openat(int(d.Fd()), temp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), temp), nil
}

// finish syncs what was written to f and opens it again for reading only, so that
// once it has its name nobody has it open for writing.
func finish(d, f *os.File, temp string) (*os.File, error) {
	if err := f.Sync(); err != nil {
		return f, err
	}
	fd, err := again(func() (int, error) {
		return unix.Openat(int(d.Fd()), temp, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return f, err
	}
	return os.NewFile(uintptr(fd), temp), f.Close()
}

// copyBody copies body to its end.
func copyBody(ctx context.Context, f *os.File, body io.Reader) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.CopyN(f, body, copyStep)
		if errors.Is(err, io.EOF) && n < copyStep {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// taken says what stands in the way of a new file; nil if nothing does.
func taken(d *os.File, base string, st state) error {
	if !st.is(unix.S_IFDIR) {
		return connectors.ErrExists
	}
	// A store of keys knows no empty folders: one that is left over gives way.
	err := again0(func() error { return unix.Unlinkat(int(d.Fd()), base, unix.AT_REMOVEDIR) })
	if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("a folder has this name: %w", connectors.ErrUnsupported)
	}
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return cause(err)
}

// linkNew gives temp the name base as well, if nothing has it.
func linkNew(d *os.File, temp, base string) error {
	for range 100 {
		fd := int(d.Fd())
		err := again0(func() error { return unix.Linkat(fd, temp, fd, base, 0) })
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
			err = linkByRename(d, temp, base) // no hard links on this file system
		}
		if !errors.Is(err, unix.EEXIST) {
			return cause(err)
		}
		st, err := lstat(d, base)
		if errors.Is(err, unix.ENOENT) {
			continue // gone again
		}
		if err != nil {
			return cause(err)
		}
		if err := taken(d, base, st); err != nil {
			return err
		}
	}
	return fmt.Errorf("the name comes and goes: %w", connectors.ErrTemporary)
}

// drop removes a hidden name, which may be gone.
func drop(d *os.File, temp string) error {
	if err := unlink(d, temp); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove unfinished file: %w", cause(err))
	}
	return nil
}

// prune removes the folders of key that are empty, deepest first.
func (s *Store) prune(key string) {
	for {
		i := strings.LastIndexByte(key, '/')
		if i < 0 {
			return
		}
		key = key[:i]
		d, base, err := s.parent(key, nil)
		if err != nil {
			return
		}
		err = again0(func() error { return unix.Unlinkat(int(d.Fd()), base, unix.AT_REMOVEDIR) })
		if err == nil {
			err = d.Sync()
		}
		d.Close()
		if err != nil {
			return
		}
	}
}
