package record

import "time"

// isoTime reads the most common way to write a time without trying layouts:
// YYYY-MM-DD, T or a space, HH:MM:SS, a fraction or none, and Z, ±HH:MM or no zone,
// which is the given one. What is not exactly that is left to the layouts.
func isoTime(s string, zone *time.Location) (ms int64, ok bool) {
	if len(s) < 19 || s[4] != '-' || s[7] != '-' || s[10] != 'T' && s[10] != ' ' || s[13] != ':' || s[16] != ':' {
		return 0, false
	}
	year, ok1 := number(s[:4])
	month, ok2 := number(s[5:7])
	day, ok3 := number(s[8:10])
	hour, ok4 := number(s[11:13])
	minute, ok5 := number(s[14:16])
	second, ok6 := number(s[17:19])
	if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6) || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	rest, nanos := s[19:], 0
	if rest != "" && rest[0] == '.' {
		unit, k := 100_000_000, 1
		for ; k < len(rest) && rest[k]-'0' <= 9; k++ {
			nanos += int(rest[k]-'0') * unit
			unit /= 10
		}
		if k == 1 || k > 10 {
			return 0, false
		}
		rest = rest[k:]
	}
	east := 0 // seconds
	switch {
	case rest == "":
	case rest == "Z":
		zone = time.UTC
	case len(rest) == 6 && (rest[0] == '+' || rest[0] == '-') && rest[3] == ':':
		h, ok1 := number(rest[1:3])
		m, ok2 := number(rest[4:])
		if !ok1 || !ok2 || h > 23 || m > 59 {
			return 0, false
		}
		east = h*3600 + m*60
		if rest[0] == '-' {
			east = -east
		}
		zone = time.UTC
	default:
		return 0, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, nanos, zone)
	if t.Day() != day {
		return 0, false // the month has fewer days
	}
	return t.Add(-time.Duration(east) * time.Second).UnixMilli(), true
}

// number is the value of digits.
func number(s string) (n int, ok bool) {
	for i := range len(s) {
		if s[i]-'0' > 9 {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}
