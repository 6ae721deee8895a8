package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"
)

const memoryConfig = `version: 1
name: bench
work: {url: %q, key_env: BENCH_WORK_KEY}
signing: {key_env: BENCH_SIGNING_KEY}
bundles: {encryption: none}
stores:
  lake: {url: %q}
policy: {approval: required, default_region: US}
accounts:
  acme: {ids: ["ACC1"]}
datasets:
  - name: calls
    at: "lake/account={account}/*.jsonl.gz"
    time: start_time
    category: commercial
    sources: ["calls to tracked numbers"]
    purposes: ["call attribution"]
    fields:
      customer_phone_number: {kind: phone, category: identifiers}
      customer_email: {kind: email, category: identifiers}
    on_delete: {action: erase_record}
`

// memory runs a built expunge on packed JSON lines and watches how much memory it
// takes. It fails beyond limit.
func (o *options) memory(ctx context.Context, bin, limit string) error {
	most, err := humanize.ParseBytes(limit)
	if err != nil {
		return err
	}
	if bin, err = filepath.Abs(bin); err != nil {
		return err
	}
	done, err := o.work()
	if err != nil {
		return err
	}
	defer done()
	packed, _ := formatOf("jsonl.gz")
	packed.folder = filepath.Join("lake", "account=acme")
	began := time.Now()
	if err := o.write(packed, runtime.NumCPU()); err != nil {
		return fmt.Errorf("write lake: %w", err)
	}
	size, err := o.size(packed)
	if err != nil {
		return err
	}
	fmt.Printf("wrote %d files of JSONL.gz, %s packed, %s raw, %d records, in %s\n", o.files, humanize.Bytes(uint64(size)),
		humanize.Bytes(uint64(o.bytes)), o.records(), time.Since(began).Round(time.Second))

	config, requests := filepath.Join(o.dir, "config.yaml"), filepath.Join(o.dir, "requests.jsonl")
	if err := os.WriteFile(config, fmt.Appendf(nil, memoryConfig, filepath.Join(o.dir, "work"), filepath.Join(o.dir, "lake")), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(requests, o.requests(), 0o600); err != nil {
		return err
	}
	if out, err := o.command(ctx, bin, "submit", "--config", config, requests).CombinedOutput(); err != nil {
		return fmt.Errorf("submit: %w\n%s", err, out)
	}
	cmd := o.command(ctx, bin, "run", "--config", config, "--workers", strconv.Itoa(o.threads))
	output, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = cmd.Stdout
	began = time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	now := func() int64 { return peak(strconv.Itoa(cmd.Process.Pid)) }
	var scan, rss atomic.Int64 // highest until the scan's end, and of all
	stop := make(chan struct{})
	go func() {
		for tick := time.NewTicker(20 * time.Millisecond); ; {
			select {
			case <-stop:
				tick.Stop()
				return
			case <-tick.C:
				rss.Store(max(rss.Load(), now()))
			}
		}
	}()
	for lines := bufio.NewScanner(output); lines.Scan(); {
		if line := lines.Text(); !strings.HasPrefix(line, "request ") { // there are as many as consumers
			fmt.Println(line)
			if strings.Contains(line, "msg=scanned") {
				scan.Store(now())
			}
		}
	}
	err = cmd.Wait()
	close(stop)
	took := time.Since(began).Seconds()
	if code := cmd.ProcessState.ExitCode(); err != nil && code != 3 && code != 4 { // INCOMPLETE, or something waits for a person
		return fmt.Errorf("run: %w", err)
	}
	scanned, err := o.scanSeconds()
	if err != nil {
		return err
	}
	fmt.Printf("%d consumers, %d workers: %.1f s, of which the scan took %.1f s: %.0f MB/s of raw bytes; peak %s in the scan, %s in all, of %s\n",
		o.consumers, o.threads, took, scanned, float64(o.bytes)/1e6/scanned, humanize.IBytes(uint64(scan.Load())), humanize.IBytes(uint64(rss.Load())), humanize.IBytes(most))
	if rss.Load() > int64(most) {
		return errors.New("that is more memory than is allowed")
	}
	return nil
}

// scanSeconds is how long the rounds of the one run took.
func (o *options) scanSeconds() (float64, error) {
	paths, err := filepath.Glob(filepath.Join(o.dir, "work", "runs", "*", "report.json"))
	if err != nil || len(paths) != 1 {
		return 0, fmt.Errorf("find the report of the run: there are %d", len(paths))
	}
	b, err := os.ReadFile(paths[0])
	if err != nil {
		return 0, err
	}
	var report struct {
		Rounds []struct {
			Seconds float64 `json:"seconds"`
		} `json:"rounds"`
	}
	if err := json.Unmarshal(b, &report); err != nil {
		return 0, fmt.Errorf("read the report of the run: %w", err)
	}
	var sum float64
	for _, r := range report.Rounds {
		sum += r.Seconds
	}
	return sum, nil
}

// requests are those of the consumers, one each.
func (o *options) requests() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	for i := range o.consumers {
		c := consumerOf(i)
		_ = e.Encode(map[string]any{
			"version": 1, "id": fmt.Sprintf("R-%d", i), "account": "acme", "instruction": "bench", "subject": "consumer", "rights": []string{"access", "delete"},
			"received":     "2026-11-20T09:00:00Z",
			"identifiers":  []map[string]string{{"kind": "phone", "value": "+1" + c.phone}, {"kind": "email", "value": c.email}},
			"verification": map[string]string{"level": "reasonably_high", "attested_by": "bench"},
		})
	}
	return b.Bytes()
}

func (o *options) command(ctx context.Context, bin string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, bin, args...)
	key := strings.Repeat("A", 43) + "="
	cmd.Env = append(os.Environ(), "BENCH_WORK_KEY="+key, "BENCH_SIGNING_KEY="+key, "GOMAXPROCS="+strconv.Itoa(o.threads))
	return cmd
}
