package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dustin/go-humanize"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/config"
	"expunge/pipeline/report"
)

// scale is how large a synthetic lake is: accounts × datasets × dates objects, and
// some that no dataset claims.
type scale struct {
	Accounts, Dates, Undeclared int
	Memory                      int64 // bytes that a run may have resident at most
}

// Sizes of TestScale. EXPUNGE_SCALE=full (make scale) is the size of the design.
var (
	smallScale = scale{Accounts: 100, Dates: 40, Undeclared: 60, Memory: 512 << 20}
	fullScale  = scale{Accounts: 10_000, Dates: 100, Undeclared: 12_000, Memory: 512 << 20}
)

// scaleDatasets are in byte order, as a listing has them.
var scaleDatasets = []string{"calls", "events", "forms", "texts", "visits"}

func (s scale) objects() int { return s.Accounts * len(scaleDatasets) * s.Dates }

func scaleAccount(i int) string { return fmt.Sprintf("acct%05d", i) }

// scaleMail is the address of the consumer n of an account. Consumer 0 is in the
// account's calls of the first day, consumer 1 in those of the second.
func scaleMail(account, n int) string { return fmt.Sprintf("person%d.%d@example.com", account, n) }

// synthetic is a store that holds nothing: what it lists and gives is computed.
type synthetic struct {
	connectors.Store // nil: nothing else is asked of it
	scale
}

func (s *synthetic) URL() string { return "s3://synthetic" }

func (s *synthetic) key(dataset, account, date int) string {
	day := time.Date(2026, 1, 1+date, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
	return fmt.Sprintf("%s/account=%s/dt=%s/part-00000.jsonl", scaleDatasets[dataset], scaleAccount(account), day)
}

// scaleNote makes an object half a kilobyte: still far smaller than those of a lake,
// beside which filters would be nothing.
const scaleNote = "asked for a call back in the afternoon, when the shop is open, about an order that came in two parcels of which one was " +
	"wet; was told that somebody would look into it, that no new one could be promised before the end of the week, and that the " +
	"other parcel should be kept, since the carrier wants to see it; said thanks, and that there is no hurry with any of this"

// body is two records, of which one is of a consumer that no other object knows.
func (s *synthetic) body(dataset, account, date int) string {
	at := time.Date(2026, 1, 1+date, 12, 0, 0, 0, time.UTC).Format(time.RFC3339)
	id := fmt.Sprintf("%s-%d-%d", scaleDatasets[dataset], account, date)
	mail := fmt.Sprintf("other%d.%d.%d@example.org", dataset, account, date)
	if dataset == 0 {
		mail = scaleMail(account, date)
	}
	return fmt.Sprintf(`{"id":"%s-a","at":"%s","email":"%s","note":"%s"}`+"\n"+`{"id":"%s-b","at":"%s","phone":"+1404555%04d"}`+"\n",
		id, at, mail, scaleNote, id, at, 100+(account+date)%100)
}

func (s *synthetic) List(ctx context.Context, prefix string) iter.Seq2[connectors.Object, error] {
	return func(yield func(connectors.Object, error) bool) {
		give := func(key string, size int) bool {
			return !strings.HasPrefix(key, prefix) || yield(connectors.Object{
				Ref: connectors.Ref{Key: key, ETag: fmt.Sprintf("%032x", len(key)*size)}, Size: int64(size), Modified: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC),
			}, nil)
		}
		for d := range scaleDatasets {
			for a := range s.Accounts {
				if ctx.Err() != nil {
					yield(connectors.Object{}, ctx.Err())
					return
				}
				for day := range s.Dates {
					if !give(s.key(d, a, day), len(s.body(d, a, day))) {
						return
					}
				}
			}
		}
		for i := range s.Undeclared {
			if !give(fmt.Sprintf("zz-upload-%06d/scratch", i), 1) {
				return
			}
		}
	}
}

func (s *synthetic) Open(ctx context.Context, r connectors.Ref, rng connectors.Range) (io.ReadCloser, error) {
	parts := strings.Split(r.Key, "/")
	for d, name := range scaleDatasets {
		if len(parts) != 4 || parts[0] != name {
			continue
		}
		account, err := strconv.Atoi(strings.TrimPrefix(parts[1], "account=acct"))
		day, derr := time.Parse(time.DateOnly, strings.TrimPrefix(parts[2], "dt="))
		if err := errors.Join(err, derr); err != nil {
			return nil, err
		}
		body := s.body(d, account, int(day.Sub(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))/(24*time.Hour)))
		body = body[min(rng.Off, int64(len(body))):]
		if rng.Len >= 0 {
			body = body[:min(rng.Len, int64(len(body)))]
		}
		return io.NopCloser(strings.NewReader(body)), nil
	}
	return nil, fmt.Errorf("open %q: %w", r.Key, connectors.ErrNotFound)
}

