package mem

import (
	"context"
	"maps"
	"slices"

	"expunge/connectors"
)

// Overwrite puts b at key whatever is there, as a foreign writer does.
func (s *Store) Overwrite(key string, b []byte) connectors.Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.write(key, append([]byte(nil), b...))
}

// Hold puts key under a legal hold, or ends it: Delete is ErrHeld meanwhile.
func (s *Store) Hold(key string, on bool) { s.change(key, func(h *history) { h.held = on }) }

// Lock locks the versions that key has now, as an object lock does; nil ends it. Unlike
// Hold it leaves room for other versions, and for markers.
func (s *Store) Lock(key string, lock *connectors.LockError) {
	s.change(key, func(h *history) {
		for i := range h.entries {
			h.entries[i].lock = lock
		}
	})
}

// Archive makes key unreadable until it is restored: Open is ErrArchived meanwhile.
func (s *Store) Archive(key string, on bool) {
	s.change(key, func(h *history) { h.archived = on })
}

// SetMeta sets what stands beside the bytes of key.
func (s *Store) SetMeta(key string, meta map[string]string) {
	s.change(key, func(h *history) { h.meta = maps.Clone(meta) })
}

// Meta returns what stands beside the bytes of key; nil if nothing does.
func (s *Store) Meta(key string) map[string]string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if h := s.keys[key]; h != nil {
		return maps.Clone(h.meta)
	}
	return nil
}

func (s *Store) change(key string, f func(*history)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.keys[key]; h != nil {
		f(h)
	}
}

// Labels implements connectors.Labeller: of every version of a key it shows what SetMeta has set.
func (s *Store) Labels(_ context.Context, r connectors.Ref) ([]connectors.Label, error) {
	var out []connectors.Label
	meta := s.Meta(r.Key)
	for _, name := range slices.Sorted(maps.Keys(meta)) {
		out = append(out, connectors.Label{Kind: "user metadata", Text: name + ": " + meta[name]})
	}
	return out, nil
}
