package parquet

import (
	"math/bits"
	"sort"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// place is where a data page lies, and which rows begin in it.
type place struct {
	off, size int64 // header and body
	row       int64 // the first, of the row group; it ends where the next page's begin
}

const (
	maxPlaces   = 4 << 20   // pages of a row group whose places are kept
	maxIndex    = 16 << 20  // bytes of an offset index
	smallGap    = 64 << 10  // bytes between wanted pages that are rather read than asked around
	leastFetch  = 128 << 10 // window of a column among many
	totalWindow = 64 << 20  // of all columns together
)

// keep notes where the page at hand of a swept column lies. Pages of a nested
// column that begin inside a row make the notes useless.
func (s *scan) keep(i int, c *chunk, row int64) {
	if s.kept++; s.kept > maxPlaces || s.adrift[i] {
		return
	}
	if c.leaf.maxRep > 0 && c.page.loaded && c.page.entries > 0 && c.page.rep[0] != 0 {
		s.adrift[i], s.places[i] = true, nil
		return
	}
	s.places[i] = append(s.places[i], place{c.page.off, c.win.pos - c.page.off, row})
}

// locate finds out where the pages of all columns of row group g lie: from the
// sweep, which saw each of them, else from the file's offset index. That is taken
// for granted in nothing: it must fill chunk and row group, the first and the last
// page and those that are read must hold the rows that it says, and where they do
// not the column is read from its start. Columns that one read brings are not worth
// the questions.
func (s *scan) locate(g int) error {
	group := &s.file.meta.RowGroups[g]
	lo, hi := int64(1<<62), int64(0)
	has := func(i int) bool {
		c := &group.Columns[i]
		return len(s.places[i]) == 0 && !s.adrift[i] && c.MetaData.TotalCompressedSize > fetchAhead && c.OffsetIndexOffset >= 4 && c.OffsetIndexLength > 0 && c.OffsetIndexLength <= maxIndex && c.OffsetIndexOffset < s.file.src.in.Size-int64(c.OffsetIndexLength)-8
	}
	for i := range group.Columns {
		if c := &group.Columns[i]; has(i) {
			lo, hi = min(lo, c.OffsetIndexOffset), max(hi, c.OffsetIndexOffset+int64(c.OffsetIndexLength))
		}
	}
	if lo >= hi || hi-lo > maxIndex {
		return nil
	}
	b, err := s.file.src.read(lo, hi-lo)
	if err != nil {
		return err
	}
	for i := range group.Columns {
		if c := &group.Columns[i]; has(i) {
			from := c.OffsetIndexOffset - lo
			s.places[i], s.told[i] = readPlaces(b[from:from+int64(c.OffsetIndexLength)], c, group.NumRows), true
		}
	}
	return nil
}

// readPlaces decodes an offset index. It returns nil where the pages that it names
// do not fill their chunk, or their rows not the row group.
func readPlaces(b []byte, c *format.ColumnChunk, rows int64) []place {
	n, err := checkThrift(b, anyStruct)
	if err != nil || n != len(b) {
		return nil
	}
	var index format.OffsetIndex
	if err := thrift.NewDecoder((&thrift.CompactProtocol{}).NewReaderFromBytes(append([]byte(nil), b...))).Decode(&index); err != nil {
		return nil
	}
	_, end := span(c)
	at, row := c.MetaData.DataPageOffset, int64(-1)
	places := make([]place, 0, len(index.PageLocations))
	for i, l := range index.PageLocations {
		if l.Offset != at || l.CompressedPageSize <= 0 || l.FirstRowIndex <= row || i == 0 && l.FirstRowIndex != 0 {
			return nil
		}
		at, row = at+int64(l.CompressedPageSize), l.FirstRowIndex
		places = append(places, place{l.Offset, int64(l.CompressedPageSize), row})
	}
	if at != end || row >= rows || len(places) == 0 {
		return nil
	}
	return places
}

// candidate reports whether any row from lo up to hi is a candidate.
func (s *scan) candidate(lo, hi int64) bool {
	for w := lo / 64; w <= (hi-1)/64; w++ {
		word := s.rows[w]
		if w == lo/64 {
			word &= ^uint64(0) << (lo % 64)
		}
		if word == 0 {
			continue
		}
		return w*64+int64(bits.TrailingZeros64(word)) < hi
	}
	return false
}

// seek opens the page that row begins in, where the places of pages are known.
func (c *cursor) seek(s *scan, row int64) error {
	if c.places == nil {
		return nil
	}
	i := sort.Search(len(c.places), func(k int) bool { return c.places[k].row > row }) - 1
	if c.loaded && c.at == i {
		return nil
	}
	if s.told[c.col] && !c.begun {
		for _, k := range []int{0, len(c.places) - 1} {
			if err := c.open(s, k); err != nil {
				return err
			}
		}
	}
	return c.open(s, i)
}

// after is the row after the last that begins in page i.
func (c *cursor) after(s *scan, i int) int64 {
	if i+1 < len(c.places) {
		return c.places[i+1].row
	}
	return s.numRows
}

// errPlace says that a page is not where or what its place says.
var errPlace = corrupt("page index does not agree with the pages")

// open reads and decodes page i.
func (c *cursor) open(s *scan, i int) error {
	if !c.begun {
		c.begun = true
		start, _ := span(&s.file.meta.RowGroups[c.group].Columns[c.col])
		c.win.move(start, c.places[0].off)
		for c.win.pos < c.win.end {
			if data, err := c.one(); err != nil || data {
				return orPlace(err)
			}
		}
	}
	p := c.places[i]
	if p.off < c.win.pos || p.off+p.size > c.win.end {
		c.win.move(p.off, c.run(s, i))
	} else {
		c.win.skip(p.off - c.win.pos)
	}
	c.seen = 0
	data, err := c.one()
	if err != nil || !data || c.win.pos != p.off+p.size {
		return orPlace(err)
	}
	if err := c.load(); err != nil {
		return err
	}
	if rows := c.after(s, i) - p.row; int64(c.page.rows) != rows || c.leaf.maxRep > 0 && rows > 0 && c.page.rep[0] != 0 {
		return errPlace
	}
	c.at, c.row, c.entry, c.value, c.loaded = i, p.row, 0, 0, true
	return nil
}

func orPlace(err error) error {
	if err == nil {
		return errPlace
	}
	return err
}

// run is where the bytes end that are best read at once from page i on.
func (c *cursor) run(s *scan, i int) int64 {
	from, end := c.places[i].off, c.places[i].off+c.places[i].size
	for k := i + 1; k < len(c.places); k++ {
		p := c.places[k]
		if p.off-end > smallGap || p.off+p.size-from > c.win.ahead {
			break
		}
		if s.candidate(p.row, c.after(s, k)) {
			end = p.off + p.size
		}
	}
	return end
}

// restart makes the cursor read its chunk from the start.
func (c *cursor) restart(s *scan) {
	start, end := span(&s.file.meta.RowGroups[c.group].Columns[c.col])
	c.win.move(start, end)
	c.places, c.loaded, c.row, c.seen, c.has = nil, false, 0, 0, false
}
