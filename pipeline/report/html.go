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

// How many rows of a kind the page shows; report.json has all.
const (
	shownUndeclared = 100
	shownStrayed    = 100
	shownRadius     = 200
	shownLimits     = 100
)

// html writes the report for people: what is missing and what to do first, figures
// last. It opens from disk and fetches nothing.
func (r *Report) html(w io.Writer) error {
	remedies := remedies()
	page, err := template.New("report").Funcs(template.FuncMap{
		"n":       humanize.Comma,
		"objects": func(n int64) string { return pipeline.Count(n, "object", "objects") },
		"of":      func(m map[pipeline.Outcome]int64, o string) int64 { return m[pipeline.Outcome(o)] },
		"size":    ibytes,
		"part":    percent,
		"keys":    sortedKeys[int64],
		"count":   func(m map[string]int64) int64 { return int64(len(m)) },
		"largest": func(m map[string]int64) []string { return largest(m, shownUndeclared) },
		"strayed": func(m map[string]int64) []string { return largest(m, shownStrayed) },
		"radius":  boldest,
		"some":    func(s []string) []string { return s[:min(len(s), shownLimits)] },
		"more":    func(all int64, shown int) int64 { return all - int64(shown) },
		"int64":   func(n int) int64 { return int64(n) },
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

// largest are the n keys with the largest counts.
func largest(m map[string]int64, n int) []string {
	keys := sortedKeys(m)
	slices.SortStableFunc(keys, func(a, b string) int { return cmp.Compare(m[b], m[a]) })
	return keys[:min(len(keys), n)]
}

// boldest are the erasures that the page shows: what is held back first, then what
// takes the largest part.
func boldest(all []Radius) []Radius {
	held := func(r *Radius) int {
		if r.Limit {
			return 0
		}
		return 1
	}
	out := slices.Clone(all)
	slices.SortStableFunc(out, func(a, b Radius) int { return cmp.Or(held(&a)-held(&b), cmp.Compare(b.Part, a.Part)) })
	return out[:min(len(out), shownRadius)]
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
		return &deadline{"late", pipeline.Count(int64(d/(24*time.Hour)), "day", "days") + " left"}
	default:
		return &deadline{"note", pipeline.Count(int64(d/(24*time.Hour)), "day", "days") + " left"}
	}
}
