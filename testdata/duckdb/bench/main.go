// Command bench compares the speed of expunge's scan with DuckDB's on the same
// files and the same 10,000 consumers, with as many threads. It is a module of its
// own, so that DuckDB and what comes with it stay out of expunge's.
//
// What is compared: expunge runs its scan step as a run's first round does. It
// searches every field of every record for every form of an identifier, builds the
// catalog's filters and writes sealed hits to a work store. DuckDB looks at the two
// columns that are known to hold identifiers. Reading the requests in is not timed
// on either side. Each run is a process of its own; the engines take turns, and the
// ratio of their medians is what counts; on a machine that others use, too, the
// ratio of the least processor times says more. Both must find exactly the records that the generator knows to be the consumers'.
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
	"golang.org/x/sys/unix"
)

type options struct {
	part
	threads, repeat int
	formats         []string
	child           string // one of the below: run one engine once and say how it went
	profile         string // file to write a child's CPU profile to
}

// What one engine does in one run: look everywhere in a record, or at the two
// columns that hold identifiers. queryWritten is the same of whole records, as people
// write it.
const (
	scanAll      = "scan"
	scanDeclared = "scan-columns"
	queryAll     = "query"
	queryColumns = "query-columns"
	queryWritten = "query-written"
)

func main() {
	var o options
	size := flag.String("size", "300MB", "about the size of the records as JSON lines")
	names := flag.String("formats", "jsonl,jsonl.gz,csv,parquet", "which formats to compare")
	flag.StringVar(&o.dir, "dir", "", "folder for the files, kept afterwards; default: a temporary one")
	flag.IntVar(&o.files, "files", 8, "how many files a format has")
	flag.IntVar(&o.consumers, "consumers", maxConsumers, "how many consumers are looked for")
	flag.IntVar(&o.every, "every", 200, "one record in so many is a consumer's")
	flag.IntVar(&o.threads, "threads", 2, "threads of either engine")
	flag.IntVar(&o.repeat, "repeat", 5, "runs of each engine; the median counts")
	flag.StringVar(&o.child, "child", "", "run one engine once on the files in -dir: scan, scan-columns, query, query-columns or query-written")
	flag.StringVar(&o.profile, "cpuprofile", "", "with -child: file to write a CPU profile to")
	bin := flag.String("memory", "", "instead: the expunge binary to run on -size of JSONL.gz, watching its memory")
	limit := flag.String("limit", "512MiB", "memory that -memory allows")
	flag.Parse()
	bytes, err := humanize.ParseBytes(*size)
	o.bytes, o.formats = int64(bytes), strings.Split(*names, ",")
	if err == nil && (o.files < 1 || o.consumers < 1 || o.consumers > maxConsumers || o.every < 1 || o.threads < 1 || o.repeat < 1) {
		err = fmt.Errorf("give positive numbers, and at most %d consumers", maxConsumers)
	}
	if err == nil {
		ctx := context.Background()
		switch {
		case o.child != "":
			err = o.once(ctx)
		case *bin != "":
			err = o.memory(ctx, *bin, *limit)
		default:
			err = o.compare(ctx)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// once is a child's work: one engine, one format, one run.
func (o *options) once(ctx context.Context) error {
	f, ok := formatOf(o.formats[0])
	if !ok {
		return fmt.Errorf("no format %q", o.formats[0])
	}
	runtime.GOMAXPROCS(o.threads)
	if o.profile != "" {
		w, err := os.Create(o.profile)
		if err != nil {
			return err
		}
		defer w.Close()
		if err := pprof.StartCPUProfile(w); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	var out outcome
	var err error
	switch o.child {
	case queryAll, queryColumns, queryWritten:
		out, err = queryLake(ctx, o.part, f, o.threads, o.child)
	default:
		out, err = scanLake(ctx, o.part, f, o.threads, o.child == scanAll)
	}
	if err != nil {
		return err
	}
	out.RSS = peak("self")
	slices.Sort(out.IDs)
	return json.NewEncoder(os.Stdout).Encode(out)
}

// cpuSeconds is how much processor time this process has used.
func cpuSeconds() float64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// peak is the most memory that a process had in use, in bytes; 0 where the system
// does not tell.
func peak(pid string) int64 {
	b, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb << 10
		}
	}
	return 0
}

// work makes the folder that files are written to.
func (o *options) work() (done func(), err error) {
	if o.dir != "" {
		o.dir, err = filepath.Abs(o.dir)
		return func() {}, err
	}
	if o.dir, err = os.MkdirTemp("", "expunge-bench-"); err != nil {
		return nil, err
	}
	return func() { os.RemoveAll(o.dir) }, nil
}

// row is one line of the table. Where neither side is told which columns hold
// identifiers, both search everything; the last columns compare expunge's search of
// everything with DuckDB's of the two columns alone, in the best form and as people
// write it.
type row struct {
	name   string
	format format
	ours   string
	theirs []string // the first is the equal of ours; the others are printed behind
	target float64
}

var rows = []row{
	{"jsonl", formats[0], scanAll, []string{queryAll, queryColumns, queryWritten}, 4},
	{"jsonl.gz", formats[1], scanAll, []string{queryAll, queryColumns, queryWritten}, 2.3},
	{"csv", formats[2], scanAll, []string{queryAll, queryColumns, queryWritten}, 5},
	{"parquet", formats[3], scanAll, []string{queryAll, queryColumns, queryWritten}, 0},
	{"parquet identifiers", formats[3], scanDeclared, []string{queryColumns, queryWritten}, 2},
}

func (o *options) compare(ctx context.Context) error {
	done, err := o.work()
	if err != nil {
		return err
	}
	defer done()
	fmt.Printf("writing %s of JSON lines, %d records, in each format ...\n", humanize.Bytes(uint64(o.bytes)), o.records())
	for _, f := range formats {
		if !slices.Contains(o.formats, f.name) && (f.name != "jsonl" || !slices.Contains(o.formats, "parquet")) {
			continue
		}
		if f.name == "parquet" {
			if err = os.MkdirAll(filepath.Join(o.dir, f.folder), 0o755); err == nil {
				err = writeParquet(ctx, o.part, o.threads)
			}
		} else {
			err = o.write(f, runtime.NumCPU())
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", f.name, err)
		}
	}
	truth := o.truth()
	slices.Sort(truth)
	raw, err := o.size(formats[0])
	if err != nil {
		raw = o.bytes
	}
	fmt.Printf("%d consumers, %d threads, median of %d runs of each engine in turn; MB/s of the records as JSON lines\n"+
		"ratio: DuckDB searches everything, as expunge does (parquet identifiers: both the two columns that hold identifiers)\n"+
		"two columns: DuckDB is told which columns hold identifiers, and their types\n"+
		"as written: SELECT * of those two columns' matches by read_json_auto, read_csv_auto or read_parquet, as people write it\n\n", o.consumers, o.threads, o.repeat)
	t := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "format\tstored\tfound\texpunge s\tCPU s\tMB/s\tpeak\tDuckDB s\tCPU s\tMB/s\tpeak\tratio\tby CPU\ttarget\ttwo columns\tby CPU\tas written\tby CPU\t")
	var failed error
	for _, r := range rows {
		if !slices.Contains(o.formats, r.format.name) {
			continue
		}
		size, err := o.size(r.format)
		if err != nil {
			return err
		}
		ours, theirs, err := o.turns(ctx, r, truth)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", r.name, err))
			continue
		}
		ratio := func(theirs outcome) string {
			return fmt.Sprintf("%.2f×\t%.2f×", theirs.Seconds/ours.Seconds, theirs.CPU/ours.CPU)
		}
		target, known, written := "", "\t", "\t"
		if r.target > 0 {
			target = fmt.Sprintf("%.1f×", r.target)
		}
		for i, child := range r.theirs[1:] {
			if child == queryWritten {
				written = ratio(theirs[i+1])
			} else {
				known = ratio(theirs[i+1])
			}
		}
		speed := func(o outcome) string {
			return fmt.Sprintf("%.2f\t%.2f\t%.0f\t%s", o.Seconds, o.CPU, float64(raw)/1e6/o.Seconds, humanize.IBytes(uint64(o.RSS)))
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t\n", r.name, humanize.Bytes(uint64(size)), len(truth),
			speed(ours), speed(theirs[0]), ratio(theirs[0]), target, known, written)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return failed
}

// turns runs the engines in turn and returns the median of each. Every run must
// find the truth.
func (o *options) turns(ctx context.Context, r row, truth []string) (ours outcome, theirs []outcome, err error) {
	children := append([]string{r.ours}, r.theirs...)
	runs := make([][]outcome, len(children))
	for range o.repeat {
		for i, child := range children {
			out, err := o.run(ctx, child, r.format)
			if err != nil {
				return ours, nil, fmt.Errorf("%s: %w", child, err)
			}
			if !slices.Equal(out.IDs, truth) {
				return ours, nil, fmt.Errorf("%s found %d records, not the %d that are the consumers'", child, len(out.IDs), len(truth))
			}
			runs[i] = append(runs[i], out)
		}
	}
	for _, r := range runs[1:] {
		theirs = append(theirs, median(r))
	}
	return median(runs[0]), theirs, nil
}

// median is the run of middle speed, with the highest peak and the least processor
// time of all: that is what other work on the machine changes least.
func median(runs []outcome) outcome {
	slices.SortFunc(runs, func(x, y outcome) int { return cmp.Compare(x.Seconds, y.Seconds) })
	m := runs[len(runs)/2]
	for _, r := range runs {
		m.RSS, m.CPU = max(m.RSS, r.RSS), min(m.CPU, r.CPU)
	}
	return m
}

// run runs a child.
func (o *options) run(ctx context.Context, child string, f format) (outcome, error) {
	var out outcome
	self, err := os.Executable()
	if err != nil {
		return out, err
	}
	cmd := exec.CommandContext(ctx, self, "-child", child, "-formats", f.name, "-dir", o.dir, "-size", strconv.FormatInt(o.bytes, 10),
		"-files", strconv.Itoa(o.files), "-consumers", strconv.Itoa(o.consumers), "-every", strconv.Itoa(o.every), "-threads", strconv.Itoa(o.threads))
	var stdout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return out, err
	}
	return out, json.Unmarshal(stdout.Bytes(), &out)
}
