package dir

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// What a process leaves behind when it dies, and what Sweep makes of it:
//
//	.expunge-w-RAND                               being written: never had a name, is removed
//	.expunge-r-BASE-INO-SIZE-MTIME-NEW-RAND       a replacement (inode NEW) of the file INO:
//	    holds NEW: not exchanged yet, or swapped back: removed
//	    holds INO as it was: exchanged: the replacement is complete, the old bytes are removed
//	    holds anything else: another writer's, taken by the exchange: swapped back
//	.expunge-d-BASE-INO-SIZE-MTIME-0-RAND         a deletion:
//	    holds INO as it was: removed; anything else (somebody replaced the file at the
//	    very moment): left, with an error, for a person to look at
//
// BASE is a digest of the file's name, the numbers are hexadecimal.

// intentName is a hidden name that says which file it stands for.
func intentName(why, base string, was state, ino uint64) string {
	return tempName(fmt.Sprintf("%s-%s-%x-%x-%x-%x", why, digest(base), was.ino, was.size, was.mtime, ino))
}

func digest(base string) string {
	sum := sha256.Sum256([]byte(base))
	return fmt.Sprintf("%x", sum[:8])
}

// intent is an intentName read back.
type intent struct {
	why  string
	base string // digest
	was  state
	ino  uint64
}

func parseIntent(name string) (intent, bool) {
	parts := strings.Split(strings.TrimPrefix(name, hidden), "-")
	if len(parts) == 2 && parts[0] == "w" {
		return intent{why: "w"}, true
	}
	if len(parts) != 7 || parts[0] != "r" && parts[0] != "d" {
		return intent{}, false
	}
	in := intent{why: parts[0], base: parts[1]}
	_, err := fmt.Sscanf(strings.Join(parts[2:6], " "), "%x %x %x %x", &in.was.ino, &in.was.size, &in.was.mtime, &in.ino)
	return in, err == nil
}

// Sweep settles what processes that died left below prefix: unfinished files are
// removed, the bytes of replaced and deleted files too, and a foreign file that
// was caught in between gets its name back. Only what nobody has touched since
// before is looked at; before must lie so far back that its process is surely
// dead (an hour: a living one touches its file all the time). It returns how many
// files it removed, and an error for each that it could not settle. Until it has run, a
// listing does not show those bytes: run it before calling anything erased.
func (s *Store) Sweep(ctx context.Context, prefix string, before time.Time) (int, error) {
	n := 0
	var errs []error
	err := s.walk(ctx, prefix, func(d *os.File, key, base string) error {
		if !strings.HasPrefix(base, hidden) {
			return nil
		}
		st, err := lstat(d, base)
		if errors.Is(err, unix.ENOENT) || err == nil && st.ctime >= before.UnixNano() {
			return nil
		}
		if err == nil {
			err = s.settle(d, key, base, st)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("settle %q: %w", key, err))
			return nil
		}
		n++
		return nil
	})
	if err != nil {
		errs = append(errs, fmt.Errorf("sweep %q: %w", prefix, err))
	}
	return n, errors.Join(errs...)
}

// settle brings one leftover to its end, as described above.
func (s *Store) settle(d *os.File, key, temp string, st state) error {
	in, ok := parseIntent(temp)
	switch {
	case !ok || !st.is(unix.S_IFREG):
		return errors.New("not a name of ours; look at it and remove it by hand")
	case in.why == "w", in.why == "r" && st.ino == in.ino, st.sameBytes(in.was):
		if err := drop(d, temp); err != nil {
			return err
		}
		if err := d.Sync(); err != nil {
			return cause(err)
		}
		s.prune(key)
		return nil
	}
	if in.why == "d" {
		return errors.New("another writer's version was caught in a deletion; give it its name back by hand")
	}
	base, err := named(d, in.base)
	if err != nil {
		return err
	}
	if err := s.unswap(d, base, temp, in.ino); err != nil {
		return err
	}
	return errors.Join(drop(d, temp), cause(d.Sync()))
}

// named finds the name in d that has this digest.
func named(d *os.File, want string) (string, error) {
	if _, err := d.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	all, err := names(d, "")
	if err != nil {
		return "", cause(err)
	}
	for _, name := range all {
		if digest(name) == want {
			return name, nil
		}
	}
	return "", errors.New("the file that it was exchanged for is gone; look at it by hand")
}
