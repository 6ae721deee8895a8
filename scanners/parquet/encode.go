package parquet

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"math"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding"
	"github.com/parquet-go/parquet-go/format"

	"expunge/scanners"
	"expunge/scanners/walk"
)

// encode writes a row group anew, after edits.
func (w *rewriting) encode(g int, first int64, edits []scanners.Edit) (err error) {
	defer func() { // parquet-go panics on schemas and types that it does not write
		if p := recover(); p != nil {
			err = unsupported("row group %d cannot be encoded anew", g)
		}
	}()
	s := &scan{file: w.file, finder: scanners.Nothing{}, inf: &inflater{}, record: first, every: true, numRows: w.file.meta.RowGroups[g].NumRows}
	defer s.inf.close()
	s.emit = w.check
	s.declare()
	if err := s.preload(g); err != nil {
		return err
	}
	if err := s.begin(g); err != nil {
		return err
	}
	base := w.spool.n
	var out *pq.GenericWriter[any]
	row := make(pq.Row, 0, len(w.file.leaves))
	redact := &redactor{}
	redacted := false
	within := make([]bounds, len(w.file.leaves))
	for r := range s.numRows {
		if r&1023 == 0 {
			if err := w.file.src.ctx.Err(); err != nil {
				return passed{err}
			}
		}
		s.asm.reset(len(s.cursors))
		for i, c := range s.cursors {
			if err := s.read(c, r, i); err != nil {
				return err
			}
		}
		if len(edits) > 0 && edits[0].Record == first+r {
			e := &edits[0]
			edits = edits[1:]
			if err := s.emitRow(g, r); err != nil {
				return err
			}
			if !e.Redact {
				w.out.Erased++
				continue
			}
			w.out.Redacted++
			redacted = true
			redact.row(s, e)
		}
		if out == nil {
			var err error
			if out, err = w.writer(g); err != nil {
				return err
			}
		}
		row = row[:0]
		for i, l := range w.file.leaves {
			for _, e := range s.asm.entries[i] {
				within[i].take(l, e)
				row = append(row, l.value(e).Level(int(e.rep), int(e.def), i))
			}
		}
		if _, err := out.WriteRows([]pq.Row{row}); err != nil {
			return w.failed(err)
		}
	}
	for _, c := range s.cursors { // all pages were read, to the last value
		if more, err := c.next(); err != nil {
			return err
		} else if more {
			return c.fail("more rows than the row group's %d", s.numRows)
		}
	}
	if out == nil {
		return nil // no row is left: neither is the row group
	}
	if err := out.Flush(); err != nil {
		return w.failed(err)
	}
	w.spool.tail, w.spool.tailAt = []byte{}, w.spool.n // what follows the row group is its page indexes
	defer func() { w.spool.tail = nil }()
	if err := out.Close(); err != nil {
		return w.failed(err)
	}
	return w.adopt(g, base, out.File().Metadata(), within, redacted)
}

// failed is an error of the writer: the spool's own, or that it cannot write this.
func (w *rewriting) failed(err error) error {
	if p := (passed{}); errors.As(err, &p) {
		return p
	}
	return unsupported("encode row group: %v", err)
}

