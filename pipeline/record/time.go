package record

import (
	"strconv"
	"strings"
	"time"
)

// layouts are how exports write times; a time without a zone is UTC.
var layouts = []string{
	time.RFC3339Nano,
	"2006-01-02T15:04:05Z0700",
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999 -0700",
	"2006-01-02 15:04:05.999999999 UTC",
	"2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04:05.999999999",
	"2006-01-02 15:04",
	time.DateOnly,
	"20060102",
	time.RFC1123Z,
	time.RFC1123,
	"01/02/2006 15:04:05",
	"01/02/2006",
}

// ParseTime reads a record's time in Unix milliseconds: the common ways to write
// one, or a number since 1970, whose unit its size tells (seconds to nanoseconds).
func ParseTime(s string) (ms int64, ok bool) {
	s = strings.TrimSpace(s)
	if ms, ok := isoTime(s); ok {
		return ms, true
	}
	return otherTime(s)
}

// otherTime is ParseTime without the most common way.
func otherTime(s string) (ms int64, ok bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && len(s) != 8 {
		switch {
		case n >= 1e17:
			return n / 1e6, true
		case n >= 1e14:
			return n / 1e3, true
		case n >= 1e11:
			return n, true
		case n >= 1e8:
			return n * 1e3, true
		}
		return 0, false
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && f >= 1e8 && f < 1e11 {
		return int64(f * 1e3), true
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UnixMilli(), true
		}
	}
	return 0, false
}
