package bundle

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"expunge/pipeline/seal"
)

// A sealed table is Parquet with modular encryption (AES_GCM_V1, one key, the
// footer encrypted too), as DuckDB, Spark and pyarrow read it: each page header,
// page and the footer is one module, bound to its place in the file.
//
// Arrow's own encryption draws random nonces, so that equal work would give other
// bytes and a run that is resumed could not tell its own file from another. So the
// modules of the finished file are sealed here, with synthetic nonces like those of
// boxes, and opened again to what they were. Pages are copied as they are: what is
// opened has the same values, types and statistics.

// Modules, by their numbers in the format's specification.
const (
	footerModule     byte = 0
	dataPage         byte = 2
	dictPage         byte = 3
	dataPageHeader   byte = 4
	dictPageHeader   byte = 5
	nonceSize             = 12
	tagSize               = 16
	moduleOverhead        = 4 + nonceSize + tagSize
	maxModule             = 1 << 30 // what is allocated on a file's word
	clearMagic            = "PAR1"
	sealedMagic           = "PARE"
	maxOrdinal            = math.MaxInt16
	footerTail            = 8 // length of the footer, and the magic
	pageReaderBuffer      = 64 << 10
)

// modular seals and opens one table.
type modular struct {
	aead   cipher.AEAD
	nonce  *seal.Key // of synthetic nonces
	unique []byte    // binds the modules to the file
	meta   []byte    // names the key
}

func newModular(key, nonce *seal.Key, unique, meta []byte) *modular {
	block, err := aes.NewCipher(key.Bytes())
	if err != nil {
		panic(err) // only for a wrong key size
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // only for a wrong block size
	}
	return &modular{aead: aead, nonce: nonce, unique: unique, meta: meta}
}

// aad is what a module is bound to: its file, kind and place.
func (m *modular) aad(module byte, ordinals ...int) []byte {
	b := append(append([]byte(nil), m.unique...), module)
	for _, n := range ordinals {
		b = binary.LittleEndian.AppendUint16(b, uint16(n))
	}
	return b
}

func (m *modular) seal(aad, plain []byte) []byte {
	h := m.nonce.Hasher()
	_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(aad))))
	_, _ = h.Write(aad)
	_, _ = h.Write(plain)
	sum := h.Sum128()
	nonce := sum[:nonceSize]
	b := make([]byte, 0, len(plain)+moduleOverhead)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(plain)+nonceSize+tagSize))
	b = append(b, nonce...)
	return m.aead.Seal(b, nonce, plain, aad)
}

// open reads the next module.
func (m *modular) open(aad []byte, r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, fmt.Errorf("read module: %w", err)
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n < nonceSize+tagSize || n > maxModule {
		return nil, fmt.Errorf("a module of %d bytes: %w", n, seal.ErrForged)
	}
	b, err := readN(r, int64(n))
	if err != nil {
		return nil, fmt.Errorf("read module: %w", err)
	}
	plain, err := m.aead.Open(b[nonceSize:nonceSize], b[:nonceSize], b[nonceSize:], aad)
	if err != nil {
		return nil, fmt.Errorf("a module was changed, belongs elsewhere, or has another key: %w", seal.ErrForged)
	}
	return plain, nil
}

// readN reads n bytes, and allocates no more than are there.
func readN(r io.Reader, n int64) ([]byte, error) {
	var b bytes.Buffer
	if got, err := io.CopyN(&b, r, n); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("%d of %d bytes: %w", got, n, err)
	}
	return b.Bytes(), nil
}

// sealTable writes the Parquet file src, which arrow has written just now, to dst
// with its modules sealed.
func (m *modular) sealTable(dst io.Writer, src io.ReaderAt, size int64) error {
	raw, err := tail(src, size, clearMagic)
	if err != nil {
		return err
	}
	var meta format.FileMetaData
	if err := decode(bytes.NewReader(raw), &meta); err != nil {
		return err
	}
	out := &counter{w: dst}
	if err := out.text(sealedMagic); err != nil {
		return err
	}
	err = eachChunk(&meta, out, func(group, column int, md *format.ColumnMetaData) error {
		return m.sealChunk(out, src, group, column, md)
	})
	if err != nil {
		return err
	}
	for g := range meta.RowGroups {
		for c := range meta.RowGroups[g].Columns {
			meta.RowGroups[g].Columns[c].CryptoMetadata.Value = &format.EncryptionWithFooterKey{}
		}
	}
	plain, err := encode(&meta)
	if err != nil {
		return err
	}
	crypto, err := m.crypto()
	if err != nil {
		return err
	}
	return out.tail(append(crypto, m.seal(m.aad(footerModule), plain)...), sealedMagic)
}

