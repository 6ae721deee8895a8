package detect

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

const (
	tableRows = 50 // of the head that are compared
	minCells  = 2
)

// table tells CSV and TSV by rows that all have the same number of cells. A tab
// is tried first: text with tabs has commas more often than the other way round.
// "csv" is also the name for semicolons and bars; the dataset says which.
func table(b []byte, whole bool) string {
	for _, c := range []byte{'\t', ',', ';', '|'} {
		if rows, cells := shape(b, c, whole); cells >= minCells && (rows >= 2 || rows == 1 && whole && header(b, c, cells)) {
			if c == '\t' {
				return TSV
			}
			return CSV
		}
	}
	return Unknown
}

// shape counts the rows of b, up to tableRows, and the cells that each of them
// has; cells is 0 if they differ. Line ends and delimiters inside quotes do not
// count, and the last row of a head that is not whole does not either.
func shape(b []byte, delimiter byte, whole bool) (rows, cells int) {
	n, quoted, begin, empty := 1, false, true, true
	end := func() bool {
		if !empty {
			if rows > 0 && n != cells {
				return false
			}
			rows, cells = rows+1, n
		}
		n, begin, empty = 1, true, true
		return true
	}
	for i := 0; i < len(b) && rows < tableRows; i++ {
		c := b[i]
		switch {
		case quoted:
			if c == '"' {
				if i+1 < len(b) && b[i+1] == '"' {
					i++
				} else {
					quoted = false
				}
			}
		case c == '"' && begin:
			quoted, begin, empty = true, false, false
		case c == delimiter:
			n, begin, empty = n+1, true, false
		case c == '\n':
			if !end() {
				return rows, 0
			}
		case c == '\r':
		default:
			begin, empty = false, false
		}
	}
	if quoted && whole { // a quote that never ends: prose
		return rows, 0
	}
	if whole && rows < tableRows && !end() {
		return rows, 0
	}
	return rows, cells
}

// header reports whether the only row of b could name columns: short words
// without blanks. "Well, yes, sure" is a sentence. What an erasure of all rows leaves
// of a table has to pass for one. Two words are few, and must not be numbers.
func header(b []byte, delimiter byte, cells int) bool {
	for cell := range bytes.SplitSeq(bytes.TrimSpace(b), []byte{delimiter}) {
		if cell = bytes.Trim(cell, `"`); len(cell) == 0 || len(cell) > 64 || bytes.ContainsAny(cell, " .!?") {
			return false
		}
		if r, _ := utf8.DecodeRune(cell); cells == minCells && r != '_' && !unicode.IsLetter(r) {
			return false
		}
	}
	return true
}
