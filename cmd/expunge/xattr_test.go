//go:build linux || darwin

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// copyTree copies files with their times and extended attributes, in which the S3
// server of tests keeps what stands beside the bytes.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(name string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		info, err := d.Info()
		if err != nil {
			return err
		}
		if d.IsDir() {
			if err := os.MkdirAll(target, 0o700); err != nil {
				return err
			}
			return copyAttributes(name, target)
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(target, b, 0o600); err != nil {
			return err
		}
		if err := copyAttributes(name, target); err != nil {
			return err
		}
		return os.Chtimes(target, info.ModTime(), info.ModTime())
	})
	if err != nil {
		t.Fatal(err)
	}
}

func copyAttributes(from, to string) error {
	names := make([]byte, 64<<10)
	n, err := unix.Listxattr(from, names)
	if err != nil {
		return &os.PathError{Op: "list attributes of", Path: from, Err: err}
	}
	value := make([]byte, 64<<10)
	for name := range bytes.SplitSeq(bytes.TrimRight(names[:n], "\x00"), []byte{0}) {
		if !bytes.HasPrefix(name, []byte("user.")) {
			continue // the system's own
		}
		k, err := unix.Getxattr(from, string(name), value)
		if err == nil {
			err = unix.Setxattr(to, string(name), value[:k], 0)
		}
		if err != nil {
			return &os.PathError{Op: "copy attributes of", Path: from, Err: err}
		}
	}
	return nil
}
