package main

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The README's table of the work store has every file that the job leaves there, and none
// that it never writes but those that take more than a run, an erasure and a hold.
func TestReadmeTellsEveryFile(t *testing.T) {
	_, text, found := strings.Cut(readme(t), "\n**The work store.**")
	if !found {
		t.Fatal("the README does not tell of the work store's files")
	}
	_, text, _ = strings.Cut(text, "|---|---|\n")
	rows, _, _ := strings.Cut(text, "\n\n")
	files := map[string]*regexp.Regexp{}
	for row := range strings.Lines(rows) {
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(strings.Split(row, "|")[1], -1) {
			files[m[1]] = layout(m[1])
		}
	}
	seen := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(newRotating(t).begun)) {
		told := false
		for name, re := range files {
			if re.MatchString(key) {
				told, seen[name] = true, true
			}
		}
		if !told {
			t.Errorf("the README's table of the work store does not tell of %s", key)
		}
	}
	later := []string{
		"keys/ID", "bundles/ACCOUNT/REQUEST/supplements/RUN/…", "certificates/ACCOUNT/REQUEST.json", "certificates/ACCOUNT/REQUEST/follow-up-N.json",
		"runs/RUN/excluded.parquet", "runs/RUN/recalled.json", "runs/RUN/versions-lost/N.json", "catalog/tokens/…", "catalog/filters/…", "holds/N/removed.json",
	}
	for name := range files {
		if !seen[name] && !slices.Contains(later, name) {
			t.Errorf("the README's table of the work store tells of %s: nothing has written it", name)
		}
	}
}

// layout is what the files match that the README calls so: words in capitals stand for a
// name, N for a number, … for anything.
func layout(name string) *regexp.Regexp {
	pattern := regexp.MustCompile(`[A-Z]+|…`).ReplaceAllStringFunc(regexp.QuoteMeta(name), func(word string) string {
		switch word {
		case "N":
			return `[0-9]+`
		case "…":
			return `.+`
		}
		return `[^/]+`
	})
	return regexp.MustCompile("^" + pattern + "$")
}