// adopt takes the one row group of a file that was written to the spool from base on.
func (w *rewriting) adopt(g int, base int64, written *format.FileMetaData, bounds []bounds, redacted bool) error {
	source := &w.file.meta.RowGroups[g]
	if len(written.RowGroups) != 1 || len(written.RowGroups[0].Columns) != len(source.Columns) {
		return unsupported("encode row group %d: it came out as %d row groups", g, len(written.RowGroups))
	}
	m := made{source: g, anew: true, meta: written.RowGroups[0], columns: make([]tailOf, len(source.Columns))}
	m.meta.SortingColumns = nil
	if !redacted {
		m.meta.SortingColumns = source.SortingColumns // what goes leaves the rest in order
	}
	for i := range m.meta.Columns {
		c, t, l := &m.meta.Columns[i], &m.columns[i], w.file.leaves[i]
		off, end := span(c)
		shift := w.piece(scanners.Piece{Spool: true, Off: base + off, Len: end - off}) - off
		if i == 0 {
			m.meta.FileOffset = off + shift
		}
		if c.MetaData.BloomFilterOffset > 0 && c.MetaData.BloomFilterLength > 0 {
			t.bloom = scanners.Piece{Spool: true, Off: base + c.MetaData.BloomFilterOffset, Len: int64(c.MetaData.BloomFilterLength)}
		}
		if source.Columns[i].ColumnIndexOffset > 0 && l.ordered() && c.ColumnIndexLength > 0 {
			t.columnIndex = scanners.Piece{Spool: true, Off: base + c.ColumnIndexOffset, Len: int64(c.ColumnIndexLength)}
		}
		if source.Columns[i].OffsetIndexOffset > 0 && c.OffsetIndexLength > 0 {
			from := base + c.OffsetIndexOffset - w.spool.tailAt
			if from < 0 || from+int64(c.OffsetIndexLength) > int64(len(w.spool.tail)) {
				return unsupported("encode row group %d: its offset index is not where it should be", g)
			}
			var err error
			if t.offsetIndex, err = shiftIndex(w.spool.tail[from:from+int64(c.OffsetIndexLength)], shift); err != nil {
				return err
			}
		}
		shiftChunk(c, shift)
		if c.MetaData.Type != l.typ { // the writer has a type of its own for columns that hold nulls alone
			if c.MetaData.Statistics.NullCount != c.MetaData.NumValues {
				return unsupported("encode row group %d: column %q came out in another type", g, l.name)
			}
			c.MetaData.Type = l.typ
		}
		c.MetaData.PathInSchema = source.Columns[i].MetaData.PathInSchema
		c.MetaData.KeyValueMetadata = source.Columns[i].MetaData.KeyValueMetadata
		if !l.ordered() {
			s := &c.MetaData.Statistics
			*s = format.Statistics{NullCount: s.NullCount, MinValue: bounds[i].least, MaxValue: bounds[i].greatest}
		}
	}
	w.rows += m.meta.NumRows
	w.made = append(w.made, m)
	return nil
}

// ordered reports whether the writer orders values as the format says, so that
// least and greatest ones can be believed. Decimals in bytes and INT96 are not.
func (l *leaf) ordered() bool {
	switch l.typ {
	case format.Int96:
		return false
	case format.ByteArray, format.FixedLenByteArray:
		return l.text.means == asString || l.text.means == asBytes
	}
	return true
}

// bounds are the least and the greatest value of a column that the writer does not
// order as the format says; nil where there is none.
type bounds struct{ least, greatest []byte }

// take takes an entry into account.
func (b *bounds) take(l *leaf, e entry) {
	v := e.value
	if int(e.def) < l.maxDef || v == nil || l.ordered() {
		return
	}
	var compare func(a, b []byte) int
	switch l.text.means {
	case asDecimal:
		compare = compareSigned
	case asUUID:
		compare = bytes.Compare
	default:
		return
	}
	if b.least == nil || compare(v, b.least) < 0 {
		b.least = append([]byte{}, v...)
	}
	if b.greatest == nil || compare(v, b.greatest) > 0 {
		b.greatest = append([]byte{}, v...)
	}
}

// compareSigned compares numbers in two's complement, the highest byte first, whose
// lengths may differ.
func compareSigned(a, b []byte) int {
	sign := func(v []byte) byte { // what would stand before it
		if len(v) > 0 && v[0] >= 0x80 {
			return 0xff
		}
		return 0
	}
	if x, y := sign(a), sign(b); x != y {
		return cmp.Compare(y, x)
	}
	for n := max(len(a), len(b)); n > 0; n-- {
		x, y := sign(a), sign(b)
		if n <= len(a) {
			x = a[len(a)-n]
		}
		if n <= len(b) {
			y = b[len(b)-n]
		}
		if x != y {
			return cmp.Compare(x, y)
		}
	}
	return 0
}

// value is an entry as parquet-go has it.
func (l *leaf) value(e entry) pq.Value {
	if int(e.def) < l.maxDef || e.value == nil {
		return pq.NullValue()
	}
	b := e.value
	switch l.typ {
	case format.Boolean:
		return pq.BooleanValue(b[0] != 0)
	case format.Int32:
		return pq.Int32Value(int32(binary.LittleEndian.Uint32(b)))
	case format.Int64:
		return pq.Int64Value(int64(binary.LittleEndian.Uint64(b)))
	case format.Int96:
		return pq.Int96Value(deprecated.Int96{binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])})
	case format.Float:
		return pq.FloatValue(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	case format.Double:
		return pq.DoubleValue(math.Float64frombits(binary.LittleEndian.Uint64(b)))
	case format.FixedLenByteArray:
		return pq.FixedLenByteArrayValue(b)
	}
	return pq.ByteArrayValue(b)
}

