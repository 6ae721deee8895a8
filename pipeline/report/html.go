package report

import (
	"cmp"
	_ "embed" // of the page
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"expunge/pipeline"
)

//go:embed page.html
var pageTemplate string

// shownUndeclared is how many first segments the page shows; report.json has all.
const shownUndeclared = 100

// html writes the report for people: what is missing and what to do first, figures
// last. It opens from disk and fetches nothing.
func (r *Report) html(w io.Writer) error {
	remedies := remedies()
	page, err := template.New("report").Funcs(template.FuncMap{
		"n":       humanize.Comma,
		"objects": func(n int64) string { return plural(n, "object", "objects") },
		"of":      func(m map[pipeline.Outcome]int64, o string) int64 { return m[pipeline.Outcome(o)] },
		"size":    ibytes,
		"part":    percent,
		"keys":    sortedKeys[int64],
		"count":   func(m map[string]int64) int64 { return int64(len(m)) },
		"largest": largest,
		"more":    func(all int64, shown int) int64 { return all - int64(shown) },
		"list":    func(s []string) string { return strings.Join(s, ", ") },
		"states":  states,
		"left":    daysLeft,
		"remedy": func(code string) remedy {
			if r, ok := remedies[code]; ok {
				return r
			}
			return remedy{"see the reason", "Mend what the reason says, and run again."}
		},
		"time": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"secs": func(s float64) string { return fmt.Sprintf("%.1f s", s) },
	}).Parse(pageTemplate)
	if err != nil {
		return err
	}
	return page.Execute(w, r)
}

// largest are the keys with the largest counts, and how many the page shows.
func largest(m map[string]int64) []string {
	keys := sortedKeys(m)
	slices.SortStableFunc(keys, func(a, b string) int { return cmp.Compare(m[b], m[a]) })
	return keys[:min(len(keys), shownUndeclared)]
}

// inState is how many requests are in a state.
type inState struct {
	State string
	Count int64
}

func states(requests []Request) []inState {
	counts := map[string]int64{}
	for _, q := range requests {
		counts[q.State]++
	}
	var out []inState
	for _, s := range sortedKeys(counts) {
		out = append(out, inState{s, counts[s]})
	}
	return out
}

// deadline is how the page shows that a request's date presses.
type deadline struct{ Class, Text string }

func daysLeft(q Request, now time.Time) *deadline {
	switch d, open := q.left(now); {
	case !open:
		return nil
	case d < 0:
		return &deadline{"late", "overdue"}
	case d < soon:
		return &deadline{"late", plural(int64(d/(24*time.Hour)), "day", "days") + " left"}
	default:
		return &deadline{"note", plural(int64(d/(24*time.Hour)), "day", "days") + " left"}
	}
}
