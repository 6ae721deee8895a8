package pipeline

import "github.com/dustin/go-humanize"

// Count writes a number of things for people: "1 record", "1,200 records".
func Count[N int | int64](n N, one, many string) string {
	return humanize.Comma(int64(n)) + " " + Noun(n, one, many)
}

// Noun is what n things are called.
func Noun[N int | int64](n N, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
