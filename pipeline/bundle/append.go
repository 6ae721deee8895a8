package bundle

import (
	"encoding/base64"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/decimal128"
	"github.com/apache/arrow/go/v15/arrow/decimal256"
)

// add appends v to the column's builder; src is the type of v at its source, nil
// if that has none.
func (c *column) add(b array.Builder, v value, src arrow.DataType) error {
	if v.kind == isNull {
		b.AppendNull()
		return nil
	}
	if c.text() {
		b.(*array.StringBuilder).Append(string(render(v, src).json(nil)))
		return nil
	}
	switch b := b.(type) {
	case *array.StructBuilder:
		b.Append(true)
		for i, f := range c.fields {
			item, _ := v.member(i, f.name)
			if err := f.add(b.FieldBuilder(i), item, memberType(src, f.name)); err != nil {
				return err
			}
		}
		return nil
	case *array.MapBuilder:
		m, ok := src.(*arrow.MapType)
		if !ok {
			return fmt.Errorf("column %q: not a map", c.name)
		}
		b.Append(true)
		for _, entry := range v.items {
			key, _ := entry.member(0, "key")
			item, _ := entry.member(1, "value")
			if err := c.key.add(b.KeyBuilder(), key, m.KeyType()); err != nil {
				return err
			}
			if err := c.elem.add(b.ItemBuilder(), item, m.ItemType()); err != nil {
				return err
			}
		}
		return nil
	case *array.ListBuilder:
		var elem arrow.DataType
		if l, ok := src.(arrow.ListLikeType); ok {
			elem = l.Elem()
		}
		b.Append(true)
		for _, item := range v.items {
			if err := c.elem.add(b.ValueBuilder(), item, elem); err != nil {
				return err
			}
		}
		return nil
	}
	if err := addLeaf(b, v.text); err != nil {
		return fmt.Errorf("column %q: a value is no %s", c.name, b.Type())
	}
	return nil
}

func addLeaf(b array.Builder, s string) error {
	var err error
	signed := func(bits int) (n int64) { n, err = strconv.ParseInt(s, 10, bits); return n }
	unsigned := func(bits int) (n uint64) { n, err = strconv.ParseUint(s, 10, bits); return n }
	switch b := b.(type) {
	case *array.StringBuilder:
		b.Append(s)
	case *array.BooleanBuilder:
		b.Append(s == "true")
	case *array.Int8Builder:
		b.Append(int8(signed(8)))
	case *array.Int16Builder:
		b.Append(int16(signed(16)))
	case *array.Int32Builder:
		b.Append(int32(signed(32)))
	case *array.Int64Builder:
		b.Append(signed(64))
	case *array.Uint8Builder:
		b.Append(uint8(unsigned(8)))
	case *array.Uint16Builder:
		b.Append(uint16(unsigned(16)))
	case *array.Uint32Builder:
		b.Append(uint32(unsigned(32)))
	case *array.Uint64Builder:
		b.Append(unsigned(64))
	case *array.Date32Builder:
		b.Append(arrow.Date32(signed(32)))
	case *array.Time32Builder:
		b.Append(arrow.Time32(signed(32)))
	case *array.Time64Builder:
		b.Append(arrow.Time64(signed(64)))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(signed(64)))
	case *array.Float32Builder:
		f, e := strconv.ParseFloat(s, 32)
		err = e
		b.Append(float32(f))
	case *array.Float64Builder:
		f, e := strconv.ParseFloat(s, 64)
		err = e
		b.Append(f)
	case *array.BinaryBuilder:
		raw, e := base64.StdEncoding.DecodeString(s)
		err = e
		b.Append(raw)
	case *array.FixedSizeBinaryBuilder:
		raw, e := base64.StdEncoding.DecodeString(s)
		if e != nil {
			return e
		}
		if len(raw) != b.Type().(*arrow.FixedSizeBinaryType).ByteWidth {
			return fmt.Errorf("wrong width")
		}
		b.Append(raw)
	case *array.Decimal128Builder:
		n, e := unscaled(s, b.Type().(*arrow.Decimal128Type).Scale)
		if e != nil {
			return e
		}
		b.Append(decimal128.FromBigInt(n))
	case *array.Decimal256Builder:
		n, e := unscaled(s, b.Type().(*arrow.Decimal256Type).Scale)
		if e != nil {
			return e
		}
		b.Append(decimal256.FromBigInt(n))
	default:
		return fmt.Errorf("no builder for %s", b.Type())
	}
	return err
}

// unscaled is a decimal's digits as an integer, without rounding.
func unscaled(s string, scale int32) (*big.Int, error) {
	whole, frac, _ := strings.Cut(s, ".")
	if pad := int(scale) - len(frac); pad >= 0 {
		n, ok := new(big.Int).SetString(whole+frac+strings.Repeat("0", pad), 10)
		if ok {
			return n, nil
		}
	}
	return nil, fmt.Errorf("not a decimal of scale %d", scale)
}
