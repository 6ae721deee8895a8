package dir

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"expunge/connectors"
)

// Delete implements connectors.Store: the file is renamed to a hidden name, looked
// at once more, and only then removed.
func (s *Store) Delete(ctx context.Context, r connectors.Ref) error {
	if err := s.delete(ctx, r); err != nil {
		return fmt.Errorf("delete %q: %w", r.Key, err)
	}
	return nil
}

func (s *Store) delete(ctx context.Context, r connectors.Ref) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.ETag == "" && r.Version == "" {
		return errors.New("the ETag that was seen is needed")
	}
	d, base, err := s.parent(r.Key, nil)
	if err != nil {
		return cause(err)
	}
	defer d.Close()
	f, was, err := openSeen(d, base, r)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := s.take(ctx, d, f, r.Key, base, was); err != nil {
		return err
	}
	if err := d.Sync(); err != nil {
		return cause(err)
	}
	s.prune(r.Key)
	return nil
}

// take removes base if it is f as it was.
func (s *Store) take(ctx context.Context, d, f *os.File, key, base string, was state) error {
	defer s.lock(key)()
	watched, err := watch(f)
	if err != nil {
		return fmt.Errorf("another process has it open for writing: %w (%w)", connectors.ErrTemporary, err)
	}
	now, err := lstat(d, base)
	if err != nil {
		return cause(err)
	}
	if !now.same(was) {
		return connectors.ErrChanged
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.at("checked")
	temp := intentName("d", base, was, 0)
	if err := rename(d, base, temp); err != nil {
		return cause(err)
	}
	s.at("renamed")
	if now, err = lstat(d, temp); err != nil || !now.sameBytes(was) || disturbed(f, watched) {
		return errors.Join(connectors.ErrChanged, giveBack(d, temp, base))
	}
	if err := unlink(d, temp); err != nil {
		return errors.Join(cause(err), giveBack(d, temp, base))
	}
	s.at("unlinked")
	return nil
}

// giveBack gives what was taken its name again, unless something newer has it.
func giveBack(d *os.File, temp, base string) error {
	fd := int(d.Fd())
	err := again0(func() error { return unix.Linkat(fd, temp, fd, base, 0) })
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EOPNOTSUPP) {
		err = linkByRename(d, temp, base)
		if err == nil {
			return nil
		}
	}
	if err != nil {
		return errors.Join(errLeft, err)
	}
	return drop(d, temp)
}
