// Package parquet searches Parquet files column by column. Pages are decoded here
// in plain Go on top of parquet-go's thrift structures: every count is checked
// against page header, chunk and footer, no assembly touches foreign bytes, and
// LZ4_RAW is decoded to the length that the page header states.
//
// Columns come first. A dictionary is probed once; only if it holds something
// wanted are the pages that refer to it decompressed. Other pages are probed as
// one buffer of values kept apart by NULs. Whole rows are read only where a value
// was a candidate; pages of flat columns without one are passed over.
//
// # Paths
//
// "." goes into groups. A LIST (in all its historic forms) and a plain repeated
// field are "[]"; their inner groups ("list.element", "bag.array_element") have no
// part in the path. The value of a MAP under the key "k" lies at "m.k" as in JSON, or
// at "m{}" where the key is empty or longer than 256 bytes, or has dots, brackets, an
// "@" or more than 6 digits, and no field is declared by it. Keys lie at "m{}"; they
// are searched but are no leaves. JSON inside a string goes on below the column's path:
// "properties.user_id", "tags[]".
//
// # Doc
//
// A JSON object, columns in schema order, that array.RecordBuilder of arrow v15
// reads back with Schema: integers as numbers; decimals, non-finite and half
// floats as strings; dates, times and timestamps as the physical integer in the
// unit of the schema; INT96 as nanoseconds since 1970; binary, fixed binary and
// UUID as base64; lists as arrays; maps as arrays of {"key","value"}. Bytes of a
// string column that are not UTF-8 become U+FFFD there; Raw keeps them.
//
// # Leaves
//
// Values as text: numbers and decimals as digits without exponent or trailing
// zeros of a fraction, UUIDs hyphenated, dates and timestamps as RFC 3339 (no "Z"
// where the file says local time), times as "15:04:05.999999999". Timestamps,
// dates, times, booleans and half floats are not searched unless declared.
//
// # Raw
//
// The canonical form that digests are taken over is independent of encoding,
// codec, page and row group. It begins with the byte 1; then for each leaf column
// in schema order: the uvarint number of entries of the row in this column, then
// per entry one byte repetition level, one byte definition level and, where the
// definition level is the column's maximum, one byte physical type (the numbers
// of parquet.thrift), the uvarint length of the value and its bytes: integers and
// floats little-endian, INT96 its 12 bytes, booleans one byte, others as stored.
//
// # Memory
//
// A scan holds the footer, at most one page of MaxPage bytes and its decoded form
// per column that is being read, together at most maxHeld, the dictionaries of
// these columns, one bit per row of a row group and 24 bytes per page, and the values
// of one row (4 Mi, and MaxPage bytes). What is larger is refused as TOO_LARGE,
// before memory is taken for it.
package parquet

import (
	"errors"
	"fmt"

	"expunge/scanners"
)

// MaxPage is the largest page, in decompressed bytes, that is read.
const MaxPage = 256 << 20

// MaxRows is the largest number of rows of a row group that is read.
const MaxRows = 1 << 30

const (
	maxFooter = 64 << 20  // bytes of the footer; decoded it takes some 20 times that
	maxHeld   = 768 << 20 // bytes of pages and dictionaries at a time
	maxValues = 64 << 20  // values of a page, nulls included
)

// Scanner implements scanners.Scanner and scanners.Splitter. The zero value is
// ready to use.
type Scanner struct{}

// New returns the scanner.
func New() *Scanner { return &Scanner{} }

// Format is "parquet".
func (*Scanner) Format() string { return "parquet" }

var _ scanners.Splitter = (*Scanner)(nil)

// fault is an error with the code it is to be refused with.
type fault struct {
	code scanners.Code
	msg  string
}

func (f *fault) Error() string { return f.msg }

func corrupt(format string, args ...any) error {
	return &fault{scanners.Corrupt, fmt.Sprintf(format, args...)}
}

func unsupported(format string, args ...any) error {
	return &fault{scanners.Unsupported, fmt.Sprintf(format, args...)}
}

// refuse gives err the code that its fault carries, CORRUPT where it has none.
func refuse(name string, err error) error {
	code := scanners.Corrupt
	if f := (*fault)(nil); errors.As(err, &f) {
		code = f.code
	}
	return scanners.Refuse(code, name, err)
}
