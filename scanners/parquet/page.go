package parquet

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/bits"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"expunge/scanners"
)

// plainDictionary is the encoding of dictionaries, and of the pages that refer to
// them, in files of format version 1.
const plainDictionary format.Encoding = 2

// chunk reads the pages of one column chunk in order.
type chunk struct {
	leaf  *leaf
	group int
	col   int
	meta  *format.ColumnMetaData
	win   window
	inf   *inflater
	seen  int64 // values in the pages so far
	dict  values
	has   bool // dict is there
	page  page
	raw   []byte // decompressed page
	spare []byte // dictionary page
}

// page is a data page. Until load, only its header is known.
type page struct {
	header   format.PageHeader
	off      int64 // of the header
	body     []byte
	loaded   bool
	entries  int
	encoding format.Encoding
	rep, def []uint8 // nil where the maximum is 0
	rows     int     // entries that begin a row
	count    int     // values that are not null
	indexed  bool
	index    []uint32 // into the dictionary, if indexed
	vals     values   // else
}

// chunk makes c, or a new one for nil, read a column chunk from its start. The
// memory of c stays in use.
func (f *file) chunk(c *chunk, g, col int, ahead int64, inf *inflater) *chunk {
	meta := &f.meta.RowGroups[g].Columns[col]
	if c == nil {
		c = &chunk{}
	}
	c.leaf, c.group, c.col, c.meta, c.inf, c.seen, c.has = f.leaves[col], g, col, &meta.MetaData, inf, 0, false
	c.win.src, c.win.ahead = f.src, ahead
	c.win.move(span(meta))
	return c
}

func (c *chunk) fail(format string, args ...any) error {
	return corrupt("row group %d column %q: "+format, append([]any{c.group, c.leaf.name}, args...)...)
}

// next moves to the next data page and reports false after the last. The values
// are held against the footer's count there.
func (c *chunk) next() (bool, error) {
	for {
		if c.seen >= c.meta.NumValues || c.win.pos >= c.win.end {
			if c.seen != c.meta.NumValues {
				return false, c.fail("pages hold %d values, the footer says %d", c.seen, c.meta.NumValues)
			}
			return false, nil
		}
		if data, err := c.one(); err != nil || data {
			return data, err
		}
	}
}

// one reads the page at the window's place and reports whether it is a data page.
func (c *chunk) one() (bool, error) {
	p := &c.page
	p.off, p.loaded = c.win.pos, false
	if err := c.win.src.ctx.Err(); err != nil {
		return false, passed{err}
	}
	if err := c.readHeader(&p.header); err != nil {
		return false, err
	}
	size := int64(p.header.CompressedPageSize)
	b, err := c.win.peek(size)
	if err != nil {
		return false, err
	}
	if int64(len(b)) < size {
		return false, c.fail("page reaches beyond its column chunk")
	}
	p.body = b[:size:size]
	c.win.skip(size)
	if sum := uint32(p.header.CRC); sum != 0 && sum != crc32.ChecksumIEEE(p.body) {
		return false, c.fail("page checksum does not agree")
	}
	switch h := &p.header; h.Type {
	case format.DictionaryPage:
		return false, c.readDictionary()
	case format.IndexPage:
		return false, nil
	case format.DataPage:
		if !h.DataPageHeader.Valid {
			return false, c.fail("page without its header")
		}
		p.entries, p.encoding = int(h.DataPageHeader.V.NumValues), h.DataPageHeader.V.Encoding
	case format.DataPageV2:
		if !h.DataPageHeaderV2.Valid {
			return false, c.fail("page without its header")
		}
		v := &h.DataPageHeaderV2.V
		p.entries, p.encoding = int(v.NumValues), v.Encoding
		if v.NumRows < 0 || v.NumRows > v.NumValues || v.NumNulls < 0 || v.NumNulls > v.NumValues ||
			c.leaf.maxRep == 0 && v.NumRows != v.NumValues {
			return false, c.fail("page has %d rows and %d nulls in %d values", v.NumRows, v.NumNulls, v.NumValues)
		}
	default:
		return false, unsupported("row group %d column %q: page type %d", c.group, c.leaf.name, h.Type)
	}
	if p.entries < 0 || int64(p.entries) > c.meta.NumValues-c.seen {
		return false, c.fail("pages hold more values than the footer's %d", c.meta.NumValues)
	}
	if p.entries > maxValues {
		return false, &fault{scanners.TooLarge, fmt.Sprintf("row group %d column %q: page of %d values", c.group, c.leaf.name, p.entries)}
	}
	p.indexed = p.encoding == format.RLEDictionary || p.encoding == plainDictionary
	if p.indexed && !c.has {
		return false, c.fail("page refers to a dictionary that is not there")
	}
	c.seen += int64(p.entries)
	return true, nil
}