// scaleConfig writes the config of a synthetic lake and returns its name.
func scaleConfig(t *testing.T, dir string, s scale) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\nname: scale\nwork: {url: %q}\nstores:\n  lake: {url: \"s3://synthetic\"}\nbundles: {encryption: none}\naccounts:\n", filepath.Join(dir, "work"))
	for i := range s.Accounts {
		fmt.Fprintf(&b, "  %s: {}\n", scaleAccount(i))
	}
	b.WriteString("datasets:\n")
	for _, d := range scaleDatasets {
		fmt.Fprintf(&b, "  - name: %s\n    at: \"lake/%s/account={account}/dt={date}/*.jsonl\"\n    format: jsonl\n    time: at\n    fields:\n      email: {kind: email}\n      phone: {kind: phone}\n", d, d)
	}
	name := filepath.Join(dir, "scale.yaml")
	if err := os.WriteFile(name, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// scaleNight is one run: which accounts ask, how often each, and for whom.
type scaleNight struct {
	Name     string
	Accounts int // the first ones ask
	Each     int // requests of each
	Person   int // the first consumer that is asked about
	Known    int // accounts whose objects the catalog knows from a night before
}

func (n scaleNight) requests() int { return n.Accounts * n.Each }

// TestScale runs nights over a synthetic lake, each in a process of its own: what
// is resident, how many files are written and how often a store is listed must not
// hang on how many objects there are. `make scale` is the full size.
func TestScale(t *testing.T) {
	s := smallScale
	switch size := os.Getenv("EXPUNGE_SCALE"); size {
	case "":
	case "full":
		s = fullScale
	default: // a number of accounts
		n, err := strconv.Atoi(size)
		if err != nil {
			t.Fatalf("EXPUNGE_SCALE is %q, not full or a number of accounts", size)
		}
		s.Accounts, s.Dates, s.Undeclared = n, fullScale.Dates, n
	}
	dir := t.TempDir()
	config := scaleConfig(t, dir, s)
	nights := []scaleNight{
		{Name: "some accounts ask", Accounts: s.Accounts / 20, Each: 20, Person: 2},
		{Name: "every account asks", Accounts: s.Accounts, Each: 1, Person: 0, Known: s.Accounts / 20},
		{Name: "every account asks again", Accounts: s.Accounts, Each: 1, Person: 1, Known: s.Accounts},
	}
	for _, night := range nights {
		submit := filepath.Join(dir, "requests.jsonl")
		writeScaleRequests(t, submit, night)
		figures := runScale(t, dir, config, submit, s, night)
		figures.check(t, s, night)
	}
}

func writeScaleRequests(t *testing.T, name string, night scaleNight) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	for a := range night.Accounts {
		for n := range night.Each {
			person := night.Person + n
			rights := `["delete"]`
			if a%20 == 0 && n == 0 {
				rights = `["access","delete"]`
			}
			fmt.Fprintf(w, `{"version":1,"id":"R-%d","account":"%s","rights":%s,"received":"2026-11-01T09:00:00Z","identifiers":[{"kind":"email","value":"%s"}],"verification":{"level":"reasonably_high"}}`+"\n",
				person, scaleAccount(a), rights, scaleMail(a, person))
		}
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// scaleFigures are what a night's process says of itself.
type scaleFigures struct {
	Code            int
	Submit, Seconds float64
	Peak            int64
	Report          json.RawMessage
}

// runScale is a night in a process of its own.
func runScale(t *testing.T, dir, config, submit string, s scale, night scaleNight) *scaleFigures {
	t.Helper()
	size, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "figures.json")
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestScaleNight$", "-test.timeout=0")
	c.Env = append(os.Environ(), "EXPUNGE_SCALE_CONFIG="+config, "EXPUNGE_SCALE_SUBMIT="+submit, "EXPUNGE_SCALE_SIZE="+string(size), "EXPUNGE_SCALE_OUT="+out,
		"EXPUNGE_KEY=MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	log, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", night.Name, err, tail(log))
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	f := new(scaleFigures)
	if err := json.Unmarshal(b, f); err != nil {
		t.Fatal(err)
	}
	if f.Code != exitIncomplete { // some objects are undeclared
		t.Fatalf("%s: exit %d\n%s", night.Name, f.Code, tail(log))
	}
	t.Logf("%s: %s requests over %s objects: submitted in %.1f s, run in %.1f s, peak %s", night.Name,
		humanize.Comma(int64(night.requests())), humanize.Comma(int64(s.objects())), f.Submit, f.Seconds, ibytes(f.Peak))
	return f
}

func tail(b []byte) []byte { return b[max(0, len(b)-4000):] }

// TestScaleNight is the process of a night.
func TestScaleNight(t *testing.T) {
	name := os.Getenv("EXPUNGE_SCALE_CONFIG")
	if name == "" {
		t.Skip("runs only in a process that TestScale starts")
	}
	var s scale
	if err := json.Unmarshal([]byte(os.Getenv("EXPUNGE_SCALE_SIZE")), &s); err != nil {
		t.Fatal(err)
	}
	var f scaleFigures
	ctx := t.Context()
	boundMemory()
	start := func() *app {
		a, err := open(ctx, &flags{config: name, now: time.Now, json: true})
		if err != nil {
			t.Fatal(err)
		}
		a.vendor = func(context.Context, config.Store) (connectors.Store, error) { return &synthetic{scale: s}, nil }
		return a
	}
	began := time.Now()
	if err := start().submit(ctx, &submitOptions{}, []string{os.Getenv("EXPUNGE_SCALE_SUBMIT")}); err != nil {
		t.Fatal(err)
	}
	f.Submit = time.Since(began).Seconds()
	began = time.Now()
	stdout := os.Stdout
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	os.Stdout = w
	report := make(chan []byte)
	go func() { b, _ := io.ReadAll(r); report <- b }()
	err = start().run(ctx, &runOptions{workers: 2, lease: time.Hour})
	os.Stdout = stdout
	w.Close()
	f.Report = <-report
	f.Seconds = time.Since(began).Seconds()
	if err != nil {
		t.Log(err)
		f.Code = exitCode(ctx, err)
	}
	f.Peak = peakMemory()
	b, err := json.Marshal(&f)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(os.Getenv("EXPUNGE_SCALE_OUT"), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// check compares a night's report with what the synthetic lake asks for.
func (f *scaleFigures) check(t *testing.T, s scale, night scaleNight) {
	t.Helper()
	var r report.Report
	if err := json.Unmarshal(f.Report, &r); err != nil {
		t.Fatal(err)
	}
	t.Logf("  %s, phases: %v", night.Name, r.Phases)
	t.Logf("  objects: %v, pruned: %v", r.Objects, r.Pruned)
	t.Logf("  one pass %s, first scans %s, read again %s (%s without a hit), filters %s: %.2f %% of one pass for nothing", ibytes(r.Bytes.Pass),
		ibytes(r.Bytes.First), ibytes(r.Bytes.Again), ibytes(r.Bytes.AgainWithoutHit), ibytes(r.Bytes.Filters), 100*r.Bytes.PartOfPass)
	calls := map[string]report.Calls{}
	for _, store := range r.Stores {
		calls[store.Store] = store.Calls
		t.Logf("  %s: %+v", store.Store, store.Calls)
	}
	is := func(what string, got, low, high int) {
		t.Helper()
		if got < low || got > high {
			t.Errorf("%s: %d %s, want %d to %d", night.Name, got, what, low, high)
		}
	}
	is("bytes resident at the peak", int(f.Peak), 1, int(s.Memory))
	is("requests", len(r.Requests), night.requests(), night.requests())
	records, bundles := int64(0), 0
	for _, q := range r.Requests {
		records += q.Records
		if q.Bundle != "" {
			bundles++
		}
	}
	is("records", int(records), night.requests(), night.requests()) // each consumer has one
	undeclared := int64(0)
	for _, n := range r.Undeclared {
		undeclared += n
	}
	is("undeclared objects", int(undeclared), s.Undeclared, s.Undeclared)
	is("undeclared places", len(r.Undeclared), min(s.Undeclared, 10_001), 10_001)

	may := night.Accounts * len(scaleDatasets) * s.Dates
	is("objects of accounts that do not ask", int(r.Pruned["NO_REQUEST"]), s.objects()-may, s.objects()-may)
	scanned, fresh := int(r.Objects[pipeline.Scanned]), may-night.Known*len(scaleDatasets)*s.Dates
	is("objects opened", scanned, fresh, fresh+night.requests()+may/50)
	is("objects skipped", int(r.Objects[pipeline.Skipped]), may-scanned, may-scanned)
	if fresh == 0 && r.Bytes.PartOfPass > 0.02 {
		t.Errorf("%s: %.1f %% of one pass was read for nothing", night.Name, 100*r.Bytes.PartOfPass)
	}

	// Neither listings nor files hang on the number of objects, but for the shards and
	// batches of tens of thousands and of thousands.
	is("listings of the lake", int(calls["lake"].Lists), 1, 2)
	is("listings of the work store", int(calls["work"].Lists)-bundles, 1, 60) // one a bundle, of what an earlier try left
	is("pages of the lake", int(calls["lake"].Pages), (s.objects()+s.Undeclared)/1000, (s.objects()+s.Undeclared)/1000+2)
	files := int(calls["work"].Creates) - 2*night.requests() - 5*bundles // a claim and an event each, and five files a bundle
	is("files but those of requests", files, 1, 100+2*s.objects()/50_000+3*scanned/2_000)
}

func ibytes(n int64) string { return humanize.IBytes(uint64(n)) }
