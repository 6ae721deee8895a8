package spool

import (
	"bytes"
	"container/heap"
	"encoding/binary"
	"io"
	"iter"
	"os"
	"slices"
)

const (
	// sortMemory is about how many bytes of records a Sorter keeps in memory.
	sortMemory = 32 << 20
	// fanIn is how many runs of one level are merged into one of the next. Of n
	// levels (32 MB × 16ⁿ: three hold 128 GB) at most n × fanIn runs are open while
	// records are read, and each takes a frame of 1 MB, its box and a decoder.
	fanIn = 16
	// sortChunk is how many bytes are allocated at a time for records.
	sortChunk = 1 << 20
)

// Sorter sorts any number of records by a key in bounded memory: sortMemory while
// it is filled, and a frame for each run when it is read. Records with equal keys
// stay in the order of Add.
type Sorter struct {
	entries []entry
	chunk   []byte // what is left of the last one
	size    int
	runs    []run
	seq     uint64
	memory  int
	sorted  bool // entries are
}

type entry struct{ key, value []byte }

// run is a sorted file; a merge of runs is one level above them.
type run struct {
	f     *os.File
	level int
}

// NewSorter returns an empty Sorter.
func NewSorter() *Sorter { return &Sorter{memory: sortMemory} }

// Add adds a record; key and value are copied. Keys are compared as bytes.
func (s *Sorter) Add(key, value []byte) error {
	b := s.room(len(key) + 8 + len(value))
	k, v := b[:len(key)+8:len(key)+8], b[len(key)+8:]
	copy(k, key)
	binary.BigEndian.PutUint64(k[len(key):], s.seq) // keeps equal keys in order
	copy(v, value)
	s.seq++
	s.entries = append(s.entries, entry{k, v})
	s.size += len(b) + 2*24 // and the entry's slices
	if s.size < s.memory {
		return nil
	}
	return s.spill()
}

// room returns n bytes of a chunk; what is large has one of its own.
func (s *Sorter) room(n int) []byte {
	if n > sortChunk/4 {
		return make([]byte, n)
	}
	if n > len(s.chunk) {
		s.chunk = make([]byte, sortChunk)
	}
	b := s.chunk[:n:n]
	s.chunk = s.chunk[n:]
	return b
}

func (s *Sorter) spill() error {
	s.sortEntries()
	at := 0
	f, err := writeRun(func() ([]byte, []byte, error) {
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
	s.runs = append(s.runs, run{f, 0})
	clear(s.entries)
	s.entries, s.chunk, s.size, s.sorted = s.entries[:0], nil, 0, false
	for {
		level := s.runs[len(s.runs)-1].level
		first := len(s.runs)
		for first > 0 && s.runs[first-1].level == level {
			first--
		}
		if len(s.runs)-first < fanIn {
			return nil
		}
		if err := s.mergeFrom(first, level+1); err != nil {
			return err
		}
	}
}

// mergeFrom makes one run of those from first on.
func (s *Sorter) mergeFrom(first, level int) error {
	merged, err := newMerge(s.runs[first:], nil)
	if err != nil {
		return err
	}
	defer merged.close()
	f, err := writeRun(merged.next)
	if err != nil {
		return err
	}
	for _, r := range s.runs[first:] {
		r.f.Close()
	}
	s.runs = append(s.runs[:first], run{f, level})
	return nil
}

// sortEntries orders by the caller's key, then by arrival.
func (s *Sorter) sortEntries() {
	if !s.sorted {
		slices.SortFunc(s.entries, func(a, b entry) int { return compare(a.key, b.key) })
		s.sorted = true
	}
}

func compare(a, b []byte) int {
	if c := bytes.Compare(a[:len(a)-8], b[:len(b)-8]); c != 0 {
		return c
	}
	return bytes.Compare(a[len(a)-8:], b[len(b)-8:])
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
		defer m.close()
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
func (s *Sorter) Close() {
	for _, r := range s.runs {
		r.f.Close()
	}
	s.runs, s.entries, s.chunk = nil, nil, nil
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
	readers []*Reader
}

type source struct {
	next       func() (key, value []byte, err error)
	key, value []byte
}

func newMerge(runs []run, entries []entry) (*merge, error) {
	m := &merge{}
	if err := m.open(runs, entries); err != nil {
		m.close()
		return nil, err
	}
	heap.Init(m)
	return m, nil
}

func (m *merge) open(runs []run, entries []entry) error {
	var sources []*source
	for _, run := range runs {
		st, err := run.f.Stat()
		if err != nil {
			return err
		}
		r, err := NewReader(io.NewSectionReader(run.f, 0, st.Size()), nil)
		if err != nil {
			return err
		}
		m.readers = append(m.readers, r)
		sources = append(sources, &source{next: func() ([]byte, []byte, error) {
			record, err := r.Next()
			if err != nil {
				return nil, nil, err
			}
			n, k := binary.Uvarint(record)
			return record[k : k+int(n)], record[k+int(n):], nil
		}})
	}
	at := 0
	sources = append(sources, &source{next: func() ([]byte, []byte, error) {
		if at == len(entries) {
			return nil, nil, io.EOF
		}
		e := entries[at]
		at++
		return e.key, e.value, nil
	}})
	for _, s := range sources {
		ok, err := s.advance()
		if err != nil {
			return err
		}
		if ok {
			m.sources = append(m.sources, s)
		}
	}
	return nil
}

func (m *merge) close() {
	for _, r := range m.readers {
		r.Close()
	}
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
func (m *merge) Less(i, j int) bool { return compare(m.sources[i].key, m.sources[j].key) < 0 }
func (m *merge) Swap(i, j int)      { m.sources[i], m.sources[j] = m.sources[j], m.sources[i] }
func (m *merge) Push(x any)         { m.sources = append(m.sources, x.(*source)) }
func (m *merge) Pop() any {
	s := m.sources[len(m.sources)-1]
	m.sources = m.sources[:len(m.sources)-1]
	return s
}
