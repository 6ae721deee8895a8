package dir

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// exchange swaps two names at one stroke. It reports whether the kernel and the
// file system can.
func exchange(d *os.File, a, b string) (bool, error) {
	fd := int(d.Fd())
	err := again0(func() error { return unix.Renameat2(fd, a, fd, b, unix.RENAME_EXCHANGE) })
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP) {
		return false, nil
	}
	return true, err
}

// linkByRename gives temp the name base if nothing has it.
func linkByRename(d *os.File, temp, base string) error {
	fd := int(d.Fd())
	return again0(func() error { return unix.Renameat2(fd, temp, fd, base, unix.RENAME_NOREPLACE) })
}

// watch takes a read lease on f: it fails with EAGAIN while anybody has the file
// open for writing, and makes those who come wait until f is closed. It reports
// whether there is a lease; not every file system has them.
func watch(f *os.File) (bool, error) {
	_, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_RDLCK)
	if errors.Is(err, unix.EAGAIN) {
		return false, err
	}
	return err == nil, nil
}

// disturbed reports whether somebody waits to write to f since it is watched.
func disturbed(f *os.File, watched bool) bool {
	if !watched {
		return false
	}
	typ, err := unix.FcntlInt(f.Fd(), unix.F_GETLEASE, 0)
	return err == nil && typ != unix.F_RDLCK
}