// openTable is the reverse of sealTable.
func (m *modular) openTable(dst io.Writer, src io.ReaderAt, size int64) (err error) {
	defer func() { // a decoder of foreign bytes, although what it decodes is authenticated
		if p := recover(); p != nil {
			err = fmt.Errorf("read footer: %w", seal.ErrForged)
		}
	}()
	raw, err := tail(src, size, sealedMagic)
	if err != nil {
		return err
	}
	crypto, err := m.crypto()
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(raw, crypto) {
		return fmt.Errorf("the file belongs to another bundle, has another name there, or another key: %w", seal.ErrForged)
	}
	r := bytes.NewReader(raw[len(crypto):])
	plain, err := m.open(m.aad(footerModule), r)
	if err != nil {
		return fmt.Errorf("open footer: %w", err)
	}
	if r.Len() > 0 {
		return fmt.Errorf("something follows the footer: %w", seal.ErrForged)
	}
	var meta format.FileMetaData
	if err := decode(bytes.NewReader(plain), &meta); err != nil {
		return err
	}
	if !contiguous(&meta, size-footerTail-int64(len(raw))) {
		return fmt.Errorf("something lies between its columns: %w", seal.ErrForged)
	}
	out := &counter{w: dst}
	if err := out.text(clearMagic); err != nil {
		return err
	}
	err = eachChunk(&meta, out, func(group, column int, md *format.ColumnMetaData) error {
		return m.openChunk(out, src, group, column, md)
	})
	if err != nil {
		return err
	}
	for g := range meta.RowGroups {
		for c := range meta.RowGroups[g].Columns {
			meta.RowGroups[g].Columns[c].CryptoMetadata.Value = nil
		}
	}
	if plain, err = encode(&meta); err != nil {
		return err
	}
	return out.tail(plain, clearMagic)
}

// cryptoMeta is FileCryptoMetaData as we write it. Unlike parquet-go's it says that
// readers need no prefix, which arrow's reader takes for granted that files do.
type cryptoMeta struct {
	Algorithm   algorithm `thrift:"1,required"`
	KeyMetadata []byte    `thrift:"2,required"`
}

type algorithm struct { // a union; 1 is AES_GCM_V1
	GCM struct {
		AadFileUnique   []byte `thrift:"2,required"`
		SupplyAadPrefix bool   `thrift:"3,required"`
	} `thrift:"1,required"`
}

// crypto is what a sealed table says in clear.
func (m *modular) crypto() ([]byte, error) {
	c := cryptoMeta{KeyMetadata: m.meta}
	c.Algorithm.GCM.AadFileUnique = m.unique
	return encode(&c)
}

// eachChunk lets f write the column chunks one after the other, and notes where
// they are now.
func eachChunk(meta *format.FileMetaData, out *counter, f func(group, column int, md *format.ColumnMetaData) error) error {
	for g := range meta.RowGroups {
		group := &meta.RowGroups[g]
		if g > maxOrdinal || len(group.Columns) > maxOrdinal {
			return errors.New("seal table: it has more row groups or columns than the format can number")
		}
		group.Ordinal, group.FileOffset = int16(g), out.n
		for c := range group.Columns {
			chunk := &group.Columns[c]
			chunk.FileOffset = out.n
			if err := f(g, c, &chunk.MetaData); err != nil {
				return fmt.Errorf("row group %d, column %d: %w", g, c, err)
			}
			chunk.MetaData.TotalCompressedSize = out.n - chunk.FileOffset
		}
		group.TotalCompressedSize = out.n - group.FileOffset
	}
	return nil
}

// begins is where the first page of a chunk is.
func begins(md *format.ColumnMetaData) int64 {
	if md.DictionaryPageOffset > 0 && md.DictionaryPageOffset < md.DataPageOffset {
		return md.DictionaryPageOffset
	}
	return md.DataPageOffset
}

// place is where the pages of a chunk are.
func place(src io.ReaderAt, md *format.ColumnMetaData) *io.SectionReader {
	return io.NewSectionReader(src, begins(md), md.TotalCompressedSize)
}

// contiguous reports whether the chunks fill a sealed file up to its footer.
func contiguous(meta *format.FileMetaData, footer int64) bool {
	at := int64(len(sealedMagic))
	for g := range meta.RowGroups {
		for c := range meta.RowGroups[g].Columns {
			md := &meta.RowGroups[g].Columns[c].MetaData
			if begins(md) != at || md.TotalCompressedSize < 0 {
				return false
			}
			at += md.TotalCompressedSize
		}
	}
	return at == footer
}

