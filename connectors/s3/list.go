package s3

import (
	"context"
	"errors"
	"iter"
	"strings"

	"expunge/connectors"
)

// List yields current objects, with their version ids if the store shows versions.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[connectors.Object, error] {
	return func(yield func(connectors.Object, error) bool) {
		err := s.rows(ctx, prefix, s.opt.Versions, func(v connectors.Version) bool {
			return !v.Current || v.Deleted || yield(v.Object, nil)
		})
		if err != nil {
			yield(connectors.Object{}, s.fail("list", prefix, err))
		}
	}
}

// Versions yields every version and delete marker. A bucket that never kept
// versions shows each object as its current version "null".
func (s *Store) Versions(ctx context.Context, prefix string) iter.Seq2[connectors.Version, error] {
	return func(yield func(connectors.Version, error) bool) {
		err := s.rows(ctx, prefix, true, func(v connectors.Version) bool { return yield(v, nil) })
		if err != nil {
			yield(connectors.Version{}, s.fail("list versions of", prefix, err))
		}
	}
}

// rows yields until yield says no, and returns an error only if it never did.
func (s *Store) rows(ctx context.Context, prefix string, versions bool, yield func(connectors.Version) bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	full, last := *s.key(prefix), ""
	relative := func(v connectors.Version) bool {
		last = v.Key
		if v.Key = strings.TrimPrefix(v.Key, s.prefix); v.Key == "" {
			return true // the marker of the store's own folder is no object of the store
		}
		return yield(v)
	}
	err := s.sharded(ctx, full, versions, relative)
	if errors.Is(err, errFolderOrder) {
		if last != "" {
			return errors.Join(connectors.ErrUnsupported, err)
		}
		_, err = s.walk(ctx, full, relative)
	}
	return err
}
