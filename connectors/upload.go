package connectors

import (
	"context"
	"time"
)

// Upload is a write in parts that was begun and neither completed nor given up. No
// read and no listing of objects shows its bytes, but the store keeps them.
type Upload struct {
	Key, ID string
	Begun   time.Time
	Written time.Time // the newest of its parts; zero where it has none
}

// Idle is since when nothing was done to it.
func (u Upload) Idle() time.Time {
	if u.Written.After(u.Begun) {
		return u.Written
	}
	return u.Begun
}

// Uploader is a Store that keeps what unfinished uploads have brought so far.
type Uploader interface {
	Store
	// Uploads returns the unfinished uploads of exactly this key, by id; those of keys
	// that it is a prefix of are none of its. It fails with ErrUnsupported where the
	// store cannot tell.
	Uploads(ctx context.Context, key string) ([]Upload, error)

	// Abort gives one upload up, by its key and id, and with it the bytes that it has
	// brought. Objects, and other uploads of the key, stay. It fails with ErrNotFound if
	// there is no such upload (any more).
	Abort(ctx context.Context, u Upload) error
}
