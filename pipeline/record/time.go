package record

import (
	"strconv"
	"strings"
	"time"

	"expunge/pipeline"
)

// Moment is when a record happened, in Unix milliseconds: From and To are equal, or the
// first and the last millisecond of the day where a record names no more than that.
type Moment struct{ From, To int64 }

// Never is the moment of a record without a time.
var Never = Moment{pipeline.NoTime, pipeline.NoTime}

// Known reports whether the record has a time.
func (m Moment) Known() bool { return m != Never }

// Tells reports whether m lies on one side of a cut-off: a day in which that lies does
// not say whether the record is the deletion's or new, as no time does not.
func (m Moment) Tells(cutoff int64) bool { return m.Known() && (m.To <= cutoff || m.From > cutoff) }

// layouts are how exports write times.
var layouts = []string{
	time.RFC3339Nano,
	"2006-01-02T15:04:05Z0700",
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999 -0700",
	"2006-01-02 15:04:05.999999999 -07:00",
	"2006-01-02 15:04:05.999999999 MST",
	"2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04:05.999999999",
	"2006-01-02T15:04Z07:00",
	"2006-01-02T15:04",
	"2006-01-02 15:04",
	time.RFC1123Z,
	time.RFC1123,
	"1/2/2006 15:04:05",
	"1/2/2006 15:04",
	"1/2/2006 3:04:05 PM",
	"1/2/2006 3:04 PM",
}

// days are how they write days.
var days = []string{time.DateOnly, "20060102", "1/2/2006", "Jan 2, 2006", "January 2, 2006"}

// ParseTime reads a record's time: the common ways to write one, or a number since
// 1970, whose unit its size tells (seconds to nanoseconds). What names no zone is of
// zone; nil is UTC.
func ParseTime(s string, zone *time.Location) (Moment, bool) {
	if zone == nil {
		zone = time.UTC
	}
	s = strings.TrimSpace(s)
	if ms, ok := isoTime(s, zone); ok {
		return Moment{ms, ms}, true
	}
	return otherTime(s, zone)
}

// otherTime is ParseTime without the most common way.
func otherTime(s string, zone *time.Location) (Moment, bool) {
	at := func(ms int64) (Moment, bool) { return Moment{ms, ms}, true }
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && len(s) != 8 {
		switch {
		case n >= 1e17:
			return at(n / 1e6)
		case n >= 1e14:
			return at(n / 1e3)
		case n >= 1e11:
			return at(n)
		case n >= 1e8:
			return at(n * 1e3)
		}
		return Never, false
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && f >= 1e8 && f < 1e11 {
		return at(int64(f * 1e3))
	}
	for _, layout := range layouts {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			if t, ok := named(t); ok {
				return at(t.UnixMilli())
			}
			return Never, false
		}
	}
	for _, layout := range days {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return Moment{t.UnixMilli(), t.AddDate(0, 0, 1).UnixMilli() - 1}, true
		}
	}
	return Never, false
}

// zones are those that RFC 822 names, in hours east.
var zones = map[string]int{"UTC": 0, "GMT": 0, "UT": 0, "Z": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7}

// named puts right a time whose zone has a name that its location does not know: package
// time takes that for UTC. What no standard knows cannot be read.
func named(t time.Time) (time.Time, bool) {
	name, east := t.Zone()
	if east != 0 || name == "" || t.Location() == time.UTC {
		return t, true
	}
	hours, ok := zones[name]
	if !ok && t.Location().String() == name { // invented by package time
		return t, false
	}
	return t.Add(-time.Duration(hours) * time.Hour), true
}
