// Package output puts what a run hands out into the work store. Work is done again
// after a crash, and equal work gives equal bytes: so what is stored already is
// compared with what would be, and nothing is overwritten unseen.
package output

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"expunge/connectors"
)

// ErrDiffers says that something other than what would be written is stored.
var ErrDiffers = errors.New("something else is stored under this name")

// Body is what is stored: spool.Buffer, *os.File, *bytes.Reader.
type Body interface {
	io.ReadSeeker
	io.ReaderAt
}

// Digest is the SHA-256 of all that r gives, in hex, and how many bytes that is.
func Digest(r io.Reader) (sum string, size int64, err error) {
	h := sha256.New()
	size, err = io.Copy(h, r)
	return hex.EncodeToString(h.Sum(nil)), size, err
}

// Put stores body under key, where nothing is. If something is there and is the
// same, byte for byte, it stays; anything else is ErrDiffers. It returns the
// SHA-256 and the size of body.
func Put(ctx context.Context, work connectors.Store, key string, body Body) (sum string, size int64, err error) {
	sum, size, same, err := create(ctx, work, key, body)
	if err == nil && !same {
		err = fmt.Errorf("store %s: %w", key, ErrDiffers)
	}
	return sum, size, err
}

// Replace is Put, but that it puts body in the place of something else. It is for
// what nothing refers to yet, and for what has been withdrawn.
func Replace(ctx context.Context, work connectors.Store, key string, body Body) (sum string, size int64, err error) {
	sum, size, same, err := create(ctx, work, key, body)
	if err != nil || same {
		return sum, size, err
	}
	old, err := Find(ctx, work, key)
	if err != nil {
		return "", 0, err
	}
	patch := connectors.Patch{Pieces: []connectors.Piece{{Spool: true, Len: size}}, Spool: body}
	if _, err := work.Replace(ctx, old, patch); err != nil {
		return "", 0, fmt.Errorf("replace %s: %w", key, err)
	}
	return sum, size, nil
}

// create stores body and reports whether the store has the same under key now.
func create(ctx context.Context, work connectors.Store, key string, body Body) (sum string, size int64, same bool, err error) {
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return "", 0, false, fmt.Errorf("store %s: %w", key, err)
	}
	if sum, size, err = Digest(body); err != nil {
		return "", 0, false, fmt.Errorf("store %s: %w", key, err)
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return "", 0, false, fmt.Errorf("store %s: %w", key, err)
	}
	_, err = work.Create(ctx, key, body)
	if err == nil {
		return sum, size, true, nil
	}
	if !errors.Is(err, connectors.ErrExists) {
		return "", 0, false, fmt.Errorf("store %s: %w", key, err)
	}
	stored, err := work.Open(ctx, connectors.Ref{Key: key}, connectors.All)
	if err != nil {
		return "", 0, false, fmt.Errorf("open %s: %w", key, err)
	}
	defer stored.Close()
	have, _, err := Digest(stored)
	if err != nil {
		return "", 0, false, fmt.Errorf("read %s: %w", key, err)
	}
	return sum, size, have == sum, nil
}

// Find names the version that is current under key, else ErrNotFound.
func Find(ctx context.Context, work connectors.Store, key string) (connectors.Ref, error) {
	for o, err := range work.List(ctx, key) {
		if err != nil {
			return connectors.Ref{}, fmt.Errorf("list %s: %w", key, err)
		}
		if o.Key == key {
			return o.Ref, nil
		}
		break // the first in order is the key itself, if it is there
	}
	return connectors.Ref{}, fmt.Errorf("find %s: %w", key, connectors.ErrNotFound)
}
