package connectors

import "context"

// Liker is a Store that can give a new object all that stands beside the bytes of
// another one.
type Liker interface {
	Store
	// CreateLike writes p, laid over the object like, as a new object under key, whole or
	// not at all, with the metadata, tags, ACL, storage class and encryption of like. It
	// fails with ErrExists if the key holds a current object, and with ErrChanged (or
	// ErrNotFound) if like is not what is current under its own key when it is read: what
	// becomes of like later is not its concern. like stays as it is.
	CreateLike(ctx context.Context, key string, like Ref, p Patch) (Object, error)
}