func (m *modular) sealChunk(out *counter, src io.ReaderAt, group, column int, md *format.ColumnMetaData) error {
	r := bufio.NewReaderSize(place(src, md), pageReaderBuffer)
	noted := noting{md: md}
	for data := 0; ; {
		if _, err := r.Peek(1); err == io.EOF {
			return nil
		}
		var head format.PageHeader
		if err := decode(r, &head); err != nil {
			return err
		}
		page, err := readN(r, int64(head.CompressedPageSize))
		if err != nil {
			return fmt.Errorf("read page: %w", err)
		}
		headAAD, pageAAD := m.pageAAD(head.Type == format.DictionaryPage, group, column, data)
		head.CompressedPageSize += moduleOverhead
		plain, err := encode(&head)
		if err != nil {
			return err
		}
		noted.note(&head, out.n)
		if err := out.bytes(m.seal(headAAD, plain), m.seal(pageAAD, page)); err != nil {
			return err
		}
		if head.Type != format.DictionaryPage {
			if data++; data > maxOrdinal {
				return errors.New("it has more pages than the format can number")
			}
		}
	}
}

func (m *modular) openChunk(out *counter, src io.ReaderAt, group, column int, md *format.ColumnMetaData) error {
	r := bufio.NewReaderSize(place(src, md), pageReaderBuffer)
	dict := md.DictionaryPageOffset > 0
	noted := noting{md: md}
	for data := 0; ; {
		if _, err := r.Peek(1); err == io.EOF {
			return nil
		}
		headAAD, pageAAD := m.pageAAD(dict, group, column, data)
		plain, err := m.open(headAAD, r)
		if err != nil {
			return err
		}
		var head format.PageHeader
		if err := decode(bytes.NewReader(plain), &head); err != nil {
			return err
		}
		page, err := m.open(pageAAD, r)
		if err != nil {
			return err
		}
		head.CompressedPageSize = int32(len(page))
		if plain, err = encode(&head); err != nil {
			return err
		}
		noted.note(&head, out.n)
		if err := out.bytes(plain, page); err != nil {
			return err
		}
		if !dict {
			data++
		}
		dict = false
	}
}

// pageAAD binds a page: dictionaries are not numbered, there is one in a chunk.
func (m *modular) pageAAD(dict bool, group, column, page int) (head, body []byte) {
	if dict {
		return m.aad(dictPageHeader, group, column), m.aad(dictPage, group, column)
	}
	return m.aad(dataPageHeader, group, column, page), m.aad(dataPage, group, column, page)
}

// noting writes down where the first pages of a chunk are.
type noting struct {
	md   *format.ColumnMetaData
	data bool
}

func (n *noting) note(head *format.PageHeader, at int64) {
	switch {
	case head.Type == format.DictionaryPage:
		n.md.DictionaryPageOffset = at
	case !n.data:
		n.md.DataPageOffset, n.data = at, true
	}
}

// tail is the footer, which its length and the magic follow.
func tail(src io.ReaderAt, size int64, magic string) ([]byte, error) {
	if size < footerTail+int64(len(magic)) {
		return nil, fmt.Errorf("a table of %d bytes: %w", size, seal.ErrForged)
	}
	begin := make([]byte, len(magic))
	if _, err := src.ReadAt(begin, 0); err != nil {
		return nil, fmt.Errorf("read table: %w", err)
	}
	var end [footerTail]byte
	if _, err := src.ReadAt(end[:], size-footerTail); err != nil && err != io.EOF {
		return nil, fmt.Errorf("read footer: %w", err)
	}
	n := int64(binary.LittleEndian.Uint32(end[:4]))
	if string(begin) != magic || string(end[4:]) != magic || n > size-footerTail-int64(len(magic)) {
		return nil, fmt.Errorf("its ends are not those of such a table: %w", seal.ErrForged)
	}
	return readN(io.NewSectionReader(src, size-footerTail-n, n), n)
}

// byteSource is what thrift reads from, no byte further than the structure goes.
type byteSource interface {
	io.Reader
	io.ByteReader
}

func decode(r byteSource, v any) error {
	if err := thrift.NewDecoder((&thrift.CompactProtocol{}).NewReader(r)).Decode(v); err != nil {
		return fmt.Errorf("decode metadata: %w", err)
	}
	return nil
}

func encode(v any) ([]byte, error) {
	b, err := thrift.Marshal(new(thrift.CompactProtocol), v)
	if err != nil {
		return nil, fmt.Errorf("encode metadata: %w", err)
	}
	return b, nil
}

// counter knows how far a file is written.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) bytes(parts ...[]byte) error {
	for _, p := range parts {
		n, err := c.w.Write(p)
		c.n += int64(n)
		if err != nil {
			return fmt.Errorf("write table: %w", err)
		}
	}
	return nil
}

func (c *counter) text(s string) error { return c.bytes([]byte(s)) }

func (c *counter) tail(footer []byte, magic string) error {
	return c.bytes(footer, binary.LittleEndian.AppendUint32(nil, uint32(len(footer))), []byte(magic))
}
