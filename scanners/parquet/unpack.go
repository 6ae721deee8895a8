package parquet

import (
	"context"
	"io"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"expunge/scanners"
)

// Unpack hands over all that is in the object to whoever believes no reader: first
// its bytes as they stand, then as text, a line each, what pages pack and integers
// hide: every value of a dictionary, whether or not a row refers to it, every value
// of the other pages, and what statistics and column indexes say of them. Columns of
// types that are not searched are left out. do keeps nothing of what it gets.
func (*Scanner) Unpack(ctx context.Context, in scanners.Input, do func([]byte) error) (err error) {
	defer func() { err = settle(in.Name, err) }()
	defer scanners.Guard(in.Name, &err)
	u := &unpacking{do: do, inf: &inflater{}}
	defer u.inf.close()
	src := &source{ctx: ctx, in: in}
	if err := u.stored(src); err != nil {
		return err
	}
	if u.file, err = open(src); err != nil {
		return err
	}
	for g := range u.file.meta.RowGroups {
		if hollow(&u.file.meta.RowGroups[g]) {
			continue
		}
		for i := range u.file.leaves {
			if err := u.column(g, i); err != nil {
				return err
			}
		}
	}
	return nil
}

type unpacking struct {
	file *file
	do   func([]byte) error
	inf  *inflater
	c    *chunk
	text []byte
}

// stored hands over the object's bytes, a window at a time.
func (u *unpacking) stored(src *source) error {
	body, err := src.in.Open(src.ctx, 0, -1)
	if err != nil {
		return src.readErr(err)
	}
	defer body.Close()
	b := make([]byte, fetchAhead)
	for {
		n, err := io.ReadFull(body, b)
		if n > 0 {
			if err := u.do(b[:n]); err != nil {
				return passed{err}
			}
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			u.text = append(u.text[:0], '\n') // what follows is no part of the last word
			return u.flush(0)
		}
		if err != nil {
			return src.readErr(err)
		}
	}
}

// column hands over one column chunk.
func (u *unpacking) column(g, i int) error {
	l := u.file.leaves[i]
	if !l.text.searched() {
		return nil
	}
	meta := &u.file.meta.RowGroups[g].Columns[i]
	if err := u.statistics(l, &meta.MetaData.Statistics); err != nil {
		return err
	}
	if err := u.index(l, meta); err != nil {
		return err
	}
	u.c = u.file.chunk(u.c, g, i, fetchAhead, u.inf)
	u.inf.held = int64(cap(u.c.raw) + cap(u.c.spare))
	told := false
	for {
		more, err := u.c.next()
		if err != nil {
			return err
		}
		if u.c.has && !told { // before its first page is decoded
			told = true
			if err := u.values(l, &u.c.dict); err != nil {
				return err
			}
		}
		if !more {
			return u.flush(0)
		}
		for _, s := range []*format.Statistics{&u.c.page.header.DataPageHeader.V.Statistics, &u.c.page.header.DataPageHeaderV2.V.Statistics} {
			if err := u.statistics(l, s); err != nil {
				return err
			}
		}
		if u.c.page.indexed {
			continue // its values are the dictionary's
		}
		if err := u.c.load(); err != nil {
			return err
		}
		if err := u.values(l, &u.c.page.vals); err != nil {
			return err
		}
	}
}

func (u *unpacking) values(l *leaf, v *values) error {
	for i := range v.n {
		if err := u.value(l, v.at(i)); err != nil {
			return err
		}
	}
	return nil
}

// value adds one value.
func (u *unpacking) value(l *leaf, b []byte) error {
	u.text = append(l.appendText(u.text, b), '\n')
	return u.flush(fetchAhead)
}

// flush hands over what there is once it is more than n bytes.
func (u *unpacking) flush(n int) error {
	if len(u.text) <= n {
		return nil
	}
	if err := u.do(u.text); err != nil {
		return passed{err}
	}
	u.text = u.text[:0]
	return nil
}

// statistics adds bounds of values. Those of numbers that are not whole say nothing.
func (u *unpacking) statistics(l *leaf, s *format.Statistics) error {
	return u.bounds(l, [][]byte{s.Min, s.Max, s.MinValue, s.MaxValue})
}

func (u *unpacking) bounds(l *leaf, all [][]byte) error {
	for _, b := range all {
		if len(b) == 0 || l.width > 0 && len(b) != l.width {
			continue
		}
		if err := u.value(l, b); err != nil {
			return err
		}
	}
	return nil
}

// index adds the bounds of pages. One that cannot be read is left to what its bytes
// say: rows are never found by it.
func (u *unpacking) index(l *leaf, c *format.ColumnChunk) error {
	if c.ColumnIndexOffset <= 0 || c.ColumnIndexLength <= 0 || c.ColumnIndexLength > maxFooter {
		return nil
	}
	b, err := u.file.src.read(c.ColumnIndexOffset, int64(c.ColumnIndexLength))
	if err != nil {
		return err
	}
	end, err := checkThrift(b, anyStruct)
	if err != nil {
		return nil
	}
	var index format.ColumnIndex
	if thrift.Unmarshal(&thrift.CompactProtocol{}, append([]byte(nil), b[:end]...), &index) != nil {
		return nil
	}
	if err := u.bounds(l, index.MinValues); err != nil {
		return err
	}
	return u.bounds(l, index.MaxValues)
}
