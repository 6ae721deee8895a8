package avro

import (
	"github.com/apache/arrow/go/v15/arrow"
	"github.com/hamba/avro/v2"
)

const (
	maxTypes     = 16 << 10 // types of a schema, each counted where it is used
	maxTypeDepth = 64
	maxDecimal8  = 38 // digits of a Decimal128
	maxDecimal16 = 76 // digits of a Decimal256
)

// loose is the type of what has no type of its own in Arrow's terms: unions of
// several types, and records inside of themselves. Its values are JSON.
func loose() arrow.DataType {
	return arrow.SparseUnionOf([]arrow.Field{{Name: "json", Type: arrow.BinaryTypes.String, Nullable: true}}, []arrow.UnionTypeCode{0})
}

// nullable takes a union of null and one other type apart.
func nullable(u *avro.UnionSchema) (avro.Schema, bool) {
	var other avro.Schema
	for _, t := range u.Types() {
		if t.Type() == avro.Null {
			continue
		}
		if other != nil {
			return nil, false
		}
		other = t
	}
	return other, other != nil
}

func resolve(s avro.Schema) avro.Schema {
	if ref, ok := s.(*avro.RefSchema); ok {
		return ref.Schema()
	}
	return s
}

// arrowSchema gives the types of a file's records, or nil where records of several
// types are mixed or there are more types than anyone reads: then Doc is loose.
func arrowSchema(s avro.Schema) *arrow.Schema {
	t := types{inside: map[avro.Schema]bool{}}
	s = resolve(s)
	if u, ok := s.(*avro.UnionSchema); ok {
		one, ok := nullable(u)
		if !ok {
			return nil
		}
		s = resolve(one)
	}
	var fields []arrow.Field
	if r, ok := s.(*avro.RecordSchema); ok {
		t.inside[r] = true
		for _, f := range r.Fields() {
			fields = append(fields, t.field(f.Name(), f.Type(), 1))
		}
	} else {
		fields = []arrow.Field{t.field("value", s, 1)}
		fields[0].Nullable = true
	}
	if t.n > maxTypes || t.deep {
		return nil
	}
	return arrow.NewSchema(fields, nil)
}

type types struct {
	inside map[avro.Schema]bool // records above
	n      int
	deep   bool
}

func (t *types) field(name string, s avro.Schema, depth int) arrow.Field {
	f := arrow.Field{Name: name}
	s = resolve(s)
	if u, ok := s.(*avro.UnionSchema); ok {
		if one, ok := nullable(u); ok {
			f.Nullable = len(u.Types()) > 1
			s = resolve(one)
		}
	}
	f.Type = t.of(s, depth)
	f.Nullable = f.Nullable || f.Type.ID() == arrow.NULL || f.Type.ID() == arrow.SPARSE_UNION
	return f
}

func (t *types) of(s avro.Schema, depth int) arrow.DataType {
	if t.n++; t.n > maxTypes {
		return arrow.Null
	}
	if depth > maxTypeDepth {
		t.deep = true
		return arrow.Null
	}
	switch s := s.(type) {
	case *avro.RecordSchema:
		if t.inside[s] {
			return loose()
		}
		t.inside[s] = true
		defer delete(t.inside, s)
		fields := make([]arrow.Field, 0, len(s.Fields()))
		for _, f := range s.Fields() {
			fields = append(fields, t.field(f.Name(), f.Type(), depth+1))
		}
		return arrow.StructOf(fields...)
	case *avro.ArraySchema:
		return arrow.ListOfField(t.field("element", s.Items(), depth+1))
	case *avro.MapSchema:
		value := t.field("value", s.Values(), depth+1)
		m := arrow.MapOf(arrow.BinaryTypes.String, value.Type)
		m.SetItemNullable(value.Nullable)
		return m
	case *avro.UnionSchema:
		return loose()
	case *avro.FixedSchema:
		if d, ok := decimal(s); ok {
			return d
		}
		if s.Logical() != nil && s.Logical().Type() == avro.Duration && s.Size() == 12 {
			return arrow.BinaryTypes.String
		}
		if s.Size() <= 0 {
			return arrow.BinaryTypes.Binary
		}
		return &arrow.FixedSizeBinaryType{ByteWidth: s.Size()}
	}
	return plainType(s)
}

// decimal is the type of a decimal whose digits fit.
func decimal(s avro.LogicalTypeSchema) (arrow.DataType, bool) {
	d, ok := s.Logical().(*avro.DecimalLogicalSchema)
	if !ok {
		return nil, false
	}
	switch p, scale := d.Precision(), d.Scale(); {
	case p <= 0 || scale < 0 || scale > p || p > maxDecimal16:
		return arrow.BinaryTypes.String, true
	case p <= maxDecimal8:
		return &arrow.Decimal128Type{Precision: int32(p), Scale: int32(scale)}, true
	default:
		return &arrow.Decimal256Type{Precision: int32(p), Scale: int32(scale)}, true
	}
}

// plainType is the type of what is not made of other types.
func plainType(s avro.Schema) arrow.DataType {
	var logical avro.LogicalType
	if l, ok := s.(avro.LogicalTypeSchema); ok && l.Logical() != nil {
		logical = l.Logical().Type()
		if d, ok := decimal(l); ok {
			return d
		}
	}
	switch s.Type() {
	case avro.Null:
		return arrow.Null
	case avro.Boolean:
		return arrow.FixedWidthTypes.Boolean
	case avro.Int:
		switch logical {
		case avro.Date:
			return arrow.FixedWidthTypes.Date32
		case avro.TimeMillis:
			return arrow.FixedWidthTypes.Time32ms
		}
		return arrow.PrimitiveTypes.Int32
	case avro.Long:
		switch logical {
		case avro.TimeMicros:
			return arrow.FixedWidthTypes.Time64us
		case avro.TimestampMillis:
			return arrow.FixedWidthTypes.Timestamp_ms
		case avro.TimestampMicros:
			return arrow.FixedWidthTypes.Timestamp_us
		case avro.LocalTimestampMillis:
			return &arrow.TimestampType{Unit: arrow.Millisecond}
		case avro.LocalTimestampMicros:
			return &arrow.TimestampType{Unit: arrow.Microsecond}
		}
		return arrow.PrimitiveTypes.Int64
	case avro.Float:
		return arrow.PrimitiveTypes.Float32
	case avro.Double:
		return arrow.PrimitiveTypes.Float64
	case avro.Bytes:
		return arrow.BinaryTypes.Binary
	}
	return arrow.BinaryTypes.String // strings and enums
}
