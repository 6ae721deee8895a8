package identity

import (
	"strings"
	"unicode"

	"expunge/pipeline"
)

// Words in names of fields that say that a number there is a time or measures something.
const (
	// wherever they begin or end a name: event_timestamp, date_created
	timeWords = " ts time times timestamp timestamps tstamp date dates datetime epoch unixtime iat exp nbf expires expiry expiration ttl "
	// the same, of what is counted or measured: call_duration, bytes_sent
	measureWords = " duration durations elapsed latency length len size sizes byte bytes count counts counter quantity qty amount amounts sum total totals " +
		"price cost costs revenue balance fee tax budget spend offset position index seq sequence version revision rank score ratio rate percent pct " +
		"width height weight depth distance lat latitude lng lon longitude altitude temperature checksum crc "
	// only at the end: createdAt, timeoutMs
	unitWords = " at ms msec msecs millis milliseconds usec usecs micros microseconds ns nanos nanoseconds sec secs second seconds " +
		"mins minutes hours days kb mb gb km usd eur cents "
)

// measures reports whether a name says that a number there is a time, or counts or
// measures something: such a number is a phone by chance only.
func measures(name string) bool {
	words := nameWords(name)
	if len(words) == 0 {
		return false
	}
	in := func(list, word string) bool { return strings.Contains(list, " "+word+" ") }
	first, last := words[0], words[len(words)-1]
	return in(timeWords, first) || in(timeWords, last) || in(measureWords, first) || in(measureWords, last) || in(unitWords, last) ||
		strings.HasSuffix(last, "time") || strings.HasSuffix(last, "timestamp") // starttime, mtime
}

// nameWords are the words of a name in lower case: start_time, startTime and "Start Time"
// have two.
func nameWords(name string) []string {
	var out []string
	from, runes := 0, []rune(name)
	cut := func(to int) {
		if to > from {
			out = append(out, strings.ToLower(string(runes[from:to])))
		}
	}
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r):
			cut(i)
			from = i + 1
		case unicode.IsUpper(r) && i > from && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])):
			cut(i)
			from = i
		}
	}
	cut(len(runes))
	return out
}

// named is the name of what stands at lo: of the parameter, in a URL or a query, else of
// the field.
func (l *leaf) named(lo int) string {
	if l.url && lo > 0 && l.text[lo-1] == '=' {
		k := lo - 1
		for k > 0 && !strings.ContainsRune("?&;#/", rune(l.text[k-1])) {
			k--
		}
		return string(l.text[k : lo-1])
	}
	path := strings.TrimRight(l.path, "[]")
	return path[strings.LastIndexByte(path, '.')+1:]
}

// numbered reports whether ids of a kind are made by programs, which may number them: a
// call 4045550123 is nobody's phone. Users and persons are often called by theirs.
func numbered(kind pipeline.Kind) bool {
	switch kind {
	case pipeline.Visitor, pipeline.Session, pipeline.Device, pipeline.Click, pipeline.Call, pipeline.Recording, pipeline.Message, pipeline.Form:
		return true
	}
	return false
}
