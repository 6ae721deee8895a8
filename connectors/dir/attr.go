package dir

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// copyAttrs gives to the extended attributes of from, which include its ACL and
// its security label. One that cannot be given is an error, but for those that
// the system keeps itself and has set alike already.
func copyAttrs(to, from *os.File) error {
	list, err := sized(func(b []byte) (int, error) { return unix.Flistxattr(int(from.Fd()), b) })
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list attributes: %w", err)
	}
	for _, name := range bytes.Split(bytes.TrimSuffix(list, []byte{0}), []byte{0}) {
		if len(name) == 0 {
			continue
		}
		value, err := attr(from, string(name))
		if err != nil {
			return fmt.Errorf("read attribute %q: %w", name, err)
		}
		if has, err := attr(to, string(name)); err == nil && bytes.Equal(has, value) {
			continue
		}
		if err := again0(func() error { return unix.Fsetxattr(int(to.Fd()), string(name), value, 0) }); err != nil {
			return fmt.Errorf("set attribute %q: %w", name, err)
		}
	}
	return nil
}

func attr(f *os.File, name string) ([]byte, error) {
	return sized(func(b []byte) (int, error) { return unix.Fgetxattr(int(f.Fd()), name, b) })
}

// sized calls f until its answer fits; it may grow between two calls.
func sized(f func([]byte) (int, error)) ([]byte, error) {
	for {
		n, err := again(func() (int, error) { return f(nil) })
		if err != nil || n == 0 {
			return nil, err
		}
		b := make([]byte, n)
		n, err = again(func() (int, error) { return f(b) })
		if !errors.Is(err, unix.ERANGE) {
			return b[:max(n, 0)], err
		}
	}
}
