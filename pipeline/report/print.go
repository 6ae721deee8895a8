package report

import (
	"fmt"
	"io"
	"slices"

	"github.com/dustin/go-humanize"

	"expunge/pipeline"
)

func ibytes(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

func percent(f float64) string { return fmt.Sprintf("%.1f %%", 100*f) }

// printedRequests is how many requests are told one by one; of more, those that are
// open for a reason.
const printedRequests = 50

// Print says in a few lines what a run came to.
func (r *Report) Print(w io.Writer) {
	fmt.Fprintf(w, "run      %s %s, %.1f s\n", r.Run, r.State, r.Seconds)
	fmt.Fprintf(w, "objects  ")
	for _, o := range []pipeline.Outcome{pipeline.Scanned, pipeline.Skipped, pipeline.Pruned, pipeline.Refused} {
		fmt.Fprintf(w, "%s %s  ", humanize.Comma(r.Objects[o]), o)
	}
	fmt.Fprintf(w, "(%s listed, %s read)\n", ibytes(r.Bytes.Listed), ibytes(r.Bytes.Read))
	if r.Malformed > 0 {
		fmt.Fprintf(w, "records  %s malformed: report.html counts them by dataset, objects.parquet by object; an object in which one may hold something asked for is refused\n",
			pipeline.Count(r.Malformed, "is", "are"))
	}
	b := &r.Bytes
	fmt.Fprintf(w, "read     %s by first scans, %s again; of that %s without a hit, and %s of filters: %s of one pass (%s)\n",
		ibytes(b.First), ibytes(b.Again), ibytes(b.AgainWithoutHit), ibytes(b.Filters), percent(b.PartOfPass), ibytes(b.Pass))
	for _, s := range r.Stores {
		fmt.Fprintf(w, "store    %s: %s, %s, %s (%s) written\n", s.Store, pipeline.Count(s.Lists, "list call", "list calls"), pipeline.Count(s.Opens, "read", "reads"),
			pipeline.Count(s.Creates, "file", "files"), ibytes(s.Written))
	}
	if r.PeakMemory > 0 {
		fmt.Fprintf(w, "memory   %s at the peak\n", ibytes(r.PeakMemory))
	}
	requests, more := r.Requests, 0
	if len(requests) > printedRequests {
		for _, s := range states(requests) {
			fmt.Fprintf(w, "requests %s %s\n", humanize.Comma(s.Count), s.State)
		}
		requests = slices.DeleteFunc(slices.Clone(requests), func(q Request) bool { return q.Reason == "" })
		more, requests = len(requests)-printedRequests, requests[:min(len(requests), printedRequests)]
	}
	for _, q := range requests {
		fmt.Fprintf(w, "request  %s %s, %s", q.Request, q.State, pipeline.Count(q.Records, "record", "records"))
		if q.Review > 0 {
			fmt.Fprintf(w, ", %s to review", humanize.Comma(q.Review))
		}
		if q.Included+q.Excluded > 0 {
			fmt.Fprintf(w, ", by review %s included and %s excluded", humanize.Comma(q.Included), humanize.Comma(q.Excluded))
		}
		if q.Held > 0 {
			fmt.Fprintf(w, ", %s under a legal hold", pipeline.Count(q.Held, "tombstone", "tombstones"))
		}
		if q.Reason != "" {
			fmt.Fprintf(w, ": %s", q.Reason)
		}
		fmt.Fprintln(w)
	}
	if more > 0 {
		fmt.Fprintf(w, "request  %s more that are open for a reason\n", humanize.Comma(int64(more)))
	}
	if r.Answered > 0 {
		fmt.Fprintf(w, "again    %s carried out before: of %s something was delivered again\n", pipeline.Count(r.Answered, "deletion was", "deletions were"), humanize.Comma(r.Again))
	}
	if r.Waivers > 0 {
		fmt.Fprintf(w, "waived   %s\n", pipeline.Count(r.Waivers, "refused object", "refused objects"))
	}
	for _, note := range r.Notes {
		fmt.Fprintf(w, "note     %s\n", note)
	}
	for _, why := range r.Why {
		fmt.Fprintf(w, "missing  %s\n", why)
	}
	fmt.Fprintf(w, "more     runs/%s/report.html in the work store\n", r.Run)
}
