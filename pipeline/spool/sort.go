package spool

import (
	"bytes"
	"container/heap"
	"encoding/binary"
	"io"
	"iter"
	"os"
	"sort"
)

const (
	// sortMemory is about how many bytes of records a Sorter keeps in memory.
	sortMemory = 64 << 20
	// fanIn is how many runs are merged at a time: each has a frame in memory.
	fanIn = 32
)

// Sorter sorts any number of records by a key in bounded memory (sortMemory, then
// fanIn frames while merging). Records with equal keys stay in the order of Add.
type Sorter struct {
	entries []entry
	size    int
	runs    []*os.File
	seq     uint64
	memory  int
}

type entry struct{ key, value []byte }

// NewSorter returns an empty Sorter.
func NewSorter() *Sorter { return &Sorter{memory: sortMemory} }

// Add adds a record; key and value are copied. Keys are compared as bytes.
func (s *Sorter) Add(key, value []byte) error {
	k := make([]byte, len(key)+8)
	copy(k, key)
	binary.BigEndian.PutUint64(k[len(key):], s.seq) // keeps equal keys in order
	s.seq++
	s.entries = append(s.entries, entry{k, bytes.Clone(value)})
	s.size += len(k) + len(value) + 64
	if s.size < s.memory {
		return nil
	}
	return s.spill()
}

func (s *Sorter) spill() error {
	s.sortEntries()
	at := 0
	run, err := writeRun(func() ([]byte, []byte, error) {
		if at == len(s.entries) {
			return nil, nil, io.EOF
		}
		e := s.entries[at]
		at++
		return e.key, e.value, nil
	})
	if err != nil {
		return err
	}
	s.runs = append(s.runs, run)
	s.entries, s.size = nil, 0
	if len(s.runs) < fanIn {
		return nil
	}
	merged, err := newMerge(s.runs, nil)
	if err != nil {
		return err
	}
	run, err = writeRun(merged.next)
	if err != nil {
		return err
	}
	s.close()
	s.runs = []*os.File{run}
	return nil
}

// sortEntries orders by the caller's key, then by arrival.
func (s *Sorter) sortEntries() {
	sort.Slice(s.entries, func(i, j int) bool { return less(s.entries[i].key, s.entries[j].key) })
}

func less(a, b []byte) bool {
	if c := bytes.Compare(a[:len(a)-8], b[:len(b)-8]); c != 0 {
		return c < 0
	}
	return bytes.Compare(a[len(a)-8:], b[len(b)-8:]) < 0
}

// Sorted yields all records in order of their keys; key and value are valid until
// the next step. It may be called more than once, but nothing can be added after
// the first call.
func (s *Sorter) Sorted() iter.Seq2[Pair, error] {
	return func(yield func(Pair, error) bool) {
		s.sortEntries()
		m, err := newMerge(s.runs, s.entries)
		if err != nil {
			yield(Pair{}, err)
			return
		}
		for {
			key, value, err := m.next()
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(Pair{}, err)
				return
			}
			if !yield(Pair{key[:len(key)-8], value}, nil) {
				return
			}
		}
	}
}

// Pair is a record with its key.
type Pair struct{ Key, Value []byte }

// Close removes the runs.
func (s *Sorter) Close() { s.close(); s.entries = nil }

func (s *Sorter) close() {
	for _, f := range s.runs {
		f.Close()
	}
	s.runs = nil
}

// writeRun spools what next gives, in that order.
func writeRun(next func() (key, value []byte, err error)) (*os.File, error) {
	f, err := Temp()
	if err != nil {
		return nil, err
	}
	w, err := NewWriter(f, nil)
	if err != nil {
		f.Close()
		return nil, err
	}
	var record []byte
	for {
		key, value, err := next()
		if err == io.EOF {
			break
		}
		if err == nil {
			record = binary.AppendUvarint(record[:0], uint64(len(key)))
			record = append(append(record, key...), value...)
			err = w.Write(record)
		}
		if err != nil {
			f.Close()
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// merge gives the records of sorted runs, and of sorted entries, in order.
type merge struct {
	sources []*source
	last    *source
}

type source struct {
	next       func() (key, value []byte, err error)
	key, value []byte
}

func newMerge(runs []*os.File, entries []entry) (*merge, error) {
	m := &merge{}
	for _, f := range runs {
		st, err := f.Stat()
		if err != nil {
			return nil, err
		}
		r, err := NewReader(io.NewSectionReader(f, 0, st.Size()), nil)
		if err != nil {
			return nil, err
		}
		m.sources = append(m.sources, &source{next: func() ([]byte, []byte, error) {
			record, err := r.Next()
			if err != nil {
				if err == io.EOF {
					r.Close()
				}
				return nil, nil, err
			}
			n, k := binary.Uvarint(record)
			return record[k : k+int(n)], record[k+int(n):], nil
		}})
	}
	at := 0
	m.sources = append(m.sources, &source{next: func() ([]byte, []byte, error) {
		if at == len(entries) {
			return nil, nil, io.EOF
		}
		e := entries[at]
		at++
		return e.key, e.value, nil
	}})
	live := m.sources[:0]
	for _, s := range m.sources {
		ok, err := s.advance()
		if err != nil {
			return nil, err
		}
		if ok {
			live = append(live, s)
		}
	}
	m.sources = live
	heap.Init(m)
	return m, nil
}

func (s *source) advance() (ok bool, err error) {
	s.key, s.value, err = s.next()
	if err == io.EOF {
		return false, nil
	}
	return err == nil, err
}

// next gives the least record; it is valid until the next call.
func (m *merge) next() (key, value []byte, err error) {
	if m.last != nil {
		ok, err := m.last.advance()
		if err != nil {
			return nil, nil, err
		}
		if ok {
			heap.Push(m, m.last)
		}
		m.last = nil
	}
	if len(m.sources) == 0 {
		return nil, nil, io.EOF
	}
	m.last = heap.Pop(m).(*source)
	return m.last.key, m.last.value, nil
}

func (m *merge) Len() int           { return len(m.sources) }
func (m *merge) Less(i, j int) bool { return less(m.sources[i].key, m.sources[j].key) }
func (m *merge) Swap(i, j int)      { m.sources[i], m.sources[j] = m.sources[j], m.sources[i] }
func (m *merge) Push(x any)         { m.sources = append(m.sources, x.(*source)) }
func (m *merge) Pop() any {
	s := m.sources[len(m.sources)-1]
	m.sources = m.sources[:len(m.sources)-1]
	return s
}
