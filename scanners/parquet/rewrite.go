package parquet

import (
	"context"
	"encoding/binary"
	"io"
	"slices"
	"sort"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"expunge/scanners"
)

var _ scanners.Rewriter = (*Scanner)(nil)

// Rewrite implements scanners.Rewriter. Row groups without an edit are pieces of the
// source, with their page indexes and bloom filters; only offsets change, in a new
// footer. The others are encoded anew: same schema, and by column the same codec,
// page version and, as far as the writer has it, encoding. So no dictionary, statistic,
// index or filter keeps what went. A row group that loses all rows goes.
//
// Memory: one encoded row group, beside what a scan holds.
func (*Scanner) Rewrite(ctx context.Context, in scanners.Input, edits []scanners.Edit, spool io.Writer, check func(*scanners.Record) error) (out scanners.Rewritten, err error) {
	defer func() { err = settle(in.Name, err) }()
	defer scanners.Guard(in.Name, &err)
	in.Part, in.Every = scanners.Part{}, true
	file, err := open(&source{ctx: ctx, in: in})
	if err != nil {
		return out, err
	}
	out.Records = file.meta.NumRows
	for i, e := range edits {
		switch {
		case e.Record < 0 || i > 0 && e.Record <= edits[i-1].Record:
			return out, passed{scanners.ErrEdits}
		case e.Record >= file.meta.NumRows:
			return out, passed{scanners.ErrNoRecord}
		}
	}
	if len(edits) == 0 {
		out.Pieces = []scanners.Piece{{Off: 0, Len: in.Size}}
		return out, nil
	}
	w := &rewriting{file: file, spool: &appended{w: spool}, check: check, out: &out}
	if err := w.groups(edits); err != nil {
		return out, err
	}
	return out, w.tail()
}

// rewriting is the state of one rewrite.
type rewriting struct {
	file  *file
	spool *appended
	check func(*scanners.Record) error
	out   *scanners.Rewritten
	pos   int64 // where the next piece comes to lie
	rows  int64 // of the new file
	made  []made
	kinds *pq.File // the source as parquet-go opens it: its schema is what row groups are written with
}

// made is a row group of the new file.
type made struct {
	source  int  // of the source's row groups, the one that it was
	anew    bool // it was encoded anew
	meta    format.RowGroup
	columns []tailOf
}

// tailOf is what of a column chunk lies behind the row groups. Offset indexes name
// places in the file: they are always written anew.
type tailOf struct {
	bloom, columnIndex scanners.Piece
	offsetIndex        []byte
}

// appended counts what is written to the spool.
type appended struct {
	w      io.Writer
	n      int64
	tail   []byte // what was written from tailAt on; nil: it is not kept
	tailAt int64
}

func (a *appended) Write(p []byte) (int, error) {
	n, err := a.w.Write(p)
	a.n += int64(n)
	if a.tail != nil {
		a.tail = append(a.tail, p[:n]...)
	}
	if err != nil {
		err = passed{err}
	}
	return n, err
}

// piece adds a piece and returns where it comes to lie.
func (w *rewriting) piece(p scanners.Piece) int64 {
	at := w.pos
	w.pos += p.Len
	if n := len(w.out.Pieces); n > 0 {
		if last := &w.out.Pieces[n-1]; last.Spool == p.Spool && last.Off+last.Len == p.Off {
			last.Len += p.Len
			return at
		}
	}
	w.out.Pieces = append(w.out.Pieces, p)
	return at
}

// bytes spools b and adds it as a piece.
func (w *rewriting) bytes(b []byte) (int64, error) {
	off := w.spool.n
	if _, err := w.spool.Write(b); err != nil {
		return 0, err
	}
	return w.piece(scanners.Piece{Spool: true, Off: off, Len: int64(len(b))}), nil
}

// groups goes over the row groups.
func (w *rewriting) groups(edits []scanners.Edit) error {
	w.piece(scanners.Piece{Off: 0, Len: 4})
	first := int64(0)
	for g := range w.file.meta.RowGroups {
		meta := &w.file.meta.RowGroups[g]
		if hollow(meta) {
			continue // nothing is in it
		}
		n := sort.Search(len(edits), func(i int) bool { return edits[i].Record >= first+meta.NumRows })
		var err error
		if n == 0 {
			err = w.keep(g)
		} else {
			err = w.encode(g, first, edits[:n])
		}
		if err != nil {
			return err
		}
		edits, first = edits[n:], first+meta.NumRows
	}
	return nil
}

// keep takes a row group as it is stored.
func (w *rewriting) keep(g int) error {
	meta := &w.file.meta.RowGroups[g]
	m := made{source: g, meta: *meta, columns: make([]tailOf, len(meta.Columns))}
	m.meta.Columns = slices.Clone(meta.Columns)
	order := make([]int, len(meta.Columns))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, _ := span(&meta.Columns[a])
		y, _ := span(&meta.Columns[b])
		return int(min(max(x-y, -1), 1))
	})
	for k, i := range order {
		c := &m.meta.Columns[i]
		off, end := span(c)
		shift := w.piece(scanners.Piece{Off: off, Len: end - off}) - off
		if k == 0 && m.meta.FileOffset > 0 {
			m.meta.FileOffset = off + shift
		}
		if err := w.tailOfSource(c, &m.columns[i], shift); err != nil {
			return err
		}
		shiftChunk(c, shift)
	}
	w.rows += meta.NumRows
	w.made = append(w.made, m)
	return nil
}