// writer makes a writer of one row group, in the manner of row group g.
func (w *rewriting) writer(g int) (*pq.GenericWriter[any], error) {
	src := w.file.src
	if w.kinds == nil {
		var err error
		w.kinds, err = pq.OpenFile(&readerAt{src}, src.in.Size, pq.SkipPageIndex(true), pq.SkipBloomFilters(true))
		if err != nil {
			return nil, unsupported("open schema: %v", err)
		}
	}
	group := &w.file.meta.RowGroups[g]
	next := 0
	root, err := w.style(w.kinds.Root(), group, &next)
	if err != nil {
		return nil, err
	}
	version, err := w.pageVersion(g)
	if err != nil {
		return nil, err
	}
	options := []pq.WriterOption{
		pq.NewSchema(w.kinds.Root().Name(), &rooted{root}), pq.MaxRowsPerRowGroup(math.MaxInt64), pq.DataPageVersion(version),
		pq.DataPageStatistics(false), pq.CreatedBy("expunge", "1", ""),
	}
	var blooms []pq.BloomFilterColumn
	for i := range group.Columns {
		if group.Columns[i].MetaData.BloomFilterOffset > 0 {
			blooms = append(blooms, pq.SplitBlockFilter(10, group.Columns[i].MetaData.PathInSchema...))
		}
	}
	if len(blooms) > 0 {
		options = append(options, pq.BloomFilters(blooms...))
	}
	return pq.NewGenericWriter[any](w.spool, options...), nil
}

// pageVersion is that of the row group's first data page.
func (w *rewriting) pageVersion(g int) (int, error) {
	inf := &inflater{}
	defer inf.close()
	c := w.file.chunk(nil, g, 0, leastFetch, inf)
	if _, err := c.next(); err != nil {
		return 0, err
	}
	if c.page.header.Type == format.DataPageV2 {
		return 2, nil
	}
	return 1, nil
}

// styled is a column of the source with the codec and encoding of one row group.
type styled struct {
	*pq.Column
	fields   []pq.Field
	encoding encoding.Encoding
	codec    compress.Codec
}

func (s *styled) Fields() []pq.Field          { return s.fields }
func (s *styled) Encoding() encoding.Encoding { return s.encoding }
func (s *styled) Compression() compress.Codec { return s.codec }

// rooted is the root, which is there once whatever its repetition says: some writers
// call it repeated.
type rooted struct{ *styled }

func (*rooted) Optional() bool { return false }
func (*rooted) Repeated() bool { return false }
func (*rooted) Required() bool { return true }

// style copies the tree of columns; next counts its leaves.
func (w *rewriting) style(c *pq.Column, group *format.RowGroup, next *int) (*styled, error) {
	s := &styled{Column: c}
	if c.Leaf() {
		i := *next
		*next++
		if i >= len(group.Columns) {
			return nil, unsupported("the schema has more columns than row groups have")
		}
		m := &group.Columns[i].MetaData
		switch m.Codec {
		case format.Uncompressed, format.Snappy, format.Gzip, format.Brotli, format.Zstd, format.Lz4Raw:
		default:
			return nil, unsupported("column %q: codec %s is read and not written", w.file.leaves[i].name, m.Codec)
		}
		s.codec = pq.LookupCompressionCodec(m.Codec)
		s.encoding = w.file.leaves[i].encoding(m)
		return s, nil
	}
	for _, child := range c.Columns() {
		f, err := w.style(child, group, next)
		if err != nil {
			return nil, err
		}
		s.fields = append(s.fields, f)
	}
	return s, nil
}

// encoding is what the chunk's values were encoded in, as far as the writer has it.
func (l *leaf) encoding(m *format.ColumnMetaData) encoding.Encoding {
	has := func(e format.Encoding) bool {
		for _, x := range m.Encoding {
			if x == e {
				return true
			}
		}
		return false
	}
	integer := l.typ == format.Int32 || l.typ == format.Int64
	switch {
	case l.typ == format.Boolean && has(format.RLE) && !has(format.Plain): // else it is that of the levels
		return packedBooleans{}
	case l.typ == format.Boolean:
		return &pq.Plain
	case m.DictionaryPageOffset > 0 || has(format.RLEDictionary) || has(plainDictionary):
		return &pq.RLEDictionary
	case has(format.DeltaBinaryPacked) && integer:
		return &pq.DeltaBinaryPacked
	case has(format.DeltaLengthByteArray) && l.typ == format.ByteArray:
		return &pq.DeltaLengthByteArray
	case has(format.DeltaByteArray) && (l.typ == format.ByteArray || l.typ == format.FixedLenByteArray):
		return &pq.DeltaByteArray
	case has(format.ByteStreamSplit) && l.typ != format.ByteArray && l.typ != format.Int96:
		return &pq.ByteStreamSplit
	}
	return &pq.Plain
}

