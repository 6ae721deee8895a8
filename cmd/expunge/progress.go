package main

import (
	"os"
	"slices"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows how far long work is, on a terminal only. The returned function
// takes how many bytes were done; -1 ends it.
func progress(what string, total int64, show bool) func(n int64) {
	if !show || !term.IsTerminal(int(os.Stderr.Fd())) {
		return func(int64) {}
	}
	bar := progressbar.DefaultBytes(total, what)
	return func(n int64) {
		if n < 0 {
			_ = bar.Finish()
			return
		}
		_ = bar.Add64(n)
	}
}

func sorted(set map[string]bool) []string {
	out := make([]string, 0, len(set))
	for s := range set {
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}