// readHeader decodes the page header at the window's place.
func (c *chunk) readHeader(h *format.PageHeader) error {
	for want := int64(4 << 10); ; want *= 8 {
		b, err := c.win.peek(want)
		if err != nil {
			return err
		}
		// The header's statistics would refer to the window, which moves.
		b = b[:min(int64(len(b)), want)]
		n, err := checkThrift(b, anyStruct)
		if err == errCut && want < 16<<20 && int64(len(b)) == want {
			continue
		}
		if err != nil {
			return c.fail("decode page header: %v", err)
		}
		*h = format.PageHeader{}
		if err := thrift.NewDecoder((&thrift.CompactProtocol{}).NewReaderFromBytes(b[:n])).Decode(h); err != nil {
			return c.fail("decode page header: %v", err)
		}
		c.win.skip(int64(n))
		if h.CompressedPageSize < 0 || h.UncompressedPageSize < 0 {
			return c.fail("page has a negative size")
		}
		if h.UncompressedPageSize > MaxPage || h.CompressedPageSize > MaxPage {
			return &fault{scanners.TooLarge, "page is larger than 256 MiB"}
		}
		return nil
	}
}

func (c *chunk) inflate(dst []byte, src []byte, n int) ([]byte, error) {
	if cap(dst) < n {
		if c.inf.held += int64(n - cap(dst)); c.inf.held > maxHeld {
			return nil, &fault{scanners.TooLarge, fmt.Sprintf("row group %d: pages of more than %d MiB at a time", c.group, maxHeld>>20)}
		}
		dst = make([]byte, n)
	}
	dst = dst[:n]
	if n == 0 && len(src) == 0 {
		return dst, nil
	}
	if err := c.inf.inflate(c.meta.Codec, dst, src); err != nil {
		return nil, c.fail("decompress page: %v", err)
	}
	return dst, nil
}

func (c *chunk) readDictionary() error {
	h := &c.page.header
	if !h.DictionaryPageHeader.Valid || c.has {
		return c.fail("more than one dictionary, or one without header")
	}
	d := &h.DictionaryPageHeader.V
	if d.Encoding != format.Plain && d.Encoding != plainDictionary {
		return unsupported("row group %d column %q: dictionary encoding %s", c.group, c.leaf.name, d.Encoding)
	}
	var err error
	if c.spare, err = c.inflate(c.spare, c.page.body, int(h.UncompressedPageSize)); err != nil {
		return err
	}
	if d.NumValues < 0 {
		return c.fail("dictionary has %d values", d.NumValues)
	}
	if err := c.decode(&c.dict, format.Plain, c.spare, int(d.NumValues)); err != nil {
		return err
	}
	c.has = true
	return nil
}

// decode decodes n values of b, which v may keep.
func (c *chunk) decode(v *values, enc format.Encoding, b []byte, n int) error {
	l := c.leaf
	// No encoding but these makes many values of few bytes.
	if enc != format.DeltaBinaryPacked && enc != format.DeltaByteArray && enc != format.DeltaLengthByteArray && enc != format.RLE && n > 8*len(b) {
		return c.fail("%d values in a page of %d bytes", n, len(b))
	}
	if n > maxValues/2 {
		return &fault{scanners.TooLarge, fmt.Sprintf("row group %d column %q: page or dictionary of %d values", c.group, l.name, n)}
	}
	var err error
	switch {
	case enc == format.Plain && l.typ == format.Boolean:
		err = v.booleans(b, n)
	case enc == format.Plain && l.width > 0:
		err = v.plainFixed(b, n, l.width)
	case enc == format.Plain:
		err = v.plainBytes(b, n)
	case enc == format.RLE && l.typ == format.Boolean:
		err = errShort
		if len(b) >= 4 {
			v.reset(1)
			var out []uint8
			if out, err = hybrid[uint8](nil, b[4:], n, 1); err == nil {
				v.data, v.n = out, n
			}
		}
	case enc == format.DeltaBinaryPacked && (l.typ == format.Int32 || l.typ == format.Int64):
		err = v.delta(b, n, l.width)
	case enc == format.DeltaLengthByteArray && l.typ == format.ByteArray:
		err = v.deltaBytes(b, n, false, 0)
	case enc == format.DeltaByteArray && (l.typ == format.ByteArray || l.typ == format.FixedLenByteArray):
		err = v.deltaBytes(b, n, true, l.width)
	case enc == format.ByteStreamSplit && l.width > 0:
		err = v.splitBytes(b, n, l.width)
	default:
		return unsupported("row group %d column %q: encoding %s of %s", c.group, l.name, enc, l.typ)
	}
	if err != nil {
		return c.fail("%v", err)
	}
	return nil
}

