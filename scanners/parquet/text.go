package parquet

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/big"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
)

// means is what the values of a column stand for.
type means uint8

const (
	asBytes     means = iota // as they stand
	asString                 // UTF-8
	asSigned                 // integers
	asUnsigned               //
	asFloat                  // FLOAT and DOUBLE
	asHalf                   // FLOAT16
	asDecimal                //
	asUUID                   //
	asBool                   //
	asDate                   // days since 1970
	asTime                   // since midnight
	asTimestamp              // since 1970
	asInt96                  // nanoseconds of the day and Julian day
)

// text says how values become text.
type text struct {
	means     means
	unit      time.Duration // of times and timestamps
	utc       bool
	scale     int
	precision int
	bits      int // of integers
}

// meaning reads the annotations of a column; one that does not fit its physical
// type is ignored, as readers do.
func meaning(l *leaf, e *format.SchemaElement) text {
	integer := l.typ == format.Int32 || l.typ == format.Int64
	binaryType := l.typ == format.ByteArray || l.typ == format.FixedLenByteArray
	bits := l.width * 8
	switch t := e.LogicalType.Value.(type) {
	case *format.StringType, *format.EnumType, *format.JsonType:
		if l.typ == format.ByteArray {
			return text{means: asString}
		}
	case *format.UUIDType:
		if l.width == 16 {
			return text{means: asUUID}
		}
	case *format.Float16Type:
		if l.width == 2 {
			return text{means: asHalf}
		}
	case *format.DecimalType:
		if (integer || binaryType) && t.Scale >= 0 {
			return text{means: asDecimal, scale: int(t.Scale), precision: int(t.Precision)}
		}
	case *format.DateType:
		if l.typ == format.Int32 {
			return text{means: asDate}
		}
	case *format.TimeType:
		if integer && t.Unit.Value != nil {
			return text{means: asTime, unit: t.Unit.Value.Duration(), utc: t.IsAdjustedToUTC}
		}
	case *format.TimestampType:
		if l.typ == format.Int64 && t.Unit.Value != nil {
			return text{means: asTimestamp, unit: t.Unit.Value.Duration(), utc: t.IsAdjustedToUTC}
		}
	case *format.IntType:
		if integer {
			m := asSigned
			if !t.IsSigned {
				m = asUnsigned
			}
			return text{means: m, bits: int(t.BitWidth)}
		}
	}
	if e.ConvertedType.Valid {
		switch c := e.ConvertedType.V; {
		case (c == deprecated.UTF8 || c == deprecated.Enum || c == deprecated.Json) && l.typ == format.ByteArray:
			return text{means: asString}
		case c == deprecated.Decimal && (integer || binaryType) && e.Scale.V >= 0:
			return text{means: asDecimal, scale: int(e.Scale.V), precision: int(e.Precision.V)}
		case c == deprecated.Date && l.typ == format.Int32:
			return text{means: asDate}
		case c == deprecated.TimeMillis && l.typ == format.Int32:
			return text{means: asTime, unit: time.Millisecond, utc: true}
		case c == deprecated.TimeMicros && l.typ == format.Int64:
			return text{means: asTime, unit: time.Microsecond, utc: true}
		case c == deprecated.TimestampMillis && l.typ == format.Int64:
			return text{means: asTimestamp, unit: time.Millisecond, utc: true}
		case c == deprecated.TimestampMicros && l.typ == format.Int64:
			return text{means: asTimestamp, unit: time.Microsecond, utc: true}
		case c >= deprecated.Uint8 && c <= deprecated.Uint64 && integer:
			return text{means: asUnsigned, bits: 8 << (c - deprecated.Uint8)}
		case c >= deprecated.Int8 && c <= deprecated.Int64 && integer:
			return text{means: asSigned, bits: 8 << (c - deprecated.Int8)}
		}
	}
	switch l.typ {
	case format.Boolean:
		return text{means: asBool}
	case format.Int32, format.Int64:
		return text{means: asSigned, bits: bits}
	case format.Int96:
		return text{means: asInt96, unit: time.Nanosecond}
	case format.Float, format.Double:
		return text{means: asFloat}
	}
	return text{means: asBytes}
}

// searched reports whether the column can hold identifiers without being
// declared: points in time, truth values and half floats cannot.
func (t text) searched() bool {
	switch t.means {
	case asBool, asHalf, asDate, asTime, asTimestamp, asInt96:
		return false
	}
	return true
}

// integer is the value of an INT32 or INT64.
func integer(v []byte) int64 {
	if len(v) == 4 {
		return int64(int32(binary.LittleEndian.Uint32(v)))
	}
	return int64(binary.LittleEndian.Uint64(v))
}

func unsigned(v []byte) uint64 {
	if len(v) == 4 {
		return uint64(binary.LittleEndian.Uint32(v))
	}
	return binary.LittleEndian.Uint64(v)
}

