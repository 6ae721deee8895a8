package parquet

import (
	"encoding/binary"
	"slices"

	"github.com/parquet-go/parquet-go/encoding/thrift"
)

// A footer is not decoded and encoded again: what parquet-go's structs do not tell
// apart (a field id of 0 and none, no null count and none that is null) or do not know
// would be another afterwards. Its fields are copied as they are stored, but for those
// that say where things lie.

// thriftField is a field of a struct in the compact protocol. Booleans have no bytes.
type thriftField struct {
	id    int
	typ   byte
	value []byte
}

// thriftFields are those of a struct, in the order of their ids.
type thriftFields []thriftField

const (
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftBinary = 8
	thriftList   = 9
	thriftStruct = 12
)

// fieldsOf reads the struct that b is.
func fieldsOf(b []byte) (out thriftFields, err error) {
	w := thriftWalk{b: b}
	for id := 0; ; {
		head, err := w.byte()
		if err != nil || head == 0 {
			return out, err
		}
		if id, err = w.id(head, id); err != nil {
			return nil, err
		}
		from, typ := w.at, head&15
		if typ > 2 {
			if err := w.value(typ, anyStruct, id, 0); err != nil {
				return nil, err
			}
		}
		out = append(out, thriftField{id, typ, b[from:w.at]})
	}
}

// structs are the elements of a list of structs.
func (f thriftField) structs() ([][]byte, error) {
	w := thriftWalk{b: f.value}
	n, typ, err := w.list()
	if err != nil {
		return nil, err
	}
	if f.typ != thriftList || typ != thriftStruct || n > uint64(len(f.value)) {
		return nil, errThrift
	}
	out := make([][]byte, 0, n)
	for range n {
		from := w.at
		if err := w.structure(anyStruct, 0); err != nil {
			return nil, err
		}
		out = append(out, f.value[from:w.at])
	}
	return out, nil
}

// listOf is a list of structs.
func listOf(elems [][]byte) []byte {
	b := []byte{15<<4 | thriftStruct}
	if n := len(elems); n < 15 {
		b[0] = byte(n)<<4 | thriftStruct
	} else {
		b = binary.AppendUvarint(b, uint64(n))
	}
	for _, e := range elems {
		b = append(b, e...)
	}
	return b
}

// bytes is the struct as it is stored.
func (f thriftFields) bytes() []byte {
	var b []byte
	last := 0
	for _, x := range f {
		if d := x.id - last; d > 0 && d < 16 {
			b = append(b, byte(d)<<4|x.typ)
		} else {
			b = binary.AppendVarint(append(b, x.typ), int64(x.id))
		}
		b = append(b, x.value...)
		last = x.id
	}
	return append(b, 0)
}

// at is the field with an id, nil if there is none.
func (f thriftFields) at(id int) *thriftField {
	for i := range f {
		if f[i].id == id {
			return &f[i]
		}
	}
	return nil
}

// set gives a field a value; one that was not there comes in its place.
func (f *thriftFields) set(id int, typ byte, value []byte) {
	if x := f.at(id); x != nil {
		x.typ, x.value = typ, value
		return
	}
	i := 0
	for i < len(*f) && (*f)[i].id < id {
		i++
	}
	*f = slices.Insert(*f, i, thriftField{id, typ, value})
}

// number gives a field a number.
func (f *thriftFields) number(id int, typ byte, v int64) {
	f.set(id, typ, binary.AppendVarint(nil, v))
}

// place gives a field that is there for something that may be missing a number; 0: it goes.
func (f *thriftFields) place(id int, typ byte, v int64) {
	if v == 0 {
		f.drop(id)
		return
	}
	f.number(id, typ, v)
}

func (f *thriftFields) drop(ids ...int) {
	*f = slices.DeleteFunc(*f, func(x thriftField) bool { return slices.Contains(ids, x.id) })
}

// footer is that of the new file.
func (w *rewriting) footer() ([]byte, error) {
	file, err := fieldsOf(w.file.footer)
	if err != nil {
		return nil, err
	}
	var sources [][]byte // row groups
	if groups := file.at(4); groups != nil {
		if sources, err = groups.structs(); err != nil {
			return nil, err
		}
	}
	before := make([]thriftFields, len(sources))
	numbered := false // writers leave out the number of the first, or of all
	for g := range sources {
		if before[g], err = fieldsOf(sources[g]); err != nil {
			return nil, err
		}
		numbered = numbered || before[g].at(7) != nil
	}
	groups := make([][]byte, len(w.made))
	for g := range w.made {
		m := &w.made[g]
		if m.source >= len(sources) {
			return nil, errThrift
		}
		group, err := m.group(before[m.source])
		if err != nil {
			return nil, err
		}
		if group.drop(7); numbered {
			group.number(7, thriftI16, int64(min(g, 1<<15-1)))
		}
		groups[g] = group.bytes()
	}
	file.number(3, thriftI64, w.rows)
	file.set(4, thriftList, listOf(groups))
	return file.bytes(), nil
}

