package dir_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"expunge/connectors"
	"expunge/connectors/dir"
)

// dress gives a file a mode, an owner (as root) and an attribute.
func dress(s connectors.Store, key string) (func(key string) (string, error), error) {
	path := filepath.Join(s.(*dir.Store).Root(), key)
	if err := os.Chmod(path, 0o640); err != nil {
		return nil, err
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(path, 1234, 2345); err != nil {
			return nil, err
		}
	}
	if err := unix.Setxattr(path, "user.origin", []byte("loader 7"), 0); err != nil && !errors.Is(err, unix.ENOTSUP) {
		return nil, err
	}
	return func(key string) (string, error) {
		path := filepath.Join(s.(*dir.Store).Root(), key)
		fi, err := os.Lstat(path)
		if err != nil {
			return "", err
		}
		st := fi.Sys().(*syscall.Stat_t)
		value := make([]byte, 100)
		n, err := unix.Getxattr(path, "user.origin", value)
		if err != nil && !errors.Is(err, unix.ENOTSUP) {
			return "", err
		}
		return fmt.Sprintf("%s %d:%d %q", fi.Mode(), st.Uid, st.Gid, value[:max(n, 0)]), nil
	}, nil
}