// appendText appends v, a value of l, as leaves show it.
func (l *leaf) appendText(dst, v []byte) []byte {
	switch l.text.means {
	case asSigned:
		return strconv.AppendInt(dst, integer(v), 10)
	case asUnsigned:
		return strconv.AppendUint(dst, unsigned(v), 10)
	case asFloat:
		return appendFloat(dst, v)
	case asHalf:
		return strconv.AppendFloat(dst, halfFloat(v), 'f', -1, 32)
	case asDecimal:
		return l.appendDecimal(dst, v, true)
	case asUUID:
		return appendUUID(dst, v)
	case asBool:
		return strconv.AppendBool(dst, v[0] != 0)
	case asDate:
		return time.Unix(integer(v)*86400, 0).UTC().AppendFormat(dst, time.DateOnly)
	case asTime:
		return time.Unix(0, 0).UTC().Add(time.Duration(integer(v))*l.text.unit).AppendFormat(dst, "15:04:05.999999999")
	case asTimestamp, asInt96:
		layout := "2006-01-02T15:04:05.999999999"
		if l.text.utc {
			layout += "Z"
		}
		return l.instant(v).AppendFormat(dst, layout)
	}
	if l.width == 16 && !printable(v) {
		return appendUUID(dst, v) // a UUID that nobody annotated
	}
	return append(dst, v...)
}

func printable(v []byte) bool {
	for _, c := range v {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

func (l *leaf) instant(v []byte) time.Time {
	if l.text.means == asInt96 {
		return time.Unix((int64(binary.LittleEndian.Uint32(v[8:]))-julianEpoch)*86400, int64(binary.LittleEndian.Uint64(v))).UTC()
	}
	n := integer(v)
	switch l.text.unit {
	case time.Millisecond:
		return time.UnixMilli(n).UTC()
	case time.Microsecond:
		return time.UnixMicro(n).UTC()
	}
	return time.Unix(0, n).UTC()
}

// julianEpoch is the Julian day of 1970-01-01.
const julianEpoch = 2440588

// int96Nanos is an INT96 as nanoseconds since 1970; it wraps beyond their range.
func int96Nanos(v []byte) int64 {
	return (int64(binary.LittleEndian.Uint32(v[8:]))-julianEpoch)*86400e9 + int64(binary.LittleEndian.Uint64(v))
}

func float(v []byte) float64 {
	if len(v) == 4 {
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(v)))
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(v))
}

// appendFloat writes whole numbers as their digits, others without exponent.
func appendFloat(dst, v []byte) []byte {
	x := float(v)
	if i := int64(x); float64(i) == x && i > -1<<62 && i < 1<<62 {
		return strconv.AppendInt(dst, i, 10)
	}
	return strconv.AppendFloat(dst, x, 'f', -1, len(v)*8)
}

func halfFloat(v []byte) float64 {
	h := binary.LittleEndian.Uint16(v)
	exp, frac := int(h>>10&31), float64(h&1023)
	var x float64
	switch exp {
	case 0:
		x = math.Ldexp(frac, -24)
	case 31:
		x = math.Inf(1)
		if frac != 0 {
			x = math.NaN()
		}
	default:
		x = math.Ldexp(1024+frac, exp-25)
	}
	if h>>15 != 0 {
		x = -x
	}
	return x
}

// digits counts those of a decimal without the zeros that it begins with.
func digits(text []byte) int {
	n := 0
	for _, c := range text {
		if c >= '1' && c <= '9' || c == '0' && n > 0 {
			n++
		}
	}
	return n
}

// appendDecimal writes the digits of a decimal; trim drops zeros that end the
// fraction.
func (l *leaf) appendDecimal(dst, v []byte, trim bool) []byte {
	from := len(dst)
	switch {
	case l.typ == format.Int32 || l.typ == format.Int64:
		dst = strconv.AppendInt(dst, integer(v), 10)
	case len(v) <= 8:
		var x int64
		if len(v) > 0 {
			x = int64(int8(v[0]))
			for _, c := range v[1:] {
				x = x<<8 | int64(c)
			}
		}
		dst = strconv.AppendInt(dst, x, 10)
	default:
		x := new(big.Int).SetBytes(v)
		if v[0]&0x80 != 0 {
			x.Sub(x, new(big.Int).Lsh(big.NewInt(1), uint(len(v))*8))
		}
		dst = x.Append(dst, 10)
	}
	scale := l.text.scale
	if scale == 0 || scale > 1000 {
		return dst
	}
	digits := append([]byte(nil), dst[from:]...)
	dst = dst[:from]
	if digits[0] == '-' {
		dst, digits = append(dst, '-'), digits[1:]
	}
	for len(digits) <= scale {
		digits = append([]byte{'0'}, digits...)
	}
	whole, part := digits[:len(digits)-scale], digits[len(digits)-scale:]
	if trim {
		for len(part) > 0 && part[len(part)-1] == '0' {
			part = part[:len(part)-1]
		}
	}
	dst = append(dst, whole...)
	if len(part) > 0 {
		dst = append(append(dst, '.'), part...)
	}
	return dst
}

func appendUUID(dst, v []byte) []byte {
	dst = append(hex.AppendEncode(dst, v[:4]), '-')
	dst = append(hex.AppendEncode(dst, v[4:6]), '-')
	dst = append(hex.AppendEncode(dst, v[6:8]), '-')
	dst = append(hex.AppendEncode(dst, v[8:10]), '-')
	return hex.AppendEncode(dst, v[10:])
}
