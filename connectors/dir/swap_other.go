//go:build !linux

package dir

import (
	"os"

	"golang.org/x/sys/unix"
)

// exchange is not to be had: Replace makes do with a check and a rename.
func exchange(*os.File, string, string) (bool, error) { return false, nil }

func linkByRename(*os.File, string, string) error { return unix.ENOTSUP }

// watch has no leases to take.
func watch(*os.File) (bool, error) { return false, nil }

func disturbed(*os.File, bool) bool { return false }
