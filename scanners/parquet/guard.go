package parquet

import (
	"encoding/binary"
	"errors"
)

// Footers and page headers carry no checksum, and parquet-go's decoder makes room
// for as many elements as a list says that it has and descends as deep as structs
// are nested: a flipped bit could end the process. So their bytes are walked first.

const (
	maxNesting = 32      // of thrift structs and lists; the format's own are 7 deep
	maxElems   = 1 << 18 // of the schema
	maxGroups  = 1 << 20
)

var (
	errCut    = errors.New("structure is cut off")
	errThrift = errors.New("structure is malformed")
)

// what a thrift struct is, where its elements are large and so must have bytes.
type thriftKind uint8

const (
	anyStruct thriftKind = iota
	fileStruct
	schemaElement
	rowGroup
	columnChunk
)

// list is what the elements of a struct's field are.
func (k thriftKind) list(field int) (elem thriftKind, least, most int) {
	switch {
	case k == fileStruct && field == 2:
		return schemaElement, 3, maxElems
	case k == fileStruct && field == 4:
		return rowGroup, 6, maxGroups
	case k == rowGroup && field == 1:
		return columnChunk, 24, maxElems
	}
	return anyStruct, 1, 1 << 30
}

// thriftWalk walks a struct in the compact protocol.
type thriftWalk struct {
	b  []byte
	at int
}

// checkThrift walks the struct that b begins with and returns its length. errCut:
// b ends before it does.
func checkThrift(b []byte, kind thriftKind) (int, error) {
	w := thriftWalk{b: b}
	err := w.structure(kind, 0)
	return w.at, err
}

func (w *thriftWalk) uvarint() (uint64, error) {
	x, n := binary.Uvarint(w.b[w.at:])
	if n == 0 {
		return 0, errCut
	}
	if n < 0 {
		return 0, errThrift
	}
	w.at += n
	return x, nil
}

func (w *thriftWalk) skip(n uint64) error {
	if n > uint64(len(w.b)-w.at) {
		return errCut
	}
	w.at += int(n)
	return nil
}

func (w *thriftWalk) byte() (byte, error) {
	if w.at >= len(w.b) {
		return 0, errCut
	}
	w.at++
	return w.b[w.at-1], nil
}

func (w *thriftWalk) structure(kind thriftKind, depth int) error {
	if depth > maxNesting {
		return errThrift
	}
	field := 0
	for {
		head, err := w.byte()
		if err != nil || head == 0 {
			return err
		}
		if field, err = w.id(head, field); err != nil {
			return err
		}
		if t := head & 15; t > 2 { // 1 and 2 are booleans, which have no bytes
			if err := w.value(t, kind, field, depth); err != nil {
				return err
			}
		}
	}
}

// id is that of the field that head begins, behind the one with the id last.
func (w *thriftWalk) id(head byte, last int) (int, error) {
	if delta := int(head >> 4); delta != 0 {
		return last + delta, nil
	}
	id, err := w.uvarint()
	return int(int16(id>>1) ^ -int16(id&1)), err
}

// list reads the head of a list: how many elements of which type follow.
func (w *thriftWalk) list() (n uint64, typ byte, err error) {
	head, err := w.byte()
	if n = uint64(head >> 4); err == nil && n == 15 {
		n, err = w.uvarint()
	}
	return n, head & 15, err
}

func (w *thriftWalk) value(typ byte, in thriftKind, field, depth int) error {
	switch typ {
	case 1, 2, 3: // booleans in lists, and bytes
		return w.skip(1)
	case 4, 5, 6:
		_, err := w.uvarint()
		return err
	case 7:
		return w.skip(8)
	case 8:
		n, err := w.uvarint()
		if err != nil {
			return err
		}
		return w.skip(n)
	case 9, 10:
		n, elems, err := w.list()
		if err != nil {
			return err
		}
		elem, least, most := in.list(field)
		if n > uint64(most) {
			return errThrift
		}
		if n > uint64(len(w.b)-w.at)/uint64(least) {
			return errCut
		}
		return w.values(n, elems, elem, depth+1)
	case 11:
		n, err := w.uvarint()
		if err != nil || n == 0 {
			return err
		}
		types, err := w.byte()
		if err != nil {
			return err
		}
		for range n {
			if err := w.values(1, types>>4, anyStruct, depth+1); err != nil {
				return err
			}
			if err := w.values(1, types&15, anyStruct, depth+1); err != nil {
				return err
			}
		}
		return nil
	case 12:
		return w.structure(anyStruct, depth+1)
	}
	return errThrift
}

func (w *thriftWalk) values(n uint64, typ byte, elem thriftKind, depth int) error {
	if depth > maxNesting {
		return errThrift
	}
	for range n {
		var err error
		if typ == 12 {
			err = w.structure(elem, depth)
		} else {
			err = w.value(typ, anyStruct, 0, depth)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
