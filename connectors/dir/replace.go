package dir

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"expunge/connectors"
)

// largePiece is from where on a piece is copied by the kernel (which shares the
// blocks, where the file system can) instead of through a buffer.
const largePiece = 256 << 10

// Replace implements connectors.Store: the new content is written under a hidden
// name, synced, and exchanged with the old file, which is then looked at once more.
func (s *Store) Replace(ctx context.Context, old connectors.Ref, p connectors.Patch) (connectors.Object, error) {
	o, err := s.replace(ctx, old, p)
	if err != nil {
		return connectors.Object{}, fmt.Errorf("replace %q: %w", old.Key, err)
	}
	return o, nil
}

func (s *Store) replace(ctx context.Context, old connectors.Ref, p connectors.Patch) (o connectors.Object, err error) {
	if err := ctx.Err(); err != nil {
		return o, err
	}
	if old.ETag == "" {
		return o, errors.New("the ETag that was seen is needed")
	}
	d, base, err := s.parent(old.Key, nil)
	if err != nil {
		return o, cause(err)
	}
	defer d.Close()
	src, was, err := openSeen(d, base, old)
	if err != nil {
		return o, err
	}
	defer src.Close()
	temp := tempName("w")
	f, err := createTemp(d, temp)
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
	if err := patch(ctx, f, src, was.size, p); err != nil {
		return o, err
	}
	if err := dress(f, src, was); err != nil {
		return o, fmt.Errorf("keep mode, owner and attributes: %w", cause(err))
	}
	f, err = finish(d, f, temp)
	if err != nil {
		return o, cause(err)
	}
	st, err := fstat(f)
	if err != nil {
		return o, cause(err)
	}
	s.at("written")

	defer s.lock(old.Key)()
	intent := intentName("r", base, was, st.ino)
	if err := rename(d, temp, intent); err != nil {
		return o, cause(err)
	}
	temp = intent // now its name says what may be under it
	s.at("intended")
	if err := ctx.Err(); err != nil {
		return o, err
	}
	switch err := s.swap(d, base, temp, src, was, st.ino); {
	case errors.Is(err, errLeft):
		named = false // what is under the hidden name is not ours to remove
		return o, err
	case err != nil:
		return o, err
	}
	s.at("swapped")
	if err := drop(d, temp); err != nil {
		return o, err
	}
	named = false
	s.at("unlinked")
	if err := d.Sync(); err != nil {
		return o, cause(err)
	}
	if st, err = fstat(f); err != nil {
		return o, cause(err)
	}
	return s.object(old.Key, st), nil
}

// errLeft marks a hidden name that holds what another writer wrote.
var errLeft = errors.New("a version that another writer wrote was left under a hidden name")

// swap puts temp, whose inode is ino, in the place of base, while base is src as
// it was. Afterwards what has the name temp is to be removed, but for errLeft.
func (s *Store) swap(d *os.File, base, temp string, src *os.File, was state, ino uint64) error {
	watched, err := watch(src)
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
	s.at("checked")
	can, err := exchange(d, base, temp)
	if !can {
		return cause(rename(d, temp, base))
	}
	if err != nil {
		return cause(err)
	}
	s.at("exchanged")
	now, err = lstat(d, temp)
	if err == nil && now.sameBytes(was) && !disturbed(src, watched) {
		return nil
	}
	return errors.Join(connectors.ErrChanged, s.unswap(d, base, temp, ino))
}

// unswap gives base back what was exchanged for the file with inode ino.
func (s *Store) unswap(d *os.File, base, temp string, ino uint64) error {
	if now, err := lstat(d, base); err != nil || now.ino != ino {
		// Somebody has replaced ours already. What they replaced in truth, or so they
		// think, is under temp: nobody misses it, but it is not ours to decide.
		return errLeft
	}
	if _, err := exchange(d, base, temp); err != nil {
		return errors.Join(errLeft, cause(err))
	}
	if now, err := lstat(d, temp); err != nil || now.ino != ino {
		// They came between the two lines above; theirs is the newest.
		_, err := exchange(d, base, temp)
		return errors.Join(errLeft, cause(err))
	}
	return nil
}

// patch writes the pieces of p one after another.
func patch(ctx context.Context, f, src *os.File, size int64, p connectors.Patch) error {
	for i, piece := range p.Pieces {
		switch {
		case piece.Off < 0 || piece.Len < 0:
			return fmt.Errorf("piece %d of the patch has a negative range", i)
		case !piece.Spool && (piece.Off > size || piece.Len > size-piece.Off):
			return fmt.Errorf("piece %d of the patch lies beyond the source", i)
		case piece.Spool && piece.Len > 0 && p.Spool == nil:
			return fmt.Errorf("piece %d of the patch needs a spool", i)
		}
	}
	w := bufio.NewWriterSize(f, largePiece)
	for i, piece := range p.Pieces {
		if err := copyPiece(ctx, w, f, src, p.Spool, piece); err != nil {
			return fmt.Errorf("copy piece %d of the patch: %w", i, err)
		}
	}
	return w.Flush()
}

func copyPiece(ctx context.Context, w *bufio.Writer, f, src *os.File, spool io.ReaderAt, piece connectors.Piece) error {
	large := !piece.Spool && piece.Len >= largePiece
	if large {
		if err := w.Flush(); err != nil {
			return err
		}
		if _, err := src.Seek(piece.Off, io.SeekStart); err != nil {
			return err
		}
	}
	for off, end := piece.Off, piece.Off+piece.Len; ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if off == end {
			return nil
		}
		step := min(copyStep, end-off)
		var n int64
		var err error
		switch {
		case large:
			n, err = io.CopyN(f, src, step)
		case piece.Spool:
			n, err = io.Copy(w, io.NewSectionReader(spool, off, step))
		default:
			n, err = io.Copy(w, io.NewSectionReader(src, off, step))
		}
		if err == nil && n < step || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		off += n
	}
}

// dress gives f the owner, mode and extended attributes (ACLs among them) of src.
func dress(f, src *os.File, was state) error {
	now, err := fstat(f)
	if err != nil {
		return err
	}
	if now.uid != was.uid || now.gid != was.gid {
		if err := f.Chown(int(was.uid), int(was.gid)); err != nil {
			return err
		}
	}
	if err := again0(func() error { return unix.Fchmod(int(f.Fd()), was.mode&0o7777) }); err != nil {
		return err
	}
	return copyAttrs(f, src)
}
