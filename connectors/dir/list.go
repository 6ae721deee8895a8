package dir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"expunge/connectors"
)

// List implements connectors.Store. It holds the names of the folders on the way
// to the current one in memory, and no more: some 100 bytes for each.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[connectors.Object, error] {
	return func(yield func(connectors.Object, error) bool) {
		err := s.walk(ctx, prefix, func(d *os.File, key, base string) error {
			if strings.HasPrefix(base, hidden) {
				return nil
			}
			st, err := lstat(d, base)
			if errors.Is(err, unix.ENOENT) || st.is(unix.S_IFDIR) {
				return nil // gone since the folder was read
			}
			if err != nil {
				return fmt.Errorf("look at %q: %w", key, cause(err))
			}
			if !yield(s.object(key, st), nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(connectors.Object{}, fmt.Errorf("list %q: %w", prefix, err))
		}
	}
}

var errStop = errors.New("stop")

// walk calls visit for all that is no folder, in byte order of the keys.
func (s *Store) walk(ctx context.Context, prefix string, visit func(d *os.File, key, base string) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	path, rest := "", prefix
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		path, rest = prefix[:i], prefix[i+1:]
		if i == 0 || errors.Is(check(path), connectors.ErrUnsupported) {
			return nil // no key begins so
		}
	}
	d, err := s.folder(path, nil)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ENAMETOOLONG) {
		return nil
	}
	if err != nil {
		return cause(err)
	}
	if path != "" {
		path += "/"
	}
	return walkFolder(ctx, d, path, rest, visit)
}

// walkFolder visits what is in d, whose keys begin with path, and closes d.
func walkFolder(ctx context.Context, d *os.File, path, prefix string, visit func(d *os.File, key, base string) error) error {
	defer d.Close()
	names, err := names(d, prefix)
	if err != nil {
		return fmt.Errorf("read folder %q: %w", path, cause(err))
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		base, folder := strings.CutSuffix(name, "/")
		if !folder {
			if err := visit(d, path+base, base); err != nil {
				return err
			}
			continue
		}
		sub, err := step(d, base, nil)
		switch {
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR), errors.Is(err, connectors.ErrUnsupported):
			// Gone since the folder was read, or something else has appeared there.
		case err != nil:
			return fmt.Errorf("open folder %q: %w", path+name, cause(err))
		default:
			if err := walkFolder(ctx, sub, path+name, "", visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// names returns the names in d that begin with prefix, folders with a slash
// behind, which is what puts them in the order of keys.
func names(d *os.File, prefix string) ([]string, error) {
	var all []string
	for {
		entries, err := d.ReadDir(1024)
		for _, e := range entries {
			name, typ := e.Name(), e.Type()
			if !strings.HasPrefix(name, prefix) {
				continue
			}
			if typ&fs.ModeDir != 0 {
				name += "/"
			}
			all = append(all, name)
		}
		if errors.Is(err, io.EOF) {
			slices.Sort(all)
			return slices.Compact(all), nil
		}
		if err != nil {
			return nil, err
		}
	}
}
