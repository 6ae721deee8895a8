package identity

import (
	"regexp"
	"time"
)

// Dates of records, and of births in them, lie in these years.
const (
	firstYear = 1900
	lastYear  = 2039
)

// date is where the digits of a number may be a date.
type date struct {
	lo, hi int
	bare   bool // digits alone: 20240510, 2024051012
}

// dateIn finds the date that the groups gs of digits begin with or hold, as people and
// programs write it: 2024-05-10, 10.05.2024, 5/10/2024, with or without an hour behind;
// 20240510 and 10/05/24 with an hour. Blanks alone make no date of a number.
func dateIn(b []byte, gs []group) (date, bool) {
	first := gs[0]
	year4 := func(g group) int { return int(decimal(b, g.lo, g.lo+4)) }
	number := func(g group) int { return int(decimal(b, g.lo, g.hi)) }
	pair := func(lo int) int { return int(decimal(b, lo, lo+2)) }
	if n := first.hi - first.lo; n >= 8 && n <= 14 && n%2 == 0 && calendar(year4(first), pair(first.lo+4), pair(first.lo+6)) {
		at := date{first.lo, first.lo + 8, len(gs) == 1}
		for lo, under := first.lo+8, 24; lo < first.hi; lo, under = lo+2, 60 {
			if pair(lo) >= under {
				return date{}, false
			}
		}
		if len(gs) == 1 || n == 8 && hour(b, gs[1]) {
			return at, true
		}
		return date{}, false
	}
	for i := 0; i+2 < len(gs); i++ {
		x, y, z := gs[i], gs[i+1], gs[i+2]
		sign := b[x.hi]
		if y.lo-x.hi != 1 || z.lo-y.hi != 1 || b[y.hi] != sign || sign != '-' && sign != '/' && sign != '.' || y.hi-y.lo > 2 {
			continue
		}
		m, at := number(y), date{lo: x.lo, hi: z.hi}
		switch nx, nz := x.hi-x.lo, z.hi-z.lo; {
		case nx == 4 && nz <= 2:
			if calendar(year4(x), m, number(z)) {
				return at, true
			}
		case nx == 4 && nz == 4:
			if at.hi = z.lo + 2; calendar(year4(x), m, pair(z.lo)) && pair(z.lo+2) < 24 {
				return at, true
			}
		case nx <= 2 && nz == 4:
			if calendar(year4(z), m, number(x)) || calendar(year4(z), number(x), m) {
				return at, true
			}
		case i == 0 && nx == 2 && nz == 2 && len(gs) > 3 && b[z.hi] != sign && hour(b, gs[3]):
			if calendar(inFull(number(z)), m, number(x)) || calendar(inFull(number(z)), number(x), m) || calendar(inFull(number(x)), m, number(z)) {
				return at, true
			}
		}
	}
	return date{}, false
}

// inFull is the year that two digits mean.
func inFull(short int) int {
	if 2000+short > lastYear {
		return 1900 + short
	}
	return 2000 + short
}

// hour reports whether the digits of g begin with an hour of the day.
func hour(b []byte, g group) bool {
	switch g.hi - g.lo {
	case 2, 4, 6:
		return decimal(b, g.lo, g.lo+2) < 24
	}
	return false
}

// calendar reports whether there is such a day.
func calendar(year, month, day int) bool {
	if year < firstYear || year > lastYear || month < 1 || month > 12 || day < 1 {
		return false
	}
	return time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Day() == day
}

// Hours and minutes behind a date, and before one.
var (
	clockBehind = regexp.MustCompile(`^[^0-9A-Za-z]{0,3}(?:[01]?\d|2[0-3]):[0-5]\d`)
	clockBefore = regexp.MustCompile(`\d:[0-5]\d[^0-9A-Za-z]{1,3}$`)
)

// moment reports whether a date has its hours and minutes beside it: so no number is
// written.
func moment(b []byte, at date) bool {
	return clockBehind.Match(b[at.hi:]) || clockBefore.Match(b[max(0, at.lo-8):at.lo])
}
