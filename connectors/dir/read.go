package dir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"expunge/connectors"
)

// Open implements connectors.Store. Each read is followed by a look at the file,
// and its bytes are handed on only if it is still the version that was opened.
func (s *Store) Open(ctx context.Context, r connectors.Ref, rng connectors.Range) (io.ReadCloser, error) {
	b, err := s.open(ctx, r, rng)
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", r.Key, err)
	}
	return b, nil
}

func (s *Store) open(ctx context.Context, r connectors.Ref, rng connectors.Range) (*body, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if rng.Off < 0 {
		return nil, errors.New("range begins before the object")
	}
	d, base, err := s.parent(r.Key, nil)
	if err != nil {
		return nil, cause(err)
	}
	defer d.Close()
	f, st, err := openSeen(d, base, r)
	if err != nil {
		return nil, err
	}
	end := st.size
	if rng.Len >= 0 && rng.Off < end && rng.Len < end-rng.Off {
		end = rng.Off + rng.Len
	}
	return &body{ctx: ctx, f: f, was: st, key: r.Key, off: rng.Off, end: end}, nil
}

// openSeen opens the regular file base in d if it is the version that r names.
func openSeen(d *os.File, base string, r connectors.Ref) (*os.File, state, error) {
	// Without O_NONBLOCK a pipe would wait for its writer.
	fd, err := again(func() (int, error) {
		return unix.Openat(int(d.Fd()), base, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		if st, serr := lstat(d, base); serr == nil && !st.is(unix.S_IFREG) {
			return nil, st, notRegular(st)
		}
		if errors.Is(err, unix.ENAMETOOLONG) {
			err = unix.ENOENT // what cannot be is not there
		}
		return nil, state{}, cause(err)
	}
	f := os.NewFile(uintptr(fd), base)
	st, err := fstat(f)
	switch {
	case err != nil:
		err = cause(err)
	case !st.is(unix.S_IFREG):
		err = notRegular(st)
	case r.Version != "":
		err = fmt.Errorf("%w: a directory keeps no versions", connectors.ErrNotFound)
	case r.ETag != "" && r.ETag != st.etag():
		err = connectors.ErrChanged
	}
	if err != nil {
		f.Close()
		return nil, st, err
	}
	return f, st, nil
}

func notRegular(st state) error {
	switch {
	case st.is(unix.S_IFDIR):
		return fmt.Errorf("%w: a folder is no object", connectors.ErrNotFound)
	case st.is(unix.S_IFLNK):
		return fmt.Errorf("symbolic links are not followed: %w", connectors.ErrUnsupported)
	}
	return fmt.Errorf("neither a file nor a folder: %w", connectors.ErrUnsupported)
}

// body reads a run of bytes of one version.
type body struct {
	ctx      context.Context
	f        *os.File
	was      state
	key      string
	off, end int64
}

func (b *body) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, fmt.Errorf("read %q: %w", b.key, err)
	}
	if len(p) == 0 {
		return 0, nil
	}
	var n int
	var err error
	if b.off < b.end {
		n, err = b.f.ReadAt(p[:min(int64(len(p)), b.end-b.off)], b.off)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, fmt.Errorf("read %q: %w", b.key, cause(err))
		}
	}
	now, serr := fstat(b.f)
	switch {
	case serr != nil:
		return 0, fmt.Errorf("read %q: %w", b.key, cause(serr))
	case !now.same(b.was):
		return 0, fmt.Errorf("read %q: %w", b.key, connectors.ErrChanged)
	case b.off >= b.end:
		return 0, io.EOF
	case n == 0:
		return 0, fmt.Errorf("read %q: %w", b.key, io.ErrUnexpectedEOF)
	}
	b.off += int64(n)
	return n, nil
}

func (b *body) Close() error { return b.f.Close() }
