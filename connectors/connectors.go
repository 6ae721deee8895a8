// Package connectors says what expunge asks of an object store. It is the whole
// of what the other rooms know of one: nothing here is a vendor's.
//
// A store holds objects under keys. Keys are byte strings with slashes, order is
// byte order, and a key may be the prefix of another ("a" beside "a/b"). A Ref
// names one immutable version of an object; everything that reads or changes an
// object takes the Ref that was seen, so that nobody acts on what another writer
// has put in its place. There is no unconditional write and no unconditional
// delete in this interface, and there must never be one.
package connectors

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// Errors that callers tell apart with errors.Is. An implementation wraps them
// with the key and what it tried; values read from objects never appear in them.
var (
	ErrNotFound    = errors.New("object not found")
	ErrExists      = errors.New("object exists")
	ErrChanged     = errors.New("object changed since it was listed")
	ErrHeld        = errors.New("object is held by a lock or a legal hold")
	ErrDenied      = errors.New("access denied")
	ErrMFA         = errors.New("deleting a version takes multi-factor authentication here")
	ErrNull        = errors.New("what has no version id of its own cannot be deleted under a condition")
	ErrNoStore     = errors.New("bucket or directory not found")
	ErrArchived    = errors.New("object is archived and must be restored before it can be read")
	ErrTemporary   = errors.New("temporary failure") // worth another try: throttling, resets, truncated bodies
	ErrUnsupported = errors.New("not supported by this store")
)

// Ref names one immutable version of an object.
type Ref struct {
	Store   string // the store's name in the config
	Key     string
	Version string // "" where the store keeps no versions
	ETag    string // as the store gives it, without quotes; "" is refused by Replace and Delete
}

// Object is one version of an object as a listing shows it.
type Object struct {
	Ref
	Size     int64 // bytes
	Modified time.Time
	Class    string // storage class as the vendor writes it; "" is the standard one
}

// Version is one version of a key, or a delete marker, from a Versioner.
type Version struct {
	Object
	Current bool // the version that a plain read sees
	Deleted bool // a delete marker: no bytes, Size 0, ETag ""
}

// Range is a run of bytes of an object. Len < 0 reaches to the end.
type Range struct{ Off, Len int64 }

// All is the range of a whole object.
var All = Range{0, -1}

// Store is an object store, or a folder of one. It is safe for concurrent use.
// The laws that bind every implementation are tests in storetest.
type Store interface {
	// URL says where the store is: "s3://bucket/prefix" or "file:///path".
	URL() string

	// List yields the current objects whose keys begin with prefix, each once, in
	// byte order of their keys. The first error ends the sequence. Objects that
	// appear or vanish during the listing may or may not be in it. In a store
	// that keeps versions and was told to show them, Ref.Version is set.
	List(ctx context.Context, prefix string) iter.Seq2[Object, error]

	// Open reads a range of exactly the version that r names. With r.ETag "" and
	// r.Version "" it reads what is current. It fails with ErrNotFound if the
	// version is gone and with ErrChanged if the ETag is another one, also when
	// that happens between two parts of one read: bytes of two versions are never
	// mixed. A body that ends early is an error from Read, never a silent io.EOF.
	// A range beyond the end yields what there is. The caller closes the reader.
	Open(ctx context.Context, r Ref, rng Range) (io.ReadCloser, error)

	// Create writes a new object, whole or not at all. It fails with ErrExists if
	// the key holds a current object. body is read from its start; it may be read
	// more than once.
	Create(ctx context.Context, key string, body io.ReadSeeker) (Object, error)

	// Replace puts p in the place of old, whole or not at all, only while old is
	// current: else ErrChanged (or ErrNotFound if the key is gone). Metadata,
	// tags, ACL, storage class and encryption stay as they were.
	Replace(ctx context.Context, old Ref, p Patch) (Object, error)

	// Delete removes exactly the version that r names. Without r.Version it
	// removes the current object, only while its ETag is r.ETag: else ErrChanged.
	// It fails with ErrNotFound if the version is gone, and ErrHeld under a lock: a
	// *LockError where the store says which.
	Delete(ctx context.Context, r Ref) error
}

// Versioner is a Store that can show what its keys held before.
type Versioner interface {
	Store
	// Versions yields every version and delete marker of the keys that begin with
	// prefix, by key in byte order and newest first within a key, each once.
	Versions(ctx context.Context, prefix string) iter.Seq2[Version, error]
}

// Patch is the new content of an object in terms of the old: pieces of the source
// and pieces of a spool, in order. Bytes that did not change are named, not
// carried, so that a store can copy them on its own side.
type Patch struct {
	Pieces []Piece
	Spool  io.ReaderAt // what the pieces with Spool set refer to; may be nil if there are none

	// Begun is told the id of an upload in parts before it holds a byte, so that its caller
	// can give it up should this process be killed; its error ends the write. nil: nobody.
	Begun func(ctx context.Context, upload string) error
}

// Piece is a run of bytes of the source object or of the spool.
type Piece struct {
	Spool    bool
	Off, Len int64
}

// Size is the number of bytes the patched object has.
func (p Patch) Size() int64 {
	var n int64
	for _, piece := range p.Pieces {
		n += piece.Len
	}
	return n
}
