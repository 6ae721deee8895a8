package parquet

import (
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/parquet-go/parquet-go/format"
)

// arrowSchema gives the source's types in arrow's terms.
func arrowSchema(root *node) (*arrow.Schema, error) {
	fields := make([]arrow.Field, 0, len(root.children))
	for _, c := range root.children {
		fields = append(fields, arrowField(c))
	}
	return arrow.NewSchema(fields, nil), nil
}

func arrowField(n *node) arrow.Field {
	f := arrow.Field{Name: n.name, Nullable: n.rep == format.Optional}
	switch {
	case n.shape == list:
		f.Type = arrowList(n.children[0])
	case n.shape == mapped:
		entry := n.children[0]
		key, item := arrowField(entry.children[0]), arrowField(entry.children[1])
		m := arrow.MapOf(key.Type, item.Type)
		m.SetItemNullable(item.Nullable)
		f.Type = m
	case n.rep == format.Repeated:
		f.Type = arrow.ListOfNonNullable(arrowType(n))
	default:
		f.Type = arrowType(n)
	}
	return f
}

// arrowList is the type of a list with this repeated child.
func arrowList(repeated *node) arrow.DataType {
	if repeated.wrapper {
		f := arrowField(repeated.children[0])
		f.Name = "element"
		return arrow.ListOfField(f)
	}
	return arrow.ListOfField(arrow.Field{Name: "element", Type: arrowType(repeated)})
}

// arrowType is the type of n without its repetition.
func arrowType(n *node) arrow.DataType {
	if n.leaf == nil {
		fields := make([]arrow.Field, 0, len(n.children))
		for _, c := range n.children {
			fields = append(fields, arrowField(c))
		}
		return arrow.StructOf(fields...)
	}
	l := n.leaf
	switch t := l.text; t.means {
	case asString:
		return arrow.BinaryTypes.String
	case asSigned:
		switch {
		case t.bits == 8:
			return arrow.PrimitiveTypes.Int8
		case t.bits == 16:
			return arrow.PrimitiveTypes.Int16
		case l.width == 4:
			return arrow.PrimitiveTypes.Int32
		}
		return arrow.PrimitiveTypes.Int64
	case asUnsigned:
		switch {
		case t.bits == 8:
			return arrow.PrimitiveTypes.Uint8
		case t.bits == 16:
			return arrow.PrimitiveTypes.Uint16
		case l.width == 4:
			return arrow.PrimitiveTypes.Uint32
		}
		return arrow.PrimitiveTypes.Uint64
	case asFloat:
		if l.width == 4 {
			return arrow.PrimitiveTypes.Float32
		}
		return arrow.PrimitiveTypes.Float64
	case asHalf:
		return arrow.FixedWidthTypes.Float16
	case asDecimal:
		switch p := int32(t.precision); {
		case p > 0 && p <= 38 && t.scale <= int(p):
			return &arrow.Decimal128Type{Precision: p, Scale: int32(t.scale)}
		case p > 0 && p <= 76 && t.scale <= int(p):
			return &arrow.Decimal256Type{Precision: p, Scale: int32(t.scale)}
		}
		return arrow.BinaryTypes.String
	case asBool:
		return arrow.FixedWidthTypes.Boolean
	case asDate:
		return arrow.FixedWidthTypes.Date32
	case asTime:
		switch t.unit {
		case time.Millisecond:
			return arrow.FixedWidthTypes.Time32ms
		case time.Microsecond:
			return arrow.FixedWidthTypes.Time64us
		}
		return arrow.FixedWidthTypes.Time64ns
	case asTimestamp, asInt96:
		ts := &arrow.TimestampType{Unit: arrow.Nanosecond}
		switch t.unit {
		case time.Millisecond:
			ts.Unit = arrow.Millisecond
		case time.Microsecond:
			ts.Unit = arrow.Microsecond
		}
		if t.utc {
			ts.TimeZone = "UTC"
		}
		return ts
	}
	if l.width > 0 {
		return &arrow.FixedSizeBinaryType{ByteWidth: l.width}
	}
	return arrow.BinaryTypes.Binary
}
