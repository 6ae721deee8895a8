package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// A night of thousands of requests is told in a few lines, and its page stays one
// that a browser opens; what presses is among what is shown.
func TestManyOfEverything(t *testing.T) {
	r := New("r1", time.Time{}, time.Time{}, newTotals())
	r.Strayed, r.Undeclared = map[string]int64{}, map[string]int64{}
	for i := range 10_000 {
		q := Request{Request: fmt.Sprintf("a%04d/R-1", i), State: "COMPLETED"}
		if i%100 == 99 {
			q.State, q.Reason = "RECEIVED", "1 object that may concern it was refused"
		}
		r.Requests = append(r.Requests, q)
		r.Limits = append(r.Limits, fmt.Sprintf("a%04d/R-1: too many", i))
		r.Radius = append(r.Radius, Radius{Account: fmt.Sprintf("a%04d", i), Dataset: "calls", Records: 1, Of: 1000, Part: 0.001, Limit: i == 9_999})
		r.Strayed[q.Request], r.Undeclared[fmt.Sprintf("lake/%d", i)] = int64(i+1), int64(i+1)
	}
	r.Judge()
	if len(r.Why) != 12 || r.Why[11] != "9,990 more limits were reached" {
		t.Errorf("%d reasons: %q", len(r.Why), r.Why)
	}
	var printed, page bytes.Buffer
	r.Print(&printed)
	for _, want := range []string{"requests 9,900 COMPLETED\n", "requests 100 RECEIVED\n", "request  a0099/R-1 RECEIVED", "request  50 more that are open for a reason\n"} {
		if !strings.Contains(printed.String(), want) {
			t.Errorf("%q is not printed", want)
		}
	}
	if n := strings.Count(printed.String(), "\n"); n > 80 {
		t.Errorf("%d lines printed", n)
	}
	if err := r.html(&page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<td>a9999</td>", "<code>lake/9999</code>", "9,800 more", "9,900 more"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	if page.Len() > 3<<20 {
		t.Errorf("the page has %d bytes", page.Len())
	}
}
