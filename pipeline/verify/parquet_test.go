package verify_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// handmade is a Parquet file of one column and two rows, both "bob" or 7, as a writer
// would leave it that takes rows away and forgets the rest.
type handmade struct {
	ints       bool
	dictionary []any // values that no row refers to
	chunk      any   // the largest value by the column chunk's statistics
	page       any   // the same by the data page's header
	index      any   // the same by the column index
	gap        string
	columns    string // name of the column
}

func (h handmade) bytes(t *testing.T) string {
	t.Helper()
	plain := func(v any, length bool) []byte {
		switch v := v.(type) {
		case int64:
			return binary.LittleEndian.AppendUint64(nil, uint64(v))
		case string:
			var b []byte
			if length {
				b = binary.LittleEndian.AppendUint32(nil, uint32(len(v)))
			}
			return append(b, v...)
		}
		return nil
	}
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	var file bytes.Buffer
	write := func(v any) int64 {
		b, err := thrift.Marshal(&thrift.CompactProtocol{}, v)
		if err != nil {
			t.Fatal(err)
		}
		file.Write(b)
		return int64(len(b))
	}
	file.WriteString("PAR1")
	file.WriteString(h.gap)

	kept, typ := any("bob"), format.ByteArray
	if h.ints {
		kept, typ = int64(7), format.Int64
	}
	var dictionary []byte
	for _, v := range append([]any{kept}, h.dictionary...) {
		dictionary = append(dictionary, plain(v, true)...)
	}
	start := int64(file.Len())
	body := enc.EncodeAll(dictionary, nil)
	write(&format.PageHeader{Type: format.DictionaryPage, UncompressedPageSize: int32(len(dictionary)), CompressedPageSize: int32(len(body)),
		DictionaryPageHeader: thrift.New(format.DictionaryPageHeader{NumValues: int32(1 + len(h.dictionary)), Encoding: format.Plain})})
	file.Write(body)
	data := int64(file.Len())
	rows := []byte{1, 2 << 1, 0} // one bit each: twice the first
	body = enc.EncodeAll(rows, nil)
	write(&format.PageHeader{Type: format.DataPage, UncompressedPageSize: int32(len(rows)), CompressedPageSize: int32(len(body)),
		DataPageHeader: thrift.New(format.DataPageHeader{NumValues: 2, Encoding: format.RLEDictionary, DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE,
			Statistics: format.Statistics{MaxValue: plain(h.page, false)}})})
	file.Write(body)
	end := int64(file.Len())

	name := "v"
	if h.columns != "" {
		name = h.columns
	}
	column := format.ColumnChunk{FileOffset: start, MetaData: format.ColumnMetaData{
		Type: typ, Encoding: []format.Encoding{format.Plain, format.RLEDictionary}, PathInSchema: []string{name}, Codec: format.Zstd, NumValues: 2,
		TotalUncompressedSize: end - start, TotalCompressedSize: end - start, DataPageOffset: data, DictionaryPageOffset: start,
		Statistics: format.Statistics{MaxValue: plain(h.chunk, false)},
	}}
	if h.index != nil {
		column.ColumnIndexOffset = int64(file.Len())
		column.ColumnIndexLength = int32(write(&format.ColumnIndex{NullPages: []bool{false}, MinValues: [][]byte{plain(kept, false)}, MaxValues: [][]byte{plain(h.index, false)}}))
	}
	element := format.SchemaElement{Type: thrift.New(typ), RepetitionType: thrift.New(format.Required), Name: name}
	if !h.ints {
		element.ConvertedType = thrift.New(deprecated.UTF8)
	}
	n := write(&format.FileMetaData{
		Version: 2, NumRows: 2, Schema: []format.SchemaElement{{Name: "root", NumChildren: thrift.New(int32(1))}, element},
		RowGroups: []format.RowGroup{{Columns: []format.ColumnChunk{column}, TotalByteSize: end - start, NumRows: 2}},
	})
	file.Write(binary.LittleEndian.AppendUint32(nil, uint32(n)))
	file.WriteString("PAR1")
	return file.String()
}

// What rows have left behind in a Parquet file is found, however it is packed.
func TestResidueInParquet(t *testing.T) {
	long := "somebody.with.quite.a.long.address.47.bytes@example.com" // as long as the byte "7"
	for name, c := range map[string]struct {
		file handmade
		want string
	}{
		"nothing":                              {handmade{dictionary: []any{"eve", "joann@example.com"}, chunk: "eve", page: "eve", index: "eve"}, ""},
		"nothing, of numbers":                  {handmade{ints: true, dictionary: []any{int64(8), int64(914045550123)}, chunk: int64(8), page: int64(8), index: int64(8)}, ""},
		"a dictionary":                         {handmade{dictionary: []any{"eve", "ann@example.com"}}, "RAW -1"},
		"a dictionary, with a long one behind": {handmade{dictionary: []any{"ann@example.com", long}}, "RAW -1"},
		"a dictionary of numbers":              {handmade{ints: true, dictionary: []any{int64(14045550123)}}, "RAW -1"},
		"the statistics of a column":           {handmade{chunk: "ann@example.com"}, "RAW -1"},
		"the statistics of numbers":            {handmade{ints: true, chunk: int64(4045550123)}, "RAW -1"},
		"the statistics of a page":             {handmade{page: "ann@example.com"}, "RAW -1"},
		"the statistics of a page of numbers":  {handmade{ints: true, page: int64(4045550123)}, "RAW -1"},
		"a column index":                       {handmade{index: "ann@example.com"}, "RAW -1"},
		"a column index of numbers":            {handmade{ints: true, index: int64(4045550123)}, "RAW -1"},
		"between pages":                        {handmade{gap: "<ann@example.com>"}, "RAW -1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, false)
			w.v.Datasets[0].Format = "parquet"
			w.put("o", c.file.bytes(t))
			got := w.look("o")
			if residue(got) != c.want || got.Records != 2 {
				t.Errorf("%q is left of %d records, want %q", residue(got), got.Records, c.want)
			}
		})
	}
	if n := len(long); n != '7' {
		t.Errorf("the long address has %d bytes: its length is no digit", n)
	}
}