// shiftChunk shifts what a column chunk says of its place.
func shiftChunk(c *format.ColumnChunk, shift int64) {
	c.MetaData.DataPageOffset += shift
	for _, at := range []*int64{&c.MetaData.DictionaryPageOffset, &c.MetaData.IndexPageOffset, &c.FileOffset} {
		if *at > 0 {
			*at += shift
		}
	}
}

// tailOfSource finds bloom filter and page indexes of a chunk that stays.
func (w *rewriting) tailOfSource(c *format.ColumnChunk, t *tailOf, shift int64) error {
	src := w.file.src
	if off := c.MetaData.BloomFilterOffset; off > 0 {
		n := int64(c.MetaData.BloomFilterLength)
		if n <= 0 {
			head, err := src.read(off, min(64, src.in.Size-off))
			if err != nil {
				return err
			}
			end, err := checkThrift(head, anyStruct)
			if err != nil {
				return corrupt("decode bloom filter: %v", err)
			}
			var h format.BloomFilterHeader
			if err := thrift.Unmarshal(&thrift.CompactProtocol{}, head[:end], &h); err != nil || h.NumBytes < 0 {
				return corrupt("decode bloom filter: %v", err)
			}
			n = int64(end) + int64(h.NumBytes)
		}
		if off > src.in.Size-n {
			return corrupt("a bloom filter lies outside the object")
		}
		t.bloom = scanners.Piece{Off: off, Len: n}
	}
	if off, n := c.ColumnIndexOffset, int64(c.ColumnIndexLength); off > 0 && n > 0 {
		if off > src.in.Size-n {
			return corrupt("a column index lies outside the object")
		}
		t.columnIndex = scanners.Piece{Off: off, Len: n}
	}
	if off, n := c.OffsetIndexOffset, int64(c.OffsetIndexLength); off > 0 && n > 0 {
		b, err := src.read(off, n)
		if err != nil {
			return err
		}
		if t.offsetIndex, err = shiftIndex(b, shift); err != nil {
			return err
		}
	}
	return nil
}

// shiftIndex is an offset index whose pages have moved.
func shiftIndex(b []byte, shift int64) ([]byte, error) {
	if _, err := checkThrift(b, anyStruct); err != nil {
		return nil, corrupt("decode offset index: %v", err)
	}
	var index format.OffsetIndex
	if err := thrift.Unmarshal(&thrift.CompactProtocol{}, slices.Clone(b), &index); err != nil {
		return nil, corrupt("decode offset index: %v", err)
	}
	for i := range index.PageLocations {
		index.PageLocations[i].Offset += shift
	}
	out, err := thrift.Marshal(&thrift.CompactProtocol{}, &index)
	if err != nil {
		return nil, corrupt("encode offset index: %v", err)
	}
	return out, nil
}

// tail writes what lies behind the row groups: bloom filters, column indexes, offset
// indexes, and the footer.
func (w *rewriting) tail() error {
	each := func(do func(c *format.ColumnChunk, t *tailOf) error) error {
		for g := range w.made {
			for i := range w.made[g].columns {
				if err := do(&w.made[g].meta.Columns[i], &w.made[g].columns[i]); err != nil {
					return err
				}
			}
		}
		return nil
	}
	err := each(func(c *format.ColumnChunk, t *tailOf) error {
		c.MetaData.BloomFilterOffset, c.MetaData.BloomFilterLength = 0, 0
		if t.bloom.Len > 0 {
			c.MetaData.BloomFilterOffset, c.MetaData.BloomFilterLength = w.piece(t.bloom), int32(t.bloom.Len)
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = each(func(c *format.ColumnChunk, t *tailOf) error {
		c.ColumnIndexOffset, c.ColumnIndexLength = 0, 0
		if t.columnIndex.Len > 0 {
			c.ColumnIndexOffset, c.ColumnIndexLength = w.piece(t.columnIndex), int32(t.columnIndex.Len)
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = each(func(c *format.ColumnChunk, t *tailOf) (err error) {
		c.OffsetIndexOffset, c.OffsetIndexLength = 0, 0
		if len(t.offsetIndex) > 0 {
			c.OffsetIndexLength = int32(len(t.offsetIndex))
			c.OffsetIndexOffset, err = w.bytes(t.offsetIndex)
		}
		return err
	})
	if err != nil {
		return err
	}
	b, err := w.footer()
	if err != nil {
		return corrupt("encode footer: %v", err)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(b)))
	_, err = w.bytes(append(b, "PAR1"...))
	return err
}
