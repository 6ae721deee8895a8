package s3

import "sync"

// turn is one key that is being written.
type turn struct {
	mu      sync.Mutex
	waiting int
}

// turn lets the writers of one Store at a key one by one, and returns what ends the
// turn. The conditions are what protects an object; but servers on folders evaluate
// them in one step and act in the next, and there this store's own writers at least
// do not run into each other.
func (s *Store) turn(key string) (end func()) {
	s.mu.Lock()
	t := s.turns[key]
	if t == nil {
		t = &turn{}
		s.turns[key] = t
	}
	t.waiting++
	s.mu.Unlock()
	t.mu.Lock()
	return func() {
		t.mu.Unlock()
		s.mu.Lock()
		if t.waiting--; t.waiting == 0 {
			delete(s.turns, key)
		}
		s.mu.Unlock()
	}
}
