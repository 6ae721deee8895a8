package parquet

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"expunge/scanners"
)

// file is an opened footer.
type file struct {
	src    *source
	footer []byte // as it is stored
	meta   format.FileMetaData
	root   *node
	leaves []*leaf
	schema *arrow.Schema
}

// open reads and checks the footer: everything it says of places and counts is
// held against the object's size and against itself before anything is read.
func open(src *source) (*file, error) {
	size := src.in.Size
	if size < 12 {
		return nil, &fault{scanners.Truncated, "object is too short for a footer"}
	}
	tail, err := src.read(max(0, size-tailSize), min(size, tailSize))
	if err != nil {
		return nil, err
	}
	src.tail = tail
	switch string(tail[len(tail)-4:]) {
	case "PAR1":
	case "PARE":
		return nil, unsupported("footer is encrypted")
	default:
		return nil, &fault{scanners.Truncated, "no footer at the end"}
	}
	n := int64(binary.LittleEndian.Uint32(tail[len(tail)-8:]))
	if n > size-12 {
		return nil, corrupt("footer of %d bytes is longer than the object", n)
	}
	if n > maxFooter {
		return nil, &fault{scanners.TooLarge, "footer is too large"}
	}
	raw, err := src.read(size-8-n, n)
	if err != nil {
		return nil, err
	}
	end, err := checkThrift(raw, fileStruct)
	if err != nil {
		return nil, corrupt("decode footer: %v", err)
	}
	f := &file{src: src, footer: slices.Clone(raw[:end])}
	reader := (&thrift.CompactProtocol{}).NewReaderFromBytes(f.footer)
	if err := thrift.NewDecoder(reader).Decode(&f.meta); err != nil {
		return nil, corrupt("decode footer: %v", err)
	}
	if f.meta.EncryptionAlgorithm.Value != nil || f.meta.FooterSigningKeyMetadata != nil {
		return nil, unsupported("columns are encrypted or the footer is signed")
	}
	if end != len(raw) {
		return nil, corrupt("footer has %d bytes left over", len(raw)-end)
	}
	if err := f.buildSchema(); err != nil {
		return nil, err
	}
	return f, f.check()
}

// check holds the row groups against the schema and the object's size.
func (f *file) check() error {
	var rows int64
	dataEnd := f.src.in.Size - 8
	for g := range f.meta.RowGroups {
		group := &f.meta.RowGroups[g]
		if group.NumRows < 0 || rows+group.NumRows < rows {
			return corrupt("row group %d has %d rows", g, group.NumRows)
		}
		if group.NumRows > MaxRows {
			return &fault{scanners.TooLarge, fmt.Sprintf("row group %d has %d rows, more than %d", g, group.NumRows, MaxRows)}
		}
		rows += group.NumRows
		if len(group.Columns) != len(f.leaves) {
			return corrupt("row group %d has %d columns, the schema %d", g, len(group.Columns), len(f.leaves))
		}
		if hollow(group) {
			continue
		}
		for c := range group.Columns {
			chunk := &group.Columns[c]
			l := f.leaves[c]
			switch {
			case chunk.FilePath != "":
				return unsupported("row group %d column %q lies in another file", g, l.name)
			case chunk.CryptoMetadata.Value != nil || len(chunk.EncryptedColumnMetadata) > 0:
				return unsupported("row group %d column %q is encrypted", g, l.name)
			case chunk.MetaData.Type != l.typ:
				return corrupt("row group %d column %q has another type than the schema", g, l.name)
			}
			off, end := span(chunk)
			if off < 4 || end < off || end > dataEnd {
				return corrupt("row group %d column %q lies outside the object", g, l.name)
			}
			m := &chunk.MetaData
			if m.DataPageOffset < off || m.DataPageOffset > end {
				return corrupt("row group %d column %q has its pages elsewhere", g, l.name)
			}
			if m.NumValues < group.NumRows || l.maxRep == 0 && m.NumValues != group.NumRows {
				return corrupt("row group %d column %q has %d values for %d rows", g, l.name, m.NumValues, group.NumRows)
			}
			if !readable(m.Codec) {
				return unsupported("row group %d column %q: codec %s", g, l.name, m.Codec)
			}
		}
	}
	if rows != f.meta.NumRows {
		return corrupt("row groups have %d rows, the footer says %d", rows, f.meta.NumRows)
	}
	return nil
}

// hollowSize is how long the pages of a column without values may be: a dictionary's
// header, and not a value in it.
const hollowSize = 24

// hollow reports whether a row group has no rows and no data pages: Arrow writes one
// for a table without rows, with an empty dictionary at the most.
func hollow(g *format.RowGroup) bool {
	if g.NumRows != 0 {
		return false
	}
	for i := range g.Columns {
		c := &g.Columns[i]
		m := &c.MetaData
		if m.NumValues != 0 || m.DataPageOffset != 0 || m.TotalUncompressedSize < 0 || m.TotalUncompressedSize > hollowSize || c.FilePath != "" {
			return false
		}
	}
	return true
}

// span is where a column chunk lies. Some writers leave the dictionary's offset
// 0 or point it behind the data.
func span(c *format.ColumnChunk) (off, end int64) {
	off = c.MetaData.DataPageOffset
	if d := c.MetaData.DictionaryPageOffset; d > 0 && d < off {
		off = d
	}
	n := c.MetaData.TotalCompressedSize
	if n < 0 || off < 0 || off > 1<<62-n {
		return -1, -1
	}
	return off, off + n
}