// packedBooleans are booleans in the hybrid encoding, as one packed run: parquet-go's
// encoder makes runs that have more values than the page, which strict readers refuse.
type packedBooleans struct{ encoding.NotSupported }

// Encoding implements encoding.Encoding.
func (packedBooleans) Encoding() format.Encoding { return format.RLE }

// String implements encoding.Encoding.
func (packedBooleans) String() string { return "RLE" }

// EncodeBoolean implements encoding.Encoding: src has eight values a byte.
func (packedBooleans) EncodeBoolean(dst, src []byte) ([]byte, error) {
	dst = binary.AppendUvarint(append(dst[:0], 0, 0, 0, 0), uint64(len(src))<<1|1)
	dst = append(dst, src...)
	binary.LittleEndian.PutUint32(dst, uint32(len(dst)-4))
	return dst, nil
}

// readerAt is the source for parquet-go, which reads its footer.
type readerAt struct{ src *source }

func (r *readerAt) ReadAt(p []byte, off int64) (int, error) {
	n := min(int64(len(p)), r.src.in.Size-off)
	if n <= 0 {
		return 0, io.EOF
	}
	b, err := r.src.read(off, n)
	if err != nil {
		return 0, err
	}
	copy(p, b)
	if n < int64(len(p)) {
		return int(n), io.EOF
	}
	return int(n), nil
}

// redactor empties rows.
type redactor struct {
	text walk.Redactor
	seen []int // by column: values that are there so far
}

// row empties the values of the row at hand that e does not keep. Nulls are for
// columns that have them; others get the empty value of their type.
func (r *redactor) row(s *scan, e *scanners.Edit) {
	r.text.Record()
	r.seen = append(r.seen[:0], make([]int, len(s.file.leaves))...)
	for _, x := range s.asm.leaves {
		l := s.file.leaves[x.column]
		at := r.place(s, x, l)
		if at == nil {
			continue
		}
		if x.key {
			if cuts := r.text.Key(at.value, x.path, e); len(cuts) > 0 {
				at.value = walk.Apply(nil, at.value, cuts)
			}
			continue
		}
		below, whole := keepsOf(e.Keep, x.path, l.path)
		if whole {
			continue
		}
		if l.isText() && len(at.value) > 0 {
			cuts := r.text.Text(at.value, x.path, below, e, "")
			if n := len(cuts); n != 1 || cuts[0].Start > 0 || cuts[0].End < len(at.value) || cuts[0].With != "" {
				at.value = walk.Apply(make([]byte, 0, len(at.value)), at.value, cuts)
				continue
			}
		}
		if e.Spares(x.path, x.value) {
			continue
		}
		if l.node.rep == format.Optional {
			at.def, at.value = uint8(l.maxDef-1), nil
		} else {
			at.value = bytes.Repeat([]byte{0}, l.emptyLen())
		}
	}
}

func (l *leaf) emptyLen() int {
	if l.typ == format.Boolean {
		return 1
	}
	return l.width
}

// place is the entry that a leaf was made of, nil for one of a null.
func (r *redactor) place(s *scan, x found, l *leaf) *entry {
	if x.value == nil {
		return nil
	}
	entries := s.asm.entries[x.column]
	for r.seen[x.column] < len(entries) {
		e := &entries[r.seen[x.column]]
		r.seen[x.column]++
		if int(e.def) == l.maxDef {
			return e
		}
	}
	return nil
}

// keepsOf are the keeps below a leaf with this path (of its column: column), and
// whether it stays whole.
func keepsOf(keep []string, path, column string) (below walk.Keeps, whole bool) {
	for _, k := range keep {
		for _, p := range []string{path, column} {
			switch {
			case covers(k, p):
				return nil, true
			case covers(p, k):
				below = append(below, k[len(p):])
			}
		}
	}
	return below, false
}

// covers reports whether inner is outer, or lies within it.
func covers(outer, inner string) bool {
	return len(inner) >= len(outer) && inner[:len(outer)] == outer && (len(inner) == len(outer) || inner[len(outer)] == '.' || inner[len(outer)] == '[' || inner[len(outer)] == '{')
}