// group is a row group of the new file: the source's, from, or where it was encoded
// anew the writer's, with what is true of both.
func (m *made) group(from thriftFields) (thriftFields, error) {
	columnsOf := func(f thriftFields) ([][]byte, error) {
		if f.at(1) == nil {
			return nil, errThrift
		}
		return f.at(1).structs()
	}
	before, err := columnsOf(from)
	if err != nil {
		return nil, err
	}
	group, columns := slices.Clone(from), slices.Clone(before)
	if m.anew {
		b, err := thrift.Marshal(&thrift.CompactProtocol{}, &m.meta)
		if err != nil {
			return nil, err
		}
		if group, err = fieldsOf(b); err != nil {
			return nil, err
		}
		if columns, err = columnsOf(group); err != nil {
			return nil, err
		}
	}
	if len(columns) != len(m.meta.Columns) || len(before) != len(columns) {
		return nil, errThrift
	}
	for i := range columns {
		if columns[i], err = m.column(i, columns[i], before[i]); err != nil {
			return nil, err
		}
	}
	group.set(1, thriftList, listOf(columns))
	group.place(5, thriftI64, m.meta.FileOffset)
	return group, nil
}

// column is the ith column chunk of the new row group; before is the source's.
func (m *made) column(i int, b, before []byte) ([]byte, error) {
	c := &m.meta.Columns[i]
	chunk, err := fieldsOf(b)
	if err != nil {
		return nil, err
	}
	chunk.number(2, thriftI64, c.FileOffset)
	chunk.place(4, thriftI64, c.OffsetIndexOffset)
	chunk.place(5, thriftI32, int64(c.OffsetIndexLength))
	chunk.place(6, thriftI64, c.ColumnIndexOffset)
	chunk.place(7, thriftI32, int64(c.ColumnIndexLength))
	meta, err := chunk.nested(3)
	if err != nil {
		return nil, err
	}
	meta.number(9, thriftI64, c.MetaData.DataPageOffset)
	meta.place(10, thriftI64, c.MetaData.IndexPageOffset)
	meta.place(11, thriftI64, c.MetaData.DictionaryPageOffset)
	meta.place(14, thriftI64, c.MetaData.BloomFilterOffset)
	meta.place(15, thriftI32, int64(c.MetaData.BloomFilterLength))
	if m.anew {
		source, err := fieldsOf(before)
		if err != nil {
			return nil, err
		}
		if source, err = source.nested(3); err != nil {
			return nil, err
		}
		if err := m.statistics(i, &meta, source); err != nil {
			return nil, err
		}
	}
	chunk.set(3, thriftStruct, meta.bytes())
	return chunk.bytes(), nil
}

// nested are the fields of a field that is a struct.
func (f thriftFields) nested(id int) (thriftFields, error) {
	x := f.at(id)
	if x == nil || x.typ != thriftStruct {
		return nil, errThrift
	}
	return fieldsOf(x.value)
}

// statistics of a chunk that was encoded anew are of the kinds that the source's were.
func (m *made) statistics(i int, meta *thriftFields, source thriftFields) error {
	meta.drop(12)
	if source.at(12) == nil {
		return nil
	}
	had, err := source.nested(12)
	if err != nil {
		return err
	}
	var is thriftFields
	now := &m.meta.Columns[i].MetaData.Statistics
	if had.at(3) != nil {
		is.number(3, thriftI64, now.NullCount)
	}
	if now.MinValue != nil && now.MaxValue != nil && (had.at(5) != nil || had.at(1) != nil) {
		is.set(5, thriftBinary, append(binary.AppendUvarint(nil, uint64(len(now.MaxValue))), now.MaxValue...))
		is.set(6, thriftBinary, append(binary.AppendUvarint(nil, uint64(len(now.MinValue))), now.MinValue...))
	}
	if len(is) > 0 {
		meta.set(12, thriftStruct, is.bytes())
	}
	return nil
}
