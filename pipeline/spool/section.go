package spool

import (
	"io"
	"os"
)

// Sections is one file of several runs of records, each of which is read by
// itself, also by several readers at once. Memory is that of one Writer.
type Sections struct {
	f *os.File
	n int64 // bytes written
	w *Writer
}

// Section is where a run of records lies.
type Section struct{ Off, Len int64 }

// NewSections returns an empty file of sections, which no name leads to.
func NewSections() (*Sections, error) {
	f, err := Temp()
	if err != nil {
		return nil, err
	}
	s := &Sections{f: f}
	if s.w, err = NewWriter(counter{s}, nil); err != nil {
		f.Close()
		return nil, err
	}
	return s, nil
}

// counter writes to the file and counts.
type counter struct{ s *Sections }

func (c counter) Write(p []byte) (int, error) {
	n, err := c.s.f.Write(p)
	c.s.n += int64(n)
	return n, err
}

// Write adds a record to the section that is being written.
func (s *Sections) Write(record []byte) error { return s.w.Write(record) }

// End ends the section that began at off, which the one before it or 0 gives.
func (s *Sections) End(off int64) (Section, error) {
	if err := s.w.Close(); err != nil {
		return Section{}, err
	}
	return Section{off, s.n - off}, nil
}

// Read reads a section. The caller closes the reader.
func (s *Sections) Read(at Section) (*Reader, error) {
	return NewReader(io.NewSectionReader(s.f, at.Off, at.Len), nil)
}

// Close removes the file.
func (s *Sections) Close() error { return s.f.Close() }
