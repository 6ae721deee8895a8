package dir

import (
	"errors"

	"expunge/connectors"
)

// Refuses reports whether key is one that the store documents not to hold.
func Refuses(key string) bool { return errors.Is(check(key), connectors.ErrUnsupported) }

// Root is the directory, for tests that play the rest of the world.
func (s *Store) Root() string { return s.root }

// SetHook calls f between the steps of a change.
func (s *Store) SetHook(f func(point string)) { s.hook = f }