// load decompresses the page and decodes its levels and values.
func (c *chunk) load() error {
	p, l := &c.page, c.leaf
	p.loaded = true
	h := &p.header
	var repBytes, defBytes, rest []byte
	var err error
	if h.Type == format.DataPageV2 {
		v := &h.DataPageHeaderV2.V
		r, d := int(v.RepetitionLevelsByteLength), int(v.DefinitionLevelsByteLength)
		if r < 0 || d < 0 || r > len(p.body) || d > len(p.body)-r || r+d > int(h.UncompressedPageSize) {
			return c.fail("levels are longer than their page")
		}
		repBytes, defBytes, rest = p.body[:r], p.body[r:r+d], p.body[r+d:]
		n := int(h.UncompressedPageSize) - r - d
		if v.IsCompressed.Valid && !v.IsCompressed.V {
			if len(rest) != n {
				return c.fail("page of %d bytes holds %d", n, len(rest))
			}
			c.raw = append(c.raw[:0], rest...)
		} else if c.raw, err = c.inflate(c.raw, rest, n); err != nil {
			return err
		}
		rest = c.raw
	} else {
		if c.raw, err = c.inflate(c.raw, p.body, int(h.UncompressedPageSize)); err != nil {
			return err
		}
		rest = c.raw
		v := &h.DataPageHeader.V
		if l.maxRep > 0 {
			if repBytes, rest, err = c.levelsV1(rest, v.RepetitionLevelEncoding); err != nil {
				return err
			}
		}
		if l.maxDef > 0 {
			if defBytes, rest, err = c.levelsV1(rest, v.DefinitionLevelEncoding); err != nil {
				return err
			}
		}
	}
	p.rep, p.def, p.count, p.rows = p.rep[:0], p.def[:0], p.entries, p.entries
	if l.maxRep > 0 {
		if p.rep, err = c.levels(p.rep, repBytes, l.maxRep); err != nil {
			return err
		}
		p.rows = 0
		for _, r := range p.rep {
			if r == 0 {
				p.rows++
			}
		}
	}
	if l.maxDef > 0 {
		if p.def, err = c.levels(p.def, defBytes, l.maxDef); err != nil {
			return err
		}
		p.count = 0
		for _, d := range p.def {
			if int(d) == l.maxDef {
				p.count++
			}
		}
	}
	if h.Type == format.DataPageV2 {
		v := &h.DataPageHeaderV2.V
		if p.rows != int(v.NumRows) || p.entries-p.count != int(v.NumNulls) {
			return c.fail("page has %d rows and %d nulls, its header says %d and %d", p.rows, p.entries-p.count, v.NumRows, v.NumNulls)
		}
	}
	if !p.indexed {
		return c.decode(&p.vals, p.encoding, rest, p.count)
	}
	if p.count == 0 {
		p.index = p.index[:0]
		return nil
	}
	if len(rest) == 0 {
		return c.fail("%v", errShort)
	}
	if p.index, err = hybrid(p.index, rest[1:], p.count, uint(rest[0])); err != nil {
		return c.fail("%v", err)
	}
	for _, i := range p.index {
		if int(i) >= c.dict.n {
			return c.fail("page refers beyond its dictionary")
		}
	}
	return nil
}

// levelsV1 cuts off the levels of a version 1 page.
func (c *chunk) levelsV1(b []byte, enc format.Encoding) (levels, rest []byte, err error) {
	if enc != format.RLE {
		return nil, nil, unsupported("row group %d column %q: levels encoded as %s", c.group, c.leaf.name, enc)
	}
	if len(b) < 4 {
		return nil, nil, c.fail("%v", errShort)
	}
	n := int(binary.LittleEndian.Uint32(b))
	if n > len(b)-4 {
		return nil, nil, c.fail("levels are longer than their page")
	}
	return b[4 : 4+n], b[4+n:], nil
}

func (c *chunk) levels(dst []uint8, b []byte, highest int) ([]uint8, error) {
	dst, err := hybrid(dst, b, c.page.entries, uint(bits.Len(uint(highest))))
	if err != nil {
		return dst, c.fail("levels: %v", err)
	}
	for _, x := range dst {
		if int(x) > highest {
			return dst, c.fail("level %d is above %d", x, highest)
		}
	}
	return dst, nil
}

// value is the i-th value of the loaded page that is not null.
func (c *chunk) value(i int) []byte {
	if c.page.indexed {
		return c.dict.at(int(c.page.index[i]))
	}
	return c.page.vals.at(i)
}
