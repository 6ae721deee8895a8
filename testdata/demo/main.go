// Command demo shows the whole job on a small invented lake: it starts an S3
// server, fills it, runs the real program on it as a person would, and compares
// what comes out with the truth about the lake. It imports nothing of expunge but
// the other packages of testdata, so that its verdict is independent.
package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"expunge/testdata/lake"
	"expunge/testdata/s3server"
)

const (
	lakeBucket = "acme-lake"
	workBucket = "acme-privacy"
	workPrefix = "expunge/"
)

func main() {
	bin := flag.String("bin", "bin/expunge", "the program")
	dir := flag.String("dir", "demo", "where all of the demo goes; emptied first")
	keep := flag.Bool("keep", false, "leave the server running until interrupted")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *bin, *dir, *keep); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// demo is one showing.
type demo struct {
	bin, dir string // absolute: the server changes the working directory
	shown    string // dir as the person gave it
	wd       string // before the server changed it
	env      []string
	server   *s3server.Server
	client   *s3.Client
	lake     *lake.Lake
}

func run(ctx context.Context, bin, dir string, keep bool) (err error) {
	d := &demo{shown: dir}
	if d.bin, err = filepath.Abs(bin); err != nil {
		return fmt.Errorf("resolve program: %w", err)
	}
	if d.dir, err = filepath.Abs(dir); err != nil {
		return fmt.Errorf("resolve folder: %w", err)
	}
	if d.wd, err = os.Getwd(); err != nil {
		return fmt.Errorf("look up working directory: %w", err)
	}
	if err := d.clear(); err != nil {
		return err
	}
	if d.lake, err = lake.Generate(lake.Options{Seed: 1}); err != nil {
		return err
	}
	if d.server, err = s3server.Start(ctx, d.path("s3"), s3server.Options{}); err != nil {
		return err
	}
	defer func() {
		http.DefaultClient.CloseIdleConnections()
		err = errors.Join(err, d.server.Close())
	}()
	d.connect()
	start := time.Now()
	n, size, err := d.fill(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("A lake of %d objects, %.1f MB, stands in bucket %s of an S3 server at %s (%.1f s).\n\n",
		n, float64(size)/1e6, lakeBucket, d.server.Endpoint, time.Since(start).Seconds())
	if err := d.configure(); err != nil {
		return err
	}
	run, err := d.job(ctx)
	if err != nil {
		return err
	}
	if err := d.download(ctx); err != nil {
		return err
	}
	if err := d.compare(run); err != nil {
		return err
	}
	consumer, err := d.consumer()
	if err != nil {
		return err
	}
	before, err := d.traces(ctx, consumer)
	if err != nil {
		return err
	}
	if err := d.erase(ctx, run); err != nil {
		return err
	}
	if err := d.end(ctx, run, before); err != nil {
		return err
	}
	d.next(run)
	if keep {
		d.wait(ctx)
	}
	return nil
}

func (d *demo) path(elem ...string) string {
	return filepath.Join(append([]string{d.dir}, elem...)...)
}

// clear makes the folder anew, if it is one of an earlier demo or empty.
func (d *demo) clear() error {
	names, err := os.ReadDir(d.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("look into %s: %w", d.shown, err)
	}
	if _, err := os.Stat(d.path("config.yaml")); err != nil && len(names) > 0 {
		if _, err := os.Stat(d.path("s3")); err != nil {
			return fmt.Errorf("%s holds something other than a demo: name another -dir", d.shown)
		}
	}
	if err := os.RemoveAll(d.dir); err != nil {
		return fmt.Errorf("clear %s: %w", d.shown, err)
	}
	return os.MkdirAll(d.path("s3"), 0o700)
}

// configure writes the config and the requests, and makes the keys.
func (d *demo) configure() error {
	access := []string{fmt.Sprintf("endpoint: %q", d.server.Endpoint), "path_style: true", "region: " + d.server.Region}
	text := d.lake.Config("s3://"+lakeBucket, "s3://"+workBucket+"/"+strings.TrimSuffix(workPrefix, "/"), append(access, "versions: all")...)
	// The work store is on the same server; and the bundles stay readable without
	// their key, so that they can be looked at.
	text = strings.Replace(text, "key_env: EXPUNGE_KEY}", strings.Join(access, ", ")+", key_env: EXPUNGE_KEY}", 1)
	if err := os.WriteFile(d.path("config.yaml"), []byte(text), 0o600); err != nil {
		return err
	}
	var requests strings.Builder
	e := json.NewEncoder(&requests)
	for _, r := range d.lake.Requests() {
		if err := e.Encode(r); err != nil {
			return err
		}
	}
	if err := os.WriteFile(d.path("requests.jsonl"), []byte(requests.String()), 0o600); err != nil {
		return err
	}
	d.env = []string{
		"AWS_ACCESS_KEY_ID=" + d.server.AccessKey, "AWS_SECRET_ACCESS_KEY=" + d.server.SecretKey,
		"AWS_REGION=" + d.server.Region, "EXPUNGE_KEY=" + key(), "EXPUNGE_SIGNING_KEY=" + key(),
	}
	return nil
}

// key is 32 random bytes, as `expunge keys new` prints them.
func key() string {
	var b [32]byte
	rand.Read(b[:]) // never fails
	return base64.StdEncoding.EncodeToString(b[:])
}

// step is a command that is shown.
type step struct {
	why  string
	args []string
	fine []int // exit codes beside 0
}

func (d *demo) steps(ctx context.Context, steps []step) error {
	for _, s := range steps {
		if err := d.expunge(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// job runs the program, command by command, and returns the name of its run.
func (d *demo) job(ctx context.Context) (string, error) {
	if err := d.steps(ctx, []step{
		{"Does the config fit the stores and what lies in them?", []string{"check"}, nil},
		{"Consumers' requests, as the accounts pass them on:", []string{"submit", filepath.Join(d.shown, "requests.jsonl")}, nil},
		{"The nightly job: one pass over the lake for all of them.", []string{"run"}, []int{3}},
		{"Where does each request stand?", []string{"status"}, nil},
	}); err != nil {
		return "", err
	}
	run, err := d.lastRun(ctx)
	if err != nil {
		return "", err
	}
	return run, d.steps(ctx, []step{{"What would be erased, and why? Nothing has been touched so far.",
		[]string{"inspect", "runs/" + run + "/manifest/tombstones.parquet"}, nil}})
}

// lastRun is the run that began last.
func (d *demo) lastRun(ctx context.Context) (string, error) {
	out, err := d.command(ctx, "status", "--json").Output()
	if err != nil {
		return "", fmt.Errorf("read status: %w", err)
	}
	var status struct {
		Runs []struct{ Run string } `json:"runs"`
	}
	if err := json.Unmarshal(out, &status); err != nil {
		return "", fmt.Errorf("read status: %w", err)
	}
	last := ""
	for _, r := range status.Runs {
		last = max(last, r.Run)
	}
	if last == "" {
		return "", errors.New("status names no run")
	}
	return last, nil
}

// erase applies the manifest and looks at what is left of the lake.
func (d *demo) erase(ctx context.Context, run string) error {
	if err := d.steps(ctx, []step{
		{"A person approves the sealed manifest, by its digest.", []string{"approve", run, "--by", "demo"}, nil},
		{"What is approved is erased, read back, searched again and certified.", []string{"erase", run}, nil},
		{"Whoever doubts it verifies again, at any time.", []string{"verify", run}, nil},
	}); err != nil {
		return err
	}
	fmt.Println("# Is that right? The lake now, against what the generator knows.")
	return d.erased(ctx)
}

func (d *demo) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, d.bin, append(args, "--config", d.path("config.yaml"))...)
	cmd.Dir = d.wd
	cmd.Env = append(os.Environ(), d.env...)
	return cmd
}

// maxLines of a command's output are shown.
const maxLines = 20

// expunge runs a command and shows it as a transcript.
func (d *demo) expunge(ctx context.Context, s step) error {
	fmt.Printf("# %s\n$ expunge %s -c %s\n", s.why, strings.Join(s.args, " "), filepath.Join(d.shown, "config.yaml"))
	out, err := d.command(ctx, s.args...).CombinedOutput()
	lines := strings.Split(strings.TrimRight(string(out), "\n"), "\n")
	for i, line := range lines {
		if i == maxLines {
			fmt.Printf("  … %d more lines\n", len(lines)-i)
			break
		}
		fmt.Println(line)
	}
	code := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		return fmt.Errorf("run expunge %s: %w", s.args[0], err)
	}
	meaning := map[int]string{3: "finished but INCOMPLETE; the report names what could not be examined"}
	if code != 0 {
		fmt.Printf("(exit %d: %s)\n", code, meaning[code])
	}
	fmt.Println()
	if code != 0 && !slices.Contains(s.fine, code) {
		return fmt.Errorf("expunge %s: exit %d", s.args[0], code)
	}
	return nil
}

// next says where to look and what to type.
func (d *demo) next(run string) {
	out := filepath.Join(d.shown, "out")
	fmt.Printf(`Where to look (a copy of the work store is in %[1]s):
  %[1]s/bundles/ACCOUNT/REQUEST/index.html    a bundle, for people
  %[1]s/runs/%[2]s/report.html
  %[1]s/certificates/ACCOUNT/                 what was erased, signed and logged
  %[3]s/config.yaml, %[3]s/requests.jsonl

What to type next:
  duckdb -c "select account, dataset, action, tier, count(*) from '%[1]s/runs/%[2]s/manifest/tombstones*.parquet' group by all order by all"
  duckdb -c "select _tier, _matched_kinds, * from '%[1]s/bundles/*/*/data/calls.parquet' limit 5"
  duckdb -c "select outcome, dataset, count(*), sum(size) from '%[1]s/runs/%[2]s/objects*.parquet' group by all order by all"
  make demo KEEP=1     # and the server stays, to run expunge on it yourself
`, out, run, d.shown)
}

// wait leaves the server running, and says how to reach it.
func (d *demo) wait(ctx context.Context) {
	fmt.Printf("\nThe server is running; interrupt to end it. In another shell:\n")
	for _, line := range d.env {
		fmt.Printf("  export %s\n", line)
	}
	fmt.Printf("  bin/expunge status -c %s\n", filepath.Join(d.shown, "config.yaml"))
	<-ctx.Done()
}

// writeFile makes a file and the folders above it.
func writeFile(path string, body io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, body); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
