package avro

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/hamba/avro/v2"
)

// maxDecimal bounds a decimal's bytes, and its scale.
const maxDecimal = 1024

const day = 24 * time.Hour

// appendInteger appends an int or long by its logical type; quoted: it is a string
// in JSON.
func appendInteger(dst []byte, logical avro.LogicalType, v int64) (out []byte, quoted bool) {
	const zoneless = "2006-01-02T15:04:05.999999999"
	switch logical {
	case avro.Date:
		return time.Unix(v*86400, 0).UTC().AppendFormat(dst, time.DateOnly), true
	case avro.TimeMillis, avro.TimeMicros:
		unit := time.Millisecond
		if logical == avro.TimeMicros {
			unit = time.Microsecond
		}
		if v >= 0 && v < int64(day/unit) {
			return time.Unix(0, v*int64(unit)).UTC().AppendFormat(dst, "15:04:05.999999999"), true
		}
	case avro.TimestampMillis:
		return time.UnixMilli(v).UTC().AppendFormat(dst, zoneless+"Z"), true
	case avro.TimestampMicros:
		return time.UnixMicro(v).UTC().AppendFormat(dst, zoneless+"Z"), true
	case avro.LocalTimestampMillis:
		return time.UnixMilli(v).UTC().AppendFormat(dst, zoneless), true
	case avro.LocalTimestampMicros:
		return time.UnixMicro(v).UTC().AppendFormat(dst, zoneless), true
	}
	return strconv.AppendInt(dst, v, 10), false
}

func appendText(dst, text []byte, quoted bool) []byte {
	if !quoted {
		return append(dst, text...)
	}
	return append(append(append(dst, '"'), text...), '"')
}

// appendNumber appends a float as JSON.
func appendNumber(dst []byte, x float64, bits int) []byte {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return append(strconv.AppendFloat(append(dst, '"'), x, 'g', -1, bits), '"')
	}
	format := byte('f')
	if a := math.Abs(x); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, x, format, -1, bits)
}

// appendFloat appends a float as leaves show it: whole numbers as their digits,
// others without exponent.
func appendFloat(dst []byte, x float64, bits int) []byte {
	if i := int64(x); float64(i) == x && i > -1<<62 && i < 1<<62 {
		return strconv.AppendInt(dst, i, 10)
	}
	return strconv.AppendFloat(dst, x, 'f', -1, bits)
}

// appendDecimal appends the two's complement b with scale digits of fraction; trim
// drops zeros that end it.
func appendDecimal(dst, b []byte, scale int, trim bool) []byte {
	x := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		x.Sub(x, new(big.Int).Lsh(big.NewInt(1), uint(len(b))*8))
	}
	if x.Sign() < 0 {
		dst = append(dst, '-')
		x.Neg(x)
	}
	digits := x.String()
	if scale <= 0 {
		return append(dst, digits...)
	}
	if len(digits) <= scale {
		digits = strings.Repeat("0", scale+1-len(digits)) + digits
	}
	whole, part := digits[:len(digits)-scale], digits[len(digits)-scale:]
	if trim {
		part = strings.TrimRight(part, "0")
	}
	dst = append(dst, whole...)
	if part != "" {
		dst = append(append(dst, '.'), part...)
	}
	return dst
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

// appendDuration appends months, days and milliseconds as ISO 8601 has them.
func appendDuration(dst, b []byte) []byte {
	u := binary.LittleEndian.Uint32
	dst = append(strconv.AppendUint(append(dst, 'P'), uint64(u(b)), 10), 'M')
	dst = append(strconv.AppendUint(dst, uint64(u(b[4:])), 10), 'D', 'T')
	ms := u(b[8:])
	dst = append(strconv.AppendUint(dst, uint64(ms/1000), 10), '.')
	return append(dst, byte('0'+ms/100%10), byte('0'+ms/10%10), byte('0'+ms%10), 'S')
}

func printable(v []byte) bool {
	for _, c := range v {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

func appendUUID(dst, v []byte) []byte {
	for i, end := range [...]int{4, 6, 8, 10, 16} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, v[[...]int{0, 4, 6, 8, 10}[i]:end])
	}
	return dst
}
