package mem

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"expunge/connectors"
)

var _ connectors.Uploader = (*Store)(nil)

// Begin begins an upload at key and writes its parts, as a foreign writer does that
// dies before it completes it. at is when it began, and each part comes a second later.
func (s *Store) Begin(key string, at time.Time, parts ...[]byte) connectors.Upload {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun++
	u := connectors.Upload{Key: key, ID: fmt.Sprintf("u%06d", s.begun), Begun: at}
	if len(parts) > 0 {
		u.Written = at.Add(time.Duration(len(parts)) * time.Second)
	}
	if s.uploads == nil {
		s.uploads = map[string]connectors.Upload{}
	}
	s.uploads[u.ID] = u
	return u
}

// Write writes a part to an upload.
func (s *Store) Write(u connectors.Upload, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u.Written = at
	s.uploads[u.ID] = u
}

// Begun returns all unfinished uploads, of any key, by id.
func (s *Store) Begun() []connectors.Upload {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []connectors.Upload
	for _, id := range slices.Sorted(maps.Keys(s.uploads)) {
		out = append(out, s.uploads[id])
	}
	return out
}

// Uploads implements connectors.Uploader.
func (s *Store) Uploads(ctx context.Context, key string) ([]connectors.Upload, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("list unfinished uploads of %q: %w", key, err)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []connectors.Upload
	for _, id := range slices.Sorted(maps.Keys(s.uploads)) {
		if u := s.uploads[id]; u.Key == key {
			out = append(out, u)
		}
	}
	return out, nil
}

// Abort implements connectors.Uploader.
func (s *Store) Abort(ctx context.Context, u connectors.Upload) error {
	err := ctx.Err()
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.uploads[u.ID]; err == nil && (!ok || known.Key != u.Key) {
		err = connectors.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("give up an unfinished upload of %q: %w", u.Key, err)
	}
	delete(s.uploads, u.ID)
	return nil
}
